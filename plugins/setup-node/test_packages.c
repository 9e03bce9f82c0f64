#include "packages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
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
    ost_test_context(host, "runner.arch", "X64");
    ost_test_context(host, "runner.os", "Linux");
    ost_test_on_exec(host, "node --version", .out = "v20.20.2\n");
    ost_test_on_exec(host, "npm config get cache", .out = "/home/me/.npm\n");
    ost_test_on_exec(host, "pnpm store path --silent", .out = "/home/me/pnpm\n");
    scratch_file("package-lock.json", "{}");
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(packages, .init = enter, .fini = leave);

static void run(int phase, ost_status wanted)
{
    ost_status r = ost_test_run(host, phase);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 ost_test_failure(host), ost_test_log(host));
}

/* What the post phase finds is what main kept. */
static void run_post(ost_status wanted)
{
    static const char *const names[] = {"SETUP_NODE_CACHE_PACKAGE_MANAGER", "CACHE_KEY",
                                        "CACHE_RESULT", "CACHE_PATHS"};

    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (ost_test_kept(host, names[i])) {
            char *value = strdup(ost_test_kept(host, names[i]));

            ost_test_saved(host, names[i], value);
            free(value);
        }
    run(OST_PHASE_POST, wanted);
}

static const char *primary_key(void)
{
    static char key[256];

    snprintf(key, sizeof key, "%s", ost_test_output(host, "cache-primary-key"));
    return key;
}

Test(packages, nothing_is_cached_that_nobody_asked_for)
{
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_null(ost_test_output(host, "cache-hit"));
    run_post(OST_OK);
    cr_expect_eq(ost_test_asks(host, "*"), 0);
}

Test(packages, npm_is_kept_under_the_hash_of_its_lock_file)
{
    const char *key;

    ost_test_with(host, "cache", "npm");
    run(OST_PHASE_MAIN, OST_OK);
    key = primary_key();
    cr_expect(strncmp(key, "node-cache-Linux-x64-npm-", 25) == 0 && strlen(key) == 25 + 64, "%s",
              key);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "false");
    cr_expect_str_eq(ost_test_output(host, "cache-matched-key"), "");
    cr_expect_eq(ost_test_asks(host, "cache.restore key=node-cache-* paths=/home/me/.npm"), 1);
    cr_expect_eq(
        ost_test_asks(host, "files.hash patterns=--follow-symbolic-links,*/package-lock.json"), 1);
    ost_test_said(host, "info: npm cache is not found");
    ost_test_said(host, "info: [[]command]npm config get cache");
    ost_test_said(host, "info: /home/me/.npm");

    ost_test_cache(host, key, "/home/me/.npm", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "true");
    cr_expect_str_eq(ost_test_output(host, "cache-matched-key"), key);
    ost_test_said(host, "info: Cache restored from key: node-cache-Linux-x64-npm-*");
    run_post(OST_OK);
    ost_test_said(host, "info: Cache hit occurred on the primary key node-cache-*, not saving "
                        "cache.");
    scratch_file("package-lock.json", "{\"a\": 1}");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_neq(ost_test_output(host, "cache-primary-key"), key);
}

Test(packages, what_was_fetched_is_kept_at_the_end)
{
    char folder[8192];

    snprintf(folder, sizeof folder, "%s/fetched\n", scratch_path);
    ost_test_on_exec(host, "npm config get cache", .out = folder);
    ost_test_with(host, "cache", "npm");
    run(OST_PHASE_MAIN, OST_OK);
    run_post(OST_E_FAILED);
    cr_expect_str_eq(
        ost_test_failure(host),
        "Path Validation Error: Path(s) specified in the action for caching do(es) not "
        "exist, hence no cache is being saved.");
    scratch_file("fetched/a", "");
    run(OST_PHASE_POST, OST_OK);
    ost_test_said(host, "info: Cache saved with the key: node-cache-Linux-x64-npm-*");
    run(OST_PHASE_POST, OST_OK); /* somebody was faster */
    ost_test_said(host, "info: Failed to save: Unable to reserve cache with key *");
    cr_expect_eq(ost_test_lines(host, "*Cache saved*"), 0);
}

Test(packages, the_node_that_was_set_up_is_asked)
{
    scratch_file("node/22.1.0/x64/bin/npm", "");
    scratch_file("node/22.1.0/x64.complete", "");
    ost_test_on_exec(host, "printenv PATH", .out = "/usr/bin:/bin\n");
    ost_test_on_exec(host, "env PATH=*/node/22.1.0/x64/bin:/usr/bin:/bin npm config get cache",
                     .out = "/of/22\n");
    ost_test_with(host, "node-version", "22");
    ost_test_with(host, "cache", "npm");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.restore * paths=/of/22"), 1);
    ost_test_on_exec(host, "env *", .exit_code = 127);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "Unable to locate executable file: npm. "));
}

