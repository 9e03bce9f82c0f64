#include "packages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
    plugin_host_on_exec(host, "printenv *", &(struct plugin_answer){.exit_code = 1});
    plugin_host_on_exec(host, "printenv PATH", &(struct plugin_answer){.out = "/bin\n"});
    plugin_host_on_exec(host, "lsb_release -i -r -s",
                        &(struct plugin_answer){.out = "Debian\n12\n"});
    plugin_host_on_exec(host, "env PATH=*/Python/3.12.9/x64/bin:/bin pip cache dir",
                        &(struct plugin_answer){.out = "/home/me/.cache/pip\n"});
    scratch_file("Python/3.12.9/x64/bin/python", "");
    scratch_file("Python/3.12.9/x64.complete", "");
    scratch_file("requirements.txt", "black\n");
    plugin_host_with(host, "python-version", "3.12");
    plugin_host_with(host, "cache", "pip");
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
    static const char *const names[] = {"cache-primary-key", "cache-matched-key", "cache-paths"};

    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (plugin_host_kept(host, names[i])) {
            char *value = strdup(plugin_host_kept(host, names[i]));

            plugin_host_saved(host, names[i], value);
            free(value);
        }
    run(OST_PHASE_POST, wanted);
}

#define PREFIX "setup-python-Linux-x64-12-Debian-python-3.12.9-"

Test(packages, pip_is_kept_by_system_version_and_requirements)
{
    char key[256];

    run(OST_PHASE_MAIN, OST_OK);
    snprintf(key, sizeof key, "%s", plugin_host_kept(host, "cache-primary-key"));
    cr_expect(strncmp(key, PREFIX "pip-", strlen(PREFIX "pip-")) == 0, "%s", key);
    cr_expect_eq(strlen(key), strlen(PREFIX "pip-") + 64);
    cr_expect_str_eq(plugin_host_output(host, "cache-hit"), "false");
    cr_expect_eq(
        plugin_host_asks(host, "cache.restore key=*," PREFIX "pip paths=/home/me/.cache/pip"), 1);
    plugin_host_said(host, "info: pip cache is not found");

    plugin_host_cache(host, PREFIX "pip-older", "/home/me/.cache/pip", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "cache-hit"), "false");
    plugin_host_said(host, "info: Cache restored from key: " PREFIX "pip-older");

    plugin_host_cache(host, key, "/home/me/.cache/pip", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "cache-hit"), "true");
}

Test(packages, the_end_of_the_job_keeps_what_there_is)
{
    char folder[8192];

    snprintf(folder, sizeof folder, "%s/pip\n", scratch_path);
    plugin_host_on_exec(host, "* pip cache dir", &(struct plugin_answer){.out = folder});
    run(OST_PHASE_MAIN, OST_OK);
    run_post(OST_OK);
    plugin_host_said(host, "warning: Cache folder path is retrieved for pip but doesn't exist on "
                           "disk: */pip. This likely indicates that there are no dependencies to "
                           "cache. Consider removing the cache step if it is not needed.");
    scratch_file("pip/wheel", "");
    run(OST_PHASE_POST, OST_OK);
    plugin_host_said(host, "info: Cache saved with the key: " PREFIX "pip-*");
    run(OST_PHASE_MAIN, OST_OK);
    run_post(OST_OK);
    plugin_host_said(host,
                     "info: Cache hit occurred on the primary key " PREFIX "pip-*, not saving "
                     "cache.");
}

Test(packages, without_paths_or_a_key_the_end_says_so)
{
    run(OST_PHASE_POST, OST_OK);
    plugin_host_said(host, "warning: Cache paths are empty. *");
    plugin_host_saved(host, "cache-paths", ".");
    run(OST_PHASE_POST, OST_OK);
    plugin_host_said(host, "warning: Error retrieving key from state.");
    plugin_host_saved(host, "cache-primary-key", "a,b");
    run(OST_PHASE_POST, OST_OK);
    plugin_host_said(host, "info: [[]warning]Key Validation Error: a,b cannot contain commas.");
}

Test(packages, pyproject_stands_in_for_requirements)
{
    cr_assert_eq(remove("requirements.txt"), 0);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(plugin_host_failure(host),
                     " matched to [**/requirements.txt or **/pyproject.toml], make sure you have "
                     "checked out the target repository"),
              "%s", plugin_host_failure(host));
    scratch_file("sub/pyproject.toml", "");
    run(OST_PHASE_MAIN, OST_OK);
    plugin_host_with(host, "cache-dependency-path", "a.txt\nb.txt");
    cr_assert_eq(remove("sub/pyproject.toml"), 0);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(plugin_host_failure(host), "[a.txt,b.txt or **/pyproject.toml]"));
}

