/* num - the one way to read numbers from text. The whole slice must be the number: no white space,
 * no sign where the range has no negatives, no trailing bytes. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* Decimal. ERR_INVALID when it is no number, ERR_LIMIT outside MIN..MAX. */
MUST_CHECK int num_parse_i64(struct slice s, int64_t min, int64_t max, int64_t *ret,
                             struct err *err);
MUST_CHECK int num_parse_u64(struct slice s, uint64_t max, uint64_t *ret, struct err *err);
