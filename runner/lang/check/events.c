/* Rules on `on`: values that GitHub takes, and that start nothing, or fail later. */
#include "lang/check/rules.h"

#include "lang/convert.h"
#include "lang/cron.h"
#include "lang/pattern.h"

static void report_value(struct check *c, enum diag_level level, const struct token *at,
                         const char *hint, const char *message)
{
    check_hint(check_report_at(c, CHECK_VALUE, level, at, "%s", message), hint);
}

void check_empty_list(struct check *c, const struct token *list, const char *what)
{
    if (convert_is(list, TOKEN_SEQUENCE) && !list->n_items && check_is_empty_list(c, list))
        report_value(c, DIAG_WARNING, list, "write what belongs in it, or remove the key",
                     arena_printf(&c->arena, "this list of %s is empty", what));
}

/* ---- patterns ---- */

/* What no branch or tag can have in its name (git check-ref-format). */
static bool fits_ref(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] == '\\' && i + 1 < pattern.len) {
            if (!strchr("[?+*\\!", pattern.ptr[i + 1]))
                return false;
            i++;
        } else if (strchr(" ~^:", pattern.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool repeats_star(struct slice pattern)
{
    for (size_t i = 0; i + 1 < pattern.len; i++) {
        if (pattern.ptr[i] == '\\')
            i++;
        else if (pattern.ptr[i] == '*' && (pattern.ptr[i + 1] == '+' || pattern.ptr[i + 1] == '?'))
            return true;
    }
    return false;
}

static void check_pattern(struct check *c, const struct token *tok, bool paths)
{
    struct slice text = tok->text;
    struct err err = ERR_INIT;

    if (slice_starts(text, SLICE("!")))
        text = slice_from(text, 1);
    if (pattern_check(text, &err) < 0)
        report_value(c, DIAG_ERROR, tok, "see the manual on filter patterns", err.text);
    else if (repeats_star(text))
        report_value(c, DIAG_WARNING, tok, "'*' matches any number of characters by itself",
                     "'+' and '?' repeat the character before them, and '*' is none");
    else if (!paths && !fits_ref(text))
        report_value(c, DIAG_WARNING, tok,
                     "these are patterns like those of a shell, no regular expressions",
                     "no branch and no tag can have such a name");
    else if (paths && (slice_starts(text, SLICE("./")) || slice_starts(text, SLICE("../")) ||
                       slice_find(text, SLICE("/../")) >= 0))
        report_value(c, DIAG_WARNING, tok, "paths begin at the top of the repository, without './'",
                     "no changed file has such a path");
}

static void check_filter(struct check *c, const struct token_pair *filter)
{
    struct slice key = filter->key->text;
    bool paths = slice_starts(key, SLICE("paths"));

    check_empty_list(c, filter->value, arena_str(&c->arena, key));
    if (!paths && !slice_starts(key, SLICE("branches")) && !slice_starts(key, SLICE("tags")))
        return;
    if (filter->value->kind == TOKEN_STRING)
        check_pattern(c, filter->value, paths);
    for (size_t i = 0; filter->value->kind == TOKEN_SEQUENCE && i < filter->value->n_items; i++)
        if (filter->value->items[i]->kind == TOKEN_STRING)
            check_pattern(c, filter->value->items[i], paths);
}

/* ---- inputs ---- */

static bool is_number(struct slice text)
{
    return text.len && expr_parse_number(text) == expr_parse_number(text); /* not NaN */
}

static bool has_type(const struct token *value, struct slice type)
{
    struct slice text = value->kind == TOKEN_STRING ? value->text : SLICE("");

    if (slice_eq(type, SLICE("boolean")))
        return value->kind == TOKEN_BOOL || slice_eq(text, SLICE("true")) ||
               slice_eq(text, SLICE("false"));
    if (slice_eq(type, SLICE("number")))
        return value->kind == TOKEN_NUMBER || is_number(text);
    return true;
}

static void check_options(struct check *c, const struct token *options, const struct token *value)
{
    bool found = false;

    for (size_t i = 0; convert_is(options, TOKEN_SEQUENCE) && i < options->n_items; i++) {
        const struct token *one = options->items[i];
        bool again = false;

        if (one->kind != TOKEN_STRING)
            continue;
        found |= convert_is(value, TOKEN_STRING) && slice_eq(one->text, value->text);
        for (size_t k = 0; k < i; k++)
            again |= options->items[k]->kind == TOKEN_STRING &&
                     slice_eq(options->items[k]->text, one->text);
        if (again)
            report_value(c, DIAG_WARNING, one, "remove one of the two",
                         "this option is given twice");
        if (!one->text.len)
            report_value(c, DIAG_WARNING, one, "write what people are to choose",
                         "this option is empty");
    }
    if (convert_is(value, TOKEN_STRING) && !found)
        report_value(c, DIAG_ERROR, value, "write one of the options",
                     "this default is none of the options");
}

/* The type of the expression that is a default, against what the input is. */
static void check_default_type(struct check *c, const struct token *value, struct slice type)
{
    const struct type *t = check_type_of(c, value);
    enum type_kind wanted = slice_eq(type, SLICE("boolean"))  ? TYPE_BOOL
                            : slice_eq(type, SLICE("number")) ? TYPE_NUMBER
                                                              : TYPE_ANY;

    if (wanted != TYPE_ANY && t->kind != TYPE_ANY && t->kind != wanted)
        report_value(c, DIAG_ERROR, value, "fromJSON() turns a text into a number or boolean",
                     arena_printf(&c->arena, "this is a %s, and the input is a %.*s", type_name(t),
                                  SLICE_ARG(type)));
}

static void check_input(struct check *c, const struct token *spec, bool call)
{
    const struct token *type = token_find(spec, "type"), *value = token_find(spec, "default");
    const struct token *required = token_find(spec, "required");
    struct slice kind = convert_is(type, TOKEN_STRING) ? type->text : SLICE("string");

    if (slice_eq(kind, SLICE("choice")))
        check_options(c, token_find(spec, "options"), value);
    if (!value)
        return;
    if (value->kind == TOKEN_EXPR)
        check_default_type(c, value, kind);
    else if (!has_type(value, kind))
        report_value(c, DIAG_ERROR, value, NULL,
                     arena_printf(&c->arena, "this default is no %.*s", SLICE_ARG(kind)));
    if (call && convert_is(required, TOKEN_BOOL) && required->boolean)
        report_value(c, DIAG_WARNING, value, "remove the default, or `required`",
                     "this default is never used, as the input is required");
}

/* The inputs of an event. A default of a call may use those before it. */
static void check_inputs(struct check *c, const struct token *inputs, bool call)
{
    const struct type *all = c->scope.inputs;
    struct type *before = type_object(&c->arena, NULL);

    c->scope.inputs = before;
    for (size_t i = 0; convert_is(inputs, TOKEN_MAPPING) && i < inputs->n_pairs; i++) {
        const struct token *spec = inputs->pairs[i].value;
        const struct type *type = type_member(all, inputs->pairs[i].key->text);

        check_value(c, token_find(spec, "default"), USE_ANY);
        check_input(c, spec, call);
        type_add(&c->arena, before, inputs->pairs[i].key->text, type ? type : &type_any);
    }
    c->scope.inputs = all;
}

/* ---- schedule ---- */

static void check_zones(struct check *c, const struct token *list)
{
    for (size_t i = 0; convert_is(list, TOKEN_SEQUENCE) && i < list->n_items; i++) {
        const struct token *zone = token_find(list->items[i], "timezone");

        if (!c->options->zone || !convert_is(zone, TOKEN_STRING) || !zone->text.len)
            continue;
        if (!cron_zone_name(zone->text) ||
            !c->options->zone(c->options->ctx, arena_str(&c->arena, zone->text)))
            report_value(c, DIAG_ERROR, zone, "write a name as in Europe/Berlin",
                         "there is no such time zone");
    }
}

static void check_event(struct check *c, const struct token *name, const struct token *config)
{
    bool call = slice_eq(name->text, SLICE("workflow_call"));

    if (slice_eq(name->text, SLICE("schedule"))) {
        check_empty_list(c, config, "schedules");
        check_zones(c, config);
        if (!convert_is(config, TOKEN_SEQUENCE))
            report_value(c, DIAG_WARNING, name, "write below it: - cron: '0 6 * * *'",
                         "a schedule without a time never starts anything");
    } else if (call || slice_eq(name->text, SLICE("workflow_dispatch"))) {
        check_inputs(c, token_find(config, "inputs"), call);
    } else {
        for (size_t i = 0; convert_is(config, TOKEN_MAPPING) && i < config->n_pairs; i++)
            check_filter(c, &config->pairs[i]);
    }
}

void check_on(struct check *c)
{
    const struct token *on = token_find(c->workflow->root, "on");

    if (!on)
        return;
    if (on->kind == TOKEN_STRING)
        check_event(c, on, NULL);
    for (size_t i = 0; on->kind == TOKEN_SEQUENCE && i < on->n_items; i++)
        if (on->items[i]->kind == TOKEN_STRING)
            check_event(c, on->items[i], NULL);
    for (size_t i = 0; on->kind == TOKEN_MAPPING && i < on->n_pairs; i++)
        check_event(c, on->pairs[i].key, on->pairs[i].value);
}
