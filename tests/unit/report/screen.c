#include "screen.h"

#include "base/attr.h"

#include <criterion/criterion.h>

enum { SCROLLED_MAX = 4 << 20 };

static void set_cell(struct screen *s, int row, int col, struct slice c)
{
    free(s->cells[row][col]);
    s->cells[row][col] = mem_dup(c.len ? c.ptr : "", c.len);
}

static void clear_cells(struct screen *s, int row, int from)
{
    for (int col = from; col < s->width; col++)
        set_cell(s, row, col, SLICE(" "));
}

void screen_init(struct screen *s, int width, int height)
{
    *s = (struct screen){.width = width, .height = height, .before = BUF_INIT(SCROLLED_MAX)};
    s->cells = mem_new((size_t)height * sizeof *s->cells);
    for (int row = 0; row < height; row++) {
        s->cells[row] = mem_new((size_t)width * sizeof **s->cells);
        clear_cells(s, row, 0);
    }
}

void screen_deinit(struct screen *s)
{
    for (int row = 0; row < s->height; row++) {
        for (int col = 0; col < s->width; col++)
            free(s->cells[row][col]);
        free(s->cells[row]);
    }
    free(s->cells);
    buf_deinit(&s->before);
}

static void add_row(const struct screen *s, int row, struct buf *to)
{
    size_t start = to->len;

    for (int col = 0; col < s->width; col++)
        buf_add_str(to, s->cells[row][col]);
    while (to->len > start && to->ptr[to->len - 1] == ' ')
        to->ptr[--to->len] = '\0';
    buf_add_char(to, '\n');
}

static void line_feed(struct screen *s)
{
    char **top = s->cells[0];

    if (s->row + 1 < s->height) {
        s->row++;
        return;
    }
    add_row(s, 0, &s->before);
    memmove(&s->cells[0], &s->cells[1], (size_t)(s->height - 1) * sizeof *s->cells);
    s->cells[s->height - 1] = top;
    clear_cells(s, s->height - 1, 0);
}

static bool is_wide(struct slice c)
{
    unsigned char first = (unsigned char)c.ptr[0];

    /* Enough for what the tests print: CJK and emoji, but no box drawing, arrows or Braille. */
    return first >= 0xF0 || (first >= 0xE3 && first <= 0xED);
}

static void put(struct screen *s, struct slice c)
{
    int width = is_wide(c) ? 2 : 1;

    if (s->col + width > s->width) {
        if (s->no_wrap) {
            s->col = s->width - width;
        } else {
            s->col = 0;
            line_feed(s);
        }
    }
    set_cell(s, s->row, s->col, c);
    if (width == 2)
        set_cell(s, s->row, s->col + 1, SLICE(""));
    s->col += width;
}

static int number(struct slice digits)
{
    int n = 0;

    for (size_t i = 0; i < digits.len && digits.ptr[i] >= '0' && digits.ptr[i] <= '9'; i++)
        n = n * 10 + (digits.ptr[i] - '0');
    return n;
}

static void control(struct screen *s, struct slice arg, char final)
{
    int n = arg.len ? number(arg) : 1;

    if (final == 'm') {
        for (size_t i = 0; i < arg.len; i++)
            cr_assert((arg.ptr[i] >= '0' && arg.ptr[i] <= '9') || arg.ptr[i] == ';');
    } else if (final == 'A') {
        s->row = s->row > n ? s->row - n : 0;
    } else if (final == 'K' && !arg.len) {
        clear_cells(s, s->row, s->col);
    } else if (final == 'J' && !arg.len) {
        clear_cells(s, s->row, s->col);
        for (int row = s->row + 1; row < s->height; row++)
            clear_cells(s, row, 0);
    } else if (slice_eq(arg, SLICE("?25")) && (final == 'h' || final == 'l')) {
        s->cursor_hidden = final == 'l';
    } else if (slice_eq(arg, SLICE("?7")) && (final == 'h' || final == 'l')) {
        s->no_wrap = final == 'l';
    } else {
        cr_assert_fail("unknown sequence ESC [ %.*s %c", SLICE_ARG(arg), final);
    }
}

void screen_feed(struct screen *s, struct slice b)
{
    while (b.len) {
        unsigned char c = (unsigned char)b.ptr[0];
        size_t n = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;

        if (c == '\033') {
            cr_assert(b.len > 2 && b.ptr[1] == '[', "an escape that is no CSI");
            for (n = 2; n < b.len && (unsigned char)b.ptr[n] < 0x40; n++)
                ;
            cr_assert_lt(n, b.len, "an unfinished sequence");
            control(s, slice_make(b.ptr + 2, n - 2), b.ptr[n]);
            n++;
        } else if (c == '\n') {
            s->col = 0; /* as a terminal in its usual mode does */
            line_feed(s);
        } else if (c == '\r') {
            s->col = 0;
        } else if (c == '\t') {
            do
                put(s, SLICE(" "));
            while (s->col % 8 && s->col < s->width);
        } else {
            cr_assert(c >= 0x20 && c != 0x7F, "control character %d", c);
            put(s, slice_head(b, n));
        }
        b = slice_from(b, n);
    }
}

void screen_text(const struct screen *s, struct buf *to)
{
    buf_add(to, buf_slice(&s->before));
    for (int row = 0; row < s->height; row++)
        add_row(s, row, to);
    while (to->len > 1 && to->ptr[to->len - 1] == '\n' && to->ptr[to->len - 2] == '\n')
        to->ptr[--to->len] = '\0';
}
