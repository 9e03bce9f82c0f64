#include "found.h"

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
    ost_test_on_exec(host, "printenv *", .exit_code = 1);
    ost_test_on_exec(host, "sh -c *",
                     .out = "3.11.2 - /usr/bin/python3\n"
                            "3.11.2 - /bin/python3\n"
                            "3.14.0-rc.1 - /usr/bin/python3.14\n"
                            "3.13.5 t /opt/my python/python3.13t\n"
                            "no answer\n"
                            "3.9.20 - /usr/bin/python3.9\n");
}

static void leave(void)
{
    ost_test_free(host);
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
        ost_test_with(host, "python-version", rows[i].wanted);
        cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s: %s", rows[i].wanted,
                     ost_test_failure(host));
        cr_expect_str_eq(ost_test_output(host, "python-version"), rows[i].got, "%s gave %s",
                         rows[i].wanted, ost_test_output(host, "python-version"));
        snprintf(name, sizeof name, "Python/%s/bin/python", rows[i].dir);
        cr_expect_str_eq(ost_test_output(host, "python-path"), below(name));
        cr_expect_null(ost_test_output(host, "cache-hit"));
        cr_expect_eq(ost_test_execs(host, "* -m venv *"), 0);
    }
    ost_test_with(host, "python-version", "3.12");
    ost_test_with(host, "architecture", "arm64");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.12.12");
}

Test(setup_python, sets_what_the_action_sets)
{
    static const char *const names[] = {"pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR",
                                        "Python3_ROOT_DIR"};
    char wanted[16384];

    cache("3.12.9", "x64", true);
    ost_test_with(host, "python-version", "3.12");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    for (size_t i = 0; i < OST_COUNT(names); i++)
        cr_expect_str_eq(ost_test_env(host, names[i]), below("Python/3.12.9/x64"));
    cr_expect_str_eq(ost_test_env(host, "PKG_CONFIG_PATH"),
                     below("Python/3.12.9/x64/lib/pkgconfig"));
    cr_expect_str_eq(ost_test_env(host, "LD_LIBRARY_PATH"), below("Python/3.12.9/x64/lib"));
    cr_expect_str_eq(ost_test_path(host, 0), below("Python/3.12.9/x64"));
    cr_expect_str_eq(ost_test_path(host, 1), below("Python/3.12.9/x64/bin"));

    ost_test_on_exec(host, "printenv LD_LIBRARY_PATH", .out = "/opt/lib\n");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    snprintf(wanted, sizeof wanted, "%s:/opt/lib", below("Python/3.12.9/x64/lib"));
    cr_expect_str_eq(ost_test_env(host, "LD_LIBRARY_PATH"), wanted);
    ost_test_on_exec(host, "printenv LD_LIBRARY_PATH", .out = wanted);
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_env(host, "LD_LIBRARY_PATH"), wanted, "once is enough");

    ost_test_with(host, "update-environment", "false");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_null(ost_test_env(host, "pythonLocation"));
    cr_expect_null(ost_test_env(host, "LD_LIBRARY_PATH"));
    cr_expect_null(ost_test_path(host, 0));
    cr_expect_str_eq(ost_test_output(host, "python-path"), below("Python/3.12.9/x64/bin/python"));
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
        ost_test_with(host, "python-version", rows[i].wanted);
        cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s: %s", rows[i].wanted,
                     ost_test_failure(host));
        cr_expect_str_eq(ost_test_output(host, "python-version"), rows[i].got);
        snprintf(name, sizeof name, "setup-python/%s", rows[i].dir);
        snprintf(dir, sizeof dir, "%s", below(name));
        cr_expect_str_eq(ost_test_env(host, "pythonLocation"), dir);
        snprintf(name, sizeof name, "%s -m venv --clear %s", rows[i].program, dir);
        cr_expect_eq(ost_test_execs(host, name), 1, "%s", name);
        snprintf(name, sizeof name, "touch -- %s.complete", dir);
        cr_expect_eq(ost_test_execs(host, name), 1, "%s", name);
    }

    /* What an earlier step made is taken as it is, with what it has installed. */
    scratch_file("setup-python/3.11.2/x64.complete", "");
    ost_test_with(host, "python-version", "3.11");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_eq(ost_test_execs(host, "* -m venv *"), 0);
    cr_expect_str_eq(ost_test_path(host, 1), below("setup-python/3.11.2/x64/bin"));
    expect_has(ost_test_log(host), "info: Found the virtual environment of an earlier step @ ");
}

