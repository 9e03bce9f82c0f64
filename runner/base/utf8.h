/* utf8 - bytes from outside as valid UTF-8: what is invalid becomes U+FFFD, one for each maximal
 * piece of a character, as browsers and .NET do it. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* Length of the valid text at the start of S. */
size_t utf8_valid(struct slice s);

/* A stream whose chunks end anywhere; works when zeroed. */
struct utf8 {
    char held[4]; /* the begin of a character */
    size_t n_held;
};

/* The text of CHUNK that is certain. Usually CHUNK itself, without a copy; else it is put together in
 * SCRATCH, whose former content is lost. */
struct slice utf8_feed(struct utf8 *u, struct slice chunk, struct buf *scratch);

/* The stream is at its end: U+FFFD if it ends inside a character, else the empty slice. */
struct slice utf8_end(struct utf8 *u);

/* Appends all of TEXT. */
void utf8_clean(struct slice text, struct buf *out);

/* TEXT itself if it is valid, else a clean copy in A. NULL gives NULL. */
const char *utf8_text(struct arena *a, const char *text);

/* At most MAX bytes of the valid TEXT, cut between characters. */
struct slice utf8_head(struct slice text, size_t max);
