#include "io/zone.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

enum { NEW_YEAR_2026 = 1767225600, YEAR = 365 * 86400 };

static size_t load(struct arena *a, const char *name, struct zone_offset **ret)
{
    struct err err = ERR_INIT;
    size_t n = 0;

    cr_assert_eq(
        zone_load(a, name, NEW_YEAR_2026, NEW_YEAR_2026 + YEAR, getenv("TZ"), ret, &n, &err),
        ERR_OK, "%s", err.text);
    return n;
}

Test(zone, knows_when_clocks_are_turned)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct zone_offset *z;

    cr_assert_eq(load(&a, "Europe/Berlin", &z), 3);
    cr_assert_eq(z[0].from, NEW_YEAR_2026);
    cr_assert_eq(z[0].east, 3600);
    cr_assert_eq(z[1].from, 1774746000, "%lld", (long long)z[1].from); /* 29 March, 01:00 UTC */
    cr_assert_eq(z[1].east, 7200);
    cr_assert_eq(z[2].from, 1792890000, "%lld", (long long)z[2].from); /* 25 October, 01:00 UTC */
    cr_assert_eq(z[2].east, 3600);

    cr_assert_eq(load(&a, "Asia/Kolkata", &z), 1);
    cr_assert_eq(z[0].east, 19800);
    cr_assert_eq(load(&a, "UTC", &z), 1);
    cr_assert_eq(z[0].east, 0);
}

Test(zone, what_there_is_not_is_said)
{
    static const char *const names[] = {
        "Europe/Atlantis", "",          "../../../etc/passwd", "/usr/share/zoneinfo/UTC",
        "Europe",          "tzdata.zi", "europe/berlin"};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct err err = ERR_INIT;
        struct zone_offset *z = NULL;
        size_t n = 7;

        cr_assert_eq(zone_load(&a, names[i], 0, YEAR, NULL, &z, &n, &err), ERR_NOT_FOUND, "%s",
                     names[i]);
        cr_assert_eq(n, 7, "failure leaves results alone");
    }
}

Test(zone, the_process_keeps_its_own)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct zone_offset *z;
    time_t at = NEW_YEAR_2026;
    struct tm tm;

    setenv("TZ", "Asia/Tokyo", 1);
    load(&a, "Europe/Berlin", &z);
    cr_assert_str_eq(getenv("TZ"), "Asia/Tokyo");
    localtime_r(&at, &tm);
    cr_assert_eq(tm.tm_gmtoff, 32400);
    unsetenv("TZ");
    load(&a, "Europe/Berlin", &z);
    cr_assert_null(getenv("TZ"));
}
