#include "base/path.h"

#include "base/fd.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(path, .init = scratch_enter, .fini = scratch_leave);

Test(path, normal_resolves_dots_and_slashes)
{
    static const char *const rows[][2] = {
        {"/a/b/../c", "/a/c"},  {"a/./b//c/", "a/b/c"}, {"/..", "/"}, {"..", ".."},
        {"../../a", "../../a"}, {"a/..", "."},          {"", "."},    {"/a/../../b", "/b"},
        {"./a", "a"},           {"a/../..", ".."},      {"/", "/"},   {"../a/../..", "../.."},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(free_ptr) char *got = path_normal(rows[i][0]);
        cr_assert_str_eq(got, rows[i][1], "'%s': wanted '%s', got '%s'", rows[i][0], rows[i][1],
                         got);
    }
}

Test(path, below_knows_whole_components_only)
{
    cr_assert_str_eq(path_below("/a/b/c", "/a/b"), "c");
    cr_assert_str_eq(path_below("/a/b", "/a/b"), "");
    cr_assert_null(path_below("/a/bc", "/a/b"));
    cr_assert_str_eq(path_below("/x", "/"), "x");
}

Test(path, what_paths_have_in_common_is_a_folder_of_all)
{
    static const struct {
        const char *paths[3], *common;
        size_t n;
    } rows[] = {
        {{"/a/b"}, "/a/b", 1},         {{"/a/b", "/a/b/c"}, "/a/b", 2},
        {{"/a/bc", "/a/bd"}, "/a", 2}, {{"/a/b/x", "/a/b/y", "/a/c"}, "/a", 3},
        {{"/x", "/y"}, "/", 2},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *got = path_common(rows[i].paths, rows[i].n);

        cr_expect_str_eq(got, rows[i].common, "row %zu: %s", i, got);
        free(got);
    }
}

Test(path, opening_beneath_refuses_every_way_out)
{
    struct err err = ERR_INIT;
    int fd = -1;

    scratch_file("in/file", "x");
    cr_assert_eq(symlink("/etc/passwd", "in/abs"), 0);
    cr_assert_eq(symlink("../..", "in/up"), 0);
    int dir = open("in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_lt(path_open(dir, "abs", O_RDONLY, 0, &fd, &err), 0);
    cr_assert_lt(path_open(dir, "up/etc", O_RDONLY, 0, &fd, &err), 0);
    cr_assert_lt(path_open(dir, "../in/file", O_RDONLY, 0, &fd, &err), 0);
    cr_assert_lt(path_open(dir, "/etc/passwd", O_RDONLY, 0, &fd, &err), 0);
    cr_assert_eq(path_open(dir, "file", O_RDONLY, 0, &fd, &err), ERR_OK, "%s", err.text);
    fd_closep(&fd);
    fd_closep(&dir);
}

Test(path, remove_takes_deep_trees_and_locked_folders_but_follows_no_link)
{
    struct err err = ERR_INIT;
    CLEANUP(buf_deinit) struct buf deep = BUF_INIT(2048);

    scratch_file("kept/file", "x");
    buf_add_str(&deep, "tree");
    for (int i = 0; i < 300; i++)
        buf_add_str(&deep, "/d");
    cr_assert_eq(path_mkdirs(AT_FDCWD, deep.ptr, 0777, &err), ERR_OK, "%s", err.text);
    scratch_file("tree/locked/file", "x");
    cr_assert_eq(symlink("../kept", "tree/link"), 0);
    cr_assert_eq(chmod("tree/locked", 0), 0);
    cr_assert_eq(path_remove(scratch_dir, "tree", &err), ERR_OK, "%s", err.text);
    cr_assert_eq(scratch_count(), 1);
    scratch_has("kept/file", "x");
    cr_assert_eq(path_remove(scratch_dir, "tree", &err), ERR_OK);
}

/* Two listeners clear up behind one worker: the one that was killed has a child that goes on. */
Test(path, two_may_remove_the_same_tree)
{
    enum { FOLDERS = 40, FILES = 50 };
    struct err err = ERR_INIT;
    int status = -1;

    for (int i = 0; i < FOLDERS * FILES; i++) {
        char name[64];

        snprintf(name, sizeof name, "tree/%d/%d", i / FILES, i % FILES);
        scratch_file(name, "");
    }
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    int r = path_remove(scratch_dir, "tree", &err);
    if (pid == 0)
        _exit(r < 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(r, ERR_OK, "%s", err.text);
    cr_assert_eq(status, 0);
    cr_assert_eq(scratch_count(), 0);
}

/* As root may: only `chattr -i` lets it go. Where nothing can be made so, nothing is tried. */
Test(path, what_cannot_be_removed_is_named_with_its_folders_and_the_reason)
{
    struct err err = ERR_INIT;
    int flags = FS_IMMUTABLE_FL;

    scratch_file("tree/sub/stays", "x");
    scratch_file("tree/other", "x");
    CLEANUP(fd_closep) int fd = open("tree/sub", O_RDONLY | O_CLOEXEC);
    if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
        cr_skip_test("no immutable files here: %s", strerror(errno));
    int r = path_remove(scratch_dir, "tree", &err);
    flags = 0;
    cr_assert_eq(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
    cr_assert_neq(r, ERR_OK);
    cr_assert_str_eq(err.text, "cannot remove 'tree/sub/stays': Operation not permitted");
    cr_assert_neq(access("tree/other", F_OK), 0);
}

/* A job can nest folders deeper than there are descriptors. */
Test(path, remove_needs_no_descriptor_for_each_level)
{
    enum { LEVELS = 2000, DESCRIPTORS = 100 };
    const struct rlimit few = {DESCRIPTORS, DESCRIPTORS};
    struct err err = ERR_INIT;
    int dir = fcntl(scratch_dir, F_DUPFD_CLOEXEC, 0), below;

    for (int i = 0; i < LEVELS; i++) {
        cr_assert_eq(mkdirat(dir, i ? "d" : "tree", 0700), 0);
        below = openat(dir, i ? "d" : "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert_geq(below, 0);
        fd_closep(&dir);
        dir = below;
        if (i % 3 == 0)
            fd_closep(&(int){openat(dir, "a file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)});
    }
    fd_closep(&dir);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    cr_assert_eq(path_remove(scratch_dir, "tree", &err), ERR_OK, "%s", err.text);
    cr_assert_eq(scratch_count(), 0);
}

Test(path, write_replaces_whole_files)
{
    struct err err = ERR_INIT;

    cr_assert_eq(path_write(scratch_dir, "f", SLICE("one"), 0600, &err), ERR_OK);
    cr_assert_eq(path_write(scratch_dir, "f", SLICE("2"), 0600, &err), ERR_OK);
    scratch_has("f", "2");
    cr_assert_eq(scratch_count(), 1);
    cr_assert_lt(path_write(scratch_dir, "no/f", SLICE("2"), 0600, &err), 0);
}

/* A shell's "<(command)" is /dev/fd/63. */
Test(path, only_what_is_named_to_us_may_be_a_pipe)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(100);
    struct err err = ERR_INIT;
    char name[40];
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "said", 4), 4);
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    cr_assert_neq(path_read(AT_FDCWD, name, &text, &err), ERR_OK);
    cr_assert_eq(path_read_named(name, &text, &err), ERR_OK, "%s", err.text);
    cr_assert(slice_eq(buf_slice(&text), SLICE("said")));
    cr_assert_eq(path_read_named("/dev/fd/nope", &text, &err), ERR_NOT_FOUND);
    close(ends[0]);
}
