/* plan - the jobs of a local run and how they hang together; what the queue's parts share.
 *
 *   outline  a workflow as written and what was chosen of it; a call has the outline of its inside. Made
 *            once, before anything is evaluated.
 *   flow     one going through an outline: its contexts and its nodes
 *   node     one job of it as written: its needs, and what it came to
 *   config   one configuration of the node's matrix, or its only one: a job to run, or a call with a
 *            flow of its own inside
 *
 * A node waits until its needs are over, is then decided once (its `if`, its strategy), and is over when
 * all its configurations are. A config that is a call is over when all nodes inside are; what is inside
 * sees nothing of the caller's jobs but the inputs and secrets it was given.
 *
 * The plan owns all of it: outlines and nodes lie in its arena and never move, what has JSON or secrets
 * in it is released by plan_deinit(). A flow inside a call is made when the call starts, because only
 * then its matrix and its inputs are known, and stays until the end. */
#pragma once

#include "base/mask.h"
#include "base/vec.h"
#include "lang/template.h"
#include "queue/local/local.h"
#include "queue/local/marks.h"

struct outline {
    const struct workflow *workflow;
    struct outline_job {
        const struct workflow_job *def;
        bool chosen;           /* by --job, itself or because a chosen one needs it */
        bool whole;            /* of a call: all that is inside, too */
        struct outline *inner; /* of a call; NULL: a job */
    } * jobs;                  /* in file order, as the workflow's */
};

/* What a `concurrency` says, evaluated (workflow-language.md 8.3). */
struct group {
    const char *name;     /* ignores case; NULL: no group */
    bool cancels, queues; /* cancel-in-progress; `queue: max` */
};

enum claim_state { CLAIM_NONE, CLAIM_WAITS, CLAIM_HOLDS };

/* A place in a group, which has one that holds it and those that wait; see turns.c. Without a group it is
 * had for the asking. */
struct claim {
    struct group group;
    enum claim_state state;
    bool yields;           /* it was asked to end, for another one */
    struct ticket *ticket; /* its place among the claims of other runs; NULL: none (groups.h) */
    struct config *config; /* whose it is: a job or a call */
    struct flow *flow;     /* or a workflow with all its jobs; the other is NULL */
};

struct flow {
    const struct outline *outline;
    const struct workflow *workflow; /* the outline's */
    struct config *call;             /* whose inside this is; NULL: the run named it */
    const char *prefix;              /* of keys: "", "FILE/" or "CALL/" */
    const char *title;               /* of names: "", "NAME / " or "CALL / " */
    json_t *github;                  /* context without `job`; the caller's within a call. Owned */
    json_t *inputs;                  /* typed; owned */
    json_t *about;                   /* of its file, for the job context; owned */
    struct strmap secrets;
    const char *stopped; /* why it was stopped: cancelled() holds inside; NULL: it goes on */
    struct marks marks;  /* forecast: of its inputs and secrets */
    struct claim claim;  /* the workflow's; nothing inside begins before it holds ... */
    bool barred;         /* ... or ever: it was cancelled while it waited */
    struct node *nodes;  /* the workflow's jobs, in file order */
    size_t n_nodes;
};

enum config_state { CONFIG_QUEUED, CONFIG_RUNNING, CONFIG_OVER };

struct config {
    struct node *node;
    const char *key, *name;
    json_t *matrix, *strategy; /* contexts; owned */
    struct flow *inner;        /* of a call that runs or ran; NULL: a job, or not started */
    enum config_state state;
    struct claim claim; /* it runs once this holds */
    enum queue_result result;
    bool has_result;         /* the worker said job.finished */
    bool forgiven;           /* continue-on-error */
    bool stopping;           /* the caller was asked to stop it */
    json_t *outputs;         /* owned; NULL: none */
    const char *environment; /* its name; NULL: none */
    int64_t timeout_ms, cancel_timeout_ms;
};

enum node_state { NODE_WAITING, NODE_DECIDED, NODE_OVER };

