/* task - a task as Gitea and Forgejo send it, taken in as a job (gitea-protocol.md 3).
 *
 * A task is a workflow of one job, with the contexts that its expressions see. Whatever is wrong with one, the server
 * holds it for ours: so it is read to the end of what can be read, and what cannot be run is refused with a reason that
 * goes into its log. */
#pragma once

#include "job/job.h"
#include "lang/template.h"
#include "lang/workflow/workflow.h"
#include "queue/gitea/settings.h"

enum {
    TASK_PAYLOAD_MAX = 6 << 20, /* bytes of YAML */
    TASK_STEPS_MAX = 10000,
};

enum task_fate {
    TASK_RUN,
    TASK_SKIP,   /* its `if` is false */
    TASK_REFUSE, /* it is nothing that can be run here */
    TASK_CALL,   /* it calls a workflow, and this server leaves that to us: see called.h */
};

/* A job that calls a workflow, and what its expressions see. */
struct task_call {
    struct workflow workflow; /* its one job's `if` has been judged */
    json_t *github, *needs;
    struct strmap vars, inputs;
};

struct task_spec { /* all borrowed */
    const struct gitea_settings *settings;
    const char *registration; /* keys begin with it: "home/99" */
    const char *version;      /* Ostler's */
    const char *capabilities; /* as the server stated them; NULL: none */
};

struct task {
    struct arena arena;
    int64_t id;
    const char *key; /* "REGISTRATION/ID" */
    enum task_fate fate;
    struct slice reason; /* TASK_SKIP, TASK_REFUSE: one line */
    size_t n_steps;      /* as the server counts them; 0: not known */
    struct job
        *job; /* TASK_RUN: owned, until it is handed on. TASK_CALL: what all jobs inside share */
    struct task_call *call; /* TASK_CALL: owned; else NULL */
    bool forgejo;           /* that is what the server is */
    const char
        *summary; /* where step N's summary goes: this, N and "/summary"; NULL: nowhere that way */
    const char *runtime_token; /* what goes with it; wiped by task_deinit() */
};

/* Fills RET, which the caller deinits. ERR_INVALID: it has no id, so that nothing can be said about it either. */
MUST_CHECK int task_read(const json_t *json, const struct task_spec *spec, struct task *ret,
                         struct err *err);
void task_deinit(struct task *t);
struct task_call *task_call_free(struct task_call *c); /* returns NULL; NULL does nothing */

/* Makes J, a job of a called workflow, one of the task whose job is LIKE; its environment, its time and its way to the
 * server's services are that one's. */
void task_adopt(const struct gitea_settings *s, const struct job *like, struct job *j);

/* The container that the label in RUNS_ON stands for, unless J names its own. ERR_INVALID: it cannot be evaluated. */
MUST_CHECK int task_place(const struct gitea_settings *s, const struct template_eval *t,
                          const struct token *runs_on, struct job *j, struct err *err);

/* Nobody is going to run its job any more. */
void task_drop_job(struct task *t);
