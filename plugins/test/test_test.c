/* The whole stage, its commands answered by the kit. */
#include <ostler/plugin.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <ostler/test.h>

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_scratch(host);
}

static void leave(void)
{
    ost_test_free(host);
}

TestSuite(test_stage, .init = enter, .fini = leave);

static const char go_output[] =
    "{\"Action\":\"run\",\"Package\":\"m\",\"Test\":\"TestA\"}\n"
    "{\"Action\":\"pass\",\"Package\":\"m\",\"Test\":\"TestA\",\"Elapsed\":1.5}\n"
    "{\"Action\":\"run\",\"Package\":\"m\",\"Test\":\"TestB\"}\n"
    "{\"Action\":\"output\",\"Package\":\"m\",\"Test\":\"TestB\",\"Output\":\"    a_test.go:7: 1 "
    "is | "
    "not 2\\n\"}\n"
    "{\"Action\":\"fail\",\"Package\":\"m\",\"Test\":\"TestB\",\"Elapsed\":0.25}\n"
    "{\"Action\":\"run\",\"Package\":\"m\",\"Test\":\"TestC\"}\n"
    "{\"Action\":\"output\",\"Package\":\"m\",\"Test\":\"TestC\",\"Output\":\"    a_test.go:9: not "
    "today\\n\"}\n"
    "{\"Action\":\"skip\",\"Package\":\"m\",\"Test\":\"TestC\",\"Elapsed\":0}\n"
    "{\"Action\":\"output\",\"Package\":\"m\",\"Output\":\"FAIL\\tm\\t0.01s\\n\"}\n"
    "{\"Action\":\"fail\",\"Package\":\"m\",\"Elapsed\":0.01}\n";
static const char go_again[] =
    "{\"Action\":\"run\",\"Package\":\"m\",\"Test\":\"TestB\"}\n"
    "{\"Action\":\"pass\",\"Package\":\"m\",\"Test\":\"TestB\",\"Elapsed\":0.1}\n";

/* A project in Go, with one test that fails. */
static void make_project(void)
{
    ost_test_file(host, "go.mod", "module m\n");
    ost_test_file(host, "a_test.go", "package m\n");
    ost_test_on_exec(host, "go test *", .exit_code = 1, .out = go_output);
}

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

static void expect_outputs(const char *const *pairs)
{
    for (; *pairs; pairs += 2) {
        const char *value = ost_test_output(host, pairs[0]);

        cr_expect(value && strcmp(value, pairs[1]) == 0, "%s is '%s', not '%s'", pairs[0],
                  value ? value : "(nothing)", pairs[1]);
    }
}

static void expect_run(ost_status status, const char *failure)
{
    ost_status got = ost_test_run(host, OST_PHASE_MAIN);

    cr_expect_eq(got, status, "wanted %d, got %d: %s\n%s", status, got, ost_test_failure(host),
                 ost_test_log(host));
    if (failure)
        expect_has(ost_test_failure(host), failure);
}

Test(test_stage, tells_what_failed_where_and_why)
{
    const struct ost_note *note;

    make_project();
    expect_run(OST_E_FAILED, "1 of 3 tests failed");
    expect_outputs(OST_ARGV("total", "3", "passed", "1", "failed", "1", "skipped", "1", "flaky",
                            "0", "coverage", "", "diff-coverage", ""));
    cr_assert_eq(ost_test_notes(host), 1);
    note = ost_test_note(host, 0);
    cr_expect_eq(note->level, OST_ERROR);
    cr_expect_str_eq(note->file, "a_test.go");
    cr_expect_eq(note->line, 7);
    cr_expect_str_eq(note->title, "m > TestB");
    cr_expect_str_eq(note->message, "a_test.go:7: 1 is | not 2");
    expect_has(ost_test_log(host), "info: go test: 3 tests: 1 passed, 1 failed, 1 skipped, in ");
    expect_has(ost_test_log(host), "info: FAIL\tm\t0.01s");
    expect_has(ost_test_summary(host), "| go test | 3 | 1 | 1 | 1 | 0 |");
    expect_has(ost_test_summary(host), "- m \\> TestB `a_test.go:7` a\\_test.go:7: 1 is \\| not 2");
    expect_has(ost_test_summary(host), "| m \\> TestA | 1.50 s |\n| m \\> TestB | 0.25 s |");
}

