/* session - our session at a queue of GitHub's: opened, for as long as that takes, and closed (github-protocol.md 3.2 to
 * 3.4). Over the broker, or over the legacy queue of the tenant.
 *
 * The server lets one session of a registration live at a time. One that was not closed it forgets after about a minute
 * without a poll; until then opening another is a conflict. */
#pragma once

#include "queue/github/api/call.h"
#include "queue/github/message/envelope.h"

enum { SESSION_ID_SIZE = 80, SESSION_URL_SIZE = 2048 };

struct session_client {
    /* It is open (FINE), or cannot be opened: CONFLICT, SKEW when their time is over, else what the server said. */
    void (*opened)(void *ctx, const struct answer *a);
    /* It could not be opened just now and will be tried again: WHY, valid for the call. */
    void (*waits)(void *ctx, const char *why);
    void *ctx;
};

struct
    session { /* its owner's; all but the client is filled in by session_init() and is to be read only */
    struct caller *caller;
    struct tenant *tenant; /* where the legacy queue is; learns what the server says of itself */
    const struct github_settings *settings;
    const char *version; /* of the runner, as we report it */
    struct session_client client;

    char id[SESSION_ID_SIZE]; /* "": there is none */
    struct envelope_key key;
    char migration
        [SESSION_URL_SIZE]; /* the broker that the legacy queue sends us to at once; "": none */

    bool discovered; /* the tenant was asked where things are */
    unsigned
        failures; /* but conflicts: what the service put in the place of .runner is given up after some */
    int64_t conflict_since,
        skew_since; /* clock_ms() of the first of these answers in a row; 0: none */
    struct call *call;
    struct timer *wait;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* What is given is borrowed until session_deinit(). TENANT: NULL if there is none. */
void session_init(struct session *s, struct caller *caller, struct tenant *tenant,
                  const struct github_settings *settings, const char *version,
                  const struct session_client *client);
void session_deinit(struct session *s); /* at once; wipes the key */

/* Opens one; forgets the one that there was. */
void session_open(struct session *s);

/* Closes it, or stops opening it, and calls DONE once, from the loop, whatever the server says to it: it has
 * waits.leave for that. TELL false: without a word to the server. */
void session_close(struct session *s, bool tell, void (*done)(void *ctx), void *ctx);
