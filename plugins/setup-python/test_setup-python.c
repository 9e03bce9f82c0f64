#include "found.h"

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
    plugin_host_on_exec(host, "printenv *", &(struct plugin_answer){.exit_code = 1});
    plugin_host_on_exec(host, "sh -c *",
                        &(struct plugin_answer){.out = "3.11.2 - /usr/bin/python3\n"
                                                       "3.11.2 - /bin/python3\n"
                                                       "3.14.0-rc.1 - /usr/bin/python3.14\n"
                                                       "3.13.5 t /opt/my python/python3.13t\n"
                                                       "no answer\n"
                                                       "3.9.20 - /usr/bin/python3.9\n"});
}

static void leave(void)
{
    plugin_host_free(host);
    scratch_leave();
}

TestSuite(setup_python, .init = enter, .fini = leave);

/* VERSION in the tool cache, complete or half installed. */
static void cache(const char *version, const char *arch, bool complete)
{
    char name[256];

    snprintf(name, sizeof name, "Python/%s/%s/bin/python", version, arch);
    scratch_file(name, "");
    snprintf(name, sizeof name, "Python/%s/%s.complete", version, arch);
    if (complete)
        scratch_file(name, "");
}

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

/* PART of a path below the test's folder. */
static const char *below(const char *part)
{
    static char path[8192];

    snprintf(path, sizeof path, "%s/%s", scratch_path, part);
    return path;
}

Test(setup_python, takes_the_highest_that_fits_from_the_tool_cache)
{
    static const struct {
        const char *wanted, *got, *dir;
    } rows[] = {
        {"3.12", "3.12.10", "3.12.10/x64"},
        {"3.12.x", "3.12.10", "3.12.10/x64"},
        {"3.12.9", "3.12.9", "3.12.9/x64"},
        {">=3.9 <3.12", "3.10.1", "3.10.1/x64"},
        {"3.x", "3.13.1", "3.13.1/x64"},
        {"3.14-dev", "3.14.0-rc.2", "3.14.0-rc.2/x64"},
        {"3.14.0rc1", "3.14.0-rc.1", "3.14.0-rc.1/x64"},
        {"3.13t", "3.13.2t", "3.13.2/x64-freethreaded"},
    };
    char name[256];

    cache("3.10.1", "x64", true);
    cache("3.12.9", "x64", true);
    cache("3.12.10", "x64", true);
    cache("3.12.11", "x64", false);
    cache("3.12.12", "arm64", true);
    cache("3.13.1", "x64", true);
    cache("3.13.2", "x64-freethreaded", true);
    cache("3.14.0-rc.1", "x64", true);
    cache("3.14.0-rc.2", "x64", true);
    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        plugin_host_with(host, "python-version", rows[i].wanted);
        cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s: %s", rows[i].wanted,
                     plugin_host_failure(host));
        cr_expect_str_eq(plugin_host_output(host, "python-version"), rows[i].got, "%s gave %s",
                         rows[i].wanted, plugin_host_output(host, "python-version"));
        snprintf(name, sizeof name, "Python/%s/bin/python", rows[i].dir);
        cr_expect_str_eq(plugin_host_output(host, "python-path"), below(name));
        cr_expect_null(plugin_host_output(host, "cache-hit"));
        cr_expect_eq(plugin_host_execs(host, "* -m venv *"), 0);
    }
    plugin_host_with(host, "python-version", "3.12");
    plugin_host_with(host, "architecture", "arm64");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.12.12");
}

Test(setup_python, sets_what_the_action_sets)
{
    static const char *const names[] = {"pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR",
                                        "Python3_ROOT_DIR"};
    char wanted[16384];

    cache("3.12.9", "x64", true);
    plugin_host_with(host, "python-version", "3.12");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    for (size_t i = 0; i < OST_COUNT(names); i++)
        cr_expect_str_eq(plugin_host_env(host, names[i]), below("Python/3.12.9/x64"));
    cr_expect_str_eq(plugin_host_env(host, "PKG_CONFIG_PATH"),
                     below("Python/3.12.9/x64/lib/pkgconfig"));
    cr_expect_str_eq(plugin_host_env(host, "LD_LIBRARY_PATH"), below("Python/3.12.9/x64/lib"));
    cr_expect_str_eq(plugin_host_path(host, 0), below("Python/3.12.9/x64"));
    cr_expect_str_eq(plugin_host_path(host, 1), below("Python/3.12.9/x64/bin"));

    plugin_host_on_exec(host, "printenv LD_LIBRARY_PATH",
                        &(struct plugin_answer){.out = "/opt/lib\n"});
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    snprintf(wanted, sizeof wanted, "%s:/opt/lib", below("Python/3.12.9/x64/lib"));
    cr_expect_str_eq(plugin_host_env(host, "LD_LIBRARY_PATH"), wanted);
    plugin_host_on_exec(host, "printenv LD_LIBRARY_PATH", &(struct plugin_answer){.out = wanted});
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_env(host, "LD_LIBRARY_PATH"), wanted, "once is enough");

    plugin_host_with(host, "update-environment", "false");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_null(plugin_host_env(host, "pythonLocation"));
    cr_expect_null(plugin_host_env(host, "LD_LIBRARY_PATH"));
    cr_expect_null(plugin_host_path(host, 0));
    cr_expect_str_eq(plugin_host_output(host, "python-path"),
                     below("Python/3.12.9/x64/bin/python"));
}

