/* queue - where jobs come from and where their results go back to.
 *
 * A queue hands out a job when one is ready and takes the job's events in. The listener (or the
 * command `run`) owns the loop and the workers; a queue never runs anything itself. */
#pragma once

#include "io/loop.h"
#include "job/job.h"

enum queue_result { QUEUE_SUCCESS, QUEUE_FAILURE, QUEUE_CANCELLED, QUEUE_SKIPPED, QUEUE_RESULTS };

struct queue;

struct queue_ops {
    /* The next job to run now: 1 and *RET (the caller's, job_deinit + free), 0 when none is ready yet,
     * or an error. */
    int (*next)(struct queue *q, struct job **ret, struct err *err);
    /* Job KEY said EVENT (and LOG, when it is a log event). */
    int (*event)(struct queue *q, const char *key, json_t *event, struct slice log,
                 struct err *err);
    /* The worker of job KEY is gone: WHY is NULL after a proper job.finished, else what happened. */
    int (*ended)(struct queue *q, const char *key, const char *why, struct err *err);
    /* Nothing more will be handed out; what is queued counts as cancelled. */
    void (*cancel)(struct queue *q);
    /* True once nothing is queued, running or to be reported. */
    bool (*done)(const struct queue *q);
    void (*free)(struct queue *q);
};

struct queue {
    const struct queue_ops *ops;
};
