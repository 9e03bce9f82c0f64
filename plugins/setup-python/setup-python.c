/* setup-python - actions/setup-python for a machine that has the wanted Python already, in its tool cache or
 * on PATH: the same inputs, outputs and effects on later steps, and no Node needed to run it. It downloads
 * no Python: a version that is not there is an error that says what is.
 *
 * A Python of PATH belongs to the machine's packages, and pip may not touch it (PEP 668). The job gets a
 * virtual environment of it in the runner's temporary folder, where it may install what it likes, as into a
 * Python of the tool cache. */
#include "../lib/job.h"
#include "found.h"
#include "packages.h"

#include <string.h>

static const struct ost_input inputs[] = {
    {.name = "python-version",
     .description = "Versions to use, one a line, the last being the default: 3.12, 3.x, 3.12.4, "
                    ">=3.9 <3.13, 3.13-dev, 3.13t"},
    {.name = "python-version-file",
     .description =
         "File with the version: .python-version, pyproject.toml, Pipfile, .tool-versions"},
    {.name = "cache",
     .description = "Package manager whose downloads to cache: pip, pipenv, poetry"},
    {.name = "architecture",
     .description = "Architecture to use: x64, arm64, ...; default: the machine's"},
    {.name = "check-latest",
     .type = OST_BOOL,
     .fallback = "false",
     .description =
         "Look for a newer version than those on the machine; not served, with a warning"},
    {.name = "token", .flags = OST_SECRET, .description = "Used for downloads; not needed here"},
    {.name = "cache-dependency-path",
     .description = "Files that the cache depends on, one a line; patterns will do"},
    {.name = "update-environment",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Put the Python on PATH and set the variables that point to it"},
    {.name = "allow-prereleases",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Let a version like 3.14 mean a pre-release of it, too"},
#if SETUP_PYTHON_MAJOR >= 5
    {.name = "freethreaded",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Use the build without the global interpreter lock"},
#endif
#if SETUP_PYTHON_MAJOR >= 6
    {.name = "pip-version", .description = "Version of pip to install: 25, 25.1, 25.1.1"},
#endif
#if SETUP_PYTHON_MAJOR == 6
    {.name = "pip-install",
     .description = "What to install with pip: packages, -r requirements.txt"},
#endif
};

static const struct ost_output outputs[] = {
    {"python-version", "The version that is in use, as '3.12.4'"},
    {"cache-hit", "Whether the very cache was found; empty when none was wanted"},
    {"python-path", "The path of the Python in use"},
};

/* The last place of a traceback, when its line of source raises an error with a text. */
static const char matchers_json[] =
    "{\"problemMatcher\": [{\"owner\": \"python\", \"pattern\": [\n"
    "  {\"regexp\": \"^\\\\s*File\\\\s\\\"(.*)\\\",\\\\sline\\\\s(\\\\d+),\\\\sin\\\\s(.*)$\",\n"
    "   \"file\": 1, \"line\": 2},\n"
    "  {\"regexp\": \"^\\\\s*raise\\\\s(.*)\\\\(\\\\'(.*)\\\\'\\\\)$\", \"message\": 2}]}]}\n";

static const char *newer_input(struct ost_step *step, int since, int until, const char *name)
{
    return SETUP_PYTHON_MAJOR >= since && SETUP_PYTHON_MAJOR < until ? step->host->input(step, name)
                                                                     : "";
}

static bool is_freethreaded(struct ost_step *step)
{
    return newer_input(step, 5, 100, "freethreaded")[0] == 't';
}

/* ---- choosing ---- */

struct places {               /* where to look, and what is there */
    const char *tools, *arch; /* TOOLS: NULL without one */
    struct pythons *cached, *cached_free;
    struct pythons *on_path; /* NULL: not looked at yet */
};

static void look_in_cache(struct ost_step *step, struct places *p)
{
    const char *arch = step->host->input(step, "architecture");

    p->tools = step->host->dir(step, OST_DIR_TOOLS);
    p->arch = *arch ? arch : job_arch(step);
    p->cached = step->host->alloc(step, sizeof *p->cached);
    p->cached_free = step->host->alloc(step, sizeof *p->cached_free);
    p->cached->n = p->cached_free->n = 0;
    p->on_path = NULL;
    if (p->tools) {
        pythons_in_cache(step, p->tools, p->arch, false, p->cached);
        pythons_in_cache(step, p->tools, p->arch, true, p->cached_free);
    }
}

static const struct python *choose_in_cache(const struct places *p, const struct wanted *w)
{
    return pythons_choose(w->freethreaded ? p->cached_free : p->cached, w);
}

/* Pythons of PATH are the machine's, so another architecture has to come from the cache. */
static ost_status choose_on_path(struct ost_step *step, struct places *p, const struct wanted *w,
                                 const struct python **ret)
{
    ost_status r = OST_OK;

    if (!p->on_path) {
        p->on_path = step->host->alloc(step, sizeof *p->on_path);
        p->on_path->n = 0;
        r = pythons_on_path(step, p->on_path);
    }
    *ret =
        r == OST_OK && strcmp(p->arch, job_arch(step)) == 0 ? pythons_choose(p->on_path, w) : NULL;
    return r;
}

static ost_status nothing_fits(struct ost_step *step, const struct places *p,
                               const struct wanted *w)
{
    const char *cached = pythons_list(step, w->freethreaded ? p->cached_free : p->cached);
    const char *on_path = pythons_list(step, p->on_path);
    bool maybe_ten = strcmp(w->text, "3.1") == 0;

    return ost_fail(
        step, OST_E_NOT_FOUND,
        "no Python %s for %s%s on this machine: the tool cache '%s/Python' has %s, "
        "PATH has %s%s. Install one there, ask for another in 'python-version', or let "
        "the action itself download it (--plugins actions/setup-python=never)",
        w->text, p->arch, w->freethreaded ? "-freethreaded" : "", p->tools ? p->tools : "",
        *cached ? cached : "none", *on_path ? on_path : "none",
        maybe_ten ? ". If 3.10 is meant, put it in quotes: without, YAML reads a number" : "");
}

/* ---- environments ---- */

static ost_status run(struct ost_step *step, const char *const *argv, const char *library_path)
{
    const char *const env[] = {library_path, NULL};

    return ost_exec(step, NULL, .flags = OST_EXEC_CHECK, .argv = argv,
                    .env = library_path ? env : NULL);
}

/* *RET is the folder of a virtual environment of P, made now unless an earlier step of the job has. Like a
 * version in the tool cache it is complete once its marker lies beside it. */
static ost_status make_environment(struct ost_step *step, const struct python *p, const char *arch,
                                   const char **ret)
{
    const char *dir = ost_fmt(step, "%s/setup-python/%s/%s%s", step->host->dir(step, OST_DIR_TEMP),
                              p->text, arch, p->freethreaded ? "-freethreaded" : "");
    const char *marker = ost_fmt(step, "%s.complete", dir);
    ost_status r = OST_OK;

    if (file_exists(marker)) {
        ost_log(step, OST_INFO, "Found the virtual environment of an earlier step @ %s", dir);
    } else {
        ost_log(step, OST_INFO, "Making a virtual environment of %s", p->program);
        r = run(step, OST_ARGV(p->program, "-m", "venv", "--clear", dir), NULL);
        if (r == OST_E_EXIT)
            return ost_fail(step, r,
                            "'%s' cannot make the virtual environment '%s', for the reason above. "
                            "Debian and Ubuntu keep what it takes in a package of its own: "
                            "apt-get install python%u.%u-venv",
                            p->program, dir, p->version.major, p->version.minor);
        if (r == OST_OK)
            r = run(step, OST_ARGV("touch", "--", marker), NULL);
        if (r < 0 && r != OST_E_CANCELLED)
            return ost_fail(step, r, "cannot make the virtual environment '%s': %s", dir,
                            step->host->last_error(step));
    }
    *ret = dir;
    return r;
}

/* What a search for libraries is to begin with: a Python of the tool cache has its own one beside it. */
static ost_status library_path(struct ost_step *step, const char *dir, const char **ret)
{
    struct ost_exec_result res = OST_RESULT;
    const char *lib = ost_fmt(step, "%s/lib", dir);
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("printenv", "LD_LIBRARY_PATH"));
    const char *old = r == OST_OK && res.exit_code == 0 ? res.out : "";
    const char *around = ost_fmt(step, ":%s:", old), *wanted = ost_fmt(step, ":%s:", lib);

    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot look up LD_LIBRARY_PATH: %s",
                        step->host->last_error(step));
    *ret = strstr(around, wanted) ? old : ost_fmt(step, "%s%s%s", lib, *old ? ":" : "", old);
    return r;
}

static ost_status update_environment(struct ost_step *step, const char *dir, const char *libraries)
{
    static const char *const names[] = {"Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"};
    ost_status r = step->host->env(step, "pythonLocation", dir);

    if (r == OST_OK)
        r = step->host->env(step, "PKG_CONFIG_PATH", ost_fmt(step, "%s/lib/pkgconfig", dir));
    for (size_t i = 0; r == OST_OK && i < OST_COUNT(names); i++)
        r = step->host->env(step, names[i], dir);
    if (r == OST_OK)
        r = step->host->env(step, "LD_LIBRARY_PATH", libraries);
    if (r == OST_OK)
        r = step->host->path(step, dir);
    return r == OST_OK ? step->host->path(step, ost_fmt(step, "%s/bin", dir)) : r;
}

/* ---- pip ---- */

/* "25", "25.1" or "25.1.1" */
static bool is_pip_version(const char *text)
{
    struct span s = span_of(text);
    uint32_t n;

    for (int i = 0; i < 3; i++) {
        if (!span_eat_number(&s, &n))
            return false;
        if (s.size == 0)
            return true;
        if (!span_eat(&s, "."))
            return false;
    }
    return false;
}

static ost_status check_pip_version(struct ost_step *step)
{
    const char *version = newer_input(step, 6, 100, "pip-version");

    if (!*version || is_pip_version(version))
        return OST_OK;
    return ost_fail(step, OST_E_INVALID,
                    "Invalid pip-version \"%s\". Please specify a version in the format "
                    "major[.minor][.patch].",
                    version);
}

static ost_status install_pip(struct ost_step *step, const char *python, const char *libraries)
{
    const char *version = newer_input(step, 6, 100, "pip-version");
    ost_status r;

    if (!*version)
        return OST_OK;
    ost_log(step, OST_INFO, "pip-version input is specified. Installing pip version %s", version);
    r = run(step,
            OST_ARGV(python, "-m", "pip", "install", "--upgrade", ost_fmt(step, "pip==%s", version),
                     "--disable-pip-version-check", "--no-warn-script-location"),
            ost_fmt(step, "LD_LIBRARY_PATH=%s", libraries));
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot install pip %s: %s", version,
                        step->host->last_error(step));
    return r;
}

