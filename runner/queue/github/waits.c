#include "queue/github/waits.h"

#include <stddef.h>

#include "base/attr.h"

void github_waits_fill(struct github_waits *w)
{
    static const struct github_waits official = {
        .session = 30000,
        .conflict_most = 240000,
        .skew_most = 1800000,
        .legacy_poll = 60000,
        .broker_poll = 100000,
        .pause = 15000,
        .floor = 1000,
        .floor_most = 30000,
        .retry = 5000,
        .request = 100000,
        .acknowledge = 5000,
        .throttle = 1000,
        .throttle_most = 60000,
        .hold = 100000,
        .renew = 60000,
        .renew_grace = 300000,
        .leave = 30000,
    };
    const int64_t *from = (const int64_t *)&official;
    int64_t *to = (int64_t *)w;

    for (size_t i = 0; i < sizeof *w / sizeof *to; i++) /* it is nothing but these numbers */
        to[i] = to[i] ? to[i] : from[i];
}