Test(test_stage, writes_the_results_as_junit_xml)
{
    const char *report;

    make_project();
    ost_test_with(host, "artifact", "results");
    (void)ost_test_run(host, OST_PHASE_MAIN);
    report = ost_test_content(host, ost_test_output(host, "report"));
    expect_has(report, "<testsuites tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\">");
    expect_has(report, "<testcase classname=\"m\" name=\"TestA\" time=\"1.500000\"/>");
    expect_has(report, "name=\"TestB\" file=\"a_test.go\" line=\"7\" time=\"0.250000\"><failure ");
    cr_expect_str_eq(ost_test_artifact_file(host, "results", "junit.xml"), report);
    expect_run(OST_E_DENIED, "the run has an artifact 'results' already");
}

Test(test_stage, names_a_test_that_passes_when_run_again_as_flaky)
{
    make_project();
    ost_test_on_exec(host, "go test -json -count=1 -run ^(TestB)$ m", .out = go_again);
    ost_test_with(host, "retries", "2");
    expect_run(OST_OK, NULL);
    expect_outputs(OST_ARGV("total", "3", "passed", "2", "failed", "0", "flaky", "1"));
    cr_expect_eq(ost_test_execs(host, "go test *"), 2, "it is run again once");
    cr_assert_eq(ost_test_notes(host), 1);
    cr_expect_eq(ost_test_note(host, 0)->level, OST_WARNING);
    cr_expect_str_eq(ost_test_note(host, 0)->title, "flaky: m > TestB");
    expect_has(ost_test_note(host, 0)->message, "passed in attempt 2; before: a_test.go:7");
    expect_has(ost_test_summary(host),
               "#### Flaky\n\n- m \\> TestB `a_test.go:7` passed in attempt 2;");
    expect_has(ost_test_content(host, ost_test_output(host, "report")), "<flakyFailure");
}

Test(test_stage, runs_again_as_often_as_it_may_and_no_more)
{
    make_project();
    ost_test_with(host, "retries", "3");
    expect_run(OST_E_FAILED, "1 of 3 tests failed");
    cr_expect_eq(ost_test_execs(host, "go test *"), 4);
    expect_outputs(OST_ARGV("failed", "1", "flaky", "0"));
}

Test(test_stage, stops_running_again_what_comes_to_nothing)
{
    make_project();
    ost_test_with(host, "retries", "3");
    ost_test_on_exec(host, "go test -json -count=1 *", .exit_code = 2, .err = "no more memory\n");
    expect_run(OST_E_FAILED, "1 of 3 tests failed");
    cr_expect_eq(ost_test_execs(host, "go test *"), 2);
    expect_has(ost_test_log(host), "warning: attempt 2 came to nothing: no test was run");
}

Test(test_stage, takes_up_the_tests_of_a_class_that_came_up_in_the_end)
{
    static const char first[] =
        "setUpClass (a.tests.T) ... ERROR\ntest_x (a.tests.U.test_x) ... ok\n"
        "Ran 1 test in 0.1s\n";
    static const char again[] =
        "test_a (a.tests.T.test_a) ... ok\ntest_b (a.tests.T.test_b) ... FAIL\n"
        "Ran 2 tests in 0.1s\n";

    ost_test_file(host, "manage.py", "import django\n");
    ost_test_with(host, "retries", "1");
    ost_test_on_exec(host, "python manage.py test *", .exit_code = 1, .err = first);
    ost_test_on_exec(host, "python manage.py test * a.tests.T", .exit_code = 1, .err = again);
    expect_run(OST_E_FAILED, "1 of 4 tests failed");
    expect_outputs(OST_ARGV("passed", "3", "failed", "1", "flaky", "1"));
    expect_has(ost_test_summary(host),
               "#### Flaky\n\n- a.tests.T \\> setUpClass passed in attempt 2");
}

