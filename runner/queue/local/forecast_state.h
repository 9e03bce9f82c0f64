/* forecast_state - what the files of forecast.h share. */
#pragma once

#include "queue/local/forecast.h"
#include "queue/local/plan.h"

struct forecast {
    struct plan plan; /* the first member: a place leads to its plan */
    const struct forecast_spec *spec;
    VEC(json_t *) kept; /* owned: contexts that marks and places borrow */
    json_t *not_given;  /* {"secrets": [...], "vars": [...]}: asked for, and not there */
};

/* "‹known after job build›", in the plan's arena. */
const char *forecast_after(struct forecast *f, const char *what, const char *id);

/* TEXT with MARK for each mark in it, in A: to those outside it does not matter which step a job waits for. */
struct slice forecast_hide(struct arena *a, struct slice text, const char *mark);

/* JSON as long as the forecast lives; takes it. */
json_t *forecast_keep(struct forecast *f, json_t *take);

/* ---- values, forecast_values.c ---- */

/* Where something is evaluated: a scope, and an arena for what is made on the way. */
struct sight {
    struct forecast *f;
    struct arena *arena;
    const struct expr_scope *scope;
};

/* TEXT, or {"unknown": TEXT} when MARK says so and it shows. New reference. */
json_t *forecast_text_json(struct slice text, const char *mark);

/* TOK as JSON, each scalar that is not known as {"unknown": TEXT}; {"error": TEXT} for what cannot be
 * evaluated. NULL token: JSON null. New reference. */
json_t *forecast_value(const struct sight *s, const struct token *tok);

/* A scalar as text, in the sight's arena; what cannot be evaluated is as it was written. *RET_MARK (which may be
 * NULL) is NULL when all of it is known. */
struct slice forecast_text(const struct sight *s, const struct token *tok, const char **ret_mark);

/* KEY: VALUE in TO, unless VALUE is null. Takes VALUE. */
void forecast_put(json_t *to, const char *key, json_t *take_value);

struct judgement {
    enum node_fate fate;
    json_t *json; /* the "if" of the document; new reference */
};

/* CONDITION is complete (template_condition). */
struct judgement forecast_judge(const struct sight *s, struct slice condition);

/* "runs", "skipped", "after-failure", "unknown", "error" */
const char *forecast_fate_name(enum node_fate fate);

/* ---- jobs, forecast_steps.c ---- */

/* Adds env, steps and the environment's url of the job C to TO, and its outputs to C's node. PLACE is C's, with
 * its secrets. */
void forecast_job(struct forecast *f, struct config *c, struct place *place, json_t *to);
