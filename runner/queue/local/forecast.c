#include "queue/local/forecast_state.h"

#include "lang/workflow/calls.h"

#include <strings.h>

/* ---- what is not known ---- */

/* The ancestor that nobody knows of whether it runs; else the first that might. NULL: there is none that
 * might. */
static const struct node *uncertain(const struct node *n, struct arena *a, bool *ret_open)
{
    size_t count;
    const struct node **list = node_ancestors(n, a, &count), *first = NULL;

    *ret_open = false;
    for (size_t i = 0; i < count; i++) {
        if (list[i]->fate == FATE_OPEN) {
            *ret_open = true;
            return list[i];
        }
        if (!first && list[i]->fate != FATE_SKIPPED)
            first = list[i];
    }
    return first;
}

static bool skips_one(const struct node *n, struct arena *a)
{
    size_t count;
    const struct node **list = node_ancestors(n, a, &count);

    for (size_t i = 0; i < count; i++)
        if (list[i]->fate == FATE_SKIPPED)
            return true;
    return false;
}

/* success() and the like in the condition of a job. */
static const char *moment(const struct place *p, struct slice name)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct forecast *f = (struct forecast *)(uintptr_t)(const void *)p->plan;
    bool open;

    if (slice_eq(name, SLICE("always()")) || !p->node)
        return NULL;
    if (slice_eq(name, SLICE("cancelled()")))
        return p->plan->assume ? NULL : "‹known when it runs›";
    if (slice_eq(name, SLICE("hashfiles()")))
        return "‹hash of files›";
    const struct node *who = uncertain(p->node, &a, &open);
    if (!who || (p->plan->assume && !open))
        return NULL;
    if (slice_eq(name, SLICE("success()")) && skips_one(p->node, &a))
        return NULL; /* false, whatever the others do */
    return forecast_after(f, "job", who->def->id);
}

/* For the end of the plan: what somebody could have given. */
static void note_missing(const struct place *p, struct slice context, struct slice name)
{
    const struct forecast *f = (const struct forecast *)(const void *)p->plan;
    json_t *list = slice_eq(context, SLICE("secrets")) ? json_object_get(f->not_given, "secrets")
                   : slice_eq(context, SLICE("vars"))  ? json_object_get(f->not_given, "vars")
                                                       : NULL;
    const char *token = "GITHUB_TOKEN"; /* GitHub gives that one itself */

    if (!list || slice_eq(name, SLICE("*")) || slice_eq_nocase(name, slice_of(token)))
        return;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (slice_eq_nocase(slice_of(json_string_value(json_array_get(list, i))), name))
            return;
    json_array_append_new(list, json_stringn(name.ptr, name.len));
}

static const char *unknown(const struct place *p, const struct slice *path, size_t n)
{
    const struct marks *all[] = {&p->plan->marks, &p->flow->marks,
                                 p->node ? &p->node->marks : NULL};

    if (slice_ends(path[0], SLICE("()")))
        return moment(p, path[0]);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *mark = all[i] ? marks_find(all[i], path, n, p->plan->assume) : NULL;

        if (mark && n > 1 && !p->flow->call)
            note_missing(p, path[0], path[1]);
        if (mark)
            return mark;
    }
    return NULL;
}

/* ---- marks ---- */

static bool is_stated(const struct forecast *f, const char *name)
{
    return json_object_get(f->spec->event_file, name) != NULL;
}

