#include "lang/step.h"

#include <stddef.h>

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
      {"if", offsetof(struct step, condition)},
      {"uses", offsetof(struct step, uses)},
};

static const void *const *slot(const struct step *s, size_t offset)
{
    return (const void *const *)(const void *)((const char *)s + offset);
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
    return o;
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
    if (!s.run == !s.uses)
        return err_set(err, ERR_INVALID, "a step needs either 'run' or 'uses'");
    json_int_t line = json_integer_value(json_object_get(json, "line"));
    s.line = line > 0 && line <= 0x7FFFFFFF ? (int)line : 0;
    *ret = s;
    return ERR_OK;
}
