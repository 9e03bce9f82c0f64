/* A schedule of anyone: what is read fires after the time it was asked for, at a minute that it says it
 * fires at, in UTC and where the clock is turned. */
#include "lang/cron.h"

#include <stdint.h>

static void look(const struct cron *c, const struct cron_zone *zone, int64_t after)
{
    int64_t at = after, last;

    for (int i = 0; i < 3; i++) {
        last = at;
        if (!cron_next(c, zone, last, &at))
            return;
        if (at <= last || at % 60 != 0)
            BUG("%lld after %lld", (long long)at, (long long)last);
        if (!cron_fires(c, zone, at))
            BUG("no firing at %lld", (long long)at);
    }
    if (!cron_ever_fires(c))
        BUG("it fired, and never does");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct cron_offset offsets[] = {
        {0, 3600}, {1774746000, 7200}, {1792890000, 3600}, {1793000000, -86400}};
    static const struct cron_zone zone = {offsets, COUNT_OF(offsets)};
    struct slice data = slice_make((const char *)bytes, size);
    ssize_t end = slice_find_char(data, '\n');
    struct slice text = slice_head(data, end < 0 ? size : (size_t)end);
    struct slice stamp = slice_from(data, text.len + 1);
    struct err err = ERR_INIT;
    struct cron c;
    int64_t after = 1774745000;

    if (cron_stamp_parse(stamp, &after, &err) == ERR_OK) {
        char out[CRON_STAMP_SIZE];
        int64_t again;

        cron_stamp_format(after, out);
        if (after >= 0 && (cron_stamp_parse(slice_of(out), &again, &err) < 0 || again > after))
            BUG("%s", out);
    }
    (void)cron_zone_name(stamp);
    if (cron_parse(text, &c, &err) < 0)
        return 0;
    if (cron_shortest_gap(&c) < 1)
        BUG("two firings in one minute");
    look(&c, NULL, after);
    look(&c, &zone, after);
    return 0;
}
