/* Reports as the tools wrote them (fixtures/), and what no tool would write. */
#include "read.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>

#include "place.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;
static struct ost_step *step;

static void enter(void)
{
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_scratch(host);
    ost_test_dir(host, OST_DIR_HOME,
                 PLUGIN_DIR "/fixtures"); /* files are read from a job's folders only */
    step = ost_test_step(host);
}

static void leave(void)
{
    ost_test_free(host);
}

TestSuite(test_read, .init = enter, .fini = leave);

static const char *fixture(const char *name)
{
    return ost_fmt(step, "%s/fixtures/%s", PLUGIN_DIR, name);
}

/* "P a > b", "F a > b: why (file:12)" and so on, a line each. */
static const char *show(const struct results *all)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < all->n; i++) {
        const struct result *r = &all->list[i];

        sink_addf(&k, "%c %s", "PFES"[r->outcome], result_title(step, r));
        if (*r->message)
            sink_addf(&k, ": %s", r->message);
        if (r->line)
            sink_addf(&k, " (%s:%u)", r->file, r->line);
        sink_addf(&k, "%s\n", r->echo ? " echo" : r->flaky ? " flaky" : "");
    }
    return sink_text(&k);
}

static void expect_shows(const struct results *all, const char *want)
{
    cr_expect_str_eq(show(all), want, "wanted\n%s\ngot\n%s", want, show(all));
}

/* Reads TEXT in portions of PORTION bytes. */
static const char *feed(const struct format *format, struct span text, size_t portion,
                        struct results *to)
{
    struct reader *r = reader_new(step, format, to);

    for (; text.size > portion; text = (struct span){text.at + portion, text.size - portion})
        reader_feed(r, (struct span){text.at, portion}, 1);
    reader_feed(r, text, 1);
    return reader_end(r);
}

