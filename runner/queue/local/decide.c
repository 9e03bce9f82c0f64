/* Whether a job runs, why not, and as which configurations. */
#include "queue/local/plan.h"

#include "lang/expr/explain.h"
#include "lang/matrix.h"

#include <inttypes.h>
#include <strings.h>

enum {
    MINUTE_MS = 60000,
    TIMEOUT_MINUTES = 360,
    CANCEL_TIMEOUT_MINUTES = 5,
    MINUTES_MAX = 525600, /* a year: beyond it milliseconds need no care */
    NAME_MAX_CHARS = 100,
};

/* ---- where expressions find their values ---- */

void place_init(struct place *p, const struct plan *plan, const struct node *node,
                const struct config *config)
{
    *p = (struct place){
        .plan = plan, .flow = node->flow, .node = node, .config = config, .needs = json_object()};
    for (size_t i = 0; i < node->n_needs; i++) {
        const struct node *n = node->needs[i];
        json_t *one = json_pack("{s:s}", "result", queue_result_name(n->result));

        json_object_set_new(one, "outputs", n->outputs ? json_incref(n->outputs) : json_object());
        json_object_set_new(p->needs, n->def->id, one);
    }
    if (plan->needs && !node->flow->call)
        json_object_update_missing(p->needs, plan->needs);
}

void place_deinit(struct place *p)
{
    template_open_deinit(&p->open);
    json_decref(p->needs);
    json_decref(p->secrets);
    json_decref(p->jobs);
}

static const json_t *context(void *ctx, struct slice name)
{
    const struct place *p = ctx;
    const struct {
        struct slice name;
        const json_t *value;
    } known[] = {
        {SLICE("github"), p->flow->github},
        {SLICE("inputs"), p->flow->inputs},
        {SLICE("vars"), p->plan->vars},
        {SLICE("needs"), p->needs},
        {SLICE("strategy"), p->config ? p->config->strategy : NULL},
        {SLICE("matrix"), p->config ? p->config->matrix : NULL},
        {SLICE("secrets"), p->secrets},
        {SLICE("jobs"), p->jobs},
    };

    static const struct slice forge_names[] = {SLICE_INIT("gitea"), SLICE_INIT("forgejo"),
                                               SLICE_INIT("forge")};

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_eq_nocase(known[i].name, name))
            return known[i].value;
    }
    for (size_t i = 0; p->plan->forge && i < COUNT_OF(forge_names); i++)
        if (slice_eq_nocase(forge_names[i], name))
            return p->flow->github;
    return NULL;
}

/* True if every (ALL) or one of the jobs that the place's job depends on, directly or not, ended as
 * RESULT. */
static bool ancestors(const struct place *p, enum queue_result result, bool all)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    size_t n;
    const struct node **list = node_ancestors(p->node, &a, &n);

    for (size_t i = 0; i < n; i++) {
        if ((list[i]->result == result) != all)
            return !all;
    }
    return all;
}

static bool named(const struct node *n, enum queue_result result, bool all,
                  const struct slice *args, size_t n_args)
{
    for (size_t i = 0; i < n_args; i++) {
        bool is = false;

        for (size_t k = 0; k < n->n_needs; k++) {
            if (slice_eq_nocase(slice_of(n->needs[k]->def->id), args[i]))
                is = n->needs[k]->result == result;
        }
        if (is != all)
            return !all;
    }
    return all;
}

static bool status(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    const struct place *p = ctx;
    bool cancelled = flow_is_cancelled(p->plan, p->flow);

    if (slice_eq_nocase(name, SLICE("always")))
        return true;
    if (slice_eq_nocase(name, SLICE("cancelled")))
        return cancelled;
    if (cancelled)
        return false;
    bool success = slice_eq_nocase(name, SLICE("success"));
    enum queue_result result = success ? QUEUE_SUCCESS : QUEUE_FAILURE;

    return n_args ? named(p->node, result, success, args, n_args) : ancestors(p, result, success);
}

static const char *unknown(void *ctx, const struct slice *path, size_t n_path)
{
    const struct place *p = ctx;

    return p->plan->unknown(p, path, n_path);
}

struct expr_scope place_scope(struct place *p)
{
    return (struct expr_scope){.context = context,
                               .status = status,
                               .unknown = p->plan->unknown ? unknown : NULL,
                               .ctx = p};
}

struct template_eval place_eval(struct place *p, const struct expr_scope *scope, struct arena *a)
{
    return (struct template_eval){
        .arena = a, .scope = scope, .open = p->plan->unknown ? &p->open : NULL};
}

/* ---- the condition ---- */

