/* arena - memory with one lifetime: everything in it is released together.
 *
 * A parsed workflow, an expression's value, a decoded message each live in one. What must outlive
 * its arena is copied, in sight. */
#pragma once

#include "base/attr.h"
#include "base/slice.h"

#include <stdarg.h>

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t size;                /* bytes handed out so far, for limits of the users */
};

#define ARENA_INIT                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

void arena_deinit(struct arena *a);

/* Takes over all that is in FROM, which is empty afterwards. */
void arena_adopt(struct arena *a, struct arena *from);

/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t size);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

/* Zeroed room for N items of SIZE bytes; the product is checked. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* Copies; the bytes behind the slice are NUL-terminated too. */
struct slice arena_dup(struct arena *a, struct slice s);
char *arena_str(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
