/* tree - what the modules of the expression engine share: the tree and its evaluation. Private to
 * lang/expr/. */
#pragma once

#include "base/buf.h"
#include "lang/expr/expr.h"
#include "lang/utf.h"

enum {
    EXPR_MAX_LENGTH = 21000, /* UTF-16 units */
    EXPR_MAX_DEPTH = 50,
    EXPR_MAX_ARGS = 255,
    EXPR_JSON_DEPTH = 64, /* of fromJSON's reader (Newtonsoft.Json 13) */
    EXPR_MEMORY_LIMIT = 10 * 1024 * 1024,
    EXPR_TRACE_LIMIT = 1024 * 1024, /* bytes of values shown in one trace */
};

enum expr_op {
    EXPR_OP_LITERAL,
    EXPR_OP_STAR,
    EXPR_OP_NAME,
    EXPR_OP_CALL,
    EXPR_OP_INDEX, /* a.b, a[b], a.*, a[*] */
    EXPR_OP_NOT,
    EXPR_OP_AND,
    EXPR_OP_OR,
    EXPR_OP_EQ,
    EXPR_OP_NE,
    EXPR_OP_LT,
    EXPR_OP_LE,
    EXPR_OP_GT,
    EXPR_OP_GE,
};

struct expr_function;

/* Operands are a list, so that chains of && and || merge without copying. */
struct expr_node {
    enum expr_op op;
    int height;                            /* 1: a leaf */
    struct expr_node *first, *last, *next; /* operands, and the next one of the parent's */
    size_t n;                              /* operands */
    unsigned id;                           /* from 0, in the order of reading */
    size_t offset;                         /* in the text */
    struct slice name;                     /* NAME and CALL: as written */
    struct slice key;                      /* NAME and CALL: lower case */
    const struct expr_function *function;  /* CALL; NULL: an unknown one (EXPR_FN_ANY) */
    struct expr_value literal;             /* LITERAL */
};

struct expr {
    struct slice text;
    const struct expr_node *root; /* NULL: blank */
    unsigned n_nodes;
    bool status_call;
};

/* ---- collections the engine builds: filtered arrays, results of fromJSON ---- */

struct expr_collection {
    size_t n;
    const struct expr_value *values;
    const struct slice *keys; /* objects */
    uint32_t *index;          /* open addressing by utf_hash_nocase, item + 1; NULL: few keys */
    size_t index_cap;         /* a power of two */
};

size_t expr_length(const struct expr_value *v); /* of a collection */
/* Calls FN for each element; the key is empty for arrays. FN returns false to stop. */
typedef bool expr_each_fn(void *ctx, struct slice key, const struct expr_value *v);
bool expr_each(const struct expr_value *v, expr_each_fn *fn, void *ctx);
struct expr_value expr_at(const struct expr_value *v, size_t i); /* of an array; I is inside */

/* Builds a collection of N values (copied); KEYS NULL: an array. Of equal keys (ignoring case) the
 * later value wins, at the place and with the spelling of the first. */
struct expr_value expr_collect(struct arena *a, const struct expr_value *values,
                               const struct slice *keys, size_t n);

static inline bool expr_is_primitive(const struct expr_value *v)
{
    return v->kind < EXPR_ARRAY;
}

static inline struct expr_value expr_bool(bool b)
{
    return (struct expr_value){.kind = EXPR_BOOL, .boolean = b};
}

static inline struct expr_value expr_text_value(struct slice s)
{
    return (struct expr_value){.kind = EXPR_STRING, .text = s};
}

const char *expr_kind_name(enum expr_kind kind);

/* -1, 0, 1, or 2 when the two have no order (expressions.md 5). */
int expr_compare(const struct expr_value *x, const struct expr_value *y);

/* The parts as one text in the arena. */
struct slice expr_concat(struct arena *a, const struct slice *parts, size_t n);

/* ---- texts under the memory limit ---- */

/* Grows a text while counting what GitHub counts: 26 + 2 for each UTF-16 unit of a piece. */
struct expr_writer {
    struct buf *to;
    size_t cost, limit;
};
bool expr_write(struct expr_writer *w, struct slice s); /* false: over the limit, nothing added */

/* The text of toJSON; INDENT or one line. False: over the limit. */
bool expr_write_json(struct expr_writer *w, struct arena *scratch, const struct expr_value *v,
                     bool indent);

/* The lenient reader of fromJSON. 0, or ERR_INVALID. */
MUST_CHECK int expr_read_json(struct arena *a, struct slice text, struct expr_value *ret);

/* ---- evaluation ---- */

/* Look-ups of keys that are not there as spelled: the second one in an object builds an index. */
struct expr_lookup {
    const json_t *object;
    const struct expr_collection *index; /* NULL: missed once so far */
    struct expr_lookup *next;
};

struct expr_evaluation {
    const struct expr *expr;
    const struct expr_scope *scope;
    struct arena *arena;
    struct expr_error *error;
    size_t limit, used;
    size_t used_at[EXPR_MAX_DEPTH + 1]; /* by depth */
    int deepest;
    struct expr_lookup *lookups;
    struct slice *traced; /* by node id; NULL: no trace */
    size_t traced_size;   /* of all of them */
};

/* Evaluates NODE at DEPTH (the root's is 0). 0 or negative with the evaluation's error set. */
MUST_CHECK int expr_eval_node(struct expr_evaluation *ev, const struct expr_node *node, int depth,
                              struct expr_value *ret);
/* Operand AT (from 0) of NODE, which is at DEPTH. */
MUST_CHECK int expr_eval_operand(struct expr_evaluation *ev, const struct expr_node *node,
                                 size_t at, int depth, struct expr_value *ret);
/* Sets the error: WHAT, then SUBJECT. Returns ERR_INVALID. */
int expr_fail(struct expr_evaluation *ev, const char *what, struct slice subject);
/* "The maximum allowed memory size was exceeded ...: NODE". Returns ERR_LIMIT. */
int expr_fail_memory(struct expr_evaluation *ev, const struct expr_node *node);

/* The value of KEY in an object. */
bool expr_find(struct expr_evaluation *ev, const struct expr_value *object, struct slice key,
               struct expr_value *ret);

/* ---- functions ---- */

typedef int expr_function_fn(struct expr_evaluation *ev, const struct expr_node *call, int depth,
                             struct expr_value *ret);
struct expr_function {
    const char *name; /* lower case */
    size_t min, max;
    unsigned special; /* where it is known; 0: everywhere */
    bool status, odd, expands;
    expr_function_fn *eval;
};
/* NULL: there is none of this name here. NAME in lower case. */
const struct expr_function *expr_function_find(struct slice name, unsigned special);

/* ---- printing ---- */

/* NODE as GitHub prints it; TRACED (by node id) replaces what was evaluated, NULL: nothing. */
void expr_print(struct buf *to, const struct expr_node *node, const struct slice *traced);
void expr_print_value(struct buf *to, const struct expr_value *v);