Test(test_read, counts_what_each_tool_counted)
{
    static const struct {
        const char *name;
        size_t all, passed, failed, errors, skipped;
    } rows[] = {
        {"pytest.xml", 9, 3, 4, 1, 2},    {"ctest.xml", 8, 2, 4, 1, 2},
        {"criterion.xml", 6, 1, 3, 1, 2}, {"mocha.xml", 4, 2, 1, 0, 1},
        {"node.tap", 7, 2, 3, 0, 2},      {"vitest.json", 12, 6, 2, 0, 4},
        {"jest.json", 5, 1, 2, 1, 2},     {"go.json", 9, 3, 5, 1, 1},
        {"cargo.txt", 7, 4, 2, 0, 1},     {"django.txt", 10, 3, 6, 3, 1},
        {"surefire.xml", 5, 2, 2, 1, 1},  {"phpunit.xml", 4, 1, 2, 1, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct results all = {0};
        const char *trouble = read_file(step, fixture(rows[i].name), &all);
        struct totals t = results_totals(&all);

        cr_expect_null(trouble, "%s: %s", rows[i].name, trouble);
        cr_expect(t.all == rows[i].all && t.passed == rows[i].passed &&
                      t.failed == rows[i].failed && t.errors == rows[i].errors &&
                      t.skipped == rows[i].skipped,
                  "%s: %zu tests, %zu passed, %zu failed, %zu in error, %zu skipped:\n%s",
                  rows[i].name, t.all, t.passed, t.failed, t.errors, t.skipped, show(&all));
    }
}

Test(test_read, knows_each_test_and_why_it_failed)
{
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"ctest.xml", "P passes\nF fails: /w/src/a.c:7: 1 is not 2\nS skips: SKIP_RETURN_CODE=77\n"
                      "S off\nE missing: Unable to find executable\nP with blank (and+more)\n"
                      "F slow\nF flaky\n"},
        {"criterion.xml",
         "S sums > skipped\nF sums > fails: cr/t.c:10: The expression (as strings) (\"a\") == "
         "(\"b\") is false: actual=`a` expected=`b`.\nS sums > off\nP sums > adds\n"
         "E sums > crashes: The test crashed.\nF stars > flaky: cr/t.c:18: no stars tonight\n"},
        {"mocha.xml", "P sums > adds\nF sums > fails: 2 == 3\nS sums > skipped\n"
                      "P sums inner > fine\n"},
        {"node.tap", "P adds\nF sums > fails: 2 == 3 (/w/test/a.test.js:8)\n"
                     "S sums > skipped: not today\nS sums > later\nP parent > child\n"
                     "F parent > flaky: no stars tonight (/w/test/a.test.js:16)\n"
                     "F parent: 1 subtest failed (/w/test/a.test.js:14) echo\n"},
        {"cargo.txt",
         "P src/lib.rs > tests::adds\nP src/lib.rs > tests::panics\n"
         "F src/lib.rs > tests::fails: assertion `left == right` failed: one and one\n"
         "S src/lib.rs > tests::skipped: not today\nP tests/it.rs > adds\n"
         "F tests/it.rs > flaky: no stars tonight\nP doc calc > src/lib.rs - add (line 1)\n"},
        {"django.txt",
         "E unittest.loader._FailedTest > other.tests: ModuleNotFoundError: No module named "
         "'nothing_here'\n"
         "E polls.tests.Broken > setUpClass: RuntimeError: no class\n"
         "F polls.tests.Stars > test_flaky: AssertionError: no stars tonight\n"
         "P polls.tests.Sums > test_adds\nP polls.tests.Sums > test_expected\n"
         "F polls.tests.Sums > test_fails: AssertionError: 2 != 3\n"
         "S polls.tests.Sums > test_skipped: not today\n"
         "F polls.tests.Sums > test_subs: AssertionError: 1 == 1\n"
         "P polls.tests.Sums > test_told\n"
         "E polls.tests.Sums > test_told_fails: ValueError: boom\n"},
        {"go.json",
         "P example.com/calc > TestAdd/small\n"
         "F example.com/calc > TestAdd/wrong_one: calc_test.go:9: 2 + 2 is 4, not 5\n"
         "F example.com/calc > TestAdd: a subtest failed echo\n"
         "S example.com/calc > TestSkipped: calc_test.go:15: not today\n"
         "P example.com/calc > TestFine\n"
         "P example.com/calc/panics > TestA\n"
         "E example.com/calc/broken > (the package itself): FAIL\texample.com/calc/broken [build "
         "failed]\n"
         "F example.com/calc/panics > TestP: panic: assignment to entry in nil map [recovered]\n"
         "F example.com/calc/stars > TestFlaky: stars_test.go:11: no stars tonight\n"},
        {"surefire.xml",
         "P com.acme.SumTest > adds\n"
         "F com.acme.SumTest > fails: expected: <3> but was: <2>\n"
         "E com.acme.SumTest > breaks: boom\nS com.acme.SumTest > skipped: not today\n"
         "P com.acme.SumTest > stars flaky\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct results all = {0};

        cr_expect_null(read_file(step, fixture(rows[i].name), &all));
        expect_shows(&all, rows[i].want);
    }
}

Test(test_read, is_the_same_in_any_portions)
{
    static const char *const names[] = {"pytest.xml", "node.tap",  "vitest.json",
                                        "go.json",    "cargo.txt", "django.txt"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = 0;
        char *text = file_read(step, fixture(names[i]), 1 << 20, &size);
        struct results whole = {0};

        cr_assert_not_null(text, "%s", names[i]);
        (void)read_file(step, fixture(names[i]), &whole);
        for (size_t portion = 1; portion < 100; portion += 13) {
            struct results all = {0};

            cr_expect_null(feed(format_find((struct span){text, size}), (struct span){text, size},
                                portion, &all));
            expect_shows(&all, show(&whole));
        }
    }
}

Test(test_read, takes_times_from_reports)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"0.012", 12000000},
        {"1", 1000000000},
        {"1,234.5", 1234500000000},
        {"", -1},
        {"abc", -1},
        {"1.2e-05", 0},
        {".5", 500000000},
        {"99999999999999999999999999", 0 /* whatever, but not below 0 */},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = seconds_parse(span_of(rows[i].text));

        if (strlen(rows[i].text) > 20)
            cr_expect_geq(ns, 0);
        else
            cr_expect_eq(ns, rows[i].ns, "%s: %lld", rows[i].text, (long long)ns);
    }
    cr_expect_eq(millis_parse(SPAN("1.5")), 1500000);
}

