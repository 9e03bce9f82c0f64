#include "lang/template.h"

#include "lang/expr/partial.h"
#include "lang/utf.h"

#include <math.h>

enum {
    RESULT_LIMIT = 10 * 1024 * 1024, /* bytes of text in one evaluated tree */
    DEPTH_LIMIT = 100,               /* of a tree; readers refuse more than 50 */
};

static int fail_at(struct err *err, const struct token *tok, int code, struct slice message)
{
    if (tok && tok->line > 0)
        return err_set(err, code, "(Line: %d, Col: %d): %.*s", tok->line, tok->col,
                       SLICE_ARG(message));
    return err_set(err, code, "%.*s", SLICE_ARG(message));
}

/* ---- plans: what is not known yet ---- */

void template_open_deinit(struct template_open *o)
{
    vec_deinit(&o->tokens);
    o->mark = NULL;
}

bool template_is_open(const struct template_open *o, const struct token *tok)
{
    for (size_t i = 0; o && i < o->tokens.len; i++)
        if (o->tokens.ptr[i] == tok)
            return true;
    return false;
}

static int evaluate_partly(const struct template_eval *t, struct arena *scratch,
                           const struct token *tok, const struct expr *tree, struct expr_value *ret,
                           struct expr_error *error)
{
    struct expr_partial what;
    int r = expr_partial(tree, t->scope, scratch, &what, error);

    if (r < 0)
        return r;
    *ret = what.value;
    if (what.mark && !tok && what.truth != EXPR_OPEN) { /* a condition, and decided */
        *ret = (struct expr_value){.kind = EXPR_BOOL, .boolean = what.truth == EXPR_TRUE};
    } else if (!what.known) {
        vec_push(&t->open->tokens, tok);
        t->open->mark = t->open->mark ? t->open->mark : what.mark;
    }
    return ERR_OK;
}

/* ---- values ---- */

static int evaluate_traced(const struct template_eval *t, struct arena *scratch,
                           const struct expr *tree, struct expr_value *ret,
                           struct expr_error *error)
{
    struct expr_trace trace;
    int r = expr_eval_traced(tree, t->scope, scratch, ret, &trace, error);

    if (r == ERR_OK)
        t->trace(t->trace_ctx, &trace);
    return r;
}

/* Evaluates TEXT; values live in SCRATCH. */
static int evaluate(const struct template_eval *t, struct arena *scratch, const struct token *tok,
                    struct slice text, struct expr_value *ret, struct err *err)
{
    const struct expr *tree;
    struct expr_error error;
    int r = expr_parse(scratch, text, NULL, &tree, &error);

    if (r == ERR_OK && t->open)
        r = evaluate_partly(t, scratch, tok, tree, ret, &error);
    else if (r == ERR_OK && t->trace)
        r = evaluate_traced(t, scratch, tree, ret, &error);
    else if (r == ERR_OK)
        r = expr_eval(tree, t->scope, scratch, ret, &error);
    return r < 0 ? fail_at(err, tok, r, error.message) : ERR_OK;
}

static int refuse_collection(struct err *err, const struct token *tok, const struct expr_value *v)
{
    if (v->kind == EXPR_ARRAY)
        return fail_at(err, tok, ERR_INVALID, SLICE("A sequence was not expected"));
    if (v->kind == EXPR_OBJECT)
        return fail_at(err, tok, ERR_INVALID, SLICE("A mapping was not expected"));
    return ERR_OK;
}

/* A scalar token or the result of one, as a value. Collections of tokens are an error. */
static int scalar(const struct template_eval *t, struct arena *scratch, const struct token *tok,
                  struct expr_value *ret, struct err *err)
{
    switch (tok->kind) {
    case TOKEN_EXPR: {
        int r = evaluate(t, scratch, tok, tok->text, ret, err);
        if (r < 0)
            return r;
        break;
    }
    case TOKEN_BOOL:
        *ret = (struct expr_value){.kind = EXPR_BOOL, .boolean = tok->boolean};
        break;
    case TOKEN_NUMBER:
        *ret = (struct expr_value){.kind = EXPR_NUMBER, .number = tok->number};
        break;
    case TOKEN_STRING:
        *ret = (struct expr_value){.kind = EXPR_STRING, .text = tok->text};
        break;
    case TOKEN_NULL:
        *ret = (struct expr_value){.kind = EXPR_NULL};
        break;
    case TOKEN_SEQUENCE:
        return fail_at(err, tok, ERR_INVALID, SLICE("A sequence was not expected"));
    case TOKEN_MAPPING:
        return fail_at(err, tok, ERR_INVALID, SLICE("A mapping was not expected"));
    default:
        return fail_at(err, tok, ERR_INVALID, SLICE("Unexpected value '${{ insert }}'"));
    }
    return refuse_collection(err, tok, ret);
}

