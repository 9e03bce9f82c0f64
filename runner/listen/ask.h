/* ask - one question to a listener's socket: the other side of monitor.h, for "ostler status". */
#pragma once

#include "base/buf.h"

#include <stdint.h>

/* GET PAGE ("/status") of the listener at the socket PATH: *RET_STATUS, and the body in BODY, whose limit it has to keep.
 * Waits TIMEOUT_MS at most in all. ERR_NOT_FOUND: nobody listens there (any more). */
MUST_CHECK int ask_listener(const char *path, const char *page, int64_t timeout_ms,
                            struct buf *body, int *ret_status, struct err *err);
