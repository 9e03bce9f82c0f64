#include "lang/expr/explain.h"

#include <criterion/criterion.h>

static const json_t *context(void *ctx, struct slice name)
{
    return slice_eq(name, SLICE("github")) ? ctx : NULL;
}

Test(explain, shows_what_was_written_and_the_values_it_saw)
{
    static const char *const rows[][2] = {
        {"success() && (github.ref == 'refs/heads/main')",
         "its `if` is false: github.ref == 'refs/heads/main' (github.ref is 'refs/heads/topic')"},
        {"always() && GitHub.Missing", "its `if` is false: always() && GitHub.Missing "
                                       "(github.Missing is not set)"},
        {"success() && (github.n > 3 && github.n < 9)",
         "its `if` is false: github.n > 3 && github.n < 9 (github.n is 2)"},
        {"success() && (false)", "its `if` is false: false"},
    };
    json_t *github = json_pack("{s:s, s:i}", "ref", "refs/heads/topic", "n", 2);
    struct expr_scope scope = {.context = context, .ctx = github};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

        cr_assert_str_eq(explain_condition(&a, slice_of(rows[i][0]), &scope), rows[i][1]);
    }
    json_decref(github);
}

Test(explain, an_unwritten_condition_is_known_as_such)
{
    bool wrapped = false;

    (void)explain_written(SLICE("success()"), &wrapped);
    cr_assert(wrapped);
    cr_assert(slice_eq(explain_written(SLICE("success() && (x)"), &wrapped), SLICE("x")));
    cr_assert(wrapped);
    (void)explain_written(SLICE("always()"), &wrapped);
    cr_assert(!wrapped);
}
