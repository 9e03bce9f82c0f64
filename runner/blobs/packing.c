/* The packer from the inside: shut in first, then the job's files. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "blobs/artifacts.h"
#include "blobs/blobs.h"
#include "blobs/message.h"
#include "blobs/packer.h"
#include "io/archive.h"
#include "io/archive_pack.h"
#include "sandbox/confine.h"
#include "sandbox/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_MAX = 8, CHUNK = 256 << 10, PATTERNS_SIZE_MAX = 4 << 20, FILES_MAX = 1 << 20 };
static const uint64_t unzip_size_max = 1ULL << 40;

typedef int packing_op(const json_t *ask, struct err *err);

/* ---- caches ---- */

struct tar {
    struct pack *pack; /* NULL until something is found */
    enum pack_kind kind;
    const char *workspace;
    size_t found;
};

/* PATH as seen from the workspace: "d", "../x", ".". */
static void relative(const char *from, const char *path, struct buf *ret)
{
    size_t same = 0, i = 0;

    for (;; i++) { /* the last place where both are at the end of a name */
        bool end_a = from[i] == '\0' || from[i] == '/', end_b = path[i] == '\0' || path[i] == '/';

        if (end_a && end_b)
            same = i;
        if (from[i] != path[i] || from[i] == '\0')
            break;
    }
    for (const char *rest = from + same; *rest; rest++)
        if (*rest == '/' && rest[1])
            buf_printf(ret, "%s..", ret->len ? "/" : "");
    const char *below = path + same + strspn(path + same, "/");
    if (*below)
        buf_printf(ret, "%s%s", ret->len ? "/" : "", below);
    if (!ret->len)
        buf_add_char(ret, '.');
}

static int on_found(void *ctx, const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(64 << 10);
    struct tar *t = ctx;
    int r = t->pack ? ERR_OK : pack_new(t->kind, 0, PACKER_DATA, &t->pack, err);

    if (r < 0)
        return r;
    t->found++;
    relative(t->workspace, path, &name);
    r = buf_check(&name, "a path", err);
    return r == ERR_OK ? pack_tree(t->pack, name.ptr, err) : r;
}

static int walk(const json_t *ask, struct tar *t, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(PATTERNS_SIZE_MAX);
    CLEANUP(glob_deinit) struct glob glob = {.alone = true};
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct walk_spec spec = {
        .root = root,
        .glob = &glob,
        .follow = true, /* as @actions/glob; what is found is kept as what it is */
        .folders = true,
        .deadline_ms = CLOCK_NEVER,
        .found = on_found,
        .ctx = t,
    };
    const char *const *patterns;
    size_t n;

    if (root < 0)
        return err_sys(err, "cannot open '/'");
    int r = message_texts(ask, "patterns", FILES_MAX, &arena, &patterns, &n, err);
    for (size_t i = 0; r == ERR_OK && i < n; i++)
        buf_printf(&lines, "%s\n", patterns[i]);
    if (r == ERR_OK)
        r = buf_check(&lines, "the list of paths", err);
    if (r == ERR_OK)
        r = glob_add(&glob, buf_slice(&lines), t->workspace,
                     json_string_value(json_object_get(ask, "home")), err);
    return r == ERR_OK ? walk_files(&spec, err) : r;
}

static int enter(const char *workspace, struct err *err)
{
    return chdir(workspace) < 0 ? err_sys(err, "cannot enter '%s'", workspace) : ERR_OK;
}

static int do_tar(const json_t *ask, struct err *err)
{
    struct tar t = {.kind =
                        json_is_true(json_object_get(ask, "zstd")) ? PACK_TAR_ZSTD : PACK_TAR_GZIP};
    int r = message_text(ask, "workspace", &t.workspace, err);

    if (r == ERR_OK)
        r = enter(t.workspace, err);
    if (r == ERR_OK)
        r = walk(ask, &t, err);
    if (r == ERR_OK && !t.found)
        r = err_set(err, ERR_NOT_FOUND,
                    "Path Validation Error: Path(s) specified in the action for caching do(es) not "
                    "exist, hence no cache is being saved.");
    if (r == ERR_OK)
        r = pack_finish(t.pack, err);
    pack_free(t.pack);
    return r;
}

static int do_restore(const json_t *ask, struct err *err)
{
    const char *workspace;
    int r = message_text(ask, "workspace", &workspace, err);

    if (r == ERR_OK)
        r = path_mkdirs(AT_FDCWD, workspace, 0777, err);
    if (r == ERR_OK)
        r = enter(workspace, err);
    return r == ERR_OK ? pack_restore(PACKER_DATA, err) : r;
}

/* ---- artifacts ---- */

/* Links are followed: this process can reach what the job can reach, and nothing else. */
static int open_file(const char *path, int *ret, struct stat *st, struct err *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, st) < 0)
        return err_sys(err, "cannot open '%s'", path);
    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        return err_set(err, ERR_INVALID, "'%s' is no file", path);
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

static int add_file(struct pack *p, const char *path, const char *root, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    const char *name = path_below(path, root);
    struct stat st;

    if (!name || !*name)
        return err_set(err, ERR_INVALID, "'%.100s' is not below '%.100s'", path, root);
    int r = artifacts_check_name(name, true, err);
    if (r == ERR_OK)
        r = open_file(path, &fd, &st, err);
    if (r < 0 || S_ISDIR(st.st_mode)) /* folders are what lies in them */
        return r;
    return pack_file(p, fd, &st, name, err);
}

