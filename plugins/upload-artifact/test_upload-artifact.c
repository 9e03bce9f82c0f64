#include "settings.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_context(host, "github.server_url", "https://github.com");
    ost_test_context(host, "github.repository", "acme/app");
    ost_test_context(host, "github.run_id", "77");
    ost_test_with(host, "path", "out");
    scratch_file("out/a.txt", "A");
    scratch_file("out/sub/b.txt", "BB");
    scratch_file("out/.hidden/c", "C");
    scratch_file("other/d", "D");
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(upload, .init = enter, .fini = leave);

static void run(ost_status wanted)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 ost_test_failure(host), ost_test_log(host));
}

static void expect_file(const char *artifact, const char *file, const char *content)
{
    const char *got = ost_test_artifact_file(host, artifact, file);

    cr_expect(content ? got && strcmp(got, content) == 0 : !got, "%s in %s: wanted '%s', got '%s'",
              file, artifact, content ? content : "nothing", got ? got : "nothing");
}

static void fails(const char *text)
{
    cr_expect(strstr(ost_test_failure(host), text), "wanted '%s', got '%s'", text,
              ost_test_failure(host));
}

Test(upload, a_folder_is_the_root_of_what_is_in_it)
{
    run(OST_OK);
    expect_file("artifact", "a.txt", "A");
    expect_file("artifact", "sub/b.txt", "BB");
    expect_file("artifact", ".hidden/c", NULL);
    cr_expect_str_eq(ost_test_output(host, "artifact-id"), "1");
    cr_expect_str_eq(ost_test_output(host, "artifact-url"),
                     "https://github.com/acme/app/actions/runs/77/artifacts/1");
    cr_expect_eq(strlen(ost_test_output(host, "artifact-digest")), 64);
    ost_test_said(host, "info: With the provided path, there will be 2 files uploaded");
    ost_test_said(host, "info: Artifact name is valid!");
    ost_test_said(host, "info: SHA256 digest of uploaded artifact is 0*1");
    ost_test_said(host, "info: Artifact artifact has been successfully uploaded! Final size is 3 "
                        "bytes. Artifact ID is 1");
    ost_test_said(host, "info: Artifact download URL: https://github.com/acme/app/actions/runs/77/"
                        "artifacts/1");
    cr_expect_eq(ost_test_asks(host, "artifacts.upload * days=0 level=6"), 1);
}

Test(upload, one_file_lies_in_its_folder_and_a_pattern_below_its_beginning)
{
    ost_test_with(host, "path", "out/sub/b.txt");
    run(OST_OK);
    expect_file("artifact", "b.txt", "BB");
    ost_test_said(host, "info: With the provided path, there will be 1 file uploaded");

    ost_test_with(host, "name", "p");
    ost_test_with(host, "path", "out/*/b.txt");
    run(OST_OK);
    expect_file("p", "sub/b.txt", "BB");
}

Test(upload, several_paths_keep_what_they_do_not_share)
{
    char line[8192];

    ost_test_with(host, "path", "out/sub\nother/d\n!out/.hidden");
    run(OST_OK);
    expect_file("artifact", "out/sub/b.txt", "BB");
    expect_file("artifact", "other/d", "D");
    ost_test_said(host, "info: Multiple search paths detected. Calculating the least common "
                        "ancestor of all paths");
    snprintf(
        line, sizeof line,
        "info: The least common ancestor is %s. This will be the root directory of the artifact",
        scratch_path);
    ost_test_said(host, line);

    ost_test_with(host, "name", "top");
    snprintf(line, sizeof line, "/etc/hostname\n%s/other/d", scratch_path);
    ost_test_with(host, "path", line);
    run(OST_OK);
    ost_test_said(host, "info: The least common ancestor is /. *");
}

Test(upload, hidden_files_come_when_asked_for_and_links_are_followed)
{
    cr_assert_eq(symlink("../other", "out/link"), 0);
    ost_test_with(host, "include-hidden-files", "true");
    run(OST_OK);
    expect_file("artifact", ".hidden/c", "C");
    expect_file("artifact", "link/d", "D");
}

Test(upload, names_that_differ_in_case_only_are_told)
{
    scratch_file("out/A.TXT", "x");
    run(OST_OK);
    cr_expect_eq(ost_test_lines(host, "info: Uploads are case insensitive: */out/a.txt was *"), 1);
    expect_file("artifact", "A.TXT", "x");
    expect_file("artifact", "a.txt", "A");
}

Test(upload, nothing_found_is_what_the_workflow_makes_of_it)
{
    const char *text = "No files were found with the provided path: none. No artifacts will be "
                       "uploaded.";
    char line[256];

    ost_test_with(host, "path", "none");
    run(OST_OK);
    snprintf(line, sizeof line, "warning: %s", text);
    ost_test_said(host, line);
    cr_expect_null(ost_test_output(host, "artifact-id"));
    ost_test_with(host, "if-no-files-found", "ignore");
    run(OST_OK);
    snprintf(line, sizeof line, "info: %s", text);
    ost_test_said(host, line);
    ost_test_with(host, "if-no-files-found", "error");
    run(OST_E_FAILED);
    cr_expect_str_eq(ost_test_failure(host), text);
    ost_test_with(host, "if-no-files-found", "panic");
    run(OST_E_INVALID);
    cr_expect_str_eq(ost_test_failure(host), "Unrecognized if-no-files-found input. Provided: "
                                             "panic. Available options: warn,error,ignore");
    cr_expect_eq(ost_test_asks(host, "artifacts.*"), 0);
}

