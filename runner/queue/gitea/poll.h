/* poll - asks the server for tasks, time and again, while there is room for them (gitea-protocol.md 2.4).
 *
 * What the server hands out is ours once it decided so, even if the answer gets lost: then the same question is asked
 * again, by its key, and no question is ever cut off early. */
#pragma once

#include "base/random.h"
#include "queue/backoff.h"
#include "queue/gitea/connect.h"

enum {
    POLL_MOST_MS = 5000,     /* between two questions to a server that answers and has nothing */
    POLL_TROUBLE_MS = 60000, /* to one that does not */
    POLL_PUBLIC_MS = 30000,  /* to https://codeberg.org, which asks for that */
    POLL_FORCE_MS = 300000,  /* so often it looks, although its counter says that nothing is new */
};

struct poll_spec { /* all borrowed */
    struct connect *connect;
    int64_t interval_ms;
    int (*room)(void *ctx); /* how many tasks would be welcome now */
    void (*task)(void *ctx,
                 const json_t *task); /* one that is ours now, whether there is room or not */
    void (*answered)(void *ctx, const struct connect_fault *fault); /* NULL: all is well */
    void *ctx;
};

struct poll {
    struct poll_spec spec;
    struct connect_call *call;
    struct timer *timer;
    struct backoff trouble;
    unsigned idle; /* answers in a row that had nothing */
    bool stopped;
    bool force;      /* the counter is not to be believed */
    bool asked;      /* KEY has not been answered yet */
    int64_t version; /* the newest that the server told */
    int64_t forced_ms, next_ms;
    char key[RANDOM_UUID_SIZE];
};

void poll_init(struct poll *p, const struct poll_spec *spec);
void poll_deinit(struct poll *p);

/* There may be room now. */
void poll_wake(struct poll *p);
/* Labels have changed, or a task ended: the next question is to be looked into, whatever the counter says. */
void poll_force(struct poll *p);
/* Nothing more is asked for. An answer that is under way is waited for: see poll_is_busy(). */
void poll_stop(struct poll *p);
bool poll_is_busy(const struct poll *p);
