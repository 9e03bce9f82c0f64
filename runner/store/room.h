/* room - how much of the disk the store may have, and what goes when it has more.
 *
 * An entry's time of change is when it was used last; nothing else changes it, as nobody writes there. Whoever uses one
 * holds a lock on its folder, which ends with the process. Beside the entry COMMIT lies COMMIT.size, how
 * many bytes it takes, once somebody has counted. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define STORE_BUDGET_DEFAULT ((int64_t)5 << 30)

#define STORE_MIRROR "mirror" /* an entry that is no commit: mirror.h */

enum {
    STORE_FRESH_S = 600
}; /* what was used less than that ago stays: somebody may be about to use it */

/* The entry at PATH was used now. */
void store_touch(const char *path);

/* The same, and it stays for as long as the descriptor *RET is open, the caller's. ERR_NOT_FOUND: it was just removed. */
MUST_CHECK int store_hold(const char *path, int *ret, struct err *err);

/* Removes what has not been used for the longest time, until the store in FOLDER has at most BUDGET bytes or all that is
 * left is in use; and what fetches that were killed left behind. What cannot be removed is left to the next
 * time. */
void store_make_room(const char *folder, int64_t budget);
