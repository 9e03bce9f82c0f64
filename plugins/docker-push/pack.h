/* pack - compresses layers, with all processors, while others are uploaded: each out of its archive into a spool, and
 * its digests on the way. The same layer always gives the same bytes (gzip_blocks.h). */
#pragma once

#include "image.h"
#include "types.h"

struct packer; /* at work */

struct pack_spec {
    enum packing packing;
    int level; /* 0: that of the format: gzip 6, zstd 3 */
};

/* Begins to pack those blobs of TREE that have RAW bytes and no digest, as one where they are the same bytes. NULL:
 * recorded. */
struct packer *pack_begin(struct ost_step *step, const struct tree *tree,
                          const struct pack_spec *spec);

/* Readable when a blob has been done since the last pack_collect(). */
int pack_fd(const struct packer *p);

/* Gives the blobs that are done their digest, size and bytes. *RET_LEFT: how many are still to come. A layer that is
 * not what the configuration says, and a full disk, are recorded. */
ost_status pack_collect(struct packer *p, size_t *ret_left);

/* Stops what still works and waits for it. Returns NULL; NULL does nothing. */
struct packer *pack_end(struct packer *p);