/* The words of pip-install are pip's arguments, as many as there are. */
static ost_status install_packages(struct ost_step *step, const char *python, const char *libraries)
{
    const char *packages = newer_input(step, 6, 7, "pip-install");
    struct strings argv = {0};
    struct span rest = span_of(packages);
    ost_status r;

    if (!*packages)
        return OST_OK;
    strings_add(step, &argv, python);
    strings_add(step, &argv, "-m");
    strings_add(step, &argv, "pip");
    strings_add(step, &argv, "install");
    for (rest = span_trim(rest); rest.size > 0; rest = span_trim(rest)) {
        struct span word = rest;

        while (rest.size > 0 && !strchr(" \t\r\n", rest.at[0]))
            rest = (struct span){rest.at + 1, rest.size - 1};
        word.size -= rest.size;
        strings_add(step, &argv, span_dup(step, word));
    }
    ost_log(step, OST_INFO, "Installing pip packages: %s", packages);
    r = run(step, strings_list(&argv), ost_fmt(step, "LD_LIBRARY_PATH=%s", libraries));
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r,
                        "cannot install what pip-install asks for, '%s': %s. See what pip says "
                        "above; the job needs network, or an index that it can reach",
                        packages, step->host->last_error(step));
    return r;
}

/* ---- phases ---- */

