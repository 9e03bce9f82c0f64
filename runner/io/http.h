/* http - requests to servers, by libcurl, which is loaded with the first client. The only module that knows it.
 *
 * A client belongs to one loop: requests go on side by side while it turns, over connections that are kept.
 * Nothing is read from the environment: proxies and certificates are what the spec says. */
#pragma once

#include "base/buf.h"
#include "io/loop.h"

struct http;      /* a client */
struct http_call; /* one request under way */

struct http_spec {     /* texts are copied; NULL is fine for each */
    const char *agent; /* User-Agent; "ostler" */
    const char *http_proxy,
        *https_proxy;     /* for addresses of that kind; user:password@ is honoured */
    const char *no_proxy; /* hosts for which there is none, as in NO_PROXY */
    const char *ca_file;  /* PEM; else the system's */
    bool trusts_all;      /* whoever answers is believed to be the one: for tests */
    /* A request that failed is tried again after that long, each time half as long again, and a little by
     * chance. 0: 3 s, as GitHub's clients have it. */
    int64_t retry_ms;
    int64_t connect_ms; /* a connection, with TLS, has to be there by then; 0: HTTP_CONNECT_MS */
};

enum {
    HTTP_ANSWER_MAX =
        8 << 20, /* bytes of an answer in memory, where a request names no other limit */
    HTTP_HEADERS_MAX = 64 << 10,      /* bytes of all headers of an answer */
    HTTP_HEADERS_ALL_MAX = 256 << 10, /* and of those before it: redirects, "100 Continue" */
    HTTP_REDIRECTS_MAX = 10,
    HTTP_RETRY_AFTER_MAX_S = 600,
    HTTP_CONNECT_MS = 30000,
    HTTP_IDLE_MS = 60000, /* without a byte in either direction */
    HTTP_IDLE_NEVER = -1,
};

struct http_answer {
    int status;
    struct buf headers; /* as they came, a line each, of the last answer in a row of redirects */
    struct buf body;    /* empty if it went to a descriptor */
    int64_t size;       /* bytes of the body */
};

void http_answer_deinit(struct http_answer *a);

/* The value of the header NAME; ptr NULL: there is none. Borrowed. */
struct slice http_header(const struct http_answer *a, const char *name);

/* True if A is to be asked for again although its status is fine ("no JSON"). */
typedef bool http_judge_fn(void *ctx, const struct http_answer *a);
/* False: HOST (in brackets where it is an address of IPv6) may not be asked at PORT. */
typedef bool http_host_fn(void *ctx, const char *host, const char *port);
/* Bytes of the body of an answer 2xx, in their order, each once. An error ends the request. */
typedef int http_sink_fn(void *ctx, struct slice bytes, struct err *err);
/* One try was not enough: WHY, and when the next one begins. */
typedef void http_retry_fn(void *ctx, unsigned tries, const char *why, int64_t wait_ms);

struct http_request {           /* all is borrowed until the end but the texts, which are copied */
    const char *method;         /* NULL: GET */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none of its own */
    struct slice body;          /* sent when the method has one; or: */
    int body_fd;                /* body_size bytes of it from body_offset on; 0: none */
    int64_t body_offset, body_size;
    /* Where the answer goes if it is one of 200 to 299; NULL: into memory. With a sink a GET that is cut off
     * goes on where it was, if the server can. */
    http_sink_fn *sink;
    unsigned
        tries; /* at most; 0: 1. After 429, 500, 502, 503, 504, no answer, and what JUDGE says; not before the server's
                  Retry-After, up to HTTP_RETRY_AFTER_MAX_S */
    bool trust_429; /* it is an answer as others */
    bool
        fresh; /* over a connection of its own: on a kept one that breaks libcurl sends it once more by itself */
    bool follow; /* redirects: Authorization does not go to other hosts */
    /* Or one redirect of each try, with all that was sent: method, headers with Authorization, body. The times below
     * begin anew with it. From https:// it is not followed to http://. One that is not followed, as a second one, is the
     * answer. */
    bool follow_once;
    /* Of one try; 0: HTTP_IDLE_MS, no limit. A long poll sets HTTP_IDLE_NEVER and a total: to watch for idleness wakes
     * us up every second. */
    int64_t idle_ms, total_ms;
    size_t answer_max; /* bytes of an answer in memory; 0: HTTP_ANSWER_MAX */
    bool keeps_head;   /* of one that is larger DONE gets so many bytes, along with ERR_LIMIT */
    http_host_fn
        *allows; /* asked for the address, and for each that it is redirected to; ERR_DENIED then */
    http_judge_fn *judge;
    http_retry_fn *retry;
    void *ctx; /* of these four, and the sink's */
};

/* ERR is NULL when there is an answer, of whatever status; else there is none, and A is NULL (or has a body alone: see
 * keeps_head). A is the caller's until the function returns. New requests may be started in it, the client may not be
 * freed. */
typedef void http_done_fn(void *ctx, struct http_answer *a, const struct err *err);

/* ERR_NOT_FOUND: there is no libcurl, and what to install. The client is freed before LOOP. */
MUST_CHECK int http_new(const struct http_spec *spec, struct loop *loop, struct http **ret,
                        struct err *err);
/* Ends all requests without a word. Returns NULL; NULL does nothing. */
struct http *http_free(struct http *h);

/* Begins Q; DONE is called once, from the loop. ERR_INVALID: it is no address of HTTP. *RET may be NULL; it is
 * valid until DONE is called. */
MUST_CHECK int http_start(struct http *h, const struct http_request *q, http_done_fn *done,
                          void *ctx, struct http_call **ret, struct err *err);
/* Ends one, without a word. Returns NULL. */
struct http_call *http_call_free(struct http_call *c);

/* Does Q and turns the loop meanwhile. *RET is the caller's: http_answer_deinit(). */
MUST_CHECK int http_do(struct http *h, const struct http_request *q, struct http_answer *ret,
                       struct err *err);

/* ---- connections for other protocols ---- */

struct
    http_pipe; /* made as for a request, with the same proxies and certificates; what goes over it is the caller's */

struct http_pipe_client {    /* called from the loop; the pipe may be freed in it */
    void (*open)(void *ctx); /* it is there */
    void (*lost)(void *ctx, const struct err *err); /* it could not be made */
    void (*ready)(
        void *ctx); /* something came, it was closed, or there is room for what is to be sent */
    void *ctx;
};

/* To the host and port of URL, http:// or https://, through a proxy with CONNECT. H outlives it. */
MUST_CHECK int http_pipe_new(struct http *h, const char *url, const struct http_pipe_client *client,
                             struct http_pipe **ret, struct err *err);
struct http_pipe *http_pipe_free(struct http_pipe *p); /* returns NULL; NULL does nothing */

/* Appends at most SIZE bytes to TO (its limit must have room): how many; 0: none at this time; -1: the connection is at
 * its end, and ERR says why. Once it is open, as the next one. */
MUST_CHECK ssize_t http_pipe_read(struct http_pipe *p, struct buf *to, size_t size,
                                  struct err *err);
/* How many of BYTES are on their way. What was not taken must be offered again from the same place in memory. */
MUST_CHECK ssize_t http_pipe_write(struct http_pipe *p, struct slice bytes, struct err *err);
/* Whether ready() is to be called for room, too. */
void http_pipe_want(struct http_pipe *p, bool room);
