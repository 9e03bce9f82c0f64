/* loop - the one event loop of a process: descriptors, deadlines and signals, on epoll.
 *
 * Callbacks run one at a time on the thread that called loop_run(). A callback may free any watch or
 * timer, its own included, and may add new ones. Nothing here blocks but loop_run(). */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct watch; /* one watched descriptor */
struct timer; /* one deadline */

typedef void watch_fn(void *ctx, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
typedef void timer_fn(void *ctx);
typedef void signal_fn(void *ctx, int signo);

MUST_CHECK int loop_new(struct loop **ret, struct err *err);
struct loop *loop_free(struct loop *l); /* frees what is still watched too; returns NULL */

/* Watches FD (borrowed: it must stay open until watch_free()) for EVENTS, level-triggered. A regular
 * file, which epoll refuses, counts as always ready. */
MUST_CHECK int loop_watch(struct loop *l, int fd, uint32_t events, watch_fn *fn, void *ctx,
                          struct watch **ret, struct err *err);
void watch_set(struct watch *w, uint32_t events); /* 0: none but errors and hang-ups */
struct watch *watch_free(struct watch *w);        /* returns NULL */

/* Calls FN once when clock_ms() reaches AT_MS, then forgets the timer: it frees itself after the call,
 * so FN's owner drops its pointer there. timer_free() before that cancels it. */
struct timer *loop_timer(struct loop *l, int64_t at_ms, timer_fn *fn, void *ctx);
struct timer *timer_free(struct timer *t); /* returns NULL */

/* Takes over the signals in the zero-terminated list SIGNOS: they are blocked from now on and FN is
 * called from the loop. Once a loop. */
MUST_CHECK int loop_signals(struct loop *l, const int *signos, signal_fn *fn, void *ctx,
                            struct err *err);

/* Runs until loop_quit() is called; a call that came before this one counts, once. */
MUST_CHECK int loop_run(struct loop *l, struct err *err);
void loop_quit(struct loop *l);

/* Waits for one round of events, at most until AT_MS (CLOCK_NEVER: no limit), and handles them. */
MUST_CHECK int loop_turn(struct loop *l, int64_t at_ms, struct err *err);
