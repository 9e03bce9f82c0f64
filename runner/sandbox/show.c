#include "sandbox/show.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The new "/" is made here, where there is a folder on every system, and then pivoted to. */
#define BASE "/tmp"

enum { ENTRIES_MAX = 200, LINK_SIZE = 4096 };

struct entry {
    char *to;   /* below BASE, without its leading slash */
    int tree;   /* a copy of the mounts there; -1: a symbolic link */
    char *link; /* what it says; NULL: none */
    bool is_dir;
};

struct entries {
    VEC(struct entry) list;
};

static void entries_deinit(struct entries *e)
{
    VEC_EACH (one, &e->list) {
        fd_closep(&one->tree);
        free(one->link);
        free(one->to);
    }
    vec_deinit(&e->list);
}

/* Copies are taken first, of everything: what is mounted afterwards hides it. */
static void take(struct entries *e, const char *from, const char *to)
{
    struct entry one = {.tree = -1};
    struct stat st;
    char link[LINK_SIZE];

    if (e->list.len == ENTRIES_MAX || lstat(from, &st) < 0)
        return;
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(from, link, sizeof link);
        if (n < 0 || n == sizeof link)
            return;
        one.link = mem_dup(link, (size_t)n);
    } else {
        one.tree = open_tree(AT_FDCWD, from,
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_NO_AUTOMOUNT);
        if (one.tree < 0)
            return;
    }
    one.is_dir = S_ISDIR(st.st_mode);
    one.to = mem_dup(to, strlen(to));
    vec_push(&e->list, one);
}

/* True if a folder is to be shown at the top-level NAME, or below it. */
static bool is_wanted(const struct show_folder *list, size_t n, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (strncmp(list[i].to + 1, name, len) == 0 &&
            (list[i].to[1 + len] == '/' || list[i].to[1 + len] == '\0'))
            return true;
    return false;
}

/* All of "/" that is not in the way. */
static int take_slash(struct entries *e, const struct show_folder *list, size_t n, struct err *err)
{
    DIR *slash = opendir("/");

    if (!slash)
        return err_sys(err, "cannot list '/'");
    for (struct dirent *d; (d = readdir(slash));) {
        CLEANUP(free_ptr) char *from = path_join("/", d->d_name);

        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
            !is_wanted(list, n, d->d_name))
            take(e, from, d->d_name);
    }
    closedir(slash);
    return ERR_OK;
}

static void put(const struct entry *one, int base)
{
    struct err ignored = ERR_INIT; /* then it is not there */
    CLEANUP(fd_closep) int at = -1;

    if (one->link) {
        (void)!symlinkat(one->link, base, one->to);
        return;
    }
    if (one->is_dir)
        (void)!path_mkdirs(base, one->to, 0755, &ignored);
    else
        (void)!mknodat(base, one->to, S_IFREG | 0600, 0);
    at = openat(base, one->to, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (at >= 0)
        (void)move_mount(one->tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int show_folders(const struct show_folder *list, size_t n, bool alone, struct err *err)
{
    CLEANUP(entries_deinit) struct entries e = {0};
    CLEANUP(fd_closep) int base = -1;

    if (!alone && take_slash(&e, list, n, err) < 0)
        return err->code;
    for (size_t i = 0; i < n; i++)
        take(&e, list[i].from, list[i].to + 1);
    if (mount("tmpfs", BASE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") < 0)
        return err_sys(err, "cannot mount a file system in memory");
    base = open(BASE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0)
        return err_sys(err, "cannot open '%s'", BASE);
    VEC_EACH (one, &e.list)
        put(one, base);
    /* With both names the same the old "/" lies on top of the new one, and comes off. */
    if (fchdir(base) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return err_sys(err, "cannot change '/'");
    return ERR_OK;
}
