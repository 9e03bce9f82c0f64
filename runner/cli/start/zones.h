/* zones - the clocks of time zones, each looked up once. */
#pragma once

#include "base/vec.h"
#include "lang/cron.h"

struct zones {
    struct arena arena;
    int64_t
        from; /* the time that schedules are looked at; CRON_HORIZON_DAYS from there are known */
    VEC(const char *) names;
    VEC(struct cron_zone *) clocks; /* of the same number */
};

/* FROM is set by the caller, the rest is zero. */
void zones_deinit(struct zones *z);

/* A cron_zone_fn; CTX: struct zones. */
MUST_CHECK int zones_find(void *ctx, const char *name, const struct cron_zone **ret,
                          struct err *err);
