/* shelf - bytes that wait for a server, in a file without a name: on the disk, and once that is full in memory. Most of all
 * whoever looks at a job that failed for want of room wants to read that. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum { SHELF_MEMORY_MAX = 64 << 20 }; /* bytes in memory */

struct shelf {
    int fd;
    bool in_memory;
};

/* A file of the disk that the folder PATH of AT (a directory, or AT_FDCWD) lies on; in memory where there can be none, or
 * with a PATH that is NULL. shelf_close() in any case; twice is fine. */
MUST_CHECK int shelf_open(struct shelf *s, int at, const char *path, struct err *err);
void shelf_close(struct shelf *s);

/* Writes all of BYTES to AT. False: there is no room, in memory either; what was written there by half is no loss of
 * what lies elsewhere. */
bool shelf_put(struct shelf *s, struct slice bytes, int64_t at);
/* Reads SIZE bytes from AT, all of which were written. */
MUST_CHECK int shelf_get(const struct shelf *s, void *ret, size_t size, int64_t at,
                         struct err *err);
/* These are wanted no more. False: this file system knows no holes, and keeps them until the end. */
bool shelf_give_back(struct shelf *s, int64_t at, int64_t size);
