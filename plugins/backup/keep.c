#include "keep.h"

enum { DAY = 24 * 3600 };

void keep_choose(const struct keep *k, struct keep_one *all, size_t n)
{
    bool good = false; /* the newest verified one has been met */

    for (size_t i = n; i-- > 0;) {
        bool newest = i + 1 == n, first_good = all[i].verified && !good;
        bool counts = k->last > 0 && (int64_t)(n - i) <= k->last;
        bool young = k->days > 0 && k->now - all[i].created < k->days * DAY;

        good = good || all[i].verified;
        all[i].go = (k->last > 0 || k->days > 0) && !newest && !first_good && !counts && !young;
    }
}
