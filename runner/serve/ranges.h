/* ranges - which bytes of a file a request is about, and which blocks make a blob: headers and bodies as
 * clients send them, read without I/O. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define RANGE_SIZE_MAX ((int64_t)1 << 42) /* bytes of one upload: 4 TiB */

enum {
    BLOCKS_MAX = 50000, /* of a blob, as with Azure */
    BLOCK_ID_MAX = 100, /* bytes of a block's id as it is sent: 64 in Base64, and some room */
    BLOCK_LIST_MAX = 16 << 20, /* bytes of a list */
};

/* "bytes 0-1023/4096" of an upload: START, SIZE bytes, of TOTAL; -1 for "*". An empty file is
 * "bytes 0--1/0" to the clients that write it. ERR_INVALID says what is wrong. */
MUST_CHECK int range_parse_content(struct slice text, int64_t *ret_start, int64_t *ret_size,
                                   int64_t *ret_total, struct err *err);

/* "bytes=0-99", "bytes=100-", "bytes=-100" of a download of TOTAL bytes. False: there is nothing to give
 * of it. What cannot be read, or names several ranges, is the whole file, as RFC 9110 has it. */
bool range_parse(struct slice text, int64_t total, int64_t *ret_start, int64_t *ret_size);

/* The ids of <BlockList><Latest>id</Latest>...</BlockList> in their order; <Committed> and <Uncommitted>
 * count as well. They borrow from TEXT, the array is A's. ERR_INVALID, ERR_LIMIT. */
MUST_CHECK int blocks_parse(struct arena *a, struct slice text, struct slice **ret, size_t *ret_n,
                            struct err *err);
