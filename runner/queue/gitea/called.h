/* called - a task whose job calls a workflow (`jobs.ID.uses`), on servers that leave that to the runner: Gitea up to 1.26,
 * Forgejo up to 13 (gitea-protocol.md 3.1).
 *
 * The called files come from git, as actions do: short names from the job's own server, with its token, and "./..." from
 * the commit that the run is of. Then it is a run of its own, planned as a local one (queue/local); its jobs are handed out
 * one after the other, since the task has one slot and one log. */
#pragma once

#include "io/loop.h"
#include "queue/gitea/task.h"
#include "queue/queue.h"
#include "store/store.h"

struct called;

struct called_spec { /* all borrowed as long as it lives */
    const struct gitea_settings *settings;
    const struct store_spec
        *store; /* where repositories are kept and how git is started; NULL: none can be had */
    struct loop *loop;
    /* From the loop, or out of any call below: */
    void (*ready)(void *ctx);                 /* called_next() may have a job */
    void (*say)(void *ctx, const char *text); /* a row of the log */
    void (*stop)(void *ctx, const char *why); /* the job that runs is to end */
    /* All is over; last of all, and only from the loop. OUTPUTS are the job's. */
    void (*over)(void *ctx, enum queue_result result, const json_t *outputs);
    void *ctx;
};

/* Takes over TASK's job and call. */
struct called *called_new(const struct called_spec *spec, struct task *task);
/* Stops what is on its way. Returns NULL; NULL does nothing. */
struct called *called_free(struct called *c);

/* The next job to run, the caller's, with the key KEY; NULL: none yet, or one runs. */
struct job *called_next(struct called *c, const char *key);

/* What the worker of the job that runs said. False: it is nothing for the task's own log. */
bool called_event(struct called *c, json_t *event, struct slice log);

/* The worker is gone; WHY as in queue.h. */
void called_ended(struct called *c, const char *why);

/* Nothing more begins but what always() holds for; with HARD, nothing. */
void called_cancel(struct called *c, bool hard);
