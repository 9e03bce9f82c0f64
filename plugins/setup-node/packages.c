#include "packages.h"

#include "../lib/cache.h"
#include "../lib/job.h"
#include "../lib/json.h"
#include "wanted.h"

#include <stdlib.h>
#include <string.h>

struct manager {
    const char *name;
    const char *locks[4]; /* files that say what to fetch, NULL-terminated */
};

static const struct manager managers[] = {
    {"npm", {"package-lock.json", "npm-shrinkwrap.json", "yarn.lock"}},
    {"yarn", {"yarn.lock"}},
    {"pnpm", {"pnpm-lock.yaml"}},
};

static const struct manager *find_manager(const char *name)
{
    for (size_t i = 0; i < OST_COUNT(managers); i++)
        if (strcmp(managers[i].name, name) == 0)
            return &managers[i];
    return NULL;
}

/* What state is called in the action. */
#define STATE_MANAGER "SETUP_NODE_CACHE_PACKAGE_MANAGER"
#define STATE_KEY "CACHE_KEY"
#define STATE_FOUND "CACHE_RESULT"
#define STATE_PATHS "CACHE_PATHS" /* one a line */

/* ---- which one ---- */

#if SETUP_NODE_MAJOR >= 6
/* "npm", "npm@10", "^npm@10" */
static bool is_npm(const char *text)
{
    struct span s = span_of(text);

    span_eat(&s, "^");
    return span_eat(&s, "npm") && (s.size == 0 || s.at[0] == '@');
}

static const char *named(const struct json *package)
{
    const struct json *wanted = json_get(json_get(package, "devEngines"), "packageManager");
    const struct json *one = wanted && wanted->kind == JSON_ARRAY ? wanted->first : wanted;

    for (; one; one = wanted->kind == JSON_ARRAY ? one->next : NULL)
        if (is_npm(json_text(one, "name")))
            return "npm";
    return is_npm(json_text(package, "packageManager")) ? "npm" : "";
}
#elif SETUP_NODE_MAJOR == 5
/* "yarn@4", "^npm@10" */
static const char *named(const struct json *package)
{
    struct span s = span_of(json_text(package, "packageManager"));

    span_eat(&s, "^");
    for (size_t i = 0; i < OST_COUNT(managers); i++) {
        struct span rest = s;

        if (span_eat(&rest, managers[i].name) && span_eat(&rest, "@"))
            return managers[i].name;
    }
    return "";
}
#endif

const char *packages_wanted(struct ost_step *step)
{
    const char *asked = step->host->input(step, "cache"), *name = "";

    if (*asked)
        return asked;
#if SETUP_NODE_MAJOR >= 5
    const char *why;
    size_t size;
    char *text =
        ost_input_bool(step, "package-manager-cache")
            ? file_read(step,
                        rel_join(step, step->host->dir(step, OST_DIR_WORKSPACE), "package.json"),
                        VERSION_FILE_MAX, &size)
            : NULL;

    name = text ? named(json_read(step, text, size, false, &why)) : "";
    if (*name && SETUP_NODE_MAJOR >= 6)
        ost_log(step, OST_INFO,
                "Detected npm as the package manager from package.json's packageManager field. "
                "Auto caching has been enabled for npm. If you want to disable it, set "
                "package-manager-cache input to false");
#endif
    return name;
}

/* ---- where it keeps things ---- */

/* What ARGV prints; EMPTY is the failure when that is nothing. */
static ost_status ask(struct ost_step *step, const char *bin, const char *cwd,
                      const char *const *argv, const char *empty, const char **ret)
{
    const struct job_command command = {argv, bin, cwd};
    struct sink line = {.step = step};
    struct job_output said;
    ost_status r = job_run(step, &command, &said);

    for (size_t i = 0; argv[i]; i++)
        sink_addf(&line, "%s%s", i ? " " : "", argv[i]);
    if (r < 0)
        return r;
    if (said.exit_code != 0 && *said.err)
        return ost_fail(step, OST_E_EXIT, "%s", said.err);
    if (said.exit_code != 0)
        return ost_fail(step, OST_E_EXIT, "The '%s' command failed with exit code: %d",
                        sink_text(&line), (int)said.exit_code);
    if (empty && !*said.out)
        return ost_fail(step, OST_E_FAILED, "%s", empty);
    *ret = said.out;
    return OST_OK;
}

static ost_status yarn_folder(struct ost_step *step, const char *bin, const char *project,
                              const char **ret)
{
    const char *version = "";
    ost_status r = ask(step, bin, project, OST_ARGV("yarn", "--version"),
                       "Could not retrieve version of yarn", &version);

    if (r < 0)
        return r;
    return ask(step, bin, project,
               strncmp(version, "1.", 2) == 0 ? OST_ARGV("yarn", "cache", "dir")
                                              : OST_ARGV("yarn", "config", "get", "cacheFolder"),
               ost_fmt(step, "Could not get yarn cache folder path for %s", project ? project : ""),
               ret);
}

