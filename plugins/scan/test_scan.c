#include <ostler/plugin.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <ostler/test.h>
#include <string.h>
#include <unistd.h>

#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

/* Made up, and in two pieces: see test_scan_rules.c. */
#define GITHUB                                                                                     \
    "ghp_"                                                                                         \
    "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz"
#define NPM                                                                                        \
    "npm_"                                                                                         \
    "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz"
#define GENERIC                                                                                    \
    "q7Wz9Kx2"                                                                                     \
    "Lp4Vn8Rt"

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

TestSuite(scan, .init = enter, .fini = leave);

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

static void expect_ok(void)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, OST_OK, "%d: %s\n%s", r, ost_test_failure(host), ost_test_log(host));
}

static void expect_output(const char *name, const char *value)
{
    const char *got = ost_test_output(host, name);

    cr_expect_str_eq(got ? got : "(none)", value, "%s is '%s'", name, got ? got : "(none)");
}

/* No byte of a secret but its first four, wherever it may be looked for. */
static void expect_kept_secret(const char *secret)
{
    const char *rest = secret + 4;

    cr_expect_not(strstr(ost_test_log(host), rest), "%s", ost_test_log(host));
    cr_expect_not(strstr(ost_test_summary(host), rest));
    cr_expect_not(strstr(ost_test_failure(host), rest));
    for (size_t i = 0; i < ost_test_notes(host); i++)
        cr_expect_not(strstr(ost_test_note(host, i)->message, rest));
    for (size_t i = 0; ost_test_exec(host, i); i++) {
        cr_expect_not(strstr(ost_test_exec(host, i), rest));
        cr_expect_not(strstr(ost_test_exec_input(host, i), rest));
    }
}

static void sh(const char *script)
{
    struct ost_exec_result res = OST_RESULT;

    cr_assert_eq(ost_exec(ost_test_step(host), &res, .argv = OST_ARGV("sh", "-ec", script)),
                 OST_OK);
    cr_assert_eq(res.exit_code, 0, "%s", script);
}

/* main, and a branch with two commits: the second takes away what the first added. */
static void make_repository(void)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_on_exec(host, "trivy *", .status = OST_E_NOT_FOUND);
    ost_test_on_exec(host, "grype *", .status = OST_E_NOT_FOUND);
    scratch_file("old.py", "t = '" GENERIC "'\ntoken = '" GENERIC "'\n");
    sh("git init -q -b main; git config user.name t; git config user.email t@t.test\n"
       "git add -A; git commit -qm one; git checkout -qb work");
    scratch_file("src/new.py", "a = 1\nkey = '" GITHUB "'\n");
    scratch_file("gone.py", "x\nkey = '" NPM "'\n");
    sh("git add -A; git commit -qm two; git rm -q gone.py; git commit -qm three");
    ost_test_with(host, "base", "main");
}

Test(scan, finds_what_a_branch_brings_and_what_its_commits_took_back)
{
    const struct ost_note *note;

    make_repository();
    expect_failure(OST_E_FAILED, "2 secrets found: whoever can read the repository has them");
    cr_assert_eq(ost_test_notes(host), 2, "%s", ost_test_log(host));
    note = ost_test_note(host, 0);
    cr_expect_str_eq(note->file, "gone.py");
    expect_has(note->message, "an npm token: npm_... (40 characters), in line 2 as of commit ");
    cr_expect_eq(note->line, 0);
    note = ost_test_note(host, 1);
    cr_expect_str_eq(note->file, "src/new.py");
    cr_expect_str_eq(note->title, "scan: github-token");
    cr_expect_str_eq(note->message, "a GitHub token: ghp_... (40 characters)");
    cr_expect_eq(note->line, 2);
    cr_expect_eq(note->col, 8);
    cr_expect_eq(note->end_col, 47);
    expect_output("secrets", "2");
    expect_output("errors", "2");
    expect_output("vulnerabilities", "");
    expect_kept_secret(GITHUB);
    expect_kept_secret(NPM);
    expect_has(ost_test_log(host), "neither trivy nor grype is in this job");
    expect_has(ost_test_summary(host), "| secrets | 2 | 0 | 0 |");
}

