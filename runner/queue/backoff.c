#include "queue/backoff.h"

#include "base/random.h"

int64_t backoff_next(struct backoff *b)
{
    int64_t wait = b->first_ms;

    for (unsigned i = 0; i < b->failures && wait < b->most_ms; i++)
        wait = wait > b->most_ms / 2 ? b->most_ms : wait * 2;
    b->failures++;
    return random_between(wait - wait / 2, wait);
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
