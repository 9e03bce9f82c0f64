#include "lang/workflow/checks.h"

#include "lang/cron.h"

/* What the dispatcher asks of `on` beyond the schema (workflow-language.md 6.2, 6.7). */

/* KEY, or the one called NAME when that stands behind it. */
static const struct token *later_key(const struct token *mapping, struct slice name,
                                     const struct token *key)
{
    bool behind = false;

    for (size_t i = 0; i < mapping->n_pairs; i++) {
        if (behind && slice_eq(mapping->pairs[i].key->text, name))
            return mapping->pairs[i].key;
        behind |= mapping->pairs[i].key == key;
    }
    return key;
}

static void check_filters(struct convert *c, const struct token *config)
{
    for (size_t i = 0; i < config->n_pairs; i++) {
        const struct token *key = config->pairs[i].key;
        struct slice kind = slice_head(key->text, key->text.len - strlen("-ignore"));

        if (!slice_ends(key->text, SLICE("-ignore")) ||
            !token_find(config, arena_str(c->arena, kind)))
            continue;
        convert_error(c, later_key(config, kind, key),
                      "you may only define one of `%.*s` and `%.*s`", SLICE_ARG(kind),
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

/* GitHub waits until a schedule's time has come at least five minutes after the one before. */
static void warn_about_cron(struct convert *c, const struct token *tok, const struct cron *cron)
{
    enum { SHORTEST_GAP = 5 };

    if (cron_shortest_gap(cron) < SHORTEST_GAP)
        diag_add(c->diags, DIAG_WARNING, c->file, tok->line, tok->col,
                 "Actions schedules run at most every 5 minutes. \"%.*s\" will not run as "
                 "frequently as specified.",
                 SLICE_ARG(tok->text))
            ->hint = "write '*/5' or more for the minutes";
    if (!cron_ever_fires(cron))
        diag_add(c->diags, DIAG_WARNING, c->file, tok->line, tok->col,
                 "\"%.*s\" never fires: none of its months has that day", SLICE_ARG(tok->text))
            ->hint = "mend the day of month or the month";
}

static void check_schedule(struct convert *c, const struct token *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        const struct token *text = token_find(list->items[i], "cron");
        const struct token *zone = token_find(list->items[i], "timezone");
        struct err why = ERR_INIT;
        struct cron cron;

        if (text && cron_parse(text->text, &cron, &why) < 0)
            convert_error(c, text,
                          "Invalid cron expression. Expected format: '* * * * *' (minute hour day "
                          "month weekday)")
                ->hint = arena_str(c->diags->arena, slice_of(why.text));
        else if (text)
            warn_about_cron(c, text, &cron);
        if (zone && !cron_zone_name(zone->text))
            convert_error(c, zone, "Invalid timezone '%.*s'", SLICE_ARG(zone->text))->hint =
                "write a name of the IANA time zone database, as 'Europe/Berlin'";
    }
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

        if (slice_eq(on->pairs[i].key->text, SLICE("schedule")))
            check_schedule(c, config);
        else if (slice_eq(on->pairs[i].key->text, SLICE("workflow_dispatch")))
            check_dispatch(c, config);
        else if (config->kind == TOKEN_MAPPING)
            check_filters(c, config);
    }
}
