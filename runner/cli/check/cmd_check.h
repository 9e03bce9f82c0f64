/* cmd_check - `ostler check`: what is wrong with workflows and manifests, before anything runs. */
#pragma once

#include <getopt.h>

int cmd_check(int argc, char **argv);

extern const char cmd_check_help[];
extern const struct option cmd_check_options[];
