#include "job/place.h"

#include "base/fd.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int open_folder(struct run *run, const char *path, int *ret, struct err *err)
{
    return path_open_in(sandbox_root(run->sandbox), path, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

int place_write(struct run *run, const char *path, struct slice data, mode_t mode, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    const char *name = path_base(path);
    CLEANUP(free_ptr) char *parent = mem_dup(path, (size_t)(name - path));
    int r = open_folder(run, parent, &dir, err);

    return r < 0 ? r : path_write(dir, name, data, mode, err);
}

int place_read(struct run *run, const char *path, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    /* O_NONBLOCK: opening a FIFO that the job put there must not wait for its writer */
    int r = path_open_in(sandbox_root(run->sandbox), path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd,
                         err);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is not a file", path);
    r = fd_read_all(fd, to, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}

int place_mkdirs(struct run *run, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    int r = open_folder(run, "/", &dir, err);

    return r < 0 ? r : path_mkdirs(dir, path[0] == '/' ? path + 1 : path, 0777, err);
}

int place_link(struct run *run, const char *to, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    const char *name = path_base(path);
    CLEANUP(free_ptr) char *parent = mem_dup(path, (size_t)(name - path));
    int r = open_folder(run, parent, &dir, err);

    if (r == ERR_OK && symlinkat(to, dir, name) < 0)
        r = err_sys(err, "cannot create link '%s'", path);
    return r;
}

int place_check_folder(const struct sandbox *place, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;

    if (path_open_in(sandbox_root(place), path, O_RDONLY | O_DIRECTORY, 0, &dir, err) == ERR_OK)
        return ERR_OK;
    return err_set(err, ERR_NOT_FOUND,
                   "the working directory '%s' is not there: check `working-directory`, and that a "
                   "checkout step comes first",
                   path);
}

bool place_is_filled(struct run *run, const char *path)
{
    struct err ignored = ERR_INIT; /* no folder: nothing in it */
    bool filled = false;
    int fd = -1;

    if (open_folder(run, path, &fd, &ignored) < 0)
        return false;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        fd_closep(&fd);
        return false;
    }
    for (struct dirent *e = readdir(dir); e && !filled; e = readdir(dir))
        filled = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return filled;
}

int place_empty(struct run *run, const char *path, struct err *err)
{
    int fd = -1;
    int r = open_folder(run, path, &fd, err);

    if (r < 0)
        return r;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        r = err_sys(err, "cannot read '%s'", path);
        fd_closep(&fd);
        return r;
    }
    for (struct dirent *e = readdir(dir); e && r == ERR_OK; e = readdir(dir))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = path_remove(dirfd(dir), e->d_name, err);
    closedir(dir);
    return r;
}
