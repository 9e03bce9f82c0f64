/* What can be said of an expression before it is evaluated. */
#include "lang/check/rules.h"

#include "lang/workflow/calls.h"

struct slice check_written(const struct token *tok)
{
    if (tok->source.ptr)
        return tok->source;
    return tok->kind == TOKEN_STRING || tok->kind == TOKEN_EXPR ? tok->text : SLICE("");
}

/* One expression, while it is looked at. */
struct looking {
    struct check *c;
    const struct token *tok;
    size_t offset; /* of the expression in the scalar */
};

static const struct type *context_type(void *ctx, struct slice name)
{
    const struct looking *l = ctx;
    const struct scope *s = &l->c->scope;
    const struct {
        struct slice name;
        const struct type *type;
    } known[] = {
        {SLICE_INIT("github"), s->github}, {SLICE_INIT("env"), s->env},
        {SLICE_INIT("vars"), s->vars},     {SLICE_INIT("secrets"), s->secrets},
        {SLICE_INIT("inputs"), s->inputs}, {SLICE_INIT("needs"), s->needs},
        {SLICE_INIT("matrix"), s->matrix}, {SLICE_INIT("strategy"), s->strategy},
        {SLICE_INIT("job"), s->job},       {SLICE_INIT("runner"), s->runner},
        {SLICE_INIT("steps"), s->steps},   {SLICE_INIT("jobs"), s->jobs},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_eq(name, known[i].name))
            return known[i].type;
    return NULL;
}

static void take_finding(void *ctx, const struct expr_finding *f)
{
    const struct looking *l = ctx;
    struct check_place at = check_place_of(l->c, l->tok, l->offset + f->offset);
    enum check_rule rule = f->kind == EXPR_UNKNOWN_NAME ? CHECK_NAME : CHECK_TYPE;
    bool mild = f->kind == EXPR_ODD || (f->kind == EXPR_UNKNOWN_NAME && f->has_other);
    enum diag_level level = mild ? DIAG_WARNING : DIAG_ERROR;
    struct diag *d = check_report(l->c, rule, level, at.line, at.col, f->message);

    if (d && f->hint)
        d->hint = arena_str(l->c->diags->arena, slice_of(f->hint));
}

/* `secrets.x` that no caller can give by name. */
static void take_reference(void *ctx, const struct slice *path, size_t n_path, size_t offset)
{
    static const struct slice always[] = {SLICE_INIT("GITHUB_TOKEN"),
                                          SLICE_INIT("ACTIONS_STEP_DEBUG"),
                                          SLICE_INIT("ACTIONS_RUNNER_DEBUG")};
    const struct looking *l = ctx;
    struct check *c = l->c;

    if (n_path < 2 || !slice_eq(path[0], SLICE("secrets")) || call_pair(c->passed, path[1]))
        return;
    for (size_t i = 0; i < COUNT_OF(always); i++)
        if (slice_eq_nocase(path[1], always[i]))
            return;
    struct check_place at = check_place_of(c, l->tok, l->offset + offset);
    check_hint(check_report(c, CHECK_NAME, DIAG_INFO, at.line, at.col,
                            arena_printf(&c->arena,
                                         "the secret '%.*s' is not declared: it is only there when "
                                         "the caller says 'secrets: inherit'",
                                         SLICE_ARG(path[1]))),
               "declare it under on.workflow_call.secrets");
}

/* EXPR is a part of what TOK has written. NULL: it can't be read, which was said before. */
static const struct expr *look(struct check *c, const struct token *tok, struct slice expr,
                               const struct type **ret)
{
    struct looking l = {c, tok, (size_t)(expr.ptr - check_written(tok).ptr)};
    struct expr_typing typing = {&c->arena, context_type, take_finding, &l, false};
    struct expr_error ignored;
    const struct expr *e;

    if (expr_parse(&c->arena, expr, NULL, &e, &ignored) < 0)
        return NULL;
    *ret = expr_type(&typing, e);
    if (c->passed)
        expr_each_reference(e, take_reference, &l);
    return e;
}

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_ARRAY || t->kind == TYPE_OBJECT;
}

static void look_at_scalar(struct check *c, const struct token *tok, enum use use)
{
    struct slice text = check_written(tok), expr;

    for (size_t at = 0, from = 0; template_next(text, &at, &expr); from = at) {
        bool whole = from == 0 && at == text.len && slice_starts(text, SLICE("${{"));
        const struct type *type = &type_any;

        if (!look(c, tok, expr, &type) || (whole && use == USE_ANY))
            continue;
        struct check_place place = check_place_of(c, tok, (size_t)(expr.ptr - text.ptr));
        if (type->kind == TYPE_NULL)
            check_report(c, CHECK_TYPE, DIAG_WARNING, place.line, place.col,
                         "this is null for all values, and so is no text");
        if (!is_collection(type))
            continue;
        check_hint(check_report(
                       c, CHECK_TYPE, DIAG_ERROR, place.line, place.col,
                       arena_printf(&c->arena, "an %s can't be written as text", type_name(type))),
                   "name what is wanted of it, or write toJSON(...)");
    }
}

