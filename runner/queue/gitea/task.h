/* task - a task as Gitea and Forgejo send it, taken in as a job (gitea-protocol.md 3).
 *
 * A task is a workflow of one job, with the contexts that its expressions see. Whatever is wrong with one, the server
 * holds it for ours: so it is read to the end of what can be read, and what cannot be run is refused with a reason that
 * goes into its log. */
#pragma once

#include "job/job.h"
#include "queue/gitea/settings.h"

enum {
    TASK_PAYLOAD_MAX = 6 << 20, /* bytes of YAML */
    TASK_STEPS_MAX = 10000,
};

enum task_fate {
    TASK_RUN,
    TASK_SKIP,   /* its `if` is false */
    TASK_REFUSE, /* it is nothing that can be run here */
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
    struct job *job;     /* TASK_RUN: owned, until it is handed on */
    bool forgejo;        /* that is what the server is */
    const char
        *summary; /* where step N's summary goes: this, N and "/summary"; NULL: nowhere that way */
    const char *runtime_token; /* what goes with it; wiped by task_deinit() */
};

/* Fills RET, which the caller deinits. ERR_INVALID: it has no id, so that nothing can be said about it either. */
MUST_CHECK int task_read(const json_t *json, const struct task_spec *spec, struct task *ret,
                         struct err *err);
void task_deinit(struct task *t);
/* Nobody is going to run its job any more. */
void task_drop_job(struct task *t);
