/* slice - a borrowed run of bytes: pointer and length. May hold NUL bytes; is not terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

struct slice {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* A string literal as a slice; the second form is for static initialisers. */
#define SLICE(lit) ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_INIT(lit)                                                                            \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).len, ((s).len ? (s).ptr : "")

/* NULL gives the empty slice. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline struct slice slice_make(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII letters only */
int slice_cmp(struct slice a, struct slice b);        /* byte order, shorter first */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* Index of the first C or NEEDLE in S, -1: none. An empty needle is found at 0. */
ssize_t slice_find_char(struct slice s, char c);
ssize_t slice_find(struct slice s, struct slice needle);

/* The part from AT on, clamped to the end; the first LEN bytes, clamped. */
struct slice slice_from(struct slice s, size_t at);
struct slice slice_head(struct slice s, size_t len);

/* Without ASCII white space (space, \t \n \v \f \r) at both ends. */
struct slice slice_trim(struct slice s);

/* Takes the text before the next SEP off the front of *REST; false once *REST is used up (its ptr is
 * NULL then). A text with n separators gives n + 1 pieces, the empty text one empty piece. */
bool slice_split(struct slice *rest, char sep, struct slice *ret);

/* The next line of *REST without its line end (LF, or CRLF). False at the end. */
bool slice_line(struct slice *rest, struct slice *ret);
