#include <criterion/criterion.h>

#include "kit/plugin_host.h"

extern const struct ost_plugin ostler_plugin_v1;

Test(cache_restore, gives_the_keys_as_outputs_and_keeps_no_state)
{
    struct plugin_host *h = plugin_host_new(&ostler_plugin_v1);

    plugin_host_context(h, "github.ref", "refs/heads/main");
    plugin_host_with(h, "path", "deps");
    plugin_host_with(h, "key", "k1");
    cr_assert_eq(plugin_host_run(h, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(h, "cache-primary-key"), "k1");
    cr_expect_null(plugin_host_output(h, "cache-matched-key"));
    cr_expect_null(plugin_host_output(h, "cache-hit"));

    plugin_host_with(h, "restore-keys", "k");
    plugin_host_cache(h, "k0", "deps", 1);
    cr_assert_eq(plugin_host_run(h, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(h, "cache-matched-key"), "k0");
    cr_expect_str_eq(plugin_host_output(h, "cache-hit"), "false");
    cr_expect_null(plugin_host_kept(h, "CACHE_KEY"));
    cr_assert_eq(plugin_host_run(h, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(plugin_host_planned(h, 0),
                     "restore the cache 'k1': deps; else the newest that begins with k");
    plugin_host_free(h);
}
