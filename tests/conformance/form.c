#include "form.h"

#include "conformance.h"

#include "lang/workflow/calls.h"

#include <math.h>

/* ---- tokens ---- */

static json_t *text_form(struct slice s)
{
    return json_stringn_nocheck(s.ptr ? s.ptr : "", s.len);
}

/* Numbers that JSON has not are written as words. */
static json_t *number_form(double n)
{
    if (isnan(n))
        return json_string("NaN");
    if (isinf(n))
        return json_string(n < 0 ? "-Infinity" : "Infinity");
    return json_real(n);
}

static json_t *sequence_form(const struct token *tok, bool source)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tok->n_items; i++)
        json_array_append_new(list, form_token(tok->items[i], source));
    return list;
}

static json_t *mapping_form(const struct token *tok, bool source)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tok->n_pairs; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o}", "Key", form_token(tok->pairs[i].key, source),
                                        "Value", form_token(tok->pairs[i].value, source)));
    return list;
}

/* The member that says what a token is, and its value. */
static const char *value_form(const struct token *tok, bool source, json_t **ret)
{
    switch (tok->kind) {
    case TOKEN_STRING:
        *ret = text_form(tok->text);
        return "lit";
    case TOKEN_SEQUENCE:
        *ret = sequence_form(tok, source);
        return "seq";
    case TOKEN_MAPPING:
        *ret = mapping_form(tok, source);
        return "map";
    case TOKEN_EXPR:
        *ret = text_form(tok->text);
        return "expr";
    case TOKEN_INSERT:
        *ret = json_string("insert");
        return "directive";
    case TOKEN_BOOL:
        *ret = json_boolean(tok->boolean);
        return "bool";
    case TOKEN_NUMBER:
        *ret = number_form(tok->number);
        return "num";
    default:
        *ret = json_null();
        return NULL;
    }
}

json_t *form_token(const struct token *tok, bool source)
{
    bool plain = tok->kind == TOKEN_STRING || tok->kind == TOKEN_BOOL ||
                 tok->kind == TOKEN_NUMBER || tok->kind == TOKEN_NULL;
    json_t *value, *whole;
    const char *member = value_form(tok, source, &value);

    if (plain && !source)
        return value;
    whole = json_pack("{s:f}", "type", (double)tok->kind);
    if (source && tok->line) {
        json_object_set_new(whole, "file", json_real(tok->file));
        json_object_set_new(whole, "line", json_real(tok->line));
        json_object_set_new(whole, "col", json_real(tok->col));
    }
    if (member)
        json_object_set_new(whole, member, value);
    return whole;
}

static void put(json_t *to, const char *name, const struct token *tok, bool source)
{
    if (tok)
        json_object_set_new(to, name, form_token(tok, source));
}

/* The complete condition, at the place of what was WRITTEN (NULL: nothing was). */
static json_t *condition_form(const char *condition, const struct token *written, bool source)
{
    struct token whole = {.kind = TOKEN_EXPR, .text = slice_of(condition)};

    if (written) {
        whole.file = written->file;
        whole.line = written->line;
        whole.col = written->col;
    }
    return form_token(&whole, source);
}

/* ---- permissions ---- */

static const char *const scopes[] = {
    "actions",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "statuses",
    "security-events",
    "repository-projects",
};

static void put_permissions(json_t *to, const struct token *tok)
{
    json_t *levels = json_object();

    if (!tok) {
        json_decref(levels);
        return;
    }
    for (size_t i = 0; tok->kind == TOKEN_STRING && i < COUNT_OF(scopes); i++)
        json_object_set_new(levels, scopes[i],
                            json_string(slice_eq(tok->text, SLICE("read-all")) ? "read" : "write"));
    for (size_t i = 0; tok->kind == TOKEN_MAPPING && i < tok->n_pairs; i++)
        if (!slice_eq(tok->pairs[i].value->text, SLICE("none")))
            json_object_setn_new_nocheck(levels, tok->pairs[i].key->text.ptr,
                                         tok->pairs[i].key->text.len,
                                         text_form(tok->pairs[i].value->text));
    json_object_set_new(to, "permissions", levels);
}

/* ---- steps ---- */

static json_t *steps_form(const struct step *steps, size_t n, bool source);

static void put_control(json_t *to, const struct step *s, bool source)
{
    json_t *targets;

    switch (s->control) {
    case CONTROL_WAIT:
        targets = json_array();
        for (size_t i = 0; i < s->n_targets; i++)
            json_array_append_new(targets, json_string(s->targets[i]));
        json_object_set_new(to, "wait", targets);
        break;
    case CONTROL_WAIT_ALL:
        json_object_set_new(to, "wait-all", json_true());
        break;
    case CONTROL_CANCEL:
        json_object_set_new(to, "cancel", json_string(s->targets[0]));
        break;
    case CONTROL_PARALLEL:
        json_object_set_new(to, "parallel", steps_form(s->steps, s->n_steps, source));
        break;
    default:
        json_object_set_new(to, "if",
                            condition_form(s->condition, token_find(s->node, "if"), source));
    }
}

