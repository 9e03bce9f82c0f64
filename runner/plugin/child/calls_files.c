/* ostler.files/1: the plugin's process sees the job's files under the job's names, so it can search them
 * itself; the runner only does the sums. Memory is phase memory: it ends with the process. */
#include "plugin/child/calls.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "sandbox/hash.h"
#include "sandbox/walk.h"

#include <fcntl.h>

enum { FILES_MAX = 1 << 20, PATTERNS_SIZE_MAX = 1 << 20 };

static ost_status refuse(struct ost_step *step, const struct err *err)
{
    ost_status why = err->code == ERR_INVALID   ? OST_E_INVALID
                     : err->code == ERR_LIMIT   ? OST_E_LIMIT
                     : err->code == ERR_TIMEOUT ? OST_E_TIMEOUT
                     : err->code == ERR_DENIED  ? OST_E_DENIED
                                                : OST_E_IO;

    return calls_failed(step, why, err->text);
}

static const char *folder(struct ost_step *step, int which)
{
    const char *path = calls_start(step)->dirs[which];

    return *path ? path : NULL;
}

static int read_patterns(struct ost_step *step, const char *const *patterns, struct glob *glob,
                         struct err *err)
{
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(PATTERNS_SIZE_MAX);

    for (size_t i = 0; patterns && patterns[i]; i++) {
        buf_add(&lines, slice_of(patterns[i]));
        buf_add_char(&lines, '\n');
    }
    int r = buf_check(&lines, "the list of patterns", err);
    return r < 0 ? r
                 : glob_add(glob, buf_slice(&lines), folder(step, OST_DIR_WORKSPACE),
                            folder(step, OST_DIR_HOME), err);
}

/* A list that grows; NULL-terminated at the end. */
struct found {
    struct ost_step *step;
    VEC(const char *) paths;
};

static int add_path(void *ctx, const char *path, struct err *err)
{
    struct found *f = ctx;

    if (f->step->host->cancelled(f->step))
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (f->paths.len == FILES_MAX)
        return err_set(err, ERR_LIMIT, "the patterns match more than %d files", FILES_MAX);
    vec_push(&f->paths, (const char *)mem_dup(path, strlen(path)));
    return ERR_OK;
}

static ost_status give(struct found *f, const char *const **paths, size_t *n)
{
    *n = f->paths.len;
    vec_push(&f->paths, NULL);
    *paths = f->paths.ptr;
    return OST_OK;
}

static ost_status files_glob(struct ost_step *step, const char *const *patterns, uint32_t flags,
                             const char *const **paths, size_t *n)
{
    const uint32_t known = OST_GLOB_LINKS | OST_GLOB_INSIDE | OST_GLOB_FOLDERS | OST_GLOB_NO_HIDDEN;
    CLEANUP(glob_deinit) struct glob glob = {.alone = !(flags & OST_GLOB_INSIDE)};
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct found found = {.step = step};
    struct walk_spec walk = {
        .root = root,
        .glob = &glob,
        .follow = flags & OST_GLOB_LINKS,
        .folders = flags & OST_GLOB_FOLDERS,
        .no_hidden = flags & OST_GLOB_NO_HIDDEN,
        .deadline_ms = calls_start(step)->deadline_ms,
        .found = add_path,
        .ctx = &found,
    };
    struct err err = ERR_INIT;

    if (flags & ~known)
        return calls_failed(step, OST_E_UNSUPPORTED,
                            "glob: this host does not know all of the flags");
    ost_status announced = calls_announce(step, "files.glob");
    if (announced < 0)
        return announced;
    if (root < 0) {
        (void)err_sys(&err, "cannot open '/'");
        return refuse(step, &err);
    }
    int r = read_patterns(step, patterns, &glob, &err);
    if (r == ERR_OK)
        r = walk_files(&walk, &err);
    if (r == ERR_CANCELLED)
        return calls_failed(step, OST_E_CANCELLED, err.text);
    return r < 0 ? refuse(step, &err) : give(&found, paths, n);
}

static ost_status files_roots(struct ost_step *step, const char *const *patterns,
                              const char *const **paths, size_t *n)
{
    CLEANUP(glob_deinit) struct glob glob = {.alone = true};
    struct found found = {.step = step};
    struct err err = ERR_INIT;
    ost_status announced = calls_announce(step, "files.roots");

    if (announced < 0)
        return announced;
    if (read_patterns(step, patterns, &glob, &err) < 0)
        return refuse(step, &err);
    VEC_EACH (root, &glob.roots)
        vec_push(&found.paths, (const char *)mem_dup(*root, strlen(*root)));
    return give(&found, paths, n);
}

/* What the runner calls PATH, which may be a container's name for it. Later ones may lie in earlier ones. */
static const char *runners_name(const struct child_start *start, const char *path)
{
    for (size_t i = start->n_shown; i > 0; i--) {
        const char *rest = path_below(path, start->shown[i - 1].to);

        if (rest)
            return path_join(start->shown[i - 1].from, rest);
    }
    return path;
}

/* The digest that hashFiles() has for the N files PATHS, under the runner's names for them; made by the runner. */
static ost_status ask_hash(struct ost_step *step, const char *const *paths, size_t n,
                           const char **ret)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    uint32_t id = dialog_id();
    size_t at;

    wire_begin(&message, WIRE_HASH, id, &at);
    wire_put_int(&message, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        wire_put_text(&message, paths[i]);
    return calls_ask(step, &message, at, id, ret);
}

static ost_status files_hash(struct ost_step *step, const char *const *patterns, const char **hex)
{
    const char *workspace = folder(step, OST_DIR_WORKSPACE);
    const char *const *paths;
    struct err err = ERR_INIT;
    bool follow = false;
    size_t n, kept = 0;

    if (patterns && patterns[0] && hash_option(slice_of(patterns[0]), &follow, &err) < 0)
        return refuse(step, &err);
    ost_status r = files_glob(step, follow ? patterns + 1 : patterns,
                              OST_GLOB_INSIDE | (follow ? OST_GLOB_LINKS : 0u), &paths, &n);
    if (r < 0)
        return r;
    const char **names = mem_new((n + 1) * sizeof *names);
    for (size_t i = 0; i < n; i++)
        if (workspace && path_below(paths[i], workspace)) /* outside of it nothing counts */
            names[kept++] = runners_name(calls_start(step), paths[i]);
    return ask_hash(step, names, kept, hex);
}

const struct ost_files_v1 calls_files = {
    .struct_size = sizeof calls_files,
    .glob = files_glob,
    .roots = files_roots,
    .hash = files_hash,
};
