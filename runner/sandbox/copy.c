#include "sandbox/copy.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/strmap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct copy {
    struct strmap hidden; /* relative paths */
    struct buf at;        /* the path below FROM of what is being copied */
    int depth;
};

enum { DEPTH_MAX = 256 }; /* folders in folders: each holds two descriptors */

static int copy_folder(struct copy *c, int from, int to, struct err *err);

static int copy_bytes(int from, int to, off_t size, struct err *err)
{
    if (size == 0 || ioctl(to, FICLONE, from) == 0)
        return ERR_OK;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);

        if (n == 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            break;
    }
    if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
        return err_sys(err, "cannot copy");
    CLEANUP(buf_deinit) struct buf chunk = BUF_INIT(1 << 20);
    for (;;) { /* between file systems that do not know each other */
        buf_clear(&chunk);
        ssize_t n = fd_read_some(from, &chunk, 1 << 20);
        if (n < 0)
            return err_sys(err, "cannot read");
        if (n == 0)
            return ERR_OK;
        if (fd_write_all(to, buf_slice(&chunk), err) < 0)
            return err->code;
    }
}

static int set_look(int fd, const struct stat *st, struct err *err)
{
    (void)!fchown(fd, st->st_uid, st->st_gid); /* an ordinary user's copy is the user's */
    if (fchmod(fd, st->st_mode & 07777) < 0 ||
        futimens(fd, (const struct timespec[]){st->st_atim, st->st_mtim}) < 0)
        return err_sys(err, "cannot set mode and times");
    return ERR_OK; /* the times count: git compares them with its index */
}

static int copy_file(int from_dir, int to_dir, const char *name, struct err *err)
{
    CLEANUP(fd_closep) int from = -1, to = -1;
    struct stat st;

    from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return err_sys(err, "cannot open");
    to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return err_sys(err, "cannot create");
    int r = copy_bytes(from, to, st.st_size, err);
    return r < 0 ? r : set_look(to, &st, err);
}

static int copy_link(int from_dir, int to_dir, const char *name, struct err *err)
{
    char target[4097];
    ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);

    if (n < 0)
        return err_sys(err, "cannot read the link");
    target[n] = '\0';
    if (symlinkat(target, to_dir, name) < 0)
        return err_sys(err, "cannot create the link");
    return ERR_OK;
}

static int copy_sub(struct copy *c, int from_dir, int to_dir, const char *name, struct err *err)
{
    CLEANUP(fd_closep) int from = -1, to = -1;
    struct stat st;

    if (c->depth == DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "more than %d folders deep", DEPTH_MAX);
    from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return err_sys(err, "cannot open");
    if (mkdirat(to_dir, name, 0700) < 0)
        return err_sys(err, "cannot create");
    to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return err_sys(err, "cannot open");
    c->depth++;
    int r = copy_folder(c, from, to, err);
    c->depth--;
    return r < 0 ? r : set_look(to, &st, err);
}

static int copy_entry(struct copy *c, int from, int to, const struct dirent *e, struct err *err)
{
    unsigned char type = e->d_type;
    struct stat st;

    if (type == DT_UNKNOWN) {
        if (fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_sys(err, "cannot look at it");
        type = (unsigned char)IFTODT(st.st_mode);
    }
    switch (type) {
    case DT_DIR:
        return copy_sub(c, from, to, e->d_name, err);
    case DT_REG:
        return copy_file(from, to, e->d_name, err);
    case DT_LNK:
        return copy_link(from, to, e->d_name, err);
    default:
        return ERR_OK;
    }
}

static int copy_folder(struct copy *c, int from, int to, struct err *err)
{
    int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int r = ERR_OK;

    if (!dir) {
        (void)err_sys(err, "cannot read");
        fd_closep(&fd);
        return err->code;
    }
    for (struct dirent *e; r == ERR_OK && (e = readdir(dir));) {
        size_t was = c->at.len;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (was)
            buf_add_char(&c->at, '/');
        buf_add_str(&c->at, e->d_name);
        if (!strmap_get(&c->hidden, c->at.ptr))
            r = copy_entry(c, from, to, e, err);
        if (r == ERR_OK) { /* else it names the culprit */
            c->at.len = was;
            c->at.ptr[was] = '\0';
        }
    }
    closedir(dir);
    return r;
}

int copy_tree(const char *from, int to, const char *const *hide, struct err *err)
{
    CLEANUP(fd_closep) int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct copy c = {.at = BUF_INIT(1 << 20)};
    struct stat st;

    if (source < 0 || fstat(source, &st) < 0)
        return err_sys(err, "cannot open '%s'", from);
    for (; hide && *hide; hide++) {
        struct slice name = slice_of(*hide);
        while (slice_ends(name, SLICE("/")))
            name.len--;
        strmap_set(&c.hidden, name, SLICE(""));
    }
    int r = copy_folder(&c, source, to, err);
    if (r < 0)
        r = err_in(err, "'%s'", c.at.ptr);
    else
        r = set_look(to, &st, err);
    strmap_deinit(&c.hidden);
    buf_deinit(&c.at);
    return r;
}

int copy_check_empty(int dir, const char *path, struct err *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    int n = 0;

    if (!list) {
        (void)err_sys(err, "cannot read '%s'", path);
        fd_closep(&fd);
        return err->code;
    }
    while (n < 3 && readdir(list))
        n++;
    closedir(list);
    return n < 3 ? ERR_OK : err_set(err, ERR_INVALID, "'%s' is not empty", path);
}
