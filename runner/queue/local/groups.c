#include "queue/local/groups.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "io/digest.h"
#include "lang/utf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_SIZE = 64,
    WHO_MAX = 4096,
    NUMBER_MAX = 99999999,
    TRIES_MAX = 100,  /* to enter a folder that others remove meanwhile */
    SETTLE_MS = 50,   /* a file is told to be closed just before its lock goes */
    SELDOM_MS = 2000, /* where the file system tells nothing */
};

struct groups {
    char *folder, *repository, *run;
    struct loop *loop;
    groups_fn *fn;
    void *ctx;
    int notify; /* -1: none */
    struct watch *watch;
    struct timer *timer;
    size_t n_tickets;
};

struct ticket {
    struct groups *groups;
    int dir, fd;
    int64_t number;
    char folder[DIGEST_HEX_SIZE], name[NAME_SIZE];
    int watch; /* of the folder; -1: none */
};

/* ---- folders ---- */

static void folder_name(const struct groups *g, const char *group, char ret[DIGEST_HEX_SIZE])
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    unsigned char digest[DIGEST_SIZE];
    struct slice repository = utf_fold(&a, slice_of(g->repository));
    struct slice name = utf_fold(&a, slice_of(group));

    digest_sha256(slice_of(arena_printf(&a, "%.*s\n%.*s", SLICE_ARG(repository), SLICE_ARG(name))),
                  digest);
    digest_hex(digest, ret);
}

static bool same_file(int fd, int dir, const char *name)
{
    struct stat x, y;

    return fstat(fd, &x) == 0 && fstatat(dir, name, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
           x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* Opens the folder PATH with its lock held. Whoever was the last in it removes both, so the lock that we got may be
 * one that is gone: then again. */
static int enter(const char *path, bool make, int *ret_dir, int *ret_lock, struct err *err)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        CLEANUP(fd_closep) int dir = -1;
        CLEANUP(fd_closep) int lock = -1;

        if (make && path_mkdirs(AT_FDCWD, path, 0700, err) < 0)
            return err->code;
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir >= 0)
            lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0 && errno == ENOENT && make)
            continue;
        while (lock >= 0 && flock(lock, LOCK_EX) < 0)
            if (errno != EINTR)
                fd_closep(&lock);
        if (lock < 0)
            return err_sys(err, "cannot enter '%s'", path);
        if (!same_file(lock, dir, "lock"))
            continue;
        *ret_dir = dir;
        *ret_lock = lock;
        dir = lock = -1;
        return ERR_OK;
    }
    return err_set(err, ERR_FAILED, "cannot enter '%s': others remove it again and again", path);
}

/* ---- tickets of a folder ---- */

/* The number of a ticket's file, and the run it is of; false: it is something else. */
static bool read_name(const char *name, int64_t *ret_number, const char **ret_run)
{
    struct slice rest = slice_of(name), number;
    struct err ignored = ERR_INIT;

    if (!slice_split(&rest, '.', &number) || !rest.len || slice_eq(rest, SLICE("yield")) ||
        num_parse_i64(number, 0, NUMBER_MAX, ret_number, &ignored) < 0)
        return false;
    *ret_run = rest.ptr;
    return true;
}

