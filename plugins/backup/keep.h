/* keep - which backups may go. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keep {
    int64_t last; /* the newest so many stay; 0: no such rule */
    int64_t days; /* what is younger stays; 0: no such rule */
    int64_t now;  /* seconds since 1970 */
};

struct keep_one {
    int64_t created; /* seconds since 1970 */
    bool verified;
    bool go; /* the answer */
};

/* Fills in GO for the N of ALL, the oldest first. What one rule keeps stays; without a rule all do; and the newest stays
 * in any case, and the newest that was verified: there is always a good one left. */
void keep_choose(const struct keep *k, struct keep_one *all, size_t n);
