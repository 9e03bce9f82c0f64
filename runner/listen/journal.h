/* journal - the jobs of a listener that run, on disk: what the next listener needs when this one is killed.
 *
 * One file a job, in a folder of the registration's own (0700, the files 0600: a lease holds tokens). It is there, and
 * whole, before the job's worker starts, and locked for as long as the listener or the worker lives. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

enum { JOURNAL_ENTRY_MAX = 4 << 20 }; /* bytes of a file */

struct journal;
struct journal_entry;

/* FOLDER (absolute) is made where it is missing. */
MUST_CHECK int journal_open(const char *folder, struct journal **ret, struct err *err);
struct journal *journal_close(struct journal *j); /* before that, its entries; returns NULL */

/* Job KEY is about to run in the folder DIR, whose last name no other entry has. LEASE: see struct queue_ops; NULL: none. */
MUST_CHECK int journal_add(struct journal *j, const char *key, const char *dir, const json_t *lease,
                           struct journal_entry **ret, struct err *err);

/* Returns once E is on the disk. No kill can take from journal_add() what it wrote, only a machine that stops: then a job's
 * server learns from the lease that runs out, as it does of a machine that never comes back. */
MUST_CHECK int journal_sync(const struct journal_entry *e, struct err *err);

/* What the worker holds open: the entry's lock. Borrowed. */
int journal_hold(const struct journal_entry *e);

/* The server knows of the job's end, and nothing is left of it here: E and its file go. Returns NULL; NULL does nothing. */
struct journal_entry *journal_remove(struct journal_entry *e);
/* The same, and the file stays for the next listener. */
struct journal_entry *journal_leave(struct journal_entry *e);

/* A job whose listener is gone, and its worker as well. */
struct journal_lost {
    const char *key, *dir;
    const json_t *lease; /* NULL: none */
};

/* Hands what other listeners left to FN, each once, and removes it. A worker that still lives has lost its reader and is
 * ending: it is waited for, WAIT_MS at most for all of them. Goes on after an error and returns the first: ERR_TIMEOUT
 * names a job whose worker does not end, which stays as it is. */
typedef void journal_fn(void *ctx, const struct journal_lost *lost);
MUST_CHECK int journal_recover(struct journal *j, int64_t wait_ms, journal_fn *fn, void *ctx,
                               struct err *err);
