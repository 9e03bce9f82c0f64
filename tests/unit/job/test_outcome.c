#include "job/outcome.h"

#include "base/attr.h"

#include <criterion/criterion.h>

Test(outcome, merging_takes_the_worse_and_stays_beyond_failure)
{
    static const struct {
        enum result a, b, want;
    } rows[] = {
        {RESULT_NONE, RESULT_SUCCESS, RESULT_SUCCESS},
        {RESULT_SUCCESS, RESULT_FAILURE, RESULT_FAILURE},
        {RESULT_FAILURE, RESULT_SUCCESS, RESULT_FAILURE},
        {RESULT_FAILURE, RESULT_CANCELLED, RESULT_CANCELLED},
        {RESULT_CANCELLED, RESULT_FAILURE, RESULT_CANCELLED},
        {RESULT_CANCELLED, RESULT_SKIPPED, RESULT_CANCELLED},
        {RESULT_SKIPPED, RESULT_FAILURE, RESULT_SKIPPED},
        {RESULT_FAILURE, RESULT_NONE, RESULT_FAILURE},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert_eq(result_merge(rows[i].a, rows[i].b), rows[i].want, "row %zu", i);
}

Test(outcome, names_are_those_of_the_contexts)
{
    cr_assert_str_eq(result_name(RESULT_SKIPPED), "skipped");
}
