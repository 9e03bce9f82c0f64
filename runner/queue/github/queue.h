/* queue - GitHub's queue for one registration: its session, its poll, and its one job at a time, as a struct queue.
 *
 * A message that a job waits is answered with taking it only while want() says that it could start at once; else we are
 * "Busy" there. One that comes in the moment when a slot was lost is kept for a while, for the slot may come back.
 *
 * It ends by itself (health: ended) when there is nothing more to do or no way on; the exit code then is the official
 * runner's: 0 the registration is used up, deleted or revoked, 1 the server refuses us, 5 another listener has this
 * registration (github-protocol.md 9.4). What only the official runner's supervisor mends by starting it anew, a new
 * session mends here. */
#pragma once

#include "queue/github/settings.h"
#include "queue/github/api/waits.h"
#include "queue/queue.h"

#define QUEUE_GITHUB_VERSION                                                                       \
    "2.336.0" /* of the official runner; the service turns away those that are too old */

struct http;

struct queue_github_spec {
    /* Borrowed until free(). Its files are removed when the server has forgotten it: after the one job of an ephemeral
     * runner, and when it was deleted there. */
    struct registration *registration;
    struct http *http;   /* outlives the queue */
    const char *version; /* of the runner, as we report it; NULL: QUEUE_GITHUB_VERSION */
    /* "name/version" that stands in our User-Agent, too, as from GITHUB_ACTIONS_RUNNER_EXTRA_USER_AGENT. NULL: none; what is
     * no such text is left out. */
    const char *extra_agent;
    int spool; /* directory for the logs of a job until they are sent, borrowed; -1: memory */
    /* When our version is not accepted any more: the official runner has 7 where its environment asks for it.
     * 0: 1 */
    int deprecated_exit;
    bool no_redirects; /* a job's calls follow none, whatever the job says (10.4) */
    /* For tests: */
    const struct github_waits *waits; /* copied; NULL: the official runner's */
    int64_t minute_ms;                /* how long a minute of them takes; 0: a minute */
};

/* The registration's files are read here. *RET is the caller's: ops->free(). It asks for nothing before want(). */
MUST_CHECK int queue_github_new(const struct queue_github_spec *spec, struct queue **ret,
                                struct err *err);

/* True while Q has no job, none is on its way, and it had none of those that use it up. */
bool queue_github_is_free(const struct queue *q);