Test(test_stage, says_how_a_runner_ended_before_any_test)
{
    static const struct {
        struct ost_test_answer answer;
        ost_status status;
        const char *failure;
    } rows[] = {
        {{.exit_code = 3, .err = "fatal: no memory\n"},
         OST_E_FAILED,
         "go test ended with exit code 3 before it told of any test; it said last:\nfatal: no "
         "memory"},
        {{.signal = 11}, OST_E_FAILED, "was ended by signal 11 before it told of any test"},
        {{.exit_code = 0},
         OST_E_NOT_FOUND,
         "had no tests at all; if that is as it should be, set "
         "'fail-on-empty: false'"},
        {{.status = OST_E_NOT_FOUND},
         OST_E_NOT_FOUND,
         "there is no 'go' in this job; in an earlier step: set Go up with actions/setup-go"},
        {{.status = OST_E_IO, .error = "no pipe"}, OST_E_IO, "cannot run go test: no pipe"},
        {{.status = OST_E_TIMEOUT},
         OST_E_TIMEOUT,
         "go test was still running when its time was over"},
    };

    ost_test_file(host, "go.mod", "module m\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_answer_exec(host, "go test *", &rows[i].answer);
        expect_run(rows[i].status, rows[i].failure);
        expect_outputs(OST_ARGV("total", "0"));
    }
    ost_test_with(host, "fail-on-empty", "false");
    ost_test_on_exec(host, "go test *", .exit_code = 0);
    expect_run(OST_OK, NULL);
    ost_test_on_exec(host, "go test *", .exit_code = 1);
    expect_run(OST_E_FAILED, "before it told of any test");
}

Test(test_stage, believes_no_report_that_the_exit_code_gives_the_lie)
{
    make_project();
    ost_test_on_exec(host, "go test *", .exit_code = 4, .out = go_again, .err = "leaks found\n");
    expect_run(OST_E_FAILED,
               "no test failed, and yet go test ended with exit code 4; it said last:");
    ost_test_on_exec(host, "go test *", .exit_code = 0, .out = go_output);
    expect_run(OST_E_FAILED, "1 of 3 tests failed");
}

Test(test_stage, reads_the_reports_of_any_command)
{
    ost_test_with(host, "command", "make check");
    ost_test_with(host, "report", "out/*.xml");
    ost_test_file(host, "out/a.xml", "<testsuite><testcase name='a' classname='s'/></testsuite>");
    ost_test_file(host, "out/b.xml",
                  "<testsuite><testcase name='b'><failure message='no'/></testcase></testsuite>");
    expect_run(OST_E_FAILED, "1 of 2 tests failed");
    cr_expect_eq(ost_test_execs(host, "sh -e */command"), 1);
    expect_has(ost_test_log(host), "info: the command: make check");
    ost_test_with(host, "report", "nowhere/*.xml");
    expect_run(OST_E_NOT_FOUND, "no file matches 'report: nowhere/*.xml'");
    ost_test_with(host, "report", "");
    expect_run(OST_E_NOT_FOUND,
               "the command wrote no report: name the files that it writes in 'report'");
    ost_test_on_exec(host, "sh -e */command", .out = "TAP version 13\nok 1 - a\nok 2 - b\n1..2\n");
    expect_run(OST_OK, NULL);
    expect_outputs(OST_ARGV("total", "2", "passed", "2"));
}

Test(test_stage, reads_reports_alone)
{
    ost_test_with(host, "report", "a.xml");
    ost_test_file(host, "a.xml", "<testsuite><testcase name='a' time='2.5'/></testsuite>");
    expect_run(OST_OK, NULL);
    expect_outputs(OST_ARGV("total", "1", "duration", "2.500"));
    cr_expect_eq(ost_test_execs(host, "*"), 0);
    ost_test_file(host, "a.xml", "<testsuite><testcase name='a'/>");
    expect_run(OST_E_FAILED, "cannot be read as JUnit XML: line 1: no element found");
    expect_outputs(OST_ARGV("total", "1"));
}

