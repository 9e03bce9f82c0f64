#include "job/hash.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "io/digest.h"
#include "lang/glob.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

enum { HASH_TIME_MS = 120000, HASH_DEPTH_MAX = 1000, HASH_READ_SIZE = 256 << 10 };

struct seen { /* a folder on the way down, to see that a link leads back to it */
    dev_t dev;
    ino_t ino;
};

struct walk {
    int root;
    const char *workspace;
    const struct glob *glob;
    bool follow;
    int64_t deadline_ms;
    struct digest *all;
    size_t n_files;
    VEC(struct seen) chain;
    struct buf chunk;
};

static int look(const struct walk *w, const char *path, bool follow, int *ret_fd, struct stat *ret,
                struct err *err)
{
    int flags = O_PATH | (follow ? 0 : O_NOFOLLOW);
    int r = path_open_in(w->root, path, flags, 0, ret_fd, err);

    if (r == ERR_OK && fstat(*ret_fd, ret) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    return r;
}

/* Adds the file's digest to the digest of digests. */
static int hash_file(struct walk *w, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    unsigned char sum[DIGEST_SIZE];
    struct stat st;
    int r = path_open_in(w->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode)) /* a link to a folder; a FIFO would never end */
        return ERR_OK;
    struct digest *d = digest_new();
    ssize_t n;
    do {
        buf_clear(&w->chunk);
        n = fd_read_some(fd, &w->chunk, HASH_READ_SIZE);
        if (n > 0)
            digest_add(d, buf_slice(&w->chunk));
        if (clock_ms() > w->deadline_ms) {
            digest_free(d);
            return err_set(err, ERR_TIMEOUT, "hashFiles couldn't finish within %d seconds",
                           HASH_TIME_MS / 1000);
        }
    } while (n > 0);
    digest_finish(d, sum);
    digest_free(d);
    if (n < 0)
        return err_sys(err, "cannot read '%s'", path);
    digest_add(w->all, slice_make((const char *)sum, sizeof sum));
    w->n_files++;
    return ERR_OK;
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
    int r = path_open_in(w->root, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);

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

/* The recursion is as deep as the tree, held to HASH_DEPTH_MAX. */
static int visit(struct walk *w, const char *path, struct err *err)
{
    unsigned match = glob_match(w->glob, slice_of(path));
    bool below = match || glob_may_hold(w->glob, slice_of(path));
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;

    if (!below)
        return ERR_OK;
    if (clock_ms() > w->deadline_ms)
        return err_set(err, ERR_TIMEOUT, "hashFiles couldn't finish within %d seconds",
                       HASH_TIME_MS / 1000);
    int r = look(w, path, w->follow, &fd, &st, err);
    if (r < 0)
        return r;
    if (!S_ISDIR(st.st_mode)) /* outside the workspace nothing counts */
        return (match & GLOB_FILE) && path_below(path, w->workspace) ? hash_file(w, path, err)
                                                                     : ERR_OK;
    if (leads_back(w, &st))
        return ERR_OK;
    if (w->chain.len == HASH_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "hashFiles: folders nested deeper than %d", HASH_DEPTH_MAX);

    CLEANUP(names_deinit) struct names names = {0};
    r = list_folder(w, path, &names, err);
    fd_closep(&fd); /* deep trees must not hold a descriptor a level */
    vec_push(&w->chain, (struct seen){st.st_dev, st.st_ino});
    VEC_EACH (name, &names.list) {
        CLEANUP(free_ptr) char *child = path_join(path, *name);

        if (r == ERR_OK)
            r = visit(w, child, err);
    }
    w->chain.len--;
    return r;
}

/* A first pattern that begins with "--" is an option. */
static int read_option(struct walk *w, const struct slice *patterns, size_t n, size_t *ret_first,
                       struct err *err)
{
    *ret_first = 0;
    if (!n || !slice_starts(patterns[0], SLICE("--")))
        return ERR_OK;
    *ret_first = 1;
    w->follow = slice_eq_nocase(patterns[0], SLICE("--follow-symbolic-links"));
    if (w->follow)
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "Invalid glob option %.*s, available option: '--follow-symbolic-links'",
                   SLICE_ARG(slice_head(patterns[0], 60)));
}

int hash_job_files(int root, const char *workspace, const char *home, const struct slice *patterns,
                   size_t n_patterns, struct arena *a, struct slice *ret, struct err *err)
{
    CLEANUP(glob_deinit) struct glob glob = GLOB_INIT;
    struct walk w = {
        .root = root,
        .workspace = workspace,
        .glob = &glob,
        .deadline_ms = clock_ms() + HASH_TIME_MS,
        .chunk = BUF_INIT(HASH_READ_SIZE),
    };
    unsigned char sum[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    size_t first;
    int r = read_option(&w, patterns, n_patterns, &first, err);

    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(1 << 20);
    for (size_t i = first; i < n_patterns && r == ERR_OK; i++) {
        buf_add(&lines, patterns[i]);
        buf_add_char(&lines, '\n');
    }
    if (r == ERR_OK)
        r = buf_check(&lines, "the list of patterns", err);
    if (r == ERR_OK)
        r = glob_add(&glob, buf_slice(&lines), workspace, home, err);
    if (r < 0)
        return r;
    w.all = digest_new();
    VEC_EACH (start, &glob.roots) {
        CLEANUP(fd_closep) int fd = -1;
        struct err missing = ERR_INIT; /* a root that is not there matches nothing */
        struct stat st;

        if (r == ERR_OK && look(&w, *start, w.follow, &fd, &st, &missing) == ERR_OK)
            r = visit(&w, *start, err);
    }
    digest_finish(w.all, sum);
    digest_free(w.all);
    vec_deinit(&w.chain);
    buf_deinit(&w.chunk);
    if (r < 0)
        return r;
    digest_hex(sum, hex);
    *ret = w.n_files ? arena_dup(a, slice_of(hex)) : SLICE("");
    return ERR_OK;
}
