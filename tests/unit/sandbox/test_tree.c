#include "place.h"

#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"
#include "sandbox/copy.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(copy, .init = scratch_enter, .fini = scratch_leave, .timeout = 60);

#define APP "/home/runner/work/app/app"

static const char *const hidden[] = {"node_modules", "sub/deep/secret", ".env", "not/there", NULL};

/* A small project; as the user who will run the job. */
static char *make_tree(void)
{
    scratch_file("homes/me/tree/README", "read me\n");
    scratch_file("homes/me/tree/.env", "PASSWORD=x\n");
    scratch_file("homes/me/tree/node_modules/a/index.js", "1\n");
    scratch_file("homes/me/tree/sub/file", "sub file\n");
    scratch_file("homes/me/tree/sub/deep/secret", "s\n");
    scratch_file("homes/me/tree/sub/deep/open", "o\n");
    scratch_file("homes/me/tree/run.sh", "#!/bin/sh\necho ran\n");
    cr_assert_eq(chmod("homes/me/tree/run.sh", 0755), 0);
    cr_assert_eq(chmod("homes/me/tree/sub/deep", 0711), 0);
    cr_assert_eq(symlink("sub/file", "homes/me/tree/link"), 0);
    static const struct timespec old[] = {{1000000000, 5}, {1000000000, 7}};
    cr_assert_eq(utimensat(AT_FDCWD, "homes/me/tree/sub/deep", old, 0), 0);
    cr_assert_eq(utimensat(AT_FDCWD, "homes/me/tree/README", old, 0), 0);
    cr_assert_eq(utimensat(AT_FDCWD, "homes/me/tree", old, 0), 0);
    return path_join(place_home, "tree");
}

static void tree_is_as_it_was(void)
{
    scratch_has("homes/me/tree/README", "read me\n");
    scratch_has("homes/me/tree/.env", "PASSWORD=x\n");
    scratch_has("homes/me/tree/sub/deep/secret", "s\n");
    cr_expect_eq(place_count("homes/me/tree"), 6);
    cr_expect_eq(place_count("homes/me/tree/sub"), 2);
}

#define SAYS(script, text)                                                                         \
    do {                                                                                           \
        int code_ = place_sh(script);                                                              \
        cr_expect_str_eq(place_out.ptr, text, "%s\nwanted: %s\ngot:    %s", script, text,          \
                         place_out.ptr);                                                           \
        cr_expect_eq(code_, 0, "%s: exit %d", script, code_);                                      \
    } while (0)

/* The same promises at both levels: an overlay in one, a copy in the other. */
static void check_tree(enum sandbox_level level, const char *app)
{
    CLEANUP(free_ptr) char *source = make_tree();
    struct err err = ERR_INIT;

    place_open(level);
    cr_assert_eq(sandbox_show_tree(place, source, app, hidden, &err), ERR_OK, "%s", err.text);
    SAYS("cd app/app && ls -A . sub sub/deep && cat README link && ./run.sh",
         ".:\nREADME\nlink\nrun.sh\nsub\n\nsub:\ndeep\nfile\n\nsub/deep:\nopen\nread me\nsub "
         "file\nran\n");
    SAYS("cd app/app && stat -c '%a %Y' sub/deep README . && readlink link",
         "711 1000000000\n644 1000000000\n755 1000000000\nsub/file\n");
    SAYS("cd app/app && echo new >>README && rm -r sub && mkdir sub && echo again >sub/x && ls sub "
         "&& "
         "mkdir node_modules && ls node_modules && mv run.sh moved && ls",
         "x\nREADME\nlink\nmoved\nnode_modules\nsub\n");
    tree_is_as_it_was();
    place_close();
    tree_is_as_it_was();
    cr_expect_eq(place_count("jobs/1"), 0);
}

BOTH(a_tree_is_shown_and_stays_as_it_is)
{
    check_tree(SANDBOX_NAMESPACES, APP);
    cr_expect_str_eq(place_notes, "");
}

BOTH(at_the_level_host_a_tree_is_copied)
{
    CLEANUP(free_ptr) char *app = path_join(scratch_path, "jobs/1/work/app/app");

    check_tree(SANDBOX_HOST, app);
    cr_expect_not_null(strstr(place_notes, "is copied"), "%s", place_notes);
}