struct used { /* the latest one */
    const char *python, *libraries, *version;
};

static ost_status use(struct ost_step *step, struct places *p, const struct wanted *w,
                      struct used *ret)
{
    const struct python *python = choose_in_cache(p, w);
    const char *dir, *version, *libraries = "";
    ost_status r = OST_OK;

    if (w->text[0] == '2')
        ost_log(step, OST_WARNING,
                "Python 2 has ended, and GitHub's runners have been without it since June 2023");
    if (!python)
        r = choose_on_path(step, p, w, &python);
    if (r < 0)
        return r;
    if (!python)
        return nothing_fits(step, p, w);
    dir = python->dir;
    if (dir)
        ost_log(step, OST_INFO, "Found in cache @ %s", dir);
    else
        r = make_environment(step, python, p->arch, &dir);
    if (r == OST_OK)
        r = library_path(step, dir, &libraries);
    if (r == OST_OK && ost_input_bool(step, "update-environment"))
        r = update_environment(step, dir, libraries);
    version = ost_fmt(step, "%s%s", python->text, python->freethreaded ? "t" : "");
    ret->python = ost_fmt(step, "%s/bin/python", dir ? dir : "");
    ret->libraries = libraries;
    ret->version = version;
    if (r == OST_OK)
        r = step->host->output(step, "python-version", version);
    if (r == OST_OK)
        r = step->host->output(step, "python-path", ret->python);
    if (r == OST_OK)
        r = install_pip(step, ret->python, libraries);
    if (r == OST_OK)
        ost_log(step, OST_INFO, "Successfully set up CPython (%s)", version);
    return r;
}

