/* clock - monotonic time for deadlines, wall time only to show. */
#pragma once

#include <stdint.h>
#include <time.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_ns(void); /* monotonic */
int64_t clock_ms(void);

enum { CLOCK_STAMP_SIZE = 29 }; /* with the final NUL */

/* Wall time as "2026-01-31T10:00:00.1234567Z": UTC, seven digits, as in GitHub's logs. */
void clock_stamp(char ret[CLOCK_STAMP_SIZE]);