static int fail_value(struct err *err, const struct token *tok, const struct expr_value *v)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct slice text = expr_string(&scratch, v);

    return fail_at(err, tok, ERR_INVALID,
                   slice_of(arena_printf(&scratch, "Unexpected value '%.*s'", SLICE_ARG(text))));
}

static int fail_defined(struct err *err, const struct token *tok, struct slice key)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;

    return fail_at(err, tok, ERR_INVALID,
                   slice_of(arena_printf(&scratch, "'%.*s' is already defined", SLICE_ARG(key))));
}

/* The text of a scalar token in ARENA. Number tokens keep the sign of zero (workflow-language.md 3.2). */
static int scalar_text(const struct template_eval *t, struct arena *arena, const struct token *tok,
                       struct slice *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_value v;
    int r = scalar(t, &scratch, tok, &v, err);

    if (r < 0)
        return r;
    *ret = arena_dup(arena, tok->kind == TOKEN_NUMBER ? token_text(&scratch, tok)
                                                      : expr_string(&scratch, &v));
    return ERR_OK;
}

int template_string(const struct template_eval *t, const struct token *tok, struct slice *ret,
                    struct err *err)
{
    if (!tok) {
        *ret = slice_make(NULL, 0);
        return ERR_OK;
    }
    return scalar_text(t, t->arena, tok, ret, err);
}

int template_bool(const struct template_eval *t, const struct token *tok, bool fallback, bool *ret,
                  struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_value v = {.kind = EXPR_BOOL, .boolean = fallback};

    if (tok) {
        int r = scalar(t, &scratch, tok, &v, err);
        if (r < 0)
            return r;
    }
    if (v.kind != EXPR_BOOL && !template_is_open(t->open, tok))
        return fail_value(err, tok, &v);
    *ret = v.kind == EXPR_BOOL ? v.boolean : fallback;
    return ERR_OK;
}

int template_number(const struct template_eval *t, const struct token *tok, double fallback,
                    double *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_value v = {.kind = EXPR_NUMBER, .number = fallback};

    if (tok) {
        int r = scalar(t, &scratch, tok, &v, err);
        if (r < 0)
            return r;
    }
    if (v.kind != EXPR_NUMBER && !template_is_open(t->open, tok))
        return fail_value(err, tok, &v);
    *ret = v.kind == EXPR_NUMBER ? v.number : fallback;
    return ERR_OK;
}

int template_test(const struct template_eval *t, struct slice condition, bool *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_value v;
    int r = evaluate(t, &scratch, NULL, condition, &v, err);

    if (r < 0)
        return r;
    *ret = expr_truthy(&v);
    return ERR_OK;
}

/* ---- whole trees ---- */

struct tree {
    const struct template_eval *eval;
    struct err *err;
    size_t size; /* bytes of text so far */
    int depth;
};

/* A mapping being built; keys are compared without regard to case. */
struct mapping {
    json_t *to;
    json_t *seen; /* the folded keys */
};

static void json_drop(json_t **json)
{
    json_decref(*json);
}

static int build(struct tree *b, const struct token *tok, json_t **ret);

static int count(struct tree *b, const struct token *tok, size_t size)
{
    b->size += size;
    if (b->size > RESULT_LIMIT)
        return fail_at(b->err, tok, ERR_LIMIT, SLICE("Maximum object size exceeded"));
    return ERR_OK;
}

/* The result of an expression. */
static int build_expr(struct tree *b, const struct token *tok, json_t **ret)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_value v;
    int r = evaluate(b->eval, &scratch, tok, tok->text, &v, b->err);

    if (r < 0)
        return r;
    /* What a document of the scope holds is shared; what was made here is counted. */
    bool made = (v.kind == EXPR_ARRAY || v.kind == EXPR_OBJECT) && !v.json;
    r = count(b, tok, v.kind == EXPR_STRING ? v.text.len : made ? scratch.size : 0);
    if (r < 0)
        return r;
    *ret = expr_to_json(&scratch, &v);
    return ERR_OK;
}

