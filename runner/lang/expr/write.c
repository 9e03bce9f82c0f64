#include "lang/expr/tree.h"

bool expr_write(struct expr_writer *w, struct slice s)
{
    if (s.len == 0)
        return true;
    /* A unit takes three bytes at most: what cannot fit is refused before it is counted. */
    if (s.len / 3 > w->limit)
        return false;
    w->cost += 26 + 2 * utf_units(s);
    if (w->cost > w->limit)
        return false;
    buf_add(w->to, s);
    return true;
}

/* What follows the backslash of C in JSON text as Newtonsoft.Json writes it; 0: nothing, as it is. */
static char escape_letter(uint32_t c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 || c == 0x85 || c == 0x2028 || c == 0x2029 ? 'u' : 0;
    }
}

static void add_quoted(struct buf *to, struct slice s)
{
    size_t plain = 0; /* where the run not yet written begins */

    buf_add_char(to, '"');
    for (size_t at = 0; at < s.len;) {
        size_t from = at;
        uint32_t c = utf_next(s, &at);
        char letter = escape_letter(c);

        if (!letter)
            continue;
        buf_add(to, slice_make(s.ptr + plain, from - plain));
        plain = at;
        if (letter == 'u')
            buf_printf(to, "\\u%04x", (unsigned)c);
        else
            buf_printf(to, "\\%c", letter);
    }
    buf_add(to, slice_from(s, plain));
    buf_add_char(to, '"');
}

struct json_writer {
    struct expr_writer *out;
    struct arena *scratch;
    struct buf piece; /* what is written at once and counted as one */
    int level;
    bool indent, first;
};

static void line_break(struct json_writer *w)
{
    if (w->indent)
        buf_printf(&w->piece, "\n%*s", 2 * w->level, "");
}

static bool flush(struct json_writer *w)
{
    bool ok = expr_write(w->out, buf_slice(&w->piece));

    buf_clear(&w->piece);
    return ok;
}

static bool write_value(struct json_writer *w, const struct expr_value *v);

static bool write_member(void *ctx, struct slice key, const struct expr_value *v)
{
    struct json_writer *w = ctx;

    if (!w->first)
        buf_add_char(&w->piece, ',');
    w->first = false;
    line_break(w);
    if (key.ptr) {
        add_quoted(&w->piece, key);
        if (!flush(w))
            return false;
        buf_add_str(&w->piece, w->indent ? ": " : ":");
    }
    return write_value(w, v);
}

static bool write_element(void *ctx, struct slice key, const struct expr_value *v)
{
    (void)key;
    return write_member(ctx, slice_make(NULL, 0), v);
}

static bool write_collection(struct json_writer *w, const struct expr_value *v)
{
    bool array = v->kind == EXPR_ARRAY;

    if (expr_length(v) == 0) {
        buf_add_str(&w->piece, array ? "[]" : "{}");
        return flush(w);
    }
    buf_add_char(&w->piece, array ? '[' : '{');
    if (!flush(w))
        return false;
    w->level++;
    w->first = true;
    if (!expr_each(v, array ? write_element : write_member, w))
        return false;
    w->level--;
    w->first = false;
    line_break(w);
    buf_add_char(&w->piece, array ? ']' : '}');
    return flush(w);
}

static bool write_value(struct json_writer *w, const struct expr_value *v)
{
    switch (v->kind) {
    case EXPR_NULL:
        buf_add_str(&w->piece, "null");
        break;
    case EXPR_STRING:
        /* A text that cannot fit is not escaped first. */
        if (v->text.len / 3 > w->out->limit)
            return false;
        add_quoted(&w->piece, v->text);
        break;
    case EXPR_ARRAY:
    case EXPR_OBJECT:
        return write_collection(w, v);
    default:
        buf_add(&w->piece, expr_string(w->scratch, v));
    }
    return flush(w);
}

static void json_writer_deinit(struct json_writer *w)
{
    buf_deinit(&w->piece);
}

bool expr_write_json(struct expr_writer *out, struct arena *scratch, const struct expr_value *v,
                     bool indent)
{
    /* Escaped, a unit is six bytes at most: a piece within the limit always fits. */
    size_t room = out->limit < SIZE_MAX / 16 ? out->limit * 8 + 4096 : SIZE_MAX / 2;
    CLEANUP(json_writer_deinit)
    struct json_writer w = {
        .out = out, .scratch = scratch, .piece = BUF_INIT(room), .indent = indent};

    return write_value(&w, v) && !w.piece.overflow && !out->to->overflow;
}

static struct slice json_text(struct arena *a, const struct expr_value *v, bool indent)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_MAX / 4);
    struct expr_writer w = {&text, 0, SIZE_MAX / 2};

    (void)expr_write_json(&w, a, v, indent); /* no limit: it fits */
    return arena_dup(a, buf_slice(&text));
}

struct slice expr_json_text(struct arena *a, const struct expr_value *v)
{
    return json_text(a, v, true);
}

struct slice expr_json_line(struct arena *a, const struct expr_value *v)
{
    return json_text(a, v, false);
}
