#include "io/archive.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int tar; /* the archive being made, in memory */

static void enter(void)
{
    scratch_enter();
    tar = memfd_create("tar", MFD_CLOEXEC);
    cr_assert_eq(mkdir("to", 0755), 0);
}

static void leave(void)
{
    close(tar);
    scratch_leave();
}

TestSuite(archive, .init = enter, .fini = leave);

struct head { /* POSIX ustar */
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6],
        version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};

static void put(const void *bytes, size_t size)
{
    cr_assert_eq(write(tar, bytes, size), (ssize_t)size);
}

static void add_sized(char type, const char *name, const char *link, const char *text, size_t size,
                      unsigned mode)
{
    static const char zero[512];
    struct head h = {.type = type};
    const unsigned char *byte = (const unsigned char *)&h;
    unsigned sum = 0;

    memcpy(h.name, name, strnlen(name, sizeof h.name));
    memcpy(h.link, link, strnlen(link, sizeof h.link));
    snprintf(h.mode, sizeof h.mode, "%07o", mode);
    snprintf(h.uid, sizeof h.uid, "%07o", 0);
    snprintf(h.gid, sizeof h.gid, "%07o", 0);
    snprintf(h.size, sizeof h.size, "%011zo", size);
    snprintf(h.mtime, sizeof h.mtime, "%011o", 0);
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    memset(h.sum, ' ', sizeof h.sum);
    for (size_t i = 0; i < sizeof h; i++)
        sum += byte[i];
    snprintf(h.sum, sizeof h.sum, "%06o", sum);
    put(&h, sizeof h);
    put(text, strlen(text));
    if (strlen(text) % 512)
        put(zero, 512 - strlen(text) % 512);
}

static void add(char type, const char *name, const char *link, const char *text)
{
    add_sized(type, name, link, text, strlen(text), 0644);
}

