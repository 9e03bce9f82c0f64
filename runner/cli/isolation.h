/* isolation - can this machine give jobs a sandbox (found out by making one), and what must not show in it. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* Makes an empty sandbox in a folder of its own below DIR (absolute, created), and takes it down again.
 * ERR_UNSUPPORTED with the reason when it cannot be had. */
MUST_CHECK int isolation_check(const char *dir, const char *home, const char *const *env,
                               struct err *err);

/* What no job may see, wherever it lies, as struct job wants it: STATE, with registrations and their keys and with other
 * jobs' records; what is kept of other jobs in the cache folder, which is made where HOME does not hide it; the N of MORE,
 * where NULL is nothing. */
const char *const *isolation_hidden(struct arena *a, const char *state, const char *const *more,
                                    size_t n);
