#include "job/log/work_tree.h"

#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <limits.h>

enum { CONFIG_MAX = 1 << 20, URL_MAX = 4096 };

/* ---- .git/config ---- */

/* The forms that GitHub's runner knows are the first and the second; clones made by people have others. */
static bool is_url(const struct work_tree_spec *spec, struct slice url)
{
    ssize_t scheme = slice_find(spec->server, SLICE("://"));
    struct slice host = slice_from(spec->server, scheme < 0 ? 0 : (size_t)scheme + 3);
    size_t host_len = 0;

    while (host_len < host.len && !strchr(":/", host.ptr[host_len])) /* no port, no path */
        host_len++;
    host = slice_head(host, host_len);
    const struct {
        const char *before;
        struct slice middle;
        const char *after;
    } forms[] = {{"", spec->server, "/"}, {"git@", host, ":"}, {"ssh://git@", host, "/"}};

    while (slice_ends(url, SLICE("/")))
        url.len--;
    if (slice_ends(url, SLICE(".git")))
        url.len -= 4;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        CLEANUP(buf_deinit) struct buf wanted = BUF_INIT(URL_MAX);

        buf_printf(&wanted, "%s%.*s%s%.*s", forms[i].before, SLICE_ARG(forms[i].middle),
                   forms[i].after, SLICE_ARG(spec->repository));
        if (slice_eq_nocase(url, buf_slice(&wanted)))
            return true;
    }
    return false;
}

bool work_tree_names(const struct work_tree_spec *spec, struct slice text)
{
    struct slice line;

    if (spec->repository.len == 0)
        return false;
    while (slice_line(&text, &line)) {
        struct slice value;

        if (slice_split(&line, '=', &value) && slice_eq_nocase(slice_trim(value), SLICE("url")) &&
            is_url(spec, slice_trim(line)))
            return true;
    }
    return false;
}

/* Reads the configuration of the repository at FOLDER; false: there is none. */
static bool read_config(const struct work_tree_spec *spec, const char *folder, struct buf *text)
{
    CLEANUP(free_ptr) char *path = path_join(folder, ".git/config");
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT; /* what cannot be read names no repository */
    struct stat st;

    /* O_NONBLOCK: the job may have put a FIFO there */
    if (path_open_in(spec->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, &ignored) < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fd_read_all(fd, text, &ignored) < 0)
        buf_clear(text);
    return true;
}

/* ---- places ---- */

/* The folder of the repository that PATH lies in: how much of PATH it is; 0: none. */
static size_t find_tree(const struct work_tree_spec *spec, const char *path)
{
    CLEANUP(free_ptr) char *folder = mem_dup(path, strlen(path));
    char *slash;

    while ((slash = strrchr(folder, '/')) && slash != folder) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_MAX);

        *slash = '\0';
        if (spec->is_shown && spec->is_shown(spec->ctx, folder))
            return strlen(folder);
        if (read_config(spec, folder, &text))
            return work_tree_names(spec, buf_slice(&text)) ? strlen(folder) : 0;
    }
    return 0;
}

/* FILE as a normal absolute path, for the caller to free. */
static char *make_absolute(const struct work_tree_spec *spec, struct slice file,
                           struct slice from_path)
{
    CLEANUP(free_ptr) char *name = mem_dup(file.ptr, file.len);
    CLEANUP(free_ptr) char *from = mem_dup(from_path.ptr, from_path.len);
    char *slash = strrchr(from, '/');

    if (slash)
        slash[slash == from] = '\0'; /* the folder of a file at the top is "/" */
    CLEANUP(free_ptr) char *beside = slash ? path_join(from, name) : mem_dup(name, file.len);
    CLEANUP(free_ptr) char *full = path_join(spec->workspace, beside);
    return path_normal(full);
}

int work_tree_locate(const struct work_tree_spec *spec, struct slice file, struct slice from_path,
                     struct buf *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT; /* any reason will do */
    struct stat st;

    if (memchr(file.ptr, '\0', file.len) || file.len >= PATH_MAX || from_path.len >= PATH_MAX)
        return err_set(err, ERR_NOT_FOUND, "it is no path");
    CLEANUP(free_ptr) char *path = make_absolute(spec, file, from_path);
    if (path_open_in(spec->root, path, O_PATH, 0, &fd, &ignored) < 0 || fstat(fd, &st) < 0 ||
        S_ISDIR(st.st_mode))
        return err_set(err, ERR_NOT_FOUND, "'%s' is not there", path);
    size_t tree = find_tree(spec, path);
    if (!tree)
        return err_set(err, ERR_NOT_FOUND, "'%s' is not in the repository of the workflow", path);
    buf_add_str(ret, path + tree + 1);
    return ERR_OK;
}
