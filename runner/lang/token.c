#include "lang/token.h"

#include "lang/expr/expr.h"

#include <math.h>
#include <stdint.h>

enum { TOKEN_MAX_DEPTH = 100 }; /* of a tree read from JSON; GitHub's own limit is 50 */

const struct token *token_find(const struct token *tok, const char *key)
{
    if (!tok || tok->kind != TOKEN_MAPPING)
        return NULL;
    for (size_t i = 0; i < tok->n_pairs; i++)
        if (tok->pairs[i].key->kind == TOKEN_STRING &&
            slice_eq(tok->pairs[i].key->text, slice_of(key)))
            return tok->pairs[i].value;
    return NULL;
}

struct slice token_text(struct arena *a, const struct token *tok)
{
    switch (tok->kind) {
    case TOKEN_STRING:
        return tok->text.ptr ? tok->text : SLICE("");
    case TOKEN_BOOL:
        return tok->boolean ? SLICE("true") : SLICE("false");
    case TOKEN_NUMBER:
        return expr_format_number(a, tok->number, true);
    case TOKEN_NULL:
        return SLICE("");
    default:
        return slice_make(NULL, 0);
    }
}

/* ---- writing ---- */

static json_t *text_json(struct slice s)
{
    return json_stringn_nocheck(s.ptr ? s.ptr : "", s.len);
}

static json_t *number_json(double n)
{
    if (fabs(n) < 9007199254740992.0 && n == (double)(int64_t)n)
        return json_integer((json_int_t)n);
    return isfinite(n) ? json_real(n) : NULL;
}

/* A scalar as plain JSON; NULL: it needs an object. */
static json_t *bare(const struct token *tok)
{
    switch (tok->kind) {
    case TOKEN_STRING:
        return text_json(tok->text);
    case TOKEN_BOOL:
        return json_boolean(tok->boolean);
    case TOKEN_NUMBER:
        return number_json(tok->number);
    case TOKEN_NULL:
        return json_null();
    default:
        return NULL;
    }
}

static json_t *sequence_json(const struct token *tok)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tok->n_items; i++)
        json_array_append_new(list, token_to_json(tok->items[i]));
    return list;
}

static json_t *mapping_json(const struct token *tok)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tok->n_pairs; i++) {
        json_t *pair = json_object();

        json_object_set_new(pair, "Key", token_to_json(tok->pairs[i].key));
        json_object_set_new(pair, "Value", token_to_json(tok->pairs[i].value));
        json_array_append_new(list, pair);
    }
    return list;
}

static void set_payload(json_t *o, const struct token *tok)
{
    switch (tok->kind) {
    case TOKEN_STRING:
        json_object_set_new(o, "lit", text_json(tok->text));
        break;
    case TOKEN_SEQUENCE:
        json_object_set_new(o, "seq", sequence_json(tok));
        break;
    case TOKEN_MAPPING:
        json_object_set_new(o, "map", mapping_json(tok));
        break;
    case TOKEN_EXPR:
        json_object_set_new(o, "expr", text_json(tok->text));
        break;
    case TOKEN_INSERT:
        json_object_set_new(o, "directive", json_string("insert"));
        break;
    case TOKEN_BOOL:
        json_object_set_new(o, "bool", json_boolean(tok->boolean));
        break;
    case TOKEN_NUMBER: {
        json_t *n = number_json(tok->number);

        /* JSON has no infinities: as Newtonsoft.Json writes them, the names in quotes. */
        json_object_set_new(o, "num",
                            n ? n
                              : json_string(isnan(tok->number) ? "NaN"
                                            : tok->number < 0  ? "-Infinity"
                                                               : "Infinity"));
        break;
    }
    default:
        break;
    }
}

json_t *token_to_json(const struct token *tok)
{
    json_t *o;

    if (!tok)
        return json_null();
    if (tok->line == 0) {
        o = bare(tok);
        if (o)
            return o;
    }
    o = json_object();
    json_object_set_new(o, "type", json_integer(tok->kind));
    if (tok->file > 0)
        json_object_set_new(o, "file", json_integer(tok->file));
    if (tok->line > 0) {
        json_object_set_new(o, "line", json_integer(tok->line));
        json_object_set_new(o, "col", json_integer(tok->col));
    }
    set_payload(o, tok);
    return o;
}

/* ---- reading ---- */

/* The member NAME in any letter case, NULL: none. */
static const json_t *member(const json_t *object, const char *name)
{
    const json_t *exact = json_object_get(object, name);
    const char *key;
    json_t *value;

    if (exact || !object)
        return exact;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        if (slice_eq_nocase(slice_of(key), slice_of(name)))
            return value;
    }
    return NULL;
}

static int small_int(const json_t *json)
{
    json_int_t n = json_is_integer(json) ? json_integer_value(json) : 0;

    return n > 0 && n <= INT32_MAX ? (int)n : 0;
}

