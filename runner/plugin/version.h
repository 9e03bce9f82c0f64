/* version - SemVer versions, the refs that a version serves, and ranges of a policy. Pure. */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct version {
    uint32_t major, minor, patch;
    struct slice pre; /* "rc.1" of 1.4.2-rc.1; borrowed from the text; build metadata is dropped */
};

/* "1.4.2", "1.4.2-rc.1+build"; nothing shorter. */
bool version_parse(struct slice text, struct version *ret);

/* SemVer precedence: below 0, 0, above 0. */
int version_cmp(const struct version *a, const struct version *b);

enum ref_kind {
    REF_OTHER,   /* a branch, or a tag that is no version */
    REF_VERSION, /* v1, v1.4, v1.4.2, with or without v */
    REF_COMMIT,  /* 40 or 64 hex digits */
};

enum ref_kind ref_kind(struct slice ref);

/* True if a plugin of version V serves REF. v1 and v1.4 take releases only; v1.4.2-rc.1 must be named
 * whole. False for a REF that is no version. */
bool ref_fits(struct slice ref, const struct version *v);

/* True if V is in RANGE: comparisons (= > >= < <=, none means =) joined by spaces, all of which must
 * hold; "" holds always. A RANGE that is malformed holds never; see range_is_valid(). */
bool range_has(struct slice range, const struct version *v);
bool range_is_valid(struct slice range);
