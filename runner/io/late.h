/* late - libraries that are loaded when they are first needed: what loading costs is paid by those who use
 * them, not by every start of a program. Their headers are used as always; only the functions are looked
 * up, into pointers that a module keeps for itself. */
#pragma once

#include "base/err.h"

struct late_symbol {
    const char *name; /* as the library exports it */
    void *to;         /* the function pointer to fill in */
};

/* Loads SONAME, which stays loaded, and fills in SYMBOLS, the last of which has no name. PACKAGE is what to
 * install where it is missing. ERR_NOT_FOUND: it cannot be loaded; ERR_UNSUPPORTED: it has not all of the
 * symbols, and none was filled in. */
MUST_CHECK int late_load(const char *soname, const char *package, const struct late_symbol *symbols,
                         struct err *err);