/* What a forecast says of a job. */
enum node_fate {
    FATE_RUNS,    /* unless something before it fails */
    FATE_SKIPPED, /* however the jobs before it end */
    FATE_RESCUES, /* only after a failure or a cancel */
    FATE_OPEN,    /* that depends on what is not known yet */
    FATE_FAILS    /* something in it cannot be evaluated */
};

struct node {
    const struct flow *flow;
    const struct workflow_job *def;
    const struct outline *inner; /* of a call; NULL: a job */
    struct node **needs;         /* direct ones */
    size_t n_needs;
    bool chosen;
    enum node_state state;
    enum queue_result result; /* as dependents see it */
    json_t *outputs;          /* owned; merged of the configurations */
    struct config *configs;
    size_t n_configs;
    size_t max_parallel;
    bool fail_fast;

    /* Of a forecast only. */
    enum node_fate fate;
    int stage;          /* from 0: one more than the last of what it needs */
    struct marks marks; /* what its expressions cannot know: needs, matrix, strategy */
    struct strmap open; /* outputs that are not known: their marks */
    const char
        *matrix_open; /* its matrix is not known, its one configuration stands for all; else NULL */
};

struct place;

struct plan {
    struct arena arena;
    struct outline **outlines;        /* of the workflows that the run named */
    VEC(struct flow *) flows;         /* theirs first, then those of calls as they start */
    size_t n_named;                   /* how many the run named */
    size_t n_configs;                 /* of all nodes that were decided */
    json_t *vars;                     /* context */
    const struct token *env_override; /* a mapping; NULL: none */
    struct strmap secrets, variables, repositories;
    struct mask *mask;       /* of all secrets, also those that calls make of others */
    struct local_pair *only; /* --matrix */
    bool *only_met;          /* a configuration had that value */
    size_t n_only;
    bool cancelled, hard;

    json_t *needs; /* of named workflows' jobs, from elsewhere; NULL: none */
    bool forge;    /* github has the names that Gitea and Forgejo give it, too */

    /* A forecast: what is not known at a place, see struct expr_scope; NULL: a run, which knows. */
    const char *(*unknown)(const struct place *at, const struct slice *path, size_t n_path);
    struct marks marks; /* of what every place sees */
    bool assume;        /* conditions: all goes well */
};

/* Every node there is so far: PLAN_EACH_NODE(n, p) { ... }. Flows may be added on the way. */
#define PLAN_EACH_NODE(n, p)                                                                       \
    for (size_t f_ = 0; f_ < (p)->flows.len; f_++)                                                 \
        for (struct node *n = (p)->flows.ptr[f_]->nodes;                                           \
             n < (p)->flows.ptr[f_]->nodes + (p)->flows.ptr[f_]->n_nodes; n++)

/* ---- building ---- */

/* Copies what it needs of SPEC, checks the choices, builds the graph.  PLAN is zeroed storage, and to
 * be released even after an error. */
MUST_CHECK int plan_init(struct plan *p, const struct local_spec *spec, struct err *err);
void plan_deinit(struct plan *p);

/* Adds a flow through OUTLINE with nodes and needs. CALL: the config it is inside of, whose github
 * context it gets; inputs and secrets are the caller's to set. */
struct flow *plan_add_flow(struct plan *p, const struct outline *outline, struct config *call);

/* The typed inputs of F, and github.event.inputs as text; see workflow-language.md 6.7. */
MUST_CHECK int plan_inputs(struct plan *p, struct flow *f, const struct local_spec *spec,
                           struct err *err);

/* The group of F's workflow, once its inputs are known. */
MUST_CHECK int flow_read_group(struct plan *p, struct flow *f, struct err *err);

/* ---- outlines ---- */

