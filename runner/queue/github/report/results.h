/* results - the results service's side of a job's report: states of steps, logs and summaries
 * (github-protocol.md 6.5).
 *
 * States go together every half second; the last time all of them. Logs and summaries go to addresses that the
 * service signs, as a whole or, where a log is long, block by block as it grows. */
#pragma once

#include "io/http.h"
#include "queue/github/report/records.h"
#include "queue/github/report/spool.h"

struct results;

struct results_spec { /* texts are copied, the others outlive it */
    struct http *http;
    struct loop *loop;
    const char *url; /* system.github.results_endpoint */
    const char *token, *plan_id, *job_id;
    const char *agent; /* User-Agent; NULL: the client's */
    struct records *records;
    struct spool *spool;
    int64_t batch_ms; /* between two updates */
    int64_t pause_ms; /* after a failure, growing */
    /* It is beside the timeline, which has it all: after RESULTS_FAILURES_MAX failures it is left alone. */
    bool beside;
    void (*progress)(void *ctx); /* results_idle() may be another now */
    void *ctx;
};

enum { RESULTS_FAILURES_MAX = 3 };

struct results *results_new(const struct results_spec *spec);
struct results *results_free(struct results *r); /* wipes the token; NULL does nothing */

void results_changed(struct results *r); /* records have */
/* The log of step ID is to be sent as it grows; NULL: the job's. */
void results_log(struct results *r, const char *id, struct spool_log *log);
void results_grown(struct results *r); /* a log has, or is at its end */
/* TEXT, masked, is the summary of step ID. */
void results_summary(struct results *r, const char *id, struct slice text);

void results_finish(struct results *r); /* all logs are at their end */
void results_stop(struct results *r);   /* gives up what is left */
bool results_idle(const struct results *r);

/* What could not be sent, and why; NULL: nothing is amiss. Valid until the next call. */
const char *results_trouble(struct results *r);
