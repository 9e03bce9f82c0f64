#include "plugin/version.h"

#include "base/attr.h"

#include <criterion/criterion.h>

static struct version version(const char *text)
{
    struct version v;

    cr_assert(version_parse(slice_of(text), &v), "'%s' is no version", text);
    return v;
}

Test(version, takes_whole_semver_only)
{
    static const char *const good[] = {"0.0.0", "1.4.2", "1.0.0-rc.1", "1.0.0-0a.x-y+b.7",
                                       "10.20.30+x"};
    static const char *const bad[] = {"",       "1",      "1.2",        "1.2.3.4",       "v1.2.3",
                                      "01.2.3", "1.2.3-", "1.2.3-a..b", "1.2.x",         "1.2.3 ",
                                      "-1.2.3", "1..3",   "1.2.3+",     "4294967296.0.0"};
    struct version v;

    for (size_t i = 0; i < COUNT_OF(good); i++)
        cr_assert(version_parse(slice_of(good[i]), &v), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_assert_not(version_parse(slice_of(bad[i]), &v), "%s", bad[i]);
}

Test(version, orders_as_semver_says)
{
    /* SemVer 2.0.0, 11.4 */
    static const char *const rising[] = {
        "0.9.9",      "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
        "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
        "1.0.0",      "1.0.1",        "1.1.0",         "1.10.0",
        "2.0.0"};

    for (size_t i = 0; i < COUNT_OF(rising); i++)
        for (size_t j = 0; j < COUNT_OF(rising); j++) {
            struct version a = version(rising[i]), b = version(rising[j]);
            int r = version_cmp(&a, &b);
            cr_assert_eq((r > 0) - (r < 0), (i > j) - (i < j), "%s and %s", rising[i], rising[j]);
        }
}

Test(version, serves_the_refs_it_satisfies)
{
    static const struct {
        const char *ref, *version;
        bool fits;
    } rows[] = {
        {"v1", "1.4.2", true},
        {"1", "1.4.2", true},
        {"v1.4", "1.4.2", true},
        {"v1.4.2", "1.4.2", true},
        {"1.4.2", "1.4.2", true},
        {"v1.4.1", "1.4.2", false},
        {"v1.5", "1.4.2", false},
        {"v2", "1.4.2", false},
        {"v1", "1.5.0-rc.1", false},
        {"v1.5", "1.5.0-rc.1", false},
        {"v1.5.0-rc.1", "1.5.0-rc.1", true},
        {"v1.5.0", "1.5.0-rc.1", false},
        {"main", "1.4.2", false},
        {"v", "1.4.2", false},
        {"vv1", "1.4.2", false},
        {"V1", "1.4.2", false},
        {"v1.x", "1.4.2", false},
        {"release/v1", "1.4.2", false},
        {"", "1.4.2", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct version v = version(rows[i].version);
        cr_assert_eq(ref_fits(slice_of(rows[i].ref), &v), rows[i].fits, "%s by %s", rows[i].ref,
                     rows[i].version);
    }
}

Test(version, knows_a_commit_from_a_number)
{
    cr_assert_eq(ref_kind(SLICE("0123456789abcdef0123456789abcdef01234567")), REF_COMMIT);
    cr_assert_eq(ref_kind(SLICE("1111111111111111111111111111111111111111")), REF_COMMIT);
    cr_assert_eq(ref_kind(SLICE("0123456789abcdef")), REF_OTHER);
    cr_assert_eq(ref_kind(SLICE("v1")), REF_VERSION);
    cr_assert_eq(ref_kind(SLICE("deadbeef")), REF_OTHER);
}

Test(version, ranges_hold_when_all_their_parts_do)
{
    static const struct {
        const char *range, *version;
        bool has;
    } rows[] = {
        {"", "1.4.2", true},          {">=1.4 <2", "1.4.0", true},  {">=1.4 <2", "1.99.0", true},
        {">=1.4 <2", "2.0.0", false}, {">=1.4 <2", "1.3.9", false}, {"1.4.2", "1.4.2", true},
        {"=1.4.2", "1.4.3", false},   {">1", "1.0.0", false},       {">1", "1.0.1", true},
        {"<=1.4.2", "1.4.2", true},   {">=1,<2", "1.5.0", false},   {"~1", "1.0.0", false},
        {">= 1", "1.0.0", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct version v = version(rows[i].version);
        cr_assert_eq(range_has(slice_of(rows[i].range), &v), rows[i].has, "%s in '%s'",
                     rows[i].version, rows[i].range);
    }
    cr_assert(range_is_valid(SLICE(">=1.4  <2")));
    cr_assert_not(range_is_valid(SLICE(">=1,<2")));
}
