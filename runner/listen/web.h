/* web - answers GET requests over HTTP/1.1, on a port or a Unix socket, out of the loop.
 *
 * Just what a probe, Prometheus and "ostler status" need: no bodies, one request a connection. (libmicrohttpd, which the
 * services of jobs use, brings GnuTLS along: 2.6 MB of private memory and 3 ms, in a listener that is to have 4 MB in all.)
 * Who connects can make us keep WEB_CONNECTIONS_MAX heads and one answer each, for WEB_DEADLINE_MS; who comes then takes the
 * place of the oldest. */
#pragma once

#include "base/buf.h"
#include "io/loop.h"

enum {
    WEB_HEAD_MAX = 8 << 10, /* bytes of a request */
    WEB_BODY_MAX = 16 << 20,
    WEB_CONNECTIONS_MAX = 16,
    WEB_DEADLINE_MS = 5000, /* from the connection to the end of the answer */
};

/* ---- what is asked ---- */

struct web_request {   /* slices of the head */
    struct slice path; /* begins with "/"; without what is behind a "?" */
    struct slice host; /* of the header; ptr NULL: there is none */
};

/* Takes HEAD apart, which ends with its empty line. 0, or the status to answer with: 400, 405 or 505. */
int web_parse(struct slice head, struct web_request *ret);

/* True if HOST is this machine's loopback interface, by number or as "localhost", with or without a port. */
bool web_is_loopback(struct slice host);

/* ---- who answers ---- */

struct web_reply {
    int status;       /* 200 */
    const char *type; /* "text/plain; charset=utf-8" */
    struct buf body;  /* WEB_BODY_MAX at most; more is an error 500 */
};

/* Fills in RET for PATH, at once. */
typedef void web_fn(void *ctx, const char *path, struct web_reply *ret);

struct web;

/* AT is "127.0.0.1:9252", "[::1]:9252" (port 0: any), or the absolute path of a socket, which only its owner may use; one
 * that was left behind is replaced. On the loopback interface only requests that name it are answered: a web page that
 * calls it by a name of its own (DNS rebinding) is not. ERR_INVALID: AT is none of this; ERR_DENIED: somebody answers
 * there already. */
MUST_CHECK int web_new(const char *at, struct loop *loop, web_fn *fn, void *ctx, struct web **ret,
                       struct err *err);
/* Cuts off who is connected and removes the socket; before the loop. Returns NULL. */
struct web *web_free(struct web *w);

unsigned web_port(const struct web *w); /* 0: it is a socket */
