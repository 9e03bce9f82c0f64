/* The values of a call against what the called workflow declares. */
#include "lang/workflow/calls.h"

#include "lang/near.h"

const struct token *call_declares(const struct workflow *called, const char *what)
{
    const struct workflow_event *e = workflow_event_find(called, "workflow_call");
    const struct token *map = e ? token_find(e->config, what) : NULL;

    return map && map->kind == TOKEN_MAPPING ? map : NULL;
}

const struct token_pair *call_pair(const struct token *map, struct slice name)
{
    if (!map || map->kind != TOKEN_MAPPING)
        return NULL;
    for (size_t i = 0; i < map->n_pairs; i++)
        if (map->pairs[i].key->kind == TOKEN_STRING &&
            slice_eq_nocase(map->pairs[i].key->text, name))
            return &map->pairs[i];
    return NULL;
}

struct slice call_input_type(const struct token *declared)
{
    const struct token *type = token_find(declared, "type");

    return type && type->kind == TOKEN_STRING ? type->text : SLICE("string");
}

/* What is given to a call, under one of its keys. */
struct given {
    const struct workflow *caller, *called;
    const struct token *uses;
    const struct token *values; /* NULL: none */
    const struct token *declared;
    const char *kind; /* "input" */
    struct diags *diags;
};

/* Expressions may come to any names. */
static bool is_known_map(const struct token *map)
{
    if (map && map->kind != TOKEN_MAPPING)
        return false;
    for (size_t i = 0; map && i < map->n_pairs; i++)
        if (map->pairs[i].key->kind != TOKEN_STRING)
            return false;
    return true;
}

static void check_required(const struct given *g, const struct token_pair *one)
{
    const struct token *required = token_find(one->value, "required");

    if (!required || required->kind != TOKEN_BOOL || !required->boolean)
        return;
    diag_add(g->diags, DIAG_ERROR, g->caller->file, g->uses->line, g->uses->col,
             "%s %.*s is required, but not provided while calling.",
             *g->kind == 'i' ? "Input" : "Secret", SLICE_ARG(one->key->text))
        ->hint = *g->kind == 'i' ? "give it under 'with'"
                                 : "give it under 'secrets', or write 'secrets: inherit'";
}

/* VALUE, in FILE, is for the input DECLARED. NULL: it may be. */
static struct diag *check_type(const struct given *g, const struct token_pair *declared,
                               const char *file, const struct token *value)
{
    struct slice type = call_input_type(declared->value);
    bool number = slice_eq(type, SLICE("number")), boolean = slice_eq(type, SLICE("boolean"));
    struct diag *d;

    if (value->kind == TOKEN_EXPR || (!number && !boolean) ||
        value->kind == (number ? TOKEN_NUMBER : TOKEN_BOOL))
        return NULL;
    d = diag_add(g->diags, DIAG_ERROR, file, value->line, value->col, "Unexpected value '%.*s'",
                 SLICE_ARG(token_text(g->diags->arena, value)));
    d->hint = arena_printf(g->diags->arena, "input '%.*s' is a %.*s%s",
                           SLICE_ARG(declared->key->text), SLICE_ARG(type),
                           boolean ? ": write true or false, without quotes"
                                   : ": write digits, without quotes");
    return d;
}

/* GitHub looks at defaults when the workflow is called. */
static void check_default(const struct given *g, const struct token_pair *declared)
{
    const struct token *value = token_find(declared->value, "default");
    struct diag *d = value ? check_type(g, declared, g->called->file, value) : NULL;

    if (!d)
        return;
    d->caller = arena_str(g->diags->arena, slice_of(g->caller->file));
    d->caller_line = g->uses->line;
    d->caller_col = g->uses->col;
}

static void check_declared(const struct given *g, const struct token_pair *one)
{
    const struct token_pair *given = call_pair(g->values, one->key->text);
    bool input = *g->kind == 'i';

    if (input)
        check_default(g, one);
    if (!given)
        check_required(g, one);
    else if (input)
        (void)check_type(g, one, g->caller->file, given->value);
}

static void check_unknown(const struct given *g, const struct token_pair *one)
{
    struct near_best best = near_begin(one->key->text);
    struct diag *d;

    d = diag_add(g->diags, DIAG_ERROR, g->caller->file, one->value->line, one->value->col,
                 "Invalid %s, %.*s is not defined in the referenced workflow.", g->kind,
                 SLICE_ARG(one->key->text));
    for (size_t i = 0; g->declared && i < g->declared->n_pairs; i++)
        near_offer(&best, g->declared->pairs[i].key->text);
    d->hint = near_hint(g->diags->arena, &best);
}

/* In the order in which GitHub says it. */
static void check_given(const struct given *g)
{
    if (!is_known_map(g->values))
        return;
    for (size_t i = 0; g->declared && i < g->declared->n_pairs; i++)
        check_declared(g, &g->declared->pairs[i]);
    for (size_t i = 0; g->values && i < g->values->n_pairs; i++)
        if (!call_pair(g->declared, g->values->pairs[i].key->text))
            check_unknown(g, &g->values->pairs[i]);
}

void check_call_values(const struct workflow *caller, const struct workflow_job *job,
                       const struct workflow *called, struct diags *diags)
{
    struct given g = {
        .caller = caller,
        .called = called,
        .uses = token_find(job->node, "uses"),
        .values = job->with,
        .declared = call_declares(called, "inputs"),
        .kind = "input",
        .diags = diags,
    };

    check_given(&g);
    if (job->secrets && job->secrets->kind == TOKEN_STRING)
        return; /* inherit */
    g.values = job->secrets;
    g.declared = call_declares(called, "secrets");
    g.kind = "secret";
    check_given(&g);
}
