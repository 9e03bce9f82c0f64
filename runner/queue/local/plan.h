/* plan - the jobs of a local run and how they hang together; what the queue's parts share.
 *
 *   flow    one workflow: its contexts
 *   node    one job of it as written: its needs, and what it came to
 *   config  one job to run: a configuration of the node's matrix, or its only one
 *
 * A node waits until its needs are over, is then decided once (its `if`, its strategy), and is over
 * when all its configurations are. */
#pragma once

#include "base/mask.h"
#include "base/vec.h"
#include "lang/expr.h"
#include "queue/local/local.h"

struct flow {
    const struct workflow *workflow;
    const char *prefix; /* of keys: "" or "FILE/" */
    const char *title;  /* of names: "" or "NAME / " */
    json_t *github;     /* context without `job` */
    json_t *inputs;     /* typed */
};

enum config_state { CONFIG_QUEUED, CONFIG_RUNNING, CONFIG_OVER };

struct config {
    struct node *node;
    const char *key, *name;
    json_t *matrix, *strategy; /* contexts; owned */
    enum config_state state;
    enum queue_result result;
    bool has_result; /* the worker said job.finished */
    bool forgiven;   /* continue-on-error */
    bool stopping;   /* the caller was asked to stop it */
    json_t *outputs; /* owned; NULL: none */
    int64_t timeout_ms, cancel_timeout_ms;
};

enum node_state { NODE_WAITING, NODE_DECIDED, NODE_OVER };

struct node {
    const struct flow *flow;
    const struct workflow_job *def;
    struct node **needs; /* direct ones */
    size_t n_needs;
    bool chosen;
    enum node_state state;
    enum queue_result result; /* as dependents see it */
    json_t *outputs;          /* owned; merged of the configurations */
    struct config *configs;
    size_t n_configs;
    size_t max_parallel;
    bool fail_fast;
};

struct plan {
    struct arena arena;
    struct flow *flows;
    size_t n_flows;
    struct node *nodes; /* the chosen ones of all workflows, in file order; never moved */
    size_t n_nodes;
    size_t n_configs;
    json_t *vars;                     /* context */
    const struct token *env_override; /* a mapping; NULL: none */
    struct strmap secrets, variables, repositories;
    struct mask *mask;       /* of the secrets */
    struct local_pair *only; /* --matrix */
    bool *only_met;          /* a configuration had that value */
    size_t n_only;
    bool cancelled, hard;
};

/* Copies what it needs of SPEC, checks the choices, builds the graph. PLAN is zeroed storage, and to
 * be released even after an error. */
MUST_CHECK int plan_init(struct plan *p, const struct local_spec *spec, struct err *err);
void plan_deinit(struct plan *p);

/* The typed inputs of F, and github.event.inputs as text; see workflow-language.md 6.7. */
MUST_CHECK int plan_inputs(struct plan *p, struct flow *f, const struct local_spec *spec,
                           struct err *err);

/* ERR_INVALID for a --matrix that no chosen job's matrix can meet, as far as that can be told before
 * anything is evaluated. */
MUST_CHECK int plan_check_choices(struct plan *p, struct err *err);

/* ERR_UNSUPPORTED for what a chosen job asks for and this version does not run yet. */
MUST_CHECK int plan_refuse_unsupported(const struct plan *p, struct err *err);

/* All jobs that N depends on, directly or through others, each once; the array lives in A. */
const struct node **node_ancestors(const struct plan *p, const struct node *n, struct arena *a,
                                   size_t *ret_n);

/* ---- evaluation ---- */

/* Where expressions of a job find their values. */
struct place {
    const struct plan *plan;
    const struct node *node;
    const struct config *config; /* NULL: strategy and matrix are not there yet */
    json_t *needs;               /* owned */
};

void place_init(struct place *p, const struct plan *plan, const struct node *node,
                const struct config *config);
void place_deinit(struct place *p);
struct expr_scope place_scope(struct place *p);

/* The `if` of NODE, whose needs are over. */
MUST_CHECK int node_condition(const struct plan *p, const struct node *n, bool *ret,
                              struct err *err);
/* Why it is false, in plain words, in A. */
const char *node_why_not(const struct plan *p, const struct node *n, struct arena *a);

/* Makes NODE's configurations: strategy, names, limits. ERR_INVALID with GitHub's words when something
 * in it cannot be evaluated. None at all: --matrix left none. */
MUST_CHECK int node_expand(struct plan *p, struct node *n, struct err *err);

/* The job that a worker gets; the caller owns it. */
struct job *config_job(const struct plan *p, const struct config *c, const struct local_spec *how,
                       size_t number);
