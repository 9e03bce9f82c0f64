/* partial - what an expression comes to while some of the values it asks for are not there yet: for plans.
 *
 * The scope tells which look-ups are open (struct expr_scope, `unknown`). What does not depend on them is
 * evaluated as always; && || ! and case() decide whatever can be decided without them; format() keeps
 * the text around them; everything else that one of them goes into is open itself. */
#pragma once

#include "lang/expr/expr.h"

enum expr_truth { EXPR_OPEN, EXPR_FALSE, EXPR_TRUE };

struct expr_partial {
    bool known;
    struct expr_value
        value;             /* known: the value. Else: a text in which marks stand for what is open,
                                    "app:‹known after job build›" */
    enum expr_truth truth; /* as a condition; may be decided although the value is open */
    const char *mark;      /* the first mark that it depends on; NULL: known */
};

/* As expr_eval(), with a scope that may have open look-ups. */
MUST_CHECK int expr_partial(const struct expr *e, const struct expr_scope *scope, struct arena *a,
                            struct expr_partial *ret, struct expr_error *error);

/* What the expression looks at: calls FN for each look-up, and each call of success() and the like or of
 * hashFiles(), with its text ("needs.build.result") and what it is. The same text is told once. In the
 * order of reading; what cannot be evaluated is left out. */
typedef void expr_saw_fn(void *ctx, struct slice text, const struct expr_partial *what);
void expr_each_seen(const struct expr *e, const struct expr_scope *scope, struct arena *a,
                    expr_saw_fn *fn, void *ctx);
