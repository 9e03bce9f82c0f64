/* What the contexts hold, as far as a file says. */
#include "lang/check/rules.h"

#include "lang/convert.h"

/* A closed object with these members, all of the same type. */
static struct type *object_of(struct arena *a, const char *const *names, size_t n,
                              const struct type *each)
{
    struct type *t = type_object(a, NULL);

    for (size_t i = 0; i < n; i++)
        type_add(a, t, slice_of(names[i]), each);
    return t;
}

/* ---- what is the same in all files ---- */

static struct type *make_github(struct check *c)
{
    static const char *const texts[] = {
        "action",
        "action_path",
        "action_ref",
        "action_repository",
        "action_status",
        "actor",
        "actor_id",
        "api_url",
        "artifact_cache_size_limit",
        "base_ref",
        "env",
        "event_name",
        "event_path",
        "graphql_url",
        "head_ref",
        "job",
        "job_workflow_ref",
        "job_workflow_sha",
        "output",
        "path",
        "ref",
        "ref_name",
        "ref_type",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "repository_visibility",
        "repositoryUrl",
        "retention_days",
        "run_attempt",
        "run_id",
        "run_number",
        "secret_source",
        "server_url",
        "sha",
        "state",
        "step_summary",
        "token",
        "triggering_actor",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "workspace",
    };
    struct type *t = object_of(&c->arena, texts, COUNT_OF(texts), &type_string);

    type_add(&c->arena, t, SLICE("ref_protected"), &type_bool);
    type_add(&c->arena, t, SLICE("event"), &type_open);
    return t;
}

static const struct type *make_runner(struct check *c)
{
    static const char *const texts[] = {"name",       "os",    "arch",        "temp",
                                        "tool_cache", "debug", "environment", "workspace"};

    return object_of(&c->arena, texts, COUNT_OF(texts), &type_string);
}

static const struct type *make_strategy(struct check *c)
{
    static const char *const numbers[] = {"job-index", "job-total", "max-parallel"};
    struct type *t = object_of(&c->arena, numbers, COUNT_OF(numbers), &type_number);

    type_add(&c->arena, t, SLICE("fail-fast"), &type_bool);
    return t;
}

static const struct type *make_job(struct check *c)
{
    static const char *const texts[] = {"status", "workflow_ref", "workflow_sha",
                                        "workflow_repository", "workflow_file_path"};
    static const char *const container[] = {"id", "network"};
    struct arena *a = &c->arena;
    struct type *t = object_of(a, texts, COUNT_OF(texts), &type_string);
    struct type *service = object_of(a, container, COUNT_OF(container), &type_string);

    type_add(a, service, SLICE("ports"), &type_strings);
    type_add(a, t, SLICE("container"), object_of(a, container, COUNT_OF(container), &type_string));
    type_add(a, t, SLICE("services"), type_object(a, service));
    type_add(a, t, SLICE("check_run_id"), &type_number);
    return t;
}

/* ---- inputs ---- */

static const struct type *input_type(const struct token *spec)
{
    const struct token *type = token_find(spec, "type");

    if (!convert_is(type, TOKEN_STRING))
        return &type_string;
    return slice_eq(type->text, SLICE("boolean"))  ? &type_bool
           : slice_eq(type->text, SLICE("number")) ? &type_number
                                                   : &type_string;
}

static void add_inputs(struct check *c, struct type *to, const struct token *inputs)
{
    for (size_t i = 0; convert_is(inputs, TOKEN_MAPPING) && i < inputs->n_pairs; i++)
        type_add(&c->arena, to, inputs->pairs[i].key->text, input_type(inputs->pairs[i].value));
}

