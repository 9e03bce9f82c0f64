#include <criterion/criterion.h>
#include <string.h>

#include "kit/plugin_host.h"
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct plugin_host *host;

static void artifact(const char *name, const char *const *files)
{
    plugin_host_artifact(host, &(struct plugin_artifact){.name = name, .files = files});
}

static void enter(void)
{
    scratch_enter();
    host = plugin_host_new(&ostler_plugin_v1);
    plugin_host_exec_for_real(host, NULL);
    artifact("build-a", (const char *const[]){"x", "1", NULL});
    artifact("build-b", (const char *const[]){"x", "2", "d/y", "3", NULL});
    artifact("logs", (const char *const[]){"l", "4", NULL});
}

static void leave(void)
{
    plugin_host_free(host);
    scratch_leave();
}

TestSuite(merge, .init = enter, .fini = leave);

static void run(ost_status wanted)
{
    ost_status r = plugin_host_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 plugin_host_failure(host), plugin_host_log(host));
    cr_expect_eq(scratch_count(), 0, "something was left");
}

Test(merge, makes_one_of_several)
{
    plugin_host_with(host, "pattern", "build-*");
    run(OST_OK);
    cr_expect_str_eq(plugin_host_artifact_file(host, "merged-artifacts", "d/y"), "3");
    cr_expect_not_null(plugin_host_artifact_file(host, "merged-artifacts", "x"));
    cr_expect_null(plugin_host_artifact_file(host, "merged-artifacts", "l"));
    cr_expect_str_eq(plugin_host_output(host, "artifact-id"), "4");
    plugin_host_said(host, "info: Found 3 artifact(s)");
    plugin_host_said(host, "info: - build-b (ID: 2, Size: 2)");
    plugin_host_said(host, "info: The 2 artifact(s) have been successfully merged!");
    cr_expect(plugin_host_has_artifact(host, "build-a"));
}

Test(merge, keeps_them_apart_and_removes_them_when_asked)
{
    plugin_host_with(host, "separate-directories", "true");
    plugin_host_with(host, "delete-merged", "true");
    plugin_host_with(host, "name", "all");
    plugin_host_with(host, "compression-level", "9");
    run(OST_OK);
    cr_expect_str_eq(plugin_host_artifact_file(host, "all", "build-a/x"), "1");
    cr_expect_str_eq(plugin_host_artifact_file(host, "all", "build-b/x"), "2");
    cr_expect_str_eq(plugin_host_artifact_file(host, "all", "logs/l"), "4");
    cr_expect_not(plugin_host_has_artifact(host, "logs"));
    cr_expect_eq(plugin_host_asks(host, "artifacts.upload all * level=9"), 1);
    plugin_host_said(host, "info: Artifact 'logs' (ID: 3) deleted");
    plugin_host_said(host, "info: The 3 artifact(s) have been deleted");
}

Test(merge, nothing_to_merge_fails)
{
    plugin_host_with(host, "pattern", "none*");
    run(OST_E_NOT_FOUND);
    cr_expect_str_eq(plugin_host_failure(host), "No artifacts found matching pattern 'none*'");
    plugin_host_with(host, "pattern", "empty");
    plugin_host_artifact(host, &(struct plugin_artifact){.name = "empty"});
    run(OST_E_NOT_FOUND);
    cr_expect_str_eq(plugin_host_failure(host), "No files were found to upload");
    plugin_host_with(host, "compression-level", "x");
    run(OST_E_INVALID);
}

Test(merge, the_plan_changes_nothing)
{
    plugin_host_with(host, "delete-merged", "true");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(plugin_host_planned(host, 0),
                     "merge the artifacts '*': into 'merged-artifacts', and remove them");
    cr_expect_eq(plugin_host_asks(host, "*"), 0);
}

Test(merge, each_call_can_fail)
{
    plugin_host_with(host, "delete-merged", "true");
    for (int nth = 1, left = true; left; nth++) {
        for (size_t i = 0; i < 2; i++) /* what an earlier round removed */
            artifact(i ? "a" : "b", (const char *const[]){"x", "1", NULL});
        plugin_host_fault(host, nth);
        ost_status r = plugin_host_run(host, OST_PHASE_MAIN);

        left = plugin_host_struck(host);
        if (!left && plugin_host_has_artifact(host, "merged-artifacts"))
            break; /* of an earlier round: the name is taken */
        cr_expect(left || r == OST_OK, "%s", plugin_host_failure(host));
        cr_assert_lt(nth, 100);
    }
}
