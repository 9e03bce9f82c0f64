/* queue - where jobs come from and where their results go back to.
 *
 * A queue hands out a job when one is ready and takes the job's events in. The listener (or the
 * command `run`) owns the loop and the workers; a queue never runs anything itself.
 *
 * The caller's round: call next() while slots are free and it gives 1; feed what a worker says to its
 * reports and to event(); when the worker is gone call ended(), then next() again; stop at done(). */
#pragma once

#include "io/loop.h"
#include "job/event.h"
#include "job/job.h"

enum queue_result { QUEUE_SUCCESS, QUEUE_FAILURE, QUEUE_CANCELLED, QUEUE_SKIPPED, QUEUE_RESULTS };

/* "success", "failure", "cancelled", "skipped". */
const char *queue_result_name(enum queue_result r);

struct queue;

/* What a queue asks of its caller, at any time between the first next() and free(). */
struct queue_client {
    /* An event of the queue's own (run.started, job.queued, job.finished of a job that never ran,
     * run.finished, note), for the reports; the log is always empty. */
    event_fn *event;
    /* Cancel the running job KEY for the reason WHY; its worker still ends in its own time. */
    void (*stop)(void *ctx, const char *key, const char *why);
    /* A job may be ready: call next(). NULL: not wanted. */
    void (*ready)(void *ctx);
    void *ctx;
    struct loop
        *loop; /* the caller's, for what a queue waits for; NULL: it waits for its jobs alone */
};

struct queue_ops {
    /* The next job to run now: 1 and *RET (the caller's, job_deinit + free), 0 when none is ready yet,
     * or an error. */
    int (*next)(struct queue *q, struct job **ret, struct err *err);
    /* Job KEY said EVENT (and LOG, when it is a log event). */
    int (*event)(struct queue *q, const char *key, json_t *event, struct slice log,
                 struct err *err);
    /* The worker of job KEY is gone: WHY is NULL after a proper job.finished, else what happened. */
    int (*ended)(struct queue *q, const char *key, const char *why, struct err *err);
    /* The run is cancelled: stops what runs, ends what is queued. Jobs whose condition still holds
     * (always(), cancelled()) go on and are handed out, unless HARD: then nothing more is. May be
     * called again, to go from soft to hard. */
    void (*cancel)(struct queue *q, bool hard);
    /* True once nothing is queued, running or to be reported. */
    bool (*done)(const struct queue *q);
    /* The client's loop goes: nothing is waited for any more. NULL: it never uses one. */
    void (*detach)(struct queue *q);
    void (*free)(struct queue *q);
};

struct queue {
    const struct queue_ops *ops;
    struct queue_client client; /* the caller sets it before the first next() */
};
