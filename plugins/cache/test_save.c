#include <criterion/criterion.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

TestSuite(cache_save, .init = scratch_enter, .fini = scratch_leave);

static void saves(struct ost_test *h, const char *log)
{
    cr_assert_eq(ost_test_run(h, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(h));
    cr_expect_str_eq(ost_test_log(h), log, "wanted:\n%sgot:\n%s", log, ost_test_log(h));
}

Test(cache_save, tells_what_became_of_it_and_never_fails)
{
    struct ost_test *h = ost_test_new(&ostler_plugin_v1);

    ost_test_context(h, "github.ref", "refs/heads/main");
    saves(h, "info: [warning]Key is not specified.\n");
    ost_test_with(h, "key", "k");
    saves(h, "info: [warning]Input required and not supplied: path\nwarning: Cache save failed.\n");
    ost_test_with(h, "path", "deps");
    saves(h, "info: [warning]Path Validation Error: Path(s) specified in the action for caching "
             "do(es) not exist, hence no cache is being saved.\nwarning: Cache save failed.\n");
    scratch_file("deps/a", "1");
    saves(h, "info: Cache saved with key: k\n");
    saves(h, "info: Failed to save: Unable to reserve cache with key k, another job may be "
             "creating this cache.\nwarning: Cache save failed.\n");
    cr_assert_eq(ost_test_run(h, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(h, 0), "save the cache 'k': deps");
    ost_test_free(h);
}
