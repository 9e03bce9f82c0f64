/* archive_pack - writes archives as GitHub's clients make them: zips for artifacts, tars for caches; and puts what
 * is in such a tar back in its place.
 *
 * libarchive writes and reads; memory does not grow with what is packed. Whoever may not trust the files' owner calls
 * this as that owner: paths are followed as the kernel follows them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum pack_kind {
    PACK_ZIP,      /* deflated, zip64 where it must be, names in UTF-8 */
    PACK_TAR_GZIP, /* POSIX ("pax") */
    PACK_TAR_ZSTD,
};

enum {
    PACK_DEPTH_MAX = 1000,        /* folders in each other */
    RESTORE_FILES_MAX = 20000000, /* entries of a tar that is put back */
};
#define RESTORE_SIZE_MAX (1ULL << 40) /* bytes of all its files */

struct pack; /* an archive in the making */

/* Loads libarchive, for those who will not be able to any more. ERR_NOT_FOUND says what to install. */
MUST_CHECK int pack_load(struct err *err);

/* Writes to OUT, a pipe for instance (borrowed). LEVEL: of a zip's compression, 0 (none) to 9. */
MUST_CHECK int pack_new(enum pack_kind kind, int level, int out, struct pack **ret,
                        struct err *err);

/* Adds the file open as FD under NAME, with its time and nobody's rights. ERR_FAILED: it got shorter meanwhile. */
MUST_CHECK int pack_file(struct pack *p, int fd, const struct stat *st, const char *name,
                         struct err *err);

/* Adds PATH, a folder with all that is in it, under just that name, with modes, owners and times; links are kept as
 * links. Sockets are left out, and what vanishes meanwhile. */
MUST_CHECK int pack_tree(struct pack *p, const char *path, struct err *err);

/* Writes the end. */
MUST_CHECK int pack_finish(struct pack *p, struct err *err);
struct pack *pack_free(struct pack *p); /* returns NULL; NULL does nothing */

/* Puts what the tar IN (gzip or zstd) holds back where its names say, seen from the working folder: also above
 * it, and at absolute places. What is there already is replaced. Owners are restored for root alone. */
MUST_CHECK int pack_restore(int in, struct err *err);
