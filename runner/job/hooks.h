/* hooks - scripts of this machine's administrator around each job (runtime contract 11.1).
 *
 * ACTIONS_RUNNER_HOOK_JOB_STARTED is the job's first step, "Set up runner", before its containers;
 * ACTIONS_RUNNER_HOOK_JOB_COMPLETED its last, "Complete runner", after them, whatever happened. Both run in the job's
 * place, not in its container, without the workflow's environment; what the first sets through command files, the
 * steps have. One that fails fails the job. A cancel does not stop them. */
#pragma once

#include "job/run.h"

enum hook_kind { HOOK_STARTED, HOOK_COMPLETED, HOOK_KINDS };

/* The script as it was named; NULL: there is none. */
const char *hook_path(enum hook_kind which);

/* Runs it as a step of its own; nothing where there is none. The loop turns meanwhile; an error is the loop's. */
MUST_CHECK int hook_run(struct run *run, enum hook_kind which, struct err *err);
