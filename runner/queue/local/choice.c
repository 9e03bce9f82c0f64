/* Does --matrix name anything that is there? A slip of the pen must not look like a green run. */
#include "queue/local/plan.h"

/* What can be told before the run: expressions may come to anything. */
static bool may_be(struct arena *a, const struct token *tok, const char *value)
{
    if (!tok || tok->kind == TOKEN_EXPR)
        return tok != NULL;
    if (tok->kind == TOKEN_SEQUENCE || tok->kind == TOKEN_MAPPING)
        return false;
    return slice_eq(token_text(a, tok), slice_of(value));
}

static bool vector_may_have(struct arena *a, const struct token *vector, const char *value)
{
    if (vector->kind != TOKEN_SEQUENCE)
        return vector->kind == TOKEN_EXPR;
    for (size_t i = 0; i < vector->n_items; i++)
        if (may_be(a, vector->items[i], value))
            return true;
    return false;
}

static bool include_may_have(struct arena *a, const struct token *include,
                             const struct local_pair *only)
{
    if (include->kind != TOKEN_SEQUENCE)
        return include->kind == TOKEN_EXPR;
    for (size_t i = 0; i < include->n_items; i++) {
        const struct token *one = include->items[i];

        if (one->kind == TOKEN_EXPR || may_be(a, token_find(one, only->name), only->value))
            return true;
    }
    return false;
}

static bool strategy_may_have(struct arena *a, const struct token *strategy,
                              const struct local_pair *only)
{
    const struct token *matrix = token_find(strategy, "matrix");

    if (strategy && strategy->kind == TOKEN_EXPR)
        return true;
    if (!matrix || matrix->kind != TOKEN_MAPPING)
        return matrix && matrix->kind == TOKEN_EXPR;
    for (size_t i = 0; i < matrix->n_pairs; i++) {
        struct slice key = token_text(a, matrix->pairs[i].key);
        const struct token *value = matrix->pairs[i].value;

        if (slice_eq(key, SLICE("include")) ? include_may_have(a, value, only)
                                            : slice_eq_nocase(key, slice_of(only->name)) &&
                                                  vector_may_have(a, value, only->value))
            return true;
    }
    return false;
}

static bool outline_may_have(struct arena *a, const struct outline *o,
                             const struct local_pair *only)
{
    for (size_t i = 0; i < o->workflow->n_jobs; i++) {
        const struct outline_job *j = &o->jobs[i];

        if (j->chosen && (strategy_may_have(a, j->def->strategy, only) ||
                          (j->inner && outline_may_have(a, j->inner, only))))
            return true;
    }
    return false;
}

int plan_check_choices(struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_only; i++) {
        bool there = false;

        for (size_t k = 0; k < p->n_named && !there; k++)
            there = outline_may_have(&p->arena, p->outlines[k], &p->only[i]);
        if (!there)
            return err_set(
                err, ERR_INVALID,
                "--matrix %s=%s: no job that would run has '%s' with that value in its matrix",
                p->only[i].name, p->only[i].value, p->only[i].name);
    }
    return ERR_OK;
}