Test(setup_python, gives_the_job_a_virtual_environment_of_a_python_on_path)
{
    static const struct {
        const char *wanted, *got, *dir, *program;
    } rows[] = {
        {"3.11", "3.11.2", "3.11.2/x64", "/usr/bin/python3"},
        {"3.x", "3.11.2", "3.11.2/x64", "/usr/bin/python3"},
        {"3.9", "3.9.20", "3.9.20/x64", "/usr/bin/python3.9"},
        {"3.14-dev", "3.14.0-rc.1", "3.14.0-rc.1/x64", "/usr/bin/python3.14"},
        {"3.13t", "3.13.5t", "3.13.5/x64-freethreaded", "/opt/my python/python3.13t"},
    };
    char name[9000], dir[8192];

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        plugin_host_with(host, "python-version", rows[i].wanted);
        cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s: %s", rows[i].wanted,
                     plugin_host_failure(host));
        cr_expect_str_eq(plugin_host_output(host, "python-version"), rows[i].got);
        snprintf(name, sizeof name, "setup-python/%s", rows[i].dir);
        snprintf(dir, sizeof dir, "%s", below(name));
        cr_expect_str_eq(plugin_host_env(host, "pythonLocation"), dir);
        snprintf(name, sizeof name, "%s -m venv --clear %s", rows[i].program, dir);
        cr_expect_eq(plugin_host_execs(host, name), 1, "%s", name);
        snprintf(name, sizeof name, "touch -- %s.complete", dir);
        cr_expect_eq(plugin_host_execs(host, name), 1, "%s", name);
    }

    /* What an earlier step made is taken as it is, with what it has installed. */
    scratch_file("setup-python/3.11.2/x64.complete", "");
    plugin_host_with(host, "python-version", "3.11");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_eq(plugin_host_execs(host, "* -m venv *"), 0);
    cr_expect_str_eq(plugin_host_path(host, 1), below("setup-python/3.11.2/x64/bin"));
    expect_has(plugin_host_log(host), "info: Found the virtual environment of an earlier step @ ");
}

Test(setup_python, takes_the_tool_cache_before_path)
{
    cache("3.9.1", "x64", true);
    plugin_host_with(host, "python-version", "3.x");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.9.1");
    cr_expect_eq(plugin_host_execs(host, "sh *"), 0, "PATH was looked at in vain");
}

Test(setup_python, takes_several_versions_the_last_by_default)
{
    cache("3.12.9", "x64", true);
    plugin_host_with(host, "python-version", "3.9\n  3.11\n\n3.12\n");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.12.9");
    cr_expect_str_eq(plugin_host_path(host, 1), below("setup-python/3.9.20/x64/bin"));
    cr_expect_str_eq(plugin_host_path(host, 3), below("setup-python/3.11.2/x64/bin"));
    cr_expect_str_eq(plugin_host_path(host, 5), below("Python/3.12.9/x64/bin"));
    cr_expect_str_eq(plugin_host_env(host, "pythonLocation"), below("Python/3.12.9/x64"));
    cr_expect_eq(plugin_host_execs(host, "sh *"), 1, "PATH is looked at once");
    expect_has(plugin_host_log(host),
               "info: Making a virtual environment of /usr/bin/python3\n"
               "info: Successfully set up CPython (3.11.2)\ninfo: Found in cache @ ");
}

Test(setup_python, takes_prereleases_only_when_asked)
{
    plugin_host_with(host, "python-version", "3.14");
    cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    plugin_host_with(host, "allow-prereleases", "true");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s", plugin_host_failure(host));
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.14.0-rc.1");
    plugin_host_with(host, "allow-prereleases", "false");
    plugin_host_with(host, "python-version", "3.13");
    plugin_host_with(host, "freethreaded", "true");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s", plugin_host_failure(host));
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.13.5t");
}