Test(packages, package_json_may_ask_for_npm)
{
    static const struct {
        const char *text;
        bool wanted;
    } rows[] = {
        {"{\"packageManager\": \"npm@10.2.0\"}", true},
        {"{\"packageManager\": \"^npm@10\"}", true},
        {"{\"packageManager\": \"npm\"}", true},
        {"{\"packageManager\": \"npmx@1\"}", false},
        {"{\"packageManager\": \"yarn@4\"}", false},
        {"{\"packageManager\": 1}", false},
        {"{\"devEngines\": {\"packageManager\": {\"name\": \"npm\"}}}", true},
        {"{\"devEngines\": {\"packageManager\": [{\"name\": \"yarn\"}, {\"name\": \"npm\"}]}}",
         true},
        {"{\"packageManager\": ", false},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        scratch_file("package.json", rows[i].text);
        run(OST_PHASE_MAIN, OST_OK);
        cr_expect_eq(ost_test_output(host, "cache-hit") != NULL, rows[i].wanted, "%s",
                     rows[i].text);
        cr_expect_eq(ost_test_lines(host, "info: Detected npm as the package manager from "
                                          "package.json's packageManager field. *"),
                     rows[i].wanted);
    }
    scratch_file("package.json", rows[0].text);
    ost_test_with(host, "package-manager-cache", "false");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_null(ost_test_output(host, "cache-hit"));
}

Test(packages, yarn_is_asked_in_each_project)
{
    ost_test_on_exec(host, "yarn --version", .out = "4.1.0\n");
    ost_test_on_exec(host, "yarn config get cacheFolder", .out = "/home/me/yarn\n");
    ost_test_on_exec(host, "yarn config get enableGlobalCache", .out = "false\n");
    scratch_file("a/yarn.lock", "1");
    scratch_file("b/yarn.lock", "2");
    ost_test_with(host, "cache", "yarn");
    ost_test_with(host, "cache-dependency-path", "*/yarn.lock");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_execs(host, "yarn config get cacheFolder"), 2);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=*,node-cache-Linux-x64-yarn "
                                     "paths=/home/me/yarn"),
                 1);
    ost_test_said(host, "info: All dependencies are managed locally by yarn3, *");

    scratch_file("a/.yarn/cache/x", ""); /* in the repository: no other cache is of use */
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_lines(host, "*managed locally*"), 0);

    ost_test_on_exec(host, "yarn --version", .out = "1.22.0\n");
    ost_test_on_exec(host, "yarn cache dir", .out = "/old\n");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.restore * paths=/old"), 1);

    ost_test_with(host, "cache-dependency-path", "none/yarn.lock");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    ost_test_said(host, "warning: No existing directories found containing "
                        "cache-dependency-path=\"none/yarn.lock\"");
}

Test(packages, failures_are_the_actions_own)
{
    char wanted[8192];

    ost_test_with(host, "cache", "bower");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(ost_test_failure(host), "Caching for 'bower' is not supported");
    run_post(OST_OK);
    cr_expect_str_eq(ost_test_log(host), "");

    ost_test_with(host, "cache", "pnpm");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    snprintf(wanted, sizeof wanted,
             "Dependencies lock file is not found in %s. Supported file patterns: pnpm-lock.yaml",
             scratch_path);
    cr_expect_str_eq(ost_test_failure(host), wanted);

    ost_test_with(host, "cache", "npm");
    ost_test_with(host, "cache-dependency-path", "none");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect_str_eq(ost_test_failure(host),
                     "Some specified paths were not resolved, unable to cache dependencies.");
    run_post(OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.save*"), 0);

    ost_test_with(host, "cache-dependency-path", "");
    ost_test_on_exec(host, "npm config *", .exit_code = 3);
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(ost_test_failure(host),
                     "The 'npm config get cache' command failed with exit code: 3");
    ost_test_on_exec(host, "npm config *", .exit_code = 3, .err = "no!\n");
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(ost_test_failure(host), "no!");
    ost_test_on_exec(host, "npm config *", .exit_code = 0);
    run(OST_PHASE_MAIN, OST_E_FAILED);
    cr_expect_str_eq(ost_test_failure(host), "Could not get npm cache folder path");
    ost_test_on_exec(host, "npm config *", .status = OST_E_NOT_FOUND);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
}

Test(packages, without_a_service_it_is_a_warning)
{
    ost_test_with(host, "cache", "npm");
    ost_test_without(host, OST_EXT_CACHE);
    run(OST_PHASE_MAIN, OST_OK);
    ost_test_said(host, "warning: The runner was not able to contact the cache service. Caching "
                        "will be skipped");
    cr_expect_null(ost_test_output(host, "cache-hit"));
}

Test(packages, the_plan_says_so)
{
    ost_test_with(host, "cache", "npm");
    run(OST_PHASE_PLAN, OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 1),
                     "restore the cache of npm: and keep it at the end of the job");
}

Test(packages, each_call_can_fail)
{
    ost_test_with(host, "cache", "npm");
    ost_test_saved(host, "SETUP_NODE_CACHE_PACKAGE_MANAGER", "npm");
    ost_test_saved(host, "CACHE_PATHS", ".");
    ost_test_saved(host, "CACHE_KEY", "k");
    for (int phase = OST_PHASE_MAIN; phase <= OST_PHASE_POST; phase++)
        cr_expect_gt(ost_test_each_fault(host, .phase = phase), 2);
}