/* What every place of the run sees. */
static void mark_run(struct forecast *f)
{
    static const char *const in_the_job[] = {
        "github.event_path", "github.env",          "github.path",        "github.output",
        "github.state",      "github.step_summary", "github.action_path", "runner.temp",
        "runner.tool_cache", "runner.workspace",
    };
    static const char *const of_the_commit[] = {"head_commit", "commits", "before", "compare"};
    struct plan *p = &f->plan;
    struct arena *a = &p->arena;
    const char *name = json_string_value(json_object_get(f->spec->run->github, "event_name"));

    for (size_t i = 0; i < COUNT_OF(in_the_job); i++)
        marks_add(&p->marks, a, in_the_job[i], NULL, "‹known in the job›");
    marks_add(&p->marks, a, "github.workspace", NULL, "‹workspace›");
    marks_add(&p->marks, a, "github.run_id", NULL, "‹number of the run›");
    marks_add(&p->marks, a, "github.run_number", NULL, "‹number of the run›");
    if (!strmap_get(&p->secrets, "GITHUB_TOKEN"))
        marks_add(&p->marks, a, "github.token", NULL, "***");
    marks_add(&p->marks, a, "vars", NULL, "‹variable not given›")->but_for = p->vars;
    for (size_t i = 0; f->spec->no_git && i < COUNT_OF(of_the_commit); i++)
        if (name && strcmp(name, "push") == 0 && !is_stated(f, of_the_commit[i]))
            marks_add(&p->marks, a, "github.event", of_the_commit[i], "‹in the commit›");
    if (f->spec->no_git && name && strncmp(name, "pull_request", 12) == 0 &&
        !is_stated(f, "pull_request"))
        marks_add(&p->marks, a, "github.event.pull_request", "title", "‹in the commit›");
}

/* A secret that was not given here may well be there on GitHub. */
static void mark_secrets(struct forecast *f, struct flow *flow)
{
    struct mark *m = marks_add(&flow->marks, &f->plan.arena, "secrets", NULL, "***");

    m->but_for = forecast_keep(f, flow_secrets(flow));
}

/* What can be said of job N under PREFIX, "needs" or "jobs". */
static void mark_job(struct forecast *f, struct marks *to, const char *prefix, const struct node *n)
{
    struct arena *a = &f->plan.arena;
    const char *path = arena_printf(a, "%s.%s", prefix, n->def->id);
    const char *after = forecast_after(f, "job", n->def->id);

    switch (n->fate) {
    case FATE_OPEN:
        marks_add(to, a, path, NULL, after);
        break;
    case FATE_RESCUES:
        marks_add(to, a, path, NULL, after)->assumed = true;
        break;
    case FATE_RUNS:
        marks_add(to, a, path, "result", after)->assumed = true;
        STRMAP_EACH (i, &n->open)
            marks_add(to, a, arena_printf(a, "%s.outputs", path), i->name,
                      arena_str(a, strmap_value(i)));
        break;
    default:
        break;
    }
}

/* ---- a configuration ---- */

static json_t *one_or_more(const struct sight *s, const struct token *tok, const char *key)
{
    json_t *value = forecast_value(s, tok);

    if (!json_is_string(value) && !json_object_get(value, "unknown"))
        return value;
    return json_pack("{s:o}", key, value);
}

/* {"group", "cancel_in_progress"} */
static json_t *concurrency(const struct sight *s, const struct token *tok)
{
    json_t *value = one_or_more(s, tok, "group");
    json_t *cancel = json_object_get(value, "cancel-in-progress");

    if (!json_is_object(value))
        return value;
    json_object_set(value, "cancel_in_progress", cancel ? cancel : json_false());
    json_object_del(value, "cancel-in-progress");
    return value;
}

static void merge_outputs(struct node *n, const json_t *outputs)
{
    const char *name;
    json_t *value;

    if (!n->outputs)
        n->outputs = json_object();
    json_object_foreach ((json_t *)(uintptr_t)outputs, name, value) {
        const json_t *other = json_object_get(n->outputs, name);

        /* Which configuration ends last, and wins, nobody knows. */
        if (other && !json_equal(other, value))
            strmap_set(&n->open, slice_of(name), SLICE("‹of the configuration that ends last›"));
        json_object_set(n->outputs, name, value);
    }
}

/* Outside a call nobody waits for the jobs inside, but for the call. */
static void hide_marks(struct forecast *f, struct node *n)
{
    const char *after = forecast_after(f, "job", n->def->id);

    STRMAP_EACH (i, &n->open)
        strmap_set(&n->open, strmap_name(i), forecast_hide(&f->plan.arena, strmap_value(i), after));
}

