#include "lang/expr/lex.h"
#include "lang/expr/tree.h"

static void add_text(struct buf *to, struct slice s)
{
    struct slice part;

    buf_add_char(to, '\'');
    for (bool first = true; slice_split(&s, '\'', &part); first = false) {
        if (!first)
            buf_add_str(to, "''");
        buf_add(to, part);
    }
    buf_add_char(to, '\'');
}

void expr_print_value(struct buf *to, const struct expr_value *v)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;

    if (v->kind == EXPR_STRING)
        add_text(to, v->text.ptr ? v->text : SLICE(""));
    else if (v->kind == EXPR_NULL)
        buf_add_str(to, "null");
    else
        buf_add(to, expr_string(&scratch, v));
}

static void print_operands(struct buf *to, const struct expr_node *node, const char *between,
                           const struct slice *traced)
{
    buf_add_char(to, '(');
    for (const struct expr_node *x = node->first; x; x = x->next) {
        expr_print(to, x, traced);
        if (x->next)
            buf_add_str(to, between);
    }
    buf_add_char(to, ')');
}

static void print_index(struct buf *to, const struct expr_node *node, const struct slice *traced)
{
    const struct expr_node *index = node->last;

    expr_print(to, node->first, traced);
    if (index->op == EXPR_OP_STAR) {
        buf_add_str(to, ".*");
    } else if (index->op == EXPR_OP_LITERAL && index->literal.kind == EXPR_STRING &&
               expr_is_keyword(index->literal.text)) {
        buf_add_char(to, '.');
        buf_add(to, index->literal.text);
    } else {
        buf_add_char(to, '[');
        expr_print(to, index, traced);
        buf_add_char(to, ']');
    }
}

void expr_print(struct buf *to, const struct expr_node *node, const struct slice *traced)
{
    static const char *const between[] = {
        [EXPR_OP_AND] = " && ", [EXPR_OP_OR] = " || ", [EXPR_OP_EQ] = " == ",
        [EXPR_OP_NE] = " != ",  [EXPR_OP_LT] = " < ",  [EXPR_OP_LE] = " <= ",
        [EXPR_OP_GT] = " > ",   [EXPR_OP_GE] = " >= "};

    if (traced && traced[node->id].ptr) {
        buf_add(to, traced[node->id]);
        return;
    }
    switch (node->op) {
    case EXPR_OP_LITERAL:
        expr_print_value(to, &node->literal);
        break;
    case EXPR_OP_STAR:
        buf_add_char(to, '*');
        break;
    case EXPR_OP_NAME:
        buf_add(to, node->name);
        break;
    case EXPR_OP_CALL:
        buf_add(to, node->name);
        print_operands(to, node, ", ", traced);
        break;
    case EXPR_OP_INDEX:
        print_index(to, node, traced);
        break;
    case EXPR_OP_NOT:
        buf_add_char(to, '!');
        expr_print(to, node->first, traced);
        break;
    default:
        print_operands(to, node, between[node->op], traced);
    }
}
