/* A call: what goes in (`with`, `secrets`) and what comes out (workflow-language.md 12). */
#include "queue/local/plan.h"

#include "lang/workflow/calls.h"

#include <strings.h>

/* The value of OBJECT under NAME, which ignores case; NULL: none. */
static json_t *member(json_t *object, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value)
        if (strcasecmp(key, name) == 0)
            return value;
    return NULL;
}

/* The token that WITH gives NAME by; NULL: an expression made all of it. */
static const struct token *place_of(const struct token *with, const char *name)
{
    const struct token_pair *pair = call_pair(with, slice_of(name));

    return pair ? pair->value : NULL;
}

/* Something in KEY ("with") of C's job is wrong; AT tells where. */
static int refuse(const struct config *c, const char *key, const struct token *at,
                  const char *message, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(sizeof err->text);

    if (at && at->line)
        buf_printf(&text, "(Line: %d, Col: %d): ", at->line, at->col);
    buf_add_str(&text, message);
    (void)err_set(err, ERR_INVALID, "%s", text.ptr);
    return job_error(c->node, NULL, key, err);
}

/* GIVEN has only names that MAP declares. */
static int check_names(const struct config *c, const char *key, const struct token *values,
                       const struct token *map, json_t *given, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach (given, name, value) {
        char text[160];

        if (call_pair(map, slice_of(name)))
            continue;
        (void)snprintf(text, sizeof text,
                       "Invalid %s, %.60s is not defined in the referenced workflow.",
                       *key == 'w' ? "input" : "secret", name);
        return refuse(c, key, place_of(values, name), text, err);
    }
    return ERR_OK;
}

/* ---- inputs ---- */

static bool fits(const json_t *value, struct slice type)
{
    if (slice_eq(type, SLICE("boolean")))
        return json_is_boolean(value);
    if (slice_eq(type, SLICE("number")))
        return json_is_number(value);
    return !json_is_object(value) && !json_is_array(value);
}

/* VALUE as an input of TYPE has it: a string takes any scalar as text. New reference. */
static json_t *as_input(struct arena *a, json_t *value, struct slice type)
{
    struct expr_value v = expr_from_json(value);
    struct slice text;

    if (!slice_eq(type, SLICE("string")))
        return json_incref(value);
    text = expr_string(a, &v);
    return json_stringn(text.ptr ? text.ptr : "", text.len);
}

static json_t *empty_input(struct slice type)
{
    if (slice_eq(type, SLICE("boolean")))
        return json_false();
    return slice_eq(type, SLICE("number")) ? json_integer(0) : json_string("");
}

/* What stands in for the input that ONE declares: its default, where the inputs before it are known. */
static int default_input(struct plan *p, const struct config *c, struct arena *a,
                         const struct token_pair *one, json_t **ret, const char **ret_mark,
                         struct err *err)
{
    const struct token *value = token_find(one->value, "default");
    CLEANUP(place_deinit) struct place place = {.plan = p, .flow = c->inner};
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, a);

    if (!value || value->kind == TOKEN_NULL) {
        *ret = empty_input(call_input_type(one->value));
        return ERR_OK;
    }
    int r = template_json(&t, value, ret, err);
    *ret_mark = place.open.mark;
    return r;
}

static int one_input(struct plan *p, const struct config *c, const struct template_eval *t,
                     const struct token_pair *one, json_t *given, struct err *err)
{
    struct arena *a = t->arena;
    const struct workflow_job *d = c->node->def;
    struct slice type = call_input_type(one->value);
    const char *name = arena_str(a, one->key->text);
    json_t *value = json_incref(member(given, name));
    const struct token *at = value ? place_of(d->with, name) : NULL;
    const struct token *required = token_find(one->value, "required");
    const char *mark = at && template_is_open(t->open, at) ? t->open->mark : NULL;
    int r = ERR_OK;

    if (!value && required && required->kind == TOKEN_BOOL && required->boolean)
        return refuse(
            c, "with", NULL,
            arena_printf(a, "Input %s is required, but not provided while calling.", name), err);
    if (!value && default_input(p, c, a, one, &value, &mark, err) != ERR_OK)
        return job_error(c->node, c->inner->workflow->file, "with", err);
    if (mark) { /* a text with marks, whatever it is to be */
        const char *text = arena_str(&p->arena, slice_of(json_string_value(value)));

        marks_add(&c->inner->marks, &p->arena, "inputs", name, text);
        json_object_set(c->inner->inputs, name, value);
    } else if (fits(value, type)) {
        json_object_set_new(c->inner->inputs, name, as_input(a, value, type));
    } else {
        struct expr_value v = expr_from_json(value);
        struct slice text = slice_head(expr_string(a, &v), 60);

        r = refuse(c, "with", at,
                   arena_printf(a, "Unexpected value '%.*s': input '%s' is a %.*s", SLICE_ARG(text),
                                name, SLICE_ARG(type)),
                   err);
    }
    json_decref(value);
    return r;
}

static int set_inputs(struct plan *p, const struct config *c, const struct template_eval *t,
                      struct err *err)
{
    const struct token *with = c->node->def->with;
    const struct token *declared = call_declares(c->inner->workflow, "inputs");
    json_t *given = NULL;
    int r;

