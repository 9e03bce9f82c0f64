/* mirror - what the runner's own copy of a repository has of it, fetched before the server is asked for the rest. */
#pragma once

#include "auth.h"

/* Fetches REFSPECS from the mirror, if there is one. The clone has its own copy of all then, and needs the mirror no
 * more; what the server says afterwards is what counts. Whatever goes wrong is no failure, but OST_E_CANCELLED. */
ost_status mirror_fetch(const struct auth *a, const char *const *refspecs);
