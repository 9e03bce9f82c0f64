#include "queue/local/state.h"

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

void node_over(struct node *n, enum queue_result result)
{
    n->state = NODE_OVER;
    n->result = result;
}

/* A configuration that never ran. */
static int config_drop(struct local *l, struct config *c, const char *why, struct err *err)
{
    c->state = CONFIG_OVER;
    c->result = QUEUE_CANCELLED;
    claim_leave(l, &c->claim);
    return tell_finished(l, c->key, c->name, QUEUE_CANCELLED, why, err);
}

static void config_stop(struct local *l, struct config *c, const char *why)
{
    if (c->stopping)
        return;
    c->stopping = true;
    if (l->base.client.stop)
        l->base.client.stop(l->base.client.ctx, c->key, why);
}

int config_cancel(struct local *l, struct config *c, const char *why, struct err *err)
{
    if (c->state == CONFIG_RUNNING && c->inner)
        return flow_cancel(l, c->inner, why, err);
    if (c->state == CONFIG_RUNNING)
        config_stop(l, c, why);
    else if (c->state == CONFIG_QUEUED && config_drop(l, c, why, err) != ERR_OK)
        return err->code;
    node_settle(c->node);
    return ERR_OK;
}

/* Ends what is queued of N's configurations and stops what runs. A call goes on with what its inside wants
 * to finish. */
static int node_stop(struct local *l, struct node *n, const char *why, struct err *err)
{
    int result = ERR_OK;

    for (size_t i = 0; i < n->n_configs; i++) {
        struct err one = ERR_INIT;

        if (config_cancel(l, &n->configs[i], why, &one) != ERR_OK)
            result = err_set(err, one.code, "%s", one.text);
    }
    return result;
}

/* A call that goes on: each job inside is asked for itself. */
static int calls_cancel(struct local *l, struct node *n, const char *why, struct err *err)
{
    int result = ERR_OK;

    for (size_t i = 0; i < n->n_configs; i++) {
        struct config *c = &n->configs[i];

        if (c->state == CONFIG_RUNNING && c->inner && flow_cancel(l, c->inner, why, err) != ERR_OK)
            result = err->code;
    }
    return result;
}

int flow_cancel(struct local *l, struct flow *f, const char *why, struct err *err)
{
    int result = ERR_OK;

    if (!f->stopped)
        f->stopped = arena_str(&l->arena, slice_of(why));
    if (f->claim.state == CLAIM_WAITS) { /* as on GitHub, not even always() runs then */
        f->barred = true;
        claim_leave(l, &f->claim);
    }
    for (size_t i = 0; i < f->n_nodes; i++) {
        struct node *n = &f->nodes[i];
        struct err ignored = ERR_INIT; /* a condition that fails now keeps nothing going */
        bool go = false;

        if (n->state != NODE_DECIDED)
            continue;
        if (l->plan.hard || node_condition(&l->plan, n, &go, &ignored) != ERR_OK)
            go = false;
        if (go ? calls_cancel(l, n, why, err) != ERR_OK : node_stop(l, n, why, err) != ERR_OK)
            result = err->code;
        node_settle(n);
    }
    return result;
}

int config_over(struct local *l, struct config *c, struct err *err)
{
    struct node *n = c->node;
    int r = ERR_OK;

    c->state = CONFIG_OVER;
    claim_leave(l, &c->claim);
    merge_outputs(n, c->outputs);
    if (c->result == QUEUE_FAILURE && !c->forgiven && n->fail_fast && n->n_configs > 1) {
        CLEANUP(buf_deinit) struct buf why = BUF_INIT(1000);

        buf_printf(&why, "%s failed, and `fail-fast` is on", c->name);
        r = node_stop(l, n, why.ptr, err);
    }
    node_settle(n);
    return r;
}
