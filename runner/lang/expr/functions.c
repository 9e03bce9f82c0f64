#include "lang/expr/tree.h"

#include "base/vec.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int r_ = (call);                                                                           \
        if (r_ < 0)                                                                                \
            return r_;                                                                             \
    } while (0)

/* ---- texts ---- */

/* Linear for long texts: memmem is, and UTF-8 cannot match in the middle of a character. */
static bool contains_nocase(struct slice s, struct slice what)
{
    enum { SMALL = 4096 }; /* comparing at each place costs less than two copies */
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;

    if (what.len == 0)
        return true;
    if (s.len <= SMALL && s.len * what.len <= SMALL) {
        for (size_t at = 0; at < s.len; utf_next(s, &at))
            if (utf_starts_nocase(slice_from(s, at), what))
                return true;
        return false;
    }
    return slice_find(utf_fold(&scratch, s), utf_fold(&scratch, what)) >= 0;
}

struct membership {
    struct expr_evaluation *ev;
    const struct expr_value *sought;
};

static bool is_other(void *ctx, struct slice key, const struct expr_value *v)
{
    struct membership *m = ctx;

    (void)key;
    return !expr_equals(m->ev->arena, m->sought, v);
}

static int fn_contains(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                       struct expr_value *ret)
{
    struct expr_value in, item;
    bool found = false;

    TRY(expr_eval_operand(ev, call, 0, depth, &in));
    if (expr_is_primitive(&in)) {
        TRY(expr_eval_operand(ev, call, 1, depth, &item));
        found = expr_is_primitive(&item) &&
                contains_nocase(expr_string(ev->arena, &in), expr_string(ev->arena, &item));
    } else if (in.kind == EXPR_ARRAY && expr_length(&in) > 0) {
        TRY(expr_eval_operand(ev, call, 1, depth, &item));
        found = !expr_each(&in, is_other, &(struct membership){ev, &item});
    }
    *ret = expr_bool(found);
    return ERR_OK;
}

/* startsWith and endsWith. */
static int at_edge(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                   bool (*matches)(struct slice s, struct slice edge), struct expr_value *ret)
{
    struct expr_value in, edge;
    bool found = false;

    TRY(expr_eval_operand(ev, call, 0, depth, &in));
    if (expr_is_primitive(&in)) {
        TRY(expr_eval_operand(ev, call, 1, depth, &edge));
        found = expr_is_primitive(&edge) &&
                matches(expr_string(ev->arena, &in), expr_string(ev->arena, &edge));
    }
    *ret = expr_bool(found);
    return ERR_OK;
}

static int fn_starts_with(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                          struct expr_value *ret)
{
    return at_edge(ev, call, depth, utf_starts_nocase, ret);
}

static int fn_ends_with(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                        struct expr_value *ret)
{
    return at_edge(ev, call, depth, utf_ends_nocase, ret);
}

/* ---- join ---- */

struct joining {
    struct expr_writer out;
    struct arena scratch;
    struct slice separator;
    bool first;
};

static bool join_element(void *ctx, struct slice key, const struct expr_value *v)
{
    struct joining *j = ctx;

    (void)key;
    if (!j->first && !expr_write(&j->out, j->separator))
        return false;
    j->first = false;
    return expr_write(&j->out, expr_string(&j->scratch, v));
}

static int fn_join(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                   struct expr_value *ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_MAX / 4);
    struct joining j = {.out = {&text, 0, ev->limit}, .separator = SLICE(","), .first = true};
    struct expr_value list, separator;

    TRY(expr_eval_operand(ev, call, 0, depth, &list));
    if (list.kind != EXPR_ARRAY) {
        bool primitive = expr_is_primitive(&list);

        *ret = expr_text_value(primitive ? expr_string(ev->arena, &list) : SLICE(""));
        return ERR_OK;
    }
    if (call->n > 1 && expr_length(&list) > 1) {
        TRY(expr_eval_operand(ev, call, 1, depth, &separator));
        if (expr_is_primitive(&separator))
            j.separator = expr_string(ev->arena, &separator);
    }
    bool fits = expr_each(&list, join_element, &j);
    arena_deinit(&j.scratch);
    if (!fits)
        return expr_fail_memory(ev, call);
    *ret = expr_text_value(arena_dup(ev->arena, buf_slice(&text)));
    return ERR_OK;
}

/* ---- format ---- */

/* A piece of a format: plain text, or an argument. */
struct piece {
    struct slice text; /* plain */
    int arg;           /* from 0; -1: plain */
    struct slice spec; /* what stood behind ":" */
};

struct format {
    VEC(struct piece) pieces;
    struct arena scratch; /* specifiers with braces undoubled */
};

static void format_deinit(struct format *f)
{
    vec_deinit(&f->pieces);
    arena_deinit(&f->scratch);
}

