#include "base/utf8.h"

#include <criterion/criterion.h>

#define FFFD "\xef\xbf\xbd"

static const struct {
    const char *in, *out;
} rows[] = {
    {"", NULL},
    {"plain ASCII, longer than one block of thirty-two bytes\n", NULL},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
    {"thirty-one bytes of ASCII and on\xc3\xa9", NULL},
    {"a\x80z", "a" FFFD "z"},
    {"a\xc3z", "a" FFFD "z"},
    {"a\xe2\x82z", "a" FFFD "z"},
    {"a\xf0\x9f\x98z", "a" FFFD "z"},
    {"\xc3", FFFD},
    {"\xe2\x82", FFFD},
    {"\xc0\xaf", FFFD FFFD},
    {"\xe0\x80\xaf", FFFD FFFD FFFD},
    {"\xed\xa0\x80", FFFD FFFD FFFD},
    {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
    {"\xf4\x8f\xbf\xbf", NULL},
    {"\xff\xfe", FFFD FFFD},
    {"\xe2\xe2\x82\xac", FFFD "\xe2\x82\xac"},
    {"\xf0\x9f\xc3\xa9", FFFD "\xc3\xa9"},
};

Test(utf8, replaces_each_maximal_piece_of_a_character)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *want = rows[i].out ? rows[i].out : rows[i].in;
        struct buf out = BUF_INIT(1000);

        utf8_clean(slice_of(rows[i].in), &out);
        cr_expect_str_eq(out.ptr, want, "row %zu: '%s'", i, out.ptr);
        cr_expect_eq(utf8_valid(slice_of(rows[i].in)) == strlen(rows[i].in), !rows[i].out,
                     "row %zu", i);
        buf_deinit(&out);
    }
}

Test(utf8, gives_the_same_for_any_chunks)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice in = slice_of(rows[i].in);
        const char *want = rows[i].out ? rows[i].out : rows[i].in;

        for (size_t size = 1; size < 6; size++) {
            struct buf out = BUF_INIT(1000), scratch = BUF_INIT(1000);
            struct utf8 u = {0};

            for (size_t at = 0; at < in.len; at += size)
                buf_add(&out, utf8_feed(&u, slice_head(slice_from(in, at), size), &scratch));
            buf_add(&out, utf8_end(&u));
            cr_expect_str_eq(out.ptr, want, "row %zu in chunks of %zu: '%s'", i, size, out.ptr);
            buf_deinit(&out);
            buf_deinit(&scratch);
        }
    }
}

Test(utf8, valid_text_is_not_copied)
{
    struct buf scratch = BUF_INIT(1000);
    struct utf8 u = {0};
    const char *text = "gr\xc3\xbc\xc3\x9f";

    cr_assert_eq(utf8_feed(&u, slice_of(text), &scratch).ptr, text);
    cr_assert_eq(scratch.len, 0);
    buf_deinit(&scratch);
}

Test(utf8, cuts_between_characters)
{
    struct slice euro = SLICE("a\xe2\x82\xac"
                              "b");

    for (size_t max = 0; max <= 6; max++) {
        static const size_t want[] = {0, 1, 1, 1, 4, 5, 5};
        cr_expect_eq(utf8_head(euro, max).len, want[max], "%zu", max);
    }
}

Test(utf8, makes_text_of_bytes)
{
    struct arena a = ARENA_INIT;
    const char *good = "caf\xc3\xa9";

    cr_expect_eq(utf8_text(&a, good), good);
    cr_expect_null(utf8_text(&a, NULL));
    cr_expect_str_eq(utf8_text(&a, "caf\xe9"), "caf" FFFD);
    arena_deinit(&a);
}
