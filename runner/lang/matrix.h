/* matrix - the configurations of a job's strategy (workflow-language.md 10). */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>

enum {
    MATRIX_CONFIGS_MAX = 256, /* of one job */
    MATRIX_NAME_MAX = 100,    /* characters of a display name; a longer one ends in "..." */
    MATRIX_WORK_MAX =
        5 * 1000 * 1000, /* combinations times vectors and filters that are looked at */
};

struct matrix_config {
    json_t *matrix;     /* the matrix context, owned by the matrix; JSON null without one */
    const char *suffix; /* display: "a, b" for "NAME (a, b)"; "" when nothing is shown */
    const char *id;     /* "_10", "job" */
};

struct matrix {
    struct arena arena;
    struct matrix_config *configs; /* at least one */
    size_t n_configs;
    bool fail_fast;
    int max_parallel; /* n_configs when not limited */
};

/* Expands an evaluated `strategy` (JSON null or a mapping). ERR_INVALID or ERR_LIMIT with GitHub's text.
 * *RET is the caller's: matrix_deinit(). */
MUST_CHECK int matrix_expand(const json_t *strategy, const char *job_id, struct matrix *ret,
                             struct err *err);
void matrix_deinit(struct matrix *m);

/* "NAME (suffix)" cut to 100 characters as GitHub does. HAS_EXPRESSION: NAME came from an expression
 * and stands alone, unless it is empty. */
char *matrix_job_name(struct arena *a, const char *name, bool has_expression, const char *job_id,
                      const struct matrix_config *config);
