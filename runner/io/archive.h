/* archive - unpacks an archive that comes from outside into a folder that nothing in it can leave.
 *
 * A tar, plain or compressed with gzip, xz or zstd; or a zip. libarchive reads it and is loaded with the first call;
 * what is written, and where, is decided here: folders, files and symbolic links, nothing else, each name once. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A limit of 0 stands for the one in brackets. */
struct archive_spec {
    int in;   /* the archive, read to its end; borrowed */
    int to;   /* the folder that takes it: empty, and nobody else's; borrowed */
    bool zip; /* it is one, and no tar. No mode in it counts */
    bool
        replace; /* TO is not empty: files that are there already make room, links too, folders do not */
    unsigned strip;    /* leading folders of every name to drop: 1 for archives of a server */
    uint64_t size_max; /* bytes of all files together (4 GiB) */
    size_t files_max;  /* files, links and folders (500,000) */
};

enum { ARCHIVE_DEPTH_MAX = 64, ARCHIVE_PATH_MAX = 4096 };

struct archive_stats {
    uint64_t size;
    size_t files; /* files, links and folders that the archive names */
    size_t links_left_out;
    char link[256]; /* the first of them; "" when there is none */
};

/* Loads libarchive, for those who will not be able to any more. ERR_NOT_FOUND says what to install. */
MUST_CHECK int archive_load(struct err *err);

/* Files get the mode 0644 or, where the archive lets somebody execute them, 0755; folders 0755; whoever calls
 * owns them. Links that lead out of the folder, or name an absolute path, are left out and counted.
 * ERR_INVALID for an archive that is damaged, names one thing twice, leads out of the folder, or holds
 * hard links, devices or pipes; ERR_LIMIT for one that is too large. What was written so far stays then. */
MUST_CHECK int archive_unpack(const struct archive_spec *spec, struct archive_stats *ret,
                              struct err *err);
