#include "base/base64.h"

#include <criterion/criterion.h>

static const struct row {
    const char *plain, *coded;
} rows[] = {
    {"", ""},        {"f", "Zg"},        {"fo", "Zm8"},
    {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xfb\xff\xfe", "-__-"},
};

Test(base64, goes_both_ways)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf coded = BUF_INIT(100);
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(100);
        struct err err = ERR_INIT;

        base64_url(&coded, slice_of(rows[i].plain));
        cr_assert_str_eq(coded.ptr, rows[i].coded);
        cr_assert_eq(base64_decode(buf_slice(&coded), &plain, &err), ERR_OK, "%s", err.text);
        cr_assert(slice_eq(buf_slice(&plain), slice_of(rows[i].plain)), "row %zu", i);
    }
}

Test(base64, is_padded_in_the_ordinary_alphabet)
{
    static const struct row padded[] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff\xfe", "+//+"},
    };

    for (size_t i = 0; i < COUNT_OF(padded); i++) {
        CLEANUP(buf_deinit) struct buf coded = BUF_INIT(100);

        base64_add(&coded, slice_of(padded[i].plain));
        cr_expect_str_eq(coded.ptr, padded[i].coded);
    }
}

Test(base64, reads_padding_and_the_other_alphabet)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(100);
    struct err err = ERR_INIT;

    cr_assert_eq(base64_decode(SLICE("Zg=="), &plain, &err), ERR_OK);
    cr_assert_eq(base64_decode(SLICE("+//+"), &plain, &err), ERR_OK);
    cr_assert_str_eq(plain.ptr, "f\xfb\xff\xfe");
}

Test(base64, refuses_what_it_is_not)
{
    static const char *const wrong[] = {"Z", "Zg=", "Z===", "Zm9v=", "Zm 9", "Zg==Zg==", "Zm9v\n"};

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(100);
        struct err err = ERR_INIT;

        cr_assert_eq(base64_decode(slice_of(wrong[i]), &plain, &err), ERR_INVALID, "'%s'",
                     wrong[i]);
    }
}
