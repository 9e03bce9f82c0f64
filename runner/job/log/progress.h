/* progress - how far a step is, in words. Watchers see it move; a log gets a line of it now and then. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { PROGRESS_LINE_MS = 10000 }; /* between two lines in a log */

/* Adds "LABEL: 42 % (12.3M of 29.0M)" to TO, or what is known of it; LABEL may be empty. DONE and TOTAL below 0:
 * not known. Numbers from 10,000 on are given in thousands (k), millions (M) and so on. */
void progress_text(struct buf *to, struct slice label, int64_t done, int64_t total);

/* True when a log should get a line at NOW_MS; *LAST_MS is when it had the last one, at first when the step began. */
bool progress_due(int64_t *last_ms, int64_t now_ms);
