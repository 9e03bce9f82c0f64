#include "lang/ids.h"
#include "lang/near.h"

#include <criterion/criterion.h>

static const char *make(struct ids *ids, struct arena *a, const char *one, const char *two,
                        bool reserved)
{
    struct slice segments[] = {slice_of(one), slice_of(two)};

    return ids_make(ids, a, segments, 2, reserved);
}

Test(ids, are_made_from_segments)
{
    static const struct {
        const char *one, *two, *id;
        bool reserved;
    } rows[] = {
        {"", "", "job", false},       {"a", "b", "a_b", false},
        {"", "b", "b", false},        {"123", "", "_123", false},
        {"-a", "", "_-a", false},     {"a b", "", "a_b", false},
        {"!x", "!y", "_x__y", false}, {"__a", "", "_a", false},
        {"__a", "", "__a", true},     {"!@w", "!@w", "__w___w", true},
        {"ü", "", "_", false},        {"__", "", "_", false},
        {"a", "1", "a_1", false},     {"\xF0\x9F\x98\x80", "", "__", true},
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ids ids = IDS_INIT;

        cr_assert_str_eq(make(&ids, &a, rows[i].one, rows[i].two, rows[i].reserved), rows[i].id);
        ids_deinit(&ids);
    }
    arena_deinit(&a);
}

Test(ids, made_ones_count_up_past_those_that_are_taken)
{
    struct arena a = ARENA_INIT;
    struct ids ids = IDS_INIT;

    cr_assert_eq(ids_add(&ids, SLICE("A_2")), IDS_OK);
    cr_assert_str_eq(make(&ids, &a, "a", "", false), "a");
    cr_assert_str_eq(make(&ids, &a, "a", "", false), "a_3");
    cr_assert_str_eq(make(&ids, &a, "A", "", false), "A_4");
    cr_assert_str_eq(make(&ids, &a, "_", "", false), "_");
    cr_assert_str_eq(make(&ids, &a, "_", "", false), "_2");
    ids_deinit(&ids);
    arena_deinit(&a);
}

Test(ids, made_ones_have_a_hundred_characters_with_their_suffix)
{
    struct arena a = ARENA_INIT;
    struct ids ids = IDS_INIT;
    char name[151];

    memset(name, 'x', sizeof name - 1);
    name[150] = '\0';
    cr_assert_eq(strlen(make(&ids, &a, name, "", false)), 100u);
    const char *second = make(&ids, &a, name, "", false);
    cr_assert_eq(strlen(second), 100u);
    cr_assert_str_eq(second + 97, "x_2");
    ids_deinit(&ids);
    arena_deinit(&a);
}

Test(ids, there_are_999_of_a_name)
{
    struct arena a = ARENA_INIT;
    struct ids ids = IDS_INIT;

    for (int i = 0; i < 999; i++)
        cr_assert_not_null(make(&ids, &a, "a", "", false));
    cr_assert_null(make(&ids, &a, "a", "", false));
    ids_deinit(&ids);
    arena_deinit(&a);
}

Test(ids, written_ones_are_checked)
{
    static const struct {
        const char *id;
        enum ids_fault fault;
    } rows[] = {
        {"a", IDS_OK},        {"_", IDS_OK},         {"a-b_C9", IDS_OK},    {"A", IDS_TAKEN},
        {"", IDS_MALFORMED},  {"1a", IDS_MALFORMED}, {"-a", IDS_MALFORMED}, {"a b", IDS_MALFORMED},
        {"ä", IDS_MALFORMED}, {"__", IDS_RESERVED},  {"__a", IDS_RESERVED}, {"a.b", IDS_MALFORMED},
    };
    struct ids ids = IDS_INIT;
    char longest[101];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert_eq(ids_add(&ids, slice_of(rows[i].id)), rows[i].fault, "'%s'", rows[i].id);
    memset(longest, 'x', 100);
    cr_assert_eq(ids_add(&ids, slice_make(longest, 100)), IDS_MALFORMED);
    cr_assert_eq(ids_add(&ids, slice_make(longest, 99)), IDS_OK);
    ids_deinit(&ids);
}

static const char *nearest(const char *word, const char *const *names)
{
    struct near_best best = near_begin(slice_of(word));

    for (; *names; names++)
        near_offer(&best, slice_of(*names));
    return best.match.ptr;
}

Test(near, finds_what_was_meant)
{
    static const char *const names[] = {"runs-on",         "run", "uses", "needs", "steps",
                                        "timeout-minutes", NULL};
    static const struct {
        const char *word, *meant;
    } rows[] = {
        {"runs_on", "runs-on"}, {"Runs-On", "runs-on"},
        {"runson", "runs-on"},  {"rnu", "run"},
        {"use", "uses"},        {"need", "needs"},
        {"setps", "steps"},     {"timeout-minute", "timeout-minutes"},
        {"xyz", NULL},          {"", NULL},
        {"matrix", NULL},       {"r", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *got = nearest(rows[i].word, names);

        cr_assert(rows[i].meant ? got && strcmp(got, rows[i].meant) == 0 : !got, "'%s' gave '%s'",
                  rows[i].word, got ? got : "nothing");
    }
}
