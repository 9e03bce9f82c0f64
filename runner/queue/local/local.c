#include "queue/local/local.h"

#include "base/clock.h"
#include "queue/local/plan.h"

struct local {
    struct queue base;
    struct plan plan;
    struct arena arena;    /* holds what `how` points to */
    struct local_spec how; /* the parts that each job is given */
    json_t *notes;
    size_t n_handed_out;
    int64_t started_ms;
    bool started, finished;
    enum queue_result result;
    struct err late; /* of a call that could not return it */
};

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

/* ---- events ---- */

static void decref(json_t **j)
{
    json_decref(*j);
}

/* Names and reasons may quote what a secret is part of; they leave masked as logs do. */
static void mask_members(const struct mask *mask, json_t *event)
{
    const char *key;
    json_t *value;
    void *tmp;

    json_object_foreach_safe(event, tmp, key, value)
    {
        struct slice text = slice_make(json_string_value(value), json_string_length(value));

        if (json_is_string(value) && strcmp(key, "job") != 0 && mask_would_change(mask, text)) {
            struct buf out = BUF_INIT(EVENT_HEAD_MAX);

            mask_apply(mask, text, &out);
            json_object_set_new(event, key, json_stringn(out.ptr, out.len));
            buf_deinit(&out);
        }
    }
}

/* Takes over EVENT. */
static int emit(struct local *l, json_t *take_event, struct err *err)
{
    CLEANUP(decref) json_t *event = take_event;
    const struct queue_client *c = &l->base.client;

    if (!event)
        BUG("an event could not be made");
    mask_members(l->plan.mask, event);
    return c->event ? c->event(c->ctx, event, SLICE(""), err) : ERR_OK;
}

static int emit_note(struct local *l, const char *text, struct err *err)
{
    return emit(l, json_pack("{s:s, s:s}", "event", "note", "text", text), err);
}

static size_t count_chosen(const struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_nodes; i++)
        n += p->nodes[i].chosen;
    return n;
}

static const char *fact(const struct local *l, const char *key)
{
    const char *text = json_string_value(json_object_get(l->plan.flows[0].github, key));

    return text ? text : "";
}

/* "ci, release" and "a.yml, b.yml" when there are several. */
static char *joined(const struct local *l, bool files)
{
    struct buf out = BUF_INIT(4096);

    for (size_t i = 0; i < l->plan.n_flows; i++) {
        const struct workflow *w = l->plan.flows[i].workflow;

        buf_printf(&out, "%s%s", i ? ", " : "", files ? w->file : w->name);
    }
    return buf_take(&out);
}

