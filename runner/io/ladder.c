#include "io/ladder.h"

#include "base/clock.h"

#include <signal.h>

static void rung(struct ladder *l, int signo);

static void next(void *ctx)
{
    struct ladder *l = ctx;

    l->timer = NULL;
    rung(l, l->last == SIGINT ? SIGTERM : SIGKILL);
}

static void rung(struct ladder *l, int signo)
{
    int64_t wait_ms = 0;

    if (signo == SIGINT)
        wait_ms = l->term_ms ? l->term_ms : LADDER_TERM_MS;
    else if (signo == SIGTERM)
        wait_ms = l->kill_ms ? l->kill_ms : LADDER_KILL_MS;
    l->last = signo;
    if (wait_ms)
        l->timer = loop_timer(l->loop, clock_ms() + wait_ms, next, l);
    l->fn(l->ctx, signo); /* last: it may free what L lives in */
}

void ladder_start(struct ladder *l, struct loop *loop, ladder_fn *fn, void *ctx)
{
    if (l->last)
        return;
    l->loop = loop;
    l->fn = fn;
    l->ctx = ctx;
    rung(l, SIGINT);
}

void ladder_top(struct ladder *l, ladder_fn *fn, void *ctx)
{
    if (l->last == SIGKILL)
        return;
    ladder_deinit(l);
    l->fn = fn;
    l->ctx = ctx;
    rung(l, SIGKILL);
}

void ladder_deinit(struct ladder *l)
{
    l->timer = timer_free(l->timer);
}
