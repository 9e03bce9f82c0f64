#include "lang/expr/lex.h"
#include "lang/expr/tree.h"

/* An operator waiting for its right side, or an open bracket. */
struct pending {
    enum expr_token_kind kind;
    size_t offset;
};

/* One pass from left to right with two stacks, as GitHub's parser: the first problem wins, and no
 * depth of brackets costs call stack. */
struct parser {
    struct arena *arena;
    const struct expr_place *place;
    struct expr_error *error;
    struct expr *expr;
    struct expr_lexer lexer;
    VEC(struct expr_node *) operands;
    VEC(struct pending) operators;
};

static void parser_deinit(struct parser *p)
{
    expr_lexer_deinit(&p->lexer);
    vec_deinit(&p->operands);
    vec_deinit(&p->operators);
}

struct slice expr_concat(struct arena *a, const struct slice *parts, size_t n)
{
    size_t len = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        len += parts[i].len;
    char *text = arena_alloc(a, len + 1);
    for (size_t i = 0; i < n; at += parts[i++].len)
        if (parts[i].len)
            memcpy(text + at, parts[i].ptr, parts[i].len);
    return slice_make(text, len);
}

/* "DESCRIPTION: 'TOKEN'. Located at position N within expression: EXPRESSION" */
static int fail_at(struct parser *p, const char *description, struct slice token, size_t offset)
{
    struct slice text = p->expr->text;
    size_t position = utf_units(slice_head(text, offset)) + 1;
    char where[64];
    int len =
        snprintf(where, sizeof where, "'. Located at position %zu within expression: ", position);
    struct slice parts[] = {slice_of(description), SLICE(": '"), token,
                            slice_make(where, (size_t)len), text};

    *p->error = (struct expr_error){.position = (int)position,
                                    .offset = offset,
                                    .message = expr_concat(p->arena, parts, COUNT_OF(parts))};
    return ERR_INVALID;
}

static int fail(struct parser *p, const char *message)
{
    *p->error = (struct expr_error){.message = slice_of(message)};
    return ERR_INVALID;
}

static struct expr_node *node_new(struct parser *p, enum expr_op op, size_t offset)
{
    struct expr_node *n = ARENA_NEW(p->arena, struct expr_node);

    n->op = op;
    n->height = 1;
    n->offset = offset;
    n->id = p->expr->n_nodes++;
    return n;
}

static void add_operand(struct expr_node *n, struct expr_node *operand)
{
    if ((n->op == EXPR_OP_AND || n->op == EXPR_OP_OR) && operand->op == n->op) {
        /* The same logical operator: its operands become ours. */
        if (n->last)
            n->last->next = operand->first;
        else
            n->first = operand->first;
        n->last = operand->last;
        n->n += operand->n;
        if (operand->height > n->height)
            n->height = operand->height;
        return;
    }
    if (n->last)
        n->last->next = operand;
    else
        n->first = operand;
    n->last = operand;
    n->n++;
    if (operand->height >= n->height)
        n->height = operand->height + 1;
}

static struct slice lower(struct arena *a, struct slice s)
{
    char *text = arena_str(a, s);

    for (size_t i = 0; i < s.len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + 32);
    return slice_make(text, s.len);
}

static bool name_is_known(const struct expr_place *place, struct slice key)
{
    if (!place || !place->contexts)
        return true;
    for (const char *const *c = place->contexts; *c; c++)
        if (slice_eq(key, slice_of(*c)))
            return true;
    return false;
}

static struct slice string_value(struct arena *a, struct slice raw)
{
    struct slice s = slice_make(raw.ptr + 1, raw.len - 2);

    if (slice_find_char(s, '\'') < 0)
        return s; /* borrows the text */
    char *text = arena_alloc(a, s.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        text[len++] = s.ptr[i];
        i += s.ptr[i] == '\'';
    }
    return slice_make(text, len);
}

