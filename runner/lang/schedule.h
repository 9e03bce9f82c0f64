/* schedule - `on.schedule` of a workflow: its entries, and when they fire. */
#pragma once

#include "lang/cron.h"
#include "lang/workflow/workflow.h"

struct schedule_entry {
    const struct token *text;     /* the cron expression: what github.event.schedule says */
    const struct token *timezone; /* NULL: UTC */
    struct cron cron;
    const struct cron_zone *zone; /* borrowed from the zones; NULL: UTC */
};

struct schedule {
    struct schedule_entry *entries; /* in file order, in the arena */
    size_t n;
};

struct schedule_firing {
    int64_t at;
    const struct schedule_entry *entry;
};

/* The entries of W, none if it has no schedule. ZONE_CTX goes to ZONE, which is asked for each zone that is
 * named. On failure (an expression or a zone that there is not) *RET_AT is the token to blame. */
MUST_CHECK int schedule_read(struct arena *a, const struct workflow *w, cron_zone_fn *zone,
                             void *zone_ctx, struct schedule *ret, const struct token **ret_at,
                             struct err *err);

/* The next MAX firings after AFTER in the order of time, then of the file. Returns how many there are. */
size_t schedule_next(const struct schedule *s, int64_t after, struct schedule_firing *ret,
                     size_t max);