Test(setup_python, says_what_is_there_when_nothing_fits)
{
    cache("3.9.9", "x64", true);
    cache("3.10.1", "x64", true);
    plugin_host_with(host, "python-version", "3.12");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(plugin_host_failure(host), "no Python 3.12 for x64 on this machine");
    expect_has(plugin_host_failure(host),
               "has 3.9.9, 3.10.1, PATH has 3.9.20, 3.11.2, 3.13.5t, 3.14.0-rc.1. Install");
    expect_has(plugin_host_failure(host), "--plugins actions/setup-python=never");
    /* Nothing is done by halves. */
    cr_expect_null(plugin_host_path(host, 0));
    cr_expect_null(plugin_host_output(host, "python-version"));

    /* A Python of the machine's architecture is no Python of another. */
    plugin_host_with(host, "python-version", "3.11");
    plugin_host_with(host, "architecture", "arm64");
    cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(plugin_host_failure(host), "no Python 3.11 for arm64");

    plugin_host_with(host, "architecture", "");
    plugin_host_with(host, "python-version", "3.1");
    cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(plugin_host_failure(host), "If 3.10 is meant, put it in quotes");
}

Test(setup_python, refuses_what_it_cannot_serve)
{
    static const struct {
        const char *input, *value;
        ost_status status;
        const char *why;
    } rows[] = {
        {"python-version", "pypy3.10", OST_E_UNSUPPORTED,
         "'pypy3.10' is not served by this plugin"},
        {"python-version", "3.11\ngraalpy-24", OST_E_UNSUPPORTED, "'graalpy-24' is not served"},
        {"python-version", "latest", OST_E_INVALID, "'latest' is no version of Python"},
        {"python-version-file", "nothing.txt", OST_E_NOT_FOUND, "nothing.txt doesn't exist"},
        {"python-version-file", "broken.toml", OST_E_INVALID, "'broken.toml' is no TOML"},
        {"pip-version", "latest", OST_E_INVALID, "Invalid pip-version \"latest\""},
        {"pip-version", "23.", OST_E_INVALID, "Invalid pip-version \"23.\""},
        {"pip-version", "1.2.3.4", OST_E_INVALID, "Invalid pip-version \"1.2.3.4\""},
    };

    scratch_file("broken.toml", "project = \n");
    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        plugin_host_with(host, rows[i].input, rows[i].value);
        cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), rows[i].status, "%s", rows[i].value);
        expect_has(plugin_host_failure(host), rows[i].why);
        cr_expect_eq(plugin_host_execs(host, "*"), 0, "%s was acted upon", rows[i].value);
        plugin_host_with(host, rows[i].input, "");
    }
}

Test(setup_python, reads_the_version_from_a_file)
{
    scratch_file("web/pyproject.toml", "[project]\nrequires-python = \">=3.9,<3.11\"\n");
    plugin_host_with(host, "python-version-file", "web/pyproject.toml");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s", plugin_host_failure(host));
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.9.20");
    expect_has(plugin_host_log(host), "info: Resolved web/pyproject.toml as >=3.9 <3.11");

    plugin_host_with(host, "python-version", "3.11");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.11.2");
    expect_has(plugin_host_log(host), "warning: Both python-version and python-version-file");

    plugin_host_with(host, "python-version", "");
    plugin_host_with(host, "python-version-file", "");
    scratch_file(".python-version", "3.11\n");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(plugin_host_output(host, "python-version"), "3.11.2");
}

Test(setup_python, leaves_path_alone_when_nothing_is_asked_for)
{
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s", plugin_host_failure(host));
    expect_has(plugin_host_log(host), "warning: The `python-version` input is not set.");
    cr_expect_null(plugin_host_output(host, "python-version"));
    cr_expect_null(plugin_host_path(host, 0));
    cr_expect_eq(plugin_host_execs(host, "echo *add-matcher]*/setup-python-matchers.json"), 1);
}

Test(setup_python, says_how_to_get_what_an_environment_takes)
{
    plugin_host_on_exec(host, "* -m venv *",
                        &(struct plugin_answer){.exit_code = 1, .out = "no ensurepip\n"});
    plugin_host_with(host, "python-version", "3.11");
    cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_E_EXIT);
    expect_has(plugin_host_failure(host), "'/usr/bin/python3' cannot make the virtual environment");
    expect_has(plugin_host_failure(host), "apt-get install python3.11-venv");
    cr_expect_eq(plugin_host_execs(host, "touch *"), 0);
}