static int push_operand(struct parser *p, const struct expr_token *t)
{
    struct expr_node *n = node_new(p, EXPR_OP_LITERAL, t->offset);

    switch (t->kind) {
    case TOK_STAR:
        n->op = EXPR_OP_STAR;
        break;
    case TOK_TRUE:
    case TOK_FALSE:
        n->literal = expr_bool(t->kind == TOK_TRUE);
        break;
    case TOK_NUMBER:
        n->literal = (struct expr_value){.kind = EXPR_NUMBER, .number = t->number};
        break;
    case TOK_STRING:
        n->literal = expr_text_value(string_value(p->arena, t->raw));
        break;
    case TOK_PROPERTY:
        n->literal = expr_text_value(t->raw);
        break;
    case TOK_NAME:
        n->op = EXPR_OP_NAME;
        n->name = t->raw;
        n->key = lower(p->arena, t->raw);
        if (!name_is_known(p->place, n->key))
            return fail_at(p, "Unrecognized named-value", t->raw, t->offset);
        break;
    case TOK_FUNCTION: {
        unsigned special =
            p->place ? p->place->special : (unsigned)EXPR_FN_JOB_STATUS | EXPR_FN_HASHFILES;

        n->op = EXPR_OP_CALL;
        n->name = t->raw;
        n->key = lower(p->arena, t->raw);
        n->function = expr_function_find(n->key, special);
        if (n->function && n->function->status)
            p->expr->status_call = true;
        if (special & EXPR_FN_ANY) /* grammar alone: nothing is known of its arguments */
            n->function = NULL;
        else if (!n->function)
            return fail_at(p, "Unrecognized function", t->raw, t->offset);
        break;
    }
    default: /* TOK_NULL */
        break;
    }
    vec_push(&p->operands, n);
    return ERR_OK;
}

/* How tightly an operator binds; brackets and "," only stop the search for operands. */
static int precedence(enum expr_token_kind kind)
{
    switch (kind) {
    case TOK_GROUP:
        return 20;
    case TOK_INDEX:
    case TOK_CALL:
    case TOK_DOT:
        return 19;
    case TOK_NOT:
        return 16;
    case TOK_LT:
    case TOK_LE:
    case TOK_GT:
    case TOK_GE:
        return 11;
    case TOK_EQ:
    case TOK_NE:
        return 10;
    case TOK_AND:
        return 6;
    case TOK_OR:
        return 5;
    default:
        return 1;
    }
}

static enum expr_op operation(enum expr_token_kind kind)
{
    switch (kind) {
    case TOK_NOT:
        return EXPR_OP_NOT;
    case TOK_EQ:
        return EXPR_OP_EQ;
    case TOK_NE:
        return EXPR_OP_NE;
    case TOK_LT:
        return EXPR_OP_LT;
    case TOK_LE:
        return EXPR_OP_LE;
    case TOK_GT:
        return EXPR_OP_GT;
    case TOK_GE:
        return EXPR_OP_GE;
    case TOK_AND:
        return EXPR_OP_AND;
    case TOK_OR:
        return EXPR_OP_OR;
    default:
        return EXPR_OP_INDEX; /* "." and "[" */
    }
}

static struct pending *top(struct parser *p)
{
    return &p->operators.ptr[p->operators.len - 1];
}

/* Turns the operator on top and its operands into one operand. */
static void reduce(struct parser *p)
{
    struct pending op = p->operators.ptr[--p->operators.len];
    size_t n = op.kind == TOK_NOT ? 1 : 2, from = p->operands.len - n;
    struct expr_node *node = node_new(p, operation(op.kind), op.offset);

    for (size_t i = from; i < p->operands.len; i++)
        add_operand(node, p->operands.ptr[i]);
    p->operands.len = from;
    vec_push(&p->operands, node);
}

static int close_call(struct parser *p, bool empty)
{
    size_t n = !empty;

    while (top(p)->kind == TOK_COMMA) {
        n++;
        p->operators.len--;
    }
    p->operators.len--; /* the "(" */

    size_t from = p->operands.len - n;
    struct expr_node *call = p->operands.ptr[from - 1];
    for (size_t i = from; i < p->operands.len; i++)
        add_operand(call, p->operands.ptr[i]);
    p->operands.len = from;

    const struct expr_function *f = call->function;
    if (!f)
        return ERR_OK;
    if (n < f->min)
        return fail_at(p, "Too few parameters supplied", call->name, call->offset);
    if (n > f->max)
        return fail_at(p, "Too many parameters supplied", call->name, call->offset);
    if (f->odd && n % 2 == 0)
        return fail_at(p,
                       "Even number of parameters supplied, requires an odd number of parameters",
                       call->name, call->offset);
    return ERR_OK;
}

