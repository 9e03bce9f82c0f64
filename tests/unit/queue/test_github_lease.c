#include "queue/github/lease.h"

#include <criterion/criterion.h>

Test(github_lease, times_are_read_as_the_services_write_them)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } t[] = {
        {"2026-08-20T10:10:00.123456789Z", 1787220600},
        {"2026-08-20T10:10:00Z", 1787220600},
        {"2026-08-20T10:10:00+00:00", 1787220600},
        {"2026-08-20T10:10:00", 1787220600},
        {"1970-01-01T00:00:00", 0},
        {"0001-01-01T00:00:00", -1}, /* .NET's way to say nothing */
        {"1013-05-05T05:05:05Z", -1},
        {"2026-08-20T10:10:00+02:00", -1},
        {"2026-08-20", -1},
        {"", -1},
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        cr_expect_eq(lease_time(t[i].text), t[i].seconds, "'%s': %lld", t[i].text,
                     (long long)lease_time(t[i].text));
}
