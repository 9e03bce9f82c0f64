/* task_reading - what the modules share that take in a task. Private to gitea/task*.c: task.c makes the job; task_contexts.c
 * is what its expressions see; task_services.c is how it reaches its server, and with which secrets. */
#pragma once

#include "queue/gitea/task.h"

struct task_reading {
    struct task *task;
    const struct task_spec *spec;
    const json_t *json, *context;
    struct workflow *workflow;
    const struct workflow_job *def;
    json_t *github, *needs, *vars, *inputs, *strategy, *matrix; /* owned */
    const char *source; /* where actions are from: "https://github.com"; NULL: not said */
};

/* A text of OBJECT; ptr NULL: there is none. */
struct slice task_text(const json_t *object, const char *key);
/* The first of KEYS (NULL-terminated) that is a text in OBJECT and not empty; else "". */
struct slice task_first(const json_t *object, const char *const *keys);

/* ---- task_contexts.c ---- */

/* The github context: the server's, but for what is secret in it and what only this machine knows. */
void task_read_github(struct task_reading *r);
void task_read_needs(struct task_reading *r);
/* What the event was started with, as the workflow, which has been read, declares it. */
void task_read_inputs(struct task_reading *r);

/* For struct expr_scope; CTX: the reading. */
const json_t *task_context_of(void *ctx, struct slice name);
bool task_status_of(void *ctx, struct slice name, const struct slice *args, size_t n_args);

/* All of them for the job; the caller's. */
json_t *task_contexts(const struct task_reading *r);

/* ---- task_services.c ---- */

void task_take_secrets(struct task_reading *r, struct job *j);
/* How the job's actions reach the server's artifacts, and whoever proves who it is (5.1). */
void task_take_services(struct task_reading *r, struct job *j);
/* Only servers that said "job-summary" take them (5.4). After the services. */
void task_find_summary(struct task_reading *r);
/* Who the server is, for scripts that run on more than one (5.1). */
void task_tell_server(struct task_reading *r, struct job *j);
