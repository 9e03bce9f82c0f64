/* report - tells GitHub how one job goes: steps, live lines, logs, summaries, and at the end what completes it.
 *
 * Two ways, by how the job came: the results service alone (a RunnerJobRequest), or the legacy timeline, and the
 * results service beside it where the job message names one. Nothing in here waits: events are taken in at once, the
 * logs lie on disk until they are sent, all else is bounded. A service that is down costs the job nothing but its
 * reports; what could not be sent is told once, at the end. */
#pragma once

#include "io/http.h"
#include "queue/github/report/records.h"

struct github_report;

struct github_report_spec { /* texts are copied */
    struct records_spec records;
    bool results_only;       /* the job came as a RunnerJobRequest */
    const char *plan_id;     /* of the job message, as the others are */
    const char *url, *token; /* of its SystemVssConnection */
    const char
        *results_url;     /* variable system.github.results_endpoint; NULL or "": there is none */
    const char *feed_url; /* FeedStreamUrl; NULL or "": there is none */
    /* For a job that did not come as a RunnerJobRequest: */
    const char *timeline_id, *scope, *plan_type; /* scope: plan.scopeIdentifier */
    bool follow_redirects;                       /* as of struct timeline_spec */
    int64_t request_id;

    const char *environment; /* the name of what the job deploys to; NULL: nothing */
    bool job_annotations;    /* variable actions_send_job_level_annotations */
    const char *agent;       /* User-Agent of the live lines; NULL: "ostler" */
    int spool; /* directory for what is not sent yet; -1: memory, and less of it. Borrowed for the call */
    int64_t batch_ms; /* steps and records are sent together that often; 0: 500 */
    int64_t pause_ms; /* after a failure, growing; 0: 1000 */
    int64_t drain_ms; /* github_report_finish() gives up after that long; 0: 10 minutes */
    /* Something was lost, for the listener's log. */
    void (*note)(void *ctx, const char *text);
    void *ctx;
};

/* HTTP and LOOP outlive it. */
MUST_CHECK int github_report_new(const struct github_report_spec *spec, struct http *http,
                                 struct loop *loop, struct github_report **ret, struct err *err);
/* Ends it without a word to anybody; wipes the token. Returns NULL; NULL does nothing. */
struct github_report *github_report_free(struct github_report *r);

/* Tells the timeline at once that the job begins, then calls DONE, once and from the loop: when the service has heard it, or
 * after WAIT_MS. Not called once the job ends before. Where there is no timeline, the service knows as it is. */
void github_report_begin(struct github_report *r, int64_t wait_ms, void (*done)(void *ctx),
                         void *ctx);

/* An event of the job, and LOG when it is a log event; both are borrowed for the call. */
void github_report_event(struct github_report *r, const json_t *event, struct slice log);

/* A finding about the job that no step had: "The runner has received a shutdown signal". */
void github_report_issue(struct github_report *r, enum records_level level, const char *text);

/* There never was a worker, or it said nothing: WHY the job ends with RESULT while it was set up, in a step and a log of
 * its own; a finding about the job, if something did begin. github_report_finish() follows. */
void github_report_never_began(struct github_report *r, enum records_result result,
                               const char *why);

/* The worker is gone: sends all that is left, in order, then calls DONE once, from the loop. The report may be freed
 * in it. RESULT: how the job ended; RECORDS_NO_RESULT: as its job.finished says, failed when there was none. The job's
 * lease is to be renewed meanwhile. */
void github_report_finish(struct github_report *r, enum records_result result,
                          void (*done)(void *ctx), void *ctx);

/* How the job ended, after github_report_finish(). */
enum records_result github_report_result(const struct github_report *r);

/* The bodies that complete the job; new references, after github_report_finish(). completejob of a RunnerJobRequest
 * (billingOwnerId and infrastructureFailureCategory are the caller's to add), or the plan event "JobCompleted". */
json_t *github_report_completion(const struct github_report *r);
json_t *github_report_plan_event(const struct github_report *r);
