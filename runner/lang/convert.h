/* convert - from a typed tree to a model: what workflows and manifests of actions have in common. Only for
 * the files of workflow and action.
 *
 * The tree has passed its schema, so a place holds what the schema says or an expression. */
#pragma once

#include "lang/diag.h"
#include "lang/schema/schema.h"
#include "lang/step.h"

struct convert {
    struct arena *arena;
    struct diags *diags;
    const char *file;
    size_t errors_before; /* findings of others that were in DIAGS already */
    bool reader_only;     /* see struct workflow_options */
    bool forge;           /* see struct schema_options */
    size_t max_jobs;      /* 0: no limit */
    size_t *n_jobs;       /* so far, in all files */
    bool stopped;         /* a value has the wrong type: GitHub goes no further, nor do we */
};

/* An error at the place of AT. */
struct diag *convert_error(struct convert *c, const struct token *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The text of a key where none may be an expression; false after reporting that one is. PLACE as in
 * "concurrency key". */
MUST_CHECK bool convert_key(struct convert *c, const struct token *key, const char *place,
                            struct slice *ret);

bool convert_has_expr(const struct token *tok);                 /* in it or anywhere below */
bool convert_is(const struct token *tok, enum token_kind kind); /* false for NULL */

/* The text of a literal in the arena; NULL for NULL and expressions. */
const char *convert_text(struct convert *c, const struct token *tok);

/* The complete condition of an `if` (NULL: "success()"), where the names of CONTEXTS are known. */
const char *convert_condition(struct convert *c, const struct token *tok, unsigned contexts);

/* The steps of a job or of a composite action: ids made, conditions completed, references checked. */
void convert_steps(struct convert *c, const struct token *steps, unsigned if_contexts,
                   struct step **ret, size_t *ret_n);
