/* state - a local queue while it runs: what the files of local.h share. */
#pragma once

#include "queue/local/groups.h"
#include "queue/local/plan.h"

struct local {
    struct queue base;
    struct plan plan;
    struct arena arena;    /* holds what `how` points to */
    struct local_spec how; /* the parts that each job is given */
    json_t *notes;
    VEC(struct claim *) line; /* all that wait for a group or hold one, as they came */
    struct groups *groups;    /* of other runs; NULL: they are not looked at */
    bool moved;               /* a claim came to hold, or was given up */
    size_t n_handed_out;
    int64_t started_ms;
    bool started, finished;
    enum queue_result result;
    struct err late; /* of a call that could not return it */
};

/* ---- tell.c: the queue's own events, masked ---- */

MUST_CHECK int tell_started(struct local *l, struct err *err); /* run.started and the notes */
/* JOB: the key of the job that it is about; NULL: the run. */
MUST_CHECK int tell_note(struct local *l, const char *job, const char *text, struct err *err);
MUST_CHECK int tell_queued(struct local *l, const struct config *c, struct err *err);
/* job.finished of a job that has no worker to say it. */
MUST_CHECK int tell_finished(struct local *l, const char *key, const char *name,
                             enum queue_result result, const char *reason, struct err *err);
MUST_CHECK int tell_run_finished(struct local *l, struct err *err);

/* The key of N, and the name that is known, without a configuration; in the queue's arena. */
const char *node_key(struct local *l, const struct node *n);
const char *node_name(struct local *l, const struct node *n);

/* ---- turns.c: the groups of `concurrency` ---- */

/* C asks for its group. One holds a group and one waits: a newcomer cancels who waits, unless it queues,
 * and who holds, if it cancels. What its own caller or workflow holds it can never have: it is cancelled
 * then. All that is told. */
MUST_CHECK int claim_enter(struct local *l, struct claim *c, struct err *err);

/* C wants nothing more; the next in line holds the group then. */
void claim_leave(struct local *l, struct claim *c);

/* Other runs have come or gone: whoever makes room for them is cancelled, and whose turn it is holds its group. */
MUST_CHECK int claims_review(struct local *l, struct err *err);

/* Groups that wait for each other: when nothing runs and all that is left waits, the one that came last is
 * cancelled. */
MUST_CHECK int claims_untangle(struct local *l, struct err *err);

/* ---- settle.c: what ends, and what ends with it ---- */

void node_over(struct node *n, enum queue_result result);

/* C, a job or a call, ended as its `result` says: merges its outputs, stops its siblings if `fail-fast`
 * asks for it, settles its node. */
MUST_CHECK int config_over(struct local *l, struct config *c, struct err *err);

/* Ends C because of WHY: at once when it is queued, else by its worker or what is inside. */
MUST_CHECK int config_cancel(struct local *l, struct config *c, const char *why, struct err *err);

/* Asks everything in F to end because of WHY: queued jobs at once, running ones by their workers. What
 * has a condition that holds all the same goes on, unless the run is cancelled hard. Goes on after an
 * error and returns it. */
MUST_CHECK int flow_cancel(struct local *l, struct flow *f, const char *why, struct err *err);