Test(upload, a_name_is_taken_once_unless_it_may_be_overwritten)
{
    run(OST_OK);
    run(OST_E_DENIED);
    fails("Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: "
          "an artifact with this name already exists on the workflow run: 'artifact'");
    ost_test_with(host, "overwrite", "true");
    run(OST_OK);
    ost_test_said(host, "info: Artifact 'artifact' (ID: 1) deleted");
    cr_expect_str_eq(ost_test_output(host, "artifact-id"), "2");
    ost_test_with(host, "name", "fresh");
    run(OST_OK);
    ost_test_said(host, "debug: Skipping deletion of 'fresh', it does not exist");
    ost_test_on_service(host, "artifacts.remove", OST_E_IO, "not today");
    run(OST_E_DENIED);
    ost_test_said(host, "debug: Unable to delete artifact: not today");
}

Test(upload, names_and_paths_of_other_systems_are_refused)
{
    static const struct {
        const char *name, *what;
    } rows[] = {
        {"a:b", " Colon :"},       {"a\"b", " Double quote \""}, {"a/b", " Forward slash /"},
        {"a\\b", " Backslash \\"}, {"a|b", " Vertical bar |"},   {"a?", " Question mark ?"},
        {"a*", " Asterisk *"},     {"a<", " Less than <"},       {"a>", " Greater than >"}};
    char text[256];

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        ost_test_with(host, "name", rows[i].name);
        run(OST_E_INVALID);
        snprintf(text, sizeof text,
                 "The artifact name is not valid: %s. Contains the following character: %s",
                 rows[i].name, rows[i].what);
        fails(text);
    }
    fails("\nInvalid characters include:  Double quote \", Colon :, Less than <, Greater than >, "
          "Vertical bar |, Asterisk *, Question mark ?, Carriage return \\r, Line feed \\n, "
          "Backslash \\, Forward slash /\n");
    ost_test_with(host, "name", "fine \xc3\xa4");
    scratch_file("out/sub/x:y", "");
    run(OST_E_INVALID);
    fails(
        "The path for one of the files in artifact is not valid: /sub/x:y. Contains the following "
        "character:  Colon :");
    cr_expect_eq(ost_test_asks(host, "artifacts.upload*"), 0);
}

Test(upload, days_and_level_are_numbers_and_the_repository_has_a_say)
{
    static const struct {
        const char *input, *value, *text;
    } rows[] = {
        {"retention-days", "soon", "Invalid retention-days"},
        {"retention-days", "-1", "Invalid retention-days"},
        {"compression-level", "best", "Invalid compression-level"},
        {"compression-level", "10", "Invalid compression-level. Valid values are 0-9"},
        {"compression-level", "-1", "Invalid compression-level. Valid values are 0-9"},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        ost_test_with(host, "retention-days", "");
        ost_test_with(host, "compression-level", "6");
        ost_test_with(host, rows[i].input, rows[i].value);
        run(OST_E_INVALID);
        cr_expect_str_eq(ost_test_failure(host), rows[i].text);
    }
    ost_test_context(host, "github.retention_days", "30");
    ost_test_with(host, "retention-days", "5 days");
    ost_test_with(host, "compression-level", "0");
    run(OST_OK);
    cr_expect_eq(ost_test_asks(host, "artifacts.upload * days=5 level=0"), 1);
    ost_test_with(host, "retention-days", "31");
    ost_test_with(host, "name", "long");
    run(OST_OK);
    cr_expect_eq(ost_test_asks(host, "artifacts.upload * days=30 level=0"), 1);
    ost_test_said(host, "warning: Retention days cannot be greater than the maximum allowed "
                        "retention set within the repository. Using 30 instead.");
}

Test(upload, a_file_as_it_is_has_its_own_name)
{
    ost_test_with(host, "archive", "false");
    run(OST_E_FAILED);
    cr_expect_str_eq(ost_test_failure(host),
                     "When 'archive' is set to false, only a single file can be uploaded. Found 2 "
                     "files to upload.");
    ost_test_with(host, "path", "out/a.txt");
    run(OST_OK);
    cr_expect_eq(ost_test_asks(host, "artifacts.upload a.txt *raw"), 1);
    ost_test_said(host, "info: Uploading artifact: a.txt");
}

Test(upload, the_plan_says_what_and_changes_nothing)
{
    ost_test_with(host, "path", "out\n  !out/sub");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0), "upload the artifact 'artifact': out, !out/sub");
    ost_test_with(host, "compression-level", "11");
    cr_expect_eq(ost_test_run(host, OST_PHASE_PLAN), OST_E_INVALID);
    cr_expect_eq(ost_test_asks(host, "*"), 0);
}

Test(upload, without_a_service_the_step_says_so)
{
    ost_test_without(host, OST_EXT_ARTIFACTS);
    run(OST_E_UNSUPPORTED);
    fails("this job has no service for artifacts");
    ost_test_on_service(host, "files.glob", OST_E_IO, "a folder is gone");
    run(OST_E_IO);
    fails("a folder is gone");
}

Test(upload, each_call_can_fail)
{
    ost_test_with(host, "overwrite", "true");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN), 8);
}
