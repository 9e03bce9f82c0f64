/* session - the message session of a runner scale set: opened, kept, asked for messages one after the other, closed.
 *
 * Source: actions/scaleset session_client.go and listener/listener.go. BASE is the tenant's address, SETS its
 * "_apis/runtime/runnerscalesets", each with "?api-version=6.0-preview":
 *
 *   open         POST SETS/ID/sessions {"ownerName"}: 200 with sessionId, messageQueueUrl, messageQueueAccessToken, statistics
 *   refresh      PATCH SETS/ID/sessions/SESSION: the same, with a new token
 *   close        DELETE SETS/ID/sessions/SESSION: 204
 *   ask          GET messageQueueUrl[&lastMessageId=N], Bearer messageQueueAccessToken, X-ScaleSetMaxCapacity: how many
 *                runners there may be; 200 a message, 202 nothing (after about 50 s), 401 the token has expired
 *   acknowledge  DELETE messageQueueUrl's path + "/N": 204; what is not deleted comes again
 *   acquire      POST SETS/ID/acquirejobs [ids], Bearer messageQueueAccessToken: 200 {"value": [ids]}
 *
 * One listener has the session of a set; another one is refused with 409. The public client gives up there, and whoever
 * supervises it starts it anew; we wait as a runner does, for the service forgets a session that nobody asks with. A token
 * that has expired is refreshed, and what was asked for is asked once more. */
#pragma once

#include "queue/github/api/call.h"
#include "queue/github/scale/message.h"

enum { SCALE_SESSION_ID_SIZE = 80 };

struct scale_session_client { /* the session is not to be freed in health() and note() */
    /* It is open. STATISTICS: NULL if the service does not say them. */
    void (*opened)(void *ctx, const char *id, const struct scale_statistics *statistics);
    /* MESSAGE, valid for the call; each once. NULL: nothing has happened. */
    void (*message)(void *ctx, const struct scale_message *message);
    /* It cannot be had: CONFLICT when its time is over, else what the service said. Nothing is done any more. */
    void (*failed)(void *ctx, const struct answer *a);
    /* WHY is NULL after an answer, else what is wrong and is tried again; valid for the call. */
    void (*health)(void *ctx, const char *why);
    void (*note)(void *ctx, const char *text);
    int (*capacity)(void *ctx); /* how many runners there may be */
    void *ctx;
};

struct scale_session;

struct scale_session_spec { /* all is borrowed */
    struct caller *caller;  /* its token is that of the admin connection */
    const char *base;       /* copied */
    int64_t set;            /* the id of the scale set */
    const char *owner;      /* this machine */
    struct scale_session_client client;
};

/* Begins to open one. */
struct scale_session *scale_session_new(const struct scale_session_spec *spec);
/* At once, without a word; wipes. Returns NULL; NULL does nothing. */
struct scale_session *scale_session_free(struct scale_session *s);

/* Nothing more is asked; the service is told, and DONE called once, from the loop, whatever it says to that. */
void scale_session_close(struct scale_session *s, void (*done)(void *ctx));

/* ---- for all questions to the service ---- */

/* Appends BASE/PATH?QUERY&api-version; QUERY may be NULL. */
void scale_url(struct buf *to, const char *base, const char *path, const char *query);