static void cast_flow(struct forecast *f, struct flow *flow, json_t *jobs);

static void cast_call(struct forecast *f, struct config *c, const struct sight *s, json_t *to)
{
    const struct workflow_job *d = c->node->def;
    json_t *call = json_pack("{s:s}", "uses", d->uses), *jobs = json_array();
    struct err err = ERR_INIT;
    const char *note;

    json_object_set_new(to, "call", call);
    forecast_put(call, "with", forecast_value(s, d->with));
    if (d->secrets && d->secrets->kind == TOKEN_MAPPING) {
        json_t *names = json_array();

        for (size_t i = 0; i < d->secrets->n_pairs; i++)
            json_array_append_new(
                names,
                json_string(arena_str(s->arena, token_text(s->arena, d->secrets->pairs[i].key))));
        json_object_set_new(call, "secrets", names);
    } else {
        forecast_put(call, "secrets", forecast_value(s, d->secrets));
    }
    json_object_set_new(call, "jobs", jobs);
    if (call_open(&f->plan, c, &err) < 0) {
        json_object_set_new(to, "error", json_string(err.text));
        c->node->fate = FATE_FAILS;
        return;
    }
    mark_secrets(f, c->inner);
    cast_flow(f, c->inner, jobs);
    for (size_t i = 0; i < c->inner->n_nodes; i++)
        mark_job(f, &c->inner->marks, "jobs", &c->inner->nodes[i]);
    if (call_close(&f->plan, c, &note, &err) < 0)
        json_object_set_new(to, "error", json_string(err.text));
    merge_outputs(c->node, c->outputs);
    hide_marks(f, c->node);
}

static json_t *cast_config(struct forecast *f, struct config *c)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place;
    struct node *n = c->node;
    const struct workflow_job *d = n->def;
    json_t *to = json_pack("{s:s, s:s}", "key", c->key, "name", c->name);

    place_init(&place, &f->plan, n, c);
    place.secrets = flow_secrets(n->flow);
    const struct expr_scope scope = place_scope(&place);
    const struct sight s = {f, &a, &scope};

    if (n->matrix_open)
        json_object_set_new(to, "matrix", json_pack("{s:s}", "unknown", n->matrix_open));
    else if (!json_is_null(c->matrix))
        json_object_set(to, "matrix", c->matrix);
    forecast_put(to, "runs_on", forecast_value(&s, d->runs_on));
    forecast_put(to, "concurrency", concurrency(&s, d->concurrency));
    forecast_put(to, "permissions", forecast_value(&s, d->permissions));
    forecast_put(to, "continue_on_error", forecast_value(&s, d->continue_on_error));
    if (d->environment) {
        const struct token *name = d->environment->kind == TOKEN_MAPPING
                                       ? token_find(d->environment, "name")
                                       : d->environment;
        json_object_set_new(to, "environment",
                            json_pack("{s:o}", "name", forecast_value(&s, name)));
    }
    if (n->inner) {
        cast_call(f, c, &s, to);
        return to;
    }
    json_object_set_new(to, "timeout_minutes", json_integer(c->timeout_ms / 60000));
    forecast_put(to, "container", one_or_more(&s, d->container, "image"));
    forecast_put(to, "services", forecast_value(&s, d->services));
    forecast_job(f, c, &place, to);
    merge_outputs(n, c->outputs);
    return to;
}

/* ---- a job ---- */

static const char *fate_words(const struct node *n)
{
    static const char *const words[] = {
        [FATE_RUNS] = "runs",
        [FATE_SKIPPED] = "is skipped",
        [FATE_RESCUES] = "runs only after a failure",
        [FATE_OPEN] = "may be skipped",
        [FATE_FAILS] = "cannot run",
    };

    return words[n->fate];
}

/* A condition that is only implied is false because of a job before it. */
static const struct node *culprit(const struct node *n)
{
    for (size_t i = 0; i < n->n_needs; i++)
        if (n->needs[i]->fate != FATE_RUNS)
            return n->needs[i];
    return NULL;
}

