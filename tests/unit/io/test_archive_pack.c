#include "io/archive_pack.h"

#include "io/archive.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int made; /* the archive, in memory */

static void enter(void)
{
    scratch_enter();
    made = memfd_create("archive", MFD_CLOEXEC);
    cr_assert_eq(mkdir("to", 0755), 0);
}

static void leave(void)
{
    close(made);
    scratch_leave();
}

TestSuite(archive_pack, .init = enter, .fini = leave);

static struct pack *begin(enum pack_kind kind, int level)
{
    struct pack *p = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(pack_new(kind, level, made, &p, &err), ERR_OK, "%s", err.text);
    return p;
}

static void end(struct pack *p)
{
    struct err err = ERR_INIT;

    cr_assert_eq(pack_finish(p, &err), ERR_OK, "%s", err.text);
    pack_free(p);
    lseek(made, 0, SEEK_SET);
}

static void add_file(struct pack *p, const char *path, const char *name)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    struct err err = ERR_INIT;

    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    cr_assert_eq(pack_file(p, fd, &st, name, &err), ERR_OK, "%s", err.text);
    close(fd);
}

static int unzip(bool replace, struct archive_stats *stats, struct err *err)
{
    int to = open("to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct archive_spec spec = {.in = made, .to = to, .zip = true, .replace = replace};
    int r = archive_unpack(&spec, stats, err);

    close(to);
    return r;
}

Test(archive_pack, a_zip_comes_back_as_it_went)
{
    for (int level = 0; level <= 9; level += 3) {
        struct archive_stats stats;
        struct err err = ERR_INIT;

        cr_assert_eq(ftruncate(made, 0), 0);
        lseek(made, 0, SEEK_SET);
        scratch_file("a", "contents");
        scratch_file("empty", "");
        struct pack *p = begin(PACK_ZIP, level);
        add_file(p, "a", "ein Ordner/Größe – 大小");
        add_file(p, "empty", "empty");
        end(p);
        cr_assert_eq(unzip(true, &stats, &err), ERR_OK, "level %d: %s", level, err.text);
        scratch_has("to/ein Ordner/Größe – 大小", "contents");
        scratch_has("to/empty", "");
        cr_assert_eq(stats.files, 2);
    }
}

Test(archive_pack, a_zip_says_nothing_of_modes)
{
    struct archive_stats stats;
    struct err err = ERR_INIT;
    struct stat st;

    scratch_file("a", "#!/bin/sh\n");
    cr_assert_eq(chmod("a", 04755), 0);
    struct pack *p = begin(PACK_ZIP, 6);
    add_file(p, "a", "a");
    end(p);
    cr_assert_eq(unzip(false, &stats, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(stat("to/a", &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0644);
}

Test(archive_pack, a_level_that_is_none_is_refused)
{
    struct pack *p = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(pack_new(PACK_ZIP, 10, made, &p, &err), ERR_INVALID);
    cr_assert_null(p);
}

Test(archive_pack, a_file_that_gets_shorter_is_an_error)
{
    struct pack *p = begin(PACK_ZIP, 0);
    struct stat st = {.st_mode = S_IFREG | 0644, .st_size = 100};
    struct err err = ERR_INIT;

    scratch_file("a", "short");
    int fd = open("a", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pack_file(p, fd, &st, "a", &err), ERR_FAILED);
    cr_assert(strstr(err.text, "'a' got shorter"), "%s", err.text);
    close(fd);
    pack_free(p);
}

Test(archive_pack, unpacking_replaces_files_and_links_but_writes_through_none)
{
    struct archive_stats stats;
    struct err err = ERR_INIT;
    struct stat st;

    scratch_file("aside", "untouched");
    scratch_file("to/b", "old");
    scratch_file("new", "new");
    cr_assert_eq(symlink("../aside", "to/a"), 0);
    struct pack *p = begin(PACK_ZIP, 0);
    add_file(p, "new", "a");
    add_file(p, "new", "b");
    end(p);
    cr_assert_eq(unzip(false, &stats, &err), ERR_INVALID); /* it is not empty */
    lseek(made, 0, SEEK_SET);
    cr_assert_eq(unzip(true, &stats, &err), ERR_OK, "%s", err.text);
    scratch_has("aside", "untouched");
    scratch_has("to/a", "new");
    scratch_has("to/b", "new");
    cr_assert(lstat("to/a", &st) == 0 && S_ISREG(st.st_mode));
}

Test(archive_pack, unpacking_goes_through_no_folder_that_leads_out)
{
    struct archive_stats stats;
    struct err err = ERR_INIT;

    cr_assert_eq(mkdir("aside", 0755), 0);
    cr_assert_eq(symlink("../aside", "to/d"), 0);
    scratch_file("new", "new");
    struct pack *p = begin(PACK_ZIP, 0);
    add_file(p, "new", "d/x");
    end(p);
    cr_assert_lt(unzip(true, &stats, &err), ERR_OK);
    cr_assert_neq(access("aside/x", F_OK), 0, "it went out");
}

static const char *const hostile[] = {"../x", "/etc/x", "a/../../x", NULL};

Test(archive_pack, names_that_lead_out_are_refused)
{
    for (const char *const *name = hostile; *name; name++) {
        struct archive_stats stats;
        struct err err = ERR_INIT;

        cr_assert_eq(ftruncate(made, 0), 0);
        lseek(made, 0, SEEK_SET);
        scratch_file("a", "x");
        struct pack *p = begin(PACK_ZIP, 0);
        add_file(p, "a", *name);
        end(p);
        cr_assert_eq(unzip(true, &stats, &err), ERR_INVALID, "'%s'", *name);
    }
    cr_assert_neq(access("x", F_OK), 0);
}

/* ---- tars ---- */

static void make_tree(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "d/socket"};
    const struct timespec times[] = {{.tv_sec = 1600000000, .tv_nsec = 5},
                                     {.tv_sec = 1600000000, .tv_nsec = 123456789}};

    scratch_file("d/sub/file – ü", "text");
    scratch_file("d/run", "#!/bin/sh\n");
    cr_assert_eq(chmod("d/run", 0755), 0);
    cr_assert_eq(link("d/run", "d/again"), 0);
    cr_assert_eq(symlink("run", "d/link"), 0);
    cr_assert_eq(symlink("/nowhere", "d/broken"), 0);
    cr_assert_eq(mkfifo("d/fifo", 0600), 0);
    cr_assert_eq(mkdir("d/closed", 0500), 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(utimensat(AT_FDCWD, "d/run", times, 0), 0);
    cr_assert_eq(utimensat(AT_FDCWD, "d/sub", times, 0), 0);
    close(fd);
}

static void check_tree(void)
{
    char target[100] = "";
    struct stat st, other;

    scratch_has("d/sub/file – ü", "text");
    cr_assert(stat("d/run", &st) == 0 && stat("d/again", &other) == 0);
    cr_assert_eq(st.st_ino, other.st_ino);
    cr_assert_eq(st.st_mode & 07777, 0755);
    cr_assert(st.st_mtim.tv_sec == 1600000000 && st.st_mtim.tv_nsec == 123456789);
    cr_assert(stat("d/sub", &st) == 0 && st.st_mtim.tv_sec == 1600000000);
    cr_assert_eq(readlink("d/broken", target, sizeof target - 1), 8);
    cr_assert_str_eq(target, "/nowhere");
    cr_assert(lstat("d/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
    cr_assert(stat("d/closed", &st) == 0 && (st.st_mode & 07777) == 0500);
    cr_assert_neq(access("d/socket", F_OK), 0);
}

static void pack(enum pack_kind kind, const char *path)
{
    struct pack *p = begin(kind, 0);
    struct err err = ERR_INIT;

    cr_assert_eq(pack_tree(p, path, &err), ERR_OK, "%s", err.text);
    end(p);
}

static void comes_back(enum pack_kind kind)
{
    struct err err = ERR_INIT;

    make_tree();
    pack(kind, "d");
    cr_assert_eq(rename("d", "before"), 0);
    cr_assert_eq(pack_restore(made, &err), ERR_OK, "%s", err.text);
    check_tree();
}

Test(archive_pack, a_tree_comes_back_from_a_tar_of_gzip)
{
    comes_back(PACK_TAR_GZIP);
}

Test(archive_pack, a_tree_comes_back_from_a_tar_of_zstd)
{
    comes_back(PACK_TAR_ZSTD);
}

Test(archive_pack, places_above_and_elsewhere_come_back_too)
{
    char elsewhere[4200];
    struct err err = ERR_INIT;

    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", scratch_path);
    scratch_file("up", "above");
    scratch_file("elsewhere", "absolute");
    cr_assert_eq(mkdir("below", 0755), 0);
    cr_assert_eq(chdir("below"), 0);
    struct pack *p = begin(PACK_TAR_GZIP, 0);
    cr_assert_eq(pack_tree(p, "../up", &err), ERR_OK, "%s", err.text);
    cr_assert_eq(pack_tree(p, elsewhere, &err), ERR_OK, "%s", err.text);
    end(p);
    cr_assert(unlink("../up") == 0 && unlink(elsewhere) == 0);
    cr_assert_eq(pack_restore(made, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(chdir(".."), 0);
    scratch_has("up", "above");
    scratch_has("elsewhere", "absolute");
}

Test(archive_pack, what_is_there_already_is_replaced)
{
    struct err err = ERR_INIT;

    scratch_file("d/a", "packed");
    pack(PACK_TAR_ZSTD, "d");
    scratch_file("aside", "untouched");
    cr_assert(unlink("d/a") == 0 && symlink("../aside", "d/a") == 0);
    cr_assert_eq(pack_restore(made, &err), ERR_OK, "%s", err.text);
    scratch_has("d/a", "packed");
    scratch_has("aside", "untouched");
}

Test(archive_pack, what_is_no_archive_is_refused)
{
    struct err err = ERR_INIT;
    static const char text[] = "<html>not found</html>";

    cr_assert_eq(write(made, text, sizeof text), (ssize_t)sizeof text);
    lseek(made, 0, SEEK_SET);
    cr_assert_eq(pack_restore(made, &err), ERR_INVALID, "%s", err.text);
}

Test(archive_pack, half_an_archive_is_an_error)
{
    struct err err = ERR_INIT;
    struct stat st;

    scratch_file("d/a", "packed");
    scratch_file("d/b", "packed");
    pack(PACK_TAR_GZIP, "d");
    cr_assert(fstat(made, &st) == 0 && ftruncate(made, st.st_size / 2) == 0);
    cr_assert_lt(pack_restore(made, &err), ERR_OK);
}

Test(archive_pack, what_is_not_there_is_passed_over)
{
    struct pack *p = begin(PACK_TAR_GZIP, 0);
    struct err err = ERR_INIT;

    cr_assert_eq(pack_tree(p, "missing", &err), ERR_OK, "%s", err.text);
    end(p);
    cr_assert_eq(pack_restore(made, &err), ERR_OK, "%s", err.text);
}