Test(test_stage, refuses_bad_inputs)
{
    static const struct {
        const char *name, *value, *failure;
    } rows[] = {
        {"shard", "3/2", "'shard' is '3/2', and has to be"},
        {"shard", "0/2", "'shard' is '0/2'"},
        {"shard", "1/2/3", "'shard' is"},
        {"shard", "1/1000", "at most 256"},
        {"retries", "11", "'retries' is 11, and has to be a number from 0 to 10"},
        {"retries", "-1", "'retries' is -1"},
        {"timeout", "soon", "'timeout' is 'soon', and has to be minutes"},
        {"timeout", "0", "'timeout' is '0'"},
        {"arguments", "-k 'x", "a quote in 'arguments' is not closed"},
        {"path", "../x", "leads out of the workspace"},
        {"path", "nowhere", "there is no folder 'nowhere' in the workspace"},
        {"coverage-threshold", "lots",
         "'coverage-threshold' is 'lots', and has to be a percentage"},
        {"coverage-threshold", "100.5", "has to be a percentage"},
        {"coverage-threshold", "80", "a threshold needs 'coverage'"},
        {"runner", "criterion", "the runner 'criterion' needs 'command'"},
    };

    make_project();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, rows[i].name, rows[i].value);
        cr_expect_lt(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", rows[i].value);
        expect_has(ost_test_failure(host), rows[i].failure);
        cr_expect_eq(ost_test_execs(host, "*"), 0);
        ost_test_with(host, rows[i].name,
                      strcmp(rows[i].name, "retries") == 0  ? "0"
                      : strcmp(rows[i].name, "runner") == 0 ? "auto"
                                                            : "");
    }
    ost_test_with(host, "command", "make check");
    ost_test_with(host, "shard", "1/2");
    expect_run(OST_E_INVALID, "'shard' needs a runner whose tests can be listed, and a command of "
                              "your own is none");
}

static void make_shards(void)
{
    make_project();
    ost_test_on_exec(host, "go list *", .out = "m/a\nm/b\nm/c\n");
    ost_test_on_exec(host, "tee -- */ostler-test-go-*-of-2*", .exit_code = 0);
}

Test(test_stage, runs_its_shard)
{
    make_shards();
    ost_test_without(host, "ostler.artifacts/1");
    ost_test_with(host, "shard", "2/2");
    expect_run(OST_E_FAILED, "1 of 2 tests failed");
    cr_expect_eq(ost_test_execs(host, "go test -json m/b"), 1);
    expect_has(ost_test_log(host), "shard 2/2: 1 of 3 packages, split by name, since no durations");
    expect_has(ost_test_summary(host), "| go test, shard 2/2 | 2 |");
    ost_test_with(host, "shard", "1/2");
    (void)ost_test_run(host, OST_PHASE_MAIN);
    cr_expect_eq(ost_test_execs(host, "go test -json m/a m/c"), 1);
}

Test(test_stage, is_content_with_an_empty_shard)
{
    make_shards();
    ost_test_without(host, "ostler.artifacts/1");
    ost_test_with(host, "shard", "4/4");
    expect_run(OST_OK, NULL);
    expect_outputs(OST_ARGV("total", "0"));
    cr_expect_eq(ost_test_execs(host, "go test *"), 0);
}

Test(test_stage, says_why_tests_cannot_be_listed)
{
    make_project();
    ost_test_with(host, "shard", "1/2");
    ost_test_on_exec(host, "go list *", .exit_code = 1, .err = "no such module\n");
    expect_run(OST_E_FAILED,
               "cannot list the tests: 'go list -e ./...' ended with exit code 1: no such "
               "module");
}

/* ---- coverage ---- */

static void make_coverage(void)
{
    make_project();
    ost_test_on_exec(host, "go test *", .out = go_again);
    ost_test_file(host, "a.go", "package m\n");
    ost_test_file(host, "cover.out", "mode: set\nm/a.go:1.1,3.9 1 1\nm/a.go:4.1,4.9 1 0\n");
    ost_test_with(host, "coverage", "cover.out");
}

Test(test_stage, holds_coverage_against_a_threshold)
{
    make_coverage();
    expect_run(OST_OK, NULL);
    expect_outputs(OST_ARGV("coverage", "75.00", "diff-coverage", ""));
    expect_has(ost_test_summary(host), "| Flaky | Time | Coverage |");
    ost_test_with(host, "coverage-threshold", "75");
    expect_run(OST_OK, NULL);
    ost_test_with(host, "coverage-threshold", "75.01");
    expect_run(OST_E_FAILED, "75.00 % of the lines are covered, and 'coverage-threshold' is 75.01");
    ost_test_with(host, "coverage", "nowhere.xml");
    expect_run(OST_E_NOT_FOUND, "no file matches 'coverage: nowhere.xml'");
    expect_outputs(OST_ARGV("total", "1", "coverage", ""));
    ost_test_on_exec(host, "go test *", .exit_code = 1, .out = go_output);
    expect_run(OST_E_FAILED, "1 of 3 tests failed");
}

