#include "lang/step.h"

#include "lang/action_ref.h"

#include <stddef.h>
#include <string.h>

/* The members that are tokens, and those that are plain texts. */
static const struct {
    const char *name;
    size_t offset;
} tokens[] =
    {
        {"name", offsetof(struct step, name)},
        {"run", offsetof(struct step, run)},
        {"shell", offsetof(struct step, shell)},
        {"working-directory", offsetof(struct step, working_directory)},
        {"with", offsetof(struct step, with)},
        {"env", offsetof(struct step, env)},
        {"continue-on-error", offsetof(struct step, continue_on_error)},
        {"timeout-minutes", offsetof(struct step, timeout_minutes)},
},
  texts[] = {
      {"id", offsetof(struct step, id)},
      {"record", offsetof(struct step, record)},
      {"if", offsetof(struct step, condition)},
      {"uses", offsetof(struct step, uses)},
};

static const char *const controls[CONTROLS] = {
    [CONTROL_WAIT] = "wait",
    [CONTROL_WAIT_ALL] = "wait-all",
    [CONTROL_CANCEL] = "cancel",
    [CONTROL_PARALLEL] = "parallel",
};

static const void *const *slot(const struct step *s, size_t offset)
{
    return (const void *const *)(const void *)((const char *)s + offset);
}

/* "control" names the kind, "targets" and "steps" what it is about. */
static void control_to_json(const struct step *s, json_t *to)
{
    json_t *targets = json_array(), *steps = json_array();

    json_object_set_new(to, "control", json_string(controls[s->control]));
    for (size_t i = 0; i < s->n_targets; i++)
        json_array_append_new(targets, json_stringn_nocheck(s->targets[i], strlen(s->targets[i])));
    for (size_t i = 0; i < s->n_steps; i++)
        json_array_append_new(steps, step_to_json(&s->steps[i]));
    json_object_set_new(to, "targets", targets);
    json_object_set_new(to, "steps", steps);
}

json_t *step_to_json(const struct step *s)
{
    json_t *o = json_object();

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *text = *slot(s, texts[i].offset);

        if (text)
            json_object_set_new(o, texts[i].name, json_stringn_nocheck(text, strlen(text)));
    }
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        const struct token *tok = *slot(s, tokens[i].offset);

        if (tok)
            json_object_set_new(o, tokens[i].name, token_to_json(tok));
    }
    if (s->line > 0)
        json_object_set_new(o, "line", json_integer(s->line));
    if (s->background)
        json_object_set_new(o, "background", json_true());
    if (s->control != CONTROL_NONE)
        control_to_json(s, o);
    return o;
}

static int targets_from_json(struct arena *a, const json_t *json, struct step *s, struct err *err)
{
    s->n_targets = json_array_size(json);
    s->targets = arena_array(a, s->n_targets, sizeof *s->targets);
    for (size_t i = 0; i < s->n_targets; i++) {
        const char *id = json_string_value(json_array_get(json, i));

        if (!id)
            return err_set(err, ERR_INVALID, "a target of a step must be a string");
        s->targets[i] = arena_str(a, slice_of(id));
    }
    return ERR_OK;
}

/* A parallel group holds run and uses steps only, so this goes one level deep. */
static int parallel_from_json(struct arena *a, const json_t *json, struct step *s, struct err *err)
{
    s->n_steps = json_array_size(json);
    s->steps = arena_array(a, s->n_steps, sizeof *s->steps);
    for (size_t i = 0; i < s->n_steps; i++) {
        const json_t *inner = json_array_get(json, i);

        if (json_object_get(inner, "control"))
            return err_set(err, ERR_INVALID, "a parallel group may hold run and uses steps only");
        if (step_from_json(a, inner, &s->steps[i], err) < 0)
            return err_in(err, "step %zu of a parallel group", i + 1);
    }
    return ERR_OK;
}

static int control_from_json(struct arena *a, const json_t *json, struct step *s, struct err *err)
{
    const char *name = json_string_value(json_object_get(json, "control"));

    s->background = json_is_true(json_object_get(json, "background"));
    if (!name)
        return ERR_OK;
    for (size_t i = CONTROL_WAIT; i < CONTROLS; i++)
        if (strcmp(name, controls[i]) == 0)
            s->control = (enum step_control)i;
    if (s->control == CONTROL_NONE)
        return err_set(err, ERR_INVALID, "'%s' is no kind of control step", name);
    if (targets_from_json(a, json_object_get(json, "targets"), s, err) < 0)
        return err->code;
    return parallel_from_json(a, json_object_get(json, "steps"), s, err);
}

int step_from_json(struct arena *a, const json_t *json, struct step *ret, struct err *err)
{
    struct step s = {0};

    if (!json_is_object(json))
        return err_set(err, ERR_INVALID, "a step must be a JSON object");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const json_t *text = json_object_get(json, texts[i].name);

        if (text && !json_is_string(text))
            return err_set(err, ERR_INVALID, "member '%s' of a step must be a string",
                           texts[i].name);
        if (text) {
            const char *copy = arena_str(a, slice_of(json_string_value(text)));
            memcpy((char *)&s + texts[i].offset, &copy, sizeof copy);
        }
    }
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct token *tok = NULL;
        int r = token_from_json(a, json_object_get(json, tokens[i].name), &tok, err);

        if (r < 0)
            return err_in(err, "member '%s' of a step", tokens[i].name);
        memcpy((char *)&s + tokens[i].offset, &tok, sizeof tok);
    }
    if (control_from_json(a, json, &s, err) < 0)
        return err->code;
    if (s.control == CONTROL_NONE ? !s.run == !s.uses : s.run || s.uses)
        return err_set(err, ERR_INVALID, "a step needs either 'run' or 'uses'");
    json_int_t line = json_integer_value(json_object_get(json, "line"));
    s.line = line > 0 && line <= 0x7FFFFFFF ? (int)line : 0;
    *ret = s;
    return ERR_OK;
}

/* ---- names ---- */

const char *step_control_name(enum step_control control)
{
    return controls[control];
}

struct slice step_first_line(struct slice text)
{
    size_t end = 0;

    while (text.len && memchr(" \t\r\n", text.ptr[0], 4))
        text = slice_from(text, 1);
    while (end < text.len && text.ptr[end] != '\r' && text.ptr[end] != '\n')
        end++;
    return slice_head(text, end);
}

const char *step_default_name(struct arena *a, const struct step *s)
{
    static const char *const names[CONTROLS] = {
        [CONTROL_WAIT] = "Wait",
        [CONTROL_WAIT_ALL] = "Wait for all",
        [CONTROL_CANCEL] = "Cancel",
        [CONTROL_PARALLEL] = "Parallel group",
    };

    if (s->uses) {
        bool image = uses_kind(slice_of(s->uses)) == USES_IMAGE;

        return arena_printf(a, "Run %s", s->uses + (image ? strlen("docker://") : 0));
    }
    if (s->control != CONTROL_NONE)
        return names[s->control];
    if (!s->run)
        return s->id;
    struct slice script = s->run->kind == TOKEN_STRING ? s->run->text : s->run->source;
    return arena_printf(a, "Run %.*s", SLICE_ARG(step_first_line(script)));
}
