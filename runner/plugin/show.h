/* show - folders under a second name, for the plugin's process alone: a job in a container knows its files by
 * other paths than the runner's side does. */
#pragma once

#include "base/err.h"

struct plugin_show {
    const char *from, *to; /* absolute and normal */
};

/* Makes "/" a folder of this process's own: all that "/" showed, and each FROM at its TO. A later one may lie in an
 * earlier one. The caller has a mount namespace of its own, with private mounts. What cannot be shown is not
 * there; only the new "/" itself has to succeed. */
MUST_CHECK int show_folders(const struct plugin_show *list, size_t n, struct err *err);
