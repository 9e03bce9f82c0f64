#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void artifact(const char *name, const char *const *files)
{
    ost_test_artifact(host, &(struct ost_test_upload){.name = name, .files = files});
}

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_exec_for_real(host, NULL);
    artifact("build-a", (const char *const[]){"x", "1", NULL});
    artifact("build-b", (const char *const[]){"x", "2", "d/y", "3", NULL});
    artifact("logs", (const char *const[]){"l", "4", NULL});
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(merge, .init = enter, .fini = leave);

static void run(ost_status wanted)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 ost_test_failure(host), ost_test_log(host));
    cr_expect_eq(scratch_count(), 0, "something was left");
}

Test(merge, makes_one_of_several)
{
    ost_test_with(host, "pattern", "build-*");
    run(OST_OK);
    cr_expect_str_eq(ost_test_artifact_file(host, "merged-artifacts", "d/y"), "3");
    cr_expect_not_null(ost_test_artifact_file(host, "merged-artifacts", "x"));
    cr_expect_null(ost_test_artifact_file(host, "merged-artifacts", "l"));
    cr_expect_str_eq(ost_test_output(host, "artifact-id"), "4");
    ost_test_said(host, "info: Found 3 artifact(s)");
    ost_test_said(host, "info: - build-b (ID: 2, Size: 2)");
    ost_test_said(host, "info: The 2 artifact(s) have been successfully merged!");
    cr_expect(ost_test_has_artifact(host, "build-a"));
}

Test(merge, keeps_them_apart_and_removes_them_when_asked)
{
    ost_test_with(host, "separate-directories", "true");
    ost_test_with(host, "delete-merged", "true");
    ost_test_with(host, "name", "all");
    ost_test_with(host, "compression-level", "9");
    run(OST_OK);
    cr_expect_str_eq(ost_test_artifact_file(host, "all", "build-a/x"), "1");
    cr_expect_str_eq(ost_test_artifact_file(host, "all", "build-b/x"), "2");
    cr_expect_str_eq(ost_test_artifact_file(host, "all", "logs/l"), "4");
    cr_expect_not(ost_test_has_artifact(host, "logs"));
    cr_expect_eq(ost_test_asks(host, "artifacts.upload all * level=9"), 1);
    ost_test_said(host, "info: Artifact 'logs' (ID: 3) deleted");
    ost_test_said(host, "info: The 3 artifact(s) have been deleted");
}

Test(merge, nothing_to_merge_fails)
{
    ost_test_with(host, "pattern", "none*");
    run(OST_E_NOT_FOUND);
    cr_expect_str_eq(ost_test_failure(host), "No artifacts found matching pattern 'none*'");
    ost_test_with(host, "pattern", "empty");
    ost_test_artifact(host, &(struct ost_test_upload){.name = "empty"});
    run(OST_E_NOT_FOUND);
    cr_expect_str_eq(ost_test_failure(host), "No files were found to upload");
    ost_test_with(host, "compression-level", "x");
    run(OST_E_INVALID);
}

Test(merge, the_plan_changes_nothing)
{
    ost_test_with(host, "delete-merged", "true");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "merge the artifacts '*': into 'merged-artifacts', and remove them");
    cr_expect_eq(ost_test_asks(host, "*"), 0);
}

Test(merge, each_call_can_fail)
{
    ost_test_with(host, "delete-merged", "true");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN), 8);
}
