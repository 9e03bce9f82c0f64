#include "packages.h"

#include "../lib/cache.h"
#include "../lib/job.h"
#include "../lib/json.h"

#include <string.h>
#include <strings.h>

enum { OS_RELEASE_MAX = 64 << 10 };

/* What state is called in the action. */
#define STATE_KEY "cache-primary-key"
#define STATE_FOUND "cache-matched-key"
#define STATE_PATHS "cache-paths" /* one a line */

#define WARNING "[warning]" /* as the action prints some of its warnings: lines, no annotations */
#define FALLBACK_FILES "**/pyproject.toml"

struct packages {
    const char *manager, *python, *bin;
    const char *files;        /* patterns of what says what to fetch */
    struct strings paths;     /* what is cached */
    struct strings projects;  /* of poetry: their folders */
    const char *key, *prefix; /* PREFIX NULL: no other cache will do */
};

static const struct ost_files_v1 *files_of(struct ost_step *step)
{
    return (const struct ost_files_v1 *)step->host->extension(step, OST_EXT_FILES);
}

static ost_status fail_as_told(struct ost_step *step, ost_status r)
{
    return r == OST_E_CANCELLED ? r : ost_fail(step, r, "%s", step->host->last_error(step));
}

static void add_once(struct ost_step *step, struct strings *to, const char *text)
{
    for (size_t i = 0; i < to->n; i++)
        if (strcmp(to->list[i], text) == 0)
            return;
    strings_add(step, to, text);
}

/* ---- the key ---- */

/* The value of NAME in the text of /etc/os-release. */
static const char *release_value(struct ost_step *step, struct span text, const char *name)
{
    struct span line;

    while (span_line(&text, &line)) {
        struct span value = span_trim(line);

        if (!span_eat(&value, name) || !span_eat(&value, "="))
            continue;
        if (value.size >= 2 && value.at[0] == '"' && value.at[value.size - 1] == '"')
            value = (struct span){value.at + 1, value.size - 2};
        return span_dup(step, value);
    }
    return "";
}

/* "-12-Debian": what lsb_release says, or where there is none /etc/os-release. */
static ost_status system_part(struct ost_step *step, const char **ret)
{
    struct ost_exec_result res = OST_RESULT;
    const char *name, *version;
    struct span first, rest;
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("lsb_release", "-i", "-r", "-s"));

    if (r < 0 && r != OST_E_NOT_FOUND)
        return fail_as_told(step, r);
    rest = span_of(r == OST_OK && res.exit_code == 0 ? res.out : "");
    if (span_line(&rest, &first) && rest.size > 0) {
        name = span_dup(step, span_trim(first));
        version = span_dup(step, span_trim(rest));
    } else {
        size_t size = 0;
        char *text = file_read(step, "/etc/os-release", OS_RELEASE_MAX, &size);

        name = release_value(step, (struct span){text, text ? size : 0}, "ID");
        version = release_value(step, (struct span){text, text ? size : 0}, "VERSION_ID");
        name = *name ? name : "Linux";
    }
    if (SETUP_PYTHON_MAJOR >= 6 && (strcasecmp(name, "rhel") == 0 || strstr(name, "RedHat"))) {
        struct span whole = span_of(version), major;

        version = span_eat_until(&whole, '.', &major) ? span_dup(step, major) : version;
        name = "rhel";
    }
    *ret = ost_fmt(step, "-%s-%s", version, name);
    return OST_OK;
}

static ost_status hash_of(struct ost_step *step, const char *patterns, const char **ret)
{
    const char *const *lines = cache_lines(step, patterns);
    struct strings all = {0};
    ost_status r;

    strings_add(step, &all, "--follow-symbolic-links");
    for (size_t i = 0; lines[i]; i++)
        strings_add(step, &all, lines[i]);
    r = files_of(step)->hash(step, strings_list(&all), ret);
    return r < 0 ? fail_as_told(step, r) : r;
}

static bool is(const struct packages *p, const char *manager)
{
    return strcmp(p->manager, manager) == 0;
}

