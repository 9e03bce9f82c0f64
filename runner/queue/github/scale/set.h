/* set - a runner scale set of GitHub's as one queue: its session tells how many jobs wait, and as many runners are made for
 * them, each for one job.
 *
 *   what it does                          who tells it to
 *   finds the set by name, or makes it    the first want()
 *   opens its session, asks for messages  from then on
 *   makes runners, removes idle ones      the figures in the session and in each message
 *   lets runners take jobs                want(): never more than could be started now
 *
 * Each runner is a queue of its own over a just-in-time registration that lives in memory (queue.h), and what such a queue
 * says comes through as ours. So jobs, leases, reports and exit codes are those of any runner of GitHub's.
 *
 * There are to be min(MOST, LEAST + assigned jobs) runners: that is how the public clients count (actions/scaleset
 * examples/dockerscaleset/scaler.go, actions-runner-controller cmd/ghalistener/scaler). Assigned are those that run, too. A
 * job of ours that has ended still counts there until the service tells of it, so it is taken off.
 *
 * The set itself stays on the server when we leave: its jobs wait there for the next listener. */
#pragma once

#include "queue/github/queue.h"
#include "queue/github/scale/admin.h"

enum {
    SCALE_RUNNERS_MAX = 1000, /* of one set */
    SCALE_SET_NAME_MAX = 64,  /* bytes */
    SCALE_SET_LABELS_MAX = 100,
};

struct scale_set_spec { /* all is borrowed until free() */
    const char *url;    /* of a repository, an organisation, an enterprise */
    bool force_ghes;    /* see github_register_spec */
    struct scale_credential credential;
    const char *name;
    const char *group;         /* NULL: the default one */
    const char *const *labels; /* NULL-terminated; none: the name is the label */
    int least, most;           /* runners; 0 <= least <= most, 1 <= most */
    const char *owner;         /* this machine's name */
    /* A folder of the set's own that no other listener of this machine uses: what the next one needs to know when this one
     * is killed. -1: none. */
    int dir;
    struct queue_github_spec
        runner; /* of each runner: all but the registration; its waits are copied */
};

/* *RET is the caller's: ops->free(). It asks for nothing before want(). ERR_INVALID: a bad address, name or label, or more
 * runners than there may be; the cure is said. */
MUST_CHECK int scale_set_new(const struct scale_set_spec *spec, struct queue **ret,
                             struct err *err);