static ost_status use_all(struct ost_step *step, const struct wanteds *wanteds, struct used *ret)
{
    struct places places;
    ost_status r = OST_OK;

    look_in_cache(step, &places);
    step->host->group(step, "Installed versions");
    for (size_t i = 0; r == OST_OK && i < wanteds->n; i++)
        r = use(step, &places, &wanteds->list[i], ret);
    step->host->group(step, NULL);
    return r;
}

/* What was asked for and is not done here, said plainly. */
static void tell_limits(struct ost_step *step)
{
    if (ost_input_bool(step, "check-latest"))
        ost_log(step, OST_WARNING,
                "check-latest is not served: going on with what this machine has");
}

static ost_status read_wanted(struct ost_step *step, struct wanteds *ret)
{
    ost_status r = wanted_read(step, ret);

    if (r == OST_OK && is_freethreaded(step))
        for (size_t i = 0; i < ret->n; i++)
            ret->list[i].freethreaded = true;
    return r;
}

static ost_status setup_main(struct ost_step *step)
{
    struct wanteds wanteds;
    struct used used = {0};
    ost_status r = check_pip_version(step);

    if (r == OST_OK)
        r = read_wanted(step, &wanteds);
    if (r < 0)
        return r;
    tell_limits(step);
    if (wanteds.n == 0)
        ost_log(step, OST_WARNING,
                "The `python-version` input is not set.  The version of Python currently in `PATH` "
                "will be used.");
    else
        r = use_all(step, &wanteds, &used);
    if (r == OST_OK && wanteds.n > 0)
        r = packages_restore(
            step, used.version,
            ost_input_bool(step, "update-environment") ? rel_parent(step, used.python) : NULL);
    if (r == OST_OK && wanteds.n > 0)
        r = install_packages(step,
                             ost_input_bool(step, "update-environment") ? used.python : "python",
                             used.libraries);
    return r == OST_OK ? job_add_matchers(step, "setup-python-matchers.json", matchers_json) : r;
}

static ost_status setup_plan(struct ost_step *step)
{
    struct wanteds wanteds;
    struct places places;
    ost_status r = check_pip_version(step);

    if (r == OST_OK)
        r = read_wanted(step, &wanteds);
    if (r < 0)
        return r;
    look_in_cache(step, &places);
    for (size_t i = 0; r == OST_OK && i < wanteds.n; i++) {
        const struct wanted *w = &wanteds.list[i];
        const struct python *best = choose_in_cache(&places, w);

        r = best ? step->host->plan(step, "use", ost_fmt(step, "Python %s", best->text), best->dir)
                 : step->host->plan(step, "use", "a virtual environment of the Python on PATH",
                                    ost_fmt(step, "if there is a %s", w->text));
    }
    if (r == OST_OK && wanteds.n == 0)
        return step->host->plan(step, "use", "the Python on PATH", "");
    if (r == OST_OK && *step->host->input(step, "cache"))
        r = step->host->plan(step, "restore",
                             ost_fmt(step, "the cache of %s", step->host->input(step, "cache")),
                             "and keep it at the end of the job");
    return r;
}

OST_PLUGIN(.id = "actions/setup-python", .version = SETUP_PYTHON_VERSION, .title = "Setup Python",
           .description = "Puts the wanted Python of this machine on PATH", .author = "Ostler",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = setup_plan, .main = setup_main,
           .post = packages_save, .post_if = "success()");
