/* limit - the values of --limit, --cache-size, --store-size and --drain-time. */
#pragma once

#include "job/job.h"

/* What can be limited, with a value of each; a name of NULL after the last. */
extern const struct limit_name {
    const char *name, *example;
} limit_names[];

/* TEXT: "memory=512M" (K, M, G of 1024, or bytes), "disk=10G", "cpus=1.5", "processes=200". Sets that one in RET. ERR_INVALID
 * says what there is. */
MUST_CHECK int limit_parse(struct slice text, struct job_limits *ret, struct err *err);

/* The value of --cache-size and --store-size: "20G", in the same units. */
MUST_CHECK int limit_parse_size(struct slice text, int64_t *ret, struct err *err);

/* The value of --drain-time: "90s", "4m", "2h", a week at most; "0" is 0. */
MUST_CHECK int limit_parse_time(struct slice text, int64_t *ret_ms, struct err *err);
