#include "kit/scratch.h"

#include "base/fd.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

int scratch_dir = -1;
char scratch_path[4096];

void scratch_enter(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(scratch_path, sizeof scratch_path, "%s/ostler-test-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(scratch_path));
    scratch_dir = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(scratch_dir, 0);
    cr_assert_eq(chdir(scratch_path), 0);
}

void scratch_leave(void)
{
    struct err err = ERR_INIT;

    cr_assert_eq(chdir("/"), 0);
    fd_closep(&scratch_dir);
    cr_assert_eq(path_remove(AT_FDCWD, scratch_path, &err), ERR_OK, "%s", err.text);
}

void scratch_has(const char *name, const char *text)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    cr_assert_eq(path_read(scratch_dir, name, &got, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(got.ptr, text);
}

void scratch_file(const char *name, const char *text)
{
    struct err err = ERR_INIT;
    CLEANUP(free_ptr) char *copy = mem_dup(name, strlen(name));
    char *slash = strrchr(copy, '/');

    if (slash) {
        *slash = '\0';
        cr_assert_eq(path_mkdirs(scratch_dir, copy, 0777, &err), ERR_OK, "%s", err.text);
    }
    cr_assert_eq(path_write(scratch_dir, name, slice_of(text), 0666, &err), ERR_OK, "%s", err.text);
}

int scratch_count(void)
{
    DIR *dir = opendir(scratch_path);
    int n = 0;

    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}
