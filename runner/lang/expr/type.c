#include "lang/expr/type.h"

#include "lang/expr/tree.h"
#include "lang/near.h"

const struct type type_any = {.kind = TYPE_ANY};
const struct type type_null = {.kind = TYPE_NULL};
const struct type type_bool = {.kind = TYPE_BOOL};
const struct type type_number = {.kind = TYPE_NUMBER};
const struct type type_string = {.kind = TYPE_STRING};
const struct type type_open = {.kind = TYPE_OBJECT, .item = &type_any};
const struct type type_strings = {.kind = TYPE_OBJECT, .item = &type_string};

/* ---- types ---- */

struct type *type_object(struct arena *a, const struct type *item)
{
    struct type *t = ARENA_NEW(a, struct type);

    *t = (struct type){.kind = TYPE_OBJECT, .item = item};
    return t;
}

struct type *type_array(struct arena *a, const struct type *item)
{
    struct type *t = ARENA_NEW(a, struct type);

    *t = (struct type){.kind = TYPE_ARRAY, .item = item};
    return t;
}

static struct type_member *find_member(const struct type *object, struct slice name)
{
    for (struct type_member *m = object->members; m; m = m->next)
        if (slice_eq_nocase(m->name, name))
            return m;
    return NULL;
}

void type_add(struct arena *a, struct type *object, struct slice name, const struct type *type)
{
    struct type_member *m = find_member(object, name);

    if (m) {
        m->type = type_join(a, m->type, type);
        return;
    }
    m = ARENA_NEW(a, struct type_member);
    *m = (struct type_member){name, type, object->members};
    object->members = m;
}

const struct type *type_member(const struct type *object, struct slice name)
{
    if (object->kind == TYPE_ANY)
        return &type_any;
    if (object->kind != TYPE_OBJECT)
        return NULL;
    const struct type_member *m = find_member(object, name);
    return m ? m->type : object->item;
}

const struct type *type_join(struct arena *a, const struct type *x, const struct type *y)
{
    if (x == y)
        return x;
    if (x->kind != y->kind)
        return &type_any;
    if (x->kind == TYPE_ARRAY) {
        struct type *t = type_array(a, type_join(a, x->item, y->item));

        t->filtered = x->filtered && y->filtered;
        return t;
    }
    if (x->kind != TYPE_OBJECT)
        return x;
    const struct type *item = x->item ? x->item : y->item;
    if (x->item && y->item)
        item = type_join(a, x->item, y->item);
    struct type *t = type_object(a, item);
    for (const struct type_member *m = x->members; m; m = m->next)
        type_add(a, t, m->name, m->type);
    for (const struct type_member *m = y->members; m; m = m->next)
        type_add(a, t, m->name, m->type);
    return t;
}

const struct type *type_of_json(struct arena *a, const json_t *json)
{
    const char *key;
    json_t *value;

    if (json_is_object(json)) {
        struct type *t = type_object(a, NULL);

        json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
            type_add(a, t, slice_of(arena_str(a, slice_of(key))), type_of_json(a, value));
        }
        return t;
    }
    if (json_is_array(json)) {
        const struct type *item = NULL;

        for (size_t i = 0; i < json_array_size(json); i++) {
            const struct type *one = type_of_json(a, json_array_get(json, i));
            item = item ? type_join(a, item, one) : one;
        }
        return type_array(a, item ? item : &type_any);
    }
    if (json_is_string(json))
        return &type_string;
    if (json_is_number(json))
        return &type_number;
    return json_is_boolean(json) ? &type_bool : &type_null;
}

const char *type_name(const struct type *t)
{
    static const char *const names[] = {
        [TYPE_ANY] = "any",       [TYPE_NULL] = "null",     [TYPE_BOOL] = "boolean",
        [TYPE_NUMBER] = "number", [TYPE_STRING] = "string", [TYPE_ARRAY] = "array",
        [TYPE_OBJECT] = "object",
    };

    return names[t->kind];
}

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_ARRAY || t->kind == TYPE_OBJECT;
}

/* ---- findings ---- */

static void report(const struct expr_typing *t, enum expr_finding_kind kind, size_t offset,
                   const char *hint, const char *message)
{
    struct expr_finding f = {kind, t->has_other, offset, message, hint};

    if (t->report)
        t->report(t->ctx, &f);
}

