/* pool - workers: one process a job, started, listened to, stopped, and cleared up behind when it was killed.
 *
 * Whoever takes jobs out of a queue runs them here. Worker and pool know nothing of the queue. */
#pragma once

#include "io/loop.h"
#include "job/event.h"
#include "job/job.h"
#include "serve/services.h"

struct pool;

struct pool_spec { /* all is borrowed until pool_free() */
    struct loop *loop;
    const char *program;    /* with the subcommand "worker"; NULL: this one */
    const char *const *env; /* of the workers, and so of the jobs */
    const char *minute_ms;  /* see struct worker_spec, as text; NULL: a real minute */

    /* The worker of job KEY said EVENT (and LOG). After an error nothing that it says is read, and it is killed. */
    int (*event)(void *ctx, const char *key, json_t *event, struct slice log, struct err *err);
    /* The worker of job KEY is gone and all that it said was handed on: WHY is NULL after a proper job.finished,
     * else what happened; then what it left behind has been removed, which may have taken a while. Others may be
     * started at once. */
    void (*ended)(void *ctx, const char *key, const char *why);
    /* What could not be cleared up, for people. */
    void (*trouble)(void *ctx, const char *text);
    void *ctx;
};

/* This process becomes the reaper of what its workers leave behind. */
MUST_CHECK int pool_new(const struct pool_spec *spec, struct pool **ret, struct err *err);
struct pool *pool_free(struct pool *p); /* kills what runs, without a word; returns NULL */

/* Starts a worker for JOB, which is read here and now, with the environment ENV (NULL: the pool's). SERVICES (borrowed until ended(); NULL: none) gets connections
 * out of the job's containers. The worker holds a copy of HOLD (-1: nothing) open for as long as it lives. */
MUST_CHECK int pool_start(struct pool *p, const struct job *job, const char *const *env,
                          struct services *services, int hold, struct err *err);

/* How many run. */
size_t pool_len(const struct pool *p);

/* How a worker is asked to end: see worker.h. */
enum pool_stop {
    POOL_CANCEL,   /* the job is cancelled */
    POOL_SHUTDOWN, /* it ends because this machine does */
    POOL_KILL,     /* at once */
};
void pool_stop(struct pool *p, const char *key,
               enum pool_stop how); /* no such job: nothing happens */
void pool_stop_all(struct pool *p, enum pool_stop how);

/* Ends what clears up behind killed workers, however far it is. ended() is not called for them: their jobs' folders are
 * still there, and somebody else's (journal.h). */
void pool_give_up_clearing(struct pool *p);
