/* listen_queues - the registrations that "ostler listen" serves, and a queue for each. */
#pragma once

#include "base/vec.h"
#include "io/http.h"
#include "listen/listener.h"
#include "queue/github/queue.h"
#include "queue/registration.h"
#include "store/store.h"

struct listen_queues {
    VEC(struct registration *) list; /* locked */
    int capacity;                    /* of all of them together */
    bool taken;                      /* an error was that another listener has one */
    const struct store_spec *store;  /* for workflows that jobs call; NULL: none. Borrowed */
    int spool;                       /* the work folder; -1: not open */
    const char *runner_version;      /* as GitHub is told; NULL: QUEUE_GITHUB_VERSION. Borrowed */
    const char *const *env;          /* of the workers, borrowed: to it comes what a folder says */
    struct arena arena;              /* what came of that */
    bool
        found; /* the registrations were not named: one that cannot be served is left out, and the others are served */
    void (*trouble)(void *ctx, const char *text); /* is told which, and why */
    void *ctx;
    VEC(struct http *) own; /* of registrations whose folder says how servers are reached */
};

#define LISTEN_QUEUES_INIT                                                                         \
    {                                                                                              \
        .spool = -1                                                                                \
    }

/* Loads those in the N FOLDERS, or else all below the folder ALL that can be, and keeps other listeners off them.
 * ERR_NOT_FOUND: there is none. The message has the cure. */
MUST_CHECK int listen_queues_load(struct listen_queues *q, const char *const *folders, size_t n,
                                  const char *all, struct err *err);

/* One more, out of a just-in-time configuration: it lives in memory. ERR_INVALID: it is none. */
MUST_CHECK int listen_queues_load_jit(struct listen_queues *q, const char *text, struct err *err);

/* Makes their queues and gives them to L; HTTP and LOOP are L's. WORK: for what servers have not taken yet, and for the journals of those that
 * live in memory. */
MUST_CHECK int listen_queues_add(struct listen_queues *q, struct listener *l, struct loop *loop,
                                 struct http *http, const char *work, struct err *err);

/* What all queues of GitHub's have in common: all but the registration. WAITS is filled in and borrowed by it. After
 * listen_queues_add(). */
struct queue_github_spec listen_queues_github(const struct listen_queues *q, struct http *http,
                                              struct github_waits *waits);

/* After the listener: lets go of them, and of folders that hold nothing any more. */
void listen_queues_deinit(struct listen_queues *q);
