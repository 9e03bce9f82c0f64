#include "steps.h"

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
    ost_test_context(host, "github.ref", "refs/heads/main");
    ost_test_context(host, "github.event_name", "push");
    ost_test_with(host, "path", "deps\n!  deps/no\n\n~/.x");
    ost_test_with(host, "key", "linux-1");
    scratch_file("deps/a", "1");
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(cache, .init = enter, .fini = leave);

#define PATHS "deps\n!deps/no\n~/.x"

static void run(int phase, ost_status wanted)
{
    ost_status r = ost_test_run(host, phase);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 ost_test_failure(host), ost_test_log(host));
}

/* What the post phase finds is what main kept. */
static void run_post(ost_status wanted)
{
    static const char *const names[] = {"CACHE_KEY", "CACHE_RESULT"};

    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (ost_test_kept(host, names[i])) {
            char *value = strdup(ost_test_kept(host, names[i]));

            ost_test_saved(host, names[i], value);
            free(value);
        }
    run(OST_PHASE_POST, wanted);
}

Test(cache, a_total_miss_leaves_cache_hit_unset_and_post_saves)
{
    ost_test_with(host, "restore-keys", "linux-\nother");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_null(ost_test_output(host, "cache-hit"));
    cr_expect_str_eq(ost_test_log(host),
                     "info: Cache not found for input keys: linux-1, linux-, other\n");
    cr_expect_str_eq(ost_test_ask(host, 0),
                     "cache.restore key=linux-1,linux-,other paths=deps,!deps/no,~/.x");
    run_post(OST_OK);
    cr_expect_str_eq(ost_test_log(host), "info: Cache saved with key: linux-1\n");
    cr_expect(ost_test_has_cache(host, "linux-1"));
}

Test(cache, the_very_key_is_a_hit_whatever_its_case_and_is_not_saved_again)
{
    ost_test_cache(host, "LINUX-1", PATHS, 3 << 19);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "true");
    cr_expect_str_eq(ost_test_log(host), "info: Cache hit for restore-key: LINUX-1\n"
                                         "info: Cache Size: ~2 MB (1572864 B)\n"
                                         "info: Cache restored successfully\n"
                                         "info: Cache restored from key: LINUX-1\n");
    run_post(OST_OK);
    cr_expect_str_eq(ost_test_log(host),
                     "info: Cache hit occurred on the primary key linux-1, not saving cache.\n");
    cr_expect_eq(ost_test_asks(host, "cache.save*"), 0);
}

Test(cache, a_beginning_is_no_hit_but_restores)
{
    ost_test_with(host, "restore-keys", "linux-");
    ost_test_cache(host, "linux-0", PATHS, 10);
    ost_test_cache(host, "linux-1", "elsewhere", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "false");
    ost_test_said(host, "info: Cache hit for restore-key: linux-0");
    ost_test_said(host, "info: Cache Size: ~0 MB (10 B)");
    ost_test_said(host, "info: Cache restored from key: linux-0");
    run_post(OST_OK);
    ost_test_said(host, "info: Cache saved with key: linux-1");
}

Test(cache, lookup_only_fetches_nothing)
{
    ost_test_with(host, "lookup-only", "TRUE");
    ost_test_with(host, "enableCrossOsArchive", "true");
    ost_test_cache(host, "linux-1", PATHS, 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "* lookup cross-os"), 1);
    cr_expect_str_eq(ost_test_log(host),
                     "info: Cache hit for: linux-1\n"
                     "info: Lookup only - skipping download\n"
                     "info: Cache found and can be restored from key: linux-1\n");
}

Test(cache, a_miss_fails_when_asked_to)
{
    ost_test_with(host, "fail-on-cache-miss", "true");
    run(OST_PHASE_MAIN, OST_E_FAILED);
    cr_expect_str_eq(ost_test_failure(host),
                     "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input "
                     "key: linux-1");
}

Test(cache, switches_that_are_no_true_are_off_as_with_the_action)
{
    ost_test_with(host, "fail-on-cache-miss", "yes");
    run(OST_PHASE_MAIN, OST_OK);
}