Test(scan, looks_at_the_tree_or_at_all_that_ever_was)
{
    make_repository();
    ost_test_with(host, "fail-on", "never");
    ost_test_with(host, "scope", "tree");
    expect_ok();
    expect_output("secrets", "2"); /* old.py and src/new.py */
    expect_output("warnings", "1");
    ost_test_with(host, "scope", "history");
    expect_ok();
    expect_output("secrets", "3");
    ost_test_with(host, "scope", "tree");
    ost_test_with(host, "paths", "src");
    expect_ok();
    expect_output("secrets", "1");
    ost_test_with(host, "scope", "diff");
    ost_test_with(host, "paths", "old.py");
    expect_ok();
    expect_output("secrets", "0");
}

Test(scan, looks_at_everything_where_there_is_no_repository)
{
    ost_test_on_exec(host, "*", .status = OST_E_NOT_FOUND);
    scratch_file("a/b.py", "key = '" GITHUB "'\n");
    scratch_file("bin", "\177ELF");
    ost_test_with(host, "scope", "tree");
    expect_failure(OST_E_FAILED, "1 secret found");
    cr_expect_str_eq(ost_test_note(host, 0)->file, "a/b.py");
    ost_test_with(host, "scope", "diff");
    expect_failure(OST_E_NOT_FOUND, "'scope: diff' needs git");
}

Test(scan, knows_a_repository_in_a_folder_of_the_workspace)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_with(host, "vulnerabilities", "never");
    scratch_file("sub/a.py", "x\n");
    sh("cd sub; git init -q -b main; git config user.name t; git config user.email t@t.test\n"
       "git add -A; git commit -qm one; git checkout -qb work");
    scratch_file("sub/b c.py", "key = '" GITHUB "'\n");
    sh("cd sub; git add -A; git commit -qm two");
    ost_test_with(host, "base", "main");
    ost_test_with(host, "paths", "sub");
    expect_failure(OST_E_FAILED, "1 secret found");
    cr_expect_str_eq(ost_test_note(host, 0)->file, "sub/b c.py");
    ost_test_with(host, "paths", ".");
    expect_failure(OST_E_INVALID, "'scope: diff' needs a git repository");
}

Test(scan, takes_the_first_push_of_a_branch_as_new)
{
    make_repository();
    sh("git checkout -q main");
    ost_test_with(host, "base", "");
    ost_test_with(host, "fail-on", "never");
    ost_test_context(host, "github.event.before", "0000000000000000000000000000000000000000");
    ost_test_context(host, "github.ref", "refs/heads/main");
    ost_test_context(host, "github.event.repository.default_branch", "main");
    expect_ok();
    expect_output("secrets", "3");
}

Test(scan, lets_pass_what_is_allowed)
{
    make_repository();
    scratch_file(".ostler-allow", "path gone.py\nrule github-token src/\n");
    expect_ok();
    expect_has(ost_test_log(host), ", 3 allowed");
    scratch_file("src/new.py", "a = 1\nkey = '" GITHUB "'  # ostler:allow\n");
    scratch_file(".ostler-allow", "path gone.py\n");
    expect_failure(OST_E_FAILED, "1 secret found"); /* the commit has it without the comment */
    scratch_file(".ostler-allow", "nonsense\n");
    expect_failure(OST_E_INVALID, "line 1 of '.ostler-allow' cannot be understood");
    ost_test_with(host, "allow-list", "other");
    expect_failure(OST_E_NOT_FOUND, "'allow-list: other' is no file");
}

Test(scan, follows_no_link_and_reads_no_giant)
{
    make_repository();
    ost_test_with(host, "scope", "tree");
    ost_test_with(host, "paths", "more");
    scratch_file("outside", "key = '" GITHUB "'\n");
    scratch_file("more/real", "nothing\n");
    cr_assert_eq(symlink("../outside", "more/link"), 0);
    sh("cd more; truncate -s 6M big; git add -A .");
    expect_ok();
    expect_output("secrets", "0");
    ost_test_said(host, "warning: 1 files are larger than 5 MiB*");
}