BOTH(a_tree_needs_an_empty_place_and_a_source)
{
    CLEANUP(free_ptr) char *source = make_tree();
    struct err err = ERR_INIT;

    place_open(SANDBOX_NAMESPACES);
    SAYS("mkdir full && echo x >full/x && echo x >file && ln -s /nowhere/at/all dangling", "");
    cr_expect_eq(sandbox_show_tree(place, source, "/home/runner/work/full", NULL, &err),
                 ERR_INVALID);
    cr_expect_str_eq(err.text, "'/home/runner/work/full' is not empty");
    cr_expect_lt(sandbox_show_tree(place, source, "/home/runner/work/file", NULL, &err), 0);
    cr_expect_lt(sandbox_show_tree(place, source, "/home/runner/work/file/sub", NULL, &err), 0);
    cr_expect_eq(sandbox_show_tree(place, "/no/such/tree", APP, NULL, &err), ERR_NOT_FOUND);
    cr_expect_str_eq(err.text, "cannot show '/no/such/tree': No such file or directory");
    cr_assert_eq(sandbox_show_tree(place, source, APP, NULL, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(sandbox_show_tree(place, source, APP, NULL, &err), ERR_INVALID, "shown twice");
    SAYS("cat app/app/.env", "PASSWORD=x\n");
}

/* A link that the job planted leads where it leads for the job, never to the host. */
BOTH(a_planted_link_does_not_lead_a_tree_out)
{
    CLEANUP(free_ptr) char *source = make_tree();
    CLEANUP(free_ptr) char *outside = path_join(scratch_path, "homes/me/outside");
    struct err err = ERR_INIT;
    char script[4400];

    cr_assert_eq(mkdir("homes/me/outside", 0755), 0);
    place_open(SANDBOX_NAMESPACES);
    snprintf(script, sizeof script, "ln -s %s app", outside);
    SAYS(script, "");
    cr_expect_lt(sandbox_show_tree(place, source, APP, NULL, &err), 0);
    snprintf(script, sizeof script, "rm app; mkdir -p /tmp/target; ln -s /tmp/target app");
    SAYS(script, "");
    cr_expect_eq(sandbox_show_tree(place, source, APP, NULL, &err), ERR_OK, "%s", err.text);
    SAYS("cat /tmp/target/app/README", "read me\n");
    cr_expect_eq(place_count("homes/me/outside"), 0);
}

BOTH(trees_can_be_shown_beside_running_commands)
{
    CLEANUP(free_ptr) char *source = make_tree();
    struct place_run run;
    struct err err = ERR_INIT;
    char path[64];

    place_open(SANDBOX_NAMESPACES);
    place_start(
        "while ! test -e /tmp/t9/README; do sleep 0.01; done; cat /tmp/t9/README >/tmp/seen", &run);
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "/tmp/t%d", i);
        cr_assert_eq(sandbox_show_tree(place, source, path, hidden, &err), ERR_OK, "%s", err.text);
    }
    place_wait(&run);
    SAYS("cat /tmp/seen", "read me\n");
    cr_expect_str_eq(place_notes, "");
}

BOTH(a_tree_around_the_job_s_folder_is_shown_without_it)
{
    struct err err = ERR_INIT;

    scratch_file("homes/me/x", "x\n");
    place_open(SANDBOX_NAMESPACES);
    cr_assert_eq(sandbox_show_tree(place, scratch_path, APP, NULL, &err), ERR_OK, "%s", err.text);
    SAYS("cd app/app && cat homes/me/x && ls jobs", "x\n");
}

BOTH(a_copy_of_a_tree_around_the_job_s_folder_does_not_copy_itself)
{
    CLEANUP(free_ptr) char *app = path_join(scratch_path, "jobs/1/work/app/app");
    struct err err = ERR_INIT;

    scratch_file("homes/me/x", "x\n");
    place_open(SANDBOX_HOST);
    cr_assert_eq(sandbox_show_tree(place, scratch_path, app, NULL, &err), ERR_OK, "%s", err.text);
    SAYS("cd app/app && cat homes/me/x && ls jobs", "x\n");
}