static void settle(struct node *n)
{
    n->state = NODE_OVER;
    n->result = n->fate == FATE_RUNS || n->fate == FATE_OPEN ? QUEUE_SUCCESS
                : n->fate == FATE_FAILS                      ? QUEUE_FAILURE
                                                             : QUEUE_SKIPPED;
}

static void cast_configs(struct forecast *f, struct node *n, json_t *job)
{
    struct err err = ERR_INIT;
    json_t *configs = json_array();

    json_object_set_new(job, "configurations", configs);
    if (node_expand(&f->plan, n, &err) < 0) {
        json_object_set_new(job, "error", json_string(err.text));
        n->fate = FATE_FAILS;
        return;
    }
    if (!n->n_configs) {
        json_object_set_new(job, "why", json_string("--matrix leaves none of its configurations"));
        n->fate = FATE_SKIPPED;
    }
    if (n->def->strategy) {
        json_object_set_new(job, "fail_fast", json_boolean(n->fail_fast));
        json_object_set_new(job, "max_parallel", json_integer((json_int_t)n->max_parallel));
    }
    for (size_t i = 0; i < n->n_configs; i++)
        json_array_append_new(configs, cast_config(f, &n->configs[i]));
}

static void cast_node(struct forecast *f, struct node *n, json_t *jobs)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place;
    const struct workflow_job *d = n->def;
    json_t *needs = json_array();

    for (size_t i = 0; i < n->n_needs; i++) {
        mark_job(f, &n->marks, "needs", n->needs[i]);
        json_array_append_new(needs, json_string(n->needs[i]->def->id));
    }
    place_init(&place, &f->plan, n, NULL);
    const struct expr_scope scope = place_scope(&place);
    const struct sight s = {f, &a, &scope};
    struct judgement j = forecast_judge(&s, slice_of(d->condition));
    const struct node *why =
        json_is_true(json_object_get(j.json, "success_implied")) ? culprit(n) : NULL;
    json_t *job = json_pack("{s:s, s:s, s:i, s:i, s:o, s:i, s:o}", "id", d->id, "key",
                            arena_printf(&a, "%s%s", n->flow->prefix, d->id), "line", d->line,
                            "column", d->col, "needs", needs, "stage", n->stage, "if", j.json);

    n->fate = j.fate;
    json_array_append_new(jobs, job);
    if (d->name) {
        const char *mark;
        struct slice name = forecast_text(&s, d->name, &mark);

        json_object_set_new(job, "name", forecast_text_json(name, mark));
    }
    if (why && n->fate != FATE_RUNS)
        json_object_set_new(job, "why",
                            json_sprintf("needs %s, which %s", why->def->id, fate_words(why)));
    if (n->fate != FATE_SKIPPED && n->fate != FATE_FAILS)
        cast_configs(f, n, job);
    json_object_set_new(job, "verdict", json_string(forecast_fate_name(n->fate)));
    settle(n);
}

/* In the order in which they could begin, those of one stage in the file's. */
static void cast_flow(struct forecast *f, struct flow *flow, json_t *jobs)
{
    for (bool again = true; again;) {
        struct node *ready = NULL;

        again = false;
        for (size_t i = 0; i < flow->n_nodes; i++) {
            struct node *n = &flow->nodes[i];
            int stage = 0;

            if (!node_is_ready(n))
                continue;
            for (size_t k = 0; k < n->n_needs; k++)
                stage = n->needs[k]->stage >= stage ? n->needs[k]->stage + 1 : stage;
            n->stage = stage;
            if (!ready || n->stage < ready->stage)
                ready = n;
        }
        if (ready) {
            cast_node(f, ready, jobs);
            again = true;
        }
    }
}

/* ---- the run ---- */

