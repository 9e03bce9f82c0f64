/* values - what the runners of expression rows share: contexts out of JSON, results compared. */
#pragma once

#include "conformance.h"

#include "lang/expr/expr.h"

/* A scope over the object CONTEXTS, whose members are the contexts. NULL: none. */
struct json_scope {
    const json_t *contexts;
};
const json_t *json_scope_find(void *ctx, struct slice name);

/* Lower-cased names of CONTEXTS as an expr_place's list. */
const char *const *json_scope_names(struct arena *a, const json_t *contexts);

/* Evaluates TEXT as a row's expression with only CONTEXTS known, under the reference engine's default
 * memory limit. */
int row_evaluate(struct arena *a, struct slice text, const json_t *contexts, unsigned special,
                 struct expr_value *ret, struct expr_error *error);

/* A row with "expr", "contexts" and "result" or "err". */
void row_expression(struct file_run *run, const json_t *row);

/* A copy with numbers as documents have them, as the harness reads all as reals. New reference. */
json_t *whole_numbers(const json_t *json);