Test(test_stage, puts_no_secret_of_a_command_where_others_see_it)
{
    ost_test_with(host, "command", "make check TOKEN=hunter2");
    ost_test_with(host, "fail-on-empty", "false");
    expect_run(OST_OK, NULL);
    cr_expect_eq(ost_test_execs(host, "*hunter2*"), 0);
    cr_expect_eq(ost_test_execs(host, "sh -e *"), 1);
}

Test(test_stage, holds_changed_lines_against_a_threshold)
{
    make_coverage();
    ost_test_with(host, "base", "main");
    ost_test_with(host, "diff-coverage-threshold", "60");
    ost_test_on_exec(host, "git * diff *", .out = "+++ b/a.go\n@@ -3,2 +3,2 @@\n-a\n-b\n+c\n+d\n");
    expect_run(OST_E_FAILED,
               "50.00 % of the changed lines are covered, and 'diff-coverage-threshold' "
               "is 60");
    expect_outputs(OST_ARGV("coverage", "75.00", "diff-coverage", "50.00"));
    ost_test_on_exec(host, "git * diff *", .out = "+++ b/README\n@@ -3 +3 @@\n-a\n+c\n");
    expect_run(OST_OK, NULL);
    expect_outputs(OST_ARGV("diff-coverage", ""));
}

/* ---- plan, cancel, faults ---- */

Test(test_stage, plans_without_running_anything)
{
    static const char *const wanted[] = {
        "test go test: found by go.mod",
        "choose shard 2/3: by how long each took in earlier runs; listed by go list -e ./...",
        "run go test -json -race ./...",
        "retry failed tests: up to 1 times",
        "read cover.out: coverage",
        "upload the artifact 'r': the results as JUnit XML",
    };

    make_project();
    ost_test_with(host, "shard", "2/3");
    ost_test_with(host, "retries", "1");
    ost_test_with(host, "arguments", "-race");
    ost_test_with(host, "coverage", "cover.out");
    ost_test_with(host, "artifact", "r");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(host));
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        cr_expect_str_eq(ost_test_planned(host, i), wanted[i], "%s", ost_test_planned(host, i));
    cr_expect_null(ost_test_planned(host, sizeof wanted / sizeof wanted[0]));
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

Test(test_stage, tells_what_came_until_it_was_cancelled)
{
    make_project();
    ost_test_on_exec(host, "go test *", .status = OST_E_CANCELLED);
    expect_run(OST_E_CANCELLED, NULL);
    expect_has(ost_test_log(host), "warning: the job was cancelled: what follows is what was told");
}

Test(test_stage, survives_the_failure_of_any_service)
{
    make_coverage();
    ost_test_on_exec(host, "git * diff *", .out = "+++ b/a.go\n@@ -1 +1 @@\n-a\n+c\n");
    ost_test_on_exec(host, "go test *", .exit_code = 1, .out = go_output);
    ost_test_on_exec(host, "go test -json -count=1 *", .out = go_again);
    ost_test_with(host, "base", "main");
    ost_test_with(host, "retries", "1");
    ost_test_with(host, "artifact", "results");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN), 20);
}

Test(test_stage, survives_the_failure_of_any_service_in_a_shard)
{
    make_shards();
    ost_test_exec_for_real(host, NULL);
    ost_test_on_exec(host, "tee -- */ostler-test-go-*", .exit_code = 0);
    ost_test_on_exec(host, "go test *", .out = go_again);
    ost_test_without(host, "ostler.artifacts/1");
    ost_test_with(host, "shard", "1/2");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN), 15);
}

Test(test_stage, survives_the_failure_of_any_service_in_a_plan)
{
    make_project();
    ost_test_with(host, "shard", "1/2");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_PLAN), 5);
}
