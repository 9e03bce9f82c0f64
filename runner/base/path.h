/* path - names as text, and files opened beneath a root that they cannot leave. */
#pragma once

#include "base/buf.h"

#include <dirent.h>
#include <sys/stat.h>

/* ---- text ---- */

/* Joins with one '/'; an absolute B replaces A. The caller frees it. */
char *path_join(const char *a, const char *b);

/* Resolves ".", ".." and double slashes without looking at the disk; the caller frees it. */
char *path_normal(const char *path);

/* The last component. */
const char *path_base(const char *path);

/* PATH below DIR (both normal, absolute): the rest after DIR, "" for DIR itself; NULL: outside. */
const char *path_below(const char *path, const char *dir);

/* The folder that all N PATHS (normal, absolute; at least one) lie in; of one it is that path. The caller frees it. */
char *path_common(const char *const *paths, size_t n);

/* ---- files ---- */

/* Opens PATH beneath DIR: ".." and symlinks may not lead out (openat2 RESOLVE_BENEATH). */
MUST_CHECK int path_open(int dir, const char *path, int flags, mode_t mode, int *ret,
                         struct err *err);

/* Opens PATH as a process sees it whose "/" is ROOT: absolute and symbolic links resolve inside. */
MUST_CHECK int path_open_in(int root, const char *path, int flags, mode_t mode, int *ret,
                            struct err *err);

/* Creates each missing folder of PATH (relative to DIR, AT_FDCWD allowed). */
MUST_CHECK int path_mkdirs(int dir, const char *path, mode_t mode, struct err *err);

/* Removes NAME below DIR with everything in it, never following a symlink; no such name is success, and
 * others may remove it as well meanwhile. Folders without permissions are opened up first. Goes on after an error and reports the first, with the path from NAME on. */
MUST_CHECK int path_remove(int dir, const char *name, struct err *err);

/* The names in the folder DIR, from the first on; NULL: it cannot be read. The caller ends it with closedir(). */
DIR *path_list(int dir);

/* The whole file PATH below DIR (AT_FDCWD allowed, then no root is enforced). */
MUST_CHECK int path_read(int dir, const char *path, struct buf *to, struct err *err);

/* For files that somebody names to us: what /proc leads to counts, as of "/dev/stdin" and a shell's "<(command)", and whoever
 * writes into a FIFO is waited for. */
MUST_CHECK int path_open_named(const char *name, int *ret, struct err *err);
MUST_CHECK int path_read_named(const char *name, struct buf *to, struct err *err);

/* Replaces PATH below DIR: readers see the old file or the new one. */
MUST_CHECK int path_write(int dir, const char *path, struct slice data, mode_t mode,
                          struct err *err);
