#include "coverage.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>

#include "../lib/test_step.h"

TestSuite(test_coverage, .init = step_enter, .fini = step_leave);

static const char lcov[] = "TN:\nSF:/w/src/a.ts\nFN:1,f\nDA:1,1\nDA:2,0\nDA:3,5,abc\nLF:3\nLH:2\n"
                           "end_of_record\nDA:9,1\nSF:src/b.ts\nDA:4,0\nend_of_record\n";
static const char cobertura[] =
    "<?xml version=\"1.0\" ?>\n<!DOCTYPE coverage SYSTEM "
    "'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>\n"
    "<coverage line-rate=\"0.5\" version=\"7\"><sources><source>/nowhere</source></sources>"
    "<packages><package name=\".\"><classes><class name=\"a.ts\" filename=\"src/a.ts\">"
    "<methods><method name=\"f\"><lines><line number=\"1\" hits=\"1\"/></lines></method></methods>"
    "<lines><line number=\"1\" hits=\"1\"/><line number=\"2\" hits=\"0\"/>"
    "<line number=\"3\" hits=\"5\" branch=\"true\"/></lines></class>"
    "<class filename=\"src/b.ts\"><lines><line number=\"4\" hits=\"0\"/></lines></class>"
    "</classes></package></packages></coverage>";
static const char go[] = "mode: set\nexample.com/m/src/a.ts:1.24,2.2 1 1\n"
                         "example.com/m/src/a.ts:2.10,2.20 1 0\n"
                         "example.com/m/src/a.ts:3.1,3.9 1 5\nexample.com/m/src/b.ts:4.2,4.8 1 0\n";

static const char *feed(const char *text, size_t portion, struct coverage *to)
{
    struct coverage_reader *r = coverage_reader_new(step, to);
    struct span s = span_of(text);

    for (; s.size > portion; s = (struct span){s.at + portion, s.size - portion})
        coverage_reader_feed(r, (struct span){s.at, portion});
    coverage_reader_feed(r, s);
    return coverage_reader_end(r);
}

/* "src/a.ts:1+2-3+ ..." */
static const char *show(const struct coverage *c)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < c->n; i++) {
        if (c->list[i].n_lines == 0)
            continue;
        sink_addf(&k, "%s:", c->list[i].path);
        for (uint32_t line = 1; line < c->list[i].n_lines; line++)
            if (c->list[i].lines[line])
                sink_addf(&k, "%u%c", line, " -+"[c->list[i].lines[line]]);
        sink_addf(&k, " ");
    }
    return sink_text(&k);
}

static struct coverage settled(const char *const *texts)
{
    struct places p = {step, step->host->dir(step, OST_DIR_WORKSPACE), "", "example.com/m"};
    struct coverage c = {.index = {.step = step}};

    ost_test_file(host, "src/a.ts", "");
    ost_test_file(host, "src/b.ts", "");
    for (; *texts; texts++)
        cr_assert_null(feed(*texts, 1 << 16, &c));
    coverage_settle(&c, &p);
    return c;
}

Test(test_coverage, reads_three_formats_alike)
{
    const char *const texts[] = {lcov, cobertura, go};

    for (size_t i = 0; i < 3; i++) {
        struct coverage c = settled(OST_ARGV(texts[i]));

        cr_expect_str_eq(show(&c), "src/a.ts:1+2-3+ src/b.ts:4- ", "%zu: %s", i, show(&c));
        cr_expect_str_eq(ratio_show(step, coverage_ratio(&c)), "50.00 %");
    }
}

Test(test_coverage, adds_up_what_several_reports_say)
{
    struct coverage c =
        settled(OST_ARGV(lcov, "TN:\nSF:src/a.ts\nDA:2,1\nDA:7,0\nend_of_record\n", cobertura));

    cr_expect_str_eq(show(&c), "src/b.ts:4- src/a.ts:1+2+3+7- ", "%s", show(&c));
    cr_expect_str_eq(ratio_number(step, coverage_ratio(&c)), "60.00");
}

Test(test_coverage, counts_the_lines_that_changed)
{
    struct coverage c = settled(OST_ARGV(lcov));
    struct changes changes = {0};

    changes_read(step, SPAN("+++ b/src/a.ts\n@@ -0,0 +2,9 @@\n"), "", &changes);
    cr_expect_str_eq(ratio_show(step, coverage_of_changes(&c, &changes)), "50.00 %");
    changes_read(step, SPAN("+++ b/README.md\n@@ -0,0 +1,9 @@\n"), "", &changes);
    cr_expect_str_eq(ratio_show(step, coverage_of_changes(&c, &changes)), "50.00 %");
    changes = (struct changes){0};
    changes_read(step, SPAN("+++ b/src/a.ts\n@@ -0,0 +5,9 @@\n"), "", &changes);
    cr_expect_str_eq(ratio_show(step, coverage_of_changes(&c, &changes)), "none");
    cr_expect_eq(ratio_hundredths(coverage_of_changes(&c, &changes)), 10000);
}

Test(test_coverage, rounds_down)
{
    cr_expect_eq(ratio_hundredths((struct ratio){79999, 100000}), 7999);
    cr_expect_str_eq(ratio_number(step, (struct ratio){2, 3}), "66.66");
    cr_expect_str_eq(ratio_number(step, (struct ratio){0, 3}), "0.00");
    cr_expect_str_eq(ratio_number(step, (struct ratio){0}), "");
}

Test(test_coverage, says_what_is_wrong_with_a_report)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "neither lcov's"},
        {"hello\n", "neither lcov's, Cobertura's nor"},
        {"TN:\n", "no lines of code"},
        {"<coverage/>", "no lines of code"},
        {"<report/>", "its root element is <report>, not <coverage>"},
        {"<coverage><class>", "no element found"},
        {"mode: set\n", "no lines of code"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct coverage c = {.index = {.step = step}};
        const char *why = feed(rows[i].text, 5, &c);

        cr_expect(why && strstr(why, rows[i].why), "%s: %s", rows[i].text, why);
    }
}

Test(test_coverage, survives_hostile_reports)
{
    static const char *const rows[] = {
        "TN:\nSF:\nDA:0,1\nDA:4294967295,1\nDA:99999999999999,1\nDA:,\nDA:5\n",
        "mode: set\n:\na:1.1,4294967295.1 1 1\na:5.1,3.1 1 1\na:1.1,2.2 1\n",
        "<coverage><line number='5' hits='1'/><class filename=''><line number='-1' "
        "hits='x'/></class>"
        "<source>a</source></coverage>",
        "SF:a\nDA:10485760,1\nSF:b\nDA:10485760,1\nSF:c\nDA:10485760,1\n",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct coverage c = {.index = {.step = step}};

        (void)feed(rows[i], 1000, &c);
        (void)coverage_ratio(&c);
        cr_expect_leq(c.n_lines, COVERAGE_LINES_MAX);
    }
}
