#include "base/buf.h"

#include <criterion/criterion.h>

Test(buf, an_untouched_buffer_is_an_empty_text)
{
    struct buf b = BUF_INIT(10);

    cr_assert_str_eq(b.ptr, "");
    buf_deinit(&b);
}

Test(buf, what_does_not_fit_is_left_out_whole_and_reported)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(5);
    struct err err = ERR_INIT;

    buf_add(&b, SLICE("abc"));
    cr_assert_eq(buf_check(&b, "the text", &err), ERR_OK);
    buf_add(&b, SLICE("def"));
    cr_assert_str_eq(b.ptr, "abc");
    cr_assert_eq(buf_check(&b, "the text", &err), ERR_LIMIT);
    cr_assert_str_eq(err.text, "the text is larger than 5 bytes");
    buf_clear(&b);
    buf_add(&b, SLICE("12345"));
    cr_assert_eq(buf_check(&b, "the text", &err), ERR_OK);
}

Test(buf, consume_moves_the_rest_to_the_front)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(100);

    buf_printf(&b, "%d-%s", 12, "abc");
    buf_consume(&b, 3);
    cr_assert_str_eq(b.ptr, "abc");
    cr_assert_eq(b.len, 3);
}

Test(buf, cut_keeps_the_first_bytes)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(100);

    buf_cut(&b, 0);
    cr_assert_str_eq(b.ptr, "");
    buf_add(&b, SLICE("abcdef"));
    buf_cut(&b, 2);
    buf_add(&b, SLICE("-"));
    cr_assert_str_eq(b.ptr, "ab-");
    buf_cut(&b, 0);
    cr_assert_str_eq(b.ptr, "");
}