/* `inputs` of a file: of a dispatch and of a call; none of the two: it is empty. */
static void make_inputs(struct check *c, struct type *github)
{
    const struct workflow_event *call = workflow_event_find(c->workflow, "workflow_call");
    const struct workflow_event *dispatch = workflow_event_find(c->workflow, "workflow_dispatch");
    struct type *inputs = type_object(&c->arena, NULL);

    if (call)
        add_inputs(c, inputs, token_find(call->config, "inputs"));
    if (dispatch) {
        const struct token *list = token_find(dispatch->config, "inputs");
        struct type *texts = type_object(&c->arena, call ? &type_any : NULL);
        struct type *event = type_object(&c->arena, &type_any);

        add_inputs(c, inputs, list);
        for (size_t i = 0; convert_is(list, TOKEN_MAPPING) && i < list->n_pairs; i++)
            type_add(&c->arena, texts, list->pairs[i].key->text, &type_string);
        type_add(&c->arena, event, SLICE("inputs"), texts);
        for (struct type_member *m = github->members; m; m = m->next)
            if (slice_eq(m->name, SLICE("event")))
                m->type = event;
    }
    c->scope.inputs = inputs;
}

/* A workflow that can only be called has the secrets that it declares. */
static void find_passed(struct check *c)
{
    static const struct token none = {.kind = TOKEN_NULL};
    const struct workflow_event *call = workflow_event_find(c->workflow, "workflow_call");
    const struct token *secrets = call ? token_find(call->config, "secrets") : NULL;

    if (secrets && c->workflow->n_events == 1)
        c->passed = convert_is(secrets, TOKEN_MAPPING) ? secrets : &none;
}

void check_make_scope(struct check *c)
{
    struct type *github = make_github(c);

    find_passed(c);
    make_inputs(c, github);
    c->scope.github = github;
    c->scope.env = c->scope.vars = c->scope.secrets = &type_strings;
    c->scope.runner = make_runner(c);
    c->scope.strategy = make_strategy(c);
    c->scope.job = make_job(c);
}

void check_make_action_scope(struct check *c, const struct action *a)
{
    struct type *inputs = type_object(&c->arena, NULL);

    for (size_t i = 0; i < a->n_inputs; i++)
        type_add(&c->arena, inputs, slice_of(a->inputs[i].id), &type_string);
    c->scope.github = make_github(c);
    c->scope.env = &type_strings;
    c->scope.runner = make_runner(c);
    c->scope.strategy = make_strategy(c);
    c->scope.job = make_job(c);
    c->scope.inputs = inputs;
}

/* ---- needs ---- */

/* NULL: nothing is known of the outputs of what it calls. */
static const struct type *called_outputs(struct check *c, const struct workflow_job *job)
{
    const struct workflow *w = check_local_workflow(c, job->uses);
    const struct workflow_event *call = w ? workflow_event_find(w, "workflow_call") : NULL;
    const struct token *outputs = call ? token_find(call->config, "outputs") : NULL;
    struct type *t = type_object(&c->arena, NULL);

    if (!w)
        return &type_strings;
    for (size_t i = 0; convert_is(outputs, TOKEN_MAPPING) && i < outputs->n_pairs; i++)
        type_add(&c->arena, t, outputs->pairs[i].key->text, &type_string);
    return t;
}

static const struct type *job_type(struct check *c, const struct workflow_job *job)
{
    struct type *t = type_object(&c->arena, NULL);
    const struct type *outputs = &type_strings;

    if (job->uses) {
        outputs = called_outputs(c, job);
    } else if (!job->outputs || job->outputs->kind == TOKEN_MAPPING) {
        struct type *named = type_object(&c->arena, NULL);

        for (size_t i = 0; job->outputs && i < job->outputs->n_pairs; i++) {
            if (job->outputs->pairs[i].key->kind != TOKEN_STRING)
                named->item = &type_string;
            else
                type_add(&c->arena, named, job->outputs->pairs[i].key->text, &type_string);
        }
        outputs = named;
    }
    type_add(&c->arena, t, SLICE("result"), &type_string);
    type_add(&c->arena, t, SLICE("outputs"), outputs);
    return t;
}

static const struct type *make_needs(struct check *c)
{
    struct type *t = type_object(&c->arena, NULL);

    for (size_t i = 0; i < c->job->n_needs; i++) {
        const struct workflow_job *need = workflow_job_find(c->workflow, c->job->needs[i]);

        type_add(&c->arena, t, slice_of(c->job->needs[i]), need ? job_type(c, need) : &type_any);
    }
    return t;
}

