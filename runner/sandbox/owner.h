/* owner - who made a container: a text that names one process for good, and tells whether it lives.
 *
 * "<machine>-<boot>-<PID namespace>-<pid>-<start>". Several runners may share one engine, from other machines
 * too; of a process in another namespace nothing can be known, so it counts as living. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define OWNER_LABEL "ostler"

/* "ostler=<us>"; the caller frees it. */
MUST_CHECK int owner_label(char **ret, struct err *err);

/* True if VALUE (what follows the "=") names a process of this machine that lives no more. */
bool owner_is_dead(const char *value);