static ost_status folder_of(struct ost_step *step, const struct manager *m, const char *bin,
                            const char *project, const char **ret)
{
    if (strcmp(m->name, "npm") == 0)
        return ask(step, bin, NULL, OST_ARGV("npm", "config", "get", "cache"),
                   "Could not get npm cache folder path", ret);
    if (strcmp(m->name, "pnpm") == 0)
        return ask(step, bin, NULL, OST_ARGV("pnpm", "store", "path", "--silent"),
                   "Could not get pnpm cache folder path", ret);
    return yarn_folder(step, bin, project, ret);
}

static void add_once(struct ost_step *step, struct strings *to, const char *text)
{
    for (size_t i = 0; i < to->n; i++)
        if (strcmp(to->list[i], text) == 0)
            return;
    strings_add(step, to, text);
}

static const struct ost_files_v1 *files_of(struct ost_step *step)
{
    return (const struct ost_files_v1 *)step->host->extension(step, OST_EXT_FILES);
}

/* The folders of the files that cache-dependency-path names; only yarn has something to say in each. */
static ost_status find_projects(struct ost_step *step, const char *lock_path, struct strings *ret)
{
    const char *const *paths;
    size_t n;
    ost_status r =
        files_of(step)->glob(step, cache_lines(step, lock_path),
                             OST_GLOB_LINKS | OST_GLOB_INSIDE | OST_GLOB_FOLDERS, &paths, &n);

    if (r < 0)
        return ost_fail(step, r, "%s", step->host->last_error(step));
    for (size_t i = 0; i < n; i++)
        add_once(step, ret, rel_parent(step, paths[i]));
    if (ret->n == 0)
        ost_log(step, OST_WARNING,
                "No existing directories found containing cache-dependency-path=\"%s\"", lock_path);
    return OST_OK;
}

/* FOLDERS are those of the cache; *MANAGED: each project keeps what it needs in a cache of its own, so that an
 * older one is of use. */
static ost_status look_around(struct ost_step *step, const struct manager *m, const char *bin,
                              const char *lock_path, struct strings *folders, bool *managed)
{
    bool is_yarn = strcmp(m->name, "yarn") == 0;
    const char *folder, *global;
    struct strings projects = {0};
    ost_status r = OST_OK;

    *managed = is_yarn;
    if (is_yarn && *lock_path)
        r = find_projects(step, lock_path, &projects);
    else
        strings_add(step, &projects, "");
    for (size_t i = 0; r == OST_OK && i < projects.n; i++) {
        r = folder_of(step, m, bin, *projects.list[i] ? projects.list[i] : NULL, &folder);
        if (r == OST_OK)
            add_once(step, folders, folder);
    }
    for (size_t i = 0; r == OST_OK && *managed && i < projects.n; i++) {
        const char *project =
            *projects.list[i] ? projects.list[i] : step->host->dir(step, OST_DIR_WORKSPACE);

        if (file_is_folder(rel_join(step, project, ".yarn/cache"))) { /* kept in the repository */
            *managed = false;
            break;
        }
        r = ask(step, bin, project, OST_ARGV("yarn", "config", "get", "enableGlobalCache"), NULL,
                &global);
        *managed = r == OST_OK && strstr(global, "false");
    }
    return r;
}

/* ---- its key ---- */

static ost_status find_lock(struct ost_step *step, const struct manager *m, const char **ret)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    struct sink all = {.step = step};

    for (size_t i = 0; m->locks[i]; i++) {
        *ret = rel_join(step, workspace, m->locks[i]);
        if (file_exists(*ret))
            return OST_OK;
        sink_addf(&all, "%s%s", i ? "," : "", m->locks[i]);
    }
    return ost_fail(step, OST_E_NOT_FOUND,
                    "Dependencies lock file is not found in %s. Supported file patterns: %s",
                    workspace, sink_text(&all));
}

static ost_status hash_of(struct ost_step *step, const char *lock_path, const char **ret)
{
    const char *const *lines = cache_lines(step, lock_path);
    struct strings patterns = {0};
    ost_status r;

    strings_add(step, &patterns, "--follow-symbolic-links");
    for (size_t i = 0; lines[i]; i++)
        strings_add(step, &patterns, lines[i]);
    r = files_of(step)->hash(step, strings_list(&patterns), ret);
    if (r < 0)
        return r == OST_E_CANCELLED ? r : ost_fail(step, r, "%s", step->host->last_error(step));
    if (!**ret)
        return ost_fail(step, OST_E_NOT_FOUND,
                        "Some specified paths were not resolved, unable to cache dependencies.");
    return OST_OK;
}