Test(setup_python, installs_the_pip_and_the_packages_asked_for)
{
    char wanted[9000];

    cache("3.12.9", "x64", true);
    plugin_host_with(host, "python-version", "3.12");
    plugin_host_with(host, "pip-version", "25.1");
    plugin_host_with(host, "pip-install", "-r requirements.txt\n  black==24.1  ");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK, "%s", plugin_host_failure(host));
    snprintf(wanted, sizeof wanted,
             "%s -m pip install --upgrade pip==25.1 --disable-pip-version-check "
             "--no-warn-script-location",
             below("Python/3.12.9/x64/bin/python"));
    cr_expect_eq(plugin_host_execs(host, wanted), 1);
    snprintf(wanted, sizeof wanted, "%s -m pip install -r requirements.txt black==24.1",
             below("Python/3.12.9/x64/bin/python"));
    cr_expect_eq(plugin_host_execs(host, wanted), 1);

    plugin_host_on_exec(host, "* install -r *", &(struct plugin_answer){.exit_code = 1});
    cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_E_EXIT);
    expect_has(plugin_host_failure(host), "cannot install what pip-install asks for");

    /* Without the environment, it is the Python on PATH that installs. */
    plugin_host_with(host, "update-environment", "false");
    plugin_host_on_exec(host, "* install -r *", &(struct plugin_answer){0});
    cr_expect_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_eq(plugin_host_execs(host, "python -m pip install -r requirements.txt black==24.1"),
                 1);
}

Test(setup_python, says_plainly_what_it_does_not_do)
{
    plugin_host_with(host, "python-version", "3.11");
    plugin_host_with(host, "check-latest", "true");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_MAIN), OST_OK);
    expect_has(plugin_host_log(host), "warning: check-latest is not served");
    cr_expect_null(plugin_host_output(host, "cache-hit"));
}

Test(setup_python, plans_without_running_anything)
{
    cache("3.12.9", "x64", true);
    plugin_host_with(host, "python-version", "3.11\n3.12");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(plugin_host_planned(host, 0),
                     "use a virtual environment of the Python on PATH: if there is a 3.11");
    expect_has(plugin_host_planned(host, 1), "use Python 3.12.9: ");
    plugin_host_with(host, "python-version", "");
    cr_assert_eq(plugin_host_run(host, OST_PHASE_PLAN), OST_OK);
    expect_has(plugin_host_planned(host, 0), "use the Python on PATH");
    cr_expect_eq(plugin_host_execs(host, "*"), 0);
}

/* The question put to every Python of PATH, for real. */
Test(setup_python, finds_the_pythons_of_this_machine)
{
    struct plugin_host *real = plugin_host_new(&ostler_plugin_v1);
    struct pythons *pythons = calloc(1, sizeof *pythons);
    struct wanted any = {.text = "3.x", .range = "3.x"};
    const struct python *best;

    cr_assert_not_null(pythons);
    plugin_host_exec_for_real(real, "/nowhere:relative:/usr/bin:/bin");
    cr_assert_eq(pythons_on_path(plugin_host_step(real), pythons), OST_OK);
    best = pythons_choose(pythons, &any);
    cr_assert_not_null(best, "/usr/bin has no python3");
    cr_expect_eq(strncmp(best->program, "/usr/bin/python3", 16), 0, "%s", best->program);
    cr_expect_eq(best->version.major, 3);
    free(pythons);
    plugin_host_free(real);
}

Test(setup_python, survives_the_failure_of_any_service)
{
    cache("3.12.9", "x64", true);
    plugin_host_with(host, "python-version", "3.11\n3.12");
    plugin_host_with(host, "pip-version", "25");
    plugin_host_with(host, "pip-install", "black");
    for (int nth = 1, done = 0; !done; nth++) {
        ost_status r;

        plugin_host_fault(host, nth);
        r = plugin_host_run(host, OST_PHASE_MAIN);
        done = !plugin_host_struck(host);
        cr_expect_eq(r, done ? OST_OK : OST_E_IO, "fault %d: %d %s", nth, r,
                     plugin_host_failure(host));
    }
}

Test(setup_python, stops_when_the_job_is_cancelled)
{
    plugin_host_with(host, "python-version", "3.11");
    plugin_host_with(host, "pip-install", "black");
    for (int nth = 1, done = 0; !done; nth++) {
        ost_status r;

        plugin_host_cancel(host, nth);
        r = plugin_host_run(host, OST_PHASE_MAIN);
        done = !plugin_host_struck(host);
        cr_expect(r == OST_OK || r == OST_E_CANCELLED, "call %d: %d %s", nth, r,
                  plugin_host_failure(host));
        cr_expect_str_eq(plugin_host_failure(host), "", "a cancelled job is no failure");
    }
}