/* Where the text of NODE begins: a look-up stands at its operator. */
static size_t begin_of(const struct expr_node *node)
{
    while (node->op == EXPR_OP_INDEX)
        node = node->first;
    return node->offset;
}

static struct slice path_text(struct arena *a, const struct expr_node *node)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(120); /* longer ones are cut */

    expr_print(&out, node, NULL);
    return arena_dup(a, buf_slice(&out));
}

static void report_member(const struct expr_typing *t, const struct expr_node *node,
                          const struct type *object, struct slice name)
{
    struct near_best best = near_begin(name);
    struct slice of = path_text(t->arena, node->first);
    CLEANUP(buf_deinit) struct buf known = BUF_INIT(200);
    char *hint;

    for (const struct type_member *m = object->members; m; m = m->next) {
        near_offer(&best, m->name);
        buf_printf(&known, "%s%.*s", known.len ? ", " : "", SLICE_ARG(m->name));
    }
    hint = near_hint(t->arena, &best);
    if (!hint && known.len && !known.overflow)
        hint = arena_printf(t->arena, "it has: %s", known.ptr);
    report(t, EXPR_UNKNOWN_NAME, node->last->offset, hint,
           arena_printf(t->arena, "'%.*s' has no '%.*s' here, so this is always empty",
                        SLICE_ARG(of), SLICE_ARG(name)));
}

/* ---- look-ups ---- */

static const struct type *type_node(const struct expr_typing *t, const struct expr_node *node);

static const struct type *filter(const struct expr_typing *t, const struct type *item)
{
    struct type *array = type_array(t->arena, item);

    array->filtered = true;
    return array;
}

/* OBJECT.*: its members' values. */
static const struct type *all_members(const struct expr_typing *t, const struct type *object)
{
    const struct type *item = object->item;

    for (const struct type_member *m = object->members; m; m = m->next)
        item = item ? type_join(t->arena, item, m->type) : m->type;
    return filter(t, item ? item : &type_any);
}

static const struct type *index_object(const struct expr_typing *t, const struct expr_node *node,
                                       const struct type *object)
{
    const struct expr_node *key = node->last;

    if (key->op == EXPR_OP_STAR)
        return all_members(t, object);
    if (key->op == EXPR_OP_LITERAL && key->literal.kind == EXPR_STRING) {
        const struct type *member = type_member(object, key->literal.text);

        if (!member)
            report_member(t, node, object, key->literal.text);
        return member ? member : &type_any;
    }
    const struct type *by = type_node(t, key);
    if (by->kind != TYPE_ANY && by->kind != TYPE_STRING)
        report(t, is_collection(by) ? EXPR_NEVER_WORKS : EXPR_ODD, key->offset,
               "members have names: write ['name'] or .name",
               arena_printf(t->arena, "a member of an object is asked for by a %s", type_name(by)));
    return object->members ? &type_any : object->item ? object->item : &type_any;
}

static const struct type *index_array(const struct expr_typing *t, const struct expr_node *node,
                                      const struct type *array)
{
    const struct expr_node *key = node->last;

    if (key->op == EXPR_OP_STAR)
        return filter(t, array->item);
    if (array->filtered && key->op == EXPR_OP_LITERAL && key->literal.kind == EXPR_STRING) {
        const struct type *member = type_member(array->item, key->literal.text);

        return filter(t, member ? member : &type_any);
    }
    const struct type *by = type_node(t, key);
    if (by->kind != TYPE_ANY && by->kind != TYPE_NUMBER)
        report(
            t, EXPR_NEVER_WORKS, key->offset,
            "write [0] for the first element, or .* for all of them",
            arena_printf(t->arena, "an element of an array is asked for by a %s", type_name(by)));
    return array->item;
}

static const struct type *type_index(const struct expr_typing *t, const struct expr_node *node)
{
    const struct type *of = type_node(t, node->first);

    if (of->kind == TYPE_OBJECT)
        return index_object(t, node, of);
    if (of->kind == TYPE_ARRAY)
        return index_array(t, node, of);
    if (node->last->op != EXPR_OP_STAR && node->last->op != EXPR_OP_LITERAL)
        (void)type_node(t, node->last);
    if (of->kind != TYPE_ANY)
        report(t, EXPR_NEVER_WORKS, node->last->offset, NULL,
               arena_printf(t->arena, "'%.*s' is a %s and has no members, so this is always empty",
                            SLICE_ARG(path_text(t->arena, node->first)), type_name(of)));
    return &type_any;
}

