#include "lang/expr/tree.h"

#include <math.h>

enum { INDEX_FROM = 8 }; /* objects with more keys than this get an index */

/* ---- conversions ---- */

const char *expr_kind_name(enum expr_kind kind)
{
    static const char *const names[] = {"Null", "Boolean", "Number", "String", "Array", "Object"};

    return names[kind];
}

bool expr_truthy(const struct expr_value *v)
{
    switch (v->kind) {
    case EXPR_NULL:
        return false;
    case EXPR_BOOL:
        return v->boolean;
    case EXPR_NUMBER:
        return v->number != 0 && !isnan(v->number);
    case EXPR_STRING:
        return v->text.len > 0;
    default:
        return true;
    }
}

double expr_number(const struct expr_value *v)
{
    switch (v->kind) {
    case EXPR_NULL:
        return 0;
    case EXPR_BOOL:
        return v->boolean;
    case EXPR_NUMBER:
        return v->number;
    case EXPR_STRING:
        return expr_parse_number(v->text);
    default:
        return (double)NAN;
    }
}

struct slice expr_string(struct arena *a, const struct expr_value *v)
{
    switch (v->kind) {
    case EXPR_NULL:
        return SLICE("");
    case EXPR_BOOL:
        return v->boolean ? SLICE("true") : SLICE("false");
    case EXPR_NUMBER:
        return expr_format_number(a, v->number, false);
    case EXPR_STRING:
        return v->text;
    default:
        return slice_of(expr_kind_name(v->kind));
    }
}

/* ---- comparison ---- */

static bool same_collection(const struct expr_value *x, const struct expr_value *y)
{
    return x->json || y->json ? x->json == y->json : x->own == y->own;
}

static int order(double x, double y)
{
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

/* Two values of one kind; collections are equal or have no order. */
static int compare_same(const struct expr_value *x, const struct expr_value *y)
{
    switch (x->kind) {
    case EXPR_NULL:
        return 0;
    case EXPR_BOOL:
        return x->boolean - y->boolean;
    case EXPR_NUMBER:
        return order(x->number, y->number);
    case EXPR_STRING: {
        int c = utf_cmp_nocase(x->text, y->text);
        return (c > 0) - (c < 0);
    }
    default:
        return same_collection(x, y) ? 0 : 2;
    }
}

int expr_compare(const struct expr_value *x, const struct expr_value *y)
{
    if (x->kind == y->kind)
        return compare_same(x, y);
    if (!expr_is_primitive(x) || !expr_is_primitive(y))
        return 2;
    /* Different primitives all meet as numbers. */
    return order(expr_number(x), expr_number(y));
}

bool expr_equals(struct arena *a, const struct expr_value *x, const struct expr_value *y)
{
    (void)a; /* comparing allocates nothing today */
    if (x->kind == EXPR_STRING && y->kind == EXPR_STRING)
        return utf_eq_nocase(x->text, y->text);
    return expr_compare(x, y) == 0;
}

/* ---- collections ---- */

struct expr_value expr_from_json(const json_t *json)
{
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_OBJECT:
        return (struct expr_value){.kind = EXPR_OBJECT, .json = json};
    case JSON_ARRAY:
        return (struct expr_value){.kind = EXPR_ARRAY, .json = json};
    case JSON_STRING:
        return expr_text_value(slice_make(json_string_value(json), json_string_length(json)));
    case JSON_INTEGER:
    case JSON_REAL:
        return (struct expr_value){.kind = EXPR_NUMBER, .number = json_number_value(json)};
    case JSON_TRUE:
    case JSON_FALSE:
        return expr_bool(json_is_true(json));
    default:
        return (struct expr_value){.kind = EXPR_NULL};
    }
}

size_t expr_length(const struct expr_value *v)
{
    if (!v->json)
        return v->own->n;
    return v->kind == EXPR_ARRAY ? json_array_size(v->json) : json_object_size(v->json);
}

struct expr_value expr_at(const struct expr_value *v, size_t i)
{
    return v->json ? expr_from_json(json_array_get(v->json, i)) : v->own->values[i];
}

/* jansson's iterator wants a pointer it could change the object through; it does not. */
static json_t *unconst(const json_t *json)
{
    union {
        const json_t *in;
        json_t *out;
    } u = {json};

    return u.out;
}

bool expr_each(const struct expr_value *v, expr_each_fn *fn, void *ctx)
{
    if (v->kind == EXPR_OBJECT && v->json) {
        json_t *object = unconst(v->json);

        for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
            struct slice key = slice_make(json_object_iter_key(it), json_object_iter_key_len(it));
            struct expr_value item = expr_from_json(json_object_iter_value(it));

            if (!fn(ctx, key, &item))
                return false;
        }
        return true;
    }
    for (size_t i = 0, n = expr_length(v); i < n; i++) {
        struct expr_value item = expr_at(v, i);

        if (!fn(ctx, v->kind == EXPR_OBJECT ? v->own->keys[i] : SLICE(""), &item))
            return false;
    }
    return true;
}

/* The slot of KEY in the index: free, or the one that holds it. */
static uint32_t *slot(const struct expr_collection *c, struct slice key)
{
    for (uint32_t i = utf_hash_nocase(key);; i++) {
        uint32_t *s = &c->index[i & (c->index_cap - 1)];

        if (*s == 0 || utf_eq_nocase(c->keys[*s - 1], key))
            return s;
    }
}

