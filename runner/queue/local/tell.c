#include "queue/local/state.h"

#include "base/clock.h"

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

int tell_note(struct local *l, const char *job, const char *text, struct err *err)
{
    return emit(l, json_pack("{s:s, s:s, s:s*}", "event", "note", "text", text, "job", job), err);
}

static size_t count_chosen(const struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_named; i++)
        n += outline_count(p->outlines[i]);
    return n;
}

static const char *fact(const struct local *l, const char *key)
{
    const char *text = json_string_value(json_object_get(l->plan.flows.ptr[0]->github, key));

    return text ? text : "";
}

/* "ci, release" and "a.yml, b.yml" when there are several. */
static char *joined(const struct local *l, bool files)
{
    struct buf out = BUF_INIT(4096);

    for (size_t i = 0; i < l->plan.n_named; i++) {
        const struct workflow *w = l->plan.flows.ptr[i]->workflow;

        buf_printf(&out, "%s%s", i ? ", " : "", files ? w->file : w->name);
    }
    return buf_take(&out);
}

int tell_started(struct local *l, struct err *err)
{
    CLEANUP(free_ptr) char *names = joined(l, false);
    CLEANUP(free_ptr) char *files = joined(l, true);
    char now[CLOCK_STAMP_SIZE];
    json_t *note;
    size_t i;

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
        if (tell_note(l, NULL, json_string_value(note), err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

const char *node_key(struct local *l, const struct node *n)
{
    return arena_printf(&l->arena, "%s%s", n->flow->prefix, n->def->id);
}

/* The name that is known without a configuration: a literal one, else the id. */
const char *node_name(struct local *l, const struct node *n)
{
    struct slice name = slice_of(n->def->id);

    if (n->def->name && n->def->name->kind == TOKEN_STRING && n->def->name->text.len)
        name = n->def->name->text;
    return arena_printf(&l->arena, "%s%.*s", n->flow->title, SLICE_ARG(name));
}

int tell_finished(struct local *l, const char *key, const char *name, enum queue_result result,
                  const char *reason, struct err *err)
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

int tell_queued(struct local *l, const struct config *c, struct err *err)
{
    return emit(l,
                json_pack("{s:s, s:s, s:s, s:o, s:I}", "event", "job.queued", "job", c->key, "name",
                          c->name, "needs", needs_list(c->node), "steps",
                          (json_int_t)c->node->def->n_steps),
                err);
}

int tell_run_finished(struct local *l, struct err *err)
{
    return emit(l,
                json_pack("{s:s, s:s, s:I}", "event", "run.finished", "result",
                          queue_result_name(l->result), "elapsed_ms",
                          (json_int_t)(clock_ms() - l->started_ms)),
                err);
}