static json_t *step_form(const struct step *s, bool source)
{
    json_t *o = json_pack("{s:s}", "id", s->id);

    put(o, "name", s->name, source);
    put_control(o, s, source);
    put(o, "continue-on-error", s->continue_on_error, source);
    put(o, "timeout-minutes", s->timeout_minutes, source);
    put(o, "env", s->env, source);
    put(o, "working-directory", s->working_directory, source);
    put(o, "shell", s->shell, source);
    put(o, "run", s->run, source);
    put(o, "uses", token_find(s->node, "uses"), source);
    put(o, "with", s->with, source);
    put(o, "background", token_find(s->node, "background"), source);
    return o;
}

static json_t *steps_form(const struct step *steps, size_t n, bool source)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, step_form(&steps[i], source));
    return list;
}

/* ---- jobs ---- */

static json_t *needs_form(const struct workflow_job *job, bool source)
{
    const struct token *needs = token_find(job->node, "needs");
    json_t *list = json_array();

    if (needs && needs->kind == TOKEN_SEQUENCE) {
        json_decref(list);
        return sequence_form(needs, source);
    }
    if (needs)
        json_array_append_new(list, form_token(needs, source));
    return list;
}

static void put_normal(json_t *to, const struct workflow_job *job, bool source)
{
    static const char *const members[] = {
        "runs-on",
        "timeout-minutes",
        "cancel-timeout-minutes",
        "continue-on-error",
        "container",
        "services",
        "env",
        "environment",
        "outputs",
        "defaults",
        "snapshot",
    };

    for (size_t i = 0; i < COUNT_OF(members); i++)
        put(to, members[i], token_find(job->node, members[i]), source);
    json_object_set_new(to, "steps", steps_form(job->steps, job->n_steps, source));
}

static json_t *job_form(const struct workflow_job *job, const struct token *permissions,
                        bool source);

static void put_calling(json_t *to, const struct workflow_job *job, const struct token *permissions,
                        bool source)
{
    const struct workflow *called = job->called;
    json_t *jobs = json_array();

    put(to, "ref", token_find(job->node, "uses"), source);
    put(to, "input-values", job->with, source);
    if (job->secrets && job->secrets->kind == TOKEN_STRING)
        json_object_set_new(to, "inherit-secrets", json_true());
    else
        put(to, "secret-values", job->secrets, source);
    for (size_t i = 0; called && i < called->n_jobs; i++)
        json_array_append_new(jobs, job_form(&called->jobs[i], permissions, source));
    json_object_set_new(to, "jobs", jobs);
    if (!called)
        return;
    put(to, "input-definitions", call_declares(called, "inputs"), source);
    put(to, "secret-definitions", call_declares(called, "secrets"), source);
    put(to, "outputs", call_declares(called, "outputs"), source);
    put(to, "defaults", token_find(called->root, "defaults"), source);
    put(to, "env", called->env, source);
    put(to, "embedded-concurrency", called->concurrency, source);
}

/* PERMISSIONS: of the calling job, for those that say nothing. */
static json_t *job_form(const struct workflow_job *job, const struct token *permissions,
                        bool source)
{
    const struct token *node = job->node;
    const struct token *granted = job->permissions ? job->permissions : permissions;
    struct token id = {.kind = TOKEN_STRING,
                       .file = node->file,
                       .line = job->line,
                       .col = job->col,
                       .text = slice_of(job->id)};
    bool named = job->name && !(job->name->kind == TOKEN_STRING && !job->name->text.len);
    json_t *o = json_pack("{s:s}", "type", job->uses ? "reusableWorkflowJob" : "job");

    put(o, "id", &id, source);
    put(o, "name", named ? job->name : &id, source);
    json_object_set_new(o, "needs", needs_form(job, source));
    json_object_set_new(o, "if", condition_form(job->condition, token_find(node, "if"), source));
    put(o, "strategy", job->strategy, source);
    put(o, "concurrency", job->concurrency, source);
    put_permissions(o,
                    job->called && job->called->permissions ? job->called->permissions : granted);
    if (job->uses)
        put_calling(o, job, granted, source);
    else
        put_normal(o, job, source);
    return o;
}

/* ---- events ---- */

/* Untyped: null is an empty object, a text where a list may stand is a list of one. */
static json_t *plain_form(const struct token *tok)
{
    json_t *o;

    switch (tok->kind) {
    case TOKEN_NULL:
        return json_object();
    case TOKEN_SEQUENCE:
        o = json_array();
        for (size_t i = 0; i < tok->n_items; i++)
            json_array_append_new(o, plain_form(tok->items[i]));
        return o;
    case TOKEN_MAPPING:
        o = json_object();
        for (size_t i = 0; i < tok->n_pairs; i++)
            json_object_setn_new_nocheck(o, tok->pairs[i].key->text.ptr,
                                         tok->pairs[i].key->text.len,
                                         plain_form(tok->pairs[i].value));
        return o;
    default:
        return form_token(tok, false);
    }
}

