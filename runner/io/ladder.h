/* ladder - how a command is stopped: asked, asked firmly, killed. The only place that decides it.
 *
 * GitHub's rungs: SIGINT at once, SIGTERM 7,500 ms later, SIGKILL 2,500 ms after that. */
#pragma once

#include "io/loop.h"

typedef void ladder_fn(void *ctx, int signo); /* sends SIGINT, SIGTERM, at last SIGKILL */

enum { LADDER_TERM_MS = 7500, LADDER_KILL_MS = 2500 };

struct ladder {               /* works when zeroed, with the waits of above */
    int64_t term_ms, kill_ms; /* 0: as above; tests are in a hurry */
    struct loop *loop;
    struct timer *timer;
    ladder_fn *fn;
    void *ctx;
    int last; /* the signal that was sent last; 0: none yet */
};

/* Begins: FN is called with SIGINT before this returns, with the others from LOOP. Begun: no change. */
void ladder_start(struct ladder *l, struct loop *loop, ladder_fn *fn, void *ctx);

/* Calls FN with SIGKILL now; no further rung comes. */
void ladder_top(struct ladder *l, ladder_fn *fn, void *ctx);

void ladder_deinit(struct ladder *l); /* no further rung comes */
