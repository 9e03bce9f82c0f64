#include "base/num.h"
#include "base/percent.h"
#include "base/slice.h"

#include "base/clock.h"

#include <criterion/criterion.h>

Test(slice, split_gives_one_piece_more_than_separators)
{
    struct slice rest = SLICE("a,,b,"), piece;
    const char *want[] = {"a", "", "b", ""};
    size_t n = 0;

    while (slice_split(&rest, ',', &piece)) {
        cr_assert_lt(n, 4u);
        cr_assert(slice_eq(piece, slice_of(want[n])));
        n++;
    }
    cr_assert_eq(n, 4u);
}

Test(slice, lines_end_at_lf_and_crlf)
{
    struct slice rest = SLICE("a\r\n\nb"), line;

    cr_assert(slice_line(&rest, &line) && slice_eq(line, SLICE("a")));
    cr_assert(slice_line(&rest, &line) && line.len == 0);
    cr_assert(slice_line(&rest, &line) && slice_eq(line, SLICE("b")));
    cr_assert(!slice_line(&rest, &line));
}

Test(num, refuses_all_that_is_not_the_whole_number)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "1x", "0x1", "--1", "-"};
    struct err err = ERR_INIT;
    int64_t n = 7;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_assert_eq(num_parse_i64(slice_of(bad[i]), -10, 10, &n, &err), ERR_INVALID, "'%s'",
                     bad[i]);
    cr_assert_eq(num_parse_i64(SLICE("11"), -10, 10, &n, &err), ERR_LIMIT);
    cr_assert_eq(num_parse_i64(SLICE("99999999999999999999999"), -10, 10, &n, &err), ERR_LIMIT);
    cr_assert_eq(n, 7, "a failure leaves the result alone");
    cr_assert_eq(num_parse_i64(SLICE("-10"), -10, 10, &n, &err), ERR_OK);
    cr_assert_eq(n, -10);
}

Test(clock, stamps_look_like_those_of_the_service)
{
    char text[CLOCK_STAMP_SIZE];

    clock_stamp(text);
    cr_assert_eq(strlen(text), 28u);
    cr_assert_eq(text[19], '.');
    cr_assert_eq(text[27], 'Z');
}

Test(percent, what_is_an_escape_is_decoded_and_what_is_none_stays)
{
    static const struct {
        const char *text, *want;
    } table[] = {{"", ""},         {"plain", "plain"}, {"a%20b%2fc", "a b/c"}, {"%41%4a%4A", "AJJ"},
                 {"100%", "100%"}, {"%4", "%4"},       {"%zz%4g", "%zz%4g"},   {"%%41", "%A"},
                 {"%2541", "%41"}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf got = BUF_INIT(100);

        percent_decode(slice_of(table[i].text), &got);
        cr_assert_str_eq(got.ptr, table[i].want);
        buf_deinit(&got);
    }
}