static int start(struct local *l, struct err *err)
{
    CLEANUP(free_ptr) char *names = joined(l, false);
    CLEANUP(free_ptr) char *files = joined(l, true);
    char now[CLOCK_STAMP_SIZE];
    json_t *note;
    size_t i;

    if (l->started)
        return ERR_OK;
    l->started = true;
    l->started_ms = clock_ms();
    clock_stamp(now);
    if (emit(l,
             json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "event", "run.started",
                       "schema", EVENT_SCHEMA, "run", l->how.run_id ? l->how.run_id : "",
                       "workflow", names, "file", files, "event_name", fact(l, "event_name"), "ref",
                       fact(l, "ref"), "sha", fact(l, "sha"), "time", now, "jobs",
                       (json_int_t)count_chosen(&l->plan)),
             err) != ERR_OK)
        return err->code;
    json_array_foreach (l->notes, i, note) {
        if (emit_note(l, json_string_value(note), err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

static const char *node_key(struct local *l, const struct node *n)
{
    return arena_printf(&l->arena, "%s%s", n->flow->prefix, n->def->id);
}

/* The name that is known without a configuration: a literal one, else the id. */
static const char *node_name(struct local *l, const struct node *n)
{
    struct slice name = slice_of(n->def->id);

    if (n->def->name && n->def->name->kind == TOKEN_STRING && n->def->name->text.len)
        name = n->def->name->text;
    return arena_printf(&l->arena, "%s%.*s", n->flow->title, SLICE_ARG(name));
}

static int emit_finished(struct local *l, const char *key, const char *name,
                         enum queue_result result, const char *reason, struct err *err)
{
    return emit(l,
                json_pack("{s:s, s:s, s:s, s:s, s:i, s:{}, s:s}", "event", "job.finished", "job",
                          key, "name", name, "result", queue_result_name(result), "elapsed_ms", 0,
                          "outputs", "reason", reason),
                err);
}

static json_t *needs_list(const struct node *n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n->n_needs; i++)
        json_array_append_new(list, json_string(n->needs[i]->def->id));
    return list;
}

static int emit_queued(struct local *l, const struct config *c, struct err *err)
{
    return emit(l,
                json_pack("{s:s, s:s, s:s, s:o, s:I}", "event", "job.queued", "job", c->key, "name",
                          c->name, "needs", needs_list(c->node), "steps",
                          (json_int_t)c->node->def->n_steps),
                err);
}

/* ---- results ---- */

/* Of all configurations together; workflow-language.md 13.3. */
static enum queue_result merged_result(const struct node *n)
{
    size_t count[QUEUE_RESULTS] = {0};

    for (size_t i = 0; i < n->n_configs; i++) {
        const struct config *c = &n->configs[i];
        bool forgiven = c->forgiven && c->result == QUEUE_FAILURE;

        count[forgiven ? QUEUE_SUCCESS : c->result]++;
    }
    if (count[QUEUE_FAILURE])
        return QUEUE_FAILURE;
    if (count[QUEUE_CANCELLED])
        return QUEUE_CANCELLED;
    return count[QUEUE_SUCCESS] ? QUEUE_SUCCESS : QUEUE_SKIPPED;
}

/* The configuration that ended last wins where it has something to say. */
static void merge_outputs(struct node *n, json_t *outputs)
{
    const char *key;
    json_t *value;

    if (!n->outputs)
        n->outputs = json_object();
    json_object_foreach (outputs, key, value) {
        if (json_string_length(value) || !json_object_get(n->outputs, key))
            json_object_set(n->outputs, key, value);
    }
}

static void node_settle(struct node *n)
{
    for (size_t i = 0; i < n->n_configs; i++) {
        if (n->configs[i].state != CONFIG_OVER)
            return;
    }
    n->state = NODE_OVER;
    n->result = merged_result(n);
}

static void node_over(struct node *n, enum queue_result result)
{
    n->state = NODE_OVER;
    n->result = result;
}

/* A configuration that never ran. */
static int config_drop(struct local *l, struct config *c, const char *why, struct err *err)
{
    c->state = CONFIG_OVER;
    c->result = QUEUE_CANCELLED;
    return emit_finished(l, c->key, c->name, QUEUE_CANCELLED, why, err);
}

static void config_stop(struct local *l, struct config *c, const char *why)
{
    if (c->stopping)
        return;
    c->stopping = true;
    if (l->base.client.stop)
        l->base.client.stop(l->base.client.ctx, c->key, why);
}

/* Ends what is queued and stops what runs of N's configurations. */
static int node_stop(struct local *l, struct node *n, const char *why, struct err *err)
{
    int result = ERR_OK;

    for (size_t i = 0; i < n->n_configs; i++) {
        struct config *c = &n->configs[i];
        struct err one = ERR_INIT;

        if (c->state == CONFIG_RUNNING)
            config_stop(l, c, why);
        else if (c->state == CONFIG_QUEUED && config_drop(l, c, why, &one) != ERR_OK)
            result = err_set(err, one.code, "%s", one.text);
    }
    return result;
}

static int config_over(struct local *l, struct config *c, struct err *err)
{
    struct node *n = c->node;
    int r = ERR_OK;

    c->state = CONFIG_OVER;
    merge_outputs(n, c->outputs);
    if (c->result == QUEUE_FAILURE && !c->forgiven && n->fail_fast && n->n_configs > 1) {
        CLEANUP(buf_deinit) struct buf why = BUF_INIT(1000);

        buf_printf(&why, "%s failed, and `fail-fast` is on", c->name);
        r = node_stop(l, n, why.ptr, err);
    }
    node_settle(n);
    return r;
}

/* ---- deciding ---- */

static int skip_node(struct local *l, struct node *n, enum queue_result result, const char *why,
                     struct err *err)
{
    node_over(n, result);
    return emit_finished(l, node_key(l, n), node_name(l, n), result, why, err);
}

static int decide(struct local *l, struct node *n, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err why = ERR_INIT;
    bool go = false;

    if (l->plan.hard)
        return skip_node(l, n, QUEUE_CANCELLED, "the run was cancelled", err);
    if (node_condition(&l->plan, n, &go, &why) != ERR_OK)
        return skip_node(l, n, QUEUE_FAILURE, why.text, err);
    if (!go && l->plan.cancelled)
        return skip_node(l, n, QUEUE_CANCELLED, "the run was cancelled", err);
    if (!go)
        return skip_node(l, n, QUEUE_SKIPPED, node_why_not(&l->plan, n, &a), err);
    if (node_expand(&l->plan, n, &why) != ERR_OK)
        return skip_node(l, n, QUEUE_FAILURE, why.text, err);
    if (!n->n_configs)
        return skip_node(l, n, QUEUE_SKIPPED, "--matrix leaves none of its configurations", err);
    n->state = NODE_DECIDED;
    for (size_t i = 0; i < n->n_configs; i++) {
        if (emit_queued(l, &n->configs[i], err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

static bool is_ready(const struct node *n)
{
    if (!n->chosen || n->state != NODE_WAITING)
        return false;
    for (size_t i = 0; i < n->n_needs; i++) {
        if (n->needs[i]->state != NODE_OVER)
            return false;
    }
    return true;
}

static bool all_over(const struct plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        if (p->nodes[i].chosen && p->nodes[i].state != NODE_OVER)
            return false;
    }
    return true;
}

static int finish(struct local *l, struct err *err)
{
    const struct plan *p = &l->plan;
    size_t count[QUEUE_RESULTS] = {0};

    l->finished = true;
    for (size_t i = 0; i < p->n_nodes; i++)
        count[p->nodes[i].result] += p->nodes[i].chosen;
    l->result = count[QUEUE_FAILURE]     ? QUEUE_FAILURE
                : count[QUEUE_CANCELLED] ? QUEUE_CANCELLED
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
        if (emit_note(l, text, err) != ERR_OK)
            return err->code;
    }
    return emit(l,
                json_pack("{s:s, s:s, s:I}", "event", "run.finished", "result",
                          queue_result_name(l->result), "elapsed_ms",
                          (json_int_t)(clock_ms() - l->started_ms)),
                err);
}

/* Decides all that can be decided; a job that is skipped may free others. */
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
        again = false;
        for (size_t i = 0; i < l->plan.n_nodes; i++) {
            if (!is_ready(&l->plan.nodes[i]))
                continue;
            again = true;
            if (decide(l, &l->plan.nodes[i], err) != ERR_OK)
                return err->code;
        }
    }
    return !l->finished && all_over(&l->plan) ? finish(l, err) : ERR_OK;
}

/* ---- the interface ---- */

static size_t running(const struct node *n)
{
    size_t count = 0;

    for (size_t i = 0; i < n->n_configs; i++)
        count += n->configs[i].state == CONFIG_RUNNING;
    return count;
}

static struct config *next_config(struct plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct node *n = &p->nodes[i];

        if (n->state != NODE_DECIDED || running(n) >= n->max_parallel)
            continue;
        for (size_t k = 0; k < n->n_configs; k++) {
            if (n->configs[k].state == CONFIG_QUEUED)
                return &n->configs[k];
        }
    }
    return NULL;
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
    return 1;
}

static struct config *find_running(struct plan *p, const char *key)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        for (size_t k = 0; k < p->nodes[i].n_configs; k++) {
            struct config *c = &p->nodes[i].configs[k];

            if (c->state == CONFIG_RUNNING && strcmp(c->key, key) == 0)
                return c;
        }
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
        if (emit_finished(l, c->key, c->name, c->result,
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
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct node *n = &p->nodes[i];
        struct err ignored = ERR_INIT; /* a condition that fails now keeps nothing going */
        bool go = false;

        if (n->state != NODE_DECIDED)
            continue;
        if (!p->hard && node_condition(p, n, &go, &ignored) == ERR_OK && go)
            continue;
        (void)!node_stop(l, n, "the run was cancelled", &l->late);
        node_settle(n);
    }
    if (l->started && !l->late.code)
        (void)!advance(l, &l->late);
}

static bool local_done(const struct queue *q)
{
    return local_of(q)->finished;
}

static void local_free(struct queue *q)
{
    struct local *l = local_of(q);

    plan_deinit(&l->plan);
    json_decref(l->notes);
    arena_deinit(&l->arena);
    free(l);
}

enum queue_result queue_local_result(const struct queue *q)
{
    return local_of(q)->result;
}

static const char *keep(struct arena *a, const char *text)
{
    return text ? arena_str(a, slice_of(text)) : NULL;
}

int queue_local_new(const struct local_spec *spec, struct queue **ret, struct err *err)
{
    static const struct queue_ops ops = {.next = local_next,
                                         .event = local_event,
                                         .ended = local_ended,
                                         .cancel = local_cancel,
                                         .done = local_done,
                                         .free = local_free};
    struct local *l = mem_new(sizeof *l);

    l->base.ops = &ops;
    l->how = (struct local_spec){
        .run_id = keep(&l->arena, spec->run_id),
        .isolation = keep(&l->arena, spec->isolation),
        .isolation_required = spec->isolation_required,
        .work_dir = keep(&l->arena, spec->work_dir),
        .source = spec->source,
        .source_ignored = spec->source_ignored,
        .plugin_path = spec->plugin_path,
        .plugin_prefer = keep(&l->arena, spec->plugin_prefer),
        .tool_cache = keep(&l->arena, spec->tool_cache),
        .keep = spec->keep,
        .offline = spec->offline,
    };
    l->notes = json_incref(spec->notes);
    if (plan_init(&l->plan, spec, err) != ERR_OK) {
        local_free(&l->base);
        return err->code;
    }
    *ret = &l->base;
    return ERR_OK;
}