int job_error(const struct node *n, const char *file, const char *key, struct err *err)
{
    struct err why = *err;

    return err_set(err, why.code, "Error when evaluating '%s' for job '%s'. %s%s%s", key,
                   n->def->id, file ? file : n->flow->workflow->file,
                   why.text[0] == '(' ? " " : ": ", why.text);
}

int node_condition(const struct plan *p, const struct node *n, bool *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place;
    int r;

    place_init(&place, p, n, NULL);
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, &a);

    r = template_test(&t, slice_of(n->def->condition), ret, err);
    return r == ERR_OK ? ERR_OK : job_error(n, NULL, "if", err);
}

static const char *ended_how(enum queue_result r)
{
    static const char *const words[QUEUE_RESULTS] = {
        [QUEUE_SUCCESS] = "succeeded",
        [QUEUE_FAILURE] = "failed",
        [QUEUE_CANCELLED] = "was cancelled",
        [QUEUE_SKIPPED] = "was skipped",
    };

    return words[r];
}

static bool needs_succeeded(const struct node *n)
{
    for (size_t i = 0; i < n->n_needs; i++) {
        if (n->needs[i]->result != QUEUE_SUCCESS)
            return false;
    }
    return true;
}

/* Where it began: a job that did not succeed although those before it had. NULL: all succeeded. */
static const struct node *culprit(const struct node *n, struct arena *a)
{
    size_t count;
    const struct node **list = node_ancestors(n, a, &count);

    for (size_t i = 0; i < count; i++) {
        if (list[i]->result != QUEUE_SUCCESS && needs_succeeded(list[i]))
            return list[i];
    }
    return NULL;
}

static const char *why_needs(const struct node *n, const struct node *first, struct arena *a)
{
    for (size_t i = 0; i < n->n_needs; i++) {
        if (n->needs[i] == first)
            return arena_printf(a, "needs %s, which %s", first->def->id, ended_how(first->result));
    }
    for (size_t i = 0; i < n->n_needs; i++) {
        if (n->needs[i]->result != QUEUE_SUCCESS)
            return arena_printf(a, "needs %s, which %s, as %s %s", n->needs[i]->def->id,
                                ended_how(n->needs[i]->result), first->def->id,
                                ended_how(first->result));
    }
    return arena_printf(a, "comes after %s, which %s", first->def->id, ended_how(first->result));
}

const char *node_why_not(const struct plan *p, const struct node *n, struct arena *a)
{
    CLEANUP(place_deinit) struct place place = {0};
    const struct node *first = culprit(n, a);
    struct slice condition = slice_of(n->def->condition);
    bool wrapped;

    (void)explain_written(condition, &wrapped);
    if (wrapped && first)
        return why_needs(n, first, a);
    place_init(&place, p, n, NULL);
    struct expr_scope scope = place_scope(&place);
    return explain_condition(a, condition, &scope);
}

/* ---- configurations ---- */

/* True unless --matrix asks for other values. Names that a matrix does not have say nothing about it. */
static bool is_wanted(struct plan *p, struct arena *a, const json_t *matrix)
{
    for (size_t i = 0; i < p->n_only; i++) {
        const json_t *value = json_object_get(matrix, p->only[i].name);
        struct expr_value v = expr_from_json(value);
        bool met = false;

        if (!value)
            continue;
        if (slice_eq(expr_string(a, &v), slice_of(p->only[i].value)))
            p->only_met[i] = true;
        for (size_t k = 0; k < p->n_only; k++) { /* the same name twice: either */
            if (strcmp(p->only[k].name, p->only[i].name) == 0)
                met = met || slice_eq(expr_string(a, &v), slice_of(p->only[k].value));
        }
        if (!met)
            return false;
    }
    return true;
}

static bool key_taken(const struct node *node, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(node->configs[i].key, key) == 0)
            return true;
    }
    return false;
}

static const char *make_key(struct plan *p, const struct node *n, size_t at, const char *suffix)
{
    const char *prefix = n->flow->prefix, *id = n->def->id;
    const char *base = *suffix ? arena_printf(&p->arena, "%s%s (%s)", prefix, id, suffix)
                               : arena_printf(&p->arena, "%s%s", prefix, id);
    const char *key = base;

    for (size_t k = 2; key_taken(n, at, key); k++)
        key = arena_printf(&p->arena, "%s #%zu", base, k);
    return key;
}

static int minutes(const struct template_eval *t, const struct token *tok, int fallback,
                   int64_t *ret, struct err *err)
{
    double n;

    if (template_number(t, tok, fallback, &n, err) != ERR_OK)
        return err->code;
    *ret = n > MINUTES_MAX ? (int64_t)MINUTES_MAX * MINUTE_MS : n >= 1 ? (int64_t)n * MINUTE_MS : 0;
    return ERR_OK;
}

