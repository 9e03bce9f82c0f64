/* helper - finds the programs that ostler brings along and starts itself. */
#pragma once

#include "base/err.h"

/* The path of NAME: beside this program, one folder up (our tests live in one), in libexec/ostler of the prefix that
 * this program lies in, else in FOLDER, where it was to be installed; links are
 * followed. The caller frees it. ERR_NOT_FOUND says where. */
MUST_CHECK int helper_find(const char *name, const char *folder, char **ret, struct err *err);