static bool collection_find(const struct expr_collection *c, struct slice key, size_t *ret)
{
    if (c->index) {
        uint32_t at = *slot(c, key);

        *ret = at - 1;
        return at != 0;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (utf_eq_nocase(c->keys[i], key)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

struct expr_value expr_collect(struct arena *a, const struct expr_value *values,
                               const struct slice *keys, size_t n)
{
    struct expr_collection *c = ARENA_NEW(a, struct expr_collection);
    struct expr_value *own_values = arena_array(a, n, sizeof *own_values);
    struct slice *own_keys = keys ? arena_array(a, n, sizeof *own_keys) : NULL;

    c->values = own_values;
    c->keys = own_keys;
    if (keys && n > INDEX_FROM) {
        for (c->index_cap = 4 * INDEX_FROM; c->index_cap < n * 2; c->index_cap *= 2)
            ;
        c->index = arena_array(a, c->index_cap, sizeof *c->index);
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = c->n;

        if (keys && collection_find(c, keys[i], &at)) {
            own_values[at] = values[i];
            continue;
        }
        own_values[c->n] = values[i];
        if (keys)
            own_keys[c->n] = keys[i];
        if (c->index)
            *slot(c, keys[i]) = (uint32_t)c->n + 1;
        c->n++;
    }
    return (struct expr_value){.kind = keys ? EXPR_OBJECT : EXPR_ARRAY, .own = c};
}

/* ---- look-ups ---- */

struct gathering {
    struct slice *keys;
    struct expr_value *values;
    size_t n;
};

static bool gather(void *ctx, struct slice key, const struct expr_value *v)
{
    struct gathering *g = ctx;

    g->keys[g->n] = key;
    g->values[g->n++] = *v;
    return true;
}

static const struct expr_collection *index_object(struct arena *a, const struct expr_value *object)
{
    size_t n = expr_length(object);
    struct gathering g = {arena_array(a, n, sizeof *g.keys), arena_array(a, n, sizeof *g.values),
                          0};

    expr_each(object, gather, &g);
    return expr_collect(a, g.values, g.keys, g.n).own;
}

struct search {
    struct slice key;
    struct expr_value *ret;
};

static bool is_sought(void *ctx, struct slice key, const struct expr_value *v)
{
    struct search *s = ctx;

    if (!utf_eq_nocase(key, s->key))
        return true;
    *s->ret = *v;
    return false;
}

/* KEY in a JSON object when it is not there as spelled. One search of all keys is cheaper than an
 * index; a second one in the same object builds it, so that a loop stays linear. */
static bool find_nocase(struct expr_evaluation *ev, const struct expr_value *object,
                        struct slice key, struct expr_value *ret)
{
    struct expr_lookup *l = ev->lookups;
    size_t at;

    while (l && l->object != object->json)
        l = l->next;
    if (!l) {
        struct search s = {key, ret};

        if (json_object_size(object->json) > INDEX_FROM) {
            l = ARENA_NEW(ev->arena, struct expr_lookup);
            *l = (struct expr_lookup){.object = object->json, .next = ev->lookups};
            ev->lookups = l;
        }
        return !expr_each(object, is_sought, &s);
    }
    if (!l->index)
        l->index = index_object(ev->arena, object);
    if (!collection_find(l->index, key, &at))
        return false;
    *ret = l->index->values[at];
    return true;
}

bool expr_find(struct expr_evaluation *ev, const struct expr_value *object, struct slice key,
               struct expr_value *ret)
{
    if (object->json) {
        const json_t *exact = json_object_getn(object->json, key.ptr ? key.ptr : "", key.len);

        if (!exact)
            return !object->cased && find_nocase(ev, object, key, ret);
        *ret = expr_from_json(exact);
        return true;
    }
    size_t at;
    if (!collection_find(object->own, key, &at))
        return false;
    *ret = object->own->values[at];
    return true;
}

/* ---- to JSON ---- */

struct conversion {
    struct arena *arena;
    json_t *to;
};

static bool convert(void *ctx, struct slice key, const struct expr_value *v)
{
    struct conversion *c = ctx;
    json_t *item = expr_to_json(c->arena, v);

    if (json_is_array(c->to))
        json_array_append_new(c->to, item);
    else
        json_object_setn_new_nocheck(c->to, key.ptr ? key.ptr : "", key.len, item);
    return true;
}

json_t *expr_to_json(struct arena *a, const struct expr_value *v)
{
    switch (v->kind) {
    case EXPR_BOOL:
        return json_boolean(v->boolean);
    case EXPR_NUMBER:
        if (isnan(v->number) || isinf(v->number))
            return json_null();
        if (fabs(v->number) < 9007199254740992.0 && v->number == (double)(int64_t)v->number)
            return json_integer((json_int_t)v->number);
        return json_real(v->number);
    case EXPR_STRING:
        return json_stringn_nocheck(v->text.ptr ? v->text.ptr : "", v->text.len);
    case EXPR_ARRAY:
    case EXPR_OBJECT: {
        if (v->json)
            return json_incref(unconst(v->json));
        struct conversion c = {a, v->kind == EXPR_ARRAY ? json_array() : json_object()};

        expr_each(v, convert, &c);
        return c.to;
    }
    default:
        return json_null();
    }
}