/* `environment: NAME`, or a mapping with its name. */
static const struct token *environment_name(const struct workflow_job *d)
{
    const struct token *e = d->environment;

    return e && e->kind == TOKEN_MAPPING ? token_find(e, "name") : e;
}

/* The parts of a job that may differ from configuration to configuration. */
static int evaluate_config(struct plan *p, struct config *c, const struct matrix_config *m,
                           struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place;
    const struct workflow_job *d = c->node->def;
    struct slice name = {0}, environment = {0};

    place_init(&place, p, c->node, c);
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, &a);

    if (template_string(&t, d->name, &name, err) != ERR_OK)
        return job_error(c->node, NULL, "name", err);
    if (minutes(&t, d->timeout_minutes, TIMEOUT_MINUTES, &c->timeout_ms, err) != ERR_OK)
        return job_error(c->node, NULL, "timeout-minutes", err);
    if (minutes(&t, d->cancel_timeout_minutes, CANCEL_TIMEOUT_MINUTES, &c->cancel_timeout_ms,
                err) != ERR_OK)
        return job_error(c->node, NULL, "cancel-timeout-minutes", err);
    if (template_bool(&t, d->continue_on_error, false, &c->forgiven, err) != ERR_OK)
        return job_error(c->node, NULL, "continue-on-error", err);
    if (template_string(&t, environment_name(d), &environment, err) != ERR_OK)
        return job_error(c->node, NULL, "environment", err);
    if (environment.len)
        c->environment = arena_str(&p->arena, environment);
    c->claim = (struct claim){.config = c};
    if (group_read(&place, d->concurrency, &p->arena, &c->claim.group, err) != ERR_OK)
        return job_error(c->node, NULL, "concurrency", err);
    c->name = arena_printf(&p->arena, "%s%s", c->node->flow->title,
                           matrix_job_name(&a, name.ptr ? arena_str(&a, name) : NULL,
                                           d->name && d->name->kind == TOKEN_EXPR, d->id, m));
    return ERR_OK;
}

static int add_configs(struct plan *p, struct node *n, const struct matrix *m, struct err *err)
{
    n->fail_fast = m->fail_fast;
    n->max_parallel = m->max_parallel > 0 ? (size_t)m->max_parallel : m->n_configs;
    n->configs = arena_array(&p->arena, m->n_configs, sizeof *n->configs);
    for (size_t i = 0; i < m->n_configs; i++) {
        const struct matrix_config *from = &m->configs[i];
        struct config *c = &n->configs[n->n_configs];
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

        if (!is_wanted(p, &a, from->matrix))
            continue;
        *c = (struct config){.node = n, .matrix = json_incref(from->matrix)};
        c->strategy = json_pack("{s:b, s:I, s:I, s:I}", "fail-fast", m->fail_fast, "job-index",
                                (json_int_t)i, "job-total", (json_int_t)m->n_configs,
                                "max-parallel", (json_int_t)n->max_parallel);
        c->key = make_key(p, n, n->n_configs++, from->suffix);
        if (evaluate_config(p, c, from, err) != ERR_OK)
            return err->code;
    }
    p->n_configs += n->n_configs;
    if (p->n_configs > LOCAL_JOBS_MAX)
        return err_set(err, ERR_LIMIT, "the run has more than %d jobs", LOCAL_JOBS_MAX);
    return ERR_OK;
}

/* Back to a node without configurations, after an error half way. */
static void drop_configs(struct node *n)
{
    for (size_t i = 0; i < n->n_configs; i++) {
        json_decref(n->configs[i].matrix);
        json_decref(n->configs[i].strategy);
    }
    n->n_configs = 0;
}

int node_expand(struct plan *p, struct node *n, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place;
    struct matrix m = {0};
    json_t *strategy = NULL;
    int r;

    place_init(&place, p, n, NULL);
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, &a);

    if (template_json(&t, n->def->strategy, &strategy, err) != ERR_OK)
        return job_error(n, NULL, "strategy", err);
    n->matrix_open = place.open.mark;
    if (n->matrix_open) {
        marks_add(&n->marks, &p->arena, "matrix", NULL, n->matrix_open);
        marks_add(&n->marks, &p->arena, "strategy", NULL, n->matrix_open);
    }
    r = matrix_expand(n->matrix_open ? json_null() : strategy, n->def->id, &m, err);
    json_decref(strategy);
    if (r != ERR_OK)
        return job_error(n, NULL, "strategy", err);
    r = add_configs(p, n, &m, err);
    matrix_deinit(&m);
    if (r != ERR_OK)
        drop_configs(n);
    return r;
}
