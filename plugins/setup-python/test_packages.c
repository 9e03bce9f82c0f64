#include "packages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
    ost_test_on_exec(host, "printenv *", .exit_code = 1);
    ost_test_on_exec(host, "printenv PATH", .out = "/bin\n");
    ost_test_on_exec(host, "lsb_release -i -r -s", .out = "Debian\n12\n");
    ost_test_on_exec(host, "env PATH=*/Python/3.12.9/x64/bin:/bin pip cache dir",
                     .out = "/home/me/.cache/pip\n");
    scratch_file("Python/3.12.9/x64/bin/python", "");
    scratch_file("Python/3.12.9/x64.complete", "");
    scratch_file("requirements.txt", "black\n");
    ost_test_with(host, "python-version", "3.12");
    ost_test_with(host, "cache", "pip");
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
    static const char *const names[] = {"cache-primary-key", "cache-matched-key", "cache-paths"};

    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (ost_test_kept(host, names[i])) {
            char *value = strdup(ost_test_kept(host, names[i]));

            ost_test_saved(host, names[i], value);
            free(value);
        }
    run(OST_PHASE_POST, wanted);
}

#define PREFIX "setup-python-Linux-x64-12-Debian-python-3.12.9-"

Test(packages, pip_is_kept_by_system_version_and_requirements)
{
    char key[256];

    run(OST_PHASE_MAIN, OST_OK);
    snprintf(key, sizeof key, "%s", ost_test_kept(host, "cache-primary-key"));
    cr_expect(strncmp(key, PREFIX "pip-", strlen(PREFIX "pip-")) == 0, "%s", key);
    cr_expect_eq(strlen(key), strlen(PREFIX "pip-") + 64);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "false");
    cr_expect_eq(ost_test_asks(host, "cache.restore key=*," PREFIX "pip paths=/home/me/.cache/pip"),
                 1);
    ost_test_said(host, "info: pip cache is not found");

    ost_test_cache(host, PREFIX "pip-older", "/home/me/.cache/pip", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "false");
    ost_test_said(host, "info: Cache restored from key: " PREFIX "pip-older");

    ost_test_cache(host, key, "/home/me/.cache/pip", 10);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "true");
}

Test(packages, the_end_of_the_job_keeps_what_there_is)
{
    char folder[8192];

    snprintf(folder, sizeof folder, "%s/pip\n", scratch_path);
    ost_test_on_exec(host, "* pip cache dir", .out = folder);
    run(OST_PHASE_MAIN, OST_OK);
    run_post(OST_OK);
    ost_test_said(host, "warning: Cache folder path is retrieved for pip but doesn't exist on "
                        "disk: */pip. This likely indicates that there are no dependencies to "
                        "cache. Consider removing the cache step if it is not needed.");
    scratch_file("pip/wheel", "");
    run(OST_PHASE_POST, OST_OK);
    ost_test_said(host, "info: Cache saved with the key: " PREFIX "pip-*");
    run(OST_PHASE_MAIN, OST_OK);
    run_post(OST_OK);
    ost_test_said(host, "info: Cache hit occurred on the primary key " PREFIX "pip-*, not saving "
                        "cache.");
}

Test(packages, without_paths_or_a_key_the_end_says_so)
{
    run(OST_PHASE_POST, OST_OK);
    ost_test_said(host, "warning: Cache paths are empty. *");
    ost_test_saved(host, "cache-paths", ".");
    run(OST_PHASE_POST, OST_OK);
    ost_test_said(host, "warning: Error retrieving key from state.");
    ost_test_saved(host, "cache-primary-key", "a,b");
    run(OST_PHASE_POST, OST_OK);
    ost_test_said(host, "info: [[]warning]Key Validation Error: a,b cannot contain commas.");
}

Test(packages, pyproject_stands_in_for_requirements)
{
    cr_assert_eq(remove("requirements.txt"), 0);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host),
                     " matched to [**/requirements.txt or **/pyproject.toml], make sure you have "
                     "checked out the target repository"),
              "%s", ost_test_failure(host));
    scratch_file("sub/pyproject.toml", "");
    run(OST_PHASE_MAIN, OST_OK);
    ost_test_with(host, "cache-dependency-path", "a.txt\nb.txt");
    cr_assert_eq(remove("sub/pyproject.toml"), 0);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "[a.txt,b.txt or **/pyproject.toml]"));
}

