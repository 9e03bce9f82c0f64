/* records - what GitHub shows of a job: a record of the job and one of each step, made from the job's events.
 *
 * No input and no output: events go in, and what each service is to be told comes out as JSON. Facts: actions/runner,
 * src/Runner.Worker/ExecutionContext.cs (order numbers, issues), src/Sdk/RSWebApi/Contracts/IssueExtensions.cs
 * (annotations), src/Sdk/WebApi/WebApi/ResultsHttpClient.cs (status and conclusion of a step update). */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/slice.h"
#include "base/vec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RECORDS_ISSUES_MAX =
        10, /* of each type that a record keeps; what comes later is only counted */
    RECORDS_MESSAGE_MAX = 4096, /* characters of an issue's message */
    RECORDS_TEXT_MAX = 4096,    /* of any other text: a step's name may come out of an expression */
};

/* The order is that of the protocol's numbers, one more than those. */
enum records_result {
    RECORDS_NO_RESULT, /* not at its end */
    RECORDS_SUCCEEDED,
    RECORDS_SUCCEEDED_WITH_ISSUES,
    RECORDS_FAILED,
    RECORDS_CANCELED,
    RECORDS_SKIPPED,
    RECORDS_ABANDONED,
    RECORDS_RESULTS
};

/* "succeeded", "failed", "canceled"...; NULL for RECORDS_NO_RESULT. */
const char *records_result_name(enum records_result r);
/* "success", "failure", "cancelled" or "skipped" of an event; anything else is a failure. */
enum records_result records_result_of(const char *name);

enum records_state { RECORDS_PENDING, RECORDS_IN_PROGRESS, RECORDS_COMPLETED };

enum records_level { RECORDS_NOTICE, RECORDS_WARNING, RECORDS_ERROR, RECORDS_LEVELS };

/* Who is to be told of a change. */
enum records_reader { RECORDS_FOR_RESULTS = 1, RECORDS_FOR_TIMELINE = 2, RECORDS_FOR_ALL = 3 };

struct record {
    char id[RANDOM_UUID_SIZE];
    char *name;
    int order; /* from 1; 0: the job's own */
    enum records_state state;
    enum records_result result;
    char started[CLOCK_STAMP_SIZE], finished[CLOCK_STAMP_SIZE]; /* "": not yet */
    char *type, *action, *ref; /* "run" "bash"; "repository" "a/b" "v1"; NULL: not known */
    const char *stage;         /* "Pre", "Main" or "Post" */
    char *context;             /* its key in the steps context; NULL: none */
    int64_t elapsed_ms;
    int event_step; /* its number among the events; 0: it has not begun */
    bool is_main;
    int count[RECORDS_LEVELS]; /* seen, kept or not */
    json_t *issues;            /* array, as the timeline has them */
    int64_t log_id;            /* of the timeline's log; 0: there is none */
    unsigned told;             /* enum records_reader: whoever has heard of it */
    unsigned changed;          /* enum records_reader: whoever has not been told yet */
};

struct records_step { /* a step of the job message, in its order */
    const char *id;   /* its GUID */
    const char *name;
    const char *type, *action, *ref; /* NULL: not known */
    const char *context;             /* its key in the steps context; NULL: none */
};

struct records_spec { /* copied */
    const char *job_id, *name;
    const char *ref_name;    /* the job message's jobName; NULL: none */
    const char *worker_name; /* this runner; NULL: not told */
    const struct records_step *steps;
    size_t n_steps;
};

struct records {
    struct record job;
    char *ref_name, *worker_name;
    VEC(struct record *) steps; /* in the order in which they are shown */
    VEC(struct record *) ended; /* the same, in the order in which they ended; borrowed */
    size_t n_before;            /* of `steps` those before the first step of the message */
    bool settled;               /* a step of the message has begun: numbers change no more */
    int reserved;               /* K: records when the first post step began; 0: none has yet */
    json_t *outputs;            /* name to text, of job.finished; NULL: none */
    char *environment_url;      /* NULL: none */
};

void records_init(struct records *r, const struct records_spec *spec);
void records_deinit(struct records *r);

/* Takes EVENT in. N_LINES: how many lines the log of the event's step has so far, for annotations. TIME: now, as
 * clock_stamp() has it. Returns the step that it is about; NULL: none. */
struct record *records_event(struct records *r, const json_t *event, int64_t n_lines,
                             const char *time);

/* The step that has the number STEP among the events; NULL: there is none. */
struct record *records_find(const struct records *r, int64_t step);

/* ONE (of R, or its job) has changed, and READER may be told: of steps of the message once their numbers stay, since
 * two records with one number make no sense to a service. */
bool records_is_news(const struct records *r, const struct record *one, enum records_reader reader);

/* A finding about the job itself. */
void records_job_issue(struct records *r, enum records_level level, const char *message);

enum { RECORDS_SET_UP = 1 }; /* the number that records_never_began() gives its step */

/* The job was ended before its first step could begin, and so while it was set up: that is its one step, with RESULT for
 * the reason WHY, which is the first line of its log. Steps of the message have no record then, as with the official
 * runner (JobExtension.InitializeJob). Returns that step; NULL: something did begin, and all is as it was. */
struct record *records_never_began(struct records *r, enum records_result result, const char *why,
                                   const char *time);

/* The job is over with RESULT (RECORDS_NO_RESULT: with the one that job.finished told; failed when it never came).
 * What still runs ends like that, what never began is skipped. */
void records_end(struct records *r, enum records_result result, const char *time);

/* How many bytes of TEXT (UTF-8) are its first N characters as .NET counts them. */
size_t records_cut(struct slice text, size_t n);

/* ---- what the services are told; new references ---- */

/* One of the "steps" of WorkflowStepsUpdate. */
json_t *record_step_update(const struct record *step);
/* A record of the timeline. */
json_t *record_timeline(const struct records *r, const struct record *one);
/* completejob: "stepResults", in the order in which they ended. */
json_t *records_step_results(const struct records *r);
/* JobCompleted: "actionsStepsTelemetry", of all steps that ran, in the same order. */
json_t *records_telemetry(const struct records *r);
/* completejob: what was found about the job itself. */
json_t *records_job_annotations(const struct records *r);
/* {"name": {"value": "text"}}; {} when there are none. */
json_t *records_outputs(const struct records *r);

/* TIME, as clock_stamp() has it, with milliseconds: "2026-01-31T10:00:00.123Z". */
enum { RECORDS_MS_SIZE = 25 };
void records_ms(const char *time, char ret[RECORDS_MS_SIZE]);
