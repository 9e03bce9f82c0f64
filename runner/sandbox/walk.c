#include "sandbox/walk.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct seen { /* a folder on the way down, to see that a link leads back to it */
    dev_t dev;
    ino_t ino;
};

struct walk {
    const struct walk_spec *spec;
    VEC(struct seen) chain;
};

static int look(const struct walk_spec *spec, const char *path, int *ret_fd, struct stat *ret,
                struct err *err)
{
    int flags = O_PATH | (spec->follow ? 0 : O_NOFOLLOW);
    int r = path_open_in(spec->root, path, flags, 0, ret_fd, err);

    if (r == ERR_OK && fstat(*ret_fd, ret) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    return r;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    VEC(char *) list;
};

static void names_deinit(struct names *n)
{
    VEC_EACH (name, &n->list)
        free(*name);
    vec_deinit(&n->list);
}

static int list_folder(const struct walk *w, const char *path, struct names *ret, struct err *err)
{
    int fd = -1;
    int r = path_open_in(w->spec->root, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);

    if (r < 0)
        return r;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        r = err_sys(err, "cannot read '%s'", path);
        fd_closep(&fd);
        return r;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            vec_push(&ret->list, mem_dup(e->d_name, strlen(e->d_name)));
    closedir(dir);
    if (ret->list.len)
        qsort(ret->list.ptr, ret->list.len, sizeof *ret->list.ptr, by_bytes);
    return ERR_OK;
}

static bool leads_back(const struct walk *w, const struct stat *st)
{
    for (size_t i = 0; i < w->chain.len; i++)
        if (w->chain.ptr[i].dev == st->st_dev && w->chain.ptr[i].ino == st->st_ino)
            return true;
    return false;
}

static int visit(struct walk *w, const char *path, struct err *err);

/* The recursion is as deep as the tree, held to WALK_DEPTH_MAX. */
static int visit_folder(struct walk *w, const char *path, const struct stat *st, struct err *err)
{
    CLEANUP(names_deinit) struct names names = {0};

    if (w->chain.len == WALK_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "'%s': folders nested deeper than %d", path, WALK_DEPTH_MAX);
    int r = list_folder(w, path, &names, err);
    vec_push(&w->chain, (struct seen){st->st_dev, st->st_ino});
    VEC_EACH (name, &names.list) {
        CLEANUP(free_ptr) char *child = path_join(path, *name);

        if (r == ERR_OK)
            r = visit(w, child, err);
    }
    w->chain.len--;
    return r;
}

static int visit(struct walk *w, const char *path, struct err *err)
{
    const struct walk_spec *spec = w->spec;
    unsigned match = glob_match(spec->glob, slice_of(path));
    CLEANUP(fd_closep) int fd = -1;
    struct err why = ERR_INIT;
    struct stat st;

    if (!match && !glob_may_hold(spec->glob, slice_of(path)))
        return ERR_OK;
    if (clock_ms() > spec->deadline_ms)
        return err_set(err, ERR_TIMEOUT, "the search for files took too long, at '%s'", path);
    int r = look(spec, path, &fd, &st, &why);
    if (r < 0 &&
        (why.sys == ENOENT || why.sys == ENOTDIR)) /* a root that is not there, a dead link */
        return ERR_OK;
    if (r < 0) {
        *err = why;
        return r;
    }
    if (spec->no_hidden && path_base(path)[0] == '.')
        return ERR_OK;
    fd_closep(&fd); /* deep trees must not hold a descriptor a level */
    if (!S_ISDIR(st.st_mode))
        return match & GLOB_FILE ? spec->found(spec->ctx, path, err) : ERR_OK;
    if (leads_back(w, &st))
        return ERR_OK;
    if (spec->folders && match & GLOB_FOLDER)
        r = spec->found(spec->ctx, path, err);
    return r == ERR_OK ? visit_folder(w, path, &st, err) : r;
}

int walk_files(const struct walk_spec *spec, struct err *err)
{
    struct walk w = {.spec = spec};
    int r = ERR_OK;

    VEC_EACH (start, &spec->glob->roots)
        if (r == ERR_OK)
            r = visit(&w, *start, err);
    vec_deinit(&w.chain);
    return r;
}
