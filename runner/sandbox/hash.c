#include "sandbox/hash.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/digest.h"
#include "sandbox/walk.h"

#include <fcntl.h>

enum { HASH_TIME_MS = 120000, HASH_READ_SIZE = 256 << 10 };

struct hash {
    int root;
    const char *workspace;
    int64_t deadline_ms;
    struct digest *all;
    size_t n_files;
    struct buf chunk;
};

static int too_long(struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "hashFiles couldn't finish within %d seconds",
                   HASH_TIME_MS / 1000);
}

/* Adds the file's digest to the digest of digests. Outside the workspace nothing counts. */
static int hash_file(void *ctx, const char *path, struct err *err)
{
    struct hash *h = ctx;
    CLEANUP(fd_closep) int fd = -1;
    unsigned char sum[DIGEST_SIZE];
    struct stat st;

    if (!path_below(path, h->workspace))
        return ERR_OK;
    int r = path_open_in(h->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode)) /* a link to a folder; a FIFO would never end */
        return ERR_OK;
    struct digest *d = digest_new();
    ssize_t n;
    do {
        buf_clear(&h->chunk);
        n = fd_read_some(fd, &h->chunk, HASH_READ_SIZE);
        if (n > 0)
            digest_add(d, buf_slice(&h->chunk));
        if (clock_ms() > h->deadline_ms) {
            digest_free(d);
            return too_long(err);
        }
    } while (n > 0);
    digest_finish(d, sum);
    digest_free(d);
    if (n < 0)
        return err_sys(err, "cannot read '%s'", path);
    digest_add(h->all, slice_make((const char *)sum, sizeof sum));
    h->n_files++;
    return ERR_OK;
}

int hash_option(struct slice first, bool *ret_follow, struct err *err)
{
    *ret_follow = slice_eq_nocase(first, SLICE("--follow-symbolic-links"));
    if (*ret_follow || !slice_starts(first, SLICE("--")))
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "Invalid glob option %.*s, available option: '--follow-symbolic-links'",
                   SLICE_ARG(slice_head(first, 60)));
}

static void hash_init(struct hash *h, int root, const char *workspace)
{
    *h = (struct hash){.root = root,
                       .workspace = workspace,
                       .deadline_ms = clock_ms() + HASH_TIME_MS,
                       .all = digest_new(),
                       .chunk = BUF_INIT(HASH_READ_SIZE)};
}

/* R is how the files went. */
static int hash_end(struct hash *h, int r, struct arena *a, struct slice *ret, struct err *err)
{
    unsigned char sum[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];

    digest_finish(h->all, sum);
    digest_free(h->all);
    buf_deinit(&h->chunk);
    if (r == ERR_TIMEOUT)
        return too_long(err);
    if (r < 0)
        return r;
    digest_hex(sum, hex);
    *ret = h->n_files ? arena_dup(a, slice_of(hex)) : SLICE("");
    return ERR_OK;
}

int hash_paths(int root, const struct slice *paths, size_t n, struct arena *a, struct slice *ret,
               struct err *err)
{
    struct hash h;
    int r = ERR_OK;

    hash_init(&h, root, "/");
    for (size_t i = 0; r == ERR_OK && i < n; i++)
        r = hash_file(&h, paths[i].ptr, err);
    return hash_end(&h, r, a, ret, err);
}

int hash_job_files(int root, const char *workspace, const char *home, const struct slice *patterns,
                   size_t n_patterns, struct arena *a, struct slice *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(1 << 20);
    CLEANUP(glob_deinit) struct glob glob = GLOB_INIT;
    struct hash h;
    struct walk_spec walk = {.root = root, .glob = &glob, .found = hash_file, .ctx = &h};
    int r = n_patterns ? hash_option(patterns[0], &walk.follow, err) : ERR_OK;

    for (size_t i = walk.follow; i < n_patterns && r == ERR_OK; i++) {
        buf_add(&lines, patterns[i]);
        buf_add_char(&lines, '\n');
    }
    if (r == ERR_OK)
        r = buf_check(&lines, "the list of patterns", err);
    if (r == ERR_OK)
        r = glob_add(&glob, buf_slice(&lines), workspace, home, err);
    if (r < 0)
        return r;
    hash_init(&h, root, workspace);
    walk.deadline_ms = h.deadline_ms;
    return hash_end(&h, walk_files(&walk, err), a, ret, err);
}
