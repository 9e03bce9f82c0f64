/* run_options - the command line of "ostler run" and of "ostler plan", checked and complete. */
#pragma once

#include "base/strmap.h"
#include "base/vec.h"
#include "cli/config.h"
#include "queue/local/local.h"

#include <getopt.h>

struct run_options {
    struct arena arena;
    VEC(const char *) files; /* workflows as given */
    const char *event_name;  /* "push" unless given */
    json_t *event_file;      /* the payload laid over ours; NULL: none */
    const char *ref, *base, *actor;
    const char *before;        /* --before: where a push starts */
    const char *activity;      /* --type */
    VEC(struct slice) changed; /* --changed, --changed-file: paths in the order of bytes */
    bool knows_changed;        /* one of them was given */
    bool has_at;               /* --at, in seconds since 1970 */
    int64_t at;
    bool no_filter;
    VEC(const char *) jobs; /* NULL-terminated once parsed */
    VEC(struct local_pair) matrix;
    VEC(const char *) keep_env; /* names taken over from our environment, NULL-terminated */
    const char *action_source;  /* --action-source, as git takes it; NULL: not said */
    struct strmap inputs, secrets, vars, env, variables, repositories;
    struct strmap plugins; /* --plugins: plugin_preference() */
    struct config config;  /* what else files said: where plugins lie, and their policies */
    int slots;
    const char *node; /* --node, an absolute path */
    const char *isolation;
    struct job_limits limits;       /* --limit */
    int64_t cache_size, store_size; /* --cache-size, --store-size, bytes; 0: not said */
    bool isolation_required, ignored, keep, offline, pull, json, verbose, help;

    bool plan;         /* show what would run */
    const char *graph; /* --graph of a plan: "mermaid", "dot", "ascii"; NULL: none */
    int next;          /* --next of a plan: firings of schedules; 0: not asked */
};

void run_options_init(struct run_options *o);
void run_options_deinit(struct run_options *o); /* wipes the secrets */

extern const struct option run_options_table[]; /* as getopt_long() has them */

/* Reads the command line; argv[0] names the command. Warnings go to stderr. ERR_INVALID names the option and the cure. */
MUST_CHECK int run_options_parse(struct run_options *o, int argc, char **argv, struct err *err);

/* ---- for other subcommands that have some of its options ---- */

/* Takes the option NAME ("limit"), as if the command line said so; VALUE is NULL for a flag. */
MUST_CHECK int run_options_set(struct run_options *o, const char *name, const char *value,
                               struct err *err);

/* The configuration that a command line names, last of all: the value of the option WANTED of those in KNOWN, as
 * getopt_long() has them; NULL: none. Mistakes are found when the command line is read in earnest. */
const char *run_options_named(int argc, char **argv, const char *shorts, const struct option *known,
                              int wanted);

/* Takes what configurations say of those options that WANTED (NULL: all) wants: the file NAMED, or else the usual ones. */
MUST_CHECK int run_options_configure(struct run_options *o, const char *named,
                                     bool (*wanted)(const char *name), struct err *err);
