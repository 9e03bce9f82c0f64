#include "packages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit/plugin_host.h"
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct plugin_host *host;

static void enter(void)
{
    scratch_enter();
    host = plugin_host_new(&ostler_plugin_v1);
    plugin_host_context(host, "runner.arch", "X64");
    plugin_host_context(host, "runner.os", "Linux");
    plugin_host_on_exec(host, "node --version", &(struct plugin_answer){.out = "v20.20.2\n"});
    plugin_host_on_exec(host, "npm config get cache",
                        &(struct plugin_answer){.out = "/home/me/.npm\n"});
    plugin_host_on_exec(host, "pnpm store path --silent",
                        &(struct plugin_answer){.out = "/home/me/pnpm\n"});
    scratch_file("package-lock.json", "{}");
}

static void leave(void)
{
    plugin_host_free(host);
    scratch_leave();
}

TestSuite(packages, .init = enter, .fini = leave);

static void run(int phase, ost_status wanted)
{
    ost_status r = plugin_host_run(host, phase);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s\n%s", (int)wanted, (int)r,
                 plugin_host_failure(host), plugin_host_log(host));
}

/* What the post phase finds is what main kept. */
static void run_post(ost_status wanted)
{
    static const char *const names[] = {"SETUP_NODE_CACHE_PACKAGE_MANAGER", "CACHE_KEY",
                                        "CACHE_RESULT", "CACHE_PATHS"};

    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (plugin_host_kept(host, names[i])) {
            char *value = strdup(plugin_host_kept(host, names[i]));

            plugin_host_saved(host, names[i], value);
            free(value);
        }
    run(OST_PHASE_POST, wanted);
}

static const char *primary_key(void)
{
    static char key[256];

    snprintf(key, sizeof key, "%s", plugin_host_output(host, "cache-primary-key"));
    return key;
}

Test(packages, nothing_is_cached_that_nobody_asked_for)
{
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_null(plugin_host_output(host, "cache-hit"));
    run_post(OST_OK);
    cr_expect_eq(plugin_host_asks(host, "*"), 0);
}

Test(packages, npm_is_kept_under_the_hash_of_its_lock_file)
{
    const char *key;

    plugin_host_with(host, "cache", "npm");
    run(OST_PHASE_MAIN, OST_OK);
    key = primary_key();
    cr_expect(strncmp(key, "node-cache-Linux-x64-npm-", 25) == 0 && strlen(key) == 25 + 64, "%s",
              key);
    cr_expect_str_eq(plugin_host_output(host, "cache-hit"), "false");
    cr_expect_str_eq(plugin_host_output(host, "cache-matched-key"), "");
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=node-cache-* paths=/home/me/.npm"), 1);
    cr_expect_eq(
        plugin_host_asks(host, "files.hash patterns=--follow-symbolic-links,*/package-lock.json"),
        1);
    plugin_host_said(host, "info: npm cache is not found");
    plugin_host_said(host, "info: [[]command]npm config get cache");
    plugin_host_said(host, "info: /home/me/.npm");

    plugin_host_cache(host, key, "/home/me/.npm", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "cache-hit"), "true");
    cr_expect_str_eq(plugin_host_output(host, "cache-matched-key"), key);
    plugin_host_said(host, "info: Cache restored from key: node-cache-Linux-x64-npm-*");
    run_post(OST_OK);
    plugin_host_said(host, "info: Cache hit occurred on the primary key node-cache-*, not saving "
                           "cache.");
    scratch_file("package-lock.json", "{\"a\": 1}");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_neq(plugin_host_output(host, "cache-primary-key"), key);
}

Test(packages, what_was_fetched_is_kept_at_the_end)
{
    char folder[8192];

    snprintf(folder, sizeof folder, "%s/fetched\n", scratch_path);
    plugin_host_on_exec(host, "npm config get cache", &(struct plugin_answer){.out = folder});
    plugin_host_with(host, "cache", "npm");
    run(OST_PHASE_MAIN, OST_OK);
    run_post(OST_E_FAILED);
    cr_expect_str_eq(
        plugin_host_failure(host),
        "Path Validation Error: Path(s) specified in the action for caching do(es) not "
        "exist, hence no cache is being saved.");
    scratch_file("fetched/a", "");
    run(OST_PHASE_POST, OST_OK);
    plugin_host_said(host, "info: Cache saved with the key: node-cache-Linux-x64-npm-*");
    run(OST_PHASE_POST, OST_OK); /* somebody was faster */
    plugin_host_said(host, "info: Failed to save: Unable to reserve cache with key *");
    cr_expect_eq(plugin_host_lines(host, "*Cache saved*"), 0);
}

Test(packages, the_node_that_was_set_up_is_asked)
{
    scratch_file("node/22.1.0/x64/bin/npm", "");
    scratch_file("node/22.1.0/x64.complete", "");
    plugin_host_on_exec(host, "printenv PATH", &(struct plugin_answer){.out = "/usr/bin:/bin\n"});
    plugin_host_on_exec(host, "env PATH=*/node/22.1.0/x64/bin:/usr/bin:/bin npm config get cache",
                        &(struct plugin_answer){.out = "/of/22\n"});
    plugin_host_with(host, "node-version", "22");
    plugin_host_with(host, "cache", "npm");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_asks(host, "cache.restore * paths=/of/22"), 1);
    plugin_host_on_exec(host, "env *", &(struct plugin_answer){.exit_code = 127});
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(plugin_host_failure(host), "Unable to locate executable file: npm. "));
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
        cr_expect_eq(plugin_host_output(host, "cache-hit") != NULL, rows[i].wanted, "%s",
                     rows[i].text);
        cr_expect_eq(plugin_host_lines(host, "info: Detected npm as the package manager from "
                                             "package.json's packageManager field. *"),
                     rows[i].wanted);
    }
    scratch_file("package.json", rows[0].text);
    plugin_host_with(host, "package-manager-cache", "false");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_null(plugin_host_output(host, "cache-hit"));
}

