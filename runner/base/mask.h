/* mask - keeps secrets out of everything that leaves the process.
 *
 * Holds each registered value with its usual encodings (runtime.md 8.2) and replaces them by "***",
 * overlapping and touching hits merged into one. Works on texts and on byte streams in chunks. Armed
 * before a value can be used: what was let through earlier is never rewritten. */
#pragma once

#include "base/buf.h"

struct mask;

struct mask *mask_new(void);
struct mask *mask_free(struct mask *m); /* wipes; returns NULL */

/* Registers VALUE, trimmed, and each of its trimmed non-empty lines, with all their encodings. An
 * empty value is ignored. Values over 1 MiB: only the lines. */
void mask_add(struct mask *m, struct slice value);

/* Appends TEXT to OUT, masked as one whole. */
void mask_apply(const struct mask *m, struct slice text, struct buf *out);

/* True if masking would change TEXT. */
bool mask_would_change(const struct mask *m, struct slice text);

/* A stream of bytes masked chunk by chunk. What could be the head of a secret is held back until more
 * comes; a line end releases it, as no registered value spans lines except whole multi-line ones, which
 * their lines cover. */
struct mask_stream {
    const struct mask *mask;
    struct buf held;
};

void mask_stream_init(struct mask_stream *s, const struct mask *m);
void mask_stream_deinit(struct mask_stream *s);
/* Appends what is certain to OUT. */
void mask_stream_feed(struct mask_stream *s, struct slice chunk, struct buf *out);
/* Appends the rest: the stream is at an end. */
void mask_stream_flush(struct mask_stream *s, struct buf *out);
