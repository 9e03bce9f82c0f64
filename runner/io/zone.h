/* zone - the clocks of time zones, from the C library's time zone data, as tables.
 *
 * Looking one up changes the process's TZ for a moment and puts it back: there are no threads. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdint.h>

/* Seconds east of UTC from the moment FROM on. */
struct zone_offset {
    int64_t from;
    int32_t east;
};

/* The offsets of zone NAME ("Europe/Berlin") between FROM and TO, seconds since 1970, in the order of time; the first
 * one holds at FROM. They live in the arena. TZ is what the variable holds now, to be put back; NULL: it
 * is not set. ERR_NOT_FOUND: there is no such zone; ERR_UNSUPPORTED: this machine has no time zone data. */
MUST_CHECK int zone_load(struct arena *a, const char *name, int64_t from, int64_t to,
                         const char *tz, struct zone_offset **ret, size_t *ret_n, struct err *err);
