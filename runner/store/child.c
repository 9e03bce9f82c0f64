#include "store/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "io/errand.h"
#include "store/room.h"

enum { SWEEP_MS = 5000 }; /* for what a killed child had started to end */

/* ---- the child ---- */

static int serve(struct store_entry *ret, struct arena *a, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(STORE_REQUEST_MAX);
    CLEANUP(store_request_deinit) struct store_request request = {0};
    struct store_entry entry;
    struct action_ref ref;
    int r = fd_read_all(STDIN_FILENO, &text, err);

    if (r == ERR_OK)
        r = store_request_parse(buf_slice(&text), &request, err);
    if (r == ERR_OK)
        r = action_ref_parse(a, slice_of(request.uses), &ref, err);
    if (r == ERR_OK)
        r = store_get(&request.spec, &ref, a, &entry, err);
    if (r == ERR_OK)
        *ret = entry;
    return r;
}

/* Our own group: git, and what git started, which trusts nobody here and detaches nothing. */
static void end_all(int signo)
{
    (void)signo;
    kill(0, SIGKILL);
}

void store_child_begin(void)
{
    static const struct rlimit size = {STORE_TREE_MAX, STORE_TREE_MAX};

    if (getpgrp() == getpid())
        signal(SIGTERM, end_all);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody waits for the answer then */
    (void)setrlimit(RLIMIT_FSIZE, &size);   /* of git's packs; without it the server decides */
    signal(SIGXFSZ, SIG_IGN);
}

int store_child_main(int argc, char **argv)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct store_entry entry = {0};
    struct err err = ERR_INIT;

    (void)argc;
    (void)argv;
    store_child_begin();
    CLEANUP(free_ptr) char *text = store_answer_format(serve(&entry, &a, &err), &entry, &err);
    struct err ignored = ERR_INIT; /* nobody is there to hear it */
    return fd_write_all(STDOUT_FILENO, slice_of(text), &ignored) < 0;
}

/* ---- who waits for it ---- */

struct item {
    struct store_fetch *fetch;
    char *request; /* with addresses and headers that are secrets; NULL: nobody is to be asked */
    struct store_entry entry;
    bool ready;
    struct err why; /* it cannot be had, and nobody is to be asked */
    struct errand *errand;
};

struct store_fetch {
    struct arena arena;
    struct loop *loop;
    struct store_client client;
    struct timer *kick; /* the first turn, and the time limit later */
    struct item *items;
    size_t n, next; /* next: the first that no child was started for */
    size_t told;    /* those that the client knows of */
    int running;
    bool over; /* the client has been told the end */
};

static void advance(struct store_fetch *f);

static void drop_request(struct item *i)
{
    if (i->request)
        explicit_bzero(i->request, strlen(i->request));
    free(i->request);
    i->request = NULL;
}

struct store_fetch *store_fetch_free(struct store_fetch *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->n; i++) {
        errand_free(f->items[i].errand);
        drop_request(&f->items[i]);
    }
    f->kick = timer_free(f->kick);
    arena_deinit(&f->arena);
    free(f);
    return NULL;
}

/* Last of all: it may free F. */
static void tell_end(struct store_fetch *f, size_t i, const struct err *err)
{
    if (f->over)
        return;
    f->over = true;
    f->client.done(f->client.ctx, i, err);
}

static void on_done(void *ctx, struct proc_exit how, struct slice answer)
{
    struct item *i = ctx;
    struct store_fetch *f = i->fetch;
    struct err err = ERR_INIT;

    f->running--;
    struct err ignored = ERR_INIT; /* the end of the job's worker is theirs at the latest */
    if (how.signal)                /* what it had started is ours now */
        (void)!proc_sweep(SWEEP_MS, &ignored);
    int r = how.signal ? err_set(&err, ERR_FAILED, "whoever fetched it was killed by signal %d",
                                 how.signal)
                       : store_answer_parse(answer, &f->arena, &i->entry, &err);
    i->errand = errand_free(i->errand);
    if (r < 0) {
        tell_end(f, (size_t)(i - f->items), &err);
        return;
    }
    i->ready = true;
    advance(f);
}

static int start_child(struct item *i, struct err *err)
{
    struct store_fetch *f = i->fetch;
    CLEANUP(fd_closep) int in = -1;
    struct errand_client client = {NULL, on_done, i};
    int r = fd_memory(slice_of(i->request), &in, err);

    drop_request(i);
    if (r < 0)
        return r;
    struct errand_spec spec = {
        .name = "store-child",
        .request = in,
        .flags = SPAWN_GROUP,
        .answer_max = STORE_ANSWER_MAX,
    };
    r = errand_start(&spec, f->loop, &client, &i->errand, err);
    if (r == ERR_OK)
        f->running++;
    return r;
}

