#include "base/path.h"

#include "base/fd.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

char *path_join(const char *a, const char *b)
{
    struct buf out = BUF_INIT(SIZE_MAX / 2);

    if (b[0] != '/') {
        buf_add_str(&out, a);
        if (*a && a[strlen(a) - 1] != '/')
            buf_add_char(&out, '/');
    }
    buf_add_str(&out, b);
    return buf_take(&out);
}

char *path_normal(const char *path)
{
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    struct slice rest = slice_of(path), part;
    bool absolute = path[0] == '/';

    while (slice_split(&rest, '/', &part)) {
        if (part.len == 0 || slice_eq(part, SLICE(".")))
            continue;
        struct slice done = buf_slice(&out);
        bool can_go_up = out.len && !slice_ends(done, SLICE("/..")) && !slice_eq(done, SLICE(".."));

        if (slice_eq(part, SLICE("..")) && (can_go_up || absolute)) {
            while (out.len && out.ptr[out.len - 1] != '/')
                out.len--;
            if (out.len)
                out.len--;
            continue;
        }
        if (out.len || absolute)
            buf_add_char(&out, '/');
        buf_add(&out, part);
    }
    if (out.len == 0)
        buf_add_char(&out, absolute ? '/' : '.');
    out.ptr[out.len] = '\0';
    return buf_take(&out);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (strncmp(path, dir, n) != 0)
        return NULL;
    if (n && dir[n - 1] == '/')
        return path + n;
    if (path[n] == '\0')
        return path + n;
    return path[n] == '/' ? path + n + 1 : NULL;
}

char *path_common(const char *const *paths, size_t n)
{
    size_t same = strlen(paths[0]);

    for (size_t i = 1; i < n; i++) {
        size_t at = 0;

        while (at < same && paths[0][at] == paths[i][at])
            at++;
        bool whole = (at == same || paths[0][at] == '/') && (!paths[i][at] || paths[i][at] == '/');
        while (!whole && at && paths[0][--at] != '/')
            ;
        same = at;
    }
    return mem_dup(same ? paths[0] : "/", same ? same : 1);
}

static int open_how(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
        .resolve = resolve | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    do /* EAGAIN: a rename raced with the walk, the kernel asks to try again */
        fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return (int)fd;
}

int path_open(int dir, const char *path, int flags, mode_t mode, int *ret, struct err *err)
{
    int fd = dir == AT_FDCWD ? open_how(dir, path, flags, mode, 0)
                             : open_how(dir, path, flags, mode, RESOLVE_BENEATH);

    if (fd < 0)
        return err_sys(err, "cannot open '%s'", path);
    *ret = fd;
    return ERR_OK;
}

int path_open_in(int root, const char *path, int flags, mode_t mode, int *ret, struct err *err)
{
    int fd = open_how(root, path, flags, mode, RESOLVE_IN_ROOT);

    if (fd < 0)
        return err_sys(err, "cannot open '%s'", path);
    *ret = fd;
    return ERR_OK;
}

int path_mkdirs(int dir, const char *path, mode_t mode, struct err *err)
{
    if (mkdirat(dir, path, mode) == 0 || errno == EEXIST) /* mostly only the last is missing */
        return ERR_OK;
    CLEANUP(free_ptr) char *copy = mem_dup(path, strlen(path));
    for (char *p = copy + 1; *copy; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char at = *p;

        *p = '\0';
        if (mkdirat(dir, copy, mode) < 0 && errno != EEXIST)
            return err_sys(err, "cannot create '%s'", copy);
        *p = at;
        if (!at)
            break;
    }
    return ERR_OK;
}

/* One level a frame on the heap: a job can nest folders deeper than our stack, and deeper than there are descriptors: what
 * lies below LEVELS_MAX of them is moved up to the first. */
enum { LEVELS_MAX = 32 };

struct level {
    DIR *dir;
    char *name; /* of this folder in its parent */
};

static int open_folder(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd;
}

/* NAME is in the last of the N LEVELS. */
static void note_error(struct err *first, const struct level *levels, size_t n, const char *name)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(PATH_MAX);
    int error = errno;

    if (first->code)
        return;
    for (size_t i = 0; i < n; i++)
        buf_printf(&path, "%s/", levels[i].name);
    buf_add_str(&path, name);
    errno = error;
    (void)err_sys(first, "cannot remove '%s'", path.ptr);
}

/* Is this why unlinkat() refuses a folder: one to unlink() (EPERM says POSIX), a full one to rmdir()? */
static bool is_folder(int error)
{
    return error == EISDIR || error == EPERM || error == ENOTEMPTY || error == EEXIST;
}

