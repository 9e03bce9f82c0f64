#include "queue/backoff.h"

#include <criterion/criterion.h>

Test(backoff, waits_twice_as_long_each_time_up_to_a_limit)
{
    static const int64_t most[] = {1000, 2000, 4000, 8000, 10000, 10000};

    for (int round = 0; round < 200; round++) {
        struct backoff b = {.first_ms = 1000, .most_ms = 10000};

        for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
            int64_t wait = backoff_next(&b);

            cr_expect(wait >= most[i] / 2 && wait <= most[i], "%zu: %lld", i, (long long)wait);
        }
        backoff_reset(&b);
        cr_expect(backoff_next(&b) <= 1000);
    }
}

Test(backoff, never_runs_over)
{
    struct backoff b = {.first_ms = 1, .most_ms = INT64_MAX};

    for (int i = 0; i < 200; i++)
        cr_assert(backoff_next(&b) >= 0);
}