static int do_zip(const json_t *ask, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    const char *const *files, *root;
    struct pack *p = NULL;
    int64_t level;
    size_t n;
    int r = message_texts(ask, "files", FILES_MAX, &arena, &files, &n, err);

    if (r == ERR_OK)
        r = message_text(ask, "root", &root, err);
    if (r == ERR_OK)
        r = message_number(ask, "level", 0, 9, -1, &level, err);
    if (r < 0)
        return r;
    CLEANUP(free_ptr) char *top = path_normal(root);
    r = pack_new(PACK_ZIP, (int)level, PACKER_DATA, &p, err);
    for (size_t i = 0; r == ERR_OK && i < n; i++) {
        CLEANUP(free_ptr) char *file = path_normal(files[i]);

        r = add_file(p, file, top, err);
    }
    if (r == ERR_OK)
        r = pack_finish(p, err);
    pack_free(p);
    return r;
}

static int copy(int from, int to, const char *name, struct err *err)
{
    CLEANUP(buf_deinit) struct buf chunk = BUF_INIT(CHUNK);
    ssize_t n;

    for (;;) {
        buf_clear(&chunk);
        n = fd_read_some(from, &chunk, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_sys(err, "cannot read '%s'", name) : ERR_OK;
        if (fd_write_all(to, buf_slice(&chunk), err) < 0)
            return err_in(err, "'%s'", name);
    }
}

static int do_raw(const json_t *ask, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(fd_closep) int fd = -1;
    const char *const *files;
    struct stat st;
    size_t n;
    int r = message_texts(ask, "files", 1, &arena, &files, &n, err);

    if (r == ERR_OK)
        r = open_file(files[0], &fd, &st, err);
    if (r == ERR_OK && S_ISDIR(st.st_mode))
        r = err_set(err, ERR_INVALID, "'%s' is a folder, no file", files[0]);
    return r == ERR_OK ? copy(fd, PACKER_DATA, files[0], err) : r;
}

/* The folder that takes a download, made where it is missing. */
static int open_dir(const json_t *ask, int *ret, struct err *err)
{
    const char *dir;
    int r = message_text(ask, "dir", &dir, err);

    if (r < 0)
        return r;
    if (dir[0] != '/')
        return err_set(err, ERR_INVALID, "the folder '%.150s' is not absolute", dir);
    CLEANUP(free_ptr) char *path = path_normal(dir);
    r = path_mkdirs(AT_FDCWD, path, 0777, err);
    if (r < 0)
        return r;
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_sys(err, "cannot open '%s'", path) : ERR_OK;
}

static int do_unzip(const json_t *ask, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    struct archive_stats stats;
    int r = open_dir(ask, &dir, err);
    const struct archive_spec spec = {.in = PACKER_DATA,
                                      .to = dir,
                                      .zip = true,
                                      .replace = true,
                                      .size_max = unzip_size_max,
                                      .files_max = FILES_MAX};

    return r == ERR_OK ? archive_unpack(&spec, &stats, err) : r;
}

/* A link of that name is replaced, not followed. */
static int do_keep(const json_t *ask, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    CLEANUP(fd_closep) int fd = -1;
    const char *name;
    int r = message_text(ask, "name", &name, err);

    if (r == ERR_OK && (!*name || strchr(name, '/')))
        r = err_set(err, ERR_INVALID, "'%.100s' is no name of a file", name);
    if (r == ERR_OK)
        r = open_dir(ask, &dir, err);
    if (r < 0)
        return r;
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return err_sys(err, "cannot replace '%s'", name);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_sys(err, "cannot create '%s'", name);
    return copy(PACKER_DATA, fd, name, err);
}

/* ---- the process ---- */

static const struct {
    const char *name;
    packing_op *fn;
    bool writes; /* files of the job's */
} ops[] = {
    {"tar", do_tar, false},        {"zip", do_zip, false},    {"raw", do_raw, false},
    {"restore", do_restore, true}, {"unzip", do_unzip, true}, {"keep", do_keep, true},
};

static int shut_in(const json_t *ask, bool write, struct err *err)
{
    const int place[] = {PACKER_PLACE + SANDBOX_NS_USER, PACKER_PLACE + SANDBOX_NS_MOUNT};
    const json_t *list = json_object_get(ask, "shown"), *one;
    struct show_folder shown[SHOWN_MAX];
    struct confine_job job = {
        .place = json_is_true(json_object_get(ask, "place")) ? place : NULL,
        .shown = shown,
        .write = write,
    };
    size_t i;

    json_array_foreach (list, i, one) {
        if (i == SHOWN_MAX)
            return err_set(err, ERR_LIMIT, "more than %d folders of a container", SHOWN_MAX);
        shown[i] = (struct show_folder){json_string_value(json_array_get(one, 0)),
                                        json_string_value(json_array_get(one, 1))};
        job.n_shown++;
    }
    int r = confine_as_job(&job, err);
    for (i = 0; i < COUNT_OF(place); i++)
        (void)close(place[i]); /* no way back in */
    return r;
}

static int work(struct err *err)
{
    json_t *ask = NULL;
    const char *name;
    int r = message_read(STDIN_FILENO, &ask, err);

    if (r == ERR_OK)
        r = message_text(ask, "do", &name, err);
    if (r == ERR_OK)
        r = archive_load(err);
    if (r == ERR_OK)
        r = pack_load(err);
    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(ops); i++) {
        if (strcmp(ops[i].name, name) != 0)
            continue;
        r = shut_in(ask, ops[i].writes, err);
        if (r == ERR_OK)
            r = ops[i].fn(ask, err);
        break;
    }
    json_decref(ask);
    return r;
}

/* Deep trees take a descriptor a level. */
static void raise_limits(void)
{
    static const struct rlimit none = {0, 0};
    struct rlimit files;

    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int blobs_packer_main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN); /* the carrier has given up: it says why */
    raise_limits();
    int r = work(&err);
    message_send(STDOUT_FILENO, message_end(r, NULL, &err));
    _exit(0); /* nothing that is registered for the end runs in the job's place */
}
