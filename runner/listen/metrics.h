/* metrics - what a listener has done so far, as Prometheus reads it (text format 0.0.4).
 *
 * Where actions-runner-controller's listener has a metric that means the same, name, labels and buckets are its
 * (actions/actions-runner-controller cmd/ghalistener/metrics/metrics.go), so that its dashboards work; the rest begins
 * with "ostler_". Labels come from jobs, so their number is held: what is one too many is counted under empty labels. */
#pragma once

#include "listen/snapshot.h"

enum {
    METRICS_SERIES_MAX = 200, /* sets of labels, about 500 bytes each */
    METRICS_LABEL_MAX = 200,  /* bytes of a value; what is longer is cut */
    METRICS_TEXT_MAX = 16 << 20,
};

struct metrics;

struct metrics_job {        /* texts are copied; NULL is the empty text */
    const char *repository; /* "owner/name" */
    const char *name;       /* as shown */
    const char *event;      /* "push" */
};

struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m); /* returns NULL */

/* A job was taken and its worker has begun; it was known to us for WAITED_MS before. */
void metrics_started(struct metrics *m, const struct metrics_job *job, int64_t waited_ms);
/* It has ended after RAN_MS with RESULT ("success", "failure", "cancelled", "skipped"). */
void metrics_ended(struct metrics *m, const struct metrics_job *job, const char *result,
                   int64_t ran_ms);
/* One was not run: a policy forbids it, or there was no place for it. */
void metrics_refused(struct metrics *m);

/* All of it and NOW as text. */
void metrics_format(const struct metrics *m, const struct snapshot *now, int64_t now_ms,
                    struct buf *out);
