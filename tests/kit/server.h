/* server - an HTTP server that does what a test tells it: answers, refuses, cuts off, stays silent. */
#pragma once

#include <stddef.h>

struct server_request {
    int nth;          /* from 0 on, over all connections */
    const char *head; /* request line and headers, NUL-terminated */
    const char *body;
    size_t body_size;
};

/* Serves one request, in a process of its own, then the connection is closed. */
typedef void server_fn(int connection, const struct server_request *q);

/* Starts it; its address, "http://127.0.0.1:PORT", is valid until server_stop(). */
const char *server_start(server_fn *fn);
void server_stop(void);

/* How many requests have come. */
int server_count(void);

/* Sends an answer with a Content-Length. STATUS: "200 OK"; HEADERS: whole lines, each with its CRLF. */
void server_answer(int connection, const char *status, const char *headers, const char *body,
                   size_t size);
/* The same, but only the first SENT bytes of the body are sent. */
void server_cut_off(int connection, const char *status, const char *headers, const char *body,
                    size_t size, size_t sent);
