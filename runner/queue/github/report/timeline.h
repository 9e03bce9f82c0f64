/* timeline - the tenant's side of a job's report, for jobs that did not come as a RunnerJobRequest: records, logs in
 * pages, summaries as attachments, and live lines where there is no websocket (github-protocol.md 6.3).
 *
 * Where the resources are is asked once, at the beginning; a server that does not say has them where they always are. */
#pragma once

#include "io/http.h"
#include "queue/github/report/records.h"
#include "queue/github/report/spool.h"

struct timeline;

struct timeline_spec { /* texts are copied, the others outlive it */
    struct http *http;
    struct loop *loop;
    const char *url;   /* of SystemVssConnection */
    const char *token; /* the job's */
    const char *agent; /* User-Agent; NULL: the client's */
    const char *scope, *plan_type, *plan_id, *timeline_id;
    bool follow_redirects; /* one of each call (github-protocol.md 10.4) */
    struct records *records;
    struct spool *spool;
    int64_t batch_ms;            /* between two updates */
    int64_t pause_ms;            /* after a failure, growing */
    void (*progress)(void *ctx); /* timeline_idle() may be another now */
    void *ctx;
};

enum { TIMELINE_RECORDS_MAX = 25 }; /* in one update */

struct timeline *timeline_new(const struct timeline_spec *spec);
struct timeline *timeline_free(struct timeline *t); /* wipes the token; NULL does nothing */

void timeline_changed(struct timeline *t); /* records have */
void timeline_hurry(struct timeline *t);   /* they have, and that is told at once */
/* The log of step ID is to be sent as it grows; NULL: the job's. */
void timeline_log(struct timeline *t, const char *id, struct spool_log *log);
void timeline_grown(struct timeline *t); /* a log has, or is at its end */
/* TEXT, masked, is the summary of step ID. */
void timeline_summary(struct timeline *t, const char *id, struct slice text);

/* Sends LINES ({"count", "value", "stepId", "startLine"}, taken over) to the live console, when it can take them. */
bool timeline_can_feed(const struct timeline *t);
void timeline_feed(struct timeline *t, json_t *lines);

void timeline_finish(struct timeline *t); /* all logs are at their end */
void timeline_stop(struct timeline *t);   /* gives up what is left */
bool timeline_idle(const struct timeline *t);

/* What could not be sent, and why; NULL: nothing is amiss. Valid until the next call. */
const char *timeline_trouble(struct timeline *t);
