/* wipe - what held a secret, overwritten before it is given back. */
#pragma once

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/* TEXT is NUL-terminated and from malloc, or NULL. */
static inline void wipe_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* In the place of buf_deinit(), for CLEANUP too. What a buffer left behind as it grew is not reached. */
static inline void wipe_buf(struct buf *b)
{
    explicit_bzero(b->ptr, b->len);
    buf_deinit(b);
}
