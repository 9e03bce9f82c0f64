/* contexts - what expressions see at one point of a job, and the environment that a process gets. */
#pragma once

#include "job/run.h"

/* Evaluates in the place of S (NULL: the job itself, before or after its steps). The scope borrows from
 * RUN and S and is valid until either changes. */
struct eval {
    struct run *run;
    struct frame *frame;
    struct step_run *step; /* NULL: job level */
    struct expr_scope scope;
    struct template_eval template;
    json_t *own_github, *own_env, *job_ctx; /* made on demand, owned */
};

/* The job is from a Gitea or Forgejo server: its workflow and its actions may be written as these have it. */
bool run_is_forge(const struct run *run);

/* The results of evaluations live in ARENA; end with eval_deinit(), after the values are used. */
void eval_init(struct eval *e, struct run *run, struct frame *frame, struct step_run *step,
               struct arena *arena);
void eval_deinit(struct eval *e);

/* Forgets what was cached of the step's contexts, after its env or files changed. */
void contexts_drop(struct step_run *s);

/* What the runner adds to the environment that a process of S has anyway, PATH apart: the contract's 2.6, 2 to 10;
 * without what the workflow sets for an administrator's hook (11.1).
 * INPUTS as below. Added to RET. */
void contexts_added(struct step_run *s, bool inputs, struct strmap *ret);

/* The whole environment of a process of S on this machine, in the order of the runtime contract 2.6. Added to RET.
 * INPUTS: with INPUT_* and the way to the run's services, as actions get them and scripts do not. */
void contexts_environ(struct step_run *s, bool inputs, struct strmap *ret);

/* "NAME=value" strings, NULL-terminated, in the arena. */
const char *const *contexts_envp(struct arena *a, const struct strmap *env);

/* The PATH that commands are looked up in: the prepends, then the worker's own. In the arena. */
const char *contexts_path(const struct step_run *s, struct arena *a);
