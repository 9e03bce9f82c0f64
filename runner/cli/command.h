/* command - what is known of a subcommand before it is run. */
#pragma once

#include <stddef.h>

struct option; /* getopt's */

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: not for people, and the rest is not there */
    const char *help;    /* what --help prints: each option in a line "  --name METAVAR  meaning" */
    const char *more_help; /* of the command whose options it shares; NULL: there is none */

    /* The table that its command line is read with; or what makes that, valid until the next call. WHICH: its own
     * name, or that of a subcommand. */
    const struct option *options;
    const struct option *(*options_of)(const char *which);

    const char *(*sub)(
        size_t i); /* the names of its own subcommands, NULL after the last; NULL: it has none */
};
