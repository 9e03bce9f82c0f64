#include "base/strmap.h"

#include "base/attr.h"

#include <criterion/criterion.h>

Test(strmap, keeps_the_order_of_first_setting)
{
    CLEANUP(strmap_deinit) struct strmap m = STRMAP_INIT;
    const char *want[] = {"b", "a", "B"};
    size_t n = 0;

    strmap_set(&m, SLICE("b"), SLICE("1"));
    strmap_set(&m, SLICE("a"), SLICE("2"));
    strmap_set(&m, SLICE("B"), SLICE("3"));
    strmap_set(&m, SLICE("b"), SLICE("4"));
    STRMAP_EACH (i, &m)
        cr_assert_str_eq(i->name, want[n++]);
    cr_assert_eq(n, 3);
    cr_assert_str_eq(strmap_get(&m, "b"), "4");
}

Test(strmap, without_case_the_first_spelling_stays)
{
    CLEANUP(strmap_deinit) struct strmap m = STRMAP_INIT_NOCASE;

    strmap_set(&m, SLICE("Path"), SLICE("1"));
    strmap_set(&m, SLICE("PATH"), SLICE("2"));
    cr_assert_eq(m.len, 1);
    cr_assert_str_eq(m.items[0].name, "Path");
    cr_assert_str_eq(strmap_get(&m, "path"), "2");
}

Test(strmap, finds_each_of_many_and_none_that_was_removed)
{
    CLEANUP(strmap_deinit) struct strmap m = STRMAP_INIT;
    char name[16];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        strmap_set(&m, slice_of(name), slice_of(name));
    }
    strmap_unset(&m, SLICE("n500"));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        const char *got = strmap_get(&m, name);
        if (i == 500)
            cr_assert_null(got);
        else
            cr_assert_str_eq(got, name);
    }
}
