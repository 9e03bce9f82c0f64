/* poll - asking GitHub's queue for messages: one question at a time, for as long as the session lives (github-protocol.md
 * 3.5, 3.6, 3.8).
 *
 * The server holds a question for about 50 s when there is nothing. One that is answered at once with nothing, or with
 * messages that are of no use, is not asked again at once: first after a second, then ever later up to half a minute.
 * One that is too large to be read is of no use, either. After an error there is a pause of its own. Sent on to a broker
 * (BrokerMigration), the legacy queue is asked first each time and the broker then, with the same session. */
#pragma once

#include "queue/backoff.h"
#include "queue/github/session.h"

struct github_poll_client {
    /* MESSAGE, to be taken or left. Nothing is asked until github_poll_next(). */
    void (*message)(void *ctx, struct envelope *message);
    /* This session is of no use any more, or none will be: A says why. Nothing is asked until github_poll_start(). */
    void (*failed)(void *ctx, const struct answer *a);
    /* Something that people should know of it; valid for the call. */
    void (*warn)(void *ctx, const char *text);
    /* How it stands: WHY is NULL after an answer, else what is wrong; valid for the call. */
    void (*health)(void *ctx, const char *why);
    void *ctx;
};

struct github_poll { /* its owner's; filled in by github_poll_init(), to be read only */
    struct session *session;
    struct github_poll_client client;

    bool started, online;
    bool at_broker; /* the question goes to the broker we were sent on to */
    char broker[SESSION_URL_SIZE];
    bool has_id; /* the message that came last has one: */
    int64_t id;
    bool has_last; /* the same of the legacy queue's own */
    int64_t last_id;

    int64_t unreadable; /* the id of a message that could not be read; 0: none */
    int64_t too_large;  /* of the last one that was; 0: none */
    bool strayed;       /* and so a session is given up that lives on: it is to be closed */
    unsigned errors;    /* in a row */
    struct backoff floor;
    int64_t begun_ms;       /* of the question, or of the first of a pair */
    int64_t empty_since_ms; /* empty answers are counted from then on */
    unsigned empty;
    struct call *call; /* a question, or: */
    bool newer;        /* that goes with the newer authority's token */
    bool removes;      /* a message is being deleted; */
    bool hurry;        /* then the next is asked for at once */
    struct timer *wait;
    bool aside; /* it is waited for the end of what github_poll_step_back() made way for */
    struct call *acknowledging;
    call_fn *acknowledged;
    void *acknowledged_ctx;
};

/* SESSION is borrowed until github_poll_deinit(). */
void github_poll_init(struct github_poll *p, struct session *session,
                      const struct github_poll_client *client);
void github_poll_deinit(struct github_poll *p); /* at once, without a word */

/* The session was opened: begins to ask. */
void github_poll_start(struct github_poll *p);
void github_poll_stop(struct github_poll *p);

/* Whether a job would be taken now ("Online"), or not ("Busy"). A question that says otherwise is asked anew. */
void github_poll_set_online(struct github_poll *p, bool online);

/* What the server is told next, elsewhere, may lead to a message and to another status: a question that were cut off
 * then would take the message with it. So it is cut off now, and asked anew with the other status, or a second later. */
void github_poll_step_back(struct github_poll *p);

/* What became of a message (3.6). The broker forgets what it delivered by itself, the legacy queue is told to. */
enum github_poll_fate {
    GITHUB_POLL_TAKEN,   /* it was of use: forget it, and the next one at once */
    GITHUB_POLL_USELESS, /* forget it, and no hurry */
    GITHUB_POLL_LEFT,    /* it is not for us now: it stays there, and no hurry */
};
void github_poll_next(struct github_poll *p, enum github_poll_fate fate);

/* Tells the broker, from which the last message came, that the job REQUEST_ID has reached us. DONE is called once,
 * waits.acknowledge later at most. */
void github_poll_acknowledge(struct github_poll *p, const char *request_id, call_fn *done,
                             void *ctx);