Test(setup_python, takes_the_tool_cache_before_path)
{
    cache("3.9.1", "x64", true);
    ost_test_with(host, "python-version", "3.x");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.9.1");
    cr_expect_eq(ost_test_execs(host, "sh *"), 0, "PATH was looked at in vain");
}

Test(setup_python, takes_several_versions_the_last_by_default)
{
    cache("3.12.9", "x64", true);
    ost_test_with(host, "python-version", "3.9\n  3.11\n\n3.12\n");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.12.9");
    cr_expect_str_eq(ost_test_path(host, 1), below("setup-python/3.9.20/x64/bin"));
    cr_expect_str_eq(ost_test_path(host, 3), below("setup-python/3.11.2/x64/bin"));
    cr_expect_str_eq(ost_test_path(host, 5), below("Python/3.12.9/x64/bin"));
    cr_expect_str_eq(ost_test_env(host, "pythonLocation"), below("Python/3.12.9/x64"));
    cr_expect_eq(ost_test_execs(host, "sh *"), 1, "PATH is looked at once");
    expect_has(ost_test_log(host),
               "info: Making a virtual environment of /usr/bin/python3\n"
               "info: Successfully set up CPython (3.11.2)\ninfo: Found in cache @ ");
}

Test(setup_python, takes_prereleases_only_when_asked)
{
    ost_test_with(host, "python-version", "3.14");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    ost_test_with(host, "allow-prereleases", "true");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.14.0-rc.1");
    ost_test_with(host, "allow-prereleases", "false");
    ost_test_with(host, "python-version", "3.13");
    ost_test_with(host, "freethreaded", "true");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.13.5t");
}

Test(setup_python, says_what_is_there_when_nothing_fits)
{
    cache("3.9.9", "x64", true);
    cache("3.10.1", "x64", true);
    ost_test_with(host, "python-version", "3.12");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(ost_test_failure(host), "no Python 3.12 for x64 on this machine");
    expect_has(ost_test_failure(host),
               "has 3.9.9, 3.10.1, PATH has 3.9.20, 3.11.2, 3.13.5t, 3.14.0-rc.1. Install");
    expect_has(ost_test_failure(host), "--plugins actions/setup-python=never");
    /* Nothing is done by halves. */
    cr_expect_null(ost_test_path(host, 0));
    cr_expect_null(ost_test_output(host, "python-version"));

    /* A Python of the machine's architecture is no Python of another. */
    ost_test_with(host, "python-version", "3.11");
    ost_test_with(host, "architecture", "arm64");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(ost_test_failure(host), "no Python 3.11 for arm64");

    ost_test_with(host, "architecture", "");
    ost_test_with(host, "python-version", "3.1");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(ost_test_failure(host), "If 3.10 is meant, put it in quotes");
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
        ost_test_with(host, rows[i].input, rows[i].value);
        cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), rows[i].status, "%s", rows[i].value);
        expect_has(ost_test_failure(host), rows[i].why);
        cr_expect_eq(ost_test_execs(host, "*"), 0, "%s was acted upon", rows[i].value);
        ost_test_with(host, rows[i].input, "");
    }
}

Test(setup_python, reads_the_version_from_a_file)
{
    scratch_file("web/pyproject.toml", "[project]\nrequires-python = \">=3.9,<3.11\"\n");
    ost_test_with(host, "python-version-file", "web/pyproject.toml");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.9.20");
    expect_has(ost_test_log(host), "info: Resolved web/pyproject.toml as >=3.9 <3.11");

    ost_test_with(host, "python-version", "3.11");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.11.2");
    expect_has(ost_test_log(host), "warning: Both python-version and python-version-file");

    ost_test_with(host, "python-version", "");
    ost_test_with(host, "python-version-file", "");
    scratch_file(".python-version", "3.11\n");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(host, "python-version"), "3.11.2");
}

Test(setup_python, leaves_path_alone_when_nothing_is_asked_for)
{
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    expect_has(ost_test_log(host), "warning: The `python-version` input is not set.");
    cr_expect_null(ost_test_output(host, "python-version"));
    cr_expect_null(ost_test_path(host, 0));
    cr_expect_eq(ost_test_execs(host, "echo *add-matcher]*/setup-python-matchers.json"), 1);
}