Test(packages, yarn_is_asked_in_each_project)
{
    plugin_host_on_exec(host, "yarn --version", &(struct plugin_answer){.out = "4.1.0\n"});
    plugin_host_on_exec(host, "yarn config get cacheFolder",
                        &(struct plugin_answer){.out = "/home/me/yarn\n"});
    plugin_host_on_exec(host, "yarn config get enableGlobalCache",
                        &(struct plugin_answer){.out = "false\n"});
    scratch_file("a/yarn.lock", "1");
    scratch_file("b/yarn.lock", "2");
    plugin_host_with(host, "cache", "yarn");
    plugin_host_with(host, "cache-dependency-path", "*/yarn.lock");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_execs(host, "yarn config get cacheFolder"), 2);
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=*,node-cache-Linux-x64-yarn "
                                        "paths=/home/me/yarn"),
                 1);
    plugin_host_said(host, "info: All dependencies are managed locally by yarn3, *");

    scratch_file("a/.yarn/cache/x", ""); /* in the repository: no other cache is of use */
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_lines(host, "*managed locally*"), 0);

    plugin_host_on_exec(host, "yarn --version", &(struct plugin_answer){.out = "1.22.0\n"});
    plugin_host_on_exec(host, "yarn cache dir", &(struct plugin_answer){.out = "/old\n"});
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_asks(host, "cache.restore * paths=/old"), 1);

    plugin_host_with(host, "cache-dependency-path", "none/yarn.lock");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    plugin_host_said(host, "warning: No existing directories found containing "
                           "cache-dependency-path=\"none/yarn.lock\"");
}

Test(packages, failures_are_the_actions_own)
{
    char wanted[8192];

    plugin_host_with(host, "cache", "bower");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(plugin_host_failure(host), "Caching for 'bower' is not supported");
    run_post(OST_OK);
    cr_expect_str_eq(plugin_host_log(host), "");

    plugin_host_with(host, "cache", "pnpm");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    snprintf(wanted, sizeof wanted,
             "Dependencies lock file is not found in %s. Supported file patterns: pnpm-lock.yaml",
             scratch_path);
    cr_expect_str_eq(plugin_host_failure(host), wanted);

    plugin_host_with(host, "cache", "npm");
    plugin_host_with(host, "cache-dependency-path", "none");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect_str_eq(plugin_host_failure(host),
                     "Some specified paths were not resolved, unable to cache dependencies.");
    run_post(OST_OK);
    cr_expect_eq(plugin_host_asks(host, "cache.save*"), 0);

    plugin_host_with(host, "cache-dependency-path", "");
    plugin_host_on_exec(host, "npm config *", &(struct plugin_answer){.exit_code = 3});
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(plugin_host_failure(host),
                     "The 'npm config get cache' command failed with exit code: 3");
    plugin_host_on_exec(host, "npm config *",
                        &(struct plugin_answer){.exit_code = 3, .err = "no!\n"});
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(plugin_host_failure(host), "no!");
    plugin_host_on_exec(host, "npm config *", &(struct plugin_answer){0});
    run(OST_PHASE_MAIN, OST_E_FAILED);
    cr_expect_str_eq(plugin_host_failure(host), "Could not get npm cache folder path");
    plugin_host_on_exec(host, "npm config *", &(struct plugin_answer){.status = OST_E_NOT_FOUND});
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
}

Test(packages, without_a_service_it_is_a_warning)
{
    plugin_host_with(host, "cache", "npm");
    plugin_host_without(host, OST_EXT_CACHE);
    run(OST_PHASE_MAIN, OST_OK);
    plugin_host_said(host, "warning: The runner was not able to contact the cache service. Caching "
                           "will be skipped");
    cr_expect_null(plugin_host_output(host, "cache-hit"));
}

Test(packages, the_plan_says_so)
{
    plugin_host_with(host, "cache", "npm");
    run(OST_PHASE_PLAN, OST_OK);
    cr_expect_str_eq(plugin_host_planned(host, 1),
                     "restore the cache of npm: and keep it at the end of the job");
}

Test(packages, each_call_can_fail)
{
    plugin_host_with(host, "cache", "npm");
    plugin_host_saved(host, "SETUP_NODE_CACHE_PACKAGE_MANAGER", "npm");
    plugin_host_saved(host, "CACHE_PATHS", ".");
    plugin_host_saved(host, "CACHE_KEY", "k");
    for (int phase = OST_PHASE_MAIN; phase <= OST_PHASE_POST; phase++)
        for (int nth = 1, left = true; left; nth++) {
            plugin_host_fault(host, nth);
            ost_status r = plugin_host_run(host, phase);

            left = plugin_host_struck(host);
            cr_expect(left || r == OST_OK, "phase %d: %s", phase, plugin_host_failure(host));
            cr_assert_lt(nth, 100);
        }
}