Test(cache, keys_that_no_cache_can_have_fail_the_step)
{
    char longest[600];

    ost_test_with(host, "key", "a,b");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(ost_test_failure(host), "Key Validation Error: a,b cannot contain commas.");

    memset(longest, 'x', sizeof longest);
    longest[513] = '\0';
    ost_test_with(host, "key", longest);
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(host), "xx cannot be larger than 512 characters."));

    longest[512] = '\0';
    ost_test_with(host, "key", longest);
    run(OST_PHASE_MAIN, OST_OK);
    memcpy(longest + 400, "\xf0\x9f\x90\x8e\xc3\xa4", 6); /* two characters and one: 509 */
    ost_test_with(host, "key", longest);
    run(OST_PHASE_MAIN, OST_OK);

    ost_test_with(host, "key", "k");
    ost_test_with(host, "restore-keys", "1\n2\n3\n4\n5\n6\n7\n8\n9");
    run(OST_PHASE_MAIN, OST_OK);
    ost_test_with(host, "restore-keys", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(ost_test_failure(host),
                     "Key Validation Error: Keys are limited to a maximum of 10.");
}

Test(cache, a_service_that_fails_is_a_warning_and_a_miss)
{
    ost_test_on_service(host, "cache.restore", OST_E_IO, "the line went dead");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_log(host), "warning: Failed to restore: the line went dead\n"
                                         "info: Cache not found for input keys: linux-1\n");
    ost_test_on_service(host, "cache.restore", OST_E_INVALID, "no such path can be");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(ost_test_failure(host), "no such path can be");
}

Test(cache, what_saving_meets_never_fails_the_job)
{
    static const struct {
        ost_status status;
        const char *line;
    } rows[] = {
        {OST_E_IO, "warning: Failed to save: why"},
        {OST_E_LIMIT, "warning: Failed to save: why"},
        {OST_E_DENIED, "info: Failed to save: Unable to reserve cache with key linux-1, another "
                       "job may be creating this cache."},
        {OST_E_NOT_FOUND,
         "info: [[]warning]Path Validation Error: Path(s) specified in the action for caching "
         "do(es) not exist, hence no cache is being saved."},
        {OST_E_INVALID, "info: [[]warning]why"},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        ost_test_on_service(host, "cache.save", rows[i].status, "why");
        run(OST_PHASE_POST, OST_OK);
        ost_test_said(host, rows[i].line);
        cr_expect_eq(ost_test_lines(host, "*"), 1, "%s", ost_test_log(host));
    }
}

Test(cache, without_a_service_or_a_ref_nothing_is_done)
{
    ost_test_context(host, "github.ref", "");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_null(ost_test_output(host, "cache-hit"));
    cr_expect_str_eq(ost_test_log(host),
                     "info: [warning]Event Validation Error: The event type push is not supported "
                     "because it's not tied to a branch or tag ref.\n");
    run(OST_PHASE_POST, OST_OK);
    ost_test_said(host, "info: [[]warning]Event*");
    ost_test_without(host, OST_EXT_CACHE);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "false");
    ost_test_said(host, "info: [[]warning]This job has no cache service*");
    run(OST_PHASE_POST, OST_OK);
    cr_expect_eq(ost_test_asks(host, "*"), 0);
}

Test(cache, the_plan_names_key_and_paths)
{
    ost_test_with(host, "restore-keys", "linux-");
    run(OST_PHASE_PLAN, OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "restore the cache 'linux-1': deps, !deps/no, ~/.x; else the newest that "
                     "begins with linux-");
    cr_expect_str_eq(ost_test_planned(host, 1), "save the cache 'linux-1': deps, !deps/no, ~/.x");
    cr_expect_eq(ost_test_asks(host, "*"), 0);
}

/* A phase may fail then, or go on; it may not break its contract. */
Test(cache, each_call_can_fail)
{
    ost_test_cache(host, "linux-0", PATHS, 10);
    for (int phase = OST_PHASE_PLAN; phase <= OST_PHASE_POST; phase++)
        if (phase != OST_PHASE_PRE)
            cr_expect_gt(ost_test_each_fault(host, .phase = phase), 2);
}
