#include "queue/local/marks.h"

#include <criterion/criterion.h>

static const char *find(const struct marks *m, const char *path, bool assume)
{
    struct slice parts[8], rest = slice_of(path), part;
    size_t n = 0;

    while (n < COUNT_OF(parts) && slice_split(&rest, '.', &part))
        parts[n++] = part;
    const char *mark = marks_find(m, parts, n, assume);
    return mark ? mark : "";
}

Test(marks, cover_what_is_inside_and_what_they_are_inside_of)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(marks_deinit) struct marks m = {0};

    marks_add(&m, &a, "needs.b.outputs", "tag", "‹b›");
    cr_expect_str_eq(find(&m, "needs.b.outputs.tag", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs.B.Outputs.TAG", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs.b.outputs.tag.more", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs.b.outputs", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs.*.outputs.tag", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs.b.outputs.other", false), "");
    cr_expect_str_eq(find(&m, "needs.c", false), "");
    cr_expect_str_eq(find(&m, "needs.b.result", false), "");
    cr_expect_str_eq(find(&m, "env.tag", false), "");
}

Test(marks, a_name_may_hold_dots)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(marks_deinit) struct marks m = {0};
    struct slice path[] = {SLICE("env"), SLICE("a.b")};

    marks_add(&m, &a, "env", "a.b", "‹x›");
    cr_expect_str_eq(marks_find(&m, path, 2, false), "‹x›");
    cr_expect_str_eq(find(&m, "env.a", false), "");
}

Test(marks, but_for_what_is_there)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(marks_deinit) struct marks m = {0};
    json_t *vars = json_pack("{s:s}", "HOST", "x");

    marks_add(&m, &a, "vars", NULL, "‹not given›")->but_for = vars;
    cr_expect_str_eq(find(&m, "vars.host", false), "");
    cr_expect_str_eq(find(&m, "vars.PORT", false), "‹not given›");
    cr_expect_str_eq(find(&m, "vars", false), "‹not given›", "all of them are not known");
    cr_expect_str_eq(find(&m, "vars.*", false), "‹not given›");
    json_decref(vars);
}

Test(marks, what_is_assumed_is_known_to_conditions)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(marks_deinit) struct marks m = {0};

    marks_add(&m, &a, "needs.b", "result", "‹b›")->assumed = true;
    cr_expect_str_eq(find(&m, "needs.b.result", false), "‹b›");
    cr_expect_str_eq(find(&m, "needs.b.result", true), "");
}

Test(marks, a_later_value_takes_them_away)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(marks_deinit) struct marks m = {0};

    marks_add(&m, &a, "env", "A", "‹a›");
    marks_add(&m, &a, "env", "B", "‹b›");
    marks_drop(&m, "env", "a");
    cr_expect_str_eq(find(&m, "env.A", false), "");
    cr_expect_str_eq(find(&m, "env.B", false), "‹b›");
}