/* ---- matrix ---- */

static void add_include(struct check *c, struct type *to, const struct token *list)
{
    if (list->kind != TOKEN_SEQUENCE) {
        to->item = &type_any;
        return;
    }
    for (size_t i = 0; i < list->n_items; i++) {
        const struct token *one = list->items[i];

        if (one->kind != TOKEN_MAPPING)
            to->item = &type_any;
        for (size_t k = 0; one->kind == TOKEN_MAPPING && k < one->n_pairs; k++) {
            if (one->pairs[k].key->kind == TOKEN_STRING)
                type_add(&c->arena, to, one->pairs[k].key->text,
                         check_type_of(c, one->pairs[k].value));
            else
                to->item = &type_any;
        }
    }
}

static void add_vector(struct check *c, struct type *to, struct slice name,
                       const struct token *values)
{
    const struct type *type = check_type_of(c, values);

    type_add(&c->arena, to, name, type->kind == TYPE_ARRAY ? type->item : &type_any);
}

/* What the reader refused in front of the job's steps may have been a part of its matrix. */
static bool is_damaged(const struct check *c)
{
    const struct token *steps = token_find(c->job->node, "steps");
    int end = steps ? steps->line : 0;

    VEC_EACH (d, &c->diags->list)
        if (!d->rule && d->level == DIAG_ERROR && d->line > c->job->line && (!end || d->line < end))
            return true;
    return false;
}

static const struct type *make_matrix(struct check *c)
{
    const struct token *strategy = c->job->strategy;
    const struct token *matrix = token_find(strategy, "matrix");
    struct type *t = type_object(&c->arena, is_damaged(c) ? &type_any : NULL);

    if (convert_is(strategy, TOKEN_EXPR) || convert_is(matrix, TOKEN_EXPR))
        return &type_any;
    for (size_t i = 0; convert_is(matrix, TOKEN_MAPPING) && i < matrix->n_pairs; i++) {
        const struct token *key = matrix->pairs[i].key, *value = matrix->pairs[i].value;

        if (key->kind != TOKEN_STRING)
            t->item = &type_any;
        else if (slice_eq(key->text, SLICE("include")))
            add_include(c, t, value);
        else if (!slice_eq(key->text, SLICE("exclude")))
            add_vector(c, t, key->text, value);
    }
    return t;
}

void check_make_job_scope(struct check *c)
{
    c->scope.needs = make_needs(c);
    c->scope.matrix = NULL; /* a matrix can't see itself */
    c->scope.steps = NULL;
    c->scope.matrix = make_matrix(c);
}

/* ---- steps, jobs ---- */

const struct type *check_step_type(struct check *c, const struct step *s)
{
    const struct action *action = s->uses ? check_local_action(c, s->uses) : NULL;
    struct type *t = type_object(&c->arena, NULL);
    const struct type *outputs = &type_strings;

    if (action && (action->kind == ACTION_COMPOSITE ||
                   check_is_served(c, s->uses))) { /* others may set what they did not declare */
        struct type *named = type_object(&c->arena, NULL);

        for (size_t i = 0; i < action->n_outputs; i++)
            type_add(&c->arena, named, slice_of(action->outputs[i].id), &type_string);
        outputs = named;
    }
    type_add(&c->arena, t, SLICE("outputs"), outputs);
    type_add(&c->arena, t, SLICE("outcome"), &type_string);
    type_add(&c->arena, t, SLICE("conclusion"), &type_string);
    return t;
}

const struct type *check_jobs_type(struct check *c)
{
    struct type *t = type_object(&c->arena, NULL);

    for (size_t i = 0; i < c->workflow->n_jobs; i++)
        type_add(&c->arena, t, slice_of(c->workflow->jobs[i].id),
                 job_type(c, &c->workflow->jobs[i]));
    return t;
}
