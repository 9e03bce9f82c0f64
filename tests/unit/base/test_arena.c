#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

Test(arena, takes_over_what_lies_in_another)
{
    struct arena a = ARENA_INIT, b = ARENA_INIT;
    char *mine = arena_str(&a, SLICE("mine")), *theirs = arena_str(&b, SLICE("theirs"));

    arena_adopt(&a, &b);
    cr_expect_eq(b.size, 0);
    arena_deinit(&b);
    cr_expect_str_eq(mine, "mine");
    cr_expect_str_eq(theirs, "theirs");
    cr_expect_str_eq(arena_str(&a, SLICE("more")), "more");
    arena_adopt(&b, &a);
    cr_expect_str_eq(theirs, "theirs");
    arena_deinit(&b);
}

Test(arena, what_it_gives_is_empty_aligned_and_nobody_elses)
{
    enum { N = 3000 };
    struct arena a = ARENA_INIT;
    unsigned char *had[N];

    for (size_t i = 0; i < N; i++) {
        size_t size = 1 + i * 7919 % (i % 100 == 99 ? 40000 : 300);

        had[i] = arena_alloc(&a, size);
        cr_assert_eq((uintptr_t)had[i] % alignof(max_align_t), 0, "the %zuth", i);
        for (size_t k = 0; k < size; k++)
            cr_assert_eq(had[i][k], 0, "byte %zu of the %zuth", k, i);
        memset(had[i], (int)(i % 255) + 1, size);
    }
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(had[i][0], i % 255 + 1, "the %zuth", i);
    arena_deinit(&a);
}
