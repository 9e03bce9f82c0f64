/* packer - the process in the job's place that packs and unpacks; see blobs.h. This is the carrier's side of it.
 *
 * What it is asked for, with the members of the request:
 *
 *   tar      patterns, workspace, home, zstd    writes a cache's archive of what they match
 *   zip      files, root, level                 writes an artifact's archive
 *   raw      files                              writes the one file as it is
 *   restore  workspace                          reads a cache's archive: its files go where their names say
 *   unzip    dir                                reads a zip: its files go below DIR
 *   keep     dir, name                          reads anything: it becomes that file */
#pragma once

#include "blobs/carrier.h"

/* The descriptors of the process: its request is standard input, its answer standard output. */
enum { PACKER_DATA = 3, PACKER_PLACE = 4 /* by enum sandbox_ns */ };

struct packer;

/* Starts it; TAKE_ASK is dropped. DATA is what it writes to, or reads from: borrowed. */
MUST_CHECK int packer_start(struct carrier *c, json_t *take_ask, int data, struct packer **ret,
                            struct err *err);

/* Turns the loop until it has ended: ERR_OK, or what it failed for. */
MUST_CHECK int packer_wait(struct packer *p, struct err *err);

/* Kills it if it still runs. Returns NULL; NULL does nothing. */
struct packer *packer_free(struct packer *p);

/* Starts it with a pipe to write to; *RET_OUT, the caller's, is the other end, which does not block. Turns the loop
 * until the first byte is there: what it cannot do at all is said here. */
MUST_CHECK int packer_pipe(struct carrier *c, json_t *take_ask, struct packer **ret, int *ret_out,
                           struct err *err);
