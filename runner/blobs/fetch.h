/* fetch - a blob from the address that the service gave, into a file without a name. */
#pragma once

#include "blobs/carrier.h"
#include "io/digest.h"

enum {
    FETCH_TRIES = 5,      /* in all, before it is given up */
    FETCH_IDLE_MS = 30000 /* without a byte: a try is over */
};

struct fetched {
    int fd; /* the caller's, at its beginning */
    int64_t size;
    char digest[DIGEST_HEX_SIZE]; /* SHA-256 */
    char type[128];               /* Content-Type without parameters, lower case; "" */
    char name[256];               /* of Content-Disposition, the last component of it; "" */
};

/* A file without a name in the job's temporary folder; the caller's. */
MUST_CHECK int fetch_spool(int *ret, struct err *err);

/* Follows redirects; each try that failed is said to the job. As large as the disk has room for. ERR_SYS: the server
 * refuses, in its words, or the disk is full. */
MUST_CHECK int fetch(struct carrier *c, const char *url, struct fetched *ret, struct err *err);

/* The file's name in a Content-Disposition: filename* before filename, and nothing before its last slash. "" when it
 * has none that could be a name. */
void fetch_file_name(struct slice header, char ret[256]);
