/* isolation - can this machine give jobs a sandbox? Found out by making one. */
#pragma once

#include "base/err.h"

/* Makes an empty sandbox in a folder of its own below DIR (absolute, created), and takes it down again.
 * ERR_UNSUPPORTED with the reason when it cannot be had. */
MUST_CHECK int isolation_check(const char *dir, const char *home, const char *const *env,
                               struct err *err);
