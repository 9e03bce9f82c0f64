/* cmd_status - "ostler status": how the listeners of this machine are. See cmd_status.md. */
#pragma once

#include <getopt.h>

int cmd_status(int argc, char **argv);

extern const char cmd_status_help[];
extern const struct option cmd_status_options[];
