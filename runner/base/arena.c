#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

/* Most arenas stay small, and a listener keeps several for each registration: blocks begin small, and double. */
enum { FIRST_BLOCK = 1024, BLOCK_MAX = 16 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    alignas(max_align_t) char data[];
};

void arena_deinit(struct arena *a)
{
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (struct arena)ARENA_INIT;
}

void arena_adopt(struct arena *a, struct arena *from)
{
    struct arena_block **last = &a->blocks; /* behind A's own: there is room in the first */

    while (*last)
        last = &(*last)->next;
    *last = from->blocks;
    a->size += from->size;
    *from = (struct arena)ARENA_INIT;
}

static struct arena_block *block_new(size_t cap)
{
    struct arena_block *b = mem_new(sizeof *b + cap);
    b->cap = cap;
    return b;
}

static size_t next_cap(const struct arena_block *b, size_t wanted)
{
    size_t cap = !b ? FIRST_BLOCK : b->cap < BLOCK_MAX / 2 ? 2 * b->cap : BLOCK_MAX;

    return wanted > cap ? wanted : cap;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t unit = alignof(max_align_t);
    struct arena_block *b = a->blocks;

    if (size > SIZE_MAX / 2)
        BUG("arena allocation of %zu bytes", size);
    size = (size + unit - 1) & ~(unit - 1);
    a->size += size;
    if (b && b->cap - b->used >= size) {
        b->used += size;
        return b->data + b->used - size;
    }
    if (size > BLOCK_MAX / 4 && b) { /* big ones get their own, behind the one in use */
        struct arena_block *big = block_new(size);

        big->used = size;
        big->next = b->next;
        b->next = big;
        return big->data;
    }
    b = block_new(next_cap(b, size));
    b->next = a->blocks;
    a->blocks = b;
    b->used = size;
    return b->data;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        BUG("arena array of %zu items", n);
    return arena_alloc(a, total);
}

char *arena_str(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (s.len)
        memcpy(p, s.ptr, s.len);
    return p;
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    return slice_make(arena_str(a, s), s.len);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}
