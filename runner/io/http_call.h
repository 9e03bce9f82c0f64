/* http_call - what the modules of http share: a client, and a request under way. Private to io/http*.c: http.c has clients,
 * and what becomes of a request; http_try.c is one try of it; http_pipe.c has connections for other protocols. */
#pragma once

#include "io/http.h"
#include "io/http_lib.h"

struct http {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer; /* libcurl's */
    struct http_call *calls;
    char *agent, *http_proxy, *https_proxy, *no_proxy, *ca_file;
    bool trusts_all;
    int64_t retry_ms, connect_ms;
};

struct http_call {
    struct http_call *next;
    struct http *http;
    struct http_request q; /* texts: use those below */
    char *method, *url;
    char *moved;                         /* where a redirect sent this try; NULL: nowhere */
    struct curl_slist *headers, *resume; /* resume: the headers with a range */
    http_done_fn *done;
    void *ctx;
    struct http_pipe *pipe; /* it is no request, but a connection for this one; NULL: it is one */

    CURL *easy;
    bool added;               /* libcurl has it */
    struct timer *connecting; /* ends it; NULL: it is connected, or libcurl looks to that */
    struct timer *wait;       /* for the next try */
    unsigned tries;
    int64_t sent;       /* of the body, in this try */
    int64_t got;        /* bytes that the sink has */
    int64_t skip;       /* bytes to pass over: the server began anew */
    bool begun;         /* bytes of this try's body have come */
    size_t headers_got; /* bytes, in this try */
    bool to_sink;
    struct http_answer answer;
    struct err err; /* the sink's, or a limit */
    char why[CURL_ERROR_SIZE];
};

/* ---- http.c ---- */

/* ERR_INVALID: it cannot be sent. */
MUST_CHECK int http_request_check(const struct http_request *q, struct err *err);
/* One of H's, not yet tried; http_call_free() ends it. */
struct http_call *http_call_new(struct http *h, const struct http_request *q, http_done_fn *done,
                                void *ctx);
/* Why the try ended with CODE; libcurl knows as long as it has the request. CONNECT_STATUS as in struct http_why. */
void http_call_blame(const struct http_call *c, CURLcode code, int connect_status, struct err *ret);
/* A timer's: it is not connected in time. CTX: the call, which may be freed in it. */
void http_call_late(void *ctx);

/* ---- http_try.c ---- */

/* The address that this try asks. */
const char *http_call_url(const struct http_call *c);
/* Hands C to libcurl. */
MUST_CHECK int http_call_try(struct http_call *c, struct err *err);
/* Takes it back, under way or at its end. */
void http_call_let_go(struct http_call *c);
/* Of the answer that comes; 0: none yet. */
int http_call_status(const struct http_call *c);

/* ---- http_pipe.c ---- */

/* libcurl is done with making P's connection. */
void http_pipe_over(struct http_pipe *p, CURLcode code);