static json_t *cast_workflow(struct forecast *f, struct flow *flow)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place = {.plan = &f->plan, .flow = flow};
    const struct workflow *w = flow->workflow;
    json_t *to = json_pack("{s:s, s:s}", "file", w->file, "name", w->name), *jobs = json_array();

    mark_secrets(f, flow);
    place.secrets = flow_secrets(flow);
    const struct expr_scope scope = place_scope(&place);
    const struct sight s = {f, &a, &scope};
    forecast_put(to, "run_name", forecast_value(&s, w->run_name));
    forecast_put(to, "concurrency", concurrency(&s, w->concurrency));
    forecast_put(to, "permissions", forecast_value(&s, w->permissions));
    forecast_put(to, "inputs",
                 json_object_size(flow->inputs) ? json_incref(flow->inputs) : json_null());
    json_object_set_new(to, "jobs", jobs);
    cast_flow(f, flow, jobs);
    return to;
}

static struct slice json_slice(const json_t *text)
{
    return slice_make(json_string_value(text), json_string_length(text));
}

static bool is_one_of(const char *key, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(key, *list) == 0)
            return true;
    return false;
}

static json_t *masked_text(const struct mask *mask, json_t *text)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(SIZE_MAX / 4);

    if (!mask_would_change(mask, json_slice(text)))
        return json_incref(text);
    mask_apply(mask, json_slice(text), &out);
    return json_stringn_nocheck(out.ptr, out.len);
}

/* {"unknown": ...} and the like, in the place of a value. */
static bool is_mark(const json_t *json)
{
    return json_object_size(json) == 1 &&
           (json_object_get(json, "unknown") || json_object_get(json, "error"));
}

/* Every text in JSON but our own words: a secret may be "runs". THEIRS: the keys are the workflow's. New
 * reference. */
static json_t *masked(const struct mask *mask, json_t *json, bool theirs)
{
    static const char *const ours[] = {"verdict", "kind", NULL};
    static const char *const maps[] = {"env",      "with",        "inputs",    "matrix", "runs_on",
                                       "services", "permissions", "container", "value",  NULL};
    const char *key;
    json_t *value, *to;
    size_t i;

    if (json_is_string(json))
        return masked_text(mask, json);
    if (json_is_object(json)) {
        to = json_object();
        theirs = theirs && !is_mark(json);
        json_object_foreach (json, key, value) {
            CLEANUP(buf_deinit) struct buf name = BUF_INIT(SIZE_MAX / 4);
            bool kept = !theirs && is_one_of(key, ours);

            if (theirs)
                mask_apply(mask, slice_of(key), &name);
            json_object_set_new_nocheck(to, theirs ? name.ptr : key,
                                        kept ? json_incref(value)
                                             : masked(mask, value, theirs || is_one_of(key, maps)));
        }
        return to;
    }
    if (!json_is_array(json))
        return json_incref(json);
    to = json_array();
    json_array_foreach (json, i, value) {
        json_array_append_new(to, masked(mask, value, theirs));
    }
    return to;
}

static void forecast_deinit(struct forecast *f)
{
    plan_deinit(&f->plan);
    for (size_t i = 0; i < f->kept.len; i++)
        json_decref(f->kept.ptr[i]);
    vec_deinit(&f->kept);
    json_decref(f->not_given);
}

int forecast(const struct forecast_spec *spec, json_t **ret, struct err *err)
{
    CLEANUP(forecast_deinit) struct forecast f = {.spec = spec};
    json_t *workflows, *all;

    f.plan.unknown = unknown;
    f.not_given = json_pack("{s:[], s:[]}", "secrets", "vars");
    int r = plan_init(&f.plan, spec->run, err);
    if (r < 0)
        return r;
    mark_run(&f);
    workflows = json_array();
    for (size_t i = 0; i < f.plan.n_named; i++)
        json_array_append_new(workflows, cast_workflow(&f, f.plan.flows.ptr[i]));
    all = json_pack("{s:o, s:O}", "workflows", workflows, "not_given", f.not_given);
    *ret = masked(f.plan.mask, all, false);
    json_decref(all);
    return ERR_OK;
}
