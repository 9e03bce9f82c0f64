/* Rows of action manifests. */
#include "form.h"

#include "conformance.h"

#include "lang/action.h"

#include "base/path.h"

#include <fcntl.h>

/* A scalar as it was written. */
static json_t *source_form(const struct token *tok)
{
    return json_stringn_nocheck(tok->source.ptr ? tok->source.ptr : "", tok->source.len);
}

static json_t *list_form(const struct token *tok)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tok->n_items; i++)
        json_array_append_new(list, source_form(tok->items[i]));
    return list;
}

static json_t *map_form(const struct token *tok)
{
    json_t *map = json_object();

    for (size_t i = 0; i < tok->n_pairs; i++)
        json_object_setn_new_nocheck(map, tok->pairs[i].key->text.ptr, tok->pairs[i].key->text.len,
                                     source_form(tok->pairs[i].value));
    return map;
}

static void put(json_t *to, const char *name, const char *text)
{
    if (text)
        json_object_set_new(to, name, json_string(text));
}

/* ---- action-manifests/EXPECTED.json ---- */

static void put_inputs(json_t *to, const struct action *a)
{
    json_t *defaults = json_object(), *deprecated = json_object();

    for (size_t i = 0; i < a->n_inputs; i++) {
        const struct action_input *input = &a->inputs[i];

        json_object_set_new(defaults, input->id,
                            input->fallback ? source_form(input->fallback) : json_string(""));
        put(deprecated, input->id, input->deprecation);
    }
    json_object_set_new(to, "input_defaults", defaults);
    json_object_set_new(to, "deprecated", deprecated);
}

static json_t *manifest_form(const struct action *a)
{
    static const char *const types[ACTION_KINDS] = {
        [ACTION_COMPOSITE] = "composite",
        [ACTION_NODE] = "nodejs",
        [ACTION_DOCKER] = "container",
        [ACTION_PLUGIN] = "plugin",
    };
    json_t *o = json_pack("{s:b, s:s}", "accepted", true, "type", types[a->kind]);

    put(o, "name", a->name);
    put(o, "description", a->description);
    put(o, "using", a->using);
    put(o, a->kind == ACTION_DOCKER ? "entrypoint" : "main", a->main);
    put(o, "plugin", a->kind == ACTION_PLUGIN ? a->main : NULL);
    put(o, "pre", a->pre);
    put(o, "post", a->post);
    put(o, "pre-if", a->pre_if);
    put(o, "post-if", a->post_if);
    put(o, "image", a->image);
    put_inputs(o, a);
    if (a->args)
        json_object_set_new(o, "args", list_form(a->args));
    if (a->env)
        json_object_set_new(o, "env", map_form(a->env));
    return o;
}

static void manifest_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    const char *name = json_string_value(json_object_get(row, "file"));
    const char *path = arena_printf(a, "%s/action-manifests/%s", run_folder(run), name);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    struct diags diags = {.arena = a};
    struct action action;
    struct err err = ERR_INIT;

    action_init(&action);
    if (path_read(AT_FDCWD, path, &text, &err) < 0) {
        row_fail(run, id_of(row), "%s", err.text);
    } else if (action_parse(&action, buf_slice(&text), name, &diags) < 0) {
        row_fail(run, id_of(row), "%s", diag_text(a, &diags.list.ptr[0]));
    } else {
        json_t *got = manifest_form(&action), *wanted = json_copy((json_t *)(uintptr_t)row);

        json_object_del(wanted, "id");
        json_object_del(wanted, "file");
        char *difference = form_differs(a, wanted, got);
        if (difference)
            row_fail(run, id_of(row), "%s", difference);
        else
            row_pass(run, id_of(row));
        json_decref(got);
        json_decref(wanted);
    }
    action_deinit(&action);
    diags_deinit(&diags);
}

void run_manifests(struct file_run *run)
{
    run_cases(run, manifest_row);
}

/* ---- parser-cases/action-parser.json ---- */

