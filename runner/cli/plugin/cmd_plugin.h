/* ostler plugin - list, describe, install and try plugins. See cmd_plugin.md. */
#pragma once

#include <stddef.h>

struct option; /* getopt's */

int cmd_plugin(int argc, char **argv);

extern const char cmd_plugin_help[];

/* The names of its subcommands, NULL after the last, and what each takes: valid until the next call. */
const char *cmd_plugin_sub(size_t i);
const struct option *cmd_plugin_options(const char *sub);
