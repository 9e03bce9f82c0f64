#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_context(host, "github.repository", "acme/app");
    ost_test_context(host, "github.run_id", "77");
    ost_test_with(host, "path", "in");
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(download, .init = enter, .fini = leave);

static int64_t artifact(const char *name, const char *file, const char *content)
{
    const char *const files[] = {file, content, NULL};

    return ost_test_artifact(host, &(struct ost_test_upload){.name = name, .files = files});
}

static void run(ost_status wanted)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 ost_test_failure(host), ost_test_log(host));
}

static void fails(ost_status why, const char *text)
{
    run(why);
    cr_expect(strstr(ost_test_failure(host), "Unable to download artifact(s): ") ==
                  ost_test_failure(host),
              "%s", ost_test_failure(host));
    cr_expect(strstr(ost_test_failure(host), text), "wanted '%s', got '%s'", text,
              ost_test_failure(host));
}

Test(download, one_by_its_name_comes_straight_into_the_folder)
{
    char line[8192];

    artifact("a", "x", "old");
    artifact("b", "y", "1");
    artifact("a", "x", "new"); /* of an earlier attempt there may be two */
    ost_test_with(host, "name", "a");
    run(OST_OK);
    scratch_has("in/x", "new");
    snprintf(line, sizeof line, "%s/in", scratch_path);
    cr_expect_str_eq(ost_test_output(host, "download-path"), line);
    ost_test_said(host, "info: Downloading single artifact");
    cr_expect_eq(ost_test_lines(host, "info: Found *"), 0);
    ost_test_said(host, "info: - a (ID: 3, Size: 3, Expected Digest: sha256:0*3)");
    ost_test_said(host, "info: Total of 1 artifact(s) downloaded");
    ost_test_said(host, "info: Download artifact has finished successfully");
    ost_test_with(host, "name", "none");
    fails(OST_E_NOT_FOUND, "Artifact not found for name: none\n        Please ensure");
}

Test(download, all_come_into_folders_of_their_names)
{
    artifact("a", "x", "1");
    artifact("b", "d/x", "2");
    run(OST_OK);
    scratch_has("in/a/x", "1");
    scratch_has("in/b/d/x", "2");
    ost_test_said(host, "info: No input name, artifact-ids or pattern filtered specified, "
                        "downloading all artifacts");
    ost_test_said(host, "info: An extra directory with the artifact name will be created for "
                        "each download");
    ost_test_said(host, "info: Total of 2 artifact(s) downloaded");
    ost_test_with(host, "merge-multiple", "true");
    ost_test_with(host, "path", "one");
    run(OST_OK);
    scratch_has("one/x", "1");
    scratch_has("one/d/x", "2");
}

/* Row 17 of the runtime contract's section 16. */
Test(download, exactly_one_comes_straight_even_by_a_pattern_or_an_id)
{
    artifact("build-a", "x", "1");
    artifact("logs", "x", "2");
    ost_test_with(host, "pattern", "build-*");
    run(OST_OK);
    scratch_has("in/x", "1");
    ost_test_said(host, "info: Filtering artifacts by pattern 'build-[*]'");
    ost_test_with(host, "artifact-ids", "2");
    run(OST_OK);
    scratch_has("in/x", "2");
}

Test(download, a_pattern_that_fits_none_is_no_failure)
{
    artifact("a", "x", "1");
    ost_test_with(host, "pattern", "b*");
    run(OST_OK);
    ost_test_said(host, "info: Total of 0 artifact(s) downloaded");
    cr_expect_eq(scratch_count(), 0);
}

Test(download, numbers_choose_too)
{
    artifact("a", "x", "1");
    artifact("b", "x", "2");
    ost_test_with(host, "artifact-ids", " 1, 2,7,9 ");
    run(OST_OK);
    scratch_has("in/a/x", "1");
    scratch_has("in/b/x", "2");
    ost_test_said(host, "warning: Could not find the following artifact IDs: 7, 9");
    ost_test_with(host, "artifact-ids", "7");
    fails(OST_E_NOT_FOUND, "None of the provided artifact IDs were found");
    ost_test_with(host, "artifact-ids", "1,x");
    fails(OST_E_INVALID, "Invalid artifact ID: 'x'. Must be a number.");
    ost_test_with(host, "artifact-ids", " , ");
    fails(OST_E_INVALID, "No valid artifact IDs provided in 'artifact-ids' input");
    ost_test_with(host, "artifact-ids", "1");
    ost_test_with(host, "name", "a");
    fails(OST_E_INVALID, "Inputs 'name' and 'artifact-ids' cannot be used together. Please specify "
                         "only one.");
}

