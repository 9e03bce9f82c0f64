#include "queue/local/local.h"

#include "base/clock.h"
#include "queue/local/state.h"

static struct local *local_of(const struct queue *q)
{
    return (struct local *)(uintptr_t)(const void *)q;
}

const char *queue_result_name(enum queue_result r)
{
    static const char *const names[QUEUE_RESULTS] = {
        [QUEUE_SUCCESS] = "success",
        [QUEUE_FAILURE] = "failure",
        [QUEUE_CANCELLED] = "cancelled",
        [QUEUE_SKIPPED] = "skipped",
    };

    return names[r];
}

/* ---- deciding ---- */

static int skip_node(struct local *l, struct node *n, enum queue_result result, const char *why,
                     struct err *err)
{
    node_over(n, result);
    return tell_finished(l, node_key(l, n), node_name(l, n), result, why, err);
}

/* Why nothing more in F is begun. */
static const char *why_cancelled(const struct flow *f)
{
    for (; f; f = f->call ? f->call->node->flow : NULL)
        if (f->stopped)
            return f->stopped;
    return "the run was cancelled";
}

static int decide(struct local *l, struct node *n, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err why = ERR_INIT;
    bool go = false;

    if (l->plan.hard)
        return skip_node(l, n, QUEUE_CANCELLED, "the run was cancelled", err);
    if (n->flow->barred)
        return skip_node(l, n, QUEUE_CANCELLED, why_cancelled(n->flow), err);
    if (node_condition(&l->plan, n, &go, &why) != ERR_OK)
        return skip_node(l, n, QUEUE_FAILURE, why.text, err);
    if (!go && flow_is_cancelled(&l->plan, n->flow))
        return skip_node(l, n, QUEUE_CANCELLED, why_cancelled(n->flow), err);
    if (!go)
        return skip_node(l, n, QUEUE_SKIPPED, node_why_not(&l->plan, n, &a), err);
    if (node_expand(&l->plan, n, &why) != ERR_OK)
        return skip_node(l, n, QUEUE_FAILURE, why.text, err);
    if (!n->n_configs)
        return skip_node(l, n, QUEUE_SKIPPED, "--matrix leaves none of its configurations", err);
    n->state = NODE_DECIDED;
    for (size_t i = 0; i < n->n_configs && !n->inner; i++) { /* of a call, what is inside speaks */
        if (tell_queued(l, &n->configs[i], err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

/* It holds its concurrency group, or was cancelled while it waited and never will: its jobs are decided then,
 * too. */
static bool has_turn(const struct flow *f)
{
    return f->claim.state == CLAIM_HOLDS || f->barred;
}

/* Those that count for `max-parallel`: one that waits for its group does, so that a later one does not
 * come and cancel it. */
static size_t begun(const struct node *n)
{
    size_t count = 0;

    for (size_t i = 0; i < n->n_configs; i++)
        count += n->configs[i].state == CONFIG_RUNNING ||
                 (n->configs[i].state == CONFIG_QUEUED && n->configs[i].claim.state != CLAIM_NONE);
    return count;
}

static struct config *queued(const struct node *n, enum claim_state state)
{
    if (n->state != NODE_DECIDED)
        return NULL;
    for (size_t i = 0; i < n->n_configs; i++)
        if (n->configs[i].state == CONFIG_QUEUED && n->configs[i].claim.state == state)
            return &n->configs[i];
    return NULL;
}

/* Those configurations of N whose turn it is ask for their groups. */
static int ask_for_groups(struct local *l, struct node *n, struct err *err)
{
    struct config *c;

    while (n->state == NODE_DECIDED && begun(n) < n->max_parallel && (c = queued(n, CLAIM_NONE)))
        if (claim_enter(l, &c->claim, err) != ERR_OK)
            return err->code;
    return ERR_OK;
}

/* ---- calls ---- */

/* The call itself went wrong, not what is inside. */
static int fail_call(struct local *l, struct config *c, const char *why, struct err *err)
{
    c->result = QUEUE_FAILURE;
    if (tell_finished(l, c->key, c->name, QUEUE_FAILURE, why, err) != ERR_OK)
        return err->code;
    return config_over(l, c, err);
}

static int start_call(struct local *l, struct config *c, struct err *err)
{
    struct err why = ERR_INIT;

    c->state = CONFIG_RUNNING;
    if (call_open(&l->plan, c, &why) != ERR_OK)
        return fail_call(l, c, why.text, err);
    return claim_enter(l, &c->inner->claim, err);
}

static int end_call(struct local *l, struct config *c, struct err *err)
{
    struct err why = ERR_INIT;
    const char *note;

    claim_leave(l, &c->inner->claim);
    if (call_close(&l->plan, c, &note, &why) != ERR_OK)
        return fail_call(l, c, why.text, err);
    if (note && tell_note(l, NULL, note, err) != ERR_OK)
        return err->code;
    return config_over(l, c, err);
}

/* Starts the calls of N that may start and ends those whose inside is over. *RET_MOVED: there were
 * some. */
static int advance_calls(struct local *l, struct node *n, bool *ret_moved, struct err *err)
{
    struct config *c;

    for (size_t i = 0; i < n->n_configs; i++) {
        c = &n->configs[i];
        if (c->state != CONFIG_RUNNING || !c->inner || !flow_is_over(c->inner))
            continue;
        *ret_moved = true;
        if (end_call(l, c, err) != ERR_OK)
            return err->code;
    }
    while (n->inner && (c = queued(n, CLAIM_HOLDS))) {
        *ret_moved = true;
        if (start_call(l, c, err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

/* ---- the run ---- */

static bool all_over(const struct plan *p)
{
    for (size_t i = 0; i < p->n_named; i++)
        if (!flow_is_over(p->flows.ptr[i]))
            return false;
    return true;
}

static int finish(struct local *l, struct err *err)
{
    const struct plan *p = &l->plan;
    bool seen[QUEUE_RESULTS] = {0};

    l->finished = true;
    for (size_t i = 0; i < p->n_named; i++)
        seen[flow_result(p->flows.ptr[i])] = true;
    l->result = seen[QUEUE_FAILURE]     ? QUEUE_FAILURE
                : seen[QUEUE_CANCELLED] ? QUEUE_CANCELLED
                                        : QUEUE_SUCCESS;
    for (size_t i = 0; i < p->n_only; i++) {
        const char *text = arena_printf(&l->arena,
                                        "--matrix %s=%s chose nothing: no job that ran has '%s' "
                                        "with that value in its matrix",
                                        p->only[i].name, p->only[i].value, p->only[i].name);

        if (p->only_met[i])
            continue;
        if (l->result == QUEUE_SUCCESS) /* what was asked for did not happen */
            l->result = QUEUE_FAILURE;
        if (tell_note(l, NULL, text, err) != ERR_OK)
            return err->code;
    }
    return tell_run_finished(l, err);
}

static void on_groups(void *ctx)
{
    struct local *l = ctx;

    if (!l->late.code)
        (void)!claims_review(l, &l->late);
    if (l->base.client.ready)
        l->base.client.ready(l->base.client.ctx);
}

static int start(struct local *l, struct err *err)
{
    if (l->started)
        return ERR_OK;
    l->started = true;
    l->started_ms = clock_ms();
    if (l->groups && l->base.client.loop)
        groups_watch(l->groups, l->base.client.loop, on_groups, l);
    if (tell_started(l, err) != ERR_OK)
        return err->code;
    for (size_t i = 0; i < l->plan.n_named; i++) {
        struct flow *f = l->plan.flows.ptr[i];

        if (claim_enter(l, &f->claim, err) != ERR_OK)
            return err->code;
        if (l->plan.cancelled && /* before anything had begun */
            flow_cancel(l, f, why_cancelled(f), err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

/* Named workflows that are over leave their groups to others. */
static void end_flows(struct local *l)
{
    for (size_t i = 0; i < l->plan.n_named; i++)
        if (flow_is_over(l->plan.flows.ptr[i]))
            claim_leave(l, &l->plan.flows.ptr[i]->claim);
}

static struct config *next_config(struct plan *p)
{
    PLAN_EACH_NODE(n, p)
    {
        struct config *c = n->inner ? NULL : queued(n, CLAIM_HOLDS);

        if (c)
            return c;
    }
    return NULL;
}

/* Nothing runs and nothing can, though not all is over. */
static bool is_stuck(struct plan *p)
{
    PLAN_EACH_NODE(n, p)
    {
        for (size_t i = 0; i < n->n_configs && !n->inner; i++)
            if (n->configs[i].state == CONFIG_RUNNING)
                return false;
    }
    return !all_over(p) && !next_config(p);
}

/* Decides all that can be decided; a job that is skipped may free others, and so may a call that ends. */
static int advance(struct local *l, struct err *err)
{
    bool again = true;

    if (l->late.code) {
        *err = l->late;
        l->late = (struct err)ERR_INIT;
        return err->code;
    }
    if (start(l, err) != ERR_OK)
        return err->code;
    while (again) {
        again = l->moved = false;
        PLAN_EACH_NODE(n, &l->plan)
        {
            bool ready = has_turn(n->flow) && node_is_ready(n);

            again |= ready;
            if ((ready && decide(l, n, err) != ERR_OK) || ask_for_groups(l, n, err) != ERR_OK ||
                advance_calls(l, n, &again, err) != ERR_OK)
                return err->code;
        }
        end_flows(l);
        if (!again && !l->moved && l->line.len && is_stuck(&l->plan) &&
            claims_untangle(l, err) != ERR_OK)
            return err->code;
        again |= l->moved;
    }
    return !l->finished && all_over(&l->plan) ? finish(l, err) : ERR_OK;
}

/* ---- the interface ---- */

static int local_next(struct queue *q, struct job **ret, struct err *err);

/* 1, or what next() comes to when J, the job of C, has nowhere to run. */
static int place_job(struct local *l, struct config *c, struct job **j, struct err *err)
{
    struct err why = ERR_INIT;
    struct place place;

    if (!l->how.place)
        return 1;
    place_init(&place, &l->plan, c->node, c);
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, &(*j)->arena);
    int r = l->how.place(l->how.ctx, c->node->def, &t, *j, &why);
    place_deinit(&place);
    if (r == ERR_OK)
        return 1;
    job_deinit(*j);
    free(*j);
    return fail_call(l, c, why.text, err) < 0 ? err->code : local_next(&l->base, j, err);
}

static int local_next(struct queue *q, struct job **ret, struct err *err)
{
    struct local *l = local_of(q);
    struct config *c;

    if (advance(l, err) != ERR_OK)
        return err->code;
    c = next_config(&l->plan);
    if (!c)
        return 0;
    c->state = CONFIG_RUNNING;
    *ret = config_job(&l->plan, c, &l->how, ++l->n_handed_out);
    return place_job(l, c, ret, err);
}

static struct config *find_running(struct plan *p, const char *key)
{
    PLAN_EACH_NODE(n, p)
    {
        for (size_t k = 0; k < n->n_configs && !n->inner; k++)
            if (n->configs[k].state == CONFIG_RUNNING && strcmp(n->configs[k].key, key) == 0)
                return &n->configs[k];
    }
    return NULL;
}

static enum queue_result result_parse(const char *text)
{
    for (int r = 0; text && r < QUEUE_RESULTS; r++) {
        if (strcmp(text, queue_result_name((enum queue_result)r)) == 0)
            return (enum queue_result)r;
    }
    return QUEUE_FAILURE;
}

static int local_event(struct queue *q, const char *key, json_t *event, struct slice log,
                       struct err *err)
{
    struct local *l = local_of(q);
    const char *name = json_string_value(json_object_get(event, "event"));
    struct config *c;

    (void)log;
    if (!name || strcmp(name, "job.finished") != 0)
        return ERR_OK;
    c = find_running(&l->plan, key);
    if (!c)
        return err_set(err, ERR_INVALID, "job '%s' is not running", key);
    c->has_result = true;
    c->result = result_parse(json_string_value(json_object_get(event, "result")));
    json_decref(c->outputs);
    c->outputs = json_incref(json_object_get(event, "outputs"));
    return ERR_OK;
}

static int local_ended(struct queue *q, const char *key, const char *why, struct err *err)
{
    struct local *l = local_of(q);
    struct config *c = find_running(&l->plan, key);

    if (!c)
        return err_set(err, ERR_INVALID, "job '%s' is not running", key);
    if (!c->has_result) { /* nobody else can say it */
        c->result = c->stopping ? QUEUE_CANCELLED : QUEUE_FAILURE;
        if (tell_finished(l, c->key, c->name, c->result,
                          why ? why : "its worker ended without a result", err) != ERR_OK)
            return err->code;
    }
    if (config_over(l, c, err) != ERR_OK)
        return err->code;
    return advance(l, err);
}

static void local_cancel(struct queue *q, bool hard)
{
    struct local *l = local_of(q);
    struct plan *p = &l->plan;

    p->cancelled = true;
    p->hard = p->hard || hard;
    for (size_t i = 0; i < p->n_named; i++)
        (void)!flow_cancel(l, p->flows.ptr[i], "the run was cancelled", &l->late);
    if (l->started && !l->late.code)
        (void)!advance(l, &l->late);
}

static bool local_done(const struct queue *q)
{
    return local_of(q)->finished;
}

static void local_detach(struct queue *q)
{
    if (local_of(q)->groups)
        groups_unwatch(local_of(q)->groups);
}

static void local_free(struct queue *q)
{
    struct local *l = local_of(q);

    VEC_EACH (c, &l->line)
        (*c)->ticket = ticket_free((*c)->ticket);
    l->groups = groups_free(l->groups);
    plan_deinit(&l->plan);
    vec_deinit(&l->line);
    json_decref(l->notes);
    arena_deinit(&l->arena);
    free(l);
}

enum queue_result queue_local_result(const struct queue *q)
{
    return local_of(q)->result;
}

json_t *queue_local_outputs(const struct queue *q)
{
    const struct node *first = local_of(q)->plan.flows.ptr[0]->nodes;

    return first->outputs ? json_incref(first->outputs) : json_object();
}

static const char *keep(struct arena *a, const char *text)
{
    return text ? arena_str(a, slice_of(text)) : NULL;
}

/* Whose groups they are: a clone without a remote is a repository of its own. */
static const char *repository_of(const struct local_spec *spec)
{
    const char *name = json_string_value(json_object_get(spec->github, "repository"));

    return name && *name ? name : spec->source ? spec->source : "";
}

int queue_local_new(const struct local_spec *spec, struct queue **ret, struct err *err)
{
    static const struct queue_ops ops = {.next = local_next,
                                         .event = local_event,
                                         .ended = local_ended,
                                         .cancel = local_cancel,
                                         .done = local_done,
                                         .detach = local_detach,
                                         .free = local_free};
    struct local *l = mem_new(sizeof *l);

    l->base.ops = &ops;
    l->how = (struct local_spec){
        .run_id = keep(&l->arena, spec->run_id),
        .isolation = keep(&l->arena, spec->isolation),
        .isolation_required = spec->isolation_required,
        .limits = spec->limits,
        .work_dir = keep(&l->arena, spec->work_dir),
        .source = spec->source,
        .source_ignored = spec->source_ignored,
        .hidden = spec->hidden,
        .plugin_path = spec->plugin_path,
        .plugin_prefer = spec->plugin_prefer,
        .plugin_policies = spec->plugin_policies,
        .node = keep(&l->arena, spec->node),
        .tool_cache = keep(&l->arena, spec->tool_cache),
        .keep = spec->keep,
        .offline = spec->offline,
        .pull = spec->pull,
        .store = spec->store,
        .place = spec->place,
        .ctx = spec->ctx,
    };
    l->notes = json_incref(spec->notes);
    int r = plan_init(&l->plan, spec, err);
    for (size_t i = 0; r == ERR_OK && i < l->plan.n_named; i++)
        r = flow_read_group(&l->plan, l->plan.flows.ptr[i], err);
    if (r != ERR_OK) {
        local_free(&l->base);
        return r;
    }
    if (spec->groups && spec->run_id)
        l->groups = groups_new(spec->groups, repository_of(spec), spec->run_id);
    *ret = &l->base;
    return ERR_OK;
}
