#include "lang/template.h"

#include "lang/utf.h"

#include "base/buf.h"
#include "base/vec.h"

/* One ${{ }} of a scalar. */
struct segment {
    size_t from, to;   /* the braces included */
    struct slice expr; /* without them, trimmed */
};

struct compilation {
    struct arena *arena;
    struct arena scratch; /* trees that only prove a text right */
    struct slice text;
    const struct expr_place *place;
    VEC(struct segment) segments;
    struct expr_error *error; /* the first; what follows hangs on it */
    struct expr_error *last;
};

static void compilation_deinit(struct compilation *c)
{
    arena_deinit(&c->scratch);
    vec_deinit(&c->segments);
}

static void report(struct compilation *c, struct expr_error error, size_t base)
{
    struct expr_error *to = c->last ? ARENA_NEW(c->arena, struct expr_error) : c->error;

    error.offset += base;
    error.message = arena_dup(c->arena, error.message);
    error.next = NULL;
    *to = error;
    if (c->last)
        c->last->next = to;
    c->last = to;
}

static void report_text(struct compilation *c, size_t offset, const char *message)
{
    report(c, (struct expr_error){.message = slice_of(message)}, offset);
}

/* Behind "${{" at FROM: where the "}}" outside quotes ends, 0: nowhere. */
static size_t segment_end(struct slice s, size_t from)
{
    bool quoted = false;

    for (size_t i = from + 3; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            quoted = !quoted;
        else if (!quoted && s.ptr[i] == '}' && s.ptr[i - 1] == '}')
            return i + 1;
    }
    return 0;
}

bool template_next(struct slice text, size_t *at, struct slice *ret)
{
    ssize_t open = slice_find(slice_from(text, *at), SLICE("${{"));
    size_t from = *at + (open < 0 ? 0 : (size_t)open), to = open < 0 ? 0 : segment_end(text, from);

    if (to == 0)
        return false;
    *ret = utf_trim(slice_make(text.ptr + from + 3, to - from - 5));
    *at = to;
    return true;
}

static bool find_segments(struct compilation *c)
{
    for (size_t at = 0;;) {
        ssize_t open = slice_find(slice_from(c->text, at), SLICE("${{"));

        if (open < 0)
            return true;
        size_t from = at + (size_t)open, to = segment_end(c->text, from);
        if (to == 0) {
            report_text(c, from,
                        "The expression is not closed. An unescaped ${{ sequence was found, but "
                        "the closing }} sequence was not found.");
            return false;
        }
        struct slice inside = slice_make(c->text.ptr + from + 3, to - from - 5);
        vec_push(&c->segments, (struct segment){from, to, utf_trim(inside)});
        at = to;
    }
}

/* ---- the directive "insert" ---- */

static bool begins_with_insert(struct slice expr)
{
    size_t at = 6;

    return slice_starts(expr, SLICE("insert")) &&
           (expr.len == 6 || utf_is_space(utf_next(expr, &at)));
}

/* Words behind the directive; quotes and parentheses hold one together. */
static int count_parameters(struct slice s)
{
    int n = 0, parens = 0;
    bool quoted = false, inside = false;

    for (size_t at = 6; at < s.len;) {
        uint32_t c = utf_next(s, &at);

        if (c == '\'')
            quoted = !quoted;
        else if (!quoted)
            parens += (c == '(') - (c == ')');
        if (utf_is_space(c) && !quoted && parens == 0) {
            inside = false;
        } else if (!inside) {
            inside = true;
            n++;
        }
    }
    return n;
}

static void report_insert(struct compilation *c, const struct segment *s)
{
    int n = count_parameters(s->expr);

    if (n > 0)
        report_text(c, s->from,
                    arena_printf(&c->scratch,
                                 "Exactly 0 parameter(s) were expected following the directive "
                                 "'insert'. Actual parameter count: %d",
                                 n));
    else if (s->to - s->from < c->text.len)
        report_text(c, s->from,
                    "The directive 'insert' is not allowed in this context. Directives are not "
                    "supported for expressions that are embedded within a string. Directives are "
                    "only supported when the entire value is an expression.");
    else
        report_text(c, s->from, "Unexpected value '${{ insert }}'");
}

/* ---- compiling ---- */