/* ---- functions ---- */

enum want { WANT_ANY, WANT_SCALAR, WANT_LIST, WANT_TEXT_OR_LIST };

static const struct signature {
    const char *name;
    enum want args[2]; /* further arguments are like the last of these */
    const struct type *result;
} signatures[] = {
    {"contains", {WANT_TEXT_OR_LIST, WANT_SCALAR}, &type_bool},
    {"startswith", {WANT_SCALAR, WANT_SCALAR}, &type_bool},
    {"endswith", {WANT_SCALAR, WANT_SCALAR}, &type_bool},
    {"format", {WANT_SCALAR, WANT_ANY}, &type_string},
    {"join", {WANT_TEXT_OR_LIST, WANT_SCALAR}, &type_string},
    {"tojson", {WANT_ANY, WANT_ANY}, &type_string},
    {"fromjson", {WANT_SCALAR, WANT_ANY}, &type_any},
    {"case", {WANT_ANY, WANT_ANY}, &type_any},
    {"hashfiles", {WANT_SCALAR, WANT_SCALAR}, &type_string},
    {"always", {WANT_ANY, WANT_ANY}, &type_bool},
    {"success", {WANT_SCALAR, WANT_SCALAR}, &type_bool},
    {"failure", {WANT_SCALAR, WANT_SCALAR}, &type_bool},
    {"cancelled", {WANT_ANY, WANT_ANY}, &type_bool},
};

static void check_argument(const struct expr_typing *t, const struct expr_node *call, size_t which,
                           enum want want, const struct expr_node *arg, const struct type *type)
{
    bool fits = want == WANT_ANY || !is_collection(type) ||
                (want == WANT_TEXT_OR_LIST && type->kind == TYPE_ARRAY);

    if (!fits)
        report(t, EXPR_NEVER_WORKS, begin_of(arg),
               type->kind == TYPE_OBJECT ? "toJSON() gives the text of an object, .* its values"
                                         : "name one element, as in [0]",
               arena_printf(t->arena, "argument %zu of %.*s() can't be an %s", which + 1,
                            SLICE_ARG(call->name), type_name(type)));
}

/* fromJSON of a text that is known. */
static const struct type *type_from_json(const struct expr_typing *t, const struct expr_node *arg)
{
    struct expr_value value;

    if (arg->op != EXPR_OP_LITERAL || arg->literal.kind != EXPR_STRING)
        return &type_any;
    if (expr_read_json(t->arena, arg->literal.text, &value) < 0) {
        report(t, EXPR_NEVER_WORKS, begin_of(arg), NULL,
               arena_printf(t->arena, "fromJSON() is given a text that is no JSON"));
        return &type_any;
    }
    json_t *json = expr_to_json(t->arena, &value);
    const struct type *type = type_of_json(t->arena, json);
    json_decref(json);
    return type;
}

/* case(test, value, test, value, otherwise): the values are at 1, 3, ... and at the end. */
static const struct type *type_case(const struct expr_typing *t, const struct type *const *args,
                                    size_t n)
{
    const struct type *type = args[n - 1];

    for (size_t i = 1; i < n; i += 2)
        type = type_join(t->arena, type, args[i]);
    return type;
}

/* What is known of the pattern of a format(). */
struct pattern {
    bool invalid;
    bool has_text; /* characters beside the placeholders */
    size_t most;   /* arguments it asks for */
};

static struct pattern read_pattern(struct slice s)
{
    struct pattern p = {0};
    size_t n = 0;

    for (size_t i = 0; i < s.len && !p.invalid; i++) {
        char c = s.ptr[i];
        size_t digits = 0;

        if (c != '{' && c != '}') {
            p.has_text = true;
        } else if (i + 1 < s.len && s.ptr[i + 1] == c) {
            p.has_text = true;
            i++;
        } else {
            for (n = 0; i + 1 < s.len && s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '9'; i++, digits++)
                n = n > EXPR_MAX_ARGS ? n : n * 10 + (size_t)(s.ptr[i + 1] - '0');
            p.invalid = c == '}' || !digits || i + 1 >= s.len || s.ptr[++i] != '}';
            p.most = n + 1 > p.most ? n + 1 : p.most;
        }
    }
    return p;
}

