/* register_options - what "register" and "unregister" are told: by the command line, by ACTIONS_RUNNER_INPUT_..., by whoever
 * sits at the terminal, in this order. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct option; /* getopt's */

struct register_options { /* NULL: not said */
    const char *url, *name, *labels, *group, *work, *type, *capacity, *import, *dir, *version,
        *uuid;
    char *token, *pat; /* its own; wiped with the options */
    bool no_default_labels, replace, ephemeral, disable_update, unattended, shared_secret, local,
        help;
    struct arena arena;
};

/* The options of COMMAND, "register" or "unregister", as getopt_long() has them; valid until the next call. */
const struct option *register_options_table(const char *command);

/* Takes secrets out of ARGV and of the environment as it reads them: others can look at both. COMMAND: "register" or
 * "unregister", whose options those are. */
MUST_CHECK int register_options_parse(int argc, char **argv, const char *command,
                                      struct register_options *ret, struct err *err);
void register_options_deinit(struct register_options *o);
