/* layer - a folder of the host under an overlay: the job's changes go into the job's folder. */
#pragma once

#include "base/err.h"

struct root;

enum layer_place {
    LAYER_ON_DISK,   /* in layers/ of the job's folder */
    LAYER_IN_MEMORY, /* three times faster to make: where next to nothing will be written */
};

/* Makes the next layer over LOWER, an open folder of this mount namespace, and gives the detached mount.
 * HIDE (NULL-terminated, relative to LOWER; NULL: none) names what does not show through; the cost is that of
 * the names, not of what is below them. */
MUST_CHECK int layer_new(struct root *r, enum layer_place place, int lower, const char *const *hide,
                         int *ret, struct err *err);
