/* websocket - the client's side of a websocket (RFC 6455), for one who has something to say: text goes there, and what
 * comes is read for pings and the end only.
 *
 * By http's pipe, as the libcurl of Debian 12 has no websockets of its own: so proxies and certificates are those of
 * requests. Nothing in here waits, and what may wait to be sent is bounded. */
#pragma once

#include "io/http.h"

struct websocket;

enum {
    WEBSOCKET_OUT_MAX = 256 << 10, /* bytes that may wait to be sent */
    WEBSOCKET_FRAGMENT = 1024,     /* bytes of a message in one frame */
    WEBSOCKET_ANSWER_MAX = 16 << 10,
    WEBSOCKET_OPEN_MS = 30000,  /* until the server has agreed */
    WEBSOCKET_STALL_MS = 60000, /* that it may take nothing of what waits */
};

struct websocket_client {    /* called from the loop; the websocket may be freed in it */
    void (*open)(void *ctx); /* it can be sent to */
    void (*lost)(void *ctx, const struct err *err); /* it never could, or no longer */
    void *ctx;
};

/* URL: ws:// or wss://, http:// or https:// of the same meaning. HEADERS: "Name: value", NULL-terminated, besides those
 * of the protocol; NULL: none. All is copied; H and LOOP outlive it. */
MUST_CHECK int websocket_new(struct http *h, struct loop *loop, const char *url,
                             const char *const *headers, const struct websocket_client *client,
                             struct websocket **ret, struct err *err);
struct websocket *websocket_free(struct websocket *w); /* returns NULL; NULL does nothing */

/* TEXT (UTF-8) as one message. False: it is not open, or there is no room; nothing of it is sent then. */
bool websocket_send(struct websocket *w, struct slice text);
size_t websocket_waiting(const struct websocket *w); /* bytes that are not on their way yet */
/* Takes leave: nothing more is sent behind this. */
void websocket_close(struct websocket *w);

/* ---- the protocol itself, without a connection ---- */

enum websocket_opcode {
    WEBSOCKET_CONTINUED = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
    WEBSOCKET_FIN = 0x80, /* a flag: the last of its message */
};

enum { WEBSOCKET_CONTROL_MAX = 125 };

/* Appends one frame as clients send it. FIRST: its opcode, and WEBSOCKET_FIN. */
void websocket_frame(struct buf *to, unsigned first, struct slice payload,
                     const unsigned char mask[4]);

/* A server's frames, in pieces of any size; works when zeroed. */
struct websocket_reader {
    unsigned char head[10];
    size_t n_head;
    uint64_t left;   /* of the payload */
    bool in_payload; /* HEAD is complete */
    bool in_message; /* the next frame of data goes on with one */
    unsigned char control[WEBSOCKET_CONTROL_MAX];
    size_t n_control;
};

/* A frame that says something about the connection: WEBSOCKET_CLOSE, PING, PONG. */
typedef void websocket_control_fn(void *ctx, unsigned opcode, struct slice payload);

/* ERR_INVALID: this is no server that speaks the protocol. */
MUST_CHECK int websocket_read(struct websocket_reader *r, struct slice bytes,
                              websocket_control_fn *fn, void *ctx, struct err *err);

/* HEAD, with all its lines, is the answer that agrees to KEY. */
MUST_CHECK int websocket_agreed(struct slice head, const char *key, struct err *err);
