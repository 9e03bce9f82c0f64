#include "listen/journal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "base/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 20 };

struct journal {
    char *folder;
    int dir;
};

struct journal_entry {
    struct journal *journal;
    char *name;
    int fd; /* locked */
};

int journal_open(const char *folder, struct journal **ret, struct err *err)
{
    int dir = -1, r = path_mkdirs(AT_FDCWD, folder, 0700, err);

    if (r == ERR_OK)
        r = path_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (r < 0)
        return r;
    *ret = mem_new(sizeof **ret);
    **ret = (struct journal){.folder = mem_dup(folder, strlen(folder)), .dir = dir};
    return ERR_OK;
}

struct journal *journal_close(struct journal *j)
{
    if (!j)
        return NULL;
    fd_closep(&j->dir);
    free(j->folder);
    free(j);
    return NULL;
}

/* ---- writing ---- */

static char *text_of(const char *key, const char *dir, const json_t *lease)
{
    json_t *json = json_pack("{s:s, s:s}", "key", key, "dir", dir);

    if (!json)
        return NULL;
    if (lease) /* borrowed for the text, and not changed */
        json_object_set(json, "lease", (json_t *)(uintptr_t)lease);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* Under another name until all of it is written: whoever is killed leaves the whole of it, or nothing. */
static int write_entry(const struct journal_entry *e, const char *text, struct err *err)
{
    const struct journal *j = e->journal;

    if (flock(e->fd, LOCK_EX | LOCK_NB) < 0)
        return err_sys(err, "cannot lock '%s/%s'", j->folder, e->name);
    if (fd_write_all(e->fd, slice_of(text), err) < 0)
        return err_in(err, "'%s/%s'", j->folder, e->name);
    if (renameat2(j->dir, e->name, j->dir, e->name + 1, RENAME_NOREPLACE) < 0)
        return err_sys(err, "cannot write '%s/%s'", j->folder, e->name + 1);
    return ERR_OK;
}

static struct journal_entry *entry_free(struct journal_entry *e)
{
    fd_closep(&e->fd);
    free(e->name);
    free(e);
    return NULL;
}

static char *temporary_name(const char *dir)
{
    const char *base = path_base(dir);
    char *name = mem_new(strlen(base) + 2);

    name[0] = '.';
    memcpy(name + 1, base, strlen(base) + 1);
    return name;
}

int journal_add(struct journal *j, const char *key, const char *dir, const json_t *lease,
                struct journal_entry **ret, struct err *err)
{
    char *text = text_of(key, dir, lease);
    struct journal_entry *e;

    if (!text)
        return err_set(err, ERR_INVALID, "job '%s' has a name or a folder that is not UTF-8", key);
    if (strlen(text) > JOURNAL_ENTRY_MAX) { /* it could not be read again */
        wipe_free(text);
        return err_set(err, ERR_LIMIT, "what is to be kept of job '%s' is more than %d bytes", key,
                       JOURNAL_ENTRY_MAX);
    }
    e = mem_new(sizeof *e);
    *e = (struct journal_entry){.journal = j, .name = temporary_name(dir), .fd = -1};
    int r = path_open(j->dir, e->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &e->fd, err);
    if (r == ERR_OK)
        r = write_entry(e, text, err);
    wipe_free(text);
    if (r < 0) {
        if (e->fd >= 0)
            (void)unlinkat(j->dir, e->name, 0); /* the first error is the one to tell */
        entry_free(e);
        return r;
    }
    memmove(e->name, e->name + 1, strlen(e->name));
    *ret = e;
    return ERR_OK;
}

int journal_sync(const struct journal_entry *e, struct err *err)
{
    const struct journal *j = e->journal;

    if (fsync(e->fd) < 0 || fsync(j->dir) < 0)
        return err_sys(err, "'%s/%s' may not last through a power cut", j->folder, e->name);
    return ERR_OK;
}

int journal_hold(const struct journal_entry *e)
{
    return e->fd;
}

struct journal_entry *journal_remove(struct journal_entry *e)
{
    if (!e)
        return NULL;
    (void)unlinkat(e->journal->dir, e->name, 0); /* else the next listener tells it once more */
    return entry_free(e);
}

struct journal_entry *journal_leave(struct journal_entry *e)
{
    return e ? entry_free(e) : NULL;
}

/* ---- reading what others left ---- */

/* Nothing tells us when the last of a lock's holders goes; it takes them a moment. */
static bool lock_until(int fd, int64_t deadline)
{
    const struct timespec nap = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        if (clock_ms() >= deadline)
            return false;
        (void)nanosleep(&nap, NULL);
    }
    return true;
}

/* What is believed here is killed and removed: the folder has to be the one that this entry was made for. */
static int hand_over(const json_t *json, const char *name, journal_fn *fn, void *ctx)
{
    struct journal_lost lost = {.key = json_string_value(json_object_get(json, "key")),
                                .dir = json_string_value(json_object_get(json, "dir")),
                                .lease = json_object_get(json, "lease")};

    if (!lost.key || !lost.dir || lost.dir[0] != '/' || strcmp(path_base(lost.dir), name) != 0)
        return ERR_INVALID;
    fn(ctx, &lost);
    return ERR_OK;
}

static int recover_one(struct journal *j, const char *name, int64_t deadline, journal_fn *fn,
                       void *ctx, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(JOURNAL_ENTRY_MAX);
    CLEANUP(fd_closep) int fd = -1;
    json_error_t why;
    int r = path_open(j->dir, name, O_RDONLY | O_NOFOLLOW, 0, &fd, err);

    if (r < 0)
        return r;
    if (!lock_until(fd, deadline))
        return err_set(err, ERR_TIMEOUT,
                       "the worker of a listener that is gone does not end: see who has "
                       "'%s/%s' open (fuser), and kill it",
                       j->folder, name);
    r = fd_read_all(fd, &text, err);
    if (r < 0)
        return err_in(err, "'%s/%s'", j->folder, name);
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, 0, &why);
    if (hand_over(json, name, fn, ctx) < 0)
        r = err_set(err, ERR_INVALID, "'%s/%s' told nothing of its job, and was removed", j->folder,
                    name);
    json_decref(json);
    explicit_bzero(text.ptr, text.len);
    if (unlinkat(j->dir, name, 0) < 0 && r == ERR_OK)
        r = err_sys(err, "cannot remove '%s/%s'", j->folder, name);
    return r;
}

int journal_recover(struct journal *j, int64_t wait_ms, journal_fn *fn, void *ctx, struct err *err)
{
    int64_t deadline = clock_ms() + wait_ms;
    VEC(char *) names = {0};
    struct err one = ERR_INIT;
    DIR *list = path_list(j->dir);
    int r = list ? ERR_OK : err_sys(err, "cannot read '%s'", j->folder);

    for (struct dirent *d; list && (d = readdir(list));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            vec_push(&names, mem_dup(d->d_name, strlen(d->d_name)));
    if (list)
        closedir(list);
    VEC_EACH (name, &names) {
        if ((*name)[0] == '.') /* it was not finished: no worker has started */
            (void)unlinkat(j->dir, *name, 0);
        else if (recover_one(j, *name, deadline, fn, ctx, &one) < 0 && r == ERR_OK) {
            r = one.code;
            *err = one;
        }
        free(*name);
    }
    vec_deinit(&names);
    return r;
}
