/* feed - a job's lines while they are being said, for whoever looks at it: by websocket, and where there is none by the
 * timeline (github-protocol.md 6.6).
 *
 * The best that can be done without holding anything back: lines wait together for a quarter of a second, and when the
 * service is slower than the job, lines are lost here. The logs have them all. */
#pragma once

#include "io/http.h"

#include <jansson.h>

struct feed;

enum {
    FEED_WAITING_MAX = 1024,     /* lines */
    FEED_LINE_MAX = 1024,        /* characters of one; "..." follows */
    FEED_MESSAGE_LINES = 100,    /* of one message, all of one step */
    FEED_MESSAGE_MAX = 32 << 10, /* bytes of its lines */
    FEED_LAST_LINES = 200,       /* of each step, that are still sent at the end */
};

struct feed_spec { /* texts are copied, the others outlive it */
    struct http *http;
    struct loop *loop;
    const char *url;   /* of the websocket; NULL: there is none */
    const char *token; /* the job's */
    const char *agent; /* User-Agent; NULL: "ostler" */
    /* The other way: whether it takes a message now, and one, taken over. NULL: there is none. */
    bool (*can_post)(void *ctx);
    void (*post)(void *ctx, json_t *message);
    void (*progress)(void *ctx); /* feed_idle() may be another now */
    void *ctx;
    int64_t first_ms, later_ms; /* between two rounds; 0: 250, and from the 240th on 500 */
    int64_t again_ms;           /* before connecting again, up to five times that; 0: 100 */
    int64_t last_ms;            /* for what waits at the end; 0: 2 s */
};

/* Connects with the first line: before a job's lock was renewed for the first time nothing may be told of it. */
struct feed *feed_new(const struct feed_spec *spec);
struct feed *feed_free(struct feed *f); /* wipes the token; NULL does nothing */

/* TEXT are lines of step ID (borrowed as long as the feed), masked; the first is number NR of its log. CONTINUED: it
 * goes on with a line the beginning of which was here before. */
void feed_add(struct feed *f, const char *id, int64_t nr, struct slice text, bool continued);

/* No more lines: sends the last ones that wait and takes leave. */
void feed_finish(struct feed *f);
bool feed_idle(const struct feed *f);
