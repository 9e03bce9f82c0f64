/* show - folders under a second name, for one process alone: a job in a container knows its files by
 * other paths than the runner's side does. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct show_folder {
    const char *from, *to; /* absolute and normal */
};

/* Makes "/" a folder of this process's own: all that "/" showed, unless these are to be ALONE, and each FROM at its TO. A later one may lie in an
 * earlier one. The caller has a mount namespace of its own, with private mounts. What cannot be shown is not
 * there; only the new "/" itself has to succeed. */
MUST_CHECK int show_folders(const struct show_folder *list, size_t n, bool alone, struct err *err);
