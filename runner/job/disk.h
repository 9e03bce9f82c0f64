/* disk - tells when a folder holds more than it may.
 *
 * Quotas and file systems of a size are an administrator's to set up; looking is anybody's. So the folder is measured,
 * and not more often than needed: while the file system has lost less space than the folder still may grow,
 * nothing can be wrong, and asking for that costs nothing. A measurement goes on a few entries at a time between other
 * events of the loop, and a twentieth of the time is all that measuring takes.
 *
 * What counts is what lies on the disk (a sparse file counts with its blocks, one of several hard links with its
 * share). What was removed and is still open, and what lies in folders that this process may not read, does not. */
#pragma once

#include "io/loop.h"

#include <stdint.h>

enum { DISK_DEPTH_MAX = 200 }; /* folders in each other that are looked into */

struct disk;

/* The folder holds USED bytes, which is more than it may. Called after each measurement that finds so; it may call
 * disk_allow(), and not disk_free(). */
typedef void disk_fn(void *ctx, int64_t used);

/* Watches the folder DIR (borrowed until disk_free()). */
struct disk *disk_new(int dir, int64_t limit, struct loop *loop, disk_fn *fn, void *ctx);
void disk_allow(struct disk *d, int64_t limit);
struct disk *disk_free(struct disk *d); /* returns NULL; NULL is fine */
