/* ostler.files/1 for tests of plugins: the patterns and the walk are the runner's own, the files those of the disk. */
#include "kit/own.h"

#include "base/clock.h"
#include "base/fd.h"
#include "lang/glob.h"
#include "lib/json.h"
#include "plugin/transcript.h"
#include "sandbox/hash.h"
#include "sandbox/walk.h"

#include <fcntl.h>

struct found {
    struct ost_test *t;
    VEC(const char *) paths;
};

static int on_found(void *ctx, const char *path, struct err *err)
{
    struct found *f = ctx;

    (void)err;
    vec_push(&f->paths, (const char *)kit_keep(f->t, kit_copy(path)));
    return ERR_OK;
}

/* *PATHS and *N become what is in F, which is emptied. */
static void give(struct found *f, const char *const **paths, size_t *n)
{
    *n = f->paths.len;
    vec_push(&f->paths, NULL);
    *paths = kit_keep(f->t, f->paths.ptr);
}

static int read_patterns(struct ost_test *t, const char *const *patterns, struct glob *glob,
                         struct err *err)
{
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(1 << 20);

    for (size_t i = 0; patterns && patterns[i]; i++)
        buf_printf(&lines, "%s\n", patterns[i]);
    return glob_add(glob, buf_slice(&lines), t->dirs[OST_DIR_WORKSPACE], t->dirs[OST_DIR_HOME],
                    err);
}

static int find(struct ost_test *t, const char *const *patterns, uint32_t flags, struct found *to,
                struct err *err)
{
    CLEANUP(glob_deinit) struct glob glob = {.alone = !(flags & OST_GLOB_INSIDE)};
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct walk_spec walk = {.root = root,
                                   .glob = &glob,
                                   .follow = flags & OST_GLOB_LINKS,
                                   .folders = flags & OST_GLOB_FOLDERS,
                                   .no_hidden = flags & OST_GLOB_NO_HIDDEN,
                                   .deadline_ms = CLOCK_NEVER,
                                   .found = on_found,
                                   .ctx = to};
    int r = read_patterns(t, patterns, &glob, err);

    to->t = t;
    return r < 0 ? r : walk_files(&walk, err);
}

static char *ask_patterns(const char *service, const char *const *patterns)
{
    struct buf line = BUF_INIT(1 << 20);

    buf_add_str(&line, service);
    kit_add_list(&line, "patterns", patterns);
    return buf_take(&line);
}

ost_status kit_glob(struct ost_test *t, const char *const *patterns, uint32_t flags,
                    const char *const **paths, size_t *n)
{
    struct found found = {.t = t};
    struct err err = ERR_INIT;

    if (find(t, patterns, flags, &found, &err) < 0) {
        vec_deinit(&found.paths);
        return kit_refuse(t, err.code == ERR_INVALID ? OST_E_INVALID : OST_E_IO, err.text);
    }
    give(&found, paths, n);
    return OST_OK;
}

/* The answer that a transcript has to this question. */
static const struct json *play(struct ost_test *t, const char *call, const char *const *patterns,
                               uint32_t flags, ost_status *ret)
{
    struct buf ask = BUF_INIT(2 * TRANSCRIPT_LINE_MAX);

    transcript_files(&ask, patterns, flags);
    return kit_play(t, call, &ask, ret);
}

static ost_status files_glob(struct ost_step *step, const char *const *patterns, uint32_t flags,
                             const char *const **paths, size_t *n)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_begin(t, "files.glob", ask_patterns("files.glob", patterns));

    if (r == OST_OK && t->playing)
        *paths = kit_texts(t, json_get(play(t, "files.glob", patterns, flags, &r), "paths"), n);
    else if (r == OST_OK)
        r = kit_glob(t, patterns, flags, paths, n);
    kit_leave(t);
    return r;
}

static ost_status files_roots(struct ost_step *step, const char *const *patterns,
                              const char *const **paths, size_t *n)
{
    struct ost_test *t = kit_host(step);
    CLEANUP(glob_deinit) struct glob glob = GLOB_INIT;
    struct found found = {.t = t};
    struct err err = ERR_INIT;
    ost_status r = kit_begin(t, "files.roots", ask_patterns("files.roots", patterns));

    if (r == OST_OK && t->playing) {
        *paths = kit_texts(t, json_get(play(t, "files.roots", patterns, 0, &r), "paths"), n);
    } else if (r == OST_OK && read_patterns(t, patterns, &glob, &err) < 0) {
        r = kit_refuse(t, OST_E_INVALID, err.text);
    } else if (r == OST_OK) {
        VEC_EACH (root, &glob.roots)
            (void)on_found(&found, *root, &err);
        give(&found, paths, n);
    }
    kit_leave(t);
    return r;
}

static ost_status files_hash(struct ost_step *step, const char *const *patterns, const char **hex)
{
    struct ost_test *t = kit_host(step);
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    VEC(struct slice) list = {0};
    struct slice digest;
    struct err err = ERR_INIT;
    ost_status r = kit_begin(t, "files.hash", ask_patterns("files.hash", patterns));

    if (r == OST_OK && t->playing) {
        *hex = json_text(play(t, "files.hash", patterns, 0, &r), "value");
        kit_leave(t);
        return r;
    }
    for (size_t i = 0; patterns && patterns[i]; i++)
        vec_push(&list, slice_of(patterns[i]));
    if (r == OST_OK && hash_job_files(root, t->dirs[OST_DIR_WORKSPACE], t->dirs[OST_DIR_HOME],
                                      list.ptr, list.len, &arena, &digest, &err) < 0)
        r = kit_refuse(t, err.code == ERR_INVALID ? OST_E_INVALID : OST_E_IO, err.text);
    if (r == OST_OK)
        *hex = kit_keep(t, mem_dup(digest.ptr, digest.len));
    vec_deinit(&list);
    kit_leave(t);
    return r;
}

const struct ost_files_v1 kit_files = {sizeof kit_files, files_glob, files_roots, files_hash};