static int build_sequence(struct tree *b, const struct token *tok, json_t **ret)
{
    CLEANUP(json_drop) json_t *list = json_array();

    for (size_t i = 0; i < tok->n_items; i++) {
        CLEANUP(json_drop) json_t *item = NULL;
        int r = build(b, tok->items[i], &item);

        if (r < 0)
            return r;
        if (tok->items[i]->kind == TOKEN_EXPR && json_is_array(item))
            json_array_extend(list, item); /* spliced */
        else
            json_array_append(list, item);
    }
    *ret = json_incref(list);
    return ERR_OK;
}

/* Takes VALUE, also on failure. */
static int mapping_add(struct tree *b, struct mapping *m, const struct token *at, struct slice key,
                       json_t *take_value)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    CLEANUP(json_drop) json_t *value = take_value;
    struct slice folded = utf_fold(&scratch, key);

    if (json_object_getn(m->seen, folded.ptr, folded.len))
        return fail_defined(b->err, at, key);
    json_object_setn_new_nocheck(m->seen, folded.ptr, folded.len, json_true());
    json_object_setn_nocheck(m->to, key.ptr ? key.ptr : "", key.len, value);
    return count(b, at, key.len);
}

static int add_pairs(struct tree *b, struct mapping *m, const struct token *tok);

