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
