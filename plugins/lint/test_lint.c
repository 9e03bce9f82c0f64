#include <ostler/plugin.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(lint, .init = enter, .fini = leave);

static const char eslint_output[] =
    "[{\"filePath\":\"web/a.ts\",\"messages\":["
    "{\"ruleId\":\"eqeqeq\",\"severity\":2,\"message\":\"Expected '==='.\",\"line\":8,\"column\":9,"
    "\"endLine\":8,\"endColumn\":11},"
    "{\"ruleId\":\"no-console\",\"severity\":1,\"message\":\"No console | "
    "here.\",\"line\":3,\"column\":5}]}]";

/* A project with ESLint and flake8, and what the two find there. */
static void make_project(void)
{
    scratch_file("eslint.config.js", "");
    scratch_file(".flake8", "");
    scratch_file("web/a.ts", "");
    ost_test_on_exec(host, "eslint *", .exit_code = 1, .out = eslint_output);
    ost_test_on_exec(host, "flake8 *", .exit_code = 1,
                     .out = "./api.py:6:13: E251 unexpected spaces\n");
}

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

static void expect_failure(ost_status status, const char *text)
{
    ost_status got = ost_test_run(host, OST_PHASE_MAIN);

    cr_expect_eq(got, status, "wanted %d, got %d: %s\n%s", status, got, ost_test_failure(host),
                 ost_test_log(host));
    expect_has(ost_test_failure(host), text);
}

Test(lint, annotates_what_each_linter_finds)
{
    const struct ost_note *note;

    make_project();
    expect_failure(OST_E_FAILED, "2 errors and 1 warning found");
    cr_assert_eq(ost_test_notes(host), 3);
    note = ost_test_note(host, 1);
    cr_expect_eq(note->level, OST_ERROR);
    cr_expect_str_eq(note->file, "web/a.ts");
    cr_expect_str_eq(note->title, "eslint: eqeqeq");
    cr_expect_str_eq(note->message, "Expected '==='.");
    cr_expect_eq(note->line, 8);
    cr_expect_eq(note->col, 9);
    cr_expect_eq(note->end_line, 8);
    cr_expect_eq(note->end_col, 10);
    cr_expect_eq(ost_test_note(host, 0)->level, OST_WARNING);
    cr_expect_str_eq(ost_test_note(host, 2)->title, "flake8: E251");
    cr_expect_str_eq(ost_test_output(host, "errors"), "2");
    cr_expect_str_eq(ost_test_output(host, "warnings"), "1");
    cr_expect_str_eq(ost_test_output(host, "sarif"), "");
    expect_has(ost_test_log(host), "info: eslint: 1 error, 1 warning in 1 file (");
}

Test(lint, summarises_in_a_table)
{
    make_project();
    ost_test_run(host, OST_PHASE_MAIN);
    expect_has(ost_test_summary(host),
               "| Linter | Files with findings | Errors | Warnings | Time |\n");
    expect_has(ost_test_summary(host), "| eslint | 1 | 1 | 1 | 0.0 s |\n");
    expect_has(ost_test_summary(host), "| flake8 | 1 | 1 | 0 | 0.0 s |\n");
    expect_has(ost_test_summary(host),
               "- warning `web/a.ts:3` No console \\| here. "
               "([no-console](https://eslint.org/docs/latest/rules/no-console))\n");
}

Test(lint, fails_on_what_it_is_told_to)
{
    static const struct {
        const char *fail_on, *max_warnings, *out;
        ost_status status;
    } rows[] = {
        {"error", "-1", "a.yml:1:1: [warning] x (y)\n", OST_OK},
        {"error", "0", "a.yml:1:1: [warning] x (y)\n", OST_E_FAILED},
        {"error", "1", "a.yml:1:1: [warning] x (y)\n", OST_OK},
        {"warning", "-1", "a.yml:1:1: [warning] x (y)\n", OST_E_FAILED},
        {"error", "-1", "a.yml:1:1: [error] x (y)\n", OST_E_FAILED},
        {"never", "0", "a.yml:1:1: [warning] x (y)\na.yml:1:1: [error] x (y)\n", OST_OK},
        {"error", "-1", "", OST_OK},
    };

    scratch_file(".yamllint", "");
    scratch_file("a.yml", "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_status r;

        ost_test_with(host, "fail-on", rows[i].fail_on);
        ost_test_with(host, "max-warnings", rows[i].max_warnings);
        ost_test_on_exec(host, "yamllint *", .out = rows[i].out);
        r = ost_test_run(host, OST_PHASE_MAIN);
        cr_expect_eq(r, rows[i].status, "row %zu: %d %s", i, r, ost_test_failure(host));
    }
}

Test(lint, tells_how_to_install_a_named_linter_that_is_missing)
{
    static const struct {
        const char *linter, *cure;
    } rows[] = {
        {"eslint", "npm install --save-dev eslint"},  {"ruff", "pip install ruff"},
        {"shellcheck", "apt-get install shellcheck"}, {"clang-tidy", "compile_commands.json"},
        {"cppcheck", "apt-get install cppcheck"},     {"tsc", "there is no 'tsconfig.json'"},
    };

    scratch_file("a.sh", "");
    ost_test_on_exec(host, "*", .status = OST_E_NOT_FOUND);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, "linters", rows[i].linter);
        expect_failure(OST_E_NOT_FOUND, rows[i].cure);
    }
}

