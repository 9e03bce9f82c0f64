/* workers - runs what a queue hands out: one worker process a job, at most N at a time.
 *
 * Owns the loop of a local run: the workers' event pipes, the signals, the reports' clock. */
#pragma once

#include "queue/queue.h"
#include "report/report.h"
#include "serve/services.h"

struct workers_spec {
    struct queue *queue;       /* its client is set here */
    struct services *services; /* for the jobs' actions; attached to the loop here */
    struct report *report;     /* sees all events, the queue's own too */
    int slots;                 /* workers at a time, 1 or more */
    const char *const *env;    /* of the workers, and so of the jobs */
    const char *minute_ms;     /* see struct worker_spec, as text; NULL: a real minute */
};

/* Runs until the queue is done. SIGINT and SIGTERM cancel it: once, jobs stop in order and steps that
 * ask for it still run; twice, all is killed. *RET_CANCELLED tells if that happened. Errors are ours: a
 * failing job is none. */
MUST_CHECK int workers_run(const struct workers_spec *spec, bool *ret_cancelled, struct err *err);
