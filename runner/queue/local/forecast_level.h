/* forecast_level - one list of steps in a forecast: what its expressions see before any step has run. */
#pragma once

#include "queue/local/forecast_state.h"

/* One list of steps: the job's own, or those of a composite action. */
struct level {
    struct forecast *f;
    struct place *place;
    struct expr_scope outside; /* the place's, for all that steps do not change */
    struct expr_scope scope;   /* this level's */
    struct level *outer;       /* NULL: the job's own steps */
    struct arena *arena;
    json_t *github, *runner, *job; /* contexts; owned by the job's level */
    json_t *env;                   /* what is set for all steps so far; owned */
    json_t *own_env;               /* what the step at hand sets for itself; owned; NULL: nothing */
    json_t *env_context;           /* both; owned; NULL: not made yet */
    json_t *steps;                 /* context; owned */
    json_t *inputs;                /* of a composite; owned; NULL: the job's */
    struct marks marks, own_marks; /* own: of own_env */
    const char *last;              /* "‹known after step 2›"; NULL: none has begun */
    int number, depth;
    bool env_marked;
};

void level_deinit(struct level *l);

/* Makes the scopes, once the other members are set. */
void level_open(struct level *l);

struct sight level_sight(struct level *l);

/* env as expressions see it: what is set for all steps, and by the step at hand. */
const json_t *level_env(struct level *l);
/* It has changed. */
void level_env_changed(struct level *l);

/* The pairs of TOK, evaluated at L, into TO and MARKS, and as shown into SHOWN. */
void level_add_env(struct level *l, const struct token *tok, json_t *to, struct marks *marks,
                   json_t *shown);

/* From now on any variable that nobody has set may come from a step that has run. */
void level_mark_env(struct level *l);

/* "build", the step's id, or "3" when it has none. */
const char *level_step_label(struct level *l, const struct step *def);

/* ---- forecast_uses.c ---- */

/* What `uses` of DEF comes to, into TO. *RET_OUTPUTS (a new reference) and RET_OPEN become the outputs, known and
 * not, of an action that says all it has; *RET_OUTPUTS stays NULL when anything may come. */
void forecast_uses(struct level *l, const struct step *def, enum node_fate fate, json_t *to,
                   json_t **ret_outputs, struct strmap *ret_open);

/* ---- forecast_steps.c ---- */

void forecast_steps(struct level *l, const struct step *steps, size_t n, json_t *to);
