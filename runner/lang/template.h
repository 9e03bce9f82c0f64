/* template - scalars with ${{ }} in them: found at read time, evaluated at run time. */
#pragma once

#include "base/strmap.h"
#include "base/vec.h"
#include "lang/expr/expr.h"
#include "lang/token.h"

/* The next ${{ }} of TEXT at or behind *AT, which moves behind it: its inside, trimmed (a part of TEXT).
 * False: there is none that is closed. */
bool template_next(struct slice text, size_t *at, struct slice *ret);

/* What the text of a scalar is: a literal, or one expression (mixed text becomes format('...', ...)).
 * *RET_EXPR has ptr NULL for a literal, which is then in *RET_LITERAL (a lone string literal in braces
 * is a literal too). Both may borrow TEXT. "insert" is an error here.
 *
 * ERR_INVALID: *ERROR has the first problem, which is all GitHub's service reports; its "next" leads to
 * those of further ${{ }}. Offsets are those in TEXT (0 for a problem of the whole). */
MUST_CHECK int template_compile(struct arena *a, struct slice text, const struct expr_place *place,
                                struct slice *ret_literal, struct slice *ret_expr,
                                struct expr_error *error);

/* The complete condition of an `if`: "" gives "success()", "x" gives "success() && (x)" unless a status
 * function is called in it. TEXT is the scalar as text (booleans and numbers already turned to text). */
MUST_CHECK int template_condition(struct arena *a, struct slice text,
                                  const struct expr_place *place, struct slice *ret,
                                  struct expr_error *error);

/* Evaluation. Errors are ERR_INVALID (ERR_LIMIT: a result over 10 MiB); the text begins with
 * "(Line: L, Col: C): " when the token has them, as GitHub writes it behind the file's name. Every
 * context and function is known: names were checked at read time. A NULL token gives the documented
 * empty value. */
struct template_eval {
    struct arena *arena; /* results live here */
    const struct expr_scope *scope;
    struct template_open *open; /* plans, with a scope that has open look-ups; else NULL */
    /* Called for each expression that was evaluated, but for plans; NULL: nobody looks. */
    void (*trace)(void *ctx, const struct expr_trace *trace);
    void *trace_ctx;
};

/* What came out open (lang/expr/partial.h): such a scalar becomes a text with marks, and where no text can be,
 * it counts as not given. */
struct template_open {
    VEC(const struct token *) tokens; /* in the order of evaluation; NULL for a condition */
    const char *mark;                 /* the first; NULL: all is known */
};
void template_open_deinit(struct template_open *o);
/* True if TOK itself came out open. */
bool template_is_open(const struct template_open *o, const struct token *tok);

/* The whole tree as JSON: sequences spliced, inserts merged. New reference, but it may share parts with
 * the scope's documents: do not change it. NULL token: JSON null. */
MUST_CHECK int template_json(const struct template_eval *t, const struct token *tok, json_t **ret,
                             struct err *err);
/* A scalar where a string is wanted. NULL token: the empty slice with ptr NULL. */
MUST_CHECK int template_string(const struct template_eval *t, const struct token *tok,
                               struct slice *ret, struct err *err);
/* Strict: a string result is an error. NULL token: FALLBACK. */
MUST_CHECK int template_bool(const struct template_eval *t, const struct token *tok, bool fallback,
                             bool *ret, struct err *err);
MUST_CHECK int template_number(const struct template_eval *t, const struct token *tok,
                               double fallback, double *ret, struct err *err);
/* A mapping of strings, added to RET in order. NULL or null token: nothing. On failure RET may have some
 * of the names. */
MUST_CHECK int template_map(const struct template_eval *t, const struct token *tok,
                            struct strmap *ret, struct err *err);
/* A complete condition (see template_condition), judged by truthiness. */
MUST_CHECK int template_test(const struct template_eval *t, struct slice condition, bool *ret,
                             struct err *err);
