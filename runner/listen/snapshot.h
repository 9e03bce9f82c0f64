/* snapshot - how a listener is at one moment: what "ostler status", /status, /readyz and the metrics tell.
 *
 * The listener fills one in when it is asked; nothing is kept up to date for the case that somebody asks. What it
 * points to lives in the arena that it was filled in with, or in the listener, and is used before its loop turns on. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "queue/queue.h"

enum {
    SNAPSHOT_JSON_MAX = 4 << 20,
    /* Longer without an answer from its server is no contact: a long poll of GitHub's takes 50 s, and another two
     * tries have their place before that is said. */
    SNAPSHOT_CONTACT_MS = 180000,
};

struct snapshot_registration {
    const char *name;   /* of the registration, as at "ostler register" */
    const char *kind;   /* "github", "gitea", "scale-set" */
    const char *url;    /* where it is registered */
    const char *labels; /* "linux,x64"; NULL: not known */
    struct queue_health health;
    int running; /* jobs */
};

struct snapshot_job {
    const char *key;                                  /* "REGISTRATION/id" */
    const char *registration;                         /* its name */
    const char *repository, *name, *workflow, *event; /* NULL: not known */
    int64_t started_ms;                               /* clock_ms() */
    bool stopping;                                    /* it was told to end */
};

struct snapshot {
    const char *version; /* of Ostler */
    int64_t started_ms;  /* clock_ms() when the listener came up */
    int slots, slots_min,
        slots_max; /* how many jobs at once: now, and between which; fixed: all are the same */
    bool draining; /* no job is taken any more */
    int64_t disk_free,
        disk_wanted; /* bytes: there are, and have to be before a job is taken; -1: not looked at */
    const char *
        trouble; /* what keeps the listener as a whole from taking jobs, with the cure; NULL: nothing */
    const struct snapshot_registration *registrations;
    size_t n_registrations;
    const struct snapshot_job *jobs; /* that run */
    size_t n_jobs;
};

/* Where snapshots come from: the listener. */
struct snapshot_source {
    void (*take)(void *ctx, struct arena *a, struct snapshot *ret);
    void *ctx;
};

/* Whether the service manager should take us for alive: some registration has had an answer of late, has come to its
 * end, or a job runs, which nobody may kill because a server is away. */
bool snapshot_is_alive(const struct snapshot *s, int64_t now_ms);

/* Whether jobs would be taken: some registration is in contact, and nothing stands in their way. If not, WHY says why in
 * one line; it may be NULL. */
bool snapshot_is_ready(const struct snapshot *s, int64_t now_ms, struct buf *why);

/* As a document; ages are in seconds. See cmd_status.md. A new reference. */
json_t *snapshot_json(const struct snapshot *s, int64_t now_ms);
