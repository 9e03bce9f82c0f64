#include "search.h"

#include <ostler/ext.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const *lines_of(struct ost_step *step, const char *text)
{
    struct strings lines = {0};
    struct span rest = span_of(text), line;

    while (span_line(&rest, &line))
        strings_add(step, &lines, span_dup(step, span_trim(line)));
    return strings_list(&lines);
}

/* ---- names that differ in case only ---- */

struct place { /* of a file in the list */
    const char *path;
    size_t at;
};

static int by_letters(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = strcasecmp(x->path, y->path);

    return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Some file systems know no case: all are uploaded, and it is said of each but the first. */
static void tell_twins(struct ost_step *step, const struct search *s)
{
    struct place *sorted = step->host->alloc(step, s->n * sizeof *sorted);
    bool *twin = step->host->alloc(step, s->n * sizeof *twin);

    for (size_t i = 0; i < s->n; i++) {
        sorted[i] = (struct place){s->files[i], i};
        twin[i] = false;
    }
    if (s->n)
        qsort(sorted, s->n, sizeof *sorted, by_letters);
    for (size_t i = 1; i < s->n; i++)
        twin[sorted[i].at] = strcasecmp(sorted[i - 1].path, sorted[i].path) == 0;
    for (size_t i = 0; i < s->n; i++)
        if (twin[i])
            ost_log(step, OST_INFO,
                    "Uploads are case insensitive: %s was detected that it will be overwritten by "
                    "another file with the same path",
                    s->files[i]);
}

/* ---- the root ---- */

static const char *parent_of(struct ost_step *step, const char *path)
{
    const char *parent = rel_parent(step, path);

    return *parent ? parent : "/";
}

/* The deepest folder that all N absolute PATHS are or lie in. */
static const char *common_folder(struct ost_step *step, const char *const *paths, size_t n)
{
    const char *folder = paths[0];

    for (size_t i = 1; i < n; i++)
        while (strcmp(folder, "/") != 0 && !rel_below(folder, paths[i]))
            folder = parent_of(step, folder);
    return folder;
}

/* Where more than one place was searched, what they share; else the place; a file alone lies in its folder. */
static const char *find_root(struct ost_step *step, const struct search *s,
                             const char *const *places, size_t n)
{
    const char *root;

    if (n == 0)
        return "";
    if (n == 1)
        return s->n == 1 && strcmp(places[0], s->files[0]) == 0 ? parent_of(step, places[0])
                                                                : places[0];
    ost_log(step, OST_INFO,
            "Multiple search paths detected. Calculating the least common ancestor of all paths");
    root = common_folder(step, places, n);
    ost_log(step, OST_INFO,
            "The least common ancestor is %s. This will be the root directory of the artifact",
            root);
    return root;
}

ost_status search_files(struct ost_step *step, const char *patterns, bool hidden,
                        struct search *ret)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)step->host->extension(step, OST_EXT_FILES);
    const char *const *lines = lines_of(step, patterns), *const * places;
    uint32_t flags = OST_GLOB_LINKS | OST_GLOB_INSIDE | (hidden ? 0u : OST_GLOB_NO_HIDDEN);
    size_t n = 0;
    ost_status r;

    if (!files)
        return ost_fail(step, OST_E_UNSUPPORTED, "this host cannot search for files");
    r = files->glob(step, lines, flags, &ret->files, &ret->n);
    if (r == OST_OK)
        r = files->roots(step, lines, &places, &n);
    if (r < 0)
        return r == OST_E_CANCELLED ? r : ost_fail(step, r, "%s", step->host->last_error(step));
    tell_twins(step, ret);
    ret->root = find_root(step, ret, places, n);
    return OST_OK;
}
