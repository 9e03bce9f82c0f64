/* notify - tells the service manager how we are: systemd's notify protocol, in its own right.
 *
 * A few lines to a datagram socket (sd_notify(3)), so libsystemd, and all that it loads, is not needed. Nothing here
 * blocks: what the manager cannot take now is sent again a moment later, from the loop.
 *
 *     READY=1                    we have come up
 *     STATUS=3 of 4 slots free   one line for "systemctl status"
 *     WATCHDOG=1                 we are well: sent by itself, twice as often as is asked for, while ALIVE says so
 *     STOPPING=1                 we are on our way out */
#pragma once

#include "io/loop.h"

#include <stdbool.h>

enum {
    NOTIFY_STATUS_MAX = 512, /* bytes of a status; what is longer is cut */
    NOTIFY_AGAIN_MS = 100,   /* until a full socket is tried again */
};

struct notify;

struct notify_spec {
    const char *socket;  /* NOTIFY_SOCKET: "/path" or "@abstract" */
    int64_t watchdog_ms; /* WATCHDOG_USEC in milliseconds, 1 or more; 0: nobody watches */
    bool (*alive)(
        void *
            ctx); /* asked before each WATCHDOG=1; false: none is sent. NULL: as long as the loop turns */
    void *ctx;
};

/* Begins to feed the watchdog at once. The spec is copied. ERR_INVALID: that is no address of a socket; ERR_UNSUPPORTED:
 * one of a kind that is not spoken here (vsock:). The manager need not be there: nothing that is sent can fail. */
MUST_CHECK int notify_new(const struct notify_spec *spec, struct loop *loop, struct notify **ret,
                          struct err *err);
struct notify *notify_free(struct notify *n); /* before the loop; returns NULL */

/* Each does nothing when N is NULL: then no manager wants to know. */
void notify_ready(struct notify *n);
void notify_stopping(struct notify *n);
/* One line: control characters become spaces, what is no UTF-8 is replaced. The same line again is not sent again. */
void notify_status(struct notify *n, const char *fmt, ...) PRINTF_LIKE(2, 3);
