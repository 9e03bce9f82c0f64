/* run - a command of the job whose output is for the plugin, not for the log. */
#pragma once

#include "../lib/text.h"

struct run {
    const char *what; /* "dump 'shop'": for "cannot dump 'shop': ..." */
    const char *const *argv, *const *env;
    struct span input;
    ost_status (*out)(void *ctx, struct span bytes); /* what it prints; NULL: into TEXT */
    void *ctx;
    int32_t also_good; /* an exit code that is no failure, either */
    bool silent;       /* record nothing: there is a failure already that counts for more */

    /* afterwards */
    struct sink text;
    int32_t exit_code;
    char err[2048]; /* the end of what it said there */
    size_t err_size;
    ost_status out_status; /* what OUT returned, if that was the end */
    struct ost_step *step;
};

/* A failure has been recorded: OUT's own by itself, else with the command's words. OST_E_NOT_FOUND: there is no such
 * program, or it exited with 66, as our scripts do for a file. */
ost_status run_command(struct ost_step *step, struct run *r);
