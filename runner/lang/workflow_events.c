#include "lang/workflow_checks.h"

/* What the dispatcher asks of `on` beyond the schema (workflow-language.md 6.2, 6.7). */

static void check_filters(struct convert *c, const struct token *config)
{
    for (size_t i = 0; i < config->n_pairs; i++) {
        const struct token *key = config->pairs[i].key;
        struct slice kind = slice_head(key->text, key->text.len - strlen("-ignore"));

        if (!slice_ends(key->text, SLICE("-ignore")) ||
            !token_find(config, arena_str(c->arena, kind)))
            continue;
        convert_error(c, key, "you may only define one of `%.*s` and `%.*s`", SLICE_ARG(kind),
                      SLICE_ARG(key->text))
            ->hint = "use one list, with '!' before the patterns to leave out";
    }
}

static void check_dispatch_input(struct convert *c, const struct token *input)
{
    const struct token *type = token_find(input, "type"), *options = token_find(input, "options");
    bool choice = type && slice_eq(type->text, SLICE("choice"));

    if (choice && (!options || !options->n_items))
        convert_error(c, input, "Missing 'options' for choice input");
    if (!choice && options)
        convert_error(c, input, "Input type is not 'choice', but 'options' is defined")->hint =
            "write 'type: choice'";
}

static void check_dispatch(struct convert *c, const struct token *config)
{
    enum { INPUTS_MAX = 25 };
    const struct token *inputs = token_find(config, "inputs");

    if (!convert_is(inputs, TOKEN_MAPPING))
        return;
    if (inputs->n_pairs > INPUTS_MAX)
        convert_error(c, inputs,
                      "you may only define up to %d `inputs` for a `workflow_dispatch` event",
                      (int)INPUTS_MAX);
    for (size_t i = 0; i < inputs->n_pairs; i++)
        if (inputs->pairs[i].value->kind == TOKEN_MAPPING)
            check_dispatch_input(c, inputs->pairs[i].value);
}

void check_events(struct convert *c, const struct token *on)
{
    size_t n = on->kind == TOKEN_MAPPING ? on->n_pairs : on->n_items;

    if (on->kind == TOKEN_STRING)
        return;
    if (!n) {
        convert_error(c, on, "No event triggers defined in `on`")->hint = "write 'on: push'";
        return;
    }
    for (size_t i = 0; on->kind == TOKEN_MAPPING && i < n; i++) {
        const struct token *config = on->pairs[i].value;

        if (config->kind != TOKEN_MAPPING)
            continue;
        if (slice_eq(on->pairs[i].key->text, SLICE("workflow_dispatch")))
            check_dispatch(c, config);
        else
            check_filters(c, config);
    }
}
