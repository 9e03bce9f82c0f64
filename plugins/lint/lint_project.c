#include "lint_project.h"

#include "../lib/json.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MANIFEST_MAX = 4 << 20,    /* bytes of a package.json or pyproject.toml */
    BATCH_SIZE_MAX = 96 << 10, /* bytes of file names in one command */
};

static const char *absolute(const struct project *p, const char *path)
{
    return rel_clean(p->step, rel_join(p->step, p->workspace, *path ? path : "."));
}

/* Folders that hold what is not the project's own: nobody wants those linted. */
static bool is_foreign(const char *name)
{
    static const char *const names[] = {
        ".git",          ".hg",   ".svn",  "node_modules", "bower_components", ".venv",
        "venv",          ".tox",  ".nox",  "__pycache__",  ".mypy_cache",      ".ruff_cache",
        ".pytest_cache", ".yarn", ".next", ".cache"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* ---- is it configured here? ---- */

/* PATTERN is a name, one with a '*' at its end or one with a '*' at its start. */
static bool name_fits(const char *pattern, const char *name)
{
    size_t n = strlen(pattern);

    if (pattern[0] == '*')
        return strlen(name) >= n && span_ends(span_of(name), pattern + 1);
    if (pattern[n - 1] == '*')
        return strncmp(pattern, name, n - 1) == 0;
    return strcmp(pattern, name) == 0;
}

static bool has_file(const char *dir, const char *const *patterns)
{
    bool found = false;
    struct dirent *e;
    DIR *d = opendir(dir);

    while (d && !found && (e = readdir(d)))
        for (const char *const *pattern = patterns; *pattern && !found; pattern++)
            found = name_fits(*pattern, e->d_name);
    if (d)
        closedir(d);
    return found;
}

/* A line "[HEAD]" or one that goes on, "[HEAD.x]" or "[HEAD-x]"; of TOML also "[[HEAD.x]]". */
static bool has_section(struct ost_step *step, const char *path, const char *head)
{
    size_t size = 0;
    char *text = file_read(step, path, MANIFEST_MAX, &size);
    struct span rest = {text, text ? size : 0}, line;

    while (span_line(&rest, &line)) {
        line = span_trim(line);
        if (!span_eat(&line, "["))
            continue;
        span_eat(&line, "[");
        line = span_trim(line);
        if (span_eat(&line, head) && line.size > 0 && strchr("].- \t", line.at[0]))
            return true;
    }
    return false;
}

static bool has_package_key(struct ost_step *step, const char *dir, const char *key)
{
    size_t size = 0;
    char *text = file_read(step, rel_join(step, dir, "package.json"), MANIFEST_MAX, &size);
    const char *why;

    return text && json_get(json_read(step, text, size, false, &why), key);
}

/* DIR is absolute. */
static bool is_configured(struct ost_step *step, const struct tool *t, const char *dir)
{
    if (t->files && has_file(dir, t->files))
        return true;
    if (t->package_key && has_package_key(step, dir, t->package_key))
        return true;
    if (t->toml_table && has_section(step, rel_join(step, dir, "pyproject.toml"), t->toml_table))
        return true;
    return t->ini_section && (has_section(step, rel_join(step, dir, "setup.cfg"), t->ini_section) ||
                              has_section(step, rel_join(step, dir, "tox.ini"), t->ini_section));
}

/* ---- where does it run? ---- */

/* The folder at or above the clean DIR for which IS holds; NULL: none. */
static const char *nearest(const struct project *p, const struct tool *t, const char *dir,
                           bool (*is)(struct ost_step *, const struct tool *, const char *))
{
    for (;; dir = rel_parent(p->step, dir)) {
        if (is(p->step, t, absolute(p, dir)))
            return dir;
        if (!*dir)
            return NULL;
    }
}

static bool has_package(struct ost_step *step, const struct tool *t, const char *dir)
{
    (void)t;
    return file_exists(rel_join(step, dir, "package.json"));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the absolute DIR, sorted, so that a run is like the one before. */
static struct strings names_in(struct ost_step *step, const char *dir)
{
    struct strings names = {0};
    struct dirent *e;
    DIR *d = opendir(dir);

    while (d && (e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            strings_add(step, &names, span_dup(step, span_of(e->d_name)));
    if (d)
        closedir(d);
    if (names.n > 1)
        qsort(names.list, names.n, sizeof *names.list, compare_names);
    return names;
}

static bool is_folder_itself(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Adds the topmost folders below the clean DIR that configure T. */
static void find_below(const struct project *p, const struct tool *t, const char *dir,
                       unsigned depth, struct strings *to)
{
    struct strings names = names_in(p->step, absolute(p, dir));

    for (size_t i = 0; i < names.n; i++) {
        const char *path = rel_join(p->step, dir, names.list[i]);

        if (is_foreign(names.list[i]) || !is_folder_itself(absolute(p, path)))
            continue;
        if (is_configured(p->step, t, absolute(p, path)))
            strings_add(p->step, to, path);
        else if (depth > 1)
            find_below(p, t, path, depth - 1, to);
    }
}

/* ---- which files? ---- */

struct walk {
    const struct project *p;
    const struct tool *tool;
    const char *root;
    struct strings *files; /* as seen from root */
    size_t n_seen;
};

static bool walk_files(struct walk *w, const char *path, unsigned depth)
{
    const char *full = absolute(w->p, path);
    struct strings names;
    struct stat st;

    if (w->n_seen++ >= WALK_FILES_MAX || lstat(full, &st) < 0)
        return w->n_seen <= WALK_FILES_MAX;
    if (S_ISREG(st.st_mode) && w->tool->wants(rel_name(path), full))
        strings_add(w->p->step, w->files, rel_from(w->root, path));
    if (!S_ISDIR(st.st_mode) || depth == 0)
        return true;
    names = names_in(w->p->step, full);
    for (size_t i = 0; i < names.n; i++)
        if (!is_foreign(names.list[i]) &&
            !walk_files(w, rel_join(w->p->step, path, names.list[i]), depth - 1))
            return false;
    return true;
}

/* The files below TARGETS (clean, in the workspace) that the tool wants, as seen from ROOT. */
static ost_status gather(const struct project *p, struct check *c, const struct strings *targets,
                         struct strings *files)
{
    struct walk w = {.p = p, .tool = c->tool, .root = c->root, .files = files};

    for (size_t i = 0; i < targets->n; i++) {
        const char *target = targets->list[i];

        /* A file that the user names is linted, whatever it looks like. */
        if (!file_is_folder(absolute(p, target)))
            strings_add(p->step, files, rel_from(c->root, target));
        else if (!walk_files(&w, target, WALK_DEPTH_MAX))
            return ost_fail(p->step, OST_E_LIMIT,
                            "'%s' holds more than %d files: name the folders to lint in 'paths'",
                            *target ? target : ".", WALK_FILES_MAX);
    }
    return OST_OK;
}

/* Those of the tool's own LIST that lie below TARGETS. */
static void choose(const struct project *p, struct check *c, const struct strings *targets,
                   struct strings *files)
{
    const char *const *list, *why = "";

    list = c->tool->list(p->step, absolute(p, c->root), &why);
    if (!list) {
        c->trouble = ost_fmt(p->step, "%s %s", check_title(p->step, c), why);
        return;
    }
    for (; *list; list++)
        for (size_t i = 0; i < targets->n; i++)
            if (rel_below(targets->list[i], rel_join(p->step, c->root, *list))) {
                strings_add(p->step, files, *list);
                break;
            }
}

/* ---- making the checks ---- */

static const char *const *programs_of(const struct project *p, const struct tool *t,
                                      const char *root)
{
    static const char *const node[] = {"node_modules/.bin", NULL};
    static const char *const python[] = {".venv/bin", "venv/bin", NULL};
    static const char *const none[] = {NULL};
    const char *const *folders = t->origin == ORIGIN_NODE     ? node
                                 : t->origin == ORIGIN_PYTHON ? python
                                                              : none;
    struct strings found = {0};

    for (const char *dir = root; *folders; dir = rel_parent(p->step, dir)) {
        for (const char *const *folder = folders; *folder; folder++)
            for (const char *const *name = t->programs; *name; name++) {
                const char *path =
                    absolute(p, rel_join(p->step, dir, rel_join(p->step, *folder, *name)));

                if (file_exists(path))
                    strings_add(p->step, &found, path);
            }
        if (!*dir)
            break;
    }
    for (const char *const *name = t->programs; *name; name++)
        strings_add(p->step, &found, *name);
    return strings_list(&found);
}

/* A path that begins with a dash would be taken for an option. */
static const char *as_argument(struct ost_step *step, const char *path)
{
    return path[0] == '-' ? ost_fmt(step, "./%s", path) : path;
}

static ost_status add_command(const struct project *p, struct check *c, struct strings *targets,
                              struct checks *to)
{
    struct strings argv = {0};

    if (to->n >= CHECKS_MAX)
        return ost_fail(p->step, OST_E_LIMIT,
                        "this needs more than %d commands: name the folders to lint in 'paths'",
                        CHECKS_MAX);
    for (size_t i = 0; i < targets->n; i++)
        targets->list[i] = as_argument(p->step, targets->list[i]);
    c->targets = strings_list(targets);
    strings_add(p->step, &argv, c->programs[0]);
    if (c->tool->command(p->step, c, absolute(p, c->root), &argv))
        c->argv = strings_list(&argv);
    checks_add(p->step, to, c);
    return OST_OK;
}

/* One command for each batch of FILES. */
static ost_status add_batches(const struct project *p, struct check *c, const struct strings *files,
                              struct checks *to)
{
    size_t i = 0;

    while (i < files->n) {
        struct strings batch = {0};
        struct check one = *c;
        size_t size = 0;
        ost_status r;

        for (; i < files->n && batch.n < c->tool->batch && size < BATCH_SIZE_MAX; i++) {
            strings_add(p->step, &batch, files->list[i]);
            size += strlen(files->list[i]) + 1;
        }
        r = add_command(p, &one, &batch, to);
        if (r < 0)
            return r;
    }
    return OST_OK;
}

/* T in ROOT, looking at TARGETS, which are clean and relative to the workspace. */
static ost_status add_checks(const struct project *p, const struct tool *t, bool named,
                             const char *root, const struct strings *targets, struct checks *to)
{
    struct check c = {.tool = t, .root = root, .named = named, .programs = programs_of(p, t, root)};
    struct strings seen = {0};
    ost_status r = OST_OK;

    if (t->batch == 0) {
        for (size_t i = 0; i < targets->n; i++)
            strings_add(p->step, &seen, rel_from(root, targets->list[i]));
        return add_command(p, &c, &seen, to);
    }
    if (t->list)
        choose(p, &c, targets, &seen);
    else
        r = gather(p, &c, targets, &seen);
    if (c.trouble)
        checks_add(p->step, to, &c);
    return r < 0 ? r : add_batches(p, &c, &seen, to);
}

/* Where T has to run, and what it has to look at there. */
struct place {
    const char *root;
    struct strings targets;
};

struct places {
    struct place list[CHECKS_MAX];
    size_t n;
};

static void places_add(struct ost_step *step, struct places *to, const char *root,
                       const char *target)
{
    struct place *place = NULL;

    for (size_t i = 0; i < to->n && !place; i++)
        if (strcmp(to->list[i].root, root) == 0)
            place = &to->list[i];
    if (!place) {
        if (to->n == CHECKS_MAX)
            return; /* add_command() says so for what is there already */
        place = &to->list[to->n++];
        *place = (struct place){.root = root};
    }
    strings_add(step, &place->targets, target);
}

static void find_places(const struct project *p, const struct tool *t, bool named, const char *path,
                        struct places *to)
{
    bool folder = file_is_folder(absolute(p, path));
    const char *dir = folder ? path : rel_parent(p->step, path);
    const char *root = nearest(p, t, dir, is_configured);
    struct strings below = {0};

    if (!root && folder)
        find_below(p, t, dir, SEARCH_DEPTH_MAX, &below);
    for (size_t i = 0; i < below.n; i++)
        places_add(p->step, to, below.list[i], below.list[i]);
    if (!root && below.n == 0 && named) {
        root = t->origin == ORIGIN_NODE ? nearest(p, t, dir, has_package) : NULL;
        root = root ? root : "";
    }
    if (root)
        places_add(p->step, to, root, path);
}

static bool is_named(const struct project *p, const struct tool *t)
{
    for (size_t i = 0; p->named[i]; i++)
        if (p->named[i] == t)
            return true;
    return false;
}

ost_status project_checks(const struct project *p, struct checks *to)
{
    ost_status r = OST_OK;

    for (const struct tool *t = tools; t->name && r == OST_OK; t++) {
        bool named = is_named(p, t);
        struct places *places;

        if (!named && !p->find)
            continue;
        places = p->step->host->alloc(p->step, sizeof *places);
        places->n = 0;
        for (size_t i = 0; p->paths[i]; i++)
            find_places(p, t, named, p->paths[i], places);
        for (size_t i = 0; i < places->n && r == OST_OK; i++)
            r = add_checks(p, t, named, places->list[i].root, &places->list[i].targets, to);
    }
    return r;
}
