/* cache - what npm's @actions/cache does for actions, through the host, in the words that it uses: scripts
 * look for some of its lines, and its troubles are warnings, never failures of a step. */
#pragma once

#include "text.h"

#include <ostler/ext.h>

struct cache_ask {
    const char *const *paths; /* patterns, as written: they are a part of what tells caches apart */
    const char *key;
    const char *const *others; /* beginnings of keys that do, too, in order; NULL: none */
    bool lookup;               /* find it only */
    bool cross_os;
};

/* The lines of TEXT, trimmed, without empty ones; "!  x" is "!x". Never NULL. */
const char *const *cache_lines(struct ost_step *step, const char *text);

/* True if the job has a cache service. */
bool cache_is_there(struct ost_step *step);

/* True if the cache KEY found for WANTED is that very key; case does not matter. */
bool cache_is_exact(const char *wanted, const char *key);

/* How it went. What the service could not do has been told; what no cache can have is in REFUSED, for the
 * caller to tell: some actions fail then, some go on. */
struct cache_done {
    const char *key;     /* of the cache found or saved; NULL: none */
    const char *refused; /* why there can be none; NULL */
};

/* Below 0 only OST_E_CANCELLED. */
ost_status cache_restore(struct ost_step *step, const struct cache_ask *ask,
                         struct cache_done *ret);

/* Under ASK's key; OTHERS and LOOKUP do not matter. */
ost_status cache_save(struct ost_step *step, const struct cache_ask *ask, struct cache_done *ret);