static int push_operator(struct parser *p, const struct expr_token *t, enum expr_token_kind before)
{
    if (t->kind != TOK_GROUP && t->kind != TOK_NOT) {
        while (p->operators.len) {
            enum expr_token_kind above = top(p)->kind;

            if (above == TOK_GROUP || above == TOK_INDEX || above == TOK_CALL ||
                above == TOK_COMMA || precedence(t->kind) > precedence(above))
                break;
            reduce(p);
        }
    }
    switch (t->kind) {
    case TOK_END_GROUP:
        p->operators.len--;
        return ERR_OK;
    case TOK_END_INDEX:
        reduce(p); /* the "[" and its two operands */
        return ERR_OK;
    case TOK_END_CALL:
        return close_call(p, before == TOK_CALL);
    default:
        vec_push(&p->operators, (struct pending){t->kind, t->offset});
        return ERR_OK;
    }
}

static bool is_operand(enum expr_token_kind kind)
{
    return kind >= TOK_STAR && kind <= TOK_NAME;
}

static bool is_operator(enum expr_token_kind kind)
{
    return kind == TOK_DOT || kind == TOK_COMMA || kind >= TOK_NOT || kind == TOK_GROUP ||
           kind == TOK_CALL || kind == TOK_INDEX;
}

static int parse(struct parser *p)
{
    struct expr_token t = {0}, last = {0};

    while (expr_lex(&p->lexer, &t)) {
        int r = t.kind == TOK_BAD    ? fail_at(p, "Unexpected symbol", t.raw, t.offset)
                : is_operand(t.kind) ? push_operand(p, &t)
                                     : push_operator(p, &t, last.kind);
        if (r < 0)
            return r;
        last = t;
    }
    if (last.kind == TOK_NONE)
        return ERR_OK;
    if (is_operator(last.kind) || p->lexer.open.len)
        return fail_at(p, "Unexpected end of expression", last.raw, last.offset);
    while (p->operators.len)
        reduce(p);
    if (p->operands.ptr[0]->height > EXPR_MAX_DEPTH)
        return fail(p, "Exceeded max expression depth 50");
    p->expr->root = p->operands.ptr[0];
    return ERR_OK;
}

int expr_parse(struct arena *a, struct slice text, const struct expr_place *place,
               const struct expr **ret, struct expr_error *error)
{
    CLEANUP(parser_deinit)
    struct parser p = {.arena = a, .place = place, .error = error};

    p.lexer.text = text;
    p.expr = ARENA_NEW(a, struct expr);
    p.expr->text = text;
    /* A UTF-16 unit takes at most three bytes: no need to count what is far over. */
    if (text.len > EXPR_MAX_LENGTH &&
        (text.len > 3 * (size_t)EXPR_MAX_LENGTH || utf_units(text) > EXPR_MAX_LENGTH))
        return fail(&p, "Exceeded max expression length 21000");
    int r = parse(&p);
    if (r < 0)
        return r;
    *ret = p.expr;
    return ERR_OK;
}

bool expr_is_empty(const struct expr *e)
{
    return !e->root;
}

bool expr_has_status_call(const struct expr *e)
{
    return e->status_call;
}

struct reference_search {
    void (*fn)(void *ctx, const struct slice *path, size_t n_path, size_t offset);
    void *ctx;
};

/* NODE is the end of a chain of look-ups like a.b['c'].d (or of none). */
static void each_reference(const struct reference_search *s, const struct expr_node *node)
{
    const struct expr_node *chain[EXPR_MAX_DEPTH];
    struct slice path[EXPR_MAX_DEPTH + 1];
    size_t n = 0, n_path = 0;

    for (; node->op == EXPR_OP_INDEX && n < EXPR_MAX_DEPTH; node = node->first)
        chain[n++] = node;
    if (node->op == EXPR_OP_NAME) {
        path[n_path++] = node->key;
        for (size_t i = n; i-- > 0;) {
            const struct expr_node *index = chain[i]->last;

            if (index->op != EXPR_OP_LITERAL || index->literal.kind != EXPR_STRING)
                break;
            path[n_path++] = index->literal.text;
        }
        s->fn(s->ctx, path, n_path, node->offset);
    } else {
        for (const struct expr_node *x = node->first; x; x = x->next)
            each_reference(s, x);
    }
    for (size_t i = n; i-- > 0;)
        each_reference(s, chain[i]->last);
}

void expr_each_reference(const struct expr *e,
                         void (*fn)(void *ctx, const struct slice *path, size_t n_path,
                                    size_t offset),
                         void *ctx)
{
    struct reference_search s = {fn, ctx};

    if (e->root)
        each_reference(&s, e->root);
}
