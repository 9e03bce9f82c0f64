/* plugin_cmds - what the subcommands of "ostler plugin" share: their options, and the plugin that is meant. */
#pragma once

#include "base/buf.h"
#include "cli/config.h"
#include "cli/plugin/run.h"
#include "plugin/trust.h"

struct plugin_options { /* texts are of argv or of the configuration; NULL: not said */
    const char *target; /* ID, FILE, or OWNER/NAME of a new one */
    const char *format, *to, *lang, *dir, *against, *key;
    const char *config_file, *policy_file;
    struct config config;
    const struct trust_policy *policy; /* NULL: none */
    const char **serves;               /* commits, up to a NULL */
    bool json, help, no_check, all;
    struct plugin_run_options run;
};

/* Each returns the exit code of the command. */
int plugin_cmd_list(struct arena *a, struct plugin_options *o);
int plugin_cmd_info(struct arena *a, struct plugin_options *o);
int plugin_cmd_new(struct arena *a, struct plugin_options *o);
int plugin_cmd_check(struct arena *a, struct plugin_options *o);
int plugin_cmd_install(struct arena *a, struct plugin_options *o);
int plugin_cmd_remove(struct arena *a, struct plugin_options *o);
int plugin_cmd_sign(struct arena *a, struct plugin_options *o);

/* What is found wrong with o->target is told to stderr: EXIT_OK, or the exit code of an install that is not made. */
int plugin_check_before_install(const struct plugin_options *o);

/* Says ERR; returns EXIT_USAGE. */
int plugin_fail(const struct err *err);

struct plugin_found {
    struct plugin *plugin;
    int object; /* sealed; -1: not opened yet */
};

#define PLUGIN_FOUND_INIT                                                                          \
    {                                                                                              \
        .object = -1                                                                               \
    }
void plugin_found_deinit(struct plugin_found *f); /* frees the plugin, closes the object */

/* The plugin that o->target is: an installed one by its id, or a file, which is looked at and described. */
MUST_CHECK int plugin_target(struct arena *a, const struct plugin_options *o,
                             struct plugin_found *ret, struct err *err);

/* "allowed" and ERR_OK, or why POLICY or the files do not let P run: looked at as a run would. */
void plugin_verdict(const struct plugin *p, const struct trust_policy *policy, struct err *ret);

/* "network,workspace-write"; "-": nothing. */
void plugin_needs_text(const struct plugin *p, struct buf *to);