/* "a,b or **" for the error; pip has a second choice. */
static ost_status no_files(struct ost_step *step, const struct packages *p)
{
    const char *const *lines = cache_lines(step, p->files);
    struct sink all = {.step = step};

    for (size_t i = 0; lines[i]; i++)
        sink_addf(&all, "%s%s", i ? "," : "", lines[i]);
    return ost_fail(step, OST_E_NOT_FOUND,
                    "No file in %s matched to [%s%s], make sure you have checked out the target "
                    "repository",
                    step->host->dir(step, OST_DIR_WORKSPACE), sink_text(&all),
                    is(p, "pip") ? " or " FALLBACK_FILES : "");
}

/* Version 5 put the architecture in, version 6 the system for all managers. */
static ost_status make_key(struct ost_step *step, struct packages *p)
{
    const char *os = step->host->context(step, "runner.os"), *system = "", *hash = "", *start;
    ost_status r = hash_of(step, p->files, &hash);

    if (r == OST_OK && !*hash && is(p, "pip"))
        r = hash_of(step, FALLBACK_FILES, &hash);
    if (r == OST_OK && (is(p, "pip") || SETUP_PYTHON_MAJOR >= 6))
        r = system_part(step, &system);
    if (r < 0)
        return r;
    if (!*hash)
        return no_files(step, p);
    start = ost_fmt(step, "setup-python-%s%s%s%s-python-%s-%s", os ? os : "Linux",
                    SETUP_PYTHON_MAJOR >= 5 ? "-" : "",
                    SETUP_PYTHON_MAJOR >= 5 ? job_arch(step) : "", system, p->python, p->manager);
    p->key = ost_fmt(step, "%s%s-%s", start, is(p, "poetry") ? "-v2" : "", hash);
    p->prefix = is(p, "pip") ? start : NULL;
    return OST_OK;
}

/* ---- what is cached ---- */

static const char *at_home(struct ost_step *step, const char *path)
{
    const char *home = step->host->dir(step, OST_DIR_HOME);

    return ost_fmt(step, "%s/%s", home ? home : "", path);
}

static ost_status pip_paths(struct ost_step *step, struct packages *p)
{
    const struct job_command command = {OST_ARGV("pip", "cache", "dir"), p->bin, NULL};
    struct job_output said;
    ost_status r = job_run(step, &command, &said);

    if (r < 0)
        return r;
    if (said.exit_code != 0 && *said.err)
        return ost_fail(step, OST_E_EXIT,
                        "Could not get cache folder path for pip package manager");
    strings_add(step, &p->paths,
                said.out[0] == '~' ? at_home(step, said.out + 1 + (said.out[1] == '/')) : said.out);
    return OST_OK;
}

/* The value of NAME in what `poetry config --list` prints: name = JSON, and a comment. NULL: none. */
static const struct json *setting(struct ost_step *step, const char *list, const char *name)
{
    struct span rest = span_of(list), line;

    while (span_line(&rest, &line)) {
        struct span value = span_trim(line);
        size_t comment;
        const char *why;

        if (!span_eat(&value, name))
            continue;
        value = span_trim(value);
        if (!span_eat(&value, "="))
            continue;
        comment = span_find(value, " #");
        if (comment != SIZE_MAX)
            value.size = comment;
        value = span_trim(value);
        char *text = step->host->alloc(step, value.size + 1);

        memcpy(text, value.at, value.size);
        text[value.size] = '\0';
        return json_read(step, text, value.size, false, &why);
    }
    return NULL;
}

static const char *setting_text(struct ost_step *step, const char *list, const char *name)
{
    const struct json *j = setting(step, list, name);

    return j && j->kind == JSON_TEXT ? j->text : "";
}