/* Version 4 put the architecture in. */
static const char *prefix_of(struct ost_step *step, const struct manager *m)
{
    const char *os = step->host->context(step, "runner.os");

    return SETUP_NODE_MAJOR >= 4
               ? ost_fmt(step, "node-cache-%s-%s-%s", os ? os : "Linux", job_arch(step), m->name)
               : ost_fmt(step, "node-cache-%s-%s", os ? os : "Linux", m->name);
}

/* ---- restore ---- */

static ost_status give_key(struct ost_step *step, const char *name, const char *value)
{
#if SETUP_NODE_MAJOR >= 7
    return step->host->output(step, name, value);
#else
    (void)step;
    (void)name;
    (void)value;
    return OST_OK;
#endif
}

static ost_status keep_paths(struct ost_step *step, const struct strings *folders)
{
    struct sink lines = {.step = step};

    for (size_t i = 0; i < folders->n; i++)
        sink_addf(&lines, "%s%s", i ? "\n" : "", folders->list[i]);
    return step->host->save(step, STATE_PATHS, sink_text(&lines));
}

static ost_status finish(struct ost_step *step, const struct manager *m,
                         const struct cache_done *done)
{
    ost_status r;

    if (done->refused)
        return ost_fail(step, OST_E_INVALID, "%s", done->refused);
    r = step->host->output(step, "cache-hit", done->key ? "true" : "false");
    if (r == OST_OK)
        r = give_key(step, "cache-matched-key", done->key ? done->key : "");
    if (r == OST_OK && done->key)
        r = step->host->save(step, STATE_FOUND, done->key);
    if (r < 0)
        return r;
    if (done->key)
        ost_log(step, OST_INFO, "Cache restored from key: %s", done->key);
    else
        ost_log(step, OST_INFO, "%s cache is not found", m->name);
    return OST_OK;
}

static ost_status restore(struct ost_step *step, const struct manager *m, const char *bin)
{
    const char *lock_path = step->host->input(step, "cache-dependency-path");
    const char *prefix = prefix_of(step, m), *hash;
    struct strings folders = {0};
    struct cache_ask ask = {0};
    struct cache_done done;
    bool managed;
    ost_status r = look_around(step, m, bin, lock_path, &folders, &managed);

    if (r == OST_OK)
        r = keep_paths(step, &folders);
    if (r == OST_OK && !*lock_path)
        r = find_lock(step, m, &lock_path);
    if (r == OST_OK)
        r = hash_of(step, lock_path, &hash);
    if (r < 0)
        return r;
    ask.paths = strings_list(&folders);
    ask.key = ost_fmt(step, "%s-%s", prefix, hash);
    ask.others = managed ? OST_ARGV(prefix) : NULL;
    r = step->host->save(step, STATE_KEY, ask.key);
    if (r == OST_OK)
        r = give_key(step, "cache-primary-key", ask.key);
    if (r < 0)
        return r;
    if (managed)
        ost_log(step, OST_INFO,
                "All dependencies are managed locally by yarn3, the previous cache can be used");
    r = cache_restore(step, &ask, &done);
    return r == OST_OK ? finish(step, m, &done) : r;
}

ost_status packages_restore(struct ost_step *step, const char *manager, const char *bin)
{
    const struct manager *m = find_manager(manager);
    ost_status r;

    if (!cache_is_there(step) || !files_of(step)) {
        ost_log(step, OST_WARNING,
                "The runner was not able to contact the cache service. Caching will be skipped");
        return OST_OK;
    }
    r = step->host->save(step, STATE_MANAGER, manager);
    if (r < 0)
        return r;
    if (!m)
        return ost_fail(step, OST_E_INVALID, "Caching for '%s' is not supported", manager);
    return restore(step, m, bin);
}

/* ---- save ---- */

ost_status packages_save(struct ost_step *step)
{
    const char *manager = step->host->saved(step, STATE_MANAGER);
    const char *key = step->host->saved(step, STATE_KEY);
    const char *found = step->host->saved(step, STATE_FOUND);
    const char *paths = step->host->saved(step, STATE_PATHS);
    struct cache_ask ask = {.paths = cache_lines(step, paths ? paths : ""), .key = key ? key : ""};
    struct cache_done done;
    ost_status r;

    if (!manager || !find_manager(manager) || !cache_is_there(step))
        return OST_OK;
    if (!ask.paths[0])
        return ost_fail(
            step, OST_E_FAILED,
            "Cache folder paths are not retrieved for %s with cache-dependency-path = %s", manager,
            step->host->input(step, "cache-dependency-path"));
    if (strcmp(ask.key, found ? found : "") == 0) { /* both are empty when main failed half way */
        ost_log(step, OST_INFO, "Cache hit occurred on the primary key %s, not saving cache.",
                ask.key);
        return OST_OK;
    }
    r = cache_save(step, &ask, &done);
    if (r == OST_OK && done.refused)
        return ost_fail(step, OST_E_FAILED, "%s", done.refused);
    if (r == OST_OK && done.key)
        ost_log(step, OST_INFO, "Cache saved with the key: %s", done.key);
    return r;
}