/* Opens NAME, which unlinkat() has just refused. -1: errno says why it stays. */
static int open_refused(int parent, const char *name)
{
    int why = errno, fd = is_folder(why) ? open_folder(parent, name) : -1;

    if (fd < 0 && errno == ENOTDIR) /* a file that may not be removed, as an immutable one */
        errno = why;
    return fd;
}

/* Moves NAME of PARENT, which is open as FD, into TOP, under a name of its own: *COUNT goes into it. False: it stays. */
static bool move_up(int parent, const char *name, int fd, int top, unsigned *count)
{
    char other[48];
    int r;

    (void)fchmod(fd, 0700); /* another parent is written into the folder itself */
    (void)fchmod(parent, 0700);
    do {
        snprintf(other, sizeof other, ".removed-%u", ++*count);
        /* musl has no function for it, and ostler-init is linked with that */
        r = (int)syscall(SYS_renameat2, parent, name, top, other, RENAME_NOREPLACE);
    } while (r < 0 && errno == EEXIST);
    return r == 0;
}

int path_remove(int dir, const char *name, struct err *err)
{
    VEC(struct level) stack = {0};
    struct err first = ERR_INIT;
    unsigned moves = 0;
    bool again = false;

    if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ||
        (errno == ENOTDIR && unlinkat(dir, name, 0) == 0))
        return ERR_OK;
    int fd = open_refused(dir, name);
    if (fd < 0)
        return errno == ENOENT ? ERR_OK : err_sys(err, "cannot remove '%s'", name);
    vec_push(&stack, (struct level){fdopendir(fd), mem_dup(name, strlen(name))});

    while (stack.len) {
        struct level *top = &stack.ptr[stack.len - 1];
        struct dirent *entry = top->dir ? readdir(top->dir) : NULL;

        if (!entry && stack.len == 1 && again) { /* they may not have been among what was read */
            again = false;
            rewinddir(top->dir);
            continue;
        }
        if (!entry) {
            int parent = stack.len > 1 ? dirfd(stack.ptr[stack.len - 2].dir) : dir;

            if (top->dir)
                closedir(top->dir);
            if (unlinkat(parent, top->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                note_error(&first, stack.ptr, stack.len - 1, top->name);
            free(top->name);
            stack.len--;
            continue;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int at = dirfd(top->dir);
        /* Most folders are empty; where the kind is not told, a wrong guess is refused. */
        int flag = entry->d_type == DT_DIR ? AT_REMOVEDIR : 0;
        if (unlinkat(at, entry->d_name, flag) == 0 || errno == ENOENT)
            continue;
        if (errno == EACCES) { /* the folder itself forbids it */
            (void)fchmod(at, 0700);
            if (unlinkat(at, entry->d_name, flag) == 0)
                continue;
        }
        fd = open_refused(at, entry->d_name);
        if (fd < 0) {
            if (errno != ENOENT)
                note_error(&first, stack.ptr, stack.len, entry->d_name);
            continue;
        }
        if (stack.len >= LEVELS_MAX &&
            move_up(at, entry->d_name, fd, dirfd(stack.ptr[0].dir), &moves)) {
            again = true;
            (void)close(fd);
            continue;
        }
        vec_push(&stack,
                 (struct level){fdopendir(fd), mem_dup(entry->d_name, strlen(entry->d_name))});
    }
    vec_deinit(&stack);
    if (first.code == ERR_OK)
        return ERR_OK;
    *err = first;
    return err->code;
}

int path_read(int dir, const char *path, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = path_open(dir, path, O_RDONLY | O_NOCTTY, 0, &fd, err);

    if (r < 0)
        return r;
    r = fd_read_all(fd, to, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}

int path_open_named(const char *name, int *ret, struct err *err)
{
    int fd;

    do
        fd = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_sys(err, "cannot open '%s'", name);
    *ret = fd;
    return ERR_OK;
}

int path_read_named(const char *name, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = path_open_named(name, &fd, err);

    if (r < 0)
        return r;
    r = fd_read_all(fd, to, err);
    return r < 0 ? err_in(err, "'%s'", name) : r;
}

int path_write(int dir, const char *path, struct slice data, mode_t mode, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(free_ptr) char *temp = mem_new(strlen(path) + 32);

    snprintf(temp, strlen(path) + 32, "%s.new-%ld", path, (long)getpid());
    int r = path_open(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, &fd, err);
    if (r < 0)
        return r;
    r = fd_write_all(fd, data, err);
    if (r < 0)
        (void)err_in(err, "'%s'", path);
    if (r == ERR_OK && renameat(dir, temp, dir, path) < 0)
        r = err_sys(err, "cannot replace '%s'", path);
    if (r < 0)
        (void)unlinkat(dir, temp, 0); /* the first error is the one to tell */
    return r;
}

DIR *path_list(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (!list)
        fd_closep(&fd);
    return list;
}
