#include <criterion/criterion.h>

#include "kit/plugin_host.h"
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

TestSuite(cache_save, .init = scratch_enter, .fini = scratch_leave);

static void saves(struct plugin_host *h, const char *log)
{
    cr_assert_eq(plugin_host_run(h, OST_PHASE_MAIN), OST_OK, "%s", plugin_host_failure(h));
    cr_expect_str_eq(plugin_host_log(h), log, "wanted:\n%sgot:\n%s", log, plugin_host_log(h));
}

Test(cache_save, tells_what_became_of_it_and_never_fails)
{
    struct plugin_host *h = plugin_host_new(&ostler_plugin_v1);

    plugin_host_context(h, "github.ref", "refs/heads/main");
    saves(h, "info: [warning]Key is not specified.\n");
    plugin_host_with(h, "key", "k");
    saves(h, "info: [warning]Input required and not supplied: path\nwarning: Cache save failed.\n");
    plugin_host_with(h, "path", "deps");
    saves(h, "info: [warning]Path Validation Error: Path(s) specified in the action for caching "
             "do(es) not exist, hence no cache is being saved.\nwarning: Cache save failed.\n");
    scratch_file("deps/a", "1");
    saves(h, "info: Cache saved with key: k\n");
    saves(h, "info: Failed to save: Unable to reserve cache with key k, another job may be "
             "creating this cache.\nwarning: Cache save failed.\n");
    cr_assert_eq(plugin_host_run(h, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(plugin_host_planned(h, 0), "save the cache 'k': deps");
    plugin_host_free(h);
}
