/* box_hook - a script of this machine's administrator that makes and uses containers instead of us (runtime contract
 * 10.6): ACTIONS_RUNNER_CONTAINER_HOOKS. It may do so in Kubernetes, say.
 *
 * prepare_job and cleanup_job are the steps "Initialize containers" and "Stop containers" of jobs with containers;
 * run_script_step takes the place of each `run:` step and each stage of a JavaScript action in the job's container,
 * run_container_step that of each stage of a Docker action, in any job. Orders are a line of JSON on its stdin; its
 * answer is a file. It runs in the job's place, as the job's hooks do (hooks.h). */
#pragma once

#include "job/run.h"

extern const struct handler handler_box; /* those two steps */

/* The script; NULL: there is none. */
const char *box_hook_path(void);

/* "Initialize containers", and "Stop containers" if that was begun. An error is the loop's. */
MUST_CHECK int box_hook_prepare(struct run *run, struct err *err);
MUST_CHECK int box_hook_clean_up(struct run *run, struct err *err);

/* ---- one call ---- */

struct box_hook;

/* CODE is the script's exit code. WHY is the error of an answer that cannot be used, else ERR_OK. */
typedef void box_hook_fn(void *ctx, int code, const struct err *why);

/* Calls it for the step S with TAKE_ARGS; FN is called once from the loop, unless box_hook_free() comes first. */
MUST_CHECK int box_hook_start(struct step_run *s, const char *command, json_t *take_args,
                              box_hook_fn *fn, void *ctx, struct box_hook **ret, struct err *err);
void box_hook_stop(struct box_hook *h, bool now);
struct box_hook *box_hook_free(struct box_hook *h); /* returns NULL; NULL does nothing */

/* run_script_step for the step S: the program ARGV, NULL-terminated, in the folder CWD, both as the container has
 * them. INPUTS as for contexts_added(). The step ends with it. */
MUST_CHECK int box_hook_script(struct step_run *s, const char *const *argv, const char *cwd,
                               bool inputs, struct box_hook **ret, struct err *err);
