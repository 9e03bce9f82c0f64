#include "plugin/wire.h"

#include <criterion/criterion.h>

static struct wire_frame cut(struct slice *rest)
{
    struct wire_frame f = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(wire_next(rest, &f, &err), 1, "%s", err.text);
    return f;
}

static void put_one(struct buf *to)
{
    struct err err;
    size_t at;

    wire_begin(to, WIRE_OUTPUT, 7, &at);
    wire_put_text(to, "name");
    wire_put_text(to, NULL);
    wire_put_int(to, -5);
    wire_put_bytes(to, slice_make("a\0b", 3));
    cr_assert_eq(wire_close(to, at, &err), ERR_OK);
}

Test(wire, reads_back_what_was_written)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(1000);
    struct err err;

    put_one(&b);
    put_one(&b);
    struct slice rest = buf_slice(&b);
    for (int i = 0; i < 2; i++) {
        struct wire_frame f = cut(&rest);

        cr_assert_eq(f.op, WIRE_OUTPUT);
        cr_assert_eq(f.id, 7);
        cr_assert_str_eq(wire_text(&f).ptr, "name");
        cr_assert_null(wire_maybe(&f).ptr);
        cr_assert_eq(wire_int(&f), -5);
        cr_assert(slice_eq(wire_bytes(&f), slice_make("a\0b", 3)));
        cr_assert_eq(wire_done(&f, &err), ERR_OK);
    }
    cr_assert_eq(rest.len, 0);
}

Test(wire, waits_for_whole_frames)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(1000);
    struct wire_frame f;
    struct err err;

    put_one(&b);
    for (size_t n = 0; n < b.len; n++) {
        struct slice rest = slice_head(buf_slice(&b), n);
        cr_assert_eq(wire_next(&rest, &f, &err), 0);
        cr_assert_eq(rest.len, n, "an unfinished frame is left alone");
    }
}

Test(wire, refuses_heads_that_are_none)
{
    const struct wire_head heads[] = {{.size = WIRE_FRAME_MAX + 1, .op = WIRE_LOG},
                                      {.size = 0, .op = 0},
                                      {.size = 0, .op = WIRE_OPS}};
    struct wire_frame f;
    struct err err;

    for (size_t i = 0; i < 3; i++) {
        struct slice rest = slice_make((const char *)&heads[i], sizeof heads[i]);
        cr_assert_eq(wire_next(&rest, &f, &err), ERR_INVALID, "%zu", i);
    }
}

/* Each byte of a frame changed in turn: whatever is read then, nothing outside the frame is. */
Test(wire, survives_every_changed_byte)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(1000);

    put_one(&b);
    for (size_t i = sizeof(struct wire_head); i < b.len; i++) {
        static const char values[] = {0, 1, 0x7f, -128, -1};

        for (size_t v = 0; v < sizeof values; v++) {
            char *copy = mem_dup(b.ptr, b.len); /* its own allocation, for the sanitizer */
            struct slice rest = {copy, b.len};
            struct err err;

            copy[i] = values[v];
            struct wire_frame f = cut(&rest);
            struct slice name = wire_text(&f), none = wire_maybe(&f);
            (void)wire_int(&f);
            struct slice bytes = wire_bytes(&f);
            if (wire_done(&f, &err) == ERR_OK)
                cr_assert(strlen(name.ptr) == name.len && none.len + bytes.len < b.len);
            free(copy);
        }
    }
}

Test(wire, a_text_with_a_nul_inside_or_fields_too_many_are_malformed)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(1000);
    struct err err;
    size_t at;

    wire_begin(&b, WIRE_LOG, 0, &at);
    wire_put_slice(&b, slice_make("a\0b", 3));
    wire_put_int(&b, 1);
    cr_assert_eq(wire_close(&b, at, &err), ERR_OK);
    struct slice rest = buf_slice(&b);
    struct wire_frame f = cut(&rest), g = f;
    cr_assert_str_eq(wire_text(&f).ptr, "");
    cr_assert_eq(wire_int(&f), 0, "nothing is given after a malformed field");
    cr_assert_eq(wire_done(&f, &err), ERR_INVALID);
    (void)wire_bytes(&g);
    cr_assert_eq(wire_done(&g, &err), ERR_INVALID);
}

Test(wire, takes_back_a_frame_that_is_too_large)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(64);
    struct err err;
    size_t at;
    char big[100];

    memset(big, 'x', sizeof big);
    wire_begin(&b, WIRE_LOG, 0, &at);
    wire_put_bytes(&b, slice_make(big, sizeof big));
    cr_assert_eq(wire_close(&b, at, &err), ERR_LIMIT);
    cr_assert_eq(b.len, 0);
    cr_assert_not(b.overflow);
}
