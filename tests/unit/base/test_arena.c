#include "base/arena.h"

#include <criterion/criterion.h>

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