Test(test_read, tells_a_report_that_is_not_whole)
{
    static const struct {
        const char *text, *trouble, *shows;
    } rows[] = {
        {"TAP version 13\n1..3\nok 1 - a\n", "3 tests were planned, and 1 came", "P a\n"},
        {"ok 1 - a\nnot ok 2\n", "the plan is missing", "P a\nF 2\n"},
        {"1..2\nok 1\nBail out! no database\n", "bailed out: no database", "P 1\n"},
        {"<testsuite><testcase name='a'/><testcase name='b'>", "no element found", "P a\n"},
        {"<html><body/></html>", "its root element is <html>", ""},
        {"{\"testResults\": [", "it ends too early", ""},
        {"{\"a\": 1}", "it has no 'testResults'", ""},
        {"test_a (m.T.test_a) ... ok\ntest_b (m.T.test_b) ... ", "before all tests had run",
         "P m.T > test_a\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct results all = {0};
        const struct format *format = format_find(span_of(rows[i].text));
        const char *trouble =
            feed(format ? format : &format_unittest, span_of(rows[i].text), 1000, &all);

        cr_expect(trouble && strstr(trouble, rows[i].trouble), "%s: %s", rows[i].text, trouble);
        expect_shows(&all, rows[i].shows);
    }
}

Test(test_read, ends_the_tests_of_a_run_that_was_stopped)
{
    struct results go = {0}, cargo = {0};

    (void)feed(&format_go,
               SPAN("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"TestA\"}\n"
                    "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"TestA\",\"Elapsed\":0.5}\n"
                    "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"TestB\"}\n{\"Acti"),
               1000, &go);
    expect_shows(&go, "P p > TestA\nF p > TestB: it did not end\n");
    (void)feed(&format_cargo,
               SPAN("     Running tests/it.rs (target/debug/deps/it-1)\n\nrunning 3 tests\n"
                    "test a ... ok\ntest b ... "),
               1000, &cargo);
    expect_shows(&cargo, "P tests/it.rs > a\nE tests/it.rs > b: it ended after 1 of 3 tests\n");
}

Test(test_read, reads_tap_in_its_other_dialects)
{
    static const struct {
        const char *text, *shows;
    } rows[] = {
        {"1..0 # SKIP there is no database\n", ""},
        {"1..2\nok 1 - a # skip later\nnot ok 2 - b # TODO not yet\n",
         "S a: later\nS b: not yet\n"},
        {"1..1\nok 1 - a \\# no directive\n", "P a \\# no directive\n"},
        {"not ok 1 - sum is right\n#   Failed test 'sum is right'\n#   at t/a.t line 5.\n"
         "#          got: '2'\n1..1\n",
         "F sum is right: Failed test 'sum is right'\n"},
        {"TAP version 14\n# Subtest: one\n    ok 1 - a\n    not ok 2 - b\n    1..2\nnot ok 1 - "
         "one\n1..1\n",
         "P one > a\nF one > b\n"},
        {"TAP version 14\n    ok 1 - a\n    1..1\nnot ok 1 - one # time=1ms\n1..1\n",
         "P a\nF one # time=1ms\n"},
        {"ok\nok 2\nokay\n1..2\r\n", "P 1\nP 2\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct results all = {0};
        const char *trouble = feed(&format_tap, span_of(rows[i].text), 1000, &all);

        cr_expect_null(trouble, "%s: %s", rows[i].text, trouble);
        expect_shows(&all, rows[i].shows);
    }
}

Test(test_read, is_not_misled_by_what_tests_print)
{
    struct results all = {0};

    (void)feed(&format_unittest,
               SPAN("test_a (m.T.test_a) ... FAIL: this is (not.what it seems)\nok\n"
                    "test_b (m.T.test_b)\nDocs ... and more ... ok\n"
                    "======================================================================\n"
                    "nonsense\n"
                    "test_c (m.T) ... skipped \"it's late\"\n"
                    "----------------------------------------------------------------------\n"
                    "Ran 3 tests in 0.1s\n"),
               1000, &all);
    expect_shows(&all, "P m.T > test_a\nP m.T > test_b\nS m.T > test_c: it's late\n");
}

Test(test_read, survives_hostile_reports)
{
    static const char *const rows[] = {
        "",
        "\n",
        "<",
        "<testsuite/>",
        "<testsuites><testsuite name='\xff\xfe'><testcase name='a\x01'><failure>\xff\x1b[31m"
        "</failure></testcase></testsuite></testsuites>",
        "<testsuite><testcase><failure/><error/><skipped/></testcase></testsuite>",
        "<testsuite><failure message='no setup'/></testsuite>",
        "<testsuite><testcase name='a'><testcase name='b'/></testcase></testsuite>",
        "1..99999999999\nok 99999999999999999999\n",
        "                                                                                        "
        "                                                                   ok 1 - deep\n",
        "{\"testResults\":[{\"assertionResults\":{\"a\":1}},1,null,{\"status\":\"failed\"}]}",
        "{\"Action\":\"fail\"}\n{\"Action\":\"output\",\"Output\":\"\\u",
        "{\"Action\":\"output\",\"Test\":\"\\u0000\\ud800\",\"Output\":12}\n{}\n{\"Action\"\n",
        "test  ... ok\nrunning 5 tests\ntest x ... \n---- x stdout ----\nfailures:\n",
        "FAIL: \nERROR:\n",
        "======================================================================\nFAIL: \n",
    };
    static const struct format *const formats[] = {&format_junit, &format_tap,   &format_jest,
                                                   &format_go,    &format_cargo, &format_unittest};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
            struct results all = {0};

            (void)feed(formats[f], span_of(rows[i]), 7, &all);
            for (size_t t = 0; t < all.n; t++)
                cr_assert(all.list[t].name && all.list[t].suite && all.list[t].message &&
                          all.list[t].detail && all.list[t].file);
        }
}

Test(test_read, says_why_a_file_is_no_report)
{
    struct results all = {0};

    ost_test_file(host, "text", "hello\n");
    ost_test_file(host, "empty", "");
    ost_test_file(host, "nul", "\x01\x02");
    cr_expect_str_eq(read_file(step, "nowhere", &all), "No such file or directory");
    cr_expect_str_eq(read_file(step, "/etc/hostname", &all),
                     "it lies outside of the job's folders");
    cr_expect_str_eq(read_file(step, ".", &all), "it is no file");
    cr_assert_eq(symlink("/etc/hostname", ost_fmt(step, "%s/link", step->host->dir(step, 0))), 0);
    cr_expect_str_eq(read_file(step, "link", &all), "a link leads out of the job's folders");
    cr_assert_eq(symlink("text", ost_fmt(step, "%s/inside", step->host->dir(step, 0))), 0);
    cr_expect(strstr(read_file(step, "inside", &all), "neither JUnit XML"));
    cr_expect(strstr(read_file(step, ost_fmt(step, "%s/text", step->host->dir(step, 0)), &all),
                     "it is neither JUnit XML, TAP"));
    cr_expect_str_eq(read_file(step, ost_fmt(step, "%s/empty", step->host->dir(step, 0)), &all),
                     "it is empty");
    cr_expect_eq(all.n, 0);
}

Test(test_read, refuses_a_gigabyte)
{
    const char *path = ost_fmt(step, "%s/big.xml", step->host->dir(step, OST_DIR_WORKSPACE));
    struct results all = {0};
    const char *trouble;

    ost_test_file(host, "big.xml", "<testsuite>");
    cr_assert_eq(truncate(path, (off_t)1 << 30), 0); /* a hole: it takes no room */
    trouble = read_file(step, path, &all);
    cr_expect(trouble && strstr(trouble, "larger than 256 MiB"), "%s", trouble);
}

Test(test_read, keeps_a_bounded_part_of_what_a_test_printed)
{
    struct results all = {0};
    struct sink k = {.step = step};

    sink_addf(&k, "<testsuite><testcase name='a'><failure>first");
    for (int i = 0; i < 2000; i++)
        sink_addf(&k, "%01000d\n", i);
    sink_addf(&k, "last</failure></testcase></testsuite>");
    cr_expect_null(feed(&format_junit, sink_span(&k), 4096, &all));
    cr_assert_eq(all.n, 1);
    cr_expect_leq(strlen(all.list[0].detail), DETAIL_MAX + 100);
    cr_expect(strncmp(all.list[0].detail, "first", 5) == 0 &&
              strstr(all.list[0].detail, "\n[...]\n") &&
              span_ends(span_of(all.list[0].detail), "last"));
}

Test(test_read, counts_tests_that_are_too_many_to_keep)
{
    struct results all = {0};
    struct reader *r = reader_new(step, &format_tap, &all);

    for (int i = 0; i < RESULTS_MAX + 10; i++)
        reader_feed(r, i % 2 ? SPAN("ok\n") : SPAN("not ok\n"), 0);
    (void)reader_end(r);
    cr_expect_eq(all.n, RESULTS_MAX);
    cr_expect_eq(results_totals(&all).all, RESULTS_MAX + 10);
    cr_expect_eq(results_totals(&all).failed, RESULTS_MAX / 2 + 5);
}

/* ---- places ---- */

Test(test_read, finds_the_line_where_a_test_failed)
{
    static const struct {
        const char *suite, *file;
        uint32_t line;
        const char *detail, *want_file;
        uint32_t want_line;
    } rows[] = {
        {"tests.test_a", "tests/test_a.py", 3, "tests/test_a.py:9: in test\nlib/b.py:4: Error",
         "app/tests/test_a.py", 9},
        {"tests.test_a", "tests/test_a.py", 3, "nothing", "app/tests/test_a.py", 3},
        {"tests.test_a.Class", "", 0,
         "Traceback\n  File \"/usr/lib/python3/unittest/case.py\", line 3, in x\n"
         "  File \"/w/app/tests/test_a.py\", line 5, in x\n"
         "  File \"/w/app/tests/test_a.py\", line 7, in y\n  File \"/w/app/lib/b.py\", line 1",
         "app/tests/test_a.py", 7},
        {"s", "", 0,
         "Error: x\n    at f (/w/app/node_modules/x/i.js:1:2)\n    at g "
         "(file:///w/app/src/a.test.ts:12:3)\n    at h (/w/app/src/a.test.ts:30:3)",
         "app/src/a.test.ts", 12},
        {"example.com/calc/stars", "", 0, "    s_test.go:11: no stars", "app/stars/s_test.go", 11},
        {"example.com/calc", "", 0, "    s_test.go:11: no stars", "", 0},
        {"com.acme.SumTest", "", 0,
         "org.junit.Fail\n\tat org.junit.Assert.fail(Assert.java:8)\n\tat "
         "com.acme.SumTest.adds(SumTest.java:23)",
         "app/src/test/java/com/acme/SumTest.java", 23},
        {"", "", 0, "#   at t/a.t line 5.", "app/t/a.t", 5},
        {"", "", 0, "thread 'a' panicked at src/lib.rs:20:9:\nx", "app/src/lib.rs", 20},
        {"", "", 0, "/build/elsewhere/app/src/lib.rs:7: x", "app/src/lib.rs", 7},
        {"", "", 0, "http://localhost:8080/ and 12:30:45 and a:1", "", 0},
        {"", "../../etc/passwd", 3, "/etc/passwd:1: x ../../../etc/passwd:2", "", 0},
        {"", "app/src/lib.rs", 0, "", "app/src/lib.rs", 0},
    };
    static const char *const files[] = {
        "app/tests/test_a.py", "app/lib/b.py",
        "app/src/a.test.ts",   "app/node_modules/x/i.js",
        "app/stars/s_test.go", "app/src/test/java/com/acme/SumTest.java",
        "app/t/a.t",           "app/src/lib.rs"};
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    struct places p = {step, workspace, "app", "example.com/calc"};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        ost_test_file(host, files[i], "x\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sink detail = {.step = step};
        struct result r = {
            .suite = rows[i].suite, .name = "n", .file = rows[i].file, .line = rows[i].line};

        for (const char *at = rows[i].detail; *at;) /* /w is the workspace */
            if (strncmp(at, "/w/", 3) == 0) {
                sink_addf(&detail, "%s/", workspace);
                at += 3;
            } else {
                sink_addf(&detail, "%c", *at++);
            }
        r.detail = sink_text(&detail);
        place_find(&p, &r);
        cr_expect(strcmp(r.file, rows[i].want_file) == 0 && r.line == rows[i].want_line,
                  "row %zu: wanted %s:%u, got %s:%u", i, rows[i].want_file, rows[i].want_line,
                  r.file, r.line);
    }
}
