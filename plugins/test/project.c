#include "project.h"

#include "../lib/words.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FOUND_MAX = 32,
    FOLDERS_MAX = 2000, /* looked at in all */
};

struct found { /* a runner in a folder */
    struct target list[FOUND_MAX];
    size_t n;
    size_t n_folders;
};

static bool is_foreign(const char *name)
{
    static const char *const names[] = {"node_modules", "venv",        "build",
                                        "dist",         "target",      "vendor",
                                        "_build",       "third_party", "bower_components"};

    if (name[0] == '.')
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* ---- the program ---- */

/* Where the runner's program may be: installed with the project, in ROOT or above it; else in PATH. */
static const char *const *programs_of(const struct target *t)
{
    const struct runner *r = t->runner;
    struct strings names = {0}, found = {0};

    strings_add(t->step, &names, t->words[0]);
    words_add(t->step, &names, r->names);
    for (const char *dir = t->root; r->folders; dir = rel_parent(t->step, dir)) {
        for (const char *const *folder = r->folders; *folder; folder++)
            for (size_t i = 0; i < names.n; i++) {
                const char *path =
                    rel_join(t->step, dir,
                             rel_clean(t->step, ost_fmt(t->step, "%s/%s", *folder, names.list[i])));

                path = rel_clean(t->step, rel_join(t->step, t->workspace, path));
                if (file_exists(path) && !file_is_folder(path))
                    strings_add(t->step, &found, path);
            }
        if (!*dir)
            break;
    }
    for (size_t i = 0; i < names.n; i++)
        strings_add(t->step, &found, names.list[i]);
    return strings_list(&found);
}

/* What a target is before anything has been looked at. */
static struct target target_of(struct ost_step *step, const struct settings *set,
                               const struct runner *runner, const char *root)
{
    struct target t = {
        .step = step,
        .runner = runner,
        .workspace = set->workspace,
        .root = root,
        .why = "as asked for",
        .command = set->command,
        .words = runner ? runner->words : NULL,
        .tests = set->tests,
        .args = set->args,
    };

    if (runner && runner->words[0])
        t.programs = programs_of(&t);
    return t;
}

/* ---- finding ---- */

static void look_in(struct ost_step *step, const struct settings *set, const char *root,
                    struct found *to)
{
    const char *dir = rel_clean(step, rel_join(step, set->workspace, *root ? root : "."));
    const struct runner *r;

    to->n_folders++;
    for (size_t i = 0; (r = runner_at(i)); i++) {
        struct target t = target_of(step, set, r, root);
        bool known = to->n == FOUND_MAX;

        for (size_t k = 0; k < to->n && !known; k++)
            known = strcmp(to->list[k].root, root) == 0 &&
                    strcmp(to->list[k].runner->family, r->family) == 0;
        if (known || !r->found(&t, dir, &t.why))
            continue;
        t.why = ost_fmt(step, "found by %s", t.why);
        to->list[to->n++] = t;
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_folder_itself(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The topmost folders below ROOT that have something. */
static void look_below(struct ost_step *step, const struct settings *set, const char *root,
                       unsigned depth, struct found *to)
{
    const char *dir = rel_clean(step, rel_join(step, set->workspace, *root ? root : "."));
    struct strings names = {0};
    struct dirent *e;
    DIR *d = opendir(dir);

    while (d && (e = readdir(d)))
        if (!is_foreign(e->d_name) && names.n < FOLDERS_MAX)
            strings_add(step, &names, span_dup(step, span_of(e->d_name)));
    if (d)
        closedir(d);
    if (names.n > 1)
        qsort(names.list, names.n, sizeof *names.list, compare_names);
    for (size_t i = 0; i < names.n && to->n_folders < FOLDERS_MAX; i++) {
        const char *path = rel_join(step, root, names.list[i]);
        size_t before = to->n;

        if (!is_folder_itself(rel_join(step, set->workspace, path)))
            continue;
        look_in(step, set, path, to);
        if (to->n == before && depth > 1)
            look_below(step, set, path, depth - 1, to);
    }
}

static const char *list_found(struct ost_step *step, const struct found *f)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < f->n; i++)
        sink_addf(&k, "%s%s in '%s' (%s)", i ? ", " : "", f->list[i].runner->title,
                  *f->list[i].root ? f->list[i].root : ".", f->list[i].why);
    return sink_text(&k);
}

static ost_status find(struct ost_step *step, const struct settings *set, struct target *ret)
{
    struct found *f = step->host->alloc(step, sizeof *f);

    f->n = f->n_folders = 0;
    look_in(step, set, set->path, f);
    if (f->n == 0)
        look_below(step, set, set->path, SEARCH_DEPTH_MAX, f);
    if (f->n == 0)
        return ost_fail(
            step, OST_E_NOT_FOUND,
            "no test runner was found in '%s': say which with 'runner', or give the "
            "'command' and the 'report' it writes; CTest is found once CMake has made its "
            "build folder",
            *set->path ? set->path : ".");
    if (f->n > 1)
        return ost_fail(
            step, OST_E_INVALID,
            "there is more than one test runner here: %s; choose with 'runner' or 'path', "
            "and give each a step of its own",
            list_found(step, f));
    *ret = f->list[0];
    return OST_OK;
}

/* ---- what is asked for ---- */

/* One that is named looks for its configuration all the same: it may say how it is started. */
static ost_status take_named(struct ost_step *step, const struct settings *set, struct target *ret)
{
    struct target t = target_of(step, set, runner_find(set->runner), set->path);
    const char *dir = target_cwd(&t), *why;

    if (!t.words[0] && !*set->command)
        return ost_fail(step, OST_E_INVALID,
                        "the runner '%s' needs 'command': the test programs, one a line",
                        set->runner);
    if (!*set->command)
        (void)t.runner->found(&t, dir, &why);
    if (*set->command && t.words[0]) {
        if (!set->words)
            return ost_fail(step, OST_E_INVALID, "a quote in 'command' is not closed");
        t.words = set->words;
        t.programs = NULL;
    }
    *ret = t;
    return OST_OK;
}

ost_status project_target(struct ost_step *step, const struct settings *set, struct target *ret)
{
    if (runner_find(set->runner))
        return take_named(step, set, ret);
    if (*set->command || set->report[0]) {
        *ret = target_of(step, set, NULL, set->path);
        return OST_OK;
    }
    return find(step, set, ret);
}

const char *project_module(struct target *t)
{
    size_t size = 0;
    char *text = file_read(t->step, rel_join(t->step, target_cwd(t), "go.mod"), 1 << 20, &size);
    struct span rest = {text, text ? size : 0}, line;

    while (span_line(&rest, &line))
        if (span_eat(&line, "module ")) {
            line = span_trim(line);
            span_eat(&line, "\"");
            return span_dup(t->step,
                            (struct span){line.at, strcspn(span_dup(t->step, line), "\" \t")});
        }
    return "";
}
