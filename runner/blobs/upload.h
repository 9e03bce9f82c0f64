/* upload - what comes out of a pipe, to the address that the service gave: blocks side by side as for an Azure block
 * blob (runtime contract 13.3), and be it one: Gitea passes over a blob that is put as a whole. Nobody sees it before
 * upload_commit(). */
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

struct upload;

struct uploaded {
    int64_t size;
    char digest[DIGEST_HEX_SIZE]; /* SHA-256 */
};

/* IN: the end of a pipe to read from, not blocking; borrowed, as are URL and TYPE (a media type). */
struct upload *upload_new(struct carrier *c, const char *url, const char *type, int in);
struct upload *upload_free(struct upload *u); /* returns NULL; NULL does nothing */

/* Turns the loop until all is there. ERR_SYS: the server refuses, in its words. */
MUST_CHECK int upload_run(struct upload *u, struct err *err);

/* Makes it one blob. */
MUST_CHECK int upload_commit(struct upload *u, struct uploaded *ret, struct err *err);

/* All of these with what P writes to IN; its failure is the upload's. */
MUST_CHECK int upload_packed(struct carrier *c, const char *url, const char *type, struct packer *p,
                             int in, struct uploaded *ret, struct err *err);
