#include "job/disk.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    LOOK_MS = 200, /* between two looks at the file system's free space */
    AGAIN_MS =
        10000, /* measured at least that often: somebody else may have made the space that is missed */
    ENTRIES_AT_ONCE = 500,
    REST = 19, /* so many times as long as it took */
    BLOCK = 512,
};

struct disk {
    int dir;
    int64_t limit, used;
    int64_t free_most; /* the most that was free since the last measurement */
    int64_t measured_ms, not_before_ms;
    struct loop *loop;
    struct timer *timer;
    disk_fn *fn;
    void *ctx;

    /* A measurement that is under way: */
    VEC(DIR *) open; /* from the folder down; none: there is none */
    dev_t device;
    int64_t sum, spent_ns;
};

static void on_time(void *ctx);

static void wait_for(struct disk *d, int64_t ms)
{
    d->timer = loop_timer(d->loop, clock_ms() + ms, on_time, d);
}

static int64_t free_space(const struct disk *d)
{
    struct statvfs fs;

    return fstatvfs(d->dir, &fs) < 0 ? 0 : (int64_t)fs.f_bfree * (int64_t)fs.f_frsize;
}

/* ---- measuring ---- */

static void go_down(struct disk *d, int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir)
        vec_push(&d->open, dir);
    else
        fd_closep(&fd);
}

static void count(struct disk *d, int at, const char *name)
{
    struct stat st;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 || st.st_dev != d->device)
        return; /* gone by now, or another file system */
    bool is_dir = S_ISDIR(st.st_mode);
    int64_t size = (int64_t)st.st_blocks * BLOCK;

    d->sum += is_dir || st.st_nlink < 2 ? size : size / (int64_t)st.st_nlink;
    if (is_dir && d->open.len < DISK_DEPTH_MAX)
        go_down(d, at, name);
}

static void begin(struct disk *d)
{
    struct stat st;

    d->sum = d->spent_ns = 0;
    d->free_most = free_space(d);
    if (fstat(d->dir, &st) < 0)
        return;
    d->device = st.st_dev;
    go_down(d, d->dir, ".");
}

static void end(struct disk *d)
{
    d->used = d->sum;
    d->measured_ms = clock_ms();
    d->not_before_ms = d->measured_ms + d->spent_ns * REST / 1000000;
    if (d->used > d->limit)
        d->fn(d->ctx, d->used);
}

/* False: it is at its end. */
static bool go_on(struct disk *d)
{
    int64_t since = clock_ns();

    for (int n = 0; n < ENTRIES_AT_ONCE && d->open.len; n++) {
        DIR *dir = d->open.ptr[d->open.len - 1];
        const struct dirent *e = readdir(dir);

        if (!e) {
            closedir(dir);
            d->open.len--;
        } else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            count(d, dirfd(dir), e->d_name);
        }
    }
    d->spent_ns += clock_ns() - since;
    return d->open.len > 0;
}

/* ---- when ---- */

static bool may_be_over(struct disk *d)
{
    int64_t now = clock_ms(), left = free_space(d);

    if (left > d->free_most)
        d->free_most = left;
    return now >= d->not_before_ms &&
           (d->free_most - left > d->limit - d->used || now >= d->measured_ms + AGAIN_MS);
}

static void on_time(void *ctx)
{
    struct disk *d = ctx;

    d->timer = NULL;
    if (!d->open.len && may_be_over(d))
        begin(d);
    if (!d->open.len) {
        wait_for(d, LOOK_MS);
    } else if (go_on(d)) {
        wait_for(d, 0);
    } else {
        wait_for(d, LOOK_MS);
        end(d);
    }
}

struct disk *disk_new(int dir, int64_t limit, struct loop *loop, disk_fn *fn, void *ctx)
{
    struct disk *d = mem_new(sizeof *d);

    *d = (struct disk){.dir = dir, .limit = limit, .loop = loop, .fn = fn, .ctx = ctx};
    d->free_most = free_space(d);
    d->measured_ms = clock_ms();
    wait_for(d, LOOK_MS);
    return d;
}

void disk_allow(struct disk *d, int64_t limit)
{
    d->limit = limit;
}

struct disk *disk_free(struct disk *d)
{
    if (!d)
        return NULL;
    timer_free(d->timer);
    while (d->open.len)
        closedir(d->open.ptr[--d->open.len]);
    vec_deinit(&d->open);
    free(d);
    return NULL;
}
