#include "io/loop.h"

#include "base/clock.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

static struct loop *loop;
static char order[64];
static char names[] = "abcdx";

static void add(void *ctx)
{
    strncat(order, ctx, 1);
    if (strlen(order) == 4)
        loop_quit(loop);
}

Test(loop, timers_fire_in_the_order_of_their_deadlines)
{
    struct err err = ERR_INIT;
    int64_t now = clock_ms();

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    loop_timer(loop, now + 6, add, &names[3]);
    struct timer *gone = loop_timer(loop, now + 1, add, &names[4]);
    loop_timer(loop, now + 4, add, &names[2]);
    loop_timer(loop, now + 2, add, &names[0]);
    loop_timer(loop, now + 3, add, &names[1]);
    timer_free(gone);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_assert_str_eq(order, "abcd");
    loop_free(loop);
}

static struct watch *watches[2];
static int calls;

/* Both ends become readable in one round; whoever comes first frees the other. */
static void free_other(void *ctx, uint32_t events)
{
    struct watch **other = ctx;

    (void)events;
    calls++;
    *other = watch_free(*other);
    loop_quit(loop);
}

Test(loop, a_watch_freed_in_the_same_round_is_not_called)
{
    struct err err = ERR_INIT;
    int a[2], b[2];

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(fd_pipe(&a[0], &a[1], &err), ERR_OK);
    cr_assert_eq(fd_pipe(&b[0], &b[1], &err), ERR_OK);
    cr_assert_eq(loop_watch(loop, a[0], EPOLLIN, free_other, &watches[1], &watches[0], &err),
                 ERR_OK);
    cr_assert_eq(loop_watch(loop, b[0], EPOLLIN, free_other, &watches[0], &watches[1], &err),
                 ERR_OK);
    cr_assert_eq(write(a[1], "x", 1), 1);
    cr_assert_eq(write(b[1], "x", 1), 1);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_assert_eq(calls, 1);
    loop_free(loop);
}

static void got_signal(void *ctx, int signo)
{
    *(int *)ctx = signo;
    loop_quit(loop);
}

Test(loop, signals_arrive_as_events)
{
    struct err err = ERR_INIT;
    int got = 0;

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(loop_signals(loop, (const int[]){SIGUSR1, 0}, got_signal, &got, &err), ERR_OK);
    raise(SIGUSR1);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_assert_eq(got, SIGUSR1);
    loop_free(loop);
}

Test(loop, quitting_before_the_run_is_not_lost)
{
    struct err err = ERR_INIT;

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    loop_quit(loop);
    cr_assert_eq(loop_run(loop, &err), ERR_OK); /* a lost one would hang here */
    loop_free(loop);
}
