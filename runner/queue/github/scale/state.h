/* state - a scale set while it runs: what set.c, find.c and runners.c share. */
#pragma once

#include "base/vec.h"
#include "queue/backoff.h"
#include "queue/github/recoveries.h"
#include "queue/github/scale/roster.h"
#include "queue/github/scale/session.h"
#include "queue/github/scale/set.h"

#define SCALE_SETS "_apis/runtime/runnerscalesets"
#define SCALE_RUNNERS_DIR "runners"
#define SCALE_SESSION_FILE "session"

enum { SCALE_URL_MAX = 8 << 10, SCALE_QUERY_MAX = 2 << 10 };

enum scale_state {
    SCALE_IDLE,      /* before the first want() */
    SCALE_FINDING,   /* the set, or making it */
    SCALE_LISTENING, /* the session is there, or is being opened */
    SCALE_LEAVING,   /* no more: what runs comes to its end, what is idle goes */
    SCALE_OVER,
};

enum scale_find {
    FIND_TOKEN,
    FIND_GROUP,
    FIND_SET,
    FIND_MAKE,    /* there is none */
    FIND_CHANGE,  /* its labels are others */
    FIND_SESSION, /* of a listener that was killed: closes it */
};

enum scale_runner_state {
    RUNNER_MAKING,
    RUNNER_SERVING,
    RUNNER_REMOVING, /* the service is asked to forget it; it serves still */
    RUNNER_SERVED,   /* its job is over, and the service has not told of that yet */
};

struct scale_set;

struct scale_runner {
    struct scale_set *set;
    enum scale_runner_state state;
    char *name;
    int64_t id; /* the service's */
    struct registration *registration;
    struct queue *queue; /* NULL: not there yet, or no more */
    struct call *call;
    bool had_job;     /* which was handed out */
    bool started;     /* so the service says, too */
    bool completed;   /* the same */
    int64_t until_ms; /* REMOVING was refused: not again before; SERVED: not longer than */
};

struct scale_set {
    struct queue base;
    struct scale_set_spec spec;
    struct github_place place;
    struct github_waits waits;
    struct caller caller;
    struct scale_admin *admin; /* NULL: not set up */
    struct scale_roster *roster;
    struct scale_session *session;
    int runners_dir;

    enum scale_state state;
    enum scale_find find;
    struct call *call;   /* of finding */
    struct timer *again; /* before it is tried again */
    struct backoff backoff;
    int64_t group, id;

    int want;
    bool counted; /* a session was opened, so these are the service's */
    struct scale_statistics statistics;
    struct queue_scale shown;
    VEC(struct scale_runner *) runners;
    struct backoff making;
    struct timer *make_again; /* none is made before */
    struct timer *look, *look_later;
    uint64_t requests, failures;  /* of runners that are gone */
    struct recoveries recoveries; /* jobs of a process that is gone */

    struct timer *leave; /* the time to take leave is over */
    int exit_code;
    bool ended, connected;
    char trouble[ERR_TEXT_SIZE]; /* why it ended, or what is wrong with the session */
    char making_trouble[ERR_TEXT_SIZE];
};

/* ---- set.c ---- */

/* Looks at everything once more, from the loop. */
void scale_look_soon(struct scale_set *s);
void scale_look_later(struct scale_set *s, int64_t ms);
void scale_note(struct scale_set *s, const char *text);
void scale_trouble(struct scale_set *s, const char *why); /* NULL: all is well */
/* It does not go on. TEXT: why, with the cure; "": nothing is wrong. The first counts. */
void scale_end(struct scale_set *s, int exit_code, const char *text);
/* The set was found. */
void scale_listen(struct scale_set *s);

/* ---- find.c ---- */

void scale_find_start(struct scale_set *s);
void scale_find_stop(struct scale_set *s);

/* ---- runners.c ---- */

/* Lets go of those that are over; makes and removes some, tells each whether it may take a job. */
void scale_runners_look(struct scale_set *s);
void scale_runners_told(struct scale_set *s, const struct scale_job *job);
/* It has a job, or one is on its way to it. */
bool scale_runner_is_busy(const struct scale_runner *r);
int scale_runners_busy(const struct scale_set *s);    /* how many */
int scale_runners_room(const struct scale_set *s);    /* how many there may be now */
int scale_runners_desired(const struct scale_set *s); /* how many there should be */
void scale_runners_free(struct scale_set *s);
/* Where the service is. */
const char *scale_base(const struct scale_set *s);
