#include "report/text.h"

#include <criterion/criterion.h>

#define U8 ((struct text_style){.color = true, .utf8 = true})

/* Plain text is looked at eight bytes at a time: each byte has to be noticed wherever it stands. */
Test(text, every_byte_is_cleaned_at_every_place)
{
    for (unsigned c = 1; c < 256; c++) {
        bool kept = (c >= 0x20 && c < 0x7F) || c == '\t';

        if (c == '\r' || c == '\033')
            continue; /* they take more than themselves away */
        for (size_t at = 0; at < 19; at++) {
            CLEANUP(buf_deinit) struct buf out = BUF_INIT(100);
            char line[20] = "abcdefghijklmnopqrs", wanted[20] = {0};

            line[at] = (char)c;
            memcpy(wanted, line, at);
            size_t n = at;
            if (kept || c >= 0x80) /* no UTF-8 by itself */
                wanted[n++] = c >= 0x80 ? '?' : (char)c;
            memcpy(wanted + n, line + at + 1, 18 - at);
            text_clean(&out, slice_of(line), (struct text_style){0});
            cr_assert_str_eq(out.ptr, wanted, "byte %u at %zu: '%s'", c, at, out.ptr);
        }
    }
}

Test(text, lets_nothing_through_that_moves_the_cursor)
{
    static const struct {
        const char *in, *plain, *colored;
    } rows[] = {
        {"plain", "plain", "plain"},
        {"a\tb", "a\tb", "a\tb"},
        {"\033[31mred\033[0m", "red", "\033[31mred\033[0m\033[0m"},
        {"\033[1;38;5;9mx", "x", "\033[1;38;5;9mx\033[0m"},
        {"\033[38:2:1:2:3mx", "x", "\033[38:2:1:2:3mx\033[0m"},
        {"\033[2Jgone\033[H", "gone", "gone"},
        {"\033[1A\033[Kup", "up", "up"},
        {"\033[?25lhide", "hide", "hide"},
        {"\033]0;title\abody", "body", "body"},
        {"\033]8;;http://x\033\\link\033]8;;\033\\", "link", "link"},
        {"\033Pq#0\033\\dcs", "dcs", "dcs"},
        {"\033]0;never ends", "", ""},
        {"\033[31", "", ""},
        {"\033", "", ""},
        {"x\033", "x", "x"},
        {"\033cfull reset", "full reset", "full reset"},
        {"\033(0charset", "charset", "charset"},
        {"a\bb\ac\x7f", "abc", "abc"},
        {"10%\r50%\r100%", "100%", "100%"},
        {"100%\r\r", "100%", "100%"},
        {"\r", "", ""},
        {"caf\xC3\xA9", "caf\xC3\xA9", "caf\xC3\xA9"},
        {"bad\xFF\xC3", "bad\xEF\xBF\xBD\xEF\xBF\xBD", "bad\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC2\x9B"
         "2J",
         "2J", "2J"}, /* C1 CSI */
        {"a\xE2\x80\xAE"
         "b",
         "ab", "ab"}, /* right-to-left override */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},                             /* a surrogate */
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(1000);
        CLEANUP(buf_deinit) struct buf colored = BUF_INIT(1000);

        text_clean(&plain, slice_of(rows[i].in), (struct text_style){.utf8 = true});
        text_clean(&colored, slice_of(rows[i].in), U8);
        cr_expect_str_eq(plain.ptr, rows[i].plain, "row %zu plain: '%s'", i, plain.ptr);
        cr_expect_str_eq(colored.ptr, rows[i].colored, "row %zu colored: '%s'", i, colored.ptr);
    }
}

Test(text, without_utf8_only_ascii_leaves)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(100);

    text_clean(&out, SLICE("a\xC3\xA9\xE6\x97\xA5."), (struct text_style){0});
    cr_assert_str_eq(out.ptr, "a??.");
}