static json_t *step_form(const struct step *s)
{
    json_t *o = json_pack("{s:{s:f, s:s}}", "if", "type", (double)TOKEN_EXPR, "expr", s->condition);

    /* the editor makes no ids here */
    put(o, "id", slice_starts(slice_of(s->id), SLICE("__")) ? "" : s->id);
    put(o, "uses", s->uses);
    if (s->name)
        json_object_set_new(o, "name", form_token(s->name, false));
    if (s->run)
        json_object_set_new(o, "run", form_token(s->run, false));
    return o;
}

static json_t *runs_form(const struct action *a)
{
    json_t *o = json_object(), *steps = json_array();

    put(o, "using", a->using);
    put(o, a->kind == ACTION_DOCKER ? "entrypoint" : "main", a->main);
    put(o, "pre", a->pre);
    put(o, "post", a->post);
    put(o, "image", a->image);
    for (size_t i = 0; i < a->n_steps; i++)
        json_array_append_new(steps, step_form(&a->steps[i]));
    json_object_set_new(o, "steps", steps);
    if (a->args)
        json_object_set_new(o, "args", list_form(a->args));
    if (a->env)
        json_object_set_new(o, "env", map_form(a->env));
    return o;
}

static json_t *template_form(const struct action *a)
{
    json_t *o = json_object(), *inputs = json_array(), *outputs = json_array();

    put(o, "name", a->name);
    put(o, "description", a->description);
    for (size_t i = 0; i < a->n_inputs; i++) {
        json_t *input =
            json_pack("{s:s, s:b}", "id", a->inputs[i].id, "required", a->inputs[i].required);

        if (a->inputs[i].fallback)
            json_object_set_new(input, "default", form_token(a->inputs[i].fallback, false));
        json_array_append_new(inputs, input);
    }
    for (size_t i = 0; i < a->n_outputs; i++) {
        json_t *output = json_pack("{s:s}", "id", a->outputs[i].id);

        if (a->outputs[i].value)
            json_object_set_new(output, "value", form_token(a->outputs[i].value, false));
        json_array_append_new(outputs, output);
    }
    json_object_set_new(o, "inputs", inputs);
    json_object_set_new(o, "outputs", outputs);
    json_object_set_new(o, "runs", runs_form(a));
    return o;
}

/* What runs need no part of is not kept in the model. */
static void drop_prose(json_t *wanted)
{
    static const char *const lists[] = {"inputs", "outputs"};

    json_object_del(wanted, "author");
    json_object_del(wanted, "branding");
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        json_t *item;
        size_t at;

        json_array_foreach (json_object_get(wanted, lists[i]), at, item)
            json_object_del(item, "description");
    }
}

static void compare_template(struct file_run *run, const json_t *row, struct diags *diags)
{
    json_t *wanted = json_deep_copy(json_object_get(row, "template")), *got;
    struct action a;
    char *difference = NULL;

    action_init(&a);
    if (action_parse(&a, text_of(row, "text"), "action.yml", diags) < 0) {
        row_fail(run, id_of(row), "%s", diag_text(run_arena(run), &diags->list.ptr[0]));
    } else {
        got = template_form(&a);
        drop_prose(wanted);
        if (wanted)
            difference = form_differs(run_arena(run), wanted, got);
        if (difference)
            row_fail(run, id_of(row), "%s", difference);
        else
            row_pass(run, id_of(row));
        json_decref(got);
    }
    action_deinit(&a);
    json_decref(wanted);
}

static void case_row(struct file_run *run, const json_t *row)
{
    const json_t *errors = json_object_get(row, "read_errors");
    struct diags diags = {.arena = run_arena(run)};
    const char *file = json_string_value(json_object_get(row, "file"));

    if (!json_array_size(errors) && json_object_get(row, "convert_errors"))
        errors = json_object_get(row, "convert_errors");
    if (action_check(text_of(row, "text"), file, &diags) < 0 || json_array_size(errors))
        compare_findings(run, id_of(row), errors, &diags);
    else
        compare_template(run, row, &diags);
    diags_deinit(&diags);
}

void run_action_cases(struct file_run *run)
{
    run_cases(run, case_row);
}