static char char_at(struct slice s, size_t at)
{
    return at < s.len ? s.ptr[at] : '\0';
}

/* At "{" of a placeholder: {N} or {N:spec}. Its end is *AT then; false: it is none. */
static bool scan_placeholder(struct format *f, struct slice s, size_t *at)
{
    size_t i = *at + 1, from = i;
    struct piece p = {.arg = 0};

    for (; char_at(s, i) >= '0' && char_at(s, i) <= '9'; i++) {
        p.arg = p.arg * 10 + (s.ptr[i] - '0');
        if (p.arg > 255)
            return false;
    }
    if (i == from)
        return false;
    if (char_at(s, i) == ':') {
        char *spec = arena_alloc(&f->scratch, s.len - i);
        size_t len = 0;

        for (i++; i < s.len && (s.ptr[i] != '}' || char_at(s, i + 1) == '}'); i++) {
            spec[len++] = s.ptr[i];
            i += s.ptr[i] == '}';
        }
        p.spec = slice_make(spec, len);
    }
    if (char_at(s, i) != '}')
        return false;
    *at = i + 1;
    vec_push(&f->pieces, p);
    return true;
}

static int scan_format(struct expr_evaluation *ev, struct slice s, size_t n_args, struct format *f)
{
    for (size_t at = 0; at < s.len;) {
        size_t from = at;

        while (at < s.len && s.ptr[at] != '{' && s.ptr[at] != '}')
            at++;
        bool doubled = at + 1 < s.len && s.ptr[at + 1] == s.ptr[at];
        if (at + doubled > from) {
            struct slice text = slice_make(s.ptr + from, at + doubled - from);
            vec_push(&f->pieces, (struct piece){.text = text, .arg = -1});
        }
        if (doubled)
            at += 2;
        else if (at < s.len && (s.ptr[at] == '}' || !scan_placeholder(f, s, &at)))
            return expr_fail(ev, "The following format string is invalid: ", s);
        else if (f->pieces.len && f->pieces.ptr[f->pieces.len - 1].arg >= (int)n_args)
            return expr_fail(
                ev,
                "The following format string references more arguments than were supplied: ", s);
    }
    return ERR_OK;
}

static int fail_specifiers(struct expr_evaluation *ev, struct slice spec, enum expr_kind kind)
{
    struct slice parts[] = {SLICE("The format specifiers '"), spec,
                            SLICE("' are not valid for objects of type '"),
                            slice_of(expr_kind_name(kind)), SLICE("'")};

    return expr_fail(ev, "", expr_concat(ev->arena, parts, COUNT_OF(parts)));
}

struct argument {
    struct slice text;
    enum expr_kind kind;
    bool known;
};

static int write_argument(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                          const struct piece *p, struct argument *arg, struct expr_writer *out)
{
    struct expr_value v;

    if (!arg->known) {
        TRY(expr_eval_operand(ev, call, (size_t)p->arg + 1, depth, &v));
        *arg = (struct argument){expr_string(ev->arena, &v), v.kind, true};
    }
    if (p->spec.len)
        return fail_specifiers(ev, p->spec, arg->kind);
    return expr_write(out, arg->text) ? ERR_OK : expr_fail_memory(ev, call);
}

static int fn_format(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                     struct expr_value *ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_MAX / 4);
    CLEANUP(format_deinit) struct format f = {0};
    struct expr_writer out = {&text, 0, ev->limit};
    struct argument *args = arena_array(ev->arena, call->n, sizeof *args);
    struct expr_value v;

    TRY(expr_eval_operand(ev, call, 0, depth, &v));
    TRY(scan_format(ev, expr_string(ev->arena, &v), call->n - 1, &f));
    VEC_EACH (p, &f.pieces) {
        if (p->arg >= 0) {
            TRY(write_argument(ev, call, depth, p, &args[p->arg], &out));
        } else if (!expr_write(&out, p->text)) {
            return expr_fail_memory(ev, call);
        }
    }
    *ret = expr_text_value(arena_dup(ev->arena, buf_slice(&text)));
    return ERR_OK;
}

/* ---- JSON ---- */

static int fn_to_json(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                      struct expr_value *ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_MAX / 4);
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_writer out = {&text, 0, ev->limit};
    struct expr_value v;

    TRY(expr_eval_operand(ev, call, 0, depth, &v));
    if (!expr_write_json(&out, &scratch, &v, true))
        return expr_fail_memory(ev, call);
    *ret = expr_text_value(arena_dup(ev->arena, buf_slice(&text)));
    return ERR_OK;
}

static int fn_from_json(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                        struct expr_value *ret)
{
    struct expr_value v;

    TRY(expr_eval_operand(ev, call, 0, depth, &v));
    if (expr_read_json(ev->arena, expr_string(ev->arena, &v), ret) < 0)
        return expr_fail(ev, "Error parsing fromJson", SLICE(""));
    return ERR_OK;
}

