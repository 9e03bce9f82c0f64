#include <criterion/criterion.h>

#include <ostler/test.h>

extern const struct ost_plugin ostler_plugin_v1;

Test(cache_restore, gives_the_keys_as_outputs_and_keeps_no_state)
{
    struct ost_test *h = ost_test_new(&ostler_plugin_v1);

    ost_test_context(h, "github.ref", "refs/heads/main");
    ost_test_with(h, "path", "deps");
    ost_test_with(h, "key", "k1");
    cr_assert_eq(ost_test_run(h, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(h, "cache-primary-key"), "k1");
    cr_expect_null(ost_test_output(h, "cache-matched-key"));
    cr_expect_null(ost_test_output(h, "cache-hit"));

    ost_test_with(h, "restore-keys", "k");
    ost_test_cache(h, "k0", "deps", 1);
    cr_assert_eq(ost_test_run(h, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(h, "cache-matched-key"), "k0");
    cr_expect_str_eq(ost_test_output(h, "cache-hit"), "false");
    cr_expect_null(ost_test_kept(h, "CACHE_KEY"));
    cr_assert_eq(ost_test_run(h, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(h, 0),
                     "restore the cache 'k1': deps; else the newest that begins with k");
    ost_test_free(h);
}
