/* monitor - how others see how a listener is, over HTTP: on a port, on a Unix socket, or both.
 *
 *     GET /healthz   200 while the loop turns
 *     GET /readyz    200 while jobs would be taken, else 503 and why
 *     GET /metrics   for Prometheus: metrics.h
 *     GET /status    JSON for "ostler status": snapshot.h
 *
 * Nothing can be changed from outside, but what runs can be seen: the socket is for its owner alone (0600), and a port is
 * best one of the loopback interface. */
#pragma once

#include "io/loop.h"
#include "listen/metrics.h"

struct monitor;

struct monitor_spec {
    const char *address; /* "127.0.0.1:9252", "[::1]:9252"; port 0: any; NULL: none */
    const char *socket;  /* absolute path; folders on the way are there; NULL: none */
    struct snapshot_source source;
    const struct metrics *metrics; /* borrowed */
};

/* ERR_INVALID: no such address; ERR_DENIED: another listener answers at it; else what the system says. A socket that a
 * listener left behind that is gone is replaced. */
MUST_CHECK int monitor_new(const struct monitor_spec *spec, struct loop *loop, struct monitor **ret,
                           struct err *err);
/* Removes the socket; before the loop. Returns NULL. */
struct monitor *monitor_free(struct monitor *m);

/* The port that it has; 0: none. */
unsigned monitor_port(const struct monitor *m);