/* ---- case ---- */

static int fn_case(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                   struct expr_value *ret)
{
    const struct expr_node *x = call->first;

    for (; x->next; x = x->next->next) {
        struct expr_value v;

        TRY(expr_eval_node(ev, x, depth + 1, &v));
        if (v.kind != EXPR_BOOL)
            return expr_fail(ev, "case predicate must evaluate to a boolean value", SLICE(""));
        if (v.boolean)
            return expr_eval_node(ev, x->next, depth + 1, ret);
    }
    return expr_eval_node(ev, x, depth + 1, ret);
}

/* ---- what the scope answers ---- */

static int string_arguments(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                            struct slice **ret)
{
    struct slice *texts = arena_array(ev->arena, call->n, sizeof *texts);
    size_t n = 0;

    for (const struct expr_node *x = call->first; x; x = x->next) {
        struct expr_value v;

        TRY(expr_eval_node(ev, x, depth + 1, &v));
        texts[n++] = expr_string(ev->arena, &v);
    }
    *ret = texts;
    return ERR_OK;
}

static int fn_status(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                     struct expr_value *ret)
{
    const struct expr_scope *s = ev->scope;
    struct slice *args;

    TRY(string_arguments(ev, call, depth, &args));
    *ret = expr_bool(s->status ? s->status(s->ctx, call->key, args, call->n)
                               : slice_eq(call->key, SLICE("always")) ||
                                     slice_eq(call->key, SLICE("success")));
    return ERR_OK;
}

static int fn_hash_files(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                         struct expr_value *ret)
{
    static const char option[] = "--follow-symbolic-links";
    const struct expr_scope *s = ev->scope;
    struct err err = ERR_INIT;
    struct slice *patterns, digest;

    TRY(string_arguments(ev, call, depth, &patterns));
    if (slice_starts(patterns[0], SLICE("--"))) {
        struct slice parts[] = {patterns[0], SLICE(", available option: '"), slice_of(option),
                                SLICE("'")};

        if (!slice_eq_nocase(patterns[0], slice_of(option)))
            return expr_fail(ev, "Invalid glob option ",
                             expr_concat(ev->arena, parts, COUNT_OF(parts)));
        patterns[0] = slice_of(option);
    }
    if (!s->hash_files)
        return expr_fail(ev, "hashFiles() has no workspace to look at here", SLICE(""));
    if (s->hash_files(s->ctx, ev->arena, patterns, call->n, &digest, &err) < 0)
        return expr_fail(ev, "", slice_of(arena_str(ev->arena, slice_of(err.text))));
    *ret = expr_text_value(digest);
    return ERR_OK;
}

/* ---- the table ---- */

static const struct expr_function functions[] = {
    {.name = "contains", .min = 2, .max = 2, .eval = fn_contains},
    {.name = "startswith", .min = 2, .max = 2, .eval = fn_starts_with},
    {.name = "endswith", .min = 2, .max = 2, .eval = fn_ends_with},
    {.name = "format", .min = 1, .max = EXPR_MAX_ARGS, .expands = true, .eval = fn_format},
    {.name = "join", .min = 1, .max = 2, .expands = true, .eval = fn_join},
    {.name = "tojson", .min = 1, .max = 1, .expands = true, .eval = fn_to_json},
    {.name = "fromjson", .min = 1, .max = 1, .expands = true, .eval = fn_from_json},
    {.name = "case", .min = 3, .max = EXPR_MAX_ARGS, .odd = true, .expands = true, .eval = fn_case},
    {.name = "hashfiles",
     .min = 1,
     .max = EXPR_MAX_ARGS,
     .special = EXPR_FN_HASHFILES,
     .expands = true,
     .eval = fn_hash_files},
#define STATUS(text, where, most)                                                                  \
    {                                                                                              \
        .name = text, .max = most, .special = where, .status = true, .expands = true,              \
        .eval = fn_status                                                                          \
    }
    STATUS("always", EXPR_FN_STATUS | EXPR_FN_JOB_STATUS, 0),
    STATUS("cancelled", EXPR_FN_STATUS | EXPR_FN_JOB_STATUS, 0),
    STATUS("success", EXPR_FN_JOB_STATUS, SIZE_MAX),
    STATUS("failure", EXPR_FN_JOB_STATUS, SIZE_MAX),
    STATUS("success", EXPR_FN_STATUS, 0),
    STATUS("failure", EXPR_FN_STATUS, 0),
#undef STATUS
};

const struct expr_function *expr_function_find(struct slice name, unsigned special)
{
    for (const struct expr_function *f = functions; f < functions + COUNT_OF(functions); f++)
        if (slice_eq(name, slice_of(f->name)) && (!f->special || (f->special & special)))
            return f;
    return NULL;
}