/* Of W and all it calls, nothing chosen yet; in A. */
struct outline *outline_new(struct arena *a, const struct workflow *w);
void outline_choose_all(struct outline *o);
/* Chooses the job that WORDS name, "id" or "call / id", with all it needs; false: there is none. */
bool outline_choose(struct outline *o, struct slice words);
/* The names outline_choose() knows, "a, deploy, deploy / b". */
void outline_names(const struct outline *o, struct buf *to);
/* How many of the chosen jobs are no calls. */
size_t outline_count(const struct outline *o);

/* ERR_INVALID for a --matrix that no chosen job's matrix can meet, as far as that can be told before
 * anything is evaluated. */
MUST_CHECK int plan_check_choices(struct plan *p, struct err *err);

/* ---- the graph ---- */

/* All jobs that N depends on, directly or through others, each once; the array lives in A. Those of a
 * caller are not among them. */
const struct node **node_ancestors(const struct node *n, struct arena *a, size_t *ret_n);

/* It is chosen and not decided yet, and all that it needs is over. */
bool node_is_ready(const struct node *n);

/* Is the run cancelled, or F, or a call that it is inside of? */
bool flow_is_cancelled(const struct plan *p, const struct flow *f);

/* All chosen nodes of F are over. */
bool flow_is_over(const struct flow *f);
/* What they came to together: failure over cancelled over success; nothing but skipped: skipped. */
enum queue_result flow_result(const struct flow *f);

/* ---- evaluation ---- */

/* Where expressions of a job find their values. */
struct place {
    struct template_open open; /* forecast: what came out open */
    const struct plan *plan;
    const struct flow *flow;
    const struct node *node;     /* NULL: none, for what belongs to the workflow */
    const struct config *config; /* NULL: strategy and matrix are not there yet */
    json_t *needs;               /* owned */
    json_t *secrets, *jobs;      /* contexts; owned; NULL: not there */
};

void place_init(struct place *p, const struct plan *plan, const struct node *node,
                const struct config *config);
void place_deinit(struct place *p);
struct expr_scope place_scope(struct place *p);
/* For evaluation at P by SCOPE, which place_scope() made; results live in A. */
struct template_eval place_eval(struct place *p, const struct expr_scope *scope, struct arena *a);

/* TOK, a `concurrency` (NULL: none), evaluated at PLACE; the name lives in A. ERR_INVALID with GitHub's
 * words, which begin with "(Line: L, Col: C): " when the token has them. */
MUST_CHECK int group_read(struct place *place, const struct token *tok, struct arena *a,
                          struct group *ret, struct err *err);

/* "Error when evaluating 'KEY' for job 'ID'. FILE ..." around what ERR holds; FILE NULL: the job's. */
int job_error(const struct node *n, const char *file, const char *key, struct err *err);

/* The `if` of NODE, whose needs are over. */
MUST_CHECK int node_condition(const struct plan *p, const struct node *n, bool *ret,
                              struct err *err);
/* Why it is false, in plain words, in A. */
const char *node_why_not(const struct plan *p, const struct node *n, struct arena *a);

/* Makes NODE's configurations: strategy, names, limits. ERR_INVALID with GitHub's words when something
 * in it cannot be evaluated. None at all: --matrix left none. */
MUST_CHECK int node_expand(struct plan *p, struct node *n, struct err *err);

/* The secrets context within F; new reference. */
json_t *flow_secrets(const struct flow *f);

/* ---- calls ---- */

/* Starts the call C: evaluates `with` and `secrets`, makes the flow inside. ERR_INVALID when a value is
 * not what the called workflow wants; there is no flow then. */
MUST_CHECK int call_open(struct plan *p, struct config *c, struct err *err);

/* The call C, whose inside is over: its result, and its outputs by on.workflow_call.outputs. An output
 * that holds a secret is left out; *RET_NOTE then says so, in the plan's arena (else NULL). */
MUST_CHECK int call_close(struct plan *p, struct config *c, const char **ret_note, struct err *err);

/* The job that a worker gets; the caller owns it. */
struct job *config_job(const struct plan *p, const struct config *c, const struct local_spec *how,
                       size_t number);
