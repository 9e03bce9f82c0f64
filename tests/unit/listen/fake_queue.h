/* fake_queue - a queue whose server is the test: jobs wait in a backlog, are taken when they are wanted, and what the
 * listener does with them is written down. */
#pragma once

#include "base/vec.h"
#include "queue/queue.h"

struct fake_queue {
    struct queue base;
    const char *name; /* keys are "NAME/1", "NAME/2", ... */
    const char *kind; /* id of its jobs: what the worker does, see test_listener.c */
    int backlog;      /* jobs that wait at the server */
    int wanted;       /* what want() said last; -1: it was never called */
    int wants;        /* how often it was called */
    int most_held;    /* jobs that were taken and had to wait for a slot */
    int ready, made, ended,
        lost; /* taken and not handed out; handed out; over; without job.finished */
    int closed, cancelled, stops;
    bool slow;   /* its server never hears of a job's end */
    bool ending; /* it takes its leave */
    bool gone;   /* it ends with EXIT_CODE */
    int exit_code;
    const char *trouble;
    char why[300], recovered[300]; /* of the last job that was lost; leases */
    void (*on_end)(struct fake_queue *q, const char *key, const char *why);
};

void fake_queue_init(struct fake_queue *q, const char *name, const char *kind, int backlog);