static bool is_alive(int dir, const char *name)
{
    CLEANUP(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0; /* released again with the descriptor */
}

static void yield_name(int64_t number, char ret[NAME_SIZE])
{
    snprintf(ret, NAME_SIZE, "%08lld.yield", (long long)number);
}

static void remove_ticket(int dir, int64_t number, const char *name)
{
    char yield[NAME_SIZE];

    yield_name(number, yield);
    (void)unlinkat(dir, yield, 0); /* most have none */
    (void)unlinkat(dir, name, 0);
}

struct place_in_line {
    int64_t number;
    bool ours; /* of this run */
    char name[NAME_SIZE];
};
typedef VEC(struct place_in_line) tickets;

/* The living tickets, in no order; with SWEEP those of the dead, and what else they left, go. */
static void list(int dir, const char *run, bool sweep, tickets *ret)
{
    DIR *all = path_list(dir);

    for (struct dirent *e; all && (e = readdir(all));) {
        struct place_in_line t = {0};
        const char *of;

        if (sweep && strncmp(e->d_name, "new.", 4) == 0)
            (void)unlinkat(dir, e->d_name, 0); /* its maker held the folder's lock, as we do */
        size_t len = strlen(e->d_name);
        if (!read_name(e->d_name, &t.number, &of) || len >= sizeof t.name)
            continue;
        t.ours = run && strcmp(of, run) == 0;
        memcpy(t.name, e->d_name, len + 1);
        if (t.ours || is_alive(dir, e->d_name))
            vec_push(ret, t);
        else if (sweep)
            remove_ticket(dir, t.number, e->d_name);
    }
    if (all)
        closedir(all);
}

/* The one in front of number BEFORE that came first; NULL: there is none. */
static const struct place_in_line *first_before(const tickets *all, int64_t before)
{
    const struct place_in_line *first = NULL;

    VEC_EACH (t, all)
        if (t->number < before && (!first || t->number < first->number))
            first = t;
    return first;
}

/* The last one out: nothing of the folder stays. Its lock is held. */
static void leave(const char *path, int dir)
{
    DIR *all = path_list(dir);
    bool empty = all != NULL;

    for (struct dirent *e; all && (e = readdir(all));)
        empty = empty && (e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0);
    if (all)
        closedir(all);
    if (empty && unlinkat(dir, "lock", 0) == 0)
        (void)rmdir(path); /* somebody may just come in, and go on with it */
}

/* What was killed left its tickets. */
static void sweep(const char *folder)
{
    DIR *all = opendir(folder);

    for (struct dirent *e; all && (e = readdir(all));) {
        CLEANUP(fd_closep) int dir = -1;
        CLEANUP(fd_closep) int lock = -1;
        CLEANUP(free_ptr) char *path = path_join(folder, e->d_name);
        struct err ignored = ERR_INIT;
        tickets living = {0};

        if (e->d_name[0] == '.' || enter(path, false, &dir, &lock, &ignored) < 0)
            continue;
        list(dir, NULL, true, &living);
        vec_deinit(&living);
        leave(path, dir);
    }
    if (all)
        closedir(all);
}

/* ---- a run's ---- */

struct groups *groups_new(const char *folder, const char *repository, const char *run)
{
    struct groups *g = mem_new(sizeof *g);

    *g = (struct groups){.folder = mem_dup(folder, strlen(folder)),
                         .repository = mem_dup(repository, strlen(repository)),
                         .run = mem_dup(run, strlen(run)),
                         .notify = -1};
    sweep(folder);
    return g;
}

static void on_time(void *ctx)
{
    struct groups *g = ctx;

    g->timer = NULL;
    if (g->n_tickets)
        g->timer = loop_timer(g->loop, clock_ms() + SELDOM_MS, on_time, g);
    g->fn(g->ctx);
}

static void on_change(void *ctx, uint32_t events)
{
    struct groups *g = ctx;
    char text[4096];

    (void)events;
    while (read(g->notify, text, sizeof text) > 0)
        ; /* whatever it was: all is looked at again */
    g->timer = timer_free(g->timer);
    g->timer = loop_timer(g->loop, clock_ms() + SETTLE_MS, on_time, g);
    g->fn(g->ctx);
}

void groups_watch(struct groups *g, struct loop *loop, groups_fn *fn, void *ctx)
{
    struct err ignored = ERR_INIT; /* it is looked at now and then all the same */

    g->loop = loop;
    g->fn = fn;
    g->ctx = ctx;
    g->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (g->notify >= 0)
        (void)!loop_watch(loop, g->notify, EPOLLIN, on_change, g, &g->watch, &ignored);
}

void groups_unwatch(struct groups *g)
{
    g->timer = timer_free(g->timer);
    g->watch = watch_free(g->watch);
    g->loop = NULL;
}

struct groups *groups_free(struct groups *g)
{
    if (!g)
        return NULL;
    groups_unwatch(g);
    fd_closep(&g->notify);
    free(g->folder);
    free(g->repository);
    free(g->run);
    free(g);
    return NULL;
}

/* ---- tickets ---- */

static char *folder_path(const struct ticket *t)
{
    return path_join(t->groups->folder, t->folder);
}

/* It has its name once it is locked. */
static int make(struct ticket *t, const char *who, struct err *err)
{
    char new[NAME_SIZE];

    snprintf(t->name, sizeof t->name, "%08lld.%.40s", (long long)t->number, t->groups->run);
    snprintf(new, sizeof new, "new.%.40s", t->groups->run);
    t->fd = openat(t->dir, new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (t->fd < 0 || flock(t->fd, LOCK_EX | LOCK_NB) < 0)
        return err_sys(err, "cannot make a ticket for a concurrency group");
    if (fd_write_all(t->fd, slice_of(who), err) < 0)
        return err->code;
    if (renameat(t->dir, new, t->dir, t->name) < 0)
        return err_sys(err, "cannot make a ticket for a concurrency group");
    return ERR_OK;
}

/* The one that is first holds the group, the others wait. */
static int ask_to_yield(const struct ticket *t, const struct group *group, const tickets *all,
                        const char *who, struct err *err)
{
    const struct place_in_line *holder = first_before(all, t->number);

    VEC_EACH (one, all) {
        CLEANUP(buf_deinit) struct buf why = BUF_INIT(WHO_MAX);
        char name[NAME_SIZE];
        bool holds = one == holder;

        if (one->ours || (holds ? !group->cancels : group->queues))
            continue;
        buf_printf(&why, "%.500s came to the concurrency group '%s' %s", who, group->name,
                   holds ? "with `cancel-in-progress`" : "later, and only one may wait");
        yield_name(one->number, name);
        if (path_write(t->dir, name, buf_slice(&why), 0600, err) < 0)
            return err->code;
    }
    return ERR_OK;
}

static int64_t next_number(const tickets *all)
{
    int64_t last = 0;

    VEC_EACH (one, all)
        if (one->number > last)
            last = one->number;
    return last + 1;
}

int ticket_take(struct groups *g, const struct group *group, const char *who, struct ticket **ret,
                struct err *err)
{
    struct ticket *t = mem_new(sizeof *t);
    CLEANUP(fd_closep) int lock = -1;
    tickets all = {0};

    *t = (struct ticket){.groups = g, .dir = -1, .fd = -1, .watch = -1};
    folder_name(g, group->name, t->folder);
    CLEANUP(free_ptr) char *path = folder_path(t);
    int r = enter(path, true, &t->dir, &lock, err);
    if (r == ERR_OK) {
        list(t->dir, g->run, true, &all);
        t->number = next_number(&all);
        if (g->notify >= 0) /* before it is looked at whose turn it is */
            t->watch = inotify_add_watch(g->notify, path,
                                         IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR);
        r = make(t, who, err);
    }
    if (r == ERR_OK)
        r = ask_to_yield(t, group, &all, who, err);
    vec_deinit(&all);
    g->n_tickets++;
    if (r < 0) {
        ticket_free(t);
        return r;
    }
    if (!g->timer && g->loop)
        g->timer = loop_timer(g->loop, clock_ms() + SELDOM_MS, on_time, g);
    *ret = t;
    return ERR_OK;
}

struct ticket *ticket_free(struct ticket *t)
{
    CLEANUP(fd_closep) int dir = -1;
    CLEANUP(fd_closep) int lock = -1;
    struct err ignored = ERR_INIT; /* the next one finds that nobody holds it */

    if (!t)
        return NULL;
    CLEANUP(free_ptr) char *path = folder_path(t);
    if (t->name[0] && enter(path, false, &dir, &lock, &ignored) == ERR_OK) {
        remove_ticket(dir, t->number, t->name);
        leave(path, dir);
    }
    t->groups->n_tickets--;
    fd_closep(&t->fd);
    fd_closep(&t->dir);
    free(t);
    return NULL;
}

static const char *read_text(int dir, const char *name, struct arena *a)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(WHO_MAX);
    struct err ignored = ERR_INIT;

    if (path_read(dir, name, &text, &ignored) < 0 || !text.len)
        return NULL;
    return arena_str(a, buf_slice(&text));
}

/* Those of its own run know their turns among themselves. */
const char *ticket_waits_for(const struct ticket *t, struct arena *a)
{
    tickets all = {0};
    const char *who = NULL;

    list(t->dir, t->groups->run, false, &all);
    for (size_t i = all.len; i-- > 0;)
        if (all.ptr[i].ours)
            vec_remove(&all, i);
    const struct place_in_line *front = first_before(&all, t->number);
    if (front) {
        who = read_text(t->dir, front->name, a);
        who = who ? who : "another run";
    }
    vec_deinit(&all);
    return who;
}

const char *ticket_yields(const struct ticket *t, struct arena *a)
{
    char name[NAME_SIZE];

    yield_name(t->number, name);
    return read_text(t->dir, name, a);
}
