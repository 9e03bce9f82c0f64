/* listener - a self-hosted runner: takes jobs out of many queues, runs at most N at a time, and stays up.
 *
 *     listener_new()        how jobs are run here
 *     listener_add()        a registration's queue, once for each
 *     listener_run()        until all queues have ended, or somebody wants us to
 *
 * Free slots are dealt out among the queues (share.h). Each job gets a folder of its own below the work folder, and an
 * entry in its registration's journal before its worker starts; both are gone when the job is over and its server
 * knows. Nothing is done by the clock but what has to be.
 *
 * SIGTERM and SIGINT: the first lets the jobs that run come to their end and takes no more; the second, or DRAIN_MS after
 * the first, ends them, as a machine that is shut down does, and still tells the servers; the third kills them and waits
 * for nobody. SIGHUP is for a listener that is to begin anew, with another configuration or program: no more jobs are
 * taken, and once those that run have ended whoever called listener_run() may begin again. */
#pragma once

#include "listen/journal.h"
#include "listen/outfit.h"
#include "listen/pool.h"
#include "listen/record.h"
#include "listen/snapshot.h"
#include "queue/queue.h"

struct listener;

enum listener_level { LISTENER_INFO, LISTENER_WARNING, LISTENER_ERROR, LISTENER_LEVELS };

/* One thing to tell people. All is borrowed for the call; NULL: it is about none. */
struct listener_note {
    enum listener_level level;
    const char *registration, *job; /* name; key */
    const char *text;
};

/* A job as others see it. All is borrowed for the call. */
struct listener_job {
    const char *key, *registration;
    const char *kind;                                 /* of the registration */
    const char *repository, *name, *workflow, *event; /* NULL: not known */
    const char *result; /* "success", ...: when it has ended; NULL: it never said one */
    const char *record; /* the folder where its log is kept; NULL: it is not */
    int64_t started_ms; /* clock_ms() */
};

/* Who looks on. Each may be NULL. */
struct listener_hooks {
    void (*note)(void *ctx, const struct listener_note *note);
    /* ERR_DENIED: JOB may not run here; its server is told the text. */
    int (*admit)(void *ctx, const struct job *job, struct err *err);
    /* A scale set's server gave JOB (its key is NULL) to a runner of ours, WAITED_MS after the set had got it. */
    void (*assigned)(void *ctx, const struct listener_job *job, int64_t waited_ms);
    void (*started)(void *ctx, const struct listener_job *job);
    void (*ended)(void *ctx, const struct listener_job *job);
    void (*draining)(void *ctx); /* no job is taken from here on; once */
    /* Somebody wants us to begin anew: whether that can be. If not, ERR says why. NULL: it cannot. */
    int (*renew)(void *ctx, struct err *err);
    void *ctx;
};

struct listener_spec { /* all is borrowed until listener_free() */
    struct loop *loop; /* the queues' as well */
    const char *work;  /* absolute; there already; jobs' folders are made and removed below it */
    int slots;         /* jobs at once, 1 or more */
    bool once;         /* one job, and no more */
    int64_t drain_ms;  /* that jobs have after the first SIGTERM; 0: as long as they take */
    int64_t
        min_free; /* bytes that the work folder's file system has to have before a job is taken */
    int64_t
        recover_ms; /* for workers of a listener that was killed to end; 0: LISTENER_RECOVER_MS */
    const struct record_spec *records; /* NULL: of jobs nothing is kept */
    const struct outfit *outfit;
    const char *const *env; /* of the workers */
    const char *program;    /* see struct pool_spec */
    const char *minute_ms;  /* see struct worker_spec; NULL: a real minute */
    const char *version;
    struct listener_hooks hooks;
};

enum { LISTENER_RECOVER_MS = 30000 };

MUST_CHECK int listener_new(const struct listener_spec *spec, struct listener **ret,
                            struct err *err);

struct listener_member {
    const char *name; /* copied, as are the next three; unique */
    const char *kind, *url, *labels;
    int capacity;             /* jobs that it can have at once, 1 or more */
    const char *const *env;   /* of the workers of its jobs, borrowed; NULL: the listener's */
    struct queue *take_queue; /* of one that talks to a server */
    struct journal *take_journal;
};

void listener_add(struct listener *l, const struct listener_member *member);

/* Cleans up behind listeners that were killed, then serves. *RET_CODE is what the first queue that went for good wants
 * us to exit with, 0 for none. Errors are ours alone: what goes wrong with servers and jobs is told. */
MUST_CHECK int listener_run(struct listener *l, int *ret_code, struct err *err);

/* True once listener_run() is over: because it is to begin anew, and nobody wanted it to end since. */
bool listener_is_renewed(const struct listener *l);

/* Kills what still runs; the journals keep what the servers do not know. Frees the queues. Returns NULL. */
struct listener *listener_free(struct listener *l);

/* How it is now; fits struct snapshot_source with the listener as CTX. */
void listener_snapshot(void *listener, struct arena *a, struct snapshot *ret);

/* Takes no more jobs, as the first SIGTERM does. */
void listener_drain(struct listener *l);