    c->inner->inputs = json_object();
    if (template_json(t, with, &given, err) != ERR_OK)
        return job_error(c->node, NULL, "with", err);
    r = check_names(c, "with", with, declared, given, err);
    for (size_t i = 0; r == ERR_OK && declared && i < declared->n_pairs; i++)
        r = one_input(p, c, t, &declared->pairs[i], given, err);
    json_decref(given);
    return r;
}

/* ---- secrets ---- */

json_t *flow_secrets(const struct flow *f)
{
    json_t *o = json_object();

    STRMAP_EACH (i, &f->secrets)
        json_object_set_new(o, i->name, json_stringn(i->value, i->value_len));
    return o;
}

/* Those of the caller that SECRETS names, under the names it gives them; empty ones are not passed. */
static int map_secrets(struct plan *p, const struct config *c, struct arena *a,
                       const struct template_eval *t, struct err *err)
{
    const struct token *secrets = c->node->def->secrets;
    json_t *given = NULL, *value;
    const char *name;
    int r;

    if (template_json(t, secrets, &given, err) != ERR_OK)
        return job_error(c->node, NULL, "secrets", err);
    r = check_names(c, "secrets", secrets, call_declares(c->inner->workflow, "secrets"), given,
                    err);
    json_object_foreach (given, name, value) {
        struct expr_value v = expr_from_json(value);
        struct slice text = expr_string(a, &v);

        if (r != ERR_OK || !text.len || template_is_open(t->open, place_of(secrets, name)))
            continue;
        strmap_set(&c->inner->secrets, slice_of(name), text);
        (void)!mask_add(p->mask, text); /* beyond its limit everything is masked */
    }
    json_decref(given);
    return r;
}

/* The token of the run is everybody's. */
static int set_secrets(struct plan *p, const struct config *c, struct arena *a,
                       const struct template_eval *t, struct err *err)
{
    static const char token_name[] = "GITHUB_TOKEN";
    const struct flow *caller = c->node->flow;
    const struct token *secrets = c->node->def->secrets;
    const char *token = strmap_get(&caller->secrets, token_name);

    if (secrets && secrets->kind == TOKEN_STRING) /* inherit */
        strmap_merge(&c->inner->secrets, &caller->secrets);
    else if (secrets && map_secrets(p, c, a, t, err) != ERR_OK)
        return err->code;
    if (token)
        strmap_set(&c->inner->secrets, slice_of(token_name), slice_of(token));
    return ERR_OK;
}

int call_open(struct plan *p, struct config *c, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(place_deinit) struct place place;

    place_init(&place, p, c->node, c);
    place.secrets = flow_secrets(c->node->flow);
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, &a);
    c->inner = plan_add_flow(p, c->node->inner, c);
    if (set_inputs(p, c, &t, err) == ERR_OK && set_secrets(p, c, &a, &t, err) == ERR_OK &&
        flow_read_group(p, c->inner, err) == ERR_OK)
        return ERR_OK;
    c->inner->n_nodes = 0; /* what is inside never starts */
    c->inner = NULL;
    return err->code;
}

/* ---- outputs ---- */

static json_t *jobs_context(const struct flow *f)
{
    json_t *jobs = json_object();

    for (size_t i = 0; i < f->n_nodes; i++) {
        const struct node *n = &f->nodes[i];
        json_t *outputs = n->outputs ? json_incref(n->outputs) : json_object();

        if (n->chosen)
            json_object_set_new(jobs, n->def->id,
                                json_pack("{s:s, s:o}", "result", queue_result_name(n->result),
                                          "outputs", outputs));
        else
            json_decref(outputs);
    }
    return jobs;
}

int call_close(struct plan *p, struct config *c, const char **ret_note, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const struct token *declared = call_declares(c->inner->workflow, "outputs");
    struct place place = {.plan = p, .flow = c->inner, .jobs = jobs_context(c->inner)};
    struct expr_scope scope = place_scope(&place);
    struct template_eval t = place_eval(&place, &scope, &a);
    int r = ERR_OK;

    *ret_note = NULL;
    c->result = flow_result(c->inner);
    c->outputs = json_object();
    for (size_t i = 0; r == ERR_OK && declared && i < declared->n_pairs; i++) {
        const char *name = arena_str(&a, declared->pairs[i].key->text);
        struct slice value = {0};

        const struct token *at = token_find(declared->pairs[i].value, "value");

        r = template_string(&t, at, &value, err);
        if (r == ERR_OK && template_is_open(t.open, at))
            strmap_set(&c->node->open, slice_of(name), value);
        else if (r == ERR_OK && mask_would_change(p->mask, value))
            *ret_note = arena_printf(
                &p->arena, "%s: output '%s' is left out since it may hold a secret", c->name, name);
        else if (r == ERR_OK)
            json_object_set_new(c->outputs, name,
                                json_stringn(value.ptr ? value.ptr : "", value.len));
    }
    place_deinit(&place);
    return r == ERR_OK ? r : job_error(c->node, c->inner->workflow->file, "outputs", err);
}