Test(scan, asks_the_scanner_that_is_there)
{
    make_repository();
    scratch_file("src/new.py", "");
    ost_test_with(host, "scope", "tree");
    ost_test_with(host, "paths", "src");
    ost_test_with(host, "arguments", "--ignore-unfixed");
    ost_test_on_exec(host, "trivy *", .out_file = PLUGIN_DIR "/fixtures/trivy.json");
    expect_failure(OST_E_FAILED, "3 vulnerabilities found");
    cr_expect_eq(ost_test_execs(host, "trivy fs --quiet --format json --scanners vuln "
                                      "--ignore-unfixed ."),
                 1);
    expect_output("scanner", "trivy");
    expect_output("vulnerabilities", "3");
    expect_output("errors", "1");
    expect_output("warnings", "1");
    cr_expect_str_eq(ost_test_note(host, 0)->title, "trivy: CVE-2021-23337");
    ost_test_with(host, "severity", "critical");
    expect_ok();
    ost_test_said(host, "info: trivy: 0 vulnerabilities, 3 below 'severity' left out");

    ost_test_on_exec(host, "trivy *", .status = OST_E_NOT_FOUND);
    ost_test_on_exec(host, "grype *", .out_file = PLUGIN_DIR "/fixtures/grype.json");
    ost_test_with(host, "severity", "low");
    ost_test_with(host, "target", "image:acme/app:1");
    expect_failure(OST_E_FAILED, "2 vulnerabilities found");
    cr_expect_eq(ost_test_execs(host, "grype --quiet --output json --ignore-unfixed acme/app:1"),
                 1);
    ost_test_with(host, "target", "archive:out/app.tar");
    expect_failure(OST_E_FAILED, "2 vulnerabilities found");
    cr_expect_eq(ost_test_execs(host, "grype * docker-archive:out/app.tar"), 1);
}

Test(scan, says_when_nobody_looked_for_vulnerabilities)
{
    make_repository();
    ost_test_with(host, "fail-on", "never");
    ost_test_with(host, "vulnerabilities", "required");
    expect_failure(OST_E_NOT_FOUND, "'vulnerabilities: required' needs trivy or grype");
    ost_test_on_exec(host, "trivy *", .exit_code = 1, .err = "INFO x\nFATAL no database\n");
    expect_failure(OST_E_FAILED,
                   "trivy could not do its work (exit code 1), so nobody knows what it "
                   "would have found: FATAL no database");
    ost_test_on_exec(host, "trivy *", .out = "hello");
    expect_failure(OST_E_FAILED, "trivy printed what is not its usual report");
    ost_test_with(host, "vulnerabilities", "never");
    expect_ok();
    cr_expect_eq(ost_test_execs(host, "trivy *"), 0);
    ost_test_with(host, "target", "--config=x");
    expect_failure(OST_E_INVALID, "is neither a folder nor an image");
}

Test(scan, writes_sarif)
{
    json_error_t error;
    json_t *sarif = NULL, *runs;

    make_repository();
    ost_test_on_exec(host, "trivy *", .out_file = PLUGIN_DIR "/fixtures/trivy.json");
    ost_test_with(host, "sarif", "out/scan.sarif");
    ost_test_with(host, "fail-on", "never");
    expect_ok();
    sarif = json_load_file("out/scan.sarif", 0, &error);
    cr_assert_not_null(sarif, "%d: %s", error.line, error.text);
    runs = json_object_get(sarif, "runs");
    cr_assert_eq(json_array_size(runs), 2);
    cr_expect_eq(json_array_size(json_object_get(json_array_get(runs, 0), "results")), 2);
    cr_expect_eq(json_array_size(json_object_get(json_array_get(runs, 1), "results")), 3);
    json_decref(sarif);
    expect_kept_secret(GITHUB);
}

Test(scan, plans_without_running_anything)
{
    ost_test_with(host, "sarif", "scan.sarif");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "scan secrets: in what the push or the pull request brings");
    cr_expect_str_eq(ost_test_planned(host, 1),
                     "scan vulnerabilities: trivy fs --quiet --format json "
                     "--scanners vuln ., if it is there");
    cr_expect_str_eq(ost_test_planned(host, 3), "write scan.sarif: findings as SARIF 2.1.0");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
    ost_test_with(host, "paths", "../x");
    cr_expect_eq(ost_test_run(host, OST_PHASE_PLAN), OST_E_INVALID);
    expect_has(ost_test_failure(host), "leads out of the workspace");
}

static void never_passes(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)t;
    (void)ctx;
    cr_expect(round->status < OST_OK, "%s", round->call);
}

Test(scan, survives_whatever_fails_and_stops_when_cancelled)
{
    make_repository();
    ost_test_on_exec(host, "trivy *", .out_file = PLUGIN_DIR "/fixtures/trivy.json");
    ost_test_with(host, "scope", "history");
    ost_test_with(host, "sarif", "scan.sarif");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .undisturbed = OST_E_FAILED,
                                     .after = never_passes),
                 20);
}