Test(packages, the_system_is_known_without_lsb_release)
{
    ost_test_on_exec(host, "lsb_release *", .status = OST_E_NOT_FOUND);
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=setup-python-Linux-x64-*-python-3.12.9-*"),
                 1);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=setup-python-Linux-x64--*"), 0);
    ost_test_on_exec(host, "lsb_release *", .out = "RedHatEnterpriseLinux\n9.4\n");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=setup-python-Linux-x64-9-rhel-python-*"),
                 1);
}

Test(packages, pipenv_keeps_its_environments)
{
    ost_test_dir(host, OST_DIR_HOME, "/home/me");
    ost_test_with(host, "cache", "pipenv");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "matched to [**/Pipfile.lock], make sure"));
    scratch_file("Pipfile.lock", "{}");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=" PREFIX "pipenv-* "
                                     "paths=/home/me/.local/share/virtualenvs"),
                 1);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=*,*"), 0);
}

Test(packages, poetry_is_asked_in_each_project)
{
    ost_test_with(host, "cache", "poetry");
    ost_test_on_exec(host, "* poetry config --list",
                     .out = "cache-dir = \"/c/poetry\"\nvirtualenvs.create = true\n"
                            "virtualenvs.in-project = true\n"
                            "virtualenvs.path = \"{cache-dir}/virtualenvs\"  # /c/x\n");
    scratch_file("a/poetry.lock", "1");
    scratch_file("b/poetry.lock", "2");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_asks(host, "cache.restore key=" PREFIX "poetry-v2-* "
                                     "paths=/c/poetry/virtualenvs,*/a/.venv,*/b/.venv"),
                 1);
    cr_expect_eq(ost_test_execs(host, "* poetry env use */Python/3.12.9/x64/bin/python"), 2);
    ost_test_on_exec(host, "* poetry env use *", .exit_code = 1, .err = "no such version\n");
    run(OST_PHASE_MAIN, OST_OK);
    cr_expect_eq(ost_test_lines(host, "info: [[]warning]no such version"), 2);
    ost_test_on_exec(host, "* poetry config *", .exit_code = 1, .err = "broken\n");
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(ost_test_failure(host),
                     "Could not get cache folder path for poetry package manager");
}

Test(packages, failures_are_the_actions_own)
{
    ost_test_with(host, "cache", "conda");
    run(OST_PHASE_MAIN, OST_E_INVALID);
    cr_expect_str_eq(ost_test_failure(host), "Caching for 'conda' is not supported");
    ost_test_with(host, "cache", "pip");
    ost_test_on_exec(host, "* pip cache dir", .exit_code = 1, .err = "disabled\n");
    run(OST_PHASE_MAIN, OST_E_EXIT);
    cr_expect_str_eq(ost_test_failure(host),
                     "Could not get cache folder path for pip package manager");
    ost_test_on_exec(host, "* pip cache dir", .out = "~/p,ip\n");
    ost_test_on_service(host, "cache.restore", OST_E_INVALID, "not so");
    run(OST_PHASE_MAIN, OST_OK);
    ost_test_said(host, "info: [[]warning]not so");
    cr_expect_str_eq(ost_test_output(host, "cache-hit"), "false");
    ost_test_without(host, OST_EXT_CACHE);
    run(OST_PHASE_MAIN, OST_OK);
    ost_test_said(host, "warning: The runner was not able to contact the cache service. *");
}

Test(packages, the_plan_says_so)
{
    run(OST_PHASE_PLAN, OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 1),
                     "restore the cache of pip: and keep it at the end of the job");
}

Test(packages, each_call_can_fail)
{
    ost_test_saved(host, "cache-paths", ".");
    ost_test_saved(host, "cache-primary-key", "k");
    for (int phase = OST_PHASE_MAIN; phase <= OST_PHASE_POST; phase++)
        cr_expect_gt(ost_test_each_fault(host, .phase = phase), 2);
}
