/* backoff - how long to wait before a server that failed is asked again: each time twice as long, up to a limit, and
 * from half of that to all of it by chance, so that many runners do not come back at once. */
#pragma once

#include <stdint.h>

struct backoff {
    int64_t first_ms, most_ms;
    unsigned failures; /* since the last backoff_reset() */
};

/* One more failure: the wait before the next try, in milliseconds. */
int64_t backoff_next(struct backoff *b);

void backoff_reset(struct backoff *b); /* it went well */
