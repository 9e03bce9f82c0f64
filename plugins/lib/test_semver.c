#include "semver.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>

static const struct ost_plugin plugin; /* nothing here asks it for anything */

Test(semver, orders_versions)
{
    static const char *const ordered[] = {
        "0.0.1",       "0.1.0",         "1.0.0-0",
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
        "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
        "1.0.0-rc.1",  "v1.0.0",        "1.0.1+build",
        "1.2.0",       "1.10.0",        "2.0.0",
    };

    for (size_t i = 0; i < sizeof ordered / sizeof ordered[0]; i++)
        for (size_t j = 0; j < sizeof ordered / sizeof ordered[0]; j++) {
            struct semver a, b;
            int order;

            cr_assert(semver_parse(span_of(ordered[i]), &a), "%s", ordered[i]);
            cr_assert(semver_parse(span_of(ordered[j]), &b), "%s", ordered[j]);
            order = semver_compare(&a, &b);
            cr_expect_eq((order > 0) - (order < 0), (i > j) - (i < j), "%s and %s", ordered[i],
                         ordered[j]);
        }
}

Test(semver, refuses_what_is_no_version)
{
    static const char *const rows[] = {"",      "20",      "20.1",    "20.1.2.3", "20.1.x",
                                       "a.b.c", "20.1.2-", "20.1.2+", "20..1"};
    struct semver v;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_not(semver_parse(span_of(rows[i]), &v), "%s was taken", rows[i]);
}

/* What RANGE holds of VERSIONS, as a line of ranges.tsv has it. */
static const char *held(struct ost_step *step, struct span range, struct span versions)
{
    struct sink k = {.step = step};
    bool valid = false;

    while (versions.size > 0) {
        struct span word;
        struct semver v;

        if (!span_eat_until(&versions, ' ', &word)) {
            word = versions;
            versions.size = 0;
        }
        cr_assert(semver_parse(word, &v));
        if (semver_in(range, &v, &valid))
            sink_addf(&k, "%s%.*s", k.size ? " " : "", (int)word.size, word.at);
    }
    return valid ? sink_text(&k) : "invalid";
}

Test(semver, knows_ranges_as_npm_does)
{
    struct ost_test *host = ost_test_new(&plugin);
    struct ost_step *step = ost_test_step(host);
    size_t size = 0, rows = 0;
    char *text = file_read(step, PLUGIN_DIR "/ranges.tsv", 1 << 20, &size);
    struct span rest = {text, size}, line, range, versions;

    cr_assert_not_null(text);
    cr_assert(span_line(&rest, &line) && span_line(&rest, &versions) &&
              span_eat(&versions, "versions\t"));
    for (; span_line(&rest, &line); rows++) {
        const char *got;

        cr_assert(span_eat_until(&line, '\t', &range));
        got = held(step, range, versions);
        cr_expect(span_is(line, got), "'%.*s' wanted '%.*s', got '%s'", (int)range.size, range.at,
                  (int)line.size, line.at, got);
    }
    cr_expect_gt(rows, 80);
    ost_test_free(host);
}

Test(semver, survives_any_range)
{
    static const char alphabet[] = "0129xX*.^~<>=| -+va\t";
    struct semver v = {20, 1, 0, SPAN("")};
    unsigned seed = 7;

    for (int i = 0; i < 200000; i++) {
        char text[24];
        size_t n = (size_t)rand_r(&seed) % sizeof text;
        bool valid;

        for (size_t j = 0; j < n; j++)
            text[j] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        if (semver_in((struct span){text, n}, &v, &valid))
            cr_assert(valid);
    }
}
