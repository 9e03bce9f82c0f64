/* queue - where jobs come from and where their results go back to.
 *
 * A queue hands out a job when one is ready and takes the job's events in. The listener (or the
 * command `run`) owns the loop and the workers; a queue never runs anything itself.
 *
 * The caller's round: call next() while slots are free and it gives 1; feed what a worker says to its
 * reports and to event(); when the worker is gone call ended(), then next() again; stop at done().
 *
 * A queue that talks to a server does so on the client's loop, from the first want() on, for as long as it is
 * left: what goes wrong there it tries again by itself, and health() tells. A job of its that was handed out
 * is the caller's to run and the queue's to report, until ended(). */
#pragma once

#include "io/loop.h"
#include "job/event.h"
#include "job/job.h"

enum queue_result { QUEUE_SUCCESS, QUEUE_FAILURE, QUEUE_CANCELLED, QUEUE_SKIPPED, QUEUE_RESULTS };

/* "success", "failure", "cancelled", "skipped". */
const char *queue_result_name(enum queue_result r);

struct queue;
struct queue_health;

/* What a queue asks of its caller, at any time between the first next() and free(). */
struct queue_client { /* the functions may be called out of any other call */
    /* An event of the queue's own (run.started, job.queued, job.finished of a job that never ran,
     * run.finished, note; job.assigned of a scale set), for the reports; the log is always empty. */
    event_fn *event;
    /* Cancel the running job KEY for the reason WHY; its worker still ends in its own time. */
    void (*stop)(void *ctx, const char *key, const char *why);
    /* The job KEY was stopped, and its server waits for its end no longer: its worker is to be killed. NULL: it has
     * all the time it wants. */
    void (*kill)(void *ctx, const char *key, const char *why);
    /* A job may be ready: call next(). NULL: not wanted. */
    void (*ready)(void *ctx);
    /* The queue owes its server something, known as KEY, while no job of it may be running: what lease() would give is to
     * be kept for recover(); LEASE NULL: no more. NULL: not wanted. */
    void (*owe)(void *ctx, const char *key, const json_t *lease);
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

    /* ---- of queues that talk to a server, all of them; NULL in others ---- */

    /* So many jobs could be started now: 0 while every slot is taken, the disk is full, or we are on our way out.
     * No more than that are asked for. The first call connects. */
    void (*want)(struct queue *q, int n);
    /* No job is asked for any more; what the server has given already is still handed out, for it gives it to nobody else,
     * and what runs is reported to its end. Then we take our leave of the server, 30 s at most,
     * and done() is true. */
    void (*close)(struct queue *q);
    void (*health)(const struct queue *q, struct queue_health *ret);
    /* What another process would need to tell the server that job KEY, which runs, is lost: a new reference, which
     * may hold secrets. NULL: there is nothing to tell. */
    json_t *(*lease)(const struct queue *q, const char *key);
    /* A process that had LEASE is gone, and the job with it: tells the server, as far as that still can be told. */
    void (*recover)(struct queue *q, const json_t *lease);
};

/* How a queue gets on with its server. */
struct queue_health {
    bool connected;     /* the last exchange went well */
    int64_t contact_ms; /* clock_ms() of the last answer; 0: there was none yet */
    const char
        *trouble; /* what is wrong, with the cure; NULL: nothing; valid until the loop turns */
    bool
        ending; /* it takes no more jobs, and ends once it has taken its leave: TROUBLE says why, if anything is wrong */
    bool ended; /* for good: it has nothing to do any more, or TROUBLE says why it cannot go on */
    int exit_code; /* when it has ended: what the listener is to exit with, as the official runner does */
    uint64_t requests, failures;
    const struct queue_scale *scale; /* NULL: it is no scale set; valid as TROUBLE is */
};

/* A queue that makes its runners as they are needed: how many, and how its server counts. */
struct queue_scale {
    int least, most, desired;       /* runners */
    int64_t assigned, running;      /* jobs */
    int64_t registered, busy, idle; /* runners */
};

struct queue {
    const struct queue_ops *ops;
    struct queue_client client; /* the caller sets it before the first next() */
};
