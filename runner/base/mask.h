/* mask - keeps secrets out of everything that leaves the process.
 *
 * Holds each registered value with its usual encodings (runtime contract 8.2) and replaces them by "***",
 * overlapping and touching hits merged into one. Works on texts and on byte streams in chunks. Armed
 * before a value can be used: what was let through earlier is never rewritten. There is no minimum
 * length: a secret of one character masks that character everywhere.
 *
 * A value longer than MASK_PIECE_MAX is looked for in pieces. The whole value still becomes one "***";
 * a piece of it that stands alone is masked too. So no search ever has to look further than that. */
#pragma once

#include "base/buf.h"

enum {
    MASK_PIECE_MAX = 256,      /* bytes that are matched as one */
    MASK_VALUE_MAX = 1 << 20,  /* a longer value is registered without its encodings */
    MASK_TOTAL_MAX = 64 << 20, /* bytes of all values and encodings; see mask_add() */
    MASK_SEARCH_HOLD = 4 << 10,
    MASK_SEARCH_MAX =
        64 << 10, /* what is found in a stream and longer comes out as several "***" */
};

struct mask;
struct mask_found; /* runs of bytes in a text */

/* Finds what must not show besides the values: calls mask_found_add() for each in TEXT, in any order. TEXT may be a
 * part of a line, which then is seen again together with what comes behind it. */
typedef void mask_search_fn(void *ctx, struct slice text, struct mask_found *found);

struct mask *mask_new(void);
struct mask *mask_free(struct mask *m); /* wipes; returns NULL */

/* Registers VALUE, trimmed, and each of its trimmed non-empty lines (ending at LF or CR), with all their
 * encodings. An empty value is ignored. When MASK_TOTAL_MAX is reached, false: a secret could then not
 * be told from other text, so that from now on every line comes out as "***". */
bool mask_add(struct mask *m, struct slice value);

/* From now on SEARCH (one at most) looks at every line, which costs what it costs. Without it nothing is slower. */
void mask_search(struct mask *m, mask_search_fn *search, void *ctx);

/* LEN bytes from AT on, which lie in the text. */
void mask_found_add(struct mask_found *f, size_t at, size_t len);

/* Appends TEXT to OUT, masked as one whole: values of several lines match too. */
void mask_apply(const struct mask *m, struct slice text, struct buf *out);

/* The same for lines, each masked on its own: what streams do. Faster on large texts. */
void mask_apply_lines(const struct mask *m, struct slice lines, struct buf *out);

/* True if masking would change TEXT. */
bool mask_would_change(const struct mask *m, struct slice text);

/* A stream of bytes masked chunk by chunk. What could be the head of a secret is held back until more
 * comes, at most MASK_PIECE_MAX - 1 bytes (with a search MASK_SEARCH_HOLD, and what it found at the end of them); a
 * line end releases it, as no registered value spans lines except whole multi-line ones, which their lines cover. */
struct mask_stream {
    const struct mask *mask;
    struct buf held;
    bool open;      /* the byte before HELD belongs to a secret whose "***" is out already... */
    size_t covered; /* ...and so do this many bytes of HELD */
};

void mask_stream_init(struct mask_stream *s, const struct mask *m);
void mask_stream_deinit(struct mask_stream *s);
/* Appends what is certain to OUT. */
void mask_stream_feed(struct mask_stream *s, struct slice chunk, struct buf *out);
/* Appends the rest: the stream is at an end, or its line is. */
void mask_stream_flush(struct mask_stream *s, struct buf *out);