static void check_segment(struct compilation *c, const struct segment *s)
{
    const struct expr *ignored;
    struct expr_error error;

    if (s->expr.len == 0)
        report_text(c, s->from, "An expression was expected");
    else if (begins_with_insert(s->expr))
        report_insert(c, s);
    else if (expr_parse(&c->scratch, s->expr, c->place, &ignored, &error) < 0)
        report(c, error, (size_t)(s->expr.ptr - c->text.ptr));
}

/* True if EXPR is one string literal, whose value goes to RET. */
static bool is_string_literal(struct arena *a, struct slice expr, struct slice *ret)
{
    if (expr.len < 2 || expr.ptr[0] != '\'')
        return false;
    char *text = arena_alloc(a, expr.len);
    size_t len = 0;
    for (size_t i = 1; i + 1 < expr.len; i++) {
        text[len++] = expr.ptr[i];
        if (expr.ptr[i] == '\'' && expr.ptr[++i] != '\'')
            return false; /* the literal ended: more follows */
    }
    *ret = slice_make(text, len);
    return true;
}

/* Literal text inside the quotes of format('...'). */
static void add_format_text(struct buf *to, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        buf_add_char(to, s.ptr[i]);
        if (s.ptr[i] == '\'' || s.ptr[i] == '{' || s.ptr[i] == '}')
            buf_add_char(to, s.ptr[i]);
    }
}

static struct slice format_call(struct compilation *c)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(SIZE_MAX / 4); /* twice the text at most */
    size_t at = 0;

    buf_add_str(&out, "format('");
    for (size_t i = 0; i < c->segments.len; i++) {
        const struct segment *s = &c->segments.ptr[i];

        add_format_text(&out, slice_make(c->text.ptr + at, s->from - at));
        buf_printf(&out, "{%zu}", i);
        at = s->to;
    }
    add_format_text(&out, slice_from(c->text, at));
    buf_add_char(&out, '\'');
    VEC_EACH (s, &c->segments) {
        buf_add_str(&out, ", ");
        buf_add(&out, s->expr);
    }
    buf_add_char(&out, ')');
    return arena_dup(c->arena, buf_slice(&out));
}

int template_compile(struct arena *a, struct slice text, const struct expr_place *place,
                     struct slice *ret_literal, struct slice *ret_expr, struct expr_error *error)
{
    CLEANUP(compilation_deinit)
    struct compilation c = {.arena = a, .text = text, .place = place, .error = error};
    struct slice literal = SLICE(""), expr = slice_make(NULL, 0);

    (void)find_segments(&c); /* what is closed before an open one is still looked at */
    VEC_EACH (s, &c.segments)
        check_segment(&c, s);
    if (c.last)
        return ERR_INVALID;
    if (c.segments.len == 0) {
        literal = text.ptr ? text : SLICE("");
    } else if (c.segments.ptr[0].to - c.segments.ptr[0].from < text.len) {
        const struct expr *ignored;
        struct expr_error wrong;

        expr = format_call(&c);
        if (expr_parse(&c.scratch, expr, place, &ignored, &wrong) < 0) {
            wrong.offset = 0;
            report(&c, wrong, 0);
            return ERR_INVALID;
        }
    } else if (!is_string_literal(a, c.segments.ptr[0].expr, &literal)) {
        expr = c.segments.ptr[0].expr;
    }
    *ret_literal = literal;
    *ret_expr = expr;
    return ERR_OK;
}

int template_condition(struct arena *a, struct slice text, const struct expr_place *place,
                       struct slice *ret, struct expr_error *error)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct slice literal, condition;
    const struct expr *tree;

    int r = template_compile(a, text, place, &literal, &condition, error);
    if (r < 0)
        return r;
    if (!condition.ptr)
        condition = literal;
    r = expr_parse(&scratch, condition, place, &tree, error);
    if (r < 0) {
        error->message = arena_dup(a, error->message);
        return r;
    }
    if (expr_is_empty(tree))
        *ret = SLICE("success()");
    else if (expr_has_status_call(tree))
        *ret = arena_dup(a, condition);
    else
        *ret = slice_of(arena_printf(a, "success() && (%.*s)", SLICE_ARG(condition)));
    return ERR_OK;
}
