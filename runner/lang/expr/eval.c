#include "lang/expr/tree.h"

#include <math.h>

/* ---- errors ---- */

int expr_fail(struct expr_evaluation *ev, const char *what, struct slice subject)
{
    struct slice parts[] = {slice_of(what), subject};

    *ev->error = (struct expr_error){.message = expr_concat(ev->arena, parts, COUNT_OF(parts))};
    return ERR_INVALID;
}

int expr_fail_memory(struct expr_evaluation *ev, const struct expr_node *node)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_MAX / 4); /* as long as the expression */

    expr_print(&text, node, NULL);
    (void)expr_fail(
        ev,
        "The maximum allowed memory size was exceeded while evaluating the following expression: ",
        buf_slice(&text));
    return ERR_LIMIT;
}

/* ---- memory (expressions.md 1) ---- */

/* Counts BYTES of a result at DEPTH. RELEASE: nothing deeper is referred to any more. */
static bool account(struct expr_evaluation *ev, int depth, size_t bytes, bool release)
{
    if (release) {
        for (; ev->deepest > depth; ev->deepest--) {
            ev->used -= ev->used_at[ev->deepest];
            ev->used_at[ev->deepest] = 0;
        }
    }
    if (depth > ev->deepest)
        ev->deepest = depth;
    ev->used_at[depth] += bytes;
    ev->used += bytes;
    return ev->used <= ev->limit;
}

static size_t result_size(const struct expr_value *v)
{
    if (v->kind == EXPR_STRING)
        return 26 + 2 * utf_units(v->text);
    return v->filtered ? 24 + 8 * expr_length(v) : 24;
}

/* ---- access (expressions.md 6) ---- */

struct index_key {
    struct expr_value value;
    bool star;
};

/* The element of an array that V means; false: none. */
static bool array_position(const struct expr_value *v, size_t n, size_t *ret)
{
    double at = expr_number(v);

    if (!(at >= 0) || !(floor(at) < (double)n))
        return false;
    *ret = (size_t)at;
    return true;
}

/* One step into a collection that is not filtered; false: it is not there. */
static bool access_one(struct expr_evaluation *ev, const struct expr_value *from,
                       const struct expr_value *key, struct expr_value *ret)
{
    size_t at;

    if (from->kind == EXPR_OBJECT)
        return expr_is_primitive(key) && expr_find(ev, from, expr_string(ev->arena, key), ret);
    if (from->kind != EXPR_ARRAY || !array_position(key, expr_length(from), &at))
        return false;
    *ret = expr_at(from, at);
    return true;
}

struct filter {
    struct expr_evaluation *ev;
    const struct index_key *index;
    struct expr_value *to;
    size_t n, cap;
};

static void filter_add(struct filter *f, const struct expr_value *v)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->to = mem_grow(f->to, f->cap * sizeof *f->to);
    }
    f->to[f->n++] = *v;
}

static bool add_element(void *ctx, struct slice key, const struct expr_value *v)
{
    (void)key;
    filter_add(ctx, v);
    return true;
}

static bool filter_element(void *ctx, struct slice key, const struct expr_value *v)
{
    struct filter *f = ctx;
    struct expr_value found;

    (void)key;
    if (expr_is_primitive(v))
        return true;
    if (f->index->star)
        return expr_each(v, add_element, f);
    if (access_one(f->ev, v, &f->index->value, &found))
        filter_add(f, &found);
    return true;
}

static struct expr_value filter_value(struct expr_evaluation *ev, const struct expr_value *from,
                                      const struct index_key *index)
{
    struct filter f = {.ev = ev, .index = index};

    if (!expr_is_primitive(from))
        expr_each(from, from->filtered ? filter_element : add_element, &f);
    struct expr_value v = expr_collect(ev->arena, f.to, NULL, f.n);
    v.filtered = true;
    free(f.to);
    return v;
}

static int eval_index(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                      struct expr_value *ret)
{
    struct index_key index = {.star = node->last->op == EXPR_OP_STAR};
    struct expr_value from, found = {.kind = EXPR_NULL};
    int r = expr_eval_operand(ev, node, 0, depth, &from);

    if (r < 0)
        return r;
    if (!expr_is_primitive(&from)) { /* else the index is not looked at */
        r = expr_eval_operand(ev, node, 1, depth, &index.value);
        if (r < 0)
            return r;
    }
    if (index.star || from.filtered)
        found = filter_value(ev, &from, &index);
    else if (!access_one(ev, &from, &index.value, &found))
        found = (struct expr_value){.kind = EXPR_NULL};
    *ret = found;
    return ERR_OK;
}

/* ---- the other nodes ---- */

static int eval_name(struct expr_evaluation *ev, const struct expr_node *node,
                     struct expr_value *ret)
{
    const struct expr_scope *s = ev->scope;

    *ret = expr_from_json(s->context ? s->context(s->ctx, node->key) : NULL);
    ret->cased = s->env_case && slice_eq(node->key, SLICE("env"));
    return ERR_OK;
}

static int eval_logical(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                        struct expr_value *ret)
{
    bool stop_at = node->op == EXPR_OP_OR;

    for (const struct expr_node *x = node->first; x; x = x->next) {
        int r = expr_eval_node(ev, x, depth + 1, ret);

        if (r < 0)
            return r;
        if (expr_truthy(ret) == stop_at)
            break;
    }
    return ERR_OK;
}

static bool holds(const struct expr_evaluation *ev, enum expr_op op, const struct expr_value *x,
                  const struct expr_value *y)
{
    if (op == EXPR_OP_EQ || op == EXPR_OP_NE)
        return expr_equals(ev->arena, x, y) == (op == EXPR_OP_EQ);

    int c = expr_compare(x, y);
    switch (op) {
    case EXPR_OP_LT:
        return c == -1;
    case EXPR_OP_GT:
        return c == 1;
    case EXPR_OP_LE:
        return c == -1 || c == 0;
    default:
        return c == 1 || c == 0;
    }
}

