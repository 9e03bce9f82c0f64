/* What waits for a server, when the disk is full: on a small one of our own. */
#include "queue/shelf.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static struct shelf shelf = {.fd = -1};
static char piece[MIB], got[MIB];

static void leave(void)
{
    shelf_close(&shelf);
    (void)umount("disk");
    scratch_leave();
}

TestSuite(shelf, .init = scratch_enter, .fini = leave);

/* Mounts for this process alone. */
static void enter_disk(const char *size)
{
    char options[40];

    if (getuid())
        cr_skip_test("only root mounts a disk that is full");
    snprintf(options, sizeof options, "size=%s", size);
    cr_assert_eq(mkdir("disk", 0700), 0);
    cr_assert_eq(unshare(CLONE_NEWNS), 0);
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("none", "disk", "tmpfs", 0, options), 0);
}

static void open_on(const char *folder)
{
    struct err err = ERR_INIT;

    cr_assert_eq(shelf_open(&shelf, AT_FDCWD, folder, &err), ERR_OK, "%s", err.text);
}

/* The Nth piece is full of its number. */
static bool put(int nth, size_t size)
{
    memset(piece, 'a' + nth % 26, size);
    return shelf_put(&shelf, slice_make(piece, size), (int64_t)nth * (int64_t)size);
}

static void holds(int nth, size_t size)
{
    struct err err = ERR_INIT;

    cr_assert_eq(shelf_get(&shelf, got, size, (int64_t)nth * (int64_t)size, &err), ERR_OK, "%s",
                 err.text);
    memset(piece, 'a' + nth % 26, size);
    cr_assert_eq(memcmp(got, piece, size), 0, "piece %d", nth);
}

Test(shelf, a_full_disk_is_done_without_and_nothing_is_lost)
{
    struct stat st;

    enter_disk("256k");
    open_on("disk");
    cr_assert(put(0, 64 * KIB) && put(1, 64 * KIB) && put(2, 64 * KIB));
    cr_assert(!shelf.in_memory);
    cr_assert(shelf_give_back(&shelf, 0, 64 * KIB));
    for (int i = 3; i < 20; i++)
        cr_assert(put(i, 64 * KIB), "piece %d", i);
    cr_assert(shelf.in_memory);
    for (int i = 1; i < 20; i++)
        holds(i, 64 * KIB);
    cr_assert_eq(fstat(shelf.fd, &st), 0);
    cr_assert_leq(st.st_blocks * 512, 19 * 64 * KIB, "what was given back takes room again");
}

Test(shelf, memory_has_an_end_and_what_is_given_back_is_room)
{
    int n = 0;

    open_on(NULL);
    while (put(n, MIB))
        n++;
    cr_assert_eq(n, SHELF_MEMORY_MAX / MIB);
    cr_assert(shelf_give_back(&shelf, 0, MIB));
    cr_assert(put(n, MIB));
    holds(n, MIB);
    holds(1, MIB);
}

Test(shelf, more_than_memory_may_have_stays_on_the_disk)
{
    int n = 0;

    enter_disk("70m");
    open_on("disk");
    while (put(n, MIB))
        n++;
    cr_assert_geq(n, 65);
    cr_assert(!shelf.in_memory);
    holds(0, MIB);
    holds(n - 1, MIB);
    cr_assert(shelf_give_back(&shelf, 0, MIB));
    cr_assert(put(n, MIB), "there is room again");
}

Test(shelf, a_folder_that_is_not_there_is_no_reason_to_keep_nothing)
{
    open_on("nowhere");
    cr_assert(shelf.in_memory);
    cr_assert(put(0, KIB));
    holds(0, KIB);
}