static void on_timeout(void *ctx)
{
    struct store_fetch *f = ctx;
    struct err err = ERR_INIT;

    f->kick = NULL;
    (void)err_set(&err, ERR_TIMEOUT, "fetching took longer than %d minutes",
                  STORE_FETCH_TIMEOUT_MS / 60000);
    tell_end(f, f->told, &err);
}

/* Tells what is ready, and starts what can be. */
static void advance(struct store_fetch *f)
{
    struct err err = ERR_INIT;

    while (!f->over && f->told < f->n && f->items[f->told].ready) {
        size_t at = f->told++;

        f->client.got(f->client.ctx, at, &f->items[at].entry);
    }
    if (f->told == f->n) {
        tell_end(f, 0, NULL);
        return;
    }
    for (; !f->over && f->running < STORE_CHILDREN_MAX && f->next < f->n; f->next++) {
        struct item *i = &f->items[f->next];

        if (i->why.code) {
            tell_end(f, f->next, &i->why);
            return;
        }
        if (!i->ready && start_child(i, &err) < 0) {
            tell_end(f, f->next, &err);
            return;
        }
    }
}

static void on_kick(void *ctx)
{
    struct store_fetch *f = ctx;

    f->kick = loop_timer(f->loop, clock_ms() + STORE_FETCH_TIMEOUT_MS, on_timeout, f);
    advance(f);
}

static bool may_ask(const struct store_spec *spec, const struct action_ref *ref, struct item *i)
{
    struct store_origin from;
    struct err ignored = ERR_INIT; /* store_find() has said it */

    return i->why.code == ERR_NOT_FOUND &&
           store_origin(spec, ref, &i->fetch->arena, &from, &ignored) == ERR_OK &&
           (from.local || from.login || !spec->offline);
}

struct store_fetch *store_fetch_start(const struct store_spec *whole, const struct action_ref *refs,
                                      size_t n, struct loop *loop,
                                      const struct store_client *client)
{
    struct store_fetch *f = mem_new(sizeof *f);

    *f = (struct store_fetch){.loop = loop, .client = *client, .n = n};
    f->items = arena_array(&f->arena, n, sizeof *f->items);
    for (size_t i = 0; i < n; i++) {
        struct item *it = &f->items[i];
        struct store_spec mine = *whole, *spec = &mine;

        if (mine.given)
            mine.given += i;
        *it = (struct item){.fetch = f};
        it->ready = store_find(spec, &refs[i], &f->arena, &it->entry, &it->why) == ERR_OK;
        if (it->ready &&
            !spec->offline) /* a plan leaves no trace, and nothing goes while nothing is fetched */
            store_touch(it->entry.path);
        if (it->ready || !may_ask(spec, &refs[i], it))
            continue;
        it->why = (struct err)ERR_INIT;
        it->request = store_request_format(spec, &refs[i]);
    }
    f->kick = loop_timer(loop, clock_ms(), on_kick, f);
    return f;
}

/* ---- for those who wait ---- */

struct waiting {
    struct loop *loop;
    struct arena *arena;
    struct store_entry *ret;
    struct err err;
};

static void keep(void *ctx, size_t i, const struct store_entry *entry)
{
    struct waiting *w = ctx;

    (void)i;
    *w->ret = *entry;
    w->ret->path = arena_str(w->arena, slice_of(entry->path));
    w->ret->note = entry->note ? arena_str(w->arena, slice_of(entry->note)) : NULL;
}

static void quit(void *ctx, size_t i, const struct err *err)
{
    struct waiting *w = ctx;

    (void)i;
    if (err)
        w->err = *err;
    loop_quit(w->loop);
}

static void on_stop(void *ctx, uint32_t events)
{
    struct waiting *w = ctx;

    (void)events;
    (void)err_set(&w->err, ERR_CANCELLED, "cancelled");
    loop_quit(w->loop);
}

int store_fetch(const struct store_spec *spec, const struct action_ref *ref, int stop,
                struct arena *a, struct store_entry *ret, struct err *err)
{
    struct waiting w = {.arena = a, .ret = ret};
    struct store_client client = {keep, quit, &w};
    struct store_fetch *f = NULL;
    struct watch *watch = NULL;
    int r = loop_new(&w.loop, err);

    if (r == ERR_OK)
        r = stop < 0 ? ERR_OK : loop_watch(w.loop, stop, EPOLLIN, on_stop, &w, &watch, err);
    if (r == ERR_OK) {
        f = store_fetch_start(spec, ref, 1, w.loop, &client);
        r = loop_run(w.loop, err);
    }
    store_fetch_free(f);
    watch_free(watch);
    loop_free(w.loop);
    if (r == ERR_OK && w.err.code) {
        *err = w.err;
        r = err->code;
    }
    return r;
}
