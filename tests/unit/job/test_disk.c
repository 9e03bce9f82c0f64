/* How much a folder holds, and when that is looked at. */
#include "job/disk.h"

#include "base/clock.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen {
    struct loop *loop;
    struct disk *disk;
    int64_t used, allow;
    int times;
};

static void on_over(void *ctx, int64_t used)
{
    struct seen *s = ctx;

    s->times++;
    s->used = used;
    if (s->allow)
        disk_allow(s->disk, s->allow);
    loop_quit(s->loop);
}

static void on_time(void *ctx)
{
    loop_quit(((struct seen *)ctx)->loop);
}

/* Watches the scratch folder for MS, or until it is over LIMIT. */
static struct seen watch_for(int64_t ms, int64_t limit, void (*meanwhile)(void))
{
    struct seen s = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(loop_new(&s.loop, &err), ERR_OK, "%s", err.text);
    struct timer *t = loop_timer(s.loop, clock_ms() + ms, on_time, &s);
    s.disk = disk_new(scratch_dir, limit, s.loop, on_over, &s);
    if (meanwhile)
        meanwhile();
    cr_assert_eq(loop_run(s.loop, &err), ERR_OK, "%s", err.text);
    disk_free(s.disk);
    if (s.times) /* else it has gone off */
        timer_free(t);
    loop_free(s.loop);
    return s;
}

static void fill(const char *name, size_t size)
{
    int fd = openat(scratch_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static char block[1 << 20];

    memset(block, 'x', sizeof block);
    for (size_t n = 0; n < size; n += sizeof block)
        cr_assert_eq(write(fd, block, sizeof block), (ssize_t)sizeof block);
    cr_assert_eq(fsync(fd), 0); /* blocks are given out late */
    close(fd);
}

static void five(void)
{
    scratch_file("a/b/c", "x");
    fill("a/b/big", 5 << 20);
}

static void sparse(void)
{
    int fd = openat(scratch_dir, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_eq(ftruncate(fd, 1 << 30), 0);
    close(fd);
}

static void linked(void)
{
    fill("one", 2 << 20);
    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof name, "link%d", i);
        cr_assert_eq(linkat(scratch_dir, "one", scratch_dir, name, 0), 0);
    }
    cr_assert_eq(symlinkat("/usr", scratch_dir, "elsewhere"), 0);
    fill("removed", 4 << 20);
    cr_assert_eq(unlinkat(scratch_dir, "removed", 0), 0);
}

TestSuite(disk, .init = scratch_enter, .fini = scratch_leave);

Test(disk, growth_is_seen_soon_and_measured)
{
    struct seen s = watch_for(8000, 3 << 20, five);

    cr_assert_eq(s.times, 1);
    cr_assert(s.used >= 5 << 20 && s.used < 6 << 20, "%lld", (long long)s.used);
}

Test(disk, holes_count_nothing)
{
    cr_assert_eq(watch_for(700, 1 << 20, sparse).times, 0);
}

Test(disk, hard_links_count_once_links_and_removed_files_not)
{
    cr_assert_eq(watch_for(1500, 3 << 20, linked).times, 0);
}
