/* state - a queue of GitHub's while it runs: what queue.c, take.c and renew.c share. */
#pragma once

#include "queue/github/assignment.h"
#include "queue/github/poll.h"
#include "queue/github/queue.h"
#include "queue/github/recoveries.h"
#include "queue/github/refresh.h"

enum github_state {
    GITHUB_IDLE,      /* before the first want() */
    GITHUB_OPENING,   /* a session */
    GITHUB_LISTENING, /* the poll asks, or rests on a message */
    GITHUB_ENDING,    /* asks no more: a job is still to end */
    GITHUB_LEAVING,   /* the session is being closed */
    GITHUB_OVER,
    GITHUB_STATES
};

struct github_end { /* why, and how */
    bool decided;
    int exit_code;
    char text[2 * ERR_TEXT_SIZE]; /* "": nothing is wrong */
    bool tell;                    /* the session is to be closed in order */
    bool forgotten; /* the server does not know the registration any more: its files go */
};

enum { GITHUB_HAD = 16, GITHUB_HAD_SIZE = 48 };
struct telling;

struct github {
    struct queue base;
    struct registration *registration;
    struct github_settings *settings;
    struct tenant *tenant;
    struct github_token *token;
    struct github_waits waits;
    char *version, *agent;
    char *extra_agent; /* NULL: none */
    int spool, deprecated_exit;
    bool no_redirects;

    enum github_state state;
    struct caller caller;
    struct session session;
    struct github_poll poll;
    struct timer *pause; /* before a session is opened anew, or the poll goes on */
    struct timer *leave; /* the time to take leave is over */
    struct github_end end;
    bool connected;
    char trouble[2 * ERR_TEXT_SIZE];

    int want;
    bool served;          /* its only job came (ephemeral) */
    bool cancelled;       /* no job is begun any more, and the one that runs is to end */
    struct envelope held; /* a job that waits for a slot; its body NULL: none */
    struct timer *hold;   /* until it is let go */
    struct backoff throttle;
    bool missed;         /* the last job could not be had */
    struct call *taking; /* acquirejob */
    json_t *reference;   /* of the job that is being had */
    struct assignment *job;
    struct recoveries recoveries;          /* jobs of a process that is gone */
    char had[GITHUB_HAD][GITHUB_HAD_SIZE]; /* jobs that we had, the newest of them */
    unsigned n_had;
    char *refused_update; /* the last version that we were told to update to */

    struct call *refreshing;       /* RunnerRefreshConfig */
    struct github_refresh refresh; /* of it */
    bool renew_due;                /* a file was replaced: once no job runs, it is taken in */
    bool renamed;                  /* and that was written down */
    bool migrates;                 /* the service has said so while we ran */
    struct telling *tellings;
};

/* ---- take.c: messages ---- */

/* What comes of MESSAGE, which may be taken. Every way leads to github_poll_next(), now or later. */
void take_message(struct github *g, struct envelope *message);
/* A slot came free, or the job is over: takes the message that is held. */
void take_held(struct github *g);
/* No job is taken any more: what is held stays with the server. */
void take_stop(struct github *g);

/* ---- queue.c ---- */

/* Nothing more is taken; ends when the job has. The first reason counts. */
void github_end(struct github *g, const struct github_end *end);
/* What is to be told now: "Online", or "Busy". */
void github_show(struct github *g);
void github_note(struct github *g, const char *text);
/* The same, and somebody should look into it; fits those who tell of a job, or of a message. */
void github_warn(void *github, const char *text);
/* Goes on with what waited for a job's end. */
void github_settle(struct github *g);
struct assignment_client github_job_client(struct github *g);
/* What goes with the settings: made of them, and let go of before they are. */
void github_set_up(struct github *g);
void github_put_down(struct github *g);

/* ---- renew.c ---- */

/* The tenant is told of us, for the service's people; nothing depends on it. */
void github_tell_state(struct github *g, const char *state, const char *text);
void github_tellings_free(struct github *g);
void github_deferred(void *github, const char *why); /* fits struct caller */
void github_renamed(void *github, const char *name); /* fits struct assignment_client */
/* A message RunnerRefreshConfig; leads to github_poll_next(). */
void github_refresh(struct github *g, const json_t *message);
/* Begins anew with the files that are there now. */
void github_renew(struct github *g);
/* A session cannot be opened with what the service gave us: true, if there is something else, and that is tried. */
bool github_fall_back(struct github *g, const struct answer *a);
