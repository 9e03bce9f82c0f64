/* upload - what comes out of a pipe, to the address that the service gave: blocks side by side as for an Azure block
 * blob (runtime contract 13.3), and be it one: Gitea passes over a blob that is put as a whole. Nobody sees it before
 * all of it is there. */
#pragma once

#include "blobs/packer.h"
#include "io/digest.h"

enum {
    UPLOAD_BLOCK_SIZE = 4 << 20,
    UPLOAD_PARALLEL = 8,       /* blocks under way; these two are the memory it takes */
    UPLOAD_BLOCKS_MAX = 50000, /* Azure's: 195 GiB */
    UPLOAD_TRIES = 5,
    UPLOAD_IDLE_MS = 5 * 60000, /* as GitHub's clients: the server may be putting it together */
};

struct uploaded {
    int64_t size;
    char digest[DIGEST_HEX_SIZE]; /* SHA-256 */
};

/* Turns the loop until all that P writes to the pipe IN is at URL, as one blob; P's failure is the upload's. IN is the end to
 * read from, not blocking, and borrowed; TYPE is a media type. ERR_SYS: the server refuses, in its words. */
MUST_CHECK int upload_packed(struct carrier *c, const char *url, const char *type, struct packer *p,
                             int in, struct uploaded *ret, struct err *err);