void check_value(struct check *c, const struct token *tok, enum use use)
{
    if (!tok)
        return;
    if (tok->kind == TOKEN_EXPR)
        look_at_scalar(c, tok, use);
    for (size_t i = 0; tok->kind == TOKEN_SEQUENCE && i < tok->n_items; i++)
        check_value(c, tok->items[i], use);
    for (size_t i = 0; tok->kind == TOKEN_MAPPING && i < tok->n_pairs; i++) {
        check_value(c, tok->pairs[i].key, USE_TEXT);
        check_value(c, tok->pairs[i].value, use);
    }
}

void check_map(struct check *c, const struct token *tok)
{
    check_value(c, tok, tok && tok->kind == TOKEN_MAPPING ? USE_TEXT : USE_ANY);
}

const struct type *check_type_of(struct check *c, const struct token *tok)
{
    struct slice text = check_written(tok), expr;
    struct looking l = {c, tok, 0};
    struct expr_typing typing = {&c->arena, context_type, NULL, &l, false};
    struct expr_error ignored;
    const struct expr *e;
    const struct type *item = NULL;
    size_t at = 0;

    switch (tok->kind) {
    case TOKEN_STRING:
        return &type_string;
    case TOKEN_BOOL:
        return &type_bool;
    case TOKEN_NUMBER:
        return &type_number;
    case TOKEN_EXPR:
        if (!slice_starts(text, SLICE("${{")) || !template_next(text, &at, &expr) || at < text.len)
            return &type_string;
        return expr_parse(&c->arena, expr, NULL, &e, &ignored) < 0 ? &type_any
                                                                   : expr_type(&typing, e);
    case TOKEN_SEQUENCE:
        for (size_t i = 0; i < tok->n_items; i++) {
            const struct type *one = check_type_of(c, tok->items[i]);
            item = item ? type_join(&c->arena, item, one) : one;
        }
        return type_array(&c->arena, item ? item : &type_any);
    case TOKEN_MAPPING:
        break;
    default:
        return &type_any;
    }
    struct type *object = type_object(&c->arena, NULL);
    for (size_t i = 0; i < tok->n_pairs; i++) {
        if (tok->pairs[i].key->kind == TOKEN_STRING)
            type_add(&c->arena, object, tok->pairs[i].key->text,
                     check_type_of(c, tok->pairs[i].value));
        else
            object->item = &type_any;
    }
    return object;
}

/* ---- conditions ---- */

static void report_constant(struct check *c, const struct token *tok, bool value)
{
    check_hint(check_report_at(c, CHECK_CONDITION, DIAG_WARNING, tok, "this condition is always %s",
                               value ? "true" : "false"),
               value ? "remove the `if`" : "remove what it guards, or say when it is to run");
}

static void report_text(struct check *c, const struct token *tok, const char *hint)
{
    check_hint(check_report_at(c, CHECK_CONDITION, DIAG_ERROR, tok,
                               "this condition is always true: with characters around its "
                               "expressions it is a text, and a text is true"),
               hint);
}

/* How many characters of TEXT stand outside of its *RET_N expressions; *RET_EXPR is the last of those. */
static size_t text_around(struct slice text, size_t *ret_n, struct slice *ret_expr)
{
    size_t around = 0, from = 0;

    *ret_n = 0;
    for (size_t at = 0; template_next(text, &at, ret_expr); from = at) {
        around += (size_t)slice_find(slice_from(text, from), SLICE("${{"));
        ++*ret_n;
    }
    return around + text.len - from;
}

void check_condition(struct check *c, const struct token *tok, bool *ret_never)
{
    static const struct expr_scope nothing = {0};
    const struct type *type = &type_any;
    struct expr_value value;
    struct expr_error ignored;
    size_t n;

    *ret_never = false;
    if (!tok || (tok->kind != TOKEN_STRING && tok->kind != TOKEN_EXPR))
        return;
    struct slice text = check_written(tok), expr;
    size_t around = text_around(text, &n, &expr);
    if (n && around)
        report_text(c, tok, "put the whole condition between ${{ and }}, or leave them out");
    if (n > 1 || (n && around)) {
        check_value(c, tok, USE_ANY);
        return;
    }
    if (n == 0)
        expr = slice_trim(text.ptr ? text : tok->text);
    if (!expr.len)
        return;
    const struct expr *e = look(c, tok, expr, &type);
    if (e && expr_is_always_true(e))
        report_text(c, tok, "compare the text that format() gives, or leave it out");
    if (!e || !expr_is_constant(e) || expr_eval(e, &nothing, &c->arena, &value, &ignored) < 0)
        return;
    *ret_never = !expr_truthy(&value);
    report_constant(c, tok, expr_truthy(&value));
}
