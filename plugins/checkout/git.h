/* git - the git of the job, run as actions/checkout runs it: without prompts, each command in the log, what
 * asks a server up to three times. */
#pragma once

#include "../lib/text.h"

#ifndef CHECKOUT_RETRY_MS
#define CHECKOUT_RETRY_MS                                                                          \
    10000 /* the shortest wait before another try; the longest is twice that */
#endif

enum { GIT_TRIES = 3 };

struct git {
    struct ost_step *step;
    const char *program;         /* its path */
    const char *dir;             /* where it works */
    const char *home;            /* HOME for it; NULL: the job's */
    const char *ssh;             /* GIT_SSH_COMMAND; NULL: the job's */
    const char *agent;           /* how it calls itself to a server; NULL: as usual */
    const char *setting, *value; /* of its configuration, one more; NULL: none */
    bool token;                  /* it has one to show to a server */
    bool lfs;                    /* large files are fetched; else their pointers stay */
    uint32_t major, minor;
};

#define GIT_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct git_answer {
    int32_t code;    /* its exit code, -1: a signal ended it */
    struct span out; /* its output without the last newline; may hold anything */
};

/* Finds the job's git. OST_E_NOT_FOUND, nothing recorded: there is none, or none as new as 2.18. */
ost_status git_find(struct ost_step *step, const char *dir, struct git *ret);
bool git_is(const struct git *g, uint32_t major, uint32_t minor); /* that version or a later one */

/* Runs "git ARGS" (without "git"). Another exit code than 0 fails the step. */
ost_status git_run(const struct git *g, const char *const *args);

/* Runs it and takes any exit code. Below 0 only when it could not be run at all; nothing is recorded. QUIET:
 * neither the command nor what it prints is to be seen. */
ost_status git_ask(const struct git *g, bool quiet, const char *const *args,
                   struct git_answer *ret);

/* True if it ran and exited with 0. */
bool git_try(const struct git *g, bool quiet, const char *const *args);

/* For what asks a server: three tries, ten to twenty seconds apart, but for a server that refuses us. The last
 * failure is the step's; OST_E_NOT_FOUND when git had nothing to say of it, as with refs that are not there. RET,
 * which may be NULL, gets what it printed. */
ost_status git_run_again(const struct git *g, const char *const *args, struct git_answer *ret);

/* A program of the job with git's environment. EXEC's argv, input and flags are taken. */
ost_status git_exec(const struct git *g, struct ost_exec exec, struct ost_exec_result *ret);
