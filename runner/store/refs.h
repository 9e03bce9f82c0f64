/* refs - which commit a name of a repository was, and when that was asked: lines "COMMIT TIME NAME",
 * the latest last. A line that cannot be read counts as forgotten. */
#pragma once

#include "base/buf.h"
#include "io/git.h"

enum { REFS_SIZE_MAX = 1 << 20, REFS_MAX = 2000 };

struct ref_known {
    char sha[GIT_SHA_SIZE];
    int64_t at; /* milliseconds since 1970 */
};

/* False when TEXT does not know REF. */
bool refs_find(struct slice text, struct slice ref, struct ref_known *ret);

/* TEXT with REF as KNOWN; beyond REFS_MAX the oldest are forgotten. */
void refs_update(struct slice text, struct slice ref, const struct ref_known *known,
                 struct buf *to);
