/* report - tells the server of one task: its rows, its steps, its outputs and summaries, its end; and hears from the
 * answers that somebody cancelled it (gitea-protocol.md 2.6 to 2.8, 4).
 *
 * Server or not, the job goes on: what cannot be sent waits, and is sent again. At the end the order is fixed, since the
 * server forgets the job's tokens, its log and even the runner with the final result: summaries, outputs until the server
 * confirms them, the log with its last row, the result. Each has its own patience. */
#pragma once

#include "queue/gitea/connect.h"
#include "queue/gitea/display.h"

enum {
    REPORT_ROWS_MS = 1000, /* a row waits that long for others */
    REPORT_BEAT_MS =
        5000, /* how late we hear of a cancel; after 10 minutes the server gives the task up */
    REPORT_OUTPUTS_MS = 60000,
    REPORT_LOG_MS = 300000,    /* after the job's end, until its log is given up */
    REPORT_RESULT_MS = 900000, /* longer than the server would wait for us */
    REPORT_TRIES = 8,          /* when the server says no, and could mean "not now" */
};

struct gitea_report;

enum gitea_report_end {
    REPORT_DONE,         /* the server has it all */
    REPORT_GIVEN_UP,     /* it does not take the result */
    REPORT_UNREGISTERED, /* it does not know this runner any more */
};

struct gitea_report_spec { /* borrowed as long as the report lives; `recovered` for the call */
    struct connect *connect;
    int64_t task;
    size_t n_steps;
    const char *scratch;                 /* rows.h */
    const char *hello;                   /* the first row; NULL: none */
    const char *summary, *runtime_token; /* as in struct task */
    bool summary_call;                   /* the server is one that may know UpdateJobSummary */
    /* The server has ended the job: WHY. Called once at most. */
    void (*stop)(void *ctx, const char *why);
    /* All is said. The report may be freed. */
    void (*over)(void *ctx, enum gitea_report_end how);
    void *ctx;
    const json_t
        *recovered; /* gitea_report_lease() of a process that is gone; NULL: the job begins */
};

struct gitea_report *gitea_report_new(const struct gitea_report_spec *spec);
struct gitea_report *
gitea_report_free(struct gitea_report *r); /* without a word; returns NULL; NULL does nothing */

void gitea_report_event(struct gitea_report *r, const json_t *event, struct slice log);

/* The job is over, as RESULT; WHY is its last row. What it said itself (job.finished) comes first; a cancel by the server
 * before all. */
void gitea_report_end(struct gitea_report *r, enum queue_result result, const char *why);

/* What somebody else needs to end the task: {"task", "steps"}. New reference; nothing in it is secret. */
json_t *gitea_report_lease(const struct gitea_report *r);