/* The worker reads and writes what the job sees, through the descriptor of its "/". */
BOTH(the_worker_sees_what_the_job_sees)
{
    CLEANUP(free_ptr) char *source = make_tree();
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(100);
    struct err err = ERR_INIT;
    int fd = -1;

    place_open(SANDBOX_NAMESPACES);
    cr_assert_eq(sandbox_show_tree(place, source, APP, NULL, &err), ERR_OK, "%s", err.text);
    SAYS("echo job >app/app/by-job; ln -s /etc/passwd app/app/abs; ln -s /tmp/mine app/app/mine; "
         "echo m >/tmp/mine",
         "");
    cr_assert_eq(path_open_in(sandbox_root(place), APP "/by-job", O_RDONLY, 0, &fd, &err), ERR_OK,
                 "%s", err.text);
    cr_assert_eq(fd_read_all(fd, &text, &err), ERR_OK);
    cr_expect_str_eq(text.ptr, "job\n");
    close(fd);
    buf_clear(&text);
    cr_assert_eq(path_open_in(sandbox_root(place), APP "/mine", O_RDONLY, 0, &fd, &err), ERR_OK,
                 "%s", err.text);
    cr_assert_eq(fd_read_all(fd, &text, &err), ERR_OK);
    cr_expect_str_eq(text.ptr, "m\n");
    close(fd);
    cr_assert_eq(
        path_open_in(sandbox_root(place), APP "/by-us", O_WRONLY | O_CREAT, 0644, &fd, &err),
        ERR_OK, "%s", err.text);
    cr_assert_eq(fd_write_all(fd, SLICE("us\n"), &err), ERR_OK);
    close(fd);
    SAYS("cat app/app/by-us; echo more >>app/app/by-us", "us\n");
    tree_is_as_it_was();
}

/* ---- copies ---- */

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    return fd;
}

Test(copy, keeps_bytes_modes_times_and_links)
{
    CLEANUP(free_ptr) char *from = path_join(scratch_path, "from");
    CLEANUP(free_ptr) char *big = mem_new(900001);
    struct err err = ERR_INIT;
    struct stat a, b;

    memset(big, 'x', 900000);
    big[450000] = 'y';
    scratch_file("from/big", big);
    scratch_file("from/empty", "");
    scratch_file("from/d/e/f", "deep");
    cr_assert_eq(chmod("from/d/e/f", 04751), 0);
    cr_assert_eq(symlink("../big", "from/d/up"), 0);
    cr_assert_eq(mkfifo("from/pipe", 0600), 0);
    cr_assert_eq(mkdir("to", 0755), 0);
    CLEANUP(fd_closep) int to = open_folder("to");
    cr_assert_eq(copy_tree(from, to, NULL, &err), ERR_OK, "%s", err.text);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4 << 20);
    cr_assert_eq(path_read(to, "big", &text, &err), ERR_OK);
    cr_expect_str_eq(text.ptr, big);
    scratch_has("to/d/up", big);
    scratch_has("to/empty", "");
    cr_expect_eq(access("to/pipe", F_OK), -1, "a pipe was copied");
    cr_assert_eq(stat("from/d/e/f", &a), 0);
    cr_assert_eq(stat("to/d/e/f", &b), 0);
    cr_expect_eq(a.st_mode, b.st_mode);
    cr_expect_eq(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
    cr_expect_eq(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
    cr_assert_eq(stat("from/d", &a), 0);
    cr_assert_eq(stat("to/d", &b), 0);
    cr_expect_eq(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec, "a folder's time is the copy's");
}

Test(copy, an_error_names_the_file)
{
    CLEANUP(free_ptr) char *from = path_join(scratch_path, "from");
    struct err err = ERR_INIT;

    scratch_file("from/a/b", "x");
    scratch_file("to/a/b", "in the way");
    CLEANUP(fd_closep) int to = open_folder("to");
    cr_expect_lt(copy_tree(from, to, NULL, &err), 0);
    cr_expect_str_eq(err.text, "'a': cannot create: File exists");
    cr_expect_lt(copy_tree("/no/such", to, NULL, &err), 0);
    cr_expect_str_eq(err.text, "cannot open '/no/such': No such file or directory");
}

Test(copy, hides_names_at_any_depth_also_with_a_slash_behind)
{
    CLEANUP(free_ptr) char *from = path_join(scratch_path, "from");
    struct err err = ERR_INIT;

    scratch_file("from/a/hidden/x", "x");
    scratch_file("from/a/shown", "x");
    scratch_file("from/hidden", "the same name elsewhere");
    cr_assert_eq(mkdir("to", 0755), 0);
    CLEANUP(fd_closep) int to = open_folder("to");
    cr_assert_eq(copy_tree(from, to, (const char *const[]){"a/hidden/", "no/such", NULL}, &err),
                 ERR_OK, "%s", err.text);
    cr_expect_eq(place_count("to/a"), 1);
    cr_expect_eq(access("to/hidden", F_OK), 0);
}