static int eval_comparison(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                           struct expr_value *ret)
{
    struct expr_value x, y;
    int r = expr_eval_operand(ev, node, 0, depth, &x);

    if (r < 0)
        return r;
    r = expr_eval_operand(ev, node, 1, depth, &y);
    if (r < 0)
        return r;
    *ret = expr_bool(holds(ev, node->op, &x, &y));
    return ERR_OK;
}

static int eval_not(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                    struct expr_value *ret)
{
    struct expr_value x;
    int r = expr_eval_operand(ev, node, 0, depth, &x);

    if (r < 0)
        return r;
    *ret = expr_bool(!expr_truthy(&x));
    return ERR_OK;
}

static int eval_any(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                    struct expr_value *ret)
{
    switch (node->op) {
    case EXPR_OP_LITERAL:
        *ret = node->literal;
        return ERR_OK;
    case EXPR_OP_STAR:
        *ret = expr_text_value(SLICE("*"));
        return ERR_OK;
    case EXPR_OP_NAME:
        return eval_name(ev, node, ret);
    case EXPR_OP_CALL:
        if (node->function)
            return node->function->eval(ev, node, depth, ret);
        *ret = (struct expr_value){.kind = EXPR_NULL};
        return ERR_OK;
    case EXPR_OP_INDEX:
        return eval_index(ev, node, depth, ret);
    case EXPR_OP_NOT:
        return eval_not(ev, node, depth, ret);
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        return eval_logical(ev, node, depth, ret);
    default:
        return eval_comparison(ev, node, depth, ret);
    }
}

/* Which results the expanded text shows: those of names, look-ups and most functions. */
static void trace_result(struct expr_evaluation *ev, const struct expr_node *node,
                         const struct expr_value *v)
{
    bool shown = node->op == EXPR_OP_NAME || node->op == EXPR_OP_INDEX ||
                 (node->op == EXPR_OP_CALL && (!node->function || node->function->expands));
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(EXPR_TRACE_LIMIT - ev->traced_size);

    if (!shown)
        return;
    expr_print_value(&text, v);
    if (text.overflow) /* GitHub too shows the expression where the values get too long */
        return;
    ev->traced_size += text.len;
    ev->traced[node->id] = arena_dup(ev->arena, buf_slice(&text));
}

int expr_eval_node(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                   struct expr_value *ret)
{
    int r = eval_any(ev, node, depth, ret);

    if (r < 0)
        return r;
    if (!account(ev, depth, result_size(ret), expr_is_primitive(ret)))
        return expr_fail_memory(ev, ev->expr->root);
    if (ev->traced)
        trace_result(ev, node, ret);
    return ERR_OK;
}

int expr_eval_operand(struct expr_evaluation *ev, const struct expr_node *node, size_t at,
                      int depth, struct expr_value *ret)
{
    const struct expr_node *x = node->first;

    while (at-- > 0)
        x = x->next;
    return expr_eval_node(ev, x, depth + 1, ret);
}

/* ---- whole expressions ---- */

static int evaluate(struct expr_evaluation *ev, struct expr_value *ret)
{
    struct expr_value v = {.kind = EXPR_NULL};

    ev->limit = ev->scope->memory_limit ? ev->scope->memory_limit : EXPR_MEMORY_LIMIT;
    ev->deepest = -1;
    if (ev->expr->root) {
        int r = expr_eval_node(ev, ev->expr->root, 0, &v);
        if (r < 0)
            return r;
    }
    *ret = v;
    return ERR_OK;
}

int expr_eval(const struct expr *e, const struct expr_scope *scope, struct arena *a,
              struct expr_value *ret, struct expr_error *error)
{
    struct expr_evaluation ev = {.expr = e, .scope = scope, .arena = a, .error = error};

    return evaluate(&ev, ret);
}

static struct slice printed(struct arena *a, const struct expr_node *node,
                            const struct slice *traced)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SIZE_MAX / 4);

    if (node)
        expr_print(&text, node, traced);
    return arena_dup(a, buf_slice(&text));
}

struct slice expr_text(struct arena *a, const struct expr *e)
{
    return printed(a, e->root, NULL);
}

/* GitHub leaves the expanded text out where it repeats the expression or its result. */
static bool says_nothing_new(const struct expr_trace *t, enum expr_kind kind)
{
    struct slice inner = slice_head(slice_from(t->expanded, 1), t->expanded.len - 2);

    return slice_eq(t->expanded, t->expression) || slice_eq(t->expanded, t->result) ||
           (kind == EXPR_NUMBER && slice_starts(t->expanded, SLICE("'")) &&
            slice_eq(inner, t->result));
}

int expr_eval_traced(const struct expr *e, const struct expr_scope *scope, struct arena *a,
                     struct expr_value *ret, struct expr_trace *trace, struct expr_error *error)
{
    struct expr_evaluation ev = {.expr = e, .scope = scope, .arena = a, .error = error};
    CLEANUP(buf_deinit) struct buf result = BUF_INIT(SIZE_MAX / 4);

    ev.traced = arena_array(a, e->n_nodes + 1, sizeof *ev.traced);
    int r = evaluate(&ev, ret);
    if (r < 0)
        return r;
    expr_print_value(&result, ret);
    *trace = (struct expr_trace){.expression = printed(a, e->root, NULL),
                                 .expanded = printed(a, e->root, ev.traced),
                                 .result = arena_dup(a, buf_slice(&result))};
    if (says_nothing_new(trace, ret->kind))
        trace->expanded = SLICE("");
    return ERR_OK;
}