static void add_types(json_t *inputs)
{
    const char *key;
    json_t *input;

    json_object_foreach (inputs, key, input)
        if (!json_object_get(input, "type"))
            json_object_set_new(input, "type", json_string("string"));
}

static json_t *event_form(const struct workflow_event *event)
{
    json_t *o = event->config ? plain_form(event->config) : json_object(), *value;
    const char *key;
    void *tmp;

    if (json_is_array(o))
        return o;
    json_object_foreach_safe(o, tmp, key, value) if (json_is_string(value))
        json_object_set_new(o, key, json_pack("[O]", value));
    if (strcmp(event->name, "workflow_dispatch") == 0)
        add_types(json_object_get(o, "inputs"));
    return o;
}

json_t *form_events(const struct workflow *w)
{
    json_t *events = json_object();

    for (size_t i = 0; i < w->n_events; i++)
        json_object_set_new(events, w->events[i].name, event_form(&w->events[i]));
    return events;
}

static void put_input_types(json_t *to, const struct workflow *w)
{
    const struct workflow_event *dispatch = workflow_event_find(w, "workflow_dispatch");
    const struct token *inputs = token_find(dispatch ? dispatch->config : NULL, "inputs");
    json_t *types = json_object();

    for (size_t i = 0; inputs && inputs->kind == TOKEN_MAPPING && i < inputs->n_pairs; i++) {
        const struct token *type = token_find(inputs->pairs[i].value, "type");

        json_object_setn_new_nocheck(types, inputs->pairs[i].key->text.ptr,
                                     inputs->pairs[i].key->text.len,
                                     type ? text_form(type->text) : json_string("string"));
    }
    if (json_object_size(types))
        json_object_set(to, "input-types", types);
    json_decref(types);
}

static void add_files(json_t *list, const struct workflow *w)
{
    bool known = false;

    for (size_t i = 0; i < json_array_size(list); i++)
        known = known || strcmp(json_string_value(json_array_get(list, i)), w->file) == 0;
    if (!known)
        json_array_append_new(list, json_string(w->file));
    for (size_t i = 0; i < w->n_jobs; i++)
        if (w->jobs[i].called)
            add_files(list, w->jobs[i].called);
}

static json_t *files_form(const struct workflow *w)
{
    json_t *list = json_array();

    add_files(list, w);
    return list;
}

json_t *form_workflow(const struct workflow *w, bool source)
{
    json_t *o = json_object(), *jobs = json_array();

    put_input_types(o, w);
    put_permissions(o, w->permissions);
    put(o, "env", w->env, source);
    put(o, "concurrency", w->concurrency, source);
    put(o, "defaults", token_find(w->root, "defaults"), source);
    for (size_t i = 0; i < w->n_jobs; i++)
        json_array_append_new(jobs, job_form(&w->jobs[i], NULL, source));
    json_object_set_new(o, "jobs", jobs);
    if (source)
        json_object_set_new(o, "file-table", files_form(w));
    return o;
}

/* ---- comparing ---- */

static char *dump(struct arena *a, const json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    char *copy = arena_str(a, text ? slice_of(text) : SLICE("nothing"));

    free(text);
    return copy;
}

char *form_differs(struct arena *a, const json_t *wanted, const json_t *got)
{
    const char *key;
    json_t *value;

    if (json_is_object(wanted) && json_is_object(got)) {
        json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
            char *inner = form_differs(a, value, json_object_get(got, key));

            if (inner)
                return arena_printf(a, "%s/%s", key, inner);
        }
        return NULL;
    }
    if (json_is_array(wanted) && json_array_size(wanted) == json_array_size(got)) {
        for (size_t i = 0; i < json_array_size(wanted); i++) {
            char *inner = form_differs(a, json_array_get(wanted, i), json_array_get(got, i));

            if (inner)
                return arena_printf(a, "%zu/%s", i, inner);
        }
        return NULL;
    }
    if (wanted && got && json_equal(wanted, got))
        return NULL;
    return arena_printf(a, ": wanted %s, got %s", dump(a, wanted), dump(a, got));
}

/* ---- findings ---- */

/* The editor leaves "Located at ..." off names it doesn't know, and its YAML library words errors its own way: only
 * that there is one counts then. */
static bool same_error(struct slice wanted, struct slice got)
{
    if (slice_find(wanted, SLICE(" at line ")) >= 0)
        return got.len > 0;
    return slice_starts(got, wanted);
}

void compare_findings(struct file_run *run, const char *id, const json_t *wanted,
                      const struct diags *diags)
{
    struct arena *a = run_arena(run);
    size_t n = 0;

    VEC_EACH (d, &diags->list) {
        struct slice got = slice_of(diag_text(a, d));
        struct slice text = slice_of(json_string_value(json_array_get(wanted, n)));

        if (d->level != DIAG_ERROR)
            continue;
        if (!text.ptr || !same_error(text, got)) {
            row_text(run, id, text, got);
            return;
        }
        n++;
    }
    if (n < json_array_size(wanted))
        row_text(run, id, slice_of(json_string_value(json_array_get(wanted, n))), SLICE(""));
    else
        row_pass(run, id);
}
