/* helper - finds the programs that ostler brings along and starts itself. */
#pragma once

#include "base/err.h"

/* The path of NAME: beside this program, one folder up (our tests live in one), else in FOLDER, where it is
 * installed. The caller frees it. ERR_NOT_FOUND names both places. */
MUST_CHECK int helper_find(const char *name, const char *folder, char **ret, struct err *err);
