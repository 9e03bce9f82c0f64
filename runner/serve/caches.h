/* caches - what runs of one repository leave for later ones.
 *
 *   <dir>/entries/HASH.json    an entry: key, version, scope and the digest of its blob; its time of change is when
 *                              it was used last
 *   <dir>/blobs/SHA256         content, once however many entries name it
 *   <dir>/staging/RUN/         uploads of a run (stage.h), locked by the server of that run
 *
 * Several runs use one folder at once. An entry appears by rename, after its blob; the folder's lock is held for
 * that and for making room, both of which are short. An entry whose blob is not there, or is of another
 * size, is none. */
#pragma once

#include "serve/stage.h"

enum {
    CACHE_KEY_MAX = 512,     /* characters of a key are bytes here */
    CACHE_VERSION_MAX = 512, /* bytes */
    CACHE_KEYS_MAX = 10,     /* a key and its restore keys */
    CACHE_SCOPES_MAX = 10,
};

#define CACHE_BUDGET_DEFAULT ((int64_t)10 << 30) /* bytes of all blobs of a repository */

struct cache_entry {
    char *key, *version, *scope;
    char *digest;  /* of its blob */
    char *created; /* "2026-01-31T10:00:00Z" */
    int64_t created_ns, size;
};

struct caches;

/* Opens the folder DIR, which it takes over on success, for the run named RUN; what runs that are no more were
 * uploading is removed. BUDGET: how many bytes may stay. */
MUST_CHECK int caches_open(int take_dir, const char *run, int64_t budget, struct caches **ret,
                           struct err *err);
struct caches *caches_free(struct caches *c); /* returns NULL */

/* No more uploads; see artifacts_close(). */
void caches_close(struct caches *c);

/* ERR_INVALID: a key that no client may have. */
MUST_CHECK int cache_check_key(struct slice key, struct err *err);

/* The entry for the first of KEYS that has one, in the first of SCOPES that has one: for each key the very
 * key first, then the newest one it is the beginning of; without regard to ASCII case. It counts as used. NULL: a miss. Borrowed
 * until the next call. */
const struct cache_entry *caches_find(struct caches *c, const char *const *keys, size_t n_keys,
                                      const char *version, const char *const *scopes,
                                      size_t n_scopes);

/* All entries of which KEY is the beginning, newest first, borrowed until the next call; the array is the
 * caller's. */
const struct cache_entry **caches_list(struct caches *c, const char *key, size_t *ret_n);

/* Begins an entry. *RET is NULL when there is one already, or another upload is at work on one. */
MUST_CHECK int caches_reserve(struct caches *c, const char *key, const char *version,
                              const char *scope, const char *job, struct upload **ret,
                              struct err *err);
struct upload *caches_upload(struct caches *c, int64_t id); /* NULL: there is none */
/* The upload of JOB for that entry; NULL: none. */
struct upload *caches_upload_of(struct caches *c, const char *key, const char *version,
                                const char *job);

/* Those of JOB go. */
void caches_drop_uploads(struct caches *c, const char *job);

/* Makes a whole upload an entry, drops it, and makes room. ERR_LIMIT: it is larger than the budget.
 * ERR_DENIED: another run was faster; the upload is dropped then, too. */
MUST_CHECK int caches_finish(struct caches *c, struct upload *u, struct err *err);

/* Opens the blob DIGEST (hex) for reading. ERR_NOT_FOUND: it had to make room. */
MUST_CHECK int caches_read(const struct caches *c, const char *digest, int *ret, struct err *err);

int64_t caches_budget(const struct caches *c);
