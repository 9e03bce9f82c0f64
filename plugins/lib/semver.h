/* semver - versions and the ranges that npm knows: "20", "^20.1", ">=18 <21 || 22.x", "1.2 - 1.4". Pure.
 * https://github.com/npm/node-semver is the judge. */
#pragma once

#include "text.h"

struct semver {
    uint32_t major, minor, patch;
    struct span pre; /* "rc.1"; size 0: a release */
};

/* "20.1.0", "v20.1.0-rc.1+build"; borrows from TEXT. False: no whole version. */
bool semver_parse(struct span text, struct semver *ret);

/* Below 0, 0, above 0. A pre-release comes before its release. */
int semver_compare(const struct semver *a, const struct semver *b);

/* Whether V lies in RANGE; *RET_VALID tells whether RANGE is one at all. A pre-release lies in a range
 * only when the range names a pre-release of that very version. */
bool semver_in(struct span range, const struct semver *v, bool *ret_valid);
bool semver_is_range(struct span range);
