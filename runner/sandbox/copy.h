/* copy - a tree of files copied as fast as the file system can: the fallback of an overlay. */
#pragma once

#include "base/err.h"

/* Copies what is in the folder FROM (absolute) into the open folder TO: files with modes and times (shared
 * extents where the file system has them), links as links, folders. Left out are the names in HIDE
 * (NULL-terminated, relative; NULL: none), sockets, pipes and devices. Stops at the first error, which names
 * the file. */
MUST_CHECK int copy_tree(const char *from, int to, const char *const *hide, struct err *err);

/* ERR_INVALID naming PATH unless the open folder DIR is empty. */
MUST_CHECK int copy_check_empty(int dir, const char *path, struct err *err);