static void check_format(const struct expr_typing *t, const struct expr_node *call)
{
    const struct expr_node *first = call->first;

    if (!first || first->op != EXPR_OP_LITERAL || first->literal.kind != EXPR_STRING)
        return;
    struct pattern p = read_pattern(first->literal.text);
    if (p.invalid)
        report(t, EXPR_NEVER_WORKS, first->offset,
               "braces that are meant as such are written {{ }}",
               "this format has a brace that is no placeholder");
    else if (p.most > call->n - 1)
        report(t, EXPR_NEVER_WORKS, first->offset, "placeholders count from {0}",
               arena_printf(t->arena, "this format asks for {%zu}, and there %s %zu argument%s",
                            p.most - 1, call->n == 2 ? "is" : "are", call->n - 1,
                            call->n == 2 ? "" : "s"));
}

static const struct type *type_call(const struct expr_typing *t, const struct expr_node *call)
{
    const struct type **args = arena_array(t->arena, call->n, sizeof *args);
    const struct signature *s = NULL;
    size_t n = 0;

    for (size_t i = 0; !s && i < COUNT_OF(signatures); i++)
        if (slice_eq(call->key, slice_of(signatures[i].name)))
            s = &signatures[i];
    for (const struct expr_node *arg = call->first; arg; arg = arg->next) {
        args[n] = type_node(t, arg);
        if (s)
            check_argument(t, call, n, s->args[n > 0], arg, args[n]);
        n++;
    }
    if (slice_eq(call->key, SLICE("format")))
        check_format(t, call);
    if (slice_eq(call->key, SLICE("fromjson")) && n == 1)
        return type_from_json(t, call->first);
    if (slice_eq(call->key, SLICE("case")) && n >= 3)
        return type_case(t, args, n);
    return s ? s->result : &type_any;
}

/* ---- operators ---- */

static const char *operator_text(enum expr_op op)
{
    return op == EXPR_OP_EQ   ? "=="
           : op == EXPR_OP_NE ? "!="
           : op == EXPR_OP_LT ? "<"
           : op == EXPR_OP_LE ? "<="
           : op == EXPR_OP_GT ? ">"
                              : ">=";
}

/* Collections are equal to nothing but themselves, and have no order. Booleans and null have one by way
 * of numbers, which nobody means. */
static void check_comparison(const struct expr_typing *t, const struct expr_node *node)
{
    const struct type *x = type_node(t, node->first), *y = type_node(t, node->last);
    bool order = node->op != EXPR_OP_EQ && node->op != EXPR_OP_NE;
    bool known = x->kind > TYPE_NULL && y->kind > TYPE_NULL; /* many objects are null at times */
    bool never = order ? is_collection(x) || is_collection(y)
                       : known && is_collection(x) + is_collection(y) == 1;
    bool odd = order && (x->kind == TYPE_BOOL || y->kind == TYPE_BOOL || x->kind == TYPE_NULL ||
                         y->kind == TYPE_NULL);

    if (never || odd)
        report(t, never ? EXPR_NEVER_WORKS : EXPR_ODD, begin_of(node->first), NULL,
               arena_printf(t->arena, "%s %s and %s %s are compared with '%s'%s",
                            x->kind >= TYPE_ARRAY ? "an" : "a", type_name(x),
                            y->kind >= TYPE_ARRAY ? "an" : "a", type_name(y),
                            operator_text(node->op),
                            never ? ", which gives the same for all values"
                                  : ", which turns both into numbers"));
}

static const struct type *type_choice(const struct expr_typing *t, const struct expr_node *node)
{
    struct expr_typing inner = *t;
    const struct type *type = NULL;

    for (const struct expr_node *x = node->first; x; x = x->next) {
        inner.has_other = t->has_other || (node->op == EXPR_OP_OR && x->next);
        const struct type *one = type_node(&inner, x);

        type = type ? type_join(t->arena, type, one) : one;
    }
    return type ? type : &type_any;
}

