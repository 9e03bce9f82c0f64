#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The one of the job's folders that PATH is in, and what it is called there; NULL: it is in none. */
static const char *folder_of(struct ost_step *step, const char *path, const char **ret_name)
{
    static const int32_t folders[] = {OST_DIR_WORKSPACE, OST_DIR_TEMP, OST_DIR_HOME};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *dir = step->host->dir(step, folders[i]);

        dir = dir && *dir ? rel_clean(step, dir) : NULL;
        if (!dir || (*path == '/' && !rel_below(dir, path)))
            continue;
        *ret_name = *path == '/' ? rel_from(dir, path) : *path ? path : ".";
        return dir;
    }
    return NULL;
}

int beneath_open(struct ost_step *step, const char *path, const char **ret_why)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, /* a fifo must not hold us */
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const char *name, *dir = folder_of(step, rel_clean(step, path), &name);
    int at, fd, error;

    *ret_why = "it lies outside of the job's folders";
    if (!dir)
        return -1;
    at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        *ret_why = strerror(errno);
        return -1;
    }
    fd = (int)syscall(SYS_openat2, at, name, &how, sizeof how);
    error = errno;
    close(at);
    if (fd < 0)
        *ret_why = error == EXDEV ? "a link leads out of the job's folders" : strerror(error);
    return fd;
}

int beneath_open_file(struct ost_step *step, const char *path, uint64_t limit, const char **ret_why)
{
    int fd = beneath_open(step, path, ret_why);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        *ret_why = "it is no file";
    else if ((uint64_t)st.st_size > limit)
        *ret_why = ost_fmt(step, "it is larger than %llu MiB", (unsigned long long)limit >> 20);
    else
        return fd;
    close(fd);
    return -1;
}
