/* record - what a listener's jobs said, kept on this machine for a while: a run folder (report/events.md) for each job.
 *
 * The server has it all, too; this is for whoever stands before the machine. Kept are the newest jobs, and of each a
 * bounded part of its log, so that records never fill a disk. A record that fails costs the job nothing. */
#pragma once

#include "job/event.h"
#include "job/job.h"

enum {
    JOB_RECORDS_KEEP = 100,        /* jobs, where nothing else is said */
    JOB_RECORD_LOG_MAX = 16 << 20, /* bytes of a job's log; the rest is at its server alone */
};

struct record_spec {
    const char *state; /* absolute: records are in `runs` below it */
    int keep;          /* the newest so many, 1 or more */
    int64_t log_max;   /* 0: JOB_RECORD_LOG_MAX */
};

struct job_record;

/* Begins one for JOB; SPEC is not kept. *RET: job_record_close() it. */
MUST_CHECK int job_record_new(const struct record_spec *spec, const struct job *job,
                              struct job_record **ret, struct err *err);
const char *job_record_path(const struct job_record *r); /* absolute; until it is closed */

/* What the worker said; both are borrowed. An error: it cannot be kept, and there is no use in going on. */
MUST_CHECK int job_record_event(struct job_record *r, const json_t *event, struct slice log,
                                struct err *err);

/* The worker is gone: WHY is NULL after a proper end. NULL for R does nothing. */
void job_record_close(struct job_record *r, const char *why);