static int unpack(const struct archive_spec *how, struct archive_stats *ret, struct err *err)
{
    static const char end[1024];
    struct archive_spec spec = *how;

    put(end, sizeof end);
    lseek(tar, 0, SEEK_SET);
    spec.in = tar;
    spec.to = open("to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = archive_unpack(&spec, ret, err);
    close(spec.to);
    return r;
}

static void refused(int code, const char *text, const struct archive_spec *how)
{
    struct archive_stats stats = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(unpack(how, &stats, &err), code, "wanted %d: %s", code, err.text);
    cr_assert(strstr(err.text, text), "'%s' is not in: %s", text, err.text);
    cr_assert_eq(scratch_count(), 1, "something was made beside the folder");
}

static const struct archive_spec plain;

Test(archive, files_folders_and_links_come_out)
{
    struct archive_stats stats = {0};
    struct err err = ERR_INIT;
    struct stat st;
    char link[100] = "";

    add('5', "./a/", "", "");
    add('0', "a/b/c.txt", "", "deep\n");
    add_sized('0', "run.sh", "", "#!/bin/sh\n", 10, 06755);
    add_sized('0', "secret", "", "x", 1, 0600);
    add('2', "a/link", "b/../b/c.txt", "");
    cr_assert_eq(unpack(&plain, &stats, &err), ERR_OK, "%s", err.text);
    scratch_has("to/a/b/c.txt", "deep\n");
    scratch_has("to/a/link", "deep\n");
    cr_assert(stat("to/run.sh", &st) == 0 && (st.st_mode & 07777) == 0755, "%o", st.st_mode);
    cr_assert(stat("to/secret", &st) == 0 && (st.st_mode & 07777) == 0644, "%o", st.st_mode);
    cr_assert(readlink("to/a/link", link, sizeof link) > 0 && !strcmp(link, "b/../b/c.txt"));
    cr_assert_eq(stats.files, 5);
    cr_assert_eq(stats.size, 16);
    cr_assert_eq(stats.links_left_out, 0);
}

Test(archive, the_top_folder_of_a_servers_archive_can_be_dropped)
{
    struct archive_stats stats = {0};
    struct archive_spec spec = {.strip = 1};
    struct err err = ERR_INIT;

    add('5', "tools-1234/", "", "");
    add('0', "tools-1234/action.yml", "", "x");
    cr_assert_eq(unpack(&spec, &stats, &err), ERR_OK, "%s", err.text);
    scratch_has("to/action.yml", "x");
}

Test(archive, a_name_that_leads_upwards_is_refused)
{
    add('0', "a/../../evil", "", "x");
    refused(ERR_INVALID, "'a/../../evil', which leads upwards", &plain);
}

Test(archive, dropping_folders_helps_nobody_out)
{
    struct archive_spec spec = {.strip = 1};

    add('0', "../evil", "", "x");
    refused(ERR_INVALID, "leads upwards", &spec);
}

Test(archive, an_absolute_name_is_refused)
{
    add('0', "/tmp/evil", "", "x");
    refused(ERR_INVALID, "the absolute path '/tmp/evil'", &plain);
}

Test(archive, nothing_is_written_through_a_link)
{
    add('2', "door", "..", "");
    add('2', "inside", "a", "");
    add('5', "a/", "", "");
    add('0', "inside/x", "", "x");
    refused(ERR_INVALID, "names 'inside' twice", &plain);
    cr_assert(access("to/a/x", F_OK) < 0, "written through a link");
}

Test(archive, links_that_lead_out_are_left_out)
{
    struct archive_stats stats = {0};
    struct err err = ERR_INIT;

    add('2', "a/up", "../../x", "");
    add('2', "etc", "/etc/passwd", "");
    add('2', "a/ok", "../a", "");
    add('2', "a/top", "..", "");
    add('2', "a/b/sly", "../b/../../../x", "");
    cr_assert_eq(unpack(&plain, &stats, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(stats.links_left_out, 3);
    cr_assert_str_eq(stats.link, "a/up");
    cr_assert(faccessat(AT_FDCWD, "to/etc", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
    cr_assert_eq(faccessat(AT_FDCWD, "to/a/ok", F_OK, AT_SYMLINK_NOFOLLOW), 0);
}

Test(archive, hard_links_are_refused)
{
    add('0', "a", "", "x");
    add('1', "b", "a", "");
    refused(ERR_INVALID, "the hard link 'b'", &plain);
}

Test(archive, a_device_is_refused)
{
    add('3', "null", "", "");
    refused(ERR_INVALID, "a device, 'null'", &plain);
}

Test(archive, a_pipe_is_refused)
{
    add('6', "pipe", "", "");
    refused(ERR_INVALID, "a pipe, 'pipe'", &plain);
}

Test(archive, each_name_comes_once)
{
    add('0', "a", "", "1");
    add('0', "./a", "", "2");
    refused(ERR_INVALID, "names 'a' twice", &plain);
    scratch_has("to/a", "1");
}

Test(archive, a_file_is_no_folder)
{
    add('0', "a", "", "1");
    add('0', "a/b", "", "2");
    refused(ERR_SYS, "a/b", &plain);
}

Test(archive, too_many_files_are_refused)
{
    struct archive_spec spec = {.files_max = 3};

    add('0', "1", "", "");
    add('5', "2", "", "");
    add('2', "3", "1", "");
    add('0', "4", "", "");
    refused(ERR_LIMIT, "more than 3 files", &spec);
}

Test(archive, too_many_bytes_are_refused_before_they_are_written)
{
    struct archive_spec spec = {.size_max = 7};

    add('0', "1", "", "12345");
    add('0', "2", "", "12345");
    refused(ERR_LIMIT, "more than 7 bytes", &spec);
}

/* An extended header: the next entry's name, however long. */
static void add_long_name(const char *name)
{
    char record[1200];
    int size = (int)strlen(name) + 7, digits = size + 3 > 999 ? 4 : size + 2 > 99 ? 3 : 2;

    snprintf(record, sizeof record, "%d path=%s\n", size + digits, name);
    cr_assert_eq((int)strlen(record), size + digits);
    add('x', "pax", "", record);
}

Test(archive, folders_are_not_too_deep)
{
    char name[200] = "";

    for (size_t i = 0; i < ARCHIVE_DEPTH_MAX; i++)
        memcpy(name + 2 * i, "a/", 3);
    name[2 * ARCHIVE_DEPTH_MAX - 1] = '\0';
    add_long_name(name);
    add('0', "short", "", "x"); /* just as many as there may be */
    memcpy(name + 2 * ARCHIVE_DEPTH_MAX - 1, "b/c", 4);
    add_long_name(name);
    add('0', "short", "", "x");
    refused(ERR_LIMIT, "more than 64 folders", &plain);
}

Test(archive, names_beyond_ascii_come_out_as_they_are)
{
    struct archive_stats stats = {0};
    struct err err = ERR_INIT;

    add('0', "r\xc3\xa4w.txt", "", "raw");
    add_long_name("p\xc3\xa4x.txt");
    add('0', "short", "", "extended");
    cr_assert_eq(unpack(&plain, &stats, &err), ERR_OK, "%s", err.text);
    scratch_has("to/r\xc3\xa4w.txt", "raw");
    scratch_has("to/p\xc3\xa4x.txt", "extended");
    cr_assert_eq(stats.files, 2);
}

Test(archive, what_is_cut_short_is_damaged)
{
    add_sized('0', "a", "", "x", 5000, 0644);
    refused(ERR_INVALID, "damaged", &plain);
}

Test(archive, what_is_no_archive_is_damaged)
{
    put("this is a text and no archive of any kind\n", 42);
    refused(ERR_INVALID, "damaged", &plain);
}
