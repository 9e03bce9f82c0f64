/* expr - the expression language of ${{ }} (shared semantics: GitHub's service).
 *
 * expr_parse() checks names and arity against what the place allows; expr_eval() cannot fail for
 * reasons of syntax. Values live in the arena that was passed to expr_eval(), or borrow from the
 * JSON documents of the scope, which must outlive them. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <jansson.h>

enum expr_kind { EXPR_NULL, EXPR_BOOL, EXPR_NUMBER, EXPR_STRING, EXPR_ARRAY, EXPR_OBJECT };

/* A value. Collections are opaque: they may wrap a json_t without copying it. */
struct expr_value {
    enum expr_kind kind;
    bool filtered; /* an array made by .* : further access applies to each element */
    bool cased;    /* an object whose keys compare with case: `env` on Linux */
    union {
        bool boolean;
        double number;
        struct slice text;                 /* UTF-8 */
        const struct expr_collection *own; /* built by the engine; json is NULL then */
    };
    const json_t *json; /* collection: the document it wraps, borrowed */
};

/* Which names a place knows. Functions beyond the general ones are named here too. */
enum expr_special {
    EXPR_FN_STATUS = 1 << 0,     /* always, success, failure, cancelled without arguments */
    EXPR_FN_JOB_STATUS = 1 << 1, /* the same, success and failure with any number of arguments */
    EXPR_FN_HASHFILES = 1 << 2,
    EXPR_FN_ANY =
        1 << 3, /* every name is a function: for checks of syntax alone. Evaluates to null */
};
struct expr_place {
    const char *const *contexts; /* NULL-terminated, lower case; NULL: every name is known */
    unsigned special;            /* enum expr_special */
};

/* Why a text is no expression, or why an evaluation failed; the message is whole, in the arena. */
struct expr_error {
    int position;  /* from 1, in UTF-16 units, as GitHub counts; 0: none (evaluation) */
    size_t offset; /* byte offset of the token in the text */
    struct slice
        message; /* "Unexpected symbol: '='. Located at position 3 within expression: a = b" */
    const struct expr_error *next; /* template_compile() only: a further one; NULL: none */
};

struct expr; /* a parsed expression; lives in its arena and borrows the text */

/* TEXT is what stands between the braces. PLACE NULL: every context, and every function there is.
 * An empty or blank text parses to an expression that is null. 0, or ERR_INVALID with *ERROR filled
 * in. */
MUST_CHECK int expr_parse(struct arena *a, struct slice text, const struct expr_place *place,
                          const struct expr **ret, struct expr_error *error);

/* True if there is nothing in it: an empty or blank text. */
bool expr_is_empty(const struct expr *e);

/* True if the tree calls success(), failure(), cancelled() or always() anywhere. */
bool expr_has_status_call(const struct expr *e);

/* The tree as GitHub prints it in logs: "(github.ref == 'x')". */
struct slice expr_text(struct arena *a, const struct expr *e);

/* Calls FN for each named value in the tree, with the constant path behind it where there is one
 * ("needs", "build", "outputs"): for checks and for plans. The first is in lower case, the others
 * are as written; OFFSET is where the name stands in the text, in bytes. */
void expr_each_reference(const struct expr *e,
                         void (*fn)(void *ctx, const struct slice *path, size_t n_path,
                                    size_t offset),
                         void *ctx);

/* Where evaluation finds values. Each callback gets CTX; any of them may be NULL. */
struct expr_scope {
    /* The context NAME (lower case) as JSON, borrowed for as long as the values live: the same pointer
     * each time, as collections are equal by identity. NULL: the context is null. "env" compares keys
     * with case when env_case is set. */
    const json_t *(*context)(void *ctx, struct slice name);
    /* always, success, failure, cancelled (lower case) with their evaluated string arguments. NULL: a
     * job in which all went well. */
    bool (*status)(void *ctx, struct slice name, const struct slice *args, size_t n_args);
    /* hashFiles: the hex digest in the arena, or an error. The first pattern may be the option
     * "--follow-symbolic-links", in lower case; it has been checked. */
    int (*hash_files)(void *ctx, struct arena *a, const struct slice *patterns, size_t n_patterns,
                      struct slice *ret, struct err *err);
    /* Plans only, see expr/partial.h; evaluation itself never asks. A mark, "‹known after job build›", if the
     * value at PATH, or one inside of it, is not there yet; NULL: it is. PATH is a context in lower case
     * with the members behind it as written, "*" for all of them; or one call: "success()" and its
     * like, or "hashfiles()" with those of its patterns that are literals. The mark lives as
     * long as the scope's documents. */
    const char *(*unknown)(void *ctx, const struct slice *path, size_t n_path);
    void *ctx;
    bool env_case;       /* Linux runners: keys of "env" are compared with case */
    size_t memory_limit; /* bytes by the estimate of the specification; 0: 10 MiB */
};

/* 0, or ERR_INVALID (ERR_LIMIT: memory) with *ERROR filled in. */
MUST_CHECK int expr_eval(const struct expr *e, const struct expr_scope *scope, struct arena *a,
                         struct expr_value *ret, struct expr_error *error);

/* What GitHub's debug log shows of an evaluation. */
struct expr_trace {
    struct slice expression; /* "Evaluating: ..." */
    struct slice expanded; /* "Expanded: ...": values filled in; empty: it would say nothing new */
    struct slice result;   /* "Result: ..." */
};
/* As expr_eval(); TRACE is filled in on success. Its texts may hold secrets: mask them. */
MUST_CHECK int expr_eval_traced(const struct expr *e, const struct expr_scope *scope,
                                struct arena *a, struct expr_value *ret, struct expr_trace *trace,
                                struct expr_error *error);

/* ---- values ---- */
bool expr_truthy(const struct expr_value *v);
double expr_number(const struct expr_value *v);
struct slice expr_string(struct arena *a, const struct expr_value *v); /* expressions.md 4.2 */
bool expr_equals(struct arena *a, const struct expr_value *x, const struct expr_value *y);
struct expr_value expr_from_json(const json_t *json); /* wraps, never copies */

/* The value as JSON, new reference. NaN and infinities, which JSON has not, become null. */
json_t *expr_to_json(struct arena *a, const struct expr_value *v);

/* The indented text of toJSON(). */
struct slice expr_json_text(struct arena *a, const struct expr_value *v);
/* The same on one line without spaces. */
struct slice expr_json_line(struct arena *a, const struct expr_value *v);

/* A number as text, "%.15G" with the specification's corners; NEGATIVE_ZERO prints -0 with its sign
 * (YAML number tokens do). */
struct slice expr_format_number(struct arena *a, double n, bool negative_zero);
/* A text as a number by expressions.md 4.1. */
double expr_parse_number(struct slice text);
