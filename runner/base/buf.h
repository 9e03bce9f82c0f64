/* buf - a growing run of bytes that is born with the size it may never exceed.
 *
 * Always NUL-terminated, never NULL. Adding past the limit drops the whole piece and marks the
 * buffer; look once, when the work is done, with buf_check(). */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
    char *ptr;
    size_t len, cap;
    size_t max;    /* len never passes it */
    bool overflow; /* something did not fit and was left out */
};

extern char buf_empty[]; /* what an untouched buffer points to */

#define BUF_INIT(limit)                                                                            \
    {                                                                                              \
        .ptr = buf_empty, .max = (limit)                                                           \
    }

void buf_deinit(struct buf *b); /* back to an empty buffer with the same limit */
void buf_clear(struct buf *b);  /* empty, memory kept, overflow mark gone */
void buf_add(struct buf *b, struct slice s);
void buf_add_str(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Room for SIZE more bytes at ptr + len, to be filled by hand; the caller then moves len. NULL and
 * the overflow mark when the limit forbids it. */
char *buf_reserve(struct buf *b, size_t size);

/* Back to the first LEN bytes; memory and the overflow mark stay. */
void buf_cut(struct buf *b, size_t len);

/* Drops the first N bytes. */
void buf_consume(struct buf *b, size_t n);

/* ERR_LIMIT "WHAT is larger than N bytes" when something was left out. */
MUST_CHECK int buf_check(const struct buf *b, const char *what, struct err *err);

/* Hands the text on: the caller frees it; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_make(b->ptr, b->len);
}
