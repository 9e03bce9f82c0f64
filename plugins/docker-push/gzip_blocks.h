/* gzip_blocks - a gzip stream (RFC 1952) whose blocks are packed apart from each other, by as many threads as there are,
 * and put together in their order. The bytes depend on the data and the level alone: blocks have a fixed size, each is
 * packed with the bytes before it in sight, as in a stream that is packed in one go, and ends at a whole byte. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/text.h"

enum {
    GZIP_BLOCK = 1 << 20,   /* bytes that are packed at a time */
    GZIP_BEFORE = 32 << 10, /* how far back deflate looks */
    GZIP_HEAD = 10,
    GZIP_TAIL = 8,
};

struct gzip_packer; /* one thread's */

/* LEVEL: 0 to 9. NULL: there is none such. */
struct gzip_packer *gzip_packer_new(int level);
struct gzip_packer *gzip_packer_free(struct gzip_packer *g); /* returns NULL; NULL does nothing */

/* Packs the SIZE bytes at DATA, GZIP_BLOCK at most, in front of which lie the BEFORE bytes, GZIP_BEFORE at most, that come
 * before them in the stream. LAST: nothing follows. What is returned is valid until the next call. */
struct span gzip_block(struct gzip_packer *g, const char *data, size_t before, size_t size,
                       bool last);

/* What a stream begins and ends with: time 0, no name, OS unknown. */
void gzip_head(unsigned char ret[GZIP_HEAD]);
void gzip_tail(uint32_t crc, int64_t size, unsigned char ret[GZIP_TAIL]);
