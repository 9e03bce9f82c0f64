#include "lang/expr/partial.h"

#include "lang/expr/tree.h"

enum { PATH_MAX_PARTS = 16 }; /* deeper members count as the whole above them */

static const char *mark_of(const struct expr_evaluation *ev, const struct expr_node *node);

/* ---- which look-ups are open ---- */

static const char *ask(const struct expr_evaluation *ev, const struct slice *path, size_t n)
{
    const struct expr_scope *s = ev->scope;

    return s->unknown ? s->unknown(s->ctx, path, n) : NULL;
}

/* The constant part of a look-up that begins with a name: its length. */
static size_t path_of(const struct expr_node *node, struct slice path[PATH_MAX_PARTS])
{
    size_t n;

    if (node->op == EXPR_OP_NAME) {
        path[0] = node->key;
        return 1;
    }
    if (node->op != EXPR_OP_INDEX || !(n = path_of(node->first, path)))
        return 0;
    if (n == PATH_MAX_PARTS || (n > 1 && !path[n - 1].ptr)) /* it ended before */
        return n;
    if (node->last->op == EXPR_OP_STAR)
        path[n] = SLICE("*");
    else if (node->last->op == EXPR_OP_LITERAL && node->last->literal.kind == EXPR_STRING)
        path[n] = node->last->literal.text;
    else
        path[n] = slice_make(NULL, 0); /* by a number, or by what only evaluation tells */
    return n + 1;
}

static const char *mark_of_lookup(const struct expr_evaluation *ev, const struct expr_node *node)
{
    struct slice path[PATH_MAX_PARTS];
    size_t n = path_of(node, path);
    const char *mark;

    if (!n) { /* into what a function gave */
        mark = mark_of(ev, node->first);
    } else {
        n -= n > 1 && !path[n - 1].ptr;
        mark = ask(ev, path, n);
    }
    for (; !mark && node->op == EXPR_OP_INDEX; node = node->first)
        if (node->last->op != EXPR_OP_STAR && node->last->op != EXPR_OP_LITERAL)
            mark = mark_of(ev, node->last);
    return mark;
}

static bool is_moment(const struct expr_node *call)
{
    return call->function && (call->function->status || slice_eq(call->key, SLICE("hashfiles")));
}

/* success() and the like, hashFiles(): of the moment, not of any value. */
static const char *mark_of_moment(const struct expr_evaluation *ev, const struct expr_node *call)
{
    struct slice path[PATH_MAX_PARTS] = {
        slice_of(arena_printf(ev->arena, "%.*s()", SLICE_ARG(call->key)))};
    size_t n = 1;

    for (const struct expr_node *x = call->first; x && n < PATH_MAX_PARTS; x = x->next)
        if (x->op == EXPR_OP_LITERAL && x->literal.kind == EXPR_STRING)
            path[n++] = x->literal.text;
    return ask(ev, path, n);
}

/* The first mark in NODE; NULL: all of it is known. */
static const char *mark_of(const struct expr_evaluation *ev, const struct expr_node *node)
{
    const char *mark = NULL;

    if (node->op == EXPR_OP_NAME || node->op == EXPR_OP_INDEX)
        return mark_of_lookup(ev, node);
    if (node->op == EXPR_OP_CALL && is_moment(node))
        mark = mark_of_moment(ev, node);
    for (const struct expr_node *x = node->first; x && !mark; x = x->next)
        mark = mark_of(ev, x);
    return mark;
}

/* ---- evaluation ---- */

static struct expr_partial known(struct expr_value v)
{
    return (struct expr_partial){
        .known = true, .value = v, .truth = expr_truthy(&v) ? EXPR_TRUE : EXPR_FALSE};
}

static struct expr_partial open_as(const char *mark, struct slice text, enum expr_truth truth)
{
    return (struct expr_partial){.value = expr_text_value(text), .truth = truth, .mark = mark};
}

static struct expr_partial open_(const char *mark, enum expr_truth truth)
{
    return open_as(mark, slice_of(mark), truth);
}

static int partial(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                   struct expr_partial *ret);

static int partial_not(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                       struct expr_partial *ret)
{
    struct expr_partial x;
    int r = partial(ev, node->first, depth + 1, &x);

    if (r < 0)
        return r;
    *ret =
        x.truth == EXPR_OPEN ? open_(x.mark, EXPR_OPEN) : known(expr_bool(x.truth == EXPR_FALSE));
    return ERR_OK;
}

/* The value is that of the first operand which decides. One that is open may be it or not, but a later one
 * can still tell how the whole ends as a condition. */
static int partial_logical(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                           struct expr_partial *ret)
{
    enum expr_truth deciding = node->op == EXPR_OP_OR ? EXPR_TRUE : EXPR_FALSE;
    const char *mark = NULL;
    bool open = false;

    for (const struct expr_node *x = node->first; x; x = x->next) {
        struct expr_partial one;
        int r = partial(ev, x, depth + 1, &one);

        if (r < 0)
            return r;
        if (!mark)
            mark = one.mark;
        if (one.truth == deciding || !x->next) {
            bool last_says = one.truth != EXPR_OPEN && (one.truth == deciding || !open);
            *ret = !open ? one : open_(mark, last_says ? one.truth : EXPR_OPEN);
            return ERR_OK;
        }
        open = open || one.truth == EXPR_OPEN;
    }
    BUG("an operator without operands");
}

