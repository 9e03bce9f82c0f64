/* gitea - the queue of one runner of a Gitea or Forgejo server: takes tasks, reports them, and hears of cancels
 * (gitea-protocol.md). It runs as many jobs at once as its registration's capacity says. */
#pragma once

#include "io/http.h"
#include "queue/queue.h"
#include "queue/registration.h"
#include "store/store.h"

enum {
    /* Tasks that are taken although there is no room, which a server may have handed out before it heard so. What goes
     * beyond is not ours to run: the server takes it for lost after ten minutes. */
    GITEA_TASKS_OVER = 16,
};

struct gitea_queue_spec {              /* all borrowed for as long as the queue lives */
    struct registration *registration; /* of the kind REGISTRATION_GITEA */
    struct http *http;                 /* the listener's, on the loop that comes as client.loop */
    const char *version;               /* Ostler's: "1.0.0" */
    const struct store_spec
        *store; /* for workflows that jobs call, see called.h; NULL: none can be had */
    const char
        *scratch; /* a folder for logs that the server has not taken yet: files without names */
    int64_t minute_ms; /* for tests: how long a minute of its pauses takes; 0: a minute */
};

/* ERR_INVALID: its registration is broken; ERR_NOT_FOUND, ERR_DENIED: it cannot be read. *RET is the caller's.
 *
 * What the jobs hold is all but "How to run it here", except `store_source`, which is where this server's actions
 * are from and comes before what is configured, and `timeout_ms`. `runtime` has the way to the server's artifacts;
 * ACTIONS_CACHE_URL is the listener's to add. */
MUST_CHECK int queue_gitea_new(const struct gitea_queue_spec *spec, struct queue **ret,
                               struct err *err);
