#include "queue/gitea/task_reading.h"

#include "lang/workflow/workflow.h"

/* "RESULT_SUCCESS" is "success"; a number is a state that the server should have kept to itself (3.3). */
static const char *result_of(const json_t *need)
{
    static const struct {
        const char *wire, *name;
    } results[] = {{"RESULT_SUCCESS", "success"},
                   {"RESULT_CANCELLED", "cancelled"},
                   {"RESULT_SKIPPED", "skipped"}};
    const char *wire = json_string_value(json_object_get(need, "result"));

    for (size_t i = 0; wire && i < COUNT_OF(results); i++)
        if (strcmp(wire, results[i].wire) == 0)
            return results[i].name;
    return "failure";
}

void task_read_needs(struct task_reading *r)
{
    const char *id;
    json_t *need;

    r->needs = json_object();
    json_object_foreach (json_object_get(r->json, "needs"), id, need) {
        json_t *outputs = json_object_get(need, "outputs");

        json_object_set_new(
            r->needs, id,
            json_pack("{s:s, s:o}", "result", result_of(need), "outputs",
                      json_is_object(outputs) ? json_deep_copy(outputs) : json_object()));
    }
}

static void set_text(json_t *object, const char *key, struct slice value)
{
    json_object_set_new(object, key, json_stringn(value.len ? value.ptr : "", value.len));
}

void task_read_github(struct task_reading *r)
{
    static const char *const kept_elsewhere[] = {"gitea_runtime_token",
                                                 "forgejo_runtime_token",
                                                 "actions_id_token_request_url",
                                                 "actions_id_token_request_token",
                                                 "forgejo_actions_id_token_request_url",
                                                 "forgejo_actions_id_token_request_token",
                                                 "action",
                                                 "action_path",
                                                 "action_ref",
                                                 "action_repository",
                                                 "action_status",
                                                 "env",
                                                 "path",
                                                 "event_path",
                                                 "workspace",
                                                 "token"};
    const char *address = r->spec->settings->address;
    struct arena *a = &r->task->arena;

    r->github = json_is_object(r->context) ? json_deep_copy(r->context) : json_object();
    for (size_t i = 0; i < COUNT_OF(kept_elsewhere); i++)
        json_object_del(r->github, kept_elsewhere[i]);
    set_text(r->github, "server_url", slice_of(address));
    set_text(r->github, "api_url", slice_of(arena_printf(a, "%s/api/v1", address)));
    set_text(r->github, "graphql_url", SLICE(""));
    if (!json_is_object(json_object_get(r->github, "event")))
        json_object_set_new(r->github, "event", json_object());
}

const json_t *task_context_of(void *ctx, struct slice name)
{
    const struct task_reading *r = ctx;
    const struct {
        struct slice name;
        const json_t *value;
    } known[] = {
        {SLICE("github"), r->github},  {SLICE("gitea"), r->github},
        {SLICE("forgejo"), r->github}, {SLICE("forge"), r->github},
        {SLICE("needs"), r->needs},    {SLICE("vars"), r->vars},
        {SLICE("inputs"), r->inputs},  {SLICE("strategy"), r->strategy},
        {SLICE("matrix"), r->matrix},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_eq_nocase(known[i].name, name))
            return known[i].value;
    return NULL;
}

/* Did all (or, not ALL, any) of the jobs that were needed end as RESULT? ARGS: those of them alone. */
static bool needed(const struct task_reading *r, const char *result, bool all,
                   const struct slice *args, size_t n_args)
{
    const char *id;
    json_t *need;

    json_object_foreach (r->needs, id, need) {
        bool asked = n_args == 0;

        for (size_t i = 0; i < n_args; i++)
            asked = asked || slice_eq_nocase(args[i], slice_of(id));
        bool is = strcmp(json_string_value(json_object_get(need, "result")), result) == 0;
        if (asked && is != all)
            return !all;
    }
    return all;
}

bool task_status_of(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    if (slice_eq_nocase(name, SLICE("always")))
        return true;
    if (slice_eq_nocase(name, SLICE("cancelled")))
        return false;
    bool success = slice_eq_nocase(name, SLICE("success"));
    return needed(ctx, success ? "success" : "failure", success, args, n_args);
}

/* ---- inputs ---- */

static json_t *typed(struct slice type, json_t *given)
{
    struct slice text = slice_make(json_string_value(given), json_string_length(given));

    if (json_is_string(given) && slice_eq(type, SLICE("boolean")))
        return json_boolean(slice_eq(text, SLICE("true")));
    if (json_is_string(given) && slice_eq(type, SLICE("number")) && text.len)
        return json_real(expr_parse_number(text));
    return json_incref(given);
}

void task_read_inputs(struct task_reading *r)
{
    struct arena *a = &r->task->arena;
    const char *event = json_string_value(json_object_get(r->github, "event_name"));
    json_t *given = json_object_get(json_object_get(r->github, "event"), "inputs");
    const struct workflow_event *e = event ? workflow_event_find(r->workflow, event) : NULL;
    const struct token *declared = e ? token_find(e->config, "inputs") : NULL;

    r->inputs = json_is_object(given) ? json_copy(given) : json_object();
    for (size_t i = 0; declared && declared->kind == TOKEN_MAPPING && i < declared->n_pairs; i++) {
        const struct token *about = declared->pairs[i].value, *type = token_find(about, "type");
        const char *id = arena_str(a, token_text(a, declared->pairs[i].key));
        struct slice fallback = SLICE("");
        json_t *value = json_object_get(r->inputs, id);

        if (token_find(about, "default"))
            fallback = token_text(a, token_find(about, "default"));
        value = value ? json_incref(value)
                      : json_stringn(fallback.len ? fallback.ptr : "", fallback.len);
        json_object_set_new(r->inputs, id, typed(type ? token_text(a, type) : SLICE(""), value));
        json_decref(value);
    }
}

/* ---- for the job ---- */

json_t *task_contexts(const struct task_reading *r)
{
    json_t *github = json_copy(r->github);

    json_object_set_new(github, "job", json_string(r->def->id));
    return json_pack("{s:o, s:O, s:O, s:O, s:O, s:O, s:{}, s:b, s:b, s:b}", "github", github,
                     "vars", r->vars, "needs", r->needs, "strategy", r->strategy, "matrix",
                     r->matrix, "inputs", r->inputs, "job", "gitea", 1, "forgejo", 1, "forge", 1);
}