Test(lint, leaves_out_what_is_configured_but_missing_and_says_so)
{
    make_project();
    ost_test_on_exec(host, "eslint *", .status = OST_E_NOT_FOUND);
    ost_test_on_exec(host, "flake8 *", .exit_code = 0);
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    expect_has(ost_test_log(host),
               "warning: eslint is not installed in this job; install it in an earlier "
               "step: npm install --save-dev eslint: it was left out");
    expect_has(ost_test_summary(host), "| eslint | left out | | | |\n");

    /* With nothing left that could find anything, all is not well. */
    ost_test_on_exec(host, "flake8 *", .status = OST_E_NOT_FOUND);
    expect_failure(OST_E_NOT_FOUND, "is not installed in this job");
}

Test(lint, fails_when_a_linter_crashes_whatever_fails_on)
{
    make_project();
    ost_test_with(host, "fail-on", "never");
    ost_test_on_exec(host, "eslint *", .exit_code = 2, .err = "Oops!\nboom in rule x\n");
    expect_failure(OST_E_FAILED, "eslint could not do its work");
    expect_has(ost_test_log(host),
               "error: eslint printed what is not its usual output (exit code 2)");
    expect_has(ost_test_log(host), "boom in rule x");
    expect_has(ost_test_summary(host), "| eslint | failed | | |");
    cr_expect_str_eq(ost_test_output(host, "errors"), "1", "flake8's findings still count");
}

Test(lint, warns_when_no_linter_is_configured)
{
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    expect_has(ost_test_log(host), "warning: nothing to lint: no linter is configured in '.'");
    cr_expect_str_eq(ost_test_output(host, "errors"), "0");
}

Test(lint, refuses_bad_inputs)
{
    ost_test_with(host, "linters", "eslint, pylint");
    expect_failure(OST_E_INVALID,
                   "there is no linter 'pylint' here; known are auto, eslint, prettier");
    ost_test_with(host, "linters", "auto");
    ost_test_with(host, "paths", "nowhere");
    expect_failure(OST_E_NOT_FOUND, "there is no 'nowhere' in the workspace");
    ost_test_with(host, "paths", "a/../../b");
    expect_failure(OST_E_INVALID, "the path 'a/../../b' leads out of the workspace");
    ost_test_with(host, "paths", "/etc");
    expect_failure(OST_E_INVALID, "leads out of the workspace");
}

Test(lint, takes_linters_in_one_line_or_in_several)
{
    make_project();
    ost_test_with(host, "linters", "ESLint , flake8");
    ost_test_run(host, OST_PHASE_MAIN);
    cr_expect_eq(ost_test_execs(host, "eslint *"), 1);
    cr_expect_eq(ost_test_execs(host, "flake8 *"), 1);
    ost_test_with(host, "linters", "flake8");
    ost_test_run(host, OST_PHASE_MAIN);
    cr_expect_eq(ost_test_execs(host, "eslint *"), 0);
    cr_expect_eq(ost_test_execs(host, "flake8 *"), 1);
}

Test(lint, drops_what_lies_outside_the_paths)
{
    make_project();
    ost_test_with(host, "paths", "web");
    expect_failure(OST_E_FAILED, "1 error and 1 warning found");
}

Test(lint, counts_only_what_changed)
{
    make_project();
    ost_test_with(host, "changed-only", "true");
    ost_test_with(host, "base", "main");
    ost_test_on_exec(host, "git * diff *", .out = "+++ b/web/a.ts\n@@ -3 +3 @@\n-x\n+y\n");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_output(host, "errors"), "0");
    cr_expect_str_eq(ost_test_output(host, "warnings"), "1");

    ost_test_on_exec(host, "git * diff *", .exit_code = 0);
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_eq(ost_test_execs(host, "eslint *"), 0, "there was nothing to lint");
}

