#include "store/room.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/vec.h"
#include "lang/action_ref.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 128, BLOCK = 512, SIZE_TEXT_MAX = 32 };

struct entry {
    char *repository, *name; /* the folder it is in, and the commit */
    int64_t size;
    struct timespec used;
};
typedef VEC(struct entry) entries;

void store_touch(const char *path)
{
    (void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW); /* it goes the sooner, else */
}

int store_hold(const char *path, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat held, there;

    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &held) < 0 ||
        lstat(path, &there) < 0 || held.st_ino != there.st_ino)
        return err_set(err, ERR_NOT_FOUND, "'%s' was just removed to make room", path);
    store_touch(path);
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

/* ---- how much there is ---- */

static int64_t size_of(int at, const char *name, int depth)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int64_t sum = 0;

    if (!dir)
        fd_closep(&fd);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        sum += (int64_t)st.st_blocks * BLOCK;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            sum += size_of(dirfd(dir), e->d_name, depth + 1);
    }
    if (dir)
        closedir(dir);
    return sum;
}

static void size_name(const char *entry, char ret[NAME_MAX + 1])
{
    snprintf(ret, NAME_MAX + 1, "%.128s.size", entry);
}

/* As somebody has counted, or counted now. */
static int64_t known_size(int repository, const char *name)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_TEXT_MAX);
    char file[NAME_MAX + 1];
    struct err ignored = ERR_INIT;
    int64_t size;

    size_name(name, file);
    if (path_read(repository, file, &text, &ignored) == ERR_OK &&
        num_parse_i64(buf_slice(&text), 0, INT64_MAX / 2, &size, &ignored) == ERR_OK)
        return size;
    size = size_of(repository, name, 0);
    buf_clear(&text);
    buf_printf(&text, "%lld", (long long)size);
    (void)!path_write(repository, file, buf_slice(&text), 0600, &ignored);
    return size;
}

/* ---- a repository's folder ---- */

/* What a fetch that was killed left, unless one is at work. */
static void sweep(int repository)
{
    CLEANUP(fd_closep) int lock = openat(repository, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 ? path_list(repository) : NULL;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct err ignored = ERR_INIT;

        if (strncmp(e->d_name, "new-", 4) == 0)
            (void)!path_remove(repository, e->d_name, &ignored);
    }
    if (dir)
        closedir(dir);
}

static bool is_entry(const char *name)
{
    return action_ref_is_commit(slice_of(name)) || strcmp(name, STORE_MIRROR) == 0;
}

static void list_repository(int dir, const char *path, entries *to)
{
    DIR *all = path_list(dir);

    for (struct dirent *e; all && (e = readdir(all));) {
        struct stat st;

        if (!is_entry(e->d_name) || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(st.st_mode))
            continue;
        vec_push(to, (struct entry){.repository = mem_dup(path, strlen(path)),
                                    .name = mem_dup(e->d_name, strlen(e->d_name)),
                                    .size = known_size(dir, e->d_name),
                                    .used = st.st_mtim});
    }
    if (all)
        closedir(all);
}

/* FOLDER/HOST/OWNER/REPO: DEPTH folders below PATH are those of repositories. */
static void list_all(const char *path, int depth, entries *to)
{
    CLEANUP(fd_closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *all = dir < 0 || depth == 0 ? NULL : path_list(dir);

    if (dir >= 0 && depth == 0) {
        sweep(dir);
        list_repository(dir, path, to);
    }
    for (struct dirent *e; all && (e = readdir(all));) {
        CLEANUP(free_ptr) char *below = path_join(path, e->d_name);

        if (e->d_name[0] != '.')
            list_all(below, depth - 1, to);
    }
    if (all)
        closedir(all);
}

/* ---- making room ---- */

static int oldest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *)a)->used,
                          *y = &((const struct entry *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* It loses its name first, so that nobody meets half of it. False: it is in use. */
static bool remove_entry(const struct entry *e)
{
    CLEANUP(fd_closep) int dir = open(e->repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(fd_closep)
    int fd = openat(dir, e->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    char gone[NAME_MAX + 1], size[NAME_MAX + 1];
    struct err ignored = ERR_INIT;

    snprintf(gone, sizeof gone, "new-gone-%.128s", e->name);
    size_name(e->name, size);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || renameat(dir, e->name, dir, gone) < 0)
        return false;
    (void)unlinkat(dir, size, 0);
    (void)!path_remove(dir, gone, &ignored);
    return true;
}

void store_make_room(const char *folder, int64_t budget)
{
    entries all = {0};
    int64_t sum = 0, fresh = (int64_t)time(NULL) - STORE_FRESH_S;

    list_all(folder, 3, &all);
    VEC_EACH (e, &all)
        sum += e->size;
    if (all.len)
        qsort(all.ptr, all.len, sizeof *all.ptr, oldest_first);
    for (size_t i = 0; i < all.len && sum > budget && all.ptr[i].used.tv_sec < fresh; i++)
        if (remove_entry(&all.ptr[i]))
            sum -= all.ptr[i].size;
    VEC_EACH (e, &all) {
        free(e->repository);
        free(e->name);
    }
    vec_deinit(&all);
}
