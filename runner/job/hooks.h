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

/* ---- for container/box_hook.h, too ---- */

/* What runs the script PATH, by its suffix; tells it in the step's log. WHAT and VARIABLE name it in errors. The result
 * is in the step's arena. */
MUST_CHECK int hook_program(struct step_run *s, const char *path, const char *what,
                            const char *variable, const char *const **ret_argv, struct err *err);

/* Runs a step that no workflow wrote: an instance like LIKE, named NAME. The loop turns meanwhile; an error is the
 * loop's. */
MUST_CHECK int hook_step(struct run *run, const struct instance *like, const char *name,
                         enum stage stage, struct err *err);
