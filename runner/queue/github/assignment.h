/* assignment - one job of GitHub's, from its message to its completion: the lease that is renewed all along, the worker's
 * events on their way to the report, and the end that the server is told (github-protocol.md 4, 9.1, 9.2).
 *
 *   leasing -> ready -> running -> reporting -> completing -> over
 *
 * A lease that the server has taken away ends it wherever it is: the worker is stopped, and nothing more is told. */
#pragma once

#include "queue/github/lease.h"
#include "queue/github/report/report.h"

enum assignment_state {
    ASSIGNMENT_LEASING,
    ASSIGNMENT_READY, /* to be handed out */
    ASSIGNMENT_RUNNING,
    ASSIGNMENT_REPORTING,  /* the worker is gone, its last lines are on their way */
    ASSIGNMENT_COMPLETING, /* the server is told the end */
    ASSIGNMENT_STATES
};

enum assignment_cause {
    ASSIGNMENT_BY_SERVICE,  /* somebody cancelled the run: the job ends as "canceled" */
    ASSIGNMENT_BY_SHUTDOWN, /* this listener ends: it ends as "failed" */
};

struct assignment;

struct
    assignment_client { /* called from the loop, or out of any function below but assignment_new() */
    void (*ready)(void *ctx);                 /* assignment_next() has it */
    void (*stop)(void *ctx, const char *why); /* the worker is to end */
    void (*kill)(void *ctx, const char *why); /* it did not in time; NULL: it has all it wants */
    /* The server calls this runner NAME, which it was not called before. NULL: not wanted. */
    void (*renamed)(void *ctx, const char *name);
    void (*warn)(void *ctx, const char *text); /* something that people should know of it */
    void (*completing)(void *ctx);             /* the server is told the end now */
    void (*over)(void *ctx); /* from the loop only; the assignment may be freed in it */
    void *ctx;
};

struct assignment_spec { /* borrowed until assignment_free() but for PLACE and the spool */
    struct caller *caller;
    const struct github_settings *settings;
    struct github_origin place;
    const char *billing_owner; /* of the message that led to it, copied; "": none */
    int spool;                 /* see github_report_spec */
    struct assignment_client client;
};

/* TEXT is the job message. One that cannot be read, but says whose it is, becomes an assignment that fails by itself; any
 * other is an error. */
MUST_CHECK int assignment_new(const struct assignment_spec *spec, struct slice text,
                              struct assignment **ret, struct err *err);
/* At once, without a word. Returns NULL; NULL does nothing. */
struct assignment *assignment_free(struct assignment *a);

enum assignment_state assignment_state(const struct assignment *a);
const char *assignment_key(const struct assignment *a); /* unique in the listener */
bool assignment_is(const struct assignment *a, const char *job_id);

/* Hands the job out, once it is ready; else NULL. */
struct job *assignment_next(struct assignment *a);

void assignment_event(struct assignment *a, const json_t *event, struct slice log);
/* The worker is gone: as in struct queue_ops. */
void assignment_ended(struct assignment *a, const char *why);

/* False: it was cancelled before, or is at its end. TIMEOUT_MS: until somebody who waits for its end gives up; a worker that
 * runs then, waits.cancel_margin before, is killed. It has waits.cancel_least at least, as from the official runner. */
bool assignment_cancel(struct assignment *a, enum assignment_cause cause, const char *why,
                       int64_t timeout_ms);

/* As in struct queue_ops. */
json_t *assignment_lease(const struct assignment *a);

/* Tells the server that the job of LEASE is lost. NULL: LEASE is none of ours. */
struct call *assignment_recover(struct caller *c, const json_t *lease, call_fn *done, void *ctx);
