/* http - the site on a socket: the one place that knows libmicrohttpd. */
#pragma once

#include "io/loop.h"
#include "serve/site.h"

struct http;

/* Answers what comes to LISTENER (non-blocking; borrowed) out of SITE. */
MUST_CHECK int http_start(int listener, struct site *site, struct loop *loop, struct http **ret,
                          struct err *err);

/* Answers what comes over TAKE_FD, a connection that was accepted elsewhere. */
void http_add(struct http *h, int take_fd);

/* To be called before each turn of the loop: does what can be done, and returns until when it may wait. */
int64_t http_work(struct http *h);

/* Cuts all connections. Returns NULL. */
struct http *http_free(struct http *h);
