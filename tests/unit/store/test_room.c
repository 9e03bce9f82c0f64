/* What goes when the store has more than it may. */
#include "store/room.h"

#include "base/arena.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

static struct arena arena;

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(room, .init = scratch_enter, .fini = leave);

static const char *full(const char *name)
{
    return arena_printf(&arena, "%s/%s", scratch_path, name);
}

/* An entry of one MiB, used AGE seconds ago. */
static const char *make(const char *name, int age)
{
    static char block[1 << 20];
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    const char *path = full(name);

    scratch_file(arena_printf(&arena, "%s/sub/action.yml", name), "x");
    int fd = open(arena_printf(&arena, "%s/big", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    memset(block, 'x', sizeof block);
    cr_assert_eq(write(fd, block, sizeof block), (ssize_t)sizeof block);
    cr_assert_eq(fsync(fd), 0);
    close(fd);
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    return path;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

Test(room, what_was_not_used_for_the_longest_time_goes_first)
{
    const char *old = make("s/host/acme/one/" A, 9000), *older = make("s/host/acme/two/" B, 10000),
               *new = make("s/else/x/y/" C, 8000);

    store_make_room(full("s"), 10 << 20);
    cr_assert(is_there(old) && is_there(older) && is_there(new), "there was room for all");
    store_make_room(full("s"), 5 << 19);
    cr_assert(is_there(old) && is_there(new));
    cr_assert_not(is_there(older));
    cr_assert_not(is_there(full("s/host/acme/two/" B ".size")));
    store_make_room(full("s"), 5 << 19);
    cr_assert(is_there(old) && is_there(new), "what was counted before is the same");
    store_make_room(full("s"), 1);
    cr_assert_not(is_there(old) || is_there(new));
}

Test(room, what_is_in_use_stays_and_is_the_newest_then)
{
    const char *used = make("s/host/acme/one/" A, 10000), *old = make("s/host/acme/two/" B, 9000);
    struct err err = ERR_INIT;
    struct stat st;
    int hold = -1;

    cr_assert_eq(store_hold(used, &hold, &err), ERR_OK, "%s", err.text);
    cr_assert(stat(used, &st) == 0 && st.st_mtime > time(NULL) - 100);
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    cr_assert_eq(utimensat(AT_FDCWD, used, times, 0), 0);
    store_make_room(full("s"), 1);
    cr_assert(is_there(used));
    cr_assert_not(is_there(old));
    close(hold);
    store_make_room(full("s"), 1);
    cr_assert_not(is_there(used));
    cr_assert_eq(store_hold(used, &hold, &err), ERR_NOT_FOUND);
}

Test(room, what_was_used_just_now_stays)
{
    const char *path = make("s/host/acme/one/" A, 0);

    store_make_room(full("s"), 1);
    cr_assert(is_there(path));
}

Test(room, what_a_killed_fetch_left_goes_unless_one_is_at_work)
{
    scratch_file("s/host/acme/one/new-1-2/tree/x", "x");
    scratch_file("s/host/acme/one/lock", "");
    scratch_file("s/host/acme/one/refs", "x");
    int lock = open(full("s/host/acme/one/lock"), O_RDWR | O_CLOEXEC);
    cr_assert_eq(flock(lock, LOCK_EX), 0);
    store_make_room(full("s"), 1 << 30);
    cr_assert(is_there(full("s/host/acme/one/new-1-2")));
    close(lock);
    store_make_room(full("s"), 1 << 30);
    cr_assert_not(is_there(full("s/host/acme/one/new-1-2")));
    cr_assert(is_there(full("s/host/acme/one/refs")));
}
