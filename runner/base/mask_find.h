/* mask_find - finds many patterns in a text at once, reading only a part of it. For mask.c.
 *
 * Wu and Manber's skip tables over the patterns of four bytes and more, tables of bytes for the shorter
 * ones; patterns can be added at any time and cost what they are long. Whatever the patterns
 * and the text, a byte of text costs a bounded amount of work. */
#pragma once

#include "base/slice.h"

enum { FIND_PATTERN_MAX = 256, FIND_TIERS = 2 };

struct find;

struct find *find_new(void);
struct find *find_free(struct find *f); /* wipes; returns NULL */

/* Adds a copy of PATTERN, 1 to FIND_PATTERN_MAX bytes. False: it was there already. */
bool find_add(struct find *f, struct slice pattern);

size_t find_longest(const struct find *f); /* of all patterns, 0: none */

/* A walk over the hits in a text, in the order of their starts. Overlapping ones are all found, but of
 * those with the same start shorter ones may be left out. */
struct find_walk {
    const struct find *find;
    struct slice text;
    struct find_lane {
        size_t at;           /* where this search goes on */
        size_t hit, len;     /* found, not yet handed out; len 0: none */
    } lanes[FIND_TIERS + 1]; /* the skip tables, and the short patterns */
};

void find_start(struct find_walk *w, const struct find *f, struct slice text);
/* False: there are no more. */
bool find_next(struct find_walk *w, size_t *ret_at, size_t *ret_len);
