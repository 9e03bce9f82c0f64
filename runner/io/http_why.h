/* http_why - why a request came to nothing, in an operator's words: what, where, and what can be done about it.
 *
 * libcurl's own words name a step of its work ("CONNECT tunnel failed, response 407"); whoever reads a log at night has
 * a proxy to log in to. All that io/http says of servers that cannot be reached is said here. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

struct http_why {        /* all borrowed */
    int code;            /* libcurl's */
    const char *text;    /* libcurl's; never with a password in it, or not used */
    const char *url;     /* of the request; only its host is ever shown */
    const char *proxy;   /* that was set for it; NULL: none */
    const char *ca_file; /* as in struct http_spec */
    int sys;             /* errno of the connection; 0: none */
    int connect_status; /* what a proxy answered when it was to connect us, or 407 to the request; 0: nothing */
    int peer_port; /* of whoever we were connected to; 0: nobody, or not known */
    int seconds;   /* that the request took */
};

/* Always an error: ERR_TIMEOUT where nothing came in time, else ERR_SYS. Begins with "cannot reach 'HOST': ". */
int http_why(const struct http_why *w, struct err *err);

/* "example.org:3000" of an address, for messages: the rest of it may be a secret. */
struct slice http_host(const char *url);
