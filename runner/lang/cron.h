/* cron - the times of `on.schedule`: GitHub's five fields, and when they fire (workflow-language.md 6.6).
 *
 *     minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of week 0-6 or SUN-SAT
 *     *   a value   a-b   lists with ","   "/n" behind any of them but a list
 *
 * When neither day field begins with "*" a day that fits either of them will do, else it has to fit both.
 *
 * Times are seconds since 1970 in UTC. A zone's clock comes as a table, so that nothing here looks
 * anything up. Where a zone's clock jumps forward, what names a skipped time fires as the gap ends, as
 * GitHub documents; where it is turned back, what names a repeated time fires the first time only. A
 * schedule of every hour follows the hours that pass instead: nothing is added in a gap, and a repeated
 * hour counts like any other. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

struct cron {
    uint64_t minutes;             /* bit n: minute n */
    uint32_t hours, days, months; /* bit n; days and months from 1 */
    uint32_t weekdays;            /* bit 0: Sunday */
    bool any_day, any_weekday;    /* the field begins with "*" */
};

/* Seconds east of UTC from the moment FROM on. */
struct cron_offset {
    int64_t from;
    int32_t east;
};

/* The clock of a zone in the order of time; before the first entry its offset holds too. Borrowed by
 * those who use it. */
struct cron_zone {
    const struct cron_offset *offsets;
    size_t n;
};

/* Finds the clock of zone NAME, which is borrowed from CTX; io/zone.h has one. ERR_NOT_FOUND: there is no such
 * zone. */
typedef int cron_zone_fn(void *ctx, const char *name, const struct cron_zone **ret,
                         struct err *err);

enum {
    CRON_SIZE_MAX = 1000,         /* bytes of an expression */
    CRON_HORIZON_DAYS = 12 * 366, /* a 29th of February on one weekday may be that far */
    CRON_STAMP_SIZE = 18,         /* "2026-01-31T10:00Z", with the final NUL */
};

/* ERR_INVALID says which field and why. */
MUST_CHECK int cron_parse(struct slice text, struct cron *ret, struct err *err);

/* False for a 30th of February and the like. */
bool cron_ever_fires(const struct cron *c);

/* Minutes between the two firings that are nearest to each other; 60 or more: that many at the least. */
int cron_shortest_gap(const struct cron *c);

/* The first firing after AFTER; ZONE NULL: UTC. False: none within CRON_HORIZON_DAYS. */
bool cron_next(const struct cron *c, const struct cron_zone *zone, int64_t after, int64_t *ret);

/* Whether it fires in the minute that AT lies in. */
bool cron_fires(const struct cron *c, const struct cron_zone *zone, int64_t at);

/* True for what can be the name of a zone, as "Europe/Berlin"; whether there is one is not known here. */
bool cron_zone_name(struct slice name);

/* "2026-01-31T10:00Z", with seconds or not, "T" or a space, "Z", "+02:00" or nothing (UTC) behind it.
 * Years 1970 to 9999. ERR_INVALID. */
MUST_CHECK int cron_stamp_parse(struct slice text, int64_t *ret, struct err *err);
void cron_stamp_format(int64_t at, char ret[CRON_STAMP_SIZE]); /* 1970 to 9999 */