/* ${{ insert }}: the members of VALUE become members here. */
static int insert_members(struct tree *b, struct mapping *m, const struct token *value)
{
    CLEANUP(json_drop) json_t *object = NULL;
    const char *key;
    json_t *item;
    size_t key_len;

    if (value->kind == TOKEN_MAPPING)
        return add_pairs(b, m, value);
    int r = value->kind == TOKEN_EXPR ? build_expr(b, value, &object) : ERR_OK;
    if (r < 0)
        return r;
    if (template_is_open(b->eval->open, value))
        return ERR_OK;
    if (!json_is_object(object))
        return fail_at(b->err, value, ERR_INVALID, SLICE("Expected a mapping"));
    json_object_keylen_foreach(object, key, key_len, item)
    {
        r = mapping_add(b, m, value, slice_make(key, key_len), json_incref(item));
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static int build_key(struct tree *b, struct arena *scratch, const struct token *key,
                     struct slice *ret)
{
    if (key->kind == TOKEN_EXPR) {
        struct expr_value v;
        int r = evaluate(b->eval, scratch, key, key->text, &v, b->err);

        if (r < 0)
            return r;
        if (v.kind == EXPR_ARRAY || v.kind == EXPR_OBJECT)
            return fail_at(b->err, key, ERR_INVALID, SLICE("Expected a string"));
        *ret = expr_string(scratch, &v);
        return ERR_OK;
    }
    return scalar_text(b->eval, scratch, key, ret, b->err);
}

static int add_pairs(struct tree *b, struct mapping *m, const struct token *tok)
{
    for (size_t i = 0; i < tok->n_pairs; i++) {
        const struct token *key = tok->pairs[i].key, *value = tok->pairs[i].value;
        CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
        struct slice name;
        json_t *item;
        int r;

        if (key->kind == TOKEN_INSERT) {
            r = insert_members(b, m, value);
        } else {
            r = build_key(b, &scratch, key, &name);
            if (r == ERR_OK)
                r = build(b, value, &item);
            if (r == ERR_OK)
                r = mapping_add(b, m, key, name, item);
        }
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static int build_mapping(struct tree *b, const struct token *tok, json_t **ret)
{
    CLEANUP(json_drop) json_t *to = json_object();
    CLEANUP(json_drop) json_t *seen = json_object();
    struct mapping m = {to, seen};
    int r = add_pairs(b, &m, tok);

    if (r < 0)
        return r;
    *ret = json_incref(to);
    return ERR_OK;
}

static json_t *number_json(double n)
{
    struct expr_value v = {.kind = EXPR_NUMBER, .number = n};

    return expr_to_json(NULL, &v);
}

static int build(struct tree *b, const struct token *tok, json_t **ret)
{
    int r = ERR_OK;

    if (++b->depth > DEPTH_LIMIT)
        return fail_at(b->err, tok, ERR_LIMIT, SLICE("Maximum object depth exceeded"));
    switch (tok->kind) {
    case TOKEN_STRING:
        *ret = json_stringn_nocheck(tok->text.ptr ? tok->text.ptr : "", tok->text.len);
        r = count(b, tok, tok->text.len);
        if (r < 0)
            json_decref(*ret);
        break;
    case TOKEN_SEQUENCE:
        r = build_sequence(b, tok, ret);
        break;
    case TOKEN_MAPPING:
        r = build_mapping(b, tok, ret);
        break;
    case TOKEN_EXPR:
        r = build_expr(b, tok, ret);
        break;
    case TOKEN_BOOL:
        *ret = json_boolean(tok->boolean);
        break;
    case TOKEN_NUMBER:
        *ret = number_json(tok->number);
        break;
    case TOKEN_INSERT:
        r = fail_at(b->err, tok, ERR_INVALID, SLICE("Unexpected value '${{ insert }}'"));
        break;
    default:
        *ret = json_null();
    }
    b->depth--;
    return r;
}

int template_json(const struct template_eval *t, const struct token *tok, json_t **ret,
                  struct err *err)
{
    struct tree b = {.eval = t, .err = err};
    json_t *built;

    if (!tok) {
        *ret = json_null();
        return ERR_OK;
    }
    int r = build(&b, tok, &built);
    if (r < 0)
        return r;
    *ret = built;
    return ERR_OK;
}

/* ---- mappings of strings ---- */

struct string_map {
    struct tree tree;
    struct strmap *to;
    json_t *seen; /* the folded keys */
};

static int map_add(struct string_map *m, const struct token *at, struct slice key,
                   struct slice value)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct slice folded = utf_fold(&scratch, key);

    if (json_object_getn(m->seen, folded.ptr, folded.len))
        return fail_defined(m->tree.err, at, key);
    json_object_setn_new_nocheck(m->seen, folded.ptr, folded.len, json_true());
    strmap_set(m->to, key, value);
    return count(&m->tree, at, key.len + value.len);
}

/* The members of an object that the expression AT gave. */
static int map_add_members(struct string_map *m, const struct token *at, json_t *object)
{
    const char *key;
    json_t *item;
    size_t key_len;

    json_object_keylen_foreach(object, key, key_len, item)
    {
        CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
        struct expr_value v = expr_from_json(item);
        int r = refuse_collection(m->tree.err, at, &v);

        if (r == ERR_OK)
            r = map_add(m, at, slice_make(key, key_len), expr_string(&scratch, &v));
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static int map_add_expr(struct string_map *m, const struct token *tok)
{
    CLEANUP(json_drop) json_t *object = NULL;
    int r = build_expr(&m->tree, tok, &object);

    if (r < 0)
        return r;
    if (template_is_open(m->tree.eval->open, tok))
        return ERR_OK;
    if (json_is_object(object))
        return map_add_members(m, tok, object);
    struct expr_value v = expr_from_json(object);
    return json_is_array(object) ? refuse_collection(m->tree.err, tok, &v)
                                 : fail_value(m->tree.err, tok, &v);
}

static int map_add_pairs(struct string_map *m, const struct token *tok)
{
    for (size_t i = 0; i < tok->n_pairs; i++) {
        const struct token *key = tok->pairs[i].key, *value = tok->pairs[i].value;
        CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
        struct slice name, text;
        int r;

        if (key->kind == TOKEN_INSERT) {
            r = value->kind == TOKEN_MAPPING ? map_add_pairs(m, value)
                : value->kind == TOKEN_EXPR
                    ? map_add_expr(m, value)
                    : fail_at(m->tree.err, value, ERR_INVALID, SLICE("Expected a mapping"));
        } else {
            r = build_key(&m->tree, &scratch, key, &name);
            if (r == ERR_OK)
                r = scalar_text(m->tree.eval, &scratch, value, &text, m->tree.err);
            if (r == ERR_OK)
                r = map_add(m, key, name, text);
        }
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

int template_map(const struct template_eval *t, const struct token *tok, struct strmap *ret,
                 struct err *err)
{
    CLEANUP(json_drop) json_t *seen = json_object();
    struct string_map m = {.tree = {.eval = t, .err = err}, .to = ret, .seen = seen};

    if (!tok || tok->kind == TOKEN_NULL)
        return ERR_OK;
    if (tok->kind == TOKEN_MAPPING)
        return map_add_pairs(&m, tok);
    if (tok->kind == TOKEN_EXPR)
        return map_add_expr(&m, tok);

    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_value v;
    int r = scalar(t, &scratch, tok, &v, err);
    return r < 0 ? r : fail_value(err, tok, &v);
}