static ost_status add_project(struct ost_step *step, struct packages *p, const char *project)
{
    const struct job_command command = {OST_ARGV("poetry", "config", "--list"), p->bin, project};
    const char *path, *rest;
    const struct json *inside;
    struct job_output said;
    ost_status r = job_run(step, &command, &said);

    if (r < 0)
        return r;
    if (said.exit_code != 0 && *said.err)
        return ost_fail(step, OST_E_EXIT,
                        "Could not get cache folder path for poetry package manager");
    path = setting_text(step, said.out, "virtualenvs.path");
    rest = strstr(path, "{cache-dir}");
    if (rest)
        path = ost_fmt(step, "%.*s%s%s", (int)(rest - path), path,
                       setting_text(step, said.out, "cache-dir"), rest + strlen("{cache-dir}"));
    if (*path)
        add_once(step, &p->paths, path);
    inside = setting(step, said.out, "virtualenvs.in-project");
    if (inside && inside->kind == JSON_TRUE)
        add_once(step, &p->paths, ost_fmt(step, "%s/.venv", project));
    return OST_OK;
}

static ost_status poetry_paths(struct ost_step *step, struct packages *p)
{
    const char *const *paths;
    size_t n = 0;
    ost_status r =
        files_of(step)->glob(step, cache_lines(step, p->files),
                             OST_GLOB_LINKS | OST_GLOB_INSIDE | OST_GLOB_FOLDERS, &paths, &n);

    if (r < 0)
        return fail_as_told(step, r);
    for (size_t i = 0; i < n; i++)
        add_once(step, &p->projects, rel_parent(step, paths[i]));
    for (size_t i = 0; r == OST_OK && i < p->projects.n; i++)
        r = add_project(step, p, p->projects.list[i]);
    return r;
}

static ost_status find_paths(struct ost_step *step, struct packages *p)
{
    if (is(p, "pip"))
        return pip_paths(step, p);
    if (is(p, "poetry"))
        return poetry_paths(step, p);
    strings_add(step, &p->paths, at_home(step, ".local/share/virtualenvs"));
    return OST_OK;
}

/* ---- restore ---- */

/* What was restored may be of another Python: poetry makes anew what does not fit. */
static ost_status use_python(struct ost_step *step, const struct packages *p)
{
    const char *python = p->bin ? ost_fmt(step, "%s/python", p->bin) : "python";
    ost_status r = OST_OK;

    for (size_t i = 0; r == OST_OK && i < p->projects.n; i++) {
        const struct job_command command = {OST_ARGV("poetry", "env", "use", python), p->bin,
                                            p->projects.list[i]};
        struct job_output said;

        r = job_run(step, &command, &said);
        if (r == OST_OK && said.exit_code != 0)
            ost_log(step, OST_INFO, WARNING "%s", said.err);
    }
    return r;
}

static ost_status keep_paths(struct ost_step *step, const struct packages *p)
{
    struct sink lines = {.step = step};

    for (size_t i = 0; i < p->paths.n; i++)
        sink_addf(&lines, "%s%s", i ? "\n" : "", p->paths.list[i]);
    return step->host->save(step, STATE_PATHS, sink_text(&lines));
}

static ost_status finish(struct ost_step *step, const struct packages *p, const char *found)
{
    ost_status r = step->host->save(step, STATE_KEY, p->key);

    if (r == OST_OK)
        r = use_python(step, p);
    if (r == OST_OK && found)
        r = step->host->save(step, STATE_FOUND, found);
    if (r < 0)
        return r;
    if (found)
        ost_log(step, OST_INFO, "Cache restored from key: %s", found);
    else
        ost_log(step, OST_INFO, "%s cache is not found", p->manager);
    return step->host->output(step, "cache-hit",
                              found && strcmp(found, p->key) == 0 ? "true" : "false");
}

static ost_status restore(struct ost_step *step, struct packages *p)
{
    struct cache_ask ask = {0};
    struct cache_done done;
    ost_status r = make_key(step, p);

    if (r == OST_OK)
        r = find_paths(step, p);
    if (r == OST_OK)
        r = keep_paths(step, p);
    if (r < 0)
        return r;
    ask.paths = strings_list(&p->paths);
    ask.key = p->key;
    ask.others = p->prefix ? OST_ARGV(p->prefix) : NULL;
    r = cache_restore(step, &ask, &done);
    if (r < 0 || !done.refused)
        return r < 0 ? r : finish(step, p, done.key);
    ost_log(step, OST_INFO, WARNING "%s", done.refused);
    return step->host->output(step, "cache-hit", "false");
}

