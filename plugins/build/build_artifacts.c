#include "build_artifacts.h"

#include "../lib/artifact.h"
#include "../lib/json_put.h"
#include "../lib/sha256.h"

#include <fcntl.h>
#include <ostler/ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct built_file *)a)->path, ((const struct built_file *)b)->path);
}

static bool is_listed(const char *const *list, const char *path)
{
    for (; list && *list; list++)
        if (strcmp(*list, path) == 0)
            return true;
    return false;
}

static ost_status digest_all(struct ost_step *step, int dir, struct built *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct built_file *f = &b->list[i];
        const char *why;

        if (step->host->cancelled(step))
            return OST_E_CANCELLED;
        if (sha256_file(step, dir, f->path, &f->sha256, &f->size, &why) < 0)
            return ost_fail(step, OST_E_IO, "the artifact cannot be used: %s", why);
    }
    return OST_OK;
}

static ost_status digest(struct ost_step *step, const char *workspace, struct built *b)
{
    int dir = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ost_status r;

    if (dir < 0)
        return ost_fail(step, OST_E_IO, "cannot open the workspace '%s'", workspace);
    r = digest_all(step, dir, b);
    close(dir);
    return r;
}

ost_status built_collect(struct ost_step *step, const struct built_ask *ask, struct built *ret)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)step->host->extension(step, OST_EXT_FILES);
    struct built b = {0};
    const char *const *paths;
    size_t n;
    ost_status r;

    if (!files)
        return ost_fail(step, OST_E_UNSUPPORTED, "this host cannot search for files");
    r = files->glob(step, ask->patterns, OST_GLOB_INSIDE, &paths, &n);
    if (r < 0)
        return r == OST_E_CANCELLED ? r
                                    : ost_fail(step, r, "cannot look for 'artifacts': %s",
                                               step->host->last_error(step));
    if (n > ARTIFACTS_MAX)
        return ost_fail(
            step, OST_E_LIMIT,
            "'artifacts' matches %zu files, and %d are the most: pack them in the build, "
            "or name fewer",
            n, ARTIFACTS_MAX);
    b.list = step->host->alloc(step, (n + 1) * sizeof *b.list);
    for (size_t i = 0; i < n; i++) {
        const char *path = rel_clean(step, paths[i]);

        if (!rel_below(ask->workspace, path))
            return ost_fail(step, OST_E_INVALID, "the artifact '%s' lies outside of the workspace",
                            path);
        path = rel_from(ask->workspace, path);
        if (!is_listed(ask->not, path))
            b.list[b.n++] = (struct built_file){.path = path};
    }
    qsort(b.list, b.n, sizeof *b.list, by_path);
    r = digest(step, ask->workspace, &b);
    if (r == OST_OK)
        *ret = b;
    return r;
}

/* Like sha256sum: a name with a backslash or a newline is escaped, and the line says so in front. */
const char *built_sums(struct ost_step *step, const struct built *b)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < b->n; i++) {
        const char *path = b->list[i].path;

        sink_addf(&k, "%s%s  ", strpbrk(path, "\\\n") ? "\\" : "", b->list[i].sha256);
        for (; *path; path++)
            if (*path == '\\' || *path == '\n')
                sink_addf(&k, "\\%c", *path == '\n' ? 'n' : '\\');
            else
                sink_addf(&k, "%c", *path);
        sink_add(&k, SPAN("\n"));
    }
    return sink_text(&k);
}

const char *built_json(struct ost_step *step, const struct built *b)
{
    struct sink k = {.step = step};

    sink_add(&k, SPAN("["));
    for (size_t i = 0; i < b->n && i < ARTIFACTS_LISTED_MAX; i++) {
        sink_addf(&k, "%s{\"path\":", i ? "," : "");
        json_put_text(&k, b->list[i].path);
        sink_addf(&k, ",\"sha256\":\"%s\",\"size\":%lld}", b->list[i].sha256,
                  (long long)b->list[i].size);
    }
    sink_add(&k, SPAN("]"));
    return sink_text(&k);
}

void built_note(struct ost_step *step, const struct built *b, struct facts *to)
{
    for (size_t i = 0; i < b->n; i++)
        facts_add(step, to, "result", b->list[i].path, b->list[i].sha256);
}

bool built_equals(const struct built *b, const struct facts *facts)
{
    size_t n = 0;

    for (size_t i = 0; i < facts->n; i++) {
        const struct fact *f = &facts->list[i];

        if (strcmp(f->kind, "result") != 0)
            continue;
        if (n == b->n || strcmp(f->name, b->list[n].path) != 0 ||
            strcmp(f->value, b->list[n].sha256) != 0)
            return false;
        n++;
    }
    return n == b->n && n > 0;
}

ost_status built_upload(struct ost_step *step, const struct built *b, const char *workspace,
                        const char *name, int32_t days)
{
    enum { LEVEL = 6 };
    struct artifact_upload u = {
        .name = name, .root = workspace, .days = days, .level = LEVEL, .major = 4};
    struct strings files = {0};

    for (size_t i = 0; i < b->n; i++)
        strings_add(step, &files, rel_join(step, workspace, b->list[i].path));
    u.files = strings_list(&files);
    return artifact_upload(step, &u);
}