Test(download, paths_are_of_the_workspace_the_home_or_absolute)
{
    static const char *const rows[][2] = {{"~/in/../to", "/home/me/to"},
                                          {"~x", "/home/mex"},
                                          {"/tmp/./a/", "/tmp/a"},
                                          {"/", "/"},
                                          {"", "/place"},
                                          {"a/b", "/place/a/b"}};

    ost_test_dir(host, OST_DIR_HOME, "/home/me");
    ost_test_dir(host, OST_DIR_WORKSPACE, "/place");
    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        ost_test_with(host, "path", rows[i][0]);
        run(OST_OK);
        cr_expect_str_eq(ost_test_output(host, "download-path"), rows[i][1], "%s gave %s",
                         rows[i][0], ost_test_output(host, "download-path"));
    }
}

Test(download, what_came_may_not_be_what_was_announced)
{
    const char *const files[] = {"x", "1", NULL};

    ost_test_artifact(host,
                      &(struct ost_test_upload){.name = "bad", .files = files, .came = "1234"});
    ost_test_artifact(host,
                      &(struct ost_test_upload){.name = "unknown", .files = files, .digest = ""});
    fails(OST_E_FAILED,
          "Digest validation failed for artifact(s): bad. Use 'digest-mismatch: warn' "
          "to continue on mismatch.");
    ost_test_said(host, "info: - unknown (ID: 2, Size: 1, Expected Digest: undefined)");
    ost_test_with(host, "digest-mismatch", "warn");
    run(OST_OK);
    ost_test_said(host, "warning: Artifact 'bad' digest validation failed. Please verify the "
                        "integrity of the artifact.");
    ost_test_with(host, "digest-mismatch", "info");
    run(OST_OK);
    ost_test_said(host, "info: Artifact 'bad' digest validation failed.*");
    ost_test_with(host, "digest-mismatch", "ignore");
    run(OST_OK);
    cr_expect_eq(ost_test_lines(host, "*validation failed*"), 0);
    ost_test_with(host, "digest-mismatch", "panic");
    fails(OST_E_INVALID, "Invalid value for 'digest-mismatch': 'panic'. Valid options are: ignore, "
                         "info, warn, error");
}

Test(download, skip_decompress_leaves_the_zip)
{
    artifact("a", "x", "1");
    ost_test_with(host, "skip-decompress", "true");
    run(OST_OK);
    cr_expect_eq(ost_test_asks(host, "artifacts.download 1 dir=*/in raw"), 1);
    ost_test_said(host, "info: Downloading raw file (non-zip) to: */in/a.zip");
}

Test(download, other_runs_are_one_clear_error)
{
    artifact("a", "x", "1");
    ost_test_with(host, "repository", "acme/app");
    ost_test_with(host, "run-id", "12"); /* does not matter without a token */
    run(OST_OK);
    ost_test_with(host, "github-token", "t");
    fails(OST_E_UNSUPPORTED, "the artifacts of run 12 of 'acme/app' are GitHub's");
    fails(OST_E_UNSUPPORTED, "--plugins actions/download-artifact=never");
    ost_test_with(host, "run-id", "77");
    run(OST_OK);
    ost_test_with(host, "repository", "acme/other");
    fails(OST_E_UNSUPPORTED, "of 'acme/other'");
    ost_test_with(host, "repository", "acme");
    fails(OST_E_INVALID, "Invalid repository: 'acme'. Must be in format owner/repo");
}

Test(download, a_service_that_fails_says_why)
{
    artifact("a", "x", "1");
    ost_test_on_service(host, "artifacts.download", OST_E_IO, "the zip is broken");
    fails(OST_E_IO, "Unable to download and extract artifact: the zip is broken");
    ost_test_on_service(host, "artifacts.list", OST_E_IO, "gone");
    fails(OST_E_IO, "gone");
    ost_test_without(host, OST_EXT_ARTIFACTS);
    run(OST_E_UNSUPPORTED);
}

Test(download, the_plan_changes_nothing)
{
    char line[8192];

    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    snprintf(line, sizeof line, "download all artifacts of the run: into %s/in", scratch_path);
    cr_expect_str_eq(ost_test_planned(host, 0), line);
    ost_test_with(host, "name", "a");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect(strstr(ost_test_planned(host, 0), "download the artifact 'a'"));
    cr_expect_eq(ost_test_asks(host, "*"), 0);
}

static void a_fault_is_no_success(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)t;
    (void)ctx;
    cr_expect(!round->struck || round->cancel || round->status < 0, "%s", round->call);
}

Test(download, each_call_can_fail)
{
    artifact("a", "x", "1");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .after = a_fault_is_no_success),
                 4);
}