static const struct type *type_literal(const struct expr_node *node)
{
    switch (node->literal.kind) {
    case EXPR_NULL:
        return &type_null;
    case EXPR_BOOL:
        return &type_bool;
    case EXPR_NUMBER:
        return &type_number;
    case EXPR_STRING:
        return &type_string;
    case EXPR_ARRAY:
    case EXPR_OBJECT:
        break;
    }
    return &type_any;
}

static const struct type *type_node(const struct expr_typing *t, const struct expr_node *node)
{
    const struct type *type;

    switch (node->op) {
    case EXPR_OP_LITERAL:
        return type_literal(node);
    case EXPR_OP_NAME:
        type = t->context ? t->context(t->ctx, node->key) : NULL;
        return type ? type : &type_any;
    case EXPR_OP_CALL:
        return type_call(t, node);
    case EXPR_OP_INDEX:
        return type_index(t, node);
    case EXPR_OP_NOT:
        (void)type_node(t, node->first);
        return &type_bool;
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        return type_choice(t, node);
    case EXPR_OP_EQ:
    case EXPR_OP_NE:
    case EXPR_OP_LT:
    case EXPR_OP_LE:
    case EXPR_OP_GT:
    case EXPR_OP_GE:
        check_comparison(t, node);
        return &type_bool;
    case EXPR_OP_STAR:
        break;
    }
    return &type_any;
}

const struct type *expr_type(const struct expr_typing *t, const struct expr *e)
{
    return e->root ? type_node(t, e->root) : &type_null;
}

/* ---- constants ---- */

static bool is_constant(const struct expr_node *node)
{
    if (node->op == EXPR_OP_NAME)
        return false;
    if (node->op == EXPR_OP_CALL && (!node->function || node->function->special))
        return false;
    for (const struct expr_node *x = node->first; x; x = x->next)
        if (!is_constant(x))
            return false;
    return true;
}

bool expr_is_constant(const struct expr *e)
{
    return e->root && is_constant(e->root);
}

bool expr_is_always_true(const struct expr *e)
{
    const struct expr_node *call = e->root, *first = call ? call->first : NULL;

    return call && call->op == EXPR_OP_CALL && slice_eq(call->key, SLICE("format")) && first &&
           first->op == EXPR_OP_LITERAL && first->literal.kind == EXPR_STRING &&
           read_pattern(first->literal.text).has_text;
}

/* ---- what becomes a part of the text ---- */

struct flow {
    void (*fn)(void *ctx, const struct slice *path, size_t n_path, bool whole, size_t offset);
    void *ctx;
};

static void flow_lookup(const struct flow *f, const struct expr_node *node, bool whole)
{
    const struct expr_node *chain[EXPR_MAX_DEPTH];
    struct slice path[EXPR_MAX_DEPTH + 1];
    size_t n = 0, n_path = 0;

    for (; node->op == EXPR_OP_INDEX && n < EXPR_MAX_DEPTH; node = node->first)
        chain[n++] = node;
    if (node->op != EXPR_OP_NAME)
        return;
    path[n_path++] = node->key;
    while (n-- > 0) {
        const struct expr_node *key = chain[n]->last;
        bool named = key->op == EXPR_OP_LITERAL && key->literal.kind == EXPR_STRING;

        path[n_path++] = named ? key->literal.text : SLICE("*");
    }
    f->fn(f->ctx, path, n_path, whole, node->offset);
}

static void flow_node(const struct flow *f, const struct expr_node *node, bool whole)
{
    static const char *const passing[] = {"format", "join", "tojson", "fromjson", "case"};

    switch (node->op) {
    case EXPR_OP_NAME:
    case EXPR_OP_INDEX:
        flow_lookup(f, node, whole);
        return;
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        for (const struct expr_node *x = node->first; x; x = x->next)
            flow_node(f, x, whole);
        return;
    case EXPR_OP_CALL:
        for (size_t i = 0; i < COUNT_OF(passing); i++)
            if (slice_eq(node->key, slice_of(passing[i])))
                for (const struct expr_node *x = node->first; x; x = x->next)
                    flow_node(f, x, whole || slice_eq(node->key, SLICE("tojson")));
        return;
    default:
        return;
    }
}

void expr_each_flow(const struct expr *e,
                    void (*fn)(void *ctx, const struct slice *path, size_t n_path, bool whole,
                               size_t offset),
                    void *ctx)
{
    struct flow f = {fn, ctx};

    if (e->root)
        flow_node(&f, e->root, false);
}