Test(packages, the_system_is_known_without_lsb_release)
{
    plugin_host_on_exec(host, "lsb_release *", &(struct plugin_answer){.status = OST_E_NOT_FOUND});
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(
        plugin_host_asks(host, "cache.restore key=setup-python-Linux-x64-*-python-3.12.9-*"), 1);
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=setup-python-Linux-x64--*"), 0);
    plugin_host_on_exec(host, "lsb_release *",
                        &(struct plugin_answer){.out = "RedHatEnterpriseLinux\n9.4\n"});
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=setup-python-Linux-x64-9-rhel-python-*"),
                 1);
}

Test(packages, pipenv_keeps_its_environments)
{
    plugin_host_dir(host, OST_DIR_HOME, "/home/me");
    plugin_host_with(host, "cache", "pipenv");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(plugin_host_failure(host), "matched to [**/Pipfile.lock], make sure"));
    scratch_file("Pipfile.lock", "{}");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=" PREFIX "pipenv-* "
                                        "paths=/home/me/.local/share/virtualenvs"),
                 1);
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=*,*"), 0);
}

Test(packages, poetry_is_asked_in_each_project)
{
    plugin_host_with(host, "cache", "poetry");
    plugin_host_on_exec(
        host, "* poetry config --list",
        &(struct plugin_answer){.out = "cache-dir = \"/c/poetry\"\nvirtualenvs.create = true\n"
                                       "virtualenvs.in-project = true\n"
                                       "virtualenvs.path = \"{cache-dir}/virtualenvs\"  # /c/x\n"});
    scratch_file("a/poetry.lock", "1");
    scratch_file("b/poetry.lock", "2");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_asks(host, "cache.restore key=" PREFIX "poetry-v2-* "
                                        "paths=/c/poetry/virtualenvs,*/a/.venv,*/b/.venv"),
                 1);
    cr_expect_eq(plugin_host_execs(host, "* poetry env use */Python/3.12.9/x64/bin/python"), 2);
    plugin_host_on_exec(host, "* poetry env use *",
                        &(struct plugin_answer){.exit_code = 1, .err = "no such version\n"});
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(plugin_host_lines(host, "info: [[]warning]no such version"), 2);
    plugin_host_on_exec(host, "* poetry config *",
                        &(struct plugin_answer){.exit_code = 1, .err = "broken\n"});
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(plugin_host_failure(host),
                     "Could not get cache folder path for poetry package manager");
}

Test(packages, failures_are_the_actions_own)
{
    plugin_host_with(host, "cache", "conda");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(plugin_host_failure(host), "Caching for 'conda' is not supported");
    plugin_host_with(host, "cache", "pip");
    plugin_host_on_exec(host, "* pip cache dir",
                        &(struct plugin_answer){.exit_code = 1, .err = "disabled\n"});
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(plugin_host_failure(host),
                     "Could not get cache folder path for pip package manager");
    plugin_host_on_exec(host, "* pip cache dir", &(struct plugin_answer){.out = "~/p,ip\n"});
    plugin_host_on_service(host, "cache.restore", OST_E_INVALID, "not so");
    run(OST_PHASE_MAIN, OST_OK);
    plugin_host_said(host, "info: [[]warning]not so");
    cr_expect_str_eq(plugin_host_output(host, "cache-hit"), "false");
    plugin_host_without(host, OST_EXT_CACHE);
    run(OST_PHASE_MAIN, OST_OK);
    plugin_host_said(host, "warning: The runner was not able to contact the cache service. *");
}

Test(packages, the_plan_says_so)
{
    run(OST_PHASE_PLAN, OST_OK);
    cr_expect_str_eq(plugin_host_planned(host, 1),
                     "restore the cache of pip: and keep it at the end of the job");
}

Test(packages, each_call_can_fail)
{
    plugin_host_saved(host, "cache-paths", ".");
    plugin_host_saved(host, "cache-primary-key", "k");
    for (int phase = OST_PHASE_MAIN; phase <= OST_PHASE_POST; phase++)
        for (int nth = 1, left = true; left; nth++) {
            plugin_host_fault(host, nth);
            ost_status r = plugin_host_run(host, phase);

            left = plugin_host_struck(host);
            cr_expect(left || r == OST_OK, "phase %d: %s", phase, plugin_host_failure(host));
            cr_assert_lt(nth, 200);
        }
}