Test(text, counts_columns_as_terminals_do)
{
    static const struct {
        const char *text;
        int width;
    } rows[] = {
        {"", 0},
        {"abc", 3},
        {"\033[31mabc\033[0m", 3},
        {"caf\xC3\xA9", 4},
        {"e\xCC\x81", 1},                /* combining accent */
        {"\xE6\x97\xA5\xE6\x9C\xAC", 4}, /* CJK */
        {"\xF0\x9F\x9A\x80", 2},         /* rocket */
        {"\xE2\x9C\x93", 1},             /* check mark */
        {"\xEF\xBC\xA1", 2},             /* fullwidth A */
        {"a\xE2\x80\x8D", 1},            /* zero-width joiner */
        {"\xF3\xA0\x84\x80", 0},         /* the last range of its table */
        {"\xF0\xBF\xBF\xBD", 2},         /* the last one of the wide table */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_eq(text_width(slice_of(rows[i].text)), rows[i].width, "row %zu: %d", i,
                     text_width(slice_of(rows[i].text)));
}

Test(text, cuts_to_the_column_and_closes_colours)
{
    static const struct {
        const char *text;
        int width;
        const char *want;
        int used;
    } rows[] = {
        {"abc", 3, "abc", 3},
        {"abcd", 3, "ab\xE2\x80\xA6", 3},
        {"\xE6\x97\xA5\xE6\x9C\xAC", 3, "\xE6\x97\xA5\xE2\x80\xA6", 3},
        {"\xE6\x97\xA5\xE6\x9C\xAC", 2, "\xE2\x80\xA6", 1},
        {"\033[31mabcd\033[0m", 3, "\033[31mab\033[0m\xE2\x80\xA6", 3},
        {"a\tb", 3, "a b", 3},
        {"abc", 0, "", 0},
        {"abc", 1, "\xE2\x80\xA6", 1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(100);
        int used = text_cut(&out, slice_of(rows[i].text), rows[i].width, U8);

        cr_expect_str_eq(out.ptr, rows[i].want, "row %zu: '%s'", i, out.ptr);
        cr_expect_eq(used, rows[i].used, "row %zu: %d", i, used);
    }
}

Test(text, lines_are_folded_at_spaces)
{
    static const struct {
        const char *text;
        int width, indent;
        const char *want;
    } rows[] = {
        {"", 5, 2, ""},
        {"one two", 7, 2, "one two"},
        {"one two", 6, 2, "one\n  two"},
        {"one two three four", 9, 2, "one two\n  three\n  four"},
        {"a  b   c", 4, 1, "a  b\n c"},
        {"job  name words", 10, 5, "job  name\n     words"},
        {"a-very-long-word b", 5, 2, "a-very-long-word\n  b"},
        {"a a-very-long-word b", 5, 2, "a\n  a-very-long-word\n  b"},
        {"   a-very-long-word", 5, 2, "   a-very-long-word"},
        {"\033[31mone two\033[0m (3)", 7, 0, "\033[31mone two\033[0m\n(3)"},
        {"\xE6\x97\xA5 \xE6\x9C\xAC", 4, 1, "\xE6\x97\xA5\n \xE6\x9C\xAC"},
        {"one two  ", 7, 2, "one two  "},
        {"one two", 6, 100, "one\n   two"},
        {"one two", 0, 3, "one\ntwo"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(100);

        text_fold(&out, slice_of(rows[i].text), rows[i].width, rows[i].indent);
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].want)), "row %zu: '%.*s'", i,
                  (int)out.len, out.ptr ? out.ptr : "");
    }
}

Test(text, any_bytes_are_cut_without_reading_past_them)
{
    unsigned seed = 1;

    for (int round = 0; round < 2000; round++) {
        CLEANUP(buf_deinit) struct buf clean = BUF_INIT(1000);
        CLEANUP(buf_deinit) struct buf cut = BUF_INIT(1000);
        char bytes[24];
        char *heap;

        for (size_t i = 0; i < sizeof bytes; i++) {
            static const char likely[] = "\033[]m;\\\a\r\t0159A\xE2\x80\xF0\x9F\xC3";

            seed = seed * 1103515245 + 12345;
            bytes[i] =
                seed & 0x10000 ? likely[(seed >> 20) % (sizeof likely - 1)] : (char)(seed >> 24);
        }
        heap = mem_dup(bytes, sizeof bytes); /* so that ASan sees its end */
        text_clean(&clean, slice_make(heap, sizeof bytes), U8);
        text_cut(&cut, buf_slice(&clean), 7, U8);
        cr_assert_leq(text_width(buf_slice(&cut)), 7, "round %d", round);
        cr_assert_eq(memchr(clean.ptr, '\r', clean.len), NULL);
        free(heap);
    }
}
