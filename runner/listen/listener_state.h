/* listener_state - between the files of the listener: listener.c its loop and what it is asked for, listener_jobs.c the
 * jobs from their queue to their end, listener_offers.c who may take how many, listener_tell.c what others are told. */
#pragma once

#include "base/vec.h"
#include "listen/listener.h"

enum { LISTENER_PASS_MS = 1000 }; /* until slots that nobody took are offered to the next in turn */

enum phase {
    PHASE_SERVING,
    PHASE_DRAINING, /* what runs comes to its end */
    PHASE_STOPPING, /* what runs is told to end */
    PHASE_LEAVING,  /* what runs is killed, and nobody waited for */
};

struct debt { /* what a queue owes its server beside its jobs */
    char *key;
    struct journal_entry *entry;
};

struct member { /* one registration */
    struct listener *listener;
    char *name, *kind, *url, *labels;
    int capacity;
    const char *const *env;
    struct queue *queue;
    struct journal *journal;
    VEC(struct debt) debts;
    int running;
    int64_t turn;  /* when it last had its turn: see share.h */
    int offered;   /* what the queue was told last; -1: it has to be told */
    bool closed;   /* the queue was */
    bool ended;    /* the queue has, and that was told */
    bool met;      /* it was in contact, and that was told */
    char *trouble; /* what was told last; NULL: nothing */
};

struct task { /* one job, from its start until its server knows of its end */
    struct member *member;
    char *key, *repository, *name, *workflow, *event, *result; /* NULL: not known */
    char *dir;                                                 /* its own, below the work folder */
    struct journal_entry *entry;
    struct services *services;
    struct job_record *record; /* NULL: nothing is kept of it */
    int64_t started_ms;
    bool stopping; /* it was told to end */
    bool over;     /* its worker is gone */
};

struct listener {
    struct listener_spec spec;
    struct pool *pool;
    VEC(struct member *) members;
    VEC(struct task *) tasks;
    enum phase phase;
    bool leaving;        /* somebody wants us to end */
    bool renewing;       /* it drains because it is to begin anew */
    struct timer *grace; /* when jobs are told to end that a drain waits for */
    bool due; /* something happened that changes who may take a job, or may have brought one */
    int64_t turns, started_ms;
    bool disk_full;        /* and that was told */
    struct timer *look;    /* when the disk is looked at again, while it is full */
    struct timer *pass_on; /* when the slots that nobody took are offered to the next in turn */
    int64_t pass_ms;
    int exit_code;
};

/* ---- listener_jobs.c ---- */

struct task *listener_task(const struct listener *l, const char *key); /* NULL: there is none */
int listener_running(const struct listener *l);
int listener_slots(const struct listener *l);

/* Starts what the queues hand out, while there are slots. */
void listener_hand_out(struct listener *l);
/* The pool's: see pool.h. CTX is the listener. */
int listener_on_event(void *ctx, const char *key, json_t *event, struct slice log, struct err *err);
void listener_on_end(void *ctx, const char *key, const char *why);
/* Lets go of the tasks that are over and that their servers know of; of all of them, if ALL. */
void listener_settle(struct listener *l, bool all);
/* Fits struct queue_client's owe(); CTX is the member. */
void listener_on_owe(void *ctx, const char *key, const json_t *lease);
/* What is owed still is the next listener's. */
void listener_leave_debts(struct member *m);
/* Cleans up behind listeners that were killed. */
void listener_recover(struct listener *l);
void task_free(struct task *t, bool known); /* KNOWN: the server does; else its journal keeps it */

/* ---- listener_offers.c ---- */

/* Tells each queue how many jobs it may take now. */
void listener_offer(struct listener *l);

/* ---- listener_tell.c ---- */

void listener_on_trouble(void *listener, const char *text); /* fits struct pool_spec */

void listener_say(const struct listener *l, enum listener_level level, const struct member *m,
                  const char *job, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* What has changed between the queues and their servers. */
void listener_look_at_health(struct listener *l);