/* format() keeps what is known: the marks go in as texts. */
static int partial_format(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                          struct expr_partial *ret)
{
    struct expr_node with_texts = *call;
    struct expr_node *args = arena_array(ev->arena, call->n, sizeof *args);
    const char *mark = NULL;
    size_t n = 0;
    struct expr_value v;

    for (const struct expr_node *x = call->first; x; x = x->next, n++) {
        struct expr_partial one;
        int r = partial(ev, x, depth + 1, &one);

        if (r < 0)
            return r;
        if (one.mark && n == 0) { /* not even the pattern is known */
            *ret = open_(one.mark, EXPR_OPEN);
            return ERR_OK;
        }
        mark = mark ? mark : one.mark;
        args[n] = *x;
        args[n].op = EXPR_OP_LITERAL;
        args[n].first = args[n].last = NULL;
        args[n].literal = one.value;
        args[n].next = n + 1 < call->n ? &args[n + 1] : NULL;
    }
    with_texts.first = args;
    with_texts.last = &args[n - 1];
    int r = expr_eval_node(ev, &with_texts, depth, &v);
    if (r < 0)
        return r;
    *ret = mark ? open_as(mark, v.text, EXPR_OPEN) : known(v);
    return ERR_OK;
}

/* case(test, value, test, value, otherwise) */
static int partial_case(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                        struct expr_partial *ret)
{
    for (const struct expr_node *x = call->first; x; x = x->next->next) {
        struct expr_partial test;
        int r = partial(ev, x, depth + 1, &test);

        if (r < 0 || !x->next) { /* the last one is the value for when none fits */
            *ret = test;
            return r;
        }
        if (test.mark) {
            *ret = open_(test.mark, EXPR_OPEN);
            return ERR_OK;
        }
        if (test.truth == EXPR_TRUE)
            return partial(ev, x->next, depth + 1, ret);
    }
    BUG("case() has an odd number of arguments");
}

static int partial(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                   struct expr_partial *ret)
{
    const char *mark = mark_of(ev, node);
    struct expr_value v;

    if (!mark) {
        int r = expr_eval_node(ev, node, depth, &v);

        if (r == ERR_OK)
            *ret = known(v);
        return r;
    }
    switch (node->op) {
    case EXPR_OP_NOT:
        return partial_not(ev, node, depth, ret);
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        return partial_logical(ev, node, depth, ret);
    case EXPR_OP_CALL:
        if (slice_eq(node->key, SLICE("format")))
            return partial_format(ev, node, depth, ret);
        if (slice_eq(node->key, SLICE("case")))
            return partial_case(ev, node, depth, ret);
        break;
    default:
        break;
    }
    *ret = open_(mark, EXPR_OPEN);
    return ERR_OK;
}

static struct expr_evaluation begin(const struct expr *e, const struct expr_scope *scope,
                                    struct arena *a, struct expr_error *error)
{
    return (struct expr_evaluation){
        .expr = e,
        .scope = scope,
        .arena = a,
        .error = error,
        .limit = scope->memory_limit ? scope->memory_limit : EXPR_MEMORY_LIMIT,
        .deepest = -1,
    };
}

int expr_partial(const struct expr *e, const struct expr_scope *scope, struct arena *a,
                 struct expr_partial *ret, struct expr_error *error)
{
    struct expr_evaluation ev = begin(e, scope, a, error);

    if (e->root)
        return partial(&ev, e->root, 0, ret);
    *ret = known((struct expr_value){.kind = EXPR_NULL});
    return ERR_OK;
}

/* ---- what was looked at ---- */

struct seen {
    const struct expr *e;
    const struct expr_scope *scope;
    struct arena *arena;
    expr_saw_fn *fn;
    void *ctx;
    struct seen_text {
        struct slice text;
        struct seen_text *next;
    } * texts;
};

static void saw(struct seen *s, const struct expr_node *node)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(EXPR_MAX_LENGTH * 4);
    struct expr_error ignored;
    struct expr_evaluation ev = begin(s->e, s->scope, s->arena, &ignored);
    struct expr_partial what;
    struct seen_text *one;

    expr_print(&text, node, NULL);
    for (one = s->texts; one; one = one->next)
        if (slice_eq(one->text, buf_slice(&text)))
            return;
    one = ARENA_NEW(s->arena, struct seen_text);
    *one = (struct seen_text){arena_dup(s->arena, buf_slice(&text)), s->texts};
    s->texts = one;
    if (partial(&ev, node, 0, &what) == ERR_OK)
        s->fn(s->ctx, one->text, &what);
}

static void look_for(struct seen *s, const struct expr_node *node)
{
    struct slice path[PATH_MAX_PARTS];
    bool lookup = (node->op == EXPR_OP_NAME || node->op == EXPR_OP_INDEX) && path_of(node, path);

    if (lookup || (node->op == EXPR_OP_CALL && is_moment(node))) {
        saw(s, node);
        return;
    }
    for (const struct expr_node *x = node->first; x; x = x->next)
        look_for(s, x);
}

void expr_each_seen(const struct expr *e, const struct expr_scope *scope, struct arena *a,
                    expr_saw_fn *fn, void *ctx)
{
    struct seen s = {.e = e, .scope = scope, .arena = a, .fn = fn, .ctx = ctx};

    if (e->root)
        look_for(&s, e->root);
}