ost_status packages_restore(struct ost_step *step, const char *python, const char *bin)
{
    static const char *const files[][2] = {{"pip", "**/requirements.txt"},
                                           {"pipenv", "**/Pipfile.lock"},
                                           {"poetry", "**/poetry.lock"}};
    const char *given = step->host->input(step, "cache-dependency-path");
    struct packages p = {.manager = step->host->input(step, "cache"), .python = python, .bin = bin};

    if (!*p.manager)
        return OST_OK;
    if (!cache_is_there(step) || !files_of(step)) {
        ost_log(step, OST_WARNING,
                "The runner was not able to contact the cache service. Caching will be skipped");
        return OST_OK;
    }
    for (size_t i = 0; i < OST_COUNT(files); i++)
        if (is(&p, files[i][0]))
            p.files = *given ? given : files[i][1];
    if (!p.files)
        return ost_fail(step, OST_E_INVALID, "Caching for '%s' is not supported", p.manager);
    return restore(step, &p);
}

/* ---- save ---- */

/* Nothing was fetched. Up to version 5 that fails the post step. */
static ost_status nothing_there(struct ost_step *step, const char *const *paths)
{
    const char *text;
    struct sink all = {.step = step};

    for (size_t i = 0; paths[i]; i++)
        sink_addf(&all, "%s%s", i ? ", " : "", paths[i]);
    text =
        ost_fmt(step, "Cache folder path is retrieved for %s but doesn't exist on disk: %s%s",
                step->host->input(step, "cache"), sink_text(&all),
                SETUP_PYTHON_MAJOR >= 5
                    ? ". This likely indicates that there are no dependencies to cache. Consider "
                      "removing the cache step if it is not needed."
                    : "");
    if (SETUP_PYTHON_MAJOR < 6)
        return ost_fail(step, OST_E_NOT_FOUND, "%s", text);
    ost_log(step, OST_WARNING, "%s", text);
    return OST_OK;
}

static ost_status save(struct ost_step *step, const struct cache_ask *ask, const char *found)
{
    struct cache_done done;
    ost_status r;

    if (found && strcmp(ask->key, found) == 0) {
        ost_log(step, OST_INFO, "Cache hit occurred on the primary key %s, not saving cache.",
                ask->key);
        return OST_OK;
    }
    r = cache_save(step, ask, &done);
    if (r == OST_OK && done.refused)
        ost_log(step, OST_INFO, WARNING "%s", done.refused);
    else if (r == OST_OK && done.key)
        ost_log(step, OST_INFO, "Cache saved with the key: %s", done.key);
    return r;
}

ost_status packages_save(struct ost_step *step)
{
    const char *paths = step->host->saved(step, STATE_PATHS);
    const char *key = step->host->saved(step, STATE_KEY);
    struct cache_ask ask = {.paths = cache_lines(step, paths ? paths : ""), .key = key};
    bool there = false;

    if (!*step->host->input(step, "cache") || !cache_is_there(step))
        return OST_OK;
    if (!ask.paths[0]) {
        ost_log(step, OST_WARNING,
                "Cache paths are empty. Please check the previous logs and make sure that the "
                "python version is specified");
        return OST_OK;
    }
    for (size_t i = 0; ask.paths[i]; i++)
        there |= file_exists(ask.paths[i]) || file_is_folder(ask.paths[i]);
    if (!there)
        return nothing_there(step, ask.paths);
    if (!key || !*key) {
        ost_log(step, OST_WARNING, "Error retrieving key from state.");
        return OST_OK;
    }
    return save(step, &ask, step->host->saved(step, STATE_FOUND));
}
