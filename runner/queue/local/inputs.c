/* The inputs of workflow_dispatch: what was given, typed as the workflow declares it. */
#include "queue/local/plan.h"

#include "lang/template.h"

#include <math.h>
#include <strings.h>

struct input {
    const struct flow *flow;
    const struct token *key, *declared; /* its mapping; may be null */
    const char *id;
    struct slice type;
};

static int refuse(const struct input *in, struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "%s:%d:%d: input '%s' %s", in->flow->workflow->file,
                   in->key->line, in->key->col, in->id, why);
}

static int choice(const struct input *in, struct arena *a, struct slice value, struct err *err)
{
    const struct token *options = token_find(in->declared, "options");
    CLEANUP(buf_deinit) struct buf known = BUF_INIT(100);

    if (!options || options->kind != TOKEN_SEQUENCE)
        return ERR_OK;
    for (size_t i = 0; i < options->n_items; i++) {
        struct slice one = token_text(a, options->items[i]);

        if (slice_eq(one, value))
            return ERR_OK;
        buf_printf(&known, "%s%.*s", i ? ", " : "", SLICE_ARG(one));
    }
    return refuse(in, err,
                  arena_printf(a, "cannot be '%.*s'; it is one of: %s",
                               SLICE_ARG(slice_head(value, 60)), known.ptr));
}

static int typed(const struct input *in, struct arena *a, struct slice value, json_t **ret,
                 struct err *err)
{
    if (slice_eq(in->type, SLICE("boolean"))) {
        if (!slice_eq_nocase(value, SLICE("true")) && !slice_eq_nocase(value, SLICE("false")))
            return refuse(in, err,
                          arena_printf(a, "must be true or false, not '%.*s'",
                                       SLICE_ARG(slice_head(value, 60))));
        *ret = json_boolean(slice_eq_nocase(value, SLICE("true")));
        return ERR_OK;
    }
    if (slice_eq(in->type, SLICE("number"))) {
        double n = expr_parse_number(value);

        if (isnan(n) || isinf(n))
            return refuse(
                in, err,
                arena_printf(a, "must be a number, not '%.*s'", SLICE_ARG(slice_head(value, 60))));
        *ret = json_real(n);
        return ERR_OK;
    }
    if (slice_eq(in->type, SLICE("choice")) && choice(in, a, value, err) != ERR_OK)
        return err->code;
    *ret = json_stringn(value.ptr ? value.ptr : "", value.len);
    return *ret ? ERR_OK : refuse(in, err, "is not UTF-8 text");
}

/* What stands in for an input that was not given. */
static struct slice fallback(const struct input *in, struct arena *a)
{
    const struct token *value = token_find(in->declared, "default");

    if (value && value->kind != TOKEN_NULL)
        return token_text(a, value);
    if (slice_eq(in->type, SLICE("boolean")))
        return SLICE("false");
    return slice_eq(in->type, SLICE("number")) ? SLICE("0") : SLICE("");
}

static int one_input(struct plan *p, const struct input *in, const struct strmap *given,
                     json_t *inputs, json_t *as_text, struct err *err)
{
    struct slice value = {0};
    const struct token *required = token_find(in->declared, "required");
    const json_t *event = json_object_get(in->flow->github, "event");
    const json_t *from_file = json_object_get(json_object_get(event, "inputs"), in->id);
    json_t *json = NULL;
    bool was_given = false;

    if (given)
        STRMAP_EACH (i, given)
            if (strcasecmp(i->name, in->id) == 0) {
                value = strmap_value(i);
                was_given = true;
            }
    if (!was_given && json_is_string(from_file)) {
        value = slice_make(json_string_value(from_file), json_string_length(from_file));
        was_given = true;
    }
    if (!was_given && required && required->kind == TOKEN_BOOL && required->boolean &&
        !token_find(in->declared, "default"))
        return refuse(in, err,
                      arena_printf(&p->arena, "is required: give it with --input %s=...", in->id));
    if (!was_given)
        value = fallback(in, &p->arena);
    /* A choice without a default is empty until somebody chooses. */
    if (!was_given && !value.len)
        json = json_string("");
    else if (typed(in, &p->arena, value, &json, err) != ERR_OK)
        return err->code;
    json_object_set_new(inputs, in->id, json);
    json_object_set_new(as_text, in->id, json_stringn(value.ptr ? value.ptr : "", value.len));
    return ERR_OK;
}

static const struct token *declared_inputs(const struct workflow *w)
{
    const struct workflow_event *e = workflow_event_find(w, "workflow_dispatch");
    const struct token *inputs = e ? token_find(e->config, "inputs") : NULL;

    return inputs && inputs->kind == TOKEN_MAPPING ? inputs : NULL;
}

static bool declares(const struct workflow *w, struct arena *a, struct slice id)
{
    const struct token *inputs = declared_inputs(w);

    for (size_t i = 0; inputs && i < inputs->n_pairs; i++) {
        if (slice_eq_nocase(token_text(a, inputs->pairs[i].key), id))
            return true;
    }
    return false;
}

static int refuse_unknown(struct plan *p, const struct local_spec *spec, struct err *err)
{
    STRMAP_EACH (i, spec->inputs) {
        bool known = false;

        for (size_t k = 0; k < spec->n_workflows; k++)
            known = known || declares(spec->workflows[k], &p->arena, strmap_name(i));
        if (!known)
            return err_set(err, ERR_INVALID, "%s: `workflow_dispatch` declares no input '%s'",
                           spec->n_workflows == 1 ? spec->workflows[0]->file : "the workflows",
                           i->name);
    }
    return ERR_OK;
}

int plan_inputs(struct plan *p, struct flow *f, const struct local_spec *spec, struct err *err)
{
    const struct token *inputs = declared_inputs(f->workflow);
    const char *event_name = json_string_value(json_object_get(f->github, "event_name"));
    json_t *event = json_object_get(f->github, "event"), *as_text;

    f->inputs = json_object();
    if (!event_name || strcmp(event_name, "workflow_dispatch") != 0) {
        if (spec->inputs && spec->inputs->len)
            return err_set(err, ERR_INVALID,
                           "inputs belong to the event workflow_dispatch, not to '%s'",
                           event_name ? event_name : "");
        return ERR_OK;
    }
    if (spec->inputs && refuse_unknown(p, spec, err) != ERR_OK)
        return err->code;
    as_text = json_object();
    for (size_t i = 0; inputs && i < inputs->n_pairs; i++) {
        struct input in = {.flow = f,
                           .key = inputs->pairs[i].key,
                           .declared = inputs->pairs[i].value,
                           .type = SLICE("string")};
        const struct token *type = token_find(in.declared, "type");

        in.id = arena_str(&p->arena, token_text(&p->arena, in.key));
        if (type && type->kind == TOKEN_STRING)
            in.type = type->text;
        if (one_input(p, &in, spec->inputs, f->inputs, as_text, err) != ERR_OK) {
            json_decref(as_text);
            return err->code;
        }
    }
    if (json_is_object(event))
        json_object_set(event, "inputs", as_text);
    json_decref(as_text);
    return ERR_OK;
}
