/* near - the known name that a misspelt one was meant to be. */
#pragma once

#include "base/arena.h"

struct near_best {
    struct slice word;  /* what was written */
    struct slice match; /* the nearest so far; ptr NULL: none is near enough */
    size_t distance;
    bool tied; /* another name is as near */
};

/* Begins a search for what WORD (borrowed) was meant to be. */
struct near_best near_begin(struct slice word);

/* Offers one name (borrowed). It has to be within a third of the word's length; letter case and
 * exchanging '-' and '_' are free but for a tie; the first of equals wins. */
void near_offer(struct near_best *best, struct slice name);

/* "did you mean 'x'?" in the arena; NULL: nothing was near enough. */
char *near_hint(struct arena *a, const struct near_best *best);
