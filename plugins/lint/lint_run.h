/* lint_run - runs commands through the host, several at a time. */
#pragma once

#include "lint_check.h"

enum {
    THREADS_MAX = 8, /* commands at one time, however many processors there are */
};

/* Runs every check that has a command, as many at a time as there are processors, and fills in what came
 * of it. WORKSPACE is absolute. OST_E_CANCELLED when the job was cancelled meanwhile; how each command
 * ended is in the check. */
ost_status run_checks(struct ost_step *step, struct checks *checks, const char *workspace);

/* Runs one command in the folder CWD and appends what it prints to OUT and ERR. *RET_CODE is its exit
 * code, -1 when a signal ended it. */
ost_status run_quietly(struct ost_step *step, const char *const *argv, const char *cwd,
                       struct output *out, struct output *err, int32_t *ret_code);
