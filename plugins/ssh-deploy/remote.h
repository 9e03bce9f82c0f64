/* remote - one server: its one connection, the lock that goes with it, and scripts run there.
 *
 * A thread of the phase sits in the first ssh, whose session takes the lock on the server and holds it; every
 * script is one more session of that connection. So whatever ends it, the runner's death too, ends the lock, and
 * nothing stays behind on either side. Functions that fail leave the reason in WHY, not with the host: with several
 * servers it depends on all of them what the step has to say. */
#pragma once

#include "access.h"

#include <pthread.h>

#ifndef REMOTE_PULSE
#define REMOTE_PULSE "2" /* seconds between signs of life of the session with the lock */
#endif

enum {
    LINE_SIZE = 4096,  /* what a script says in one line and we hand on */
    TROUBLE_MAX = 4096 /* the end of what ssh itself said */
};

/* What a script told: "@TOKEN name=value". Its other lines are in the log. */
struct told {
    struct strings names, values;
};

const char *told_get(const struct told *t, const char *name); /* the last of that name; "" */

struct remote {
    struct ost_step *step;
    const struct settings *settings;
    const struct access *access;
    const struct server *server;
    const char *alias, *prefix; /* PREFIX "": there is one server, so lines need none */
    const char *deploy;         /* the id of the deploy that is done, or undone */
    const char *why;            /* the last failure */
    char token[33];             /* of this connection; proves that a line is ours */
    /* the connection */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards those below it */
    pthread_cond_t changed;
    bool started, locked, over, leave;
    struct told said;
    ost_status end;
    /* what inspect found */
    const char *folder; /* absolute */
    const char *current, *previous, *last, *pending, *step_of, *by, *compose;
    /* how far the deploy is here */
    const char *release;
    bool prepared, switched, undone, done;
};

struct op {             /* one script */
    const char *body;   /* sh_... */
    const char *values; /* assignments; NULL */
    const char *calls;  /* behind it; NULL */
    int64_t timeout_ms; /* 0: the step's */
    bool quiet;         /* what it says is left out of the log */
};

/* Fills RET in for the Ith server. */
void remote_init(struct remote *ret, struct ost_step *step, const struct settings *s,
                 const struct access *a, size_t i);

/* Connects and takes the lock; WHO will read who holds it. OST_E_DENIED: another deploy has it, or the server is
 * not the one that it should be; OST_E_NOT_FOUND: there is no ssh. */
ost_status remote_connect(struct remote *r, const char *who, int64_t patience_ms);

/* Its connection has ended, whoever ended it. */
bool remote_is_lost(struct remote *r);

/* Gives the lock back and ends the connection; a no-op without one. */
void remote_close(struct remote *r);

/* Runs a script; RET may be NULL. */
ost_status remote_run(struct remote *r, const struct op *op, struct told *ret);

/* Copies files there, which rsync's ARGS name, behind the options for ssh; the last is below the server's folder and
 * begins with "%", which stands for it. */
ost_status remote_copy(struct remote *r, const char *const *args, const char *cwd);

__attribute__((format(printf, 3, 4))) ost_status remote_fail(struct remote *r, ost_status code,
                                                             const char *format, ...);
