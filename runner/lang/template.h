/* template - scalars with ${{ }} in them: found at read time, evaluated at run time. */
#pragma once

#include "base/strmap.h"
#include "lang/expr.h"
#include "lang/token.h"

/* What the text of a scalar is: a literal, or one expression (mixed text becomes format('...', ...)).
 * *RET_EXPR has ptr NULL for a literal, which is then in *RET_LITERAL (a lone string literal in braces
 * is a literal too). "insert" is recognised by the caller, who knows if it is a key. */
MUST_CHECK int template_compile(struct arena *a, struct slice text, const struct expr_place *place,
                                struct slice *ret_literal, struct slice *ret_expr,
                                struct expr_error *error);

/* The complete condition of an `if`: "" gives "success()", "x" gives "success() && (x)" unless a status
 * function is called in it. TEXT is the scalar as text (booleans and numbers already turned to text). */
MUST_CHECK int template_condition(struct arena *a, struct slice text,
                                  const struct expr_place *place, struct slice *ret,
                                  struct expr_error *error);

/* Evaluation. Errors are ERR_INVALID; the text names line and column when the token has them. PLACE may
 * be NULL: every context and function is known (it was checked at read time). A NULL token gives the
 * documented empty value. */
struct template_eval {
    struct arena *arena; /* results live here */
    const struct expr_scope *scope;
};

/* The whole tree as JSON: sequences spliced, inserts merged. New reference. NULL token: JSON null. */
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
/* A mapping of strings, added to RET in order. NULL token: nothing. */
MUST_CHECK int template_map(const struct template_eval *t, const struct token *tok,
                            struct strmap *ret, struct err *err);
/* A complete condition (see template_condition), judged by truthiness. */
MUST_CHECK int template_test(const struct template_eval *t, struct slice condition, bool *ret,
                             struct err *err);
