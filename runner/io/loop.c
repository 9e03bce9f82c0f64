#include "io/loop.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct watch {
    struct loop *loop;
    struct watch *next, **prev; /* in loop->watches */
    int fd;
    bool always; /* a regular file: epoll will not take it, and it is never busy */
    bool dead;
    uint32_t events;
    watch_fn *fn;
    void *ctx;
};

struct timer {
    struct loop *loop;
    size_t at; /* place in the heap */
    int64_t when_ms;
    timer_fn *fn;
    void *ctx;
};

struct loop {
    int epoll;
    bool quit;
    bool dispatching;
    size_t n_always, n_dead;
    struct watch *watches;
    VEC(struct timer *) timers; /* a heap, the earliest first */
    int signal_fd;
    struct watch *signal_watch;
    signal_fn *on_signal;
    void *signal_ctx;
};

int loop_new(struct loop **ret, struct err *err)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        return err_sys(err, "cannot make an event loop");
    struct loop *l = mem_new(sizeof *l);
    l->epoll = epoll;
    l->signal_fd = -1;
    *ret = l;
    return ERR_OK;
}

static void watch_drop(struct watch *w)
{
    *w->prev = w->next;
    if (w->next)
        w->next->prev = w->prev;
    free(w);
}

struct loop *loop_free(struct loop *l)
{
    if (!l)
        return NULL;
    while (l->watches)
        watch_drop(l->watches);
    for (size_t i = 0; i < l->timers.len; i++)
        free(l->timers.ptr[i]);
    vec_deinit(&l->timers);
    fd_closep(&l->signal_fd);
    fd_closep(&l->epoll);
    free(l);
    return NULL;
}

int loop_watch(struct loop *l, int fd, uint32_t events, watch_fn *fn, void *ctx, struct watch **ret,
               struct err *err)
{
    struct watch *w = mem_new(sizeof *w);
    struct epoll_event event = {.events = events, .data.ptr = w};

    *w = (struct watch){.loop = l, .fd = fd, .events = events, .fn = fn, .ctx = ctx};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        if (errno != EPERM) {
            free(w);
            return err_sys(err, "cannot watch a descriptor");
        }
        w->always = true;
        l->n_always++;
    }
    w->next = l->watches;
    w->prev = &l->watches;
    if (w->next)
        w->next->prev = &w->next;
    l->watches = w;
    *ret = w;
    return ERR_OK;
}

void watch_set(struct watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};

    if (w->events == events)
        return;
    w->events = events;
    if (!w->always && epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &event) < 0)
        BUG("a watched descriptor was closed: %s", strerror(errno));
}

struct watch *watch_free(struct watch *w)
{
    if (!w || w->dead)
        return NULL;
    if (w->always)
        w->loop->n_always--;
    else
        (void)epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL); /* may be closed already */
    if (!w->loop->dispatching) {
        watch_drop(w);
        return NULL;
    }
    w->dead = true; /* the round in progress may still hold an event for it */
    w->loop->n_dead++;
    return NULL;
}

/* ---- deadlines: a binary heap ---- */

static void heap_put(struct loop *l, size_t at, struct timer *t)
{
    l->timers.ptr[at] = t;
    t->at = at;
}

static void heap_up(struct loop *l, struct timer *t, size_t at)
{
    while (at > 0 && l->timers.ptr[(at - 1) / 2]->when_ms > t->when_ms) {
        heap_put(l, at, l->timers.ptr[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(l, at, t);
}

static void heap_down(struct loop *l, struct timer *t, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < l->timers.len &&
            l->timers.ptr[child + 1]->when_ms < l->timers.ptr[child]->when_ms)
            child++;
        if (child >= l->timers.len || l->timers.ptr[child]->when_ms >= t->when_ms)
            break;
        heap_put(l, at, l->timers.ptr[child]);
        at = child;
    }
    heap_put(l, at, t);
}

struct timer *loop_timer(struct loop *l, int64_t at_ms, timer_fn *fn, void *ctx)
{
    struct timer *t = mem_new(sizeof *t);

    *t = (struct timer){.loop = l, .when_ms = at_ms, .fn = fn, .ctx = ctx};
    vec_push(&l->timers, t);
    heap_up(l, t, l->timers.len - 1);
    return t;
}

struct timer *timer_free(struct timer *t)
{
    if (!t)
        return NULL;
    struct loop *l = t->loop;
    struct timer *last = l->timers.ptr[--l->timers.len];

    if (last != t) {
        heap_down(l, last, t->at);
        heap_up(l, last, last->at);
    }
    free(t);
    return NULL;
}

static void fire_timers(struct loop *l)
{
    int64_t now = clock_ms();

    while (l->timers.len && l->timers.ptr[0]->when_ms <= now) {
        struct timer *t = l->timers.ptr[0];
        timer_fn *fn = t->fn;
        void *ctx = t->ctx;

        timer_free(t);
        fn(ctx);
    }
}

/* ---- signals ---- */

static void on_signal_fd(void *ctx, uint32_t events)
{
    struct loop *l = ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        l->on_signal(l->signal_ctx, (int)info.ssi_signo);
}

int loop_signals(struct loop *l, const int *signos, signal_fn *fn, void *ctx, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    for (; *signos; signos++)
        sigaddset(&set, *signos);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_sys(err, "cannot block signals");
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signal_fd < 0)
        return err_sys(err, "cannot listen for signals");
    l->on_signal = fn;
    l->signal_ctx = ctx;
    return loop_watch(l, l->signal_fd, EPOLLIN, on_signal_fd, l, &l->signal_watch, err);
}

/* ---- running ---- */

static int wait_time(const struct loop *l, int64_t at_ms)
{
    if (l->n_always)
        return 0;
    if (l->timers.len && l->timers.ptr[0]->when_ms < at_ms)
        at_ms = l->timers.ptr[0]->when_ms;
    if (at_ms == CLOCK_NEVER)
        return -1;
    int64_t left = at_ms - clock_ms();
    return left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

static void bury_dead(struct loop *l)
{
    for (struct watch *w = l->watches, *next; w && l->n_dead; w = next) {
        next = w->next;
        if (w->dead) {
            watch_drop(w);
            l->n_dead--;
        }
    }
}

int loop_turn(struct loop *l, int64_t at_ms, struct err *err)
{
    struct epoll_event ready[64];
    int n = epoll_wait(l->epoll, ready, COUNT_OF(ready), wait_time(l, at_ms));

    if (n < 0 && errno != EINTR)
        return err_sys(err, "cannot wait for events");
    l->dispatching = true;
    for (int i = 0; i < n; i++) {
        struct watch *w = ready[i].data.ptr;

        if (!w->dead)
            w->fn(w->ctx, ready[i].events);
    }
    for (struct watch *w = l->n_always ? l->watches : NULL; w; w = w->next)
        if (w->always && !w->dead && w->events)
            w->fn(w->ctx, w->events);
    l->dispatching = false;
    bury_dead(l);
    fire_timers(l);
    return ERR_OK;
}

int loop_run(struct loop *l, struct err *err)
{
    while (!l->quit) {
        int r = loop_turn(l, CLOCK_NEVER, err);

        if (r < 0)
            return r;
    }
    l->quit = false;
    return ERR_OK;
}

void loop_quit(struct loop *l)
{
    l->quit = true;
}
