/* plugin_run - "ostler plugin run": a plugin alone, in a throw-away workspace. */
#pragma once

#include "base/strmap.h"
#include "plugin/plugin.h"

struct plugin_run_options {
    struct strmap with; /* names ignore case */
    struct strmap env;  /* on top of the job's environment */
    bool phases[4];     /* by OST_PHASE_...; which to run, in the order pre, main, post */
    const char
        *workspace;     /* a folder to show as the workspace, which stays as it is; NULL: empty */
    int64_t timeout_ms; /* for all phases; 0: none */
    const char *record; /* a folder to write transcripts to; NULL: none */
    bool debug;
    const json_t *hosts; /* as in struct plugin_spec */
};

/* Runs P, whose sealed OBJECT is borrowed. The log goes to stderr; outputs, and the plan's lines, to
 * stdout. Returns the exit code of the command. */
int plugin_run_alone(const struct plugin *p, int object, const struct plugin_run_options *options);