Test(lint, writes_sarif)
{
    json_error_t error;
    json_t *sarif, *run, *result;

    make_project();
    ost_test_with(host, "sarif", "out/lint \xc3\xa4.sarif");
    ost_test_run(host, OST_PHASE_MAIN);
    cr_expect_str_eq(ost_test_output(host, "sarif"), "out/lint \xc3\xa4.sarif");
    cr_expect_eq(ost_test_execs(host, "mkdir -p -- out"), 1);
    cr_expect_eq(
        ost_test_execs(host, "mv -f -- out/lint \xc3\xa4.sarif.part out/lint \xc3\xa4.sarif"), 1);
    for (size_t i = 0;; i++) {
        cr_assert_not_null(ost_test_exec(host, i), "no tee");
        if (strncmp(ost_test_exec(host, i), "tee ", 4) != 0)
            continue;
        sarif = json_loads(ost_test_exec_input(host, i), 0, &error);
        break;
    }
    cr_assert_not_null(sarif, "%d: %s", error.line, error.text);
    cr_expect_str_eq(json_string_value(json_object_get(sarif, "version")), "2.1.0");
    cr_assert_eq(json_array_size(json_object_get(sarif, "runs")), 2);
    run = json_array_get(json_object_get(sarif, "runs"), 0);
    result = json_array_get(json_object_get(run, "results"), 1);
    {
        const char *uri = NULL, *level = NULL, *rule = NULL, *help = NULL;
        int index = -1, line = 0, column = 0, end = 0;

        cr_expect_eq(json_unpack_ex(result, &error, 0,
                                    "{s:s,s:s,s:i,s:{s:s},s:[{s:{s:{s:s},s:{s:i,s:i,s:i}}}]}",
                                    "level", &level, "ruleId", &rule, "ruleIndex", &index,
                                    "message", "text", &help, "locations", "physicalLocation",
                                    "artifactLocation", "uri", &uri, "region", "startLine", &line,
                                    "startColumn", &column, "endColumn", &end),
                     0, "%s", error.text);
        cr_expect_str_eq(level, "error");
        cr_expect_str_eq(rule, "eqeqeq");
        cr_expect_str_eq(uri, "web/a.ts");
        cr_expect_eq(line, 8);
        cr_expect_eq(column, 9);
        cr_expect_eq(end, 11);
        cr_expect_eq(json_unpack_ex(run, &error, 0, "{s:{s:{s:[{s:s,s:s}]}}}", "tool", "driver",
                                    "rules", "id", &rule, "helpUri", &help),
                     0, "%s", error.text);
        cr_expect_eq(index, 0);
        cr_expect_str_eq(help, "https://eslint.org/docs/latest/rules/eqeqeq");
    }
    json_decref(sarif);
}

Test(lint, writes_sarif_that_is_json_whatever_a_linter_says)
{
    json_t *sarif = NULL;

    scratch_file(".yamllint", "");
    scratch_file("a.yml", "");
    ost_test_with(host, "sarif", "lint.sarif");
    ost_test_on_exec(host, "yamllint *",

                     .out = "a\xff%.yml:1:1: [error] \"q\" \\ \x01 \xc3\xa4 \xe2\x28 \xed\xa0\x80 "
                            "\xf0\x9f\x98\x80 \xc3\n");
    ost_test_run(host, OST_PHASE_MAIN);
    for (size_t i = 0; ost_test_exec(host, i); i++)
        if (strncmp(ost_test_exec(host, i), "tee ", 4) == 0)
            sarif = json_loads(ost_test_exec_input(host, i), 0, NULL);
    cr_assert_not_null(sarif);
    json_decref(sarif);
}

Test(lint, says_when_the_sarif_file_cannot_be_written)
{
    make_project();
    ost_test_with(host, "fail-on", "never");
    ost_test_with(host, "sarif", "lint.sarif");
    ost_test_on_exec(host, "tee *", .exit_code = 1, .err = "tee: no space\n");
    expect_failure(OST_E_EXIT, "cannot write 'lint.sarif'");
}

Test(lint, shows_a_bounded_number_of_findings)
{
    char *text = malloc(3000 * 32), *at = text;

    for (int i = 0; i < 2500; i++)
        at += snprintf(at, 32, "a.yml:%d:1: [%s] x (y)\n", i + 1, i % 2 ? "error" : "warning");
    scratch_file(".yamllint", "");
    scratch_file("a.yml", "");
    ost_test_on_exec(host, "yamllint *", .exit_code = 1, .out = text);
    free(text);
    expect_failure(OST_E_FAILED, "1250 errors and 1250 warnings found");
    cr_expect_eq(ost_test_notes(host), 1000);
    for (size_t i = 0; i < ost_test_notes(host); i++)
        cr_assert_eq(ost_test_note(host, i)->level, OST_ERROR, "errors go first");
    expect_has(ost_test_log(host), "1500 more are not shown one by one");
    expect_has(ost_test_summary(host), "… and 2480 more");
}

Test(lint, plans_without_running_anything)
{
    make_project();
    ost_test_with(host, "sarif", "lint.sarif");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "lint eslint: eslint --format json --no-error-on-unmatched-pattern .");
    cr_expect_str_eq(ost_test_planned(host, 1), "lint flake8: flake8 --format=default .");
    cr_expect_str_eq(ost_test_planned(host, 2), "write lint.sarif: findings as SARIF 2.1.0");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

static void never_passes(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)t;
    (void)ctx;
    cr_expect_lt(round->status, OST_OK, "%s", round->call);
}

Test(lint, survives_the_failure_of_any_service_and_stops_when_cancelled)
{
    make_project();
    ost_test_with(host, "sarif", "lint.sarif");
    ost_test_with(host, "changed-only", "true");
    ost_test_with(host, "base", "main");
    ost_test_on_exec(host, "git * diff *", .out = "+++ b/web/a.ts\n@@ -1 +1,9 @@\n");
    ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .undisturbed = OST_E_FAILED,
                        .after = never_passes);
}