static struct slice json_text(struct arena *a, const json_t *json)
{
    return arena_dup(a, slice_make(json_string_value(json), json_string_length(json)));
}

static int read_token(struct arena *a, const json_t *json, int depth, struct token **ret,
                      struct err *err);

/* An item of a collection: JSON null is a null token here, not "no token". */
static int read_item(struct arena *a, const json_t *json, int depth, struct token **ret,
                     struct err *err)
{
    int r = read_token(a, json, depth, ret, err);

    if (r == ERR_OK && !*ret) {
        *ret = ARENA_NEW(a, struct token);
        (*ret)->kind = TOKEN_NULL;
    }
    return r;
}

static int read_sequence(struct arena *a, const json_t *list, int depth, struct token *t,
                         struct err *err)
{
    t->n_items = json_array_size(list);
    t->items = arena_array(a, t->n_items, sizeof *t->items);
    for (size_t i = 0; i < t->n_items; i++) {
        int r = read_item(a, json_array_get(list, i), depth, &t->items[i], err);

        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static int read_mapping(struct arena *a, const json_t *list, int depth, struct token *t,
                        struct err *err)
{
    t->n_pairs = json_array_size(list);
    t->pairs = arena_array(a, t->n_pairs, sizeof *t->pairs);
    for (size_t i = 0; i < t->n_pairs; i++) {
        const json_t *pair = json_array_get(list, i);
        int r = read_item(a, member(pair, "key"), depth, &t->pairs[i].key, err);

        if (r == ERR_OK)
            r = read_item(a, member(pair, "value"), depth, &t->pairs[i].value, err);
        if (r < 0)
            return r;
        enum token_kind key = t->pairs[i].key->kind;
        if (key == TOKEN_SEQUENCE || key == TOKEN_MAPPING)
            return err_set(err, ERR_INVALID, "a template mapping has a key that is no scalar");
    }
    return ERR_OK;
}

static double number_of(const json_t *json)
{
    if (json_is_string(json))
        return expr_parse_number(slice_make(json_string_value(json), json_string_length(json)));
    return json_number_value(json);
}

static int read_object(struct arena *a, const json_t *json, int depth, struct token *t,
                       struct err *err)
{
    const json_t *type = member(json, "type");
    json_int_t kind = type ? json_integer_value(type) : TOKEN_STRING;

    if (type && (!json_is_integer(type) || kind < 0 || kind >= TOKEN_KINDS))
        return err_set(err, ERR_INVALID, "a template token has an unknown type");
    t->kind = (enum token_kind)kind;
    t->file = small_int(member(json, "file"));
    t->line = small_int(member(json, "line"));
    t->col = small_int(member(json, "col"));
    switch (t->kind) {
    case TOKEN_STRING:
        t->text = json_text(a, member(json, "lit"));
        t->source = t->text;
        return ERR_OK;
    case TOKEN_SEQUENCE:
        return read_sequence(a, member(json, "seq"), depth + 1, t, err);
    case TOKEN_MAPPING:
        return read_mapping(a, member(json, "map"), depth + 1, t, err);
    case TOKEN_EXPR:
        t->text = json_text(a, member(json, "expr"));
        t->source = slice_of(arena_printf(a, "${{ %.*s }}", SLICE_ARG(t->text)));
        return ERR_OK;
    case TOKEN_BOOL:
        t->boolean = json_is_true(member(json, "bool"));
        return ERR_OK;
    case TOKEN_NUMBER:
        t->number = number_of(member(json, "num"));
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

static int read_token(struct arena *a, const json_t *json, int depth, struct token **ret,
                      struct err *err)
{
    struct token *t;
    int r = ERR_OK;

    if (!json || json_is_null(json)) {
        *ret = NULL;
        return ERR_OK;
    }
    if (depth > TOKEN_MAX_DEPTH)
        return err_set(err, ERR_LIMIT, "template tokens are nested more than %d deep",
                       TOKEN_MAX_DEPTH);
    t = ARENA_NEW(a, struct token);
    switch (json_typeof(json)) {
    case JSON_STRING:
        t->kind = TOKEN_STRING;
        t->text = t->source = json_text(a, json);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        t->kind = TOKEN_NUMBER;
        t->number = json_number_value(json);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        t->kind = TOKEN_BOOL;
        t->boolean = json_is_true(json);
        break;
    case JSON_OBJECT:
        r = read_object(a, json, depth, t, err);
        break;
    default:
        return err_set(err, ERR_INVALID, "a template token cannot be a JSON array");
    }
    if (r == ERR_OK)
        *ret = t;
    return r;
}

int token_from_json(struct arena *a, const json_t *json, struct token **ret, struct err *err)
{
    return read_token(a, json, 0, ret, err);
}
