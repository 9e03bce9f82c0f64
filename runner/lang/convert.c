#include "lang/convert.h"

#include "lang/template.h"

#include <stdarg.h>

struct diag *convert_error(struct convert *c, const struct token *at, const char *fmt, ...)
{
    char text[4 * DIAG_MESSAGE_SIZE + 8];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return diag_add_text(c->diags, DIAG_ERROR, c->file, at->line, at->col, slice_of(text));
}

bool convert_key(struct convert *c, const struct token *key, const char *place, struct slice *ret)
{
    if (key->kind == TOKEN_STRING) {
        *ret = key->text;
        return true;
    }
    struct diag *d = convert_error(
        c, key,
        "Unexpected type '%s' encountered while reading '%s'. The type "
        "'StringToken' was expected.",
        key->kind == TOKEN_INSERT ? "InsertExpressionToken" : "BasicExpressionToken", place);
    d->bare = true;
    d->hint = "write the key itself instead of an expression";
    c->stopped = true;
    return false;
}

bool convert_is(const struct token *tok, enum token_kind kind)
{
    return tok && tok->kind == kind;
}

bool convert_has_expr(const struct token *tok)
{
    switch (tok->kind) {
    case TOKEN_EXPR:
    case TOKEN_INSERT:
        return true;
    case TOKEN_SEQUENCE:
        for (size_t i = 0; i < tok->n_items; i++)
            if (convert_has_expr(tok->items[i]))
                return true;
        return false;
    case TOKEN_MAPPING:
        for (size_t i = 0; i < tok->n_pairs; i++)
            if (convert_has_expr(tok->pairs[i].key) || convert_has_expr(tok->pairs[i].value))
                return true;
        return false;
    default:
        return false;
    }
}

const char *convert_text(struct convert *c, const struct token *tok)
{
    return convert_is(tok, TOKEN_STRING) ? arena_str(c->arena, tok->text) : NULL;
}

const char *convert_condition(struct convert *c, const struct token *tok, unsigned contexts)
{
    struct slice text = SLICE(""), condition;
    struct expr_error error = {0};

    if (tok)
        text = tok->kind == TOKEN_EXPR ? tok->source : tok->text;
    struct expr_place *place = schema_place(c->arena, contexts | (c->forge ? CTX_FORGE : 0u));
    if (template_condition(c->arena, text, place, &condition, &error) == ERR_OK)
        return arena_str(c->arena, condition);
    diag_add_text(c->diags, DIAG_ERROR, c->file, tok ? tok->line : 0, tok ? tok->col : 0,
                  error.message)
        ->hint = schema_expr_hint(c->diags->arena, place, error.message);
    return "success()";
}