Test(setup_python, says_how_to_get_what_an_environment_takes)
{
    ost_test_on_exec(host, "* -m venv *", .exit_code = 1, .out = "no ensurepip\n");
    ost_test_with(host, "python-version", "3.11");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_EXIT);
    expect_has(ost_test_failure(host), "'/usr/bin/python3' cannot make the virtual environment");
    expect_has(ost_test_failure(host), "apt-get install python3.11-venv");
    cr_expect_eq(ost_test_execs(host, "touch *"), 0);
}

Test(setup_python, installs_the_pip_and_the_packages_asked_for)
{
    char wanted[9000];

    cache("3.12.9", "x64", true);
    ost_test_with(host, "python-version", "3.12");
    ost_test_with(host, "pip-version", "25.1");
    ost_test_with(host, "pip-install", "-r requirements.txt\n  black==24.1  ");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    snprintf(wanted, sizeof wanted,
             "%s -m pip install --upgrade pip==25.1 --disable-pip-version-check "
             "--no-warn-script-location",
             below("Python/3.12.9/x64/bin/python"));
    cr_expect_eq(ost_test_execs(host, wanted), 1);
    snprintf(wanted, sizeof wanted, "%s -m pip install -r requirements.txt black==24.1",
             below("Python/3.12.9/x64/bin/python"));
    cr_expect_eq(ost_test_execs(host, wanted), 1);

    ost_test_on_exec(host, "* install -r *", .exit_code = 1);
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_EXIT);
    expect_has(ost_test_failure(host), "cannot install what pip-install asks for");

    /* Without the environment, it is the Python on PATH that installs. */
    ost_test_with(host, "update-environment", "false");
    ost_test_on_exec(host, "* install -r *", .exit_code = 0);
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_eq(ost_test_execs(host, "python -m pip install -r requirements.txt black==24.1"), 1);
}

Test(setup_python, says_plainly_what_it_does_not_do)
{
    ost_test_with(host, "python-version", "3.11");
    ost_test_with(host, "check-latest", "true");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    expect_has(ost_test_log(host), "warning: check-latest is not served");
    cr_expect_null(ost_test_output(host, "cache-hit"));
}

Test(setup_python, plans_without_running_anything)
{
    cache("3.12.9", "x64", true);
    ost_test_with(host, "python-version", "3.11\n3.12");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "use a virtual environment of the Python on PATH: if there is a 3.11");
    expect_has(ost_test_planned(host, 1), "use Python 3.12.9: ");
    ost_test_with(host, "python-version", "");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    expect_has(ost_test_planned(host, 0), "use the Python on PATH");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

/* The question put to every Python of PATH, for real. */
Test(setup_python, finds_the_pythons_of_this_machine)
{
    struct ost_test *real = ost_test_new(&ostler_plugin_v1);
    struct pythons *pythons = calloc(1, sizeof *pythons);
    struct wanted any = {.text = "3.x", .range = "3.x"};
    const struct python *best;

    cr_assert_not_null(pythons);
    ost_test_exec_for_real(real, "/nowhere:relative:/usr/bin:/bin");
    cr_assert_eq(pythons_on_path(ost_test_step(real), pythons), OST_OK);
    best = pythons_choose(pythons, &any);
    cr_assert_not_null(best, "/usr/bin has no python3");
    cr_expect_eq(strncmp(best->program, "/usr/bin/python3", 16), 0, "%s", best->program);
    cr_expect_eq(best->version.major, 3);
    free(pythons);
    ost_test_free(real);
}

static void ends_well(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)ctx;
    if (round->cancel)
        cr_expect_str_eq(ost_test_failure(t), "", "a cancelled job is no failure");
    else if (round->struck)
        cr_expect_eq(round->status, OST_E_IO, "fault %d (%s): %d %s", round->nth, round->call,
                     round->status, ost_test_failure(t));
}

Test(setup_python, survives_the_failure_of_any_service_and_stops_when_cancelled)
{
    cache("3.12.9", "x64", true);
    ost_test_with(host, "python-version", "3.11\n3.12");
    ost_test_with(host, "pip-version", "25");
    ost_test_with(host, "pip-install", "black");
    ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .after = ends_well);
}
