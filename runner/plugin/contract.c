#include "plugin/contract.h"

#include "base/buf.h"
#include "lang/template.h"

#include <strings.h>

enum { TEXT_MAX = 1000 };

struct look { /* one comparison under way */
    const struct plugin *plugin;
    struct arena arena; /* of expressions */
    enum contract_part part;
    contract_fn *fn;
    void *ctx;
};

static void say(const struct look *l, bool error, const char *cure, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void say(const struct look *l, bool error, const char *cure, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    l->fn(l->ctx, l->part, error, text.ptr, cure);
}

static bool is_template(const char *text)
{
    size_t at = 0;
    struct slice inside;

    return template_next(slice_of(text), &at, &inside);
}

/* ---- defaults ---- */

static void check_template(struct look *l, const struct plugin_input *in)
{
    struct expr_error error = {0};
    struct slice literal, text;
    const struct expr *e;

    if (template_compile(&l->arena, slice_of(in->fallback), NULL, &literal, &text, &error) < 0 ||
        (text.ptr && expr_parse(&l->arena, text, NULL, &e, &error) < 0))
        say(l, true, "write an expression that GitHub would read",
            "the default of the input '%s' is no expression: %.*s", in->name,
            SLICE_ARG(slice_head(error.message, 200)));
}

/* The default is held against the input's own type, as if a workflow had said it. */
static void check_value(const struct look *l, const struct plugin_input *in)
{
    CLEANUP(strmap_deinit) struct strmap given = STRMAP_INIT_NOCASE;
    CLEANUP(strmap_deinit) struct strmap checked = STRMAP_INIT_NOCASE;
    struct plugin_input one = *in;
    const struct plugin alone = {.id = l->plugin->id, .inputs = &one, .n_inputs = 1};
    const struct plugin_places nowhere = {0};
    struct err err = ERR_INIT;

    one.flags &= ~(uint32_t)OST_REQUIRED;
    strmap_set(&given, slice_of(in->name), slice_of(in->fallback));
    if (plugin_check_inputs(&alone, &given, &nowhere, &checked, &err) < 0)
        say(l, true, "give it a default of its own type, or another type", "%s (its default)",
            err.text);
}

static void check_default(struct look *l, const struct plugin_input *in)
{
    if (!in->fallback)
        return;
    if (is_template(in->fallback))
        check_template(l, in);
    else
        check_value(l, in);
    if (in->flags & OST_REQUIRED)
        say(l, false, "drop OST_REQUIRED or the default",
            "the input '%s' is required and has a default: nobody is ever asked for it", in->name);
    if (in->flags & OST_SECRET && *in->fallback && !is_template(in->fallback))
        say(l, true, "drop the default: everybody can read it",
            "the secret input '%s' has its default in the object", in->name);
}

/* ---- inputs and outputs ---- */

static void check_choices(const struct look *l, const struct plugin_input *in)
{
    if (in->choices && in->type != OST_CHOICE) {
        say(l, true, "make it an OST_CHOICE, or drop the choices",
            "the input '%s' is of type %s and has choices, which nobody looks at", in->name,
            plugin_type_name(in->type));
        return;
    }
    for (const char *const *c = in->choices; c && *c; c++) {
        if (!**c)
            say(l, true, "leave the input out instead: that is what \"\" means",
                "the input '%s' has an empty choice", in->name);
        for (const char *const *d = in->choices; d < c; d++)
            if (strcmp(*c, *d) == 0)
                say(l, true, "name it once", "the input '%s' has the choice '%s' twice", in->name,
                    *c);
    }
}

/* `with:` has two names that GitHub takes for itself when a container serves the action. */
static void check_input_name(const struct look *l, const struct plugin_input *in)
{
    if (strcasecmp(in->name, "args") == 0 || strcasecmp(in->name, "entrypoint") == 0)
        say(l, true, "give it another name",
            "the input '%s' has a reserved name: with a container action it would be the "
            "container's",
            in->name);
}

static void check_inputs(struct look *l)
{
    const struct plugin *p = l->plugin;

    for (size_t i = 0; i < p->n_inputs; i++) {
        check_input_name(l, &p->inputs[i]);
        check_choices(l, &p->inputs[i]);
        check_default(l, &p->inputs[i]);
    }
}

/* ---- the whole ---- */

static void check_condition(struct look *l, int phase, const char *key, const char *text)
{
    struct expr_error error = {0};
    struct slice whole;
    const struct expr *e;

    if (!text)
        return;
    if (!plugin_has_phase(l->plugin, phase))
        say(l, true, "drop the condition, or add the phase", "it has a %s and no %s phase", key,
            plugin_phase_name(phase));
    if (template_condition(&l->arena, slice_of(text), NULL, &whole, &error) < 0 ||
        expr_parse(&l->arena, whole, NULL, &e, &error) < 0)
        say(l, true, "write a condition as under `if:`", "its %s is no condition: %.*s", key,
            SLICE_ARG(slice_head(error.message, 200)));
}

static void check_tables(struct look *l)
{
    const struct plugin *p = l->plugin;

    check_inputs(l);
    check_condition(l, OST_PHASE_PRE, "pre_if", p->pre_if);
    check_condition(l, OST_PHASE_POST, "post_if", p->post_if);
    if (p->traits & OST_POST_IF_SAVED && !plugin_has_phase(p, OST_PHASE_POST))
        say(l, true, "drop the trait, or add the phase", "it has OST_POST_IF_SAVED and no post");
    if (!plugin_can_plan(p))
        say(l, false, "write a plan phase, or set OST_EFFECTS_VIA_HOST",
            "it has no plan: `--plan` can only show its inputs");
}

static void check_descriptions(struct look *l)
{
    const struct plugin *p = l->plugin;
    static const char cure[] = "say in a line what it is for";

    if (!p->description || !*p->description)
        say(l, true, cure, "the plugin has no description");
    for (size_t i = 0; i < p->n_inputs; i++)
        if (!p->inputs[i].description || !*p->inputs[i].description)
            say(l, true, cure, "the input '%s' has no description", p->inputs[i].name);
    for (size_t i = 0; i < p->n_outputs; i++)
        if (!p->outputs[i].description || !*p->outputs[i].description)
            say(l, true, cure, "the output '%s' has no description", p->outputs[i].name);
}

void contract_check(const struct plugin *p, contract_fn *fn, void *ctx)
{
    struct look l = {.plugin = p, .arena = ARENA_INIT, .fn = fn, .ctx = ctx};

    l.part = CONTRACT_TABLES;
    check_tables(&l);
    l.part = CONTRACT_DESCRIPTIONS;
    check_descriptions(&l);
    arena_deinit(&l.arena);
}

/* ---- against an action ---- */

/* A default as it was written; "" and none are the same to whoever reads the input. */
static struct slice default_of(struct look *l, const struct action_input *in)
{
    struct slice text = {0};

    if (!in->fallback)
        return text;
    if (in->fallback->kind == TOKEN_STRING || in->fallback->kind == TOKEN_EXPR)
        text = in->fallback->source;
    return text.ptr ? text : token_text(&l->arena, in->fallback);
}

static void compare_input(struct look *l, const struct action_input *theirs)
{
    const struct plugin_input *ours = plugin_input_find(l->plugin, theirs->id);
    struct slice wanted = slice_trim(default_of(l, theirs));

    if (!ours) {
        say(l, true, "declare it, even if only to say that it does nothing",
            "the action's input '%s' is missing", theirs->id);
        return;
    }
    struct slice have = slice_trim(slice_of(ours->fallback));
    if (!slice_eq(wanted, have))
        say(l, true, "give it the action's default",
            "the input '%s' has the default '%.*s', and that of the action has '%.*s'", theirs->id,
            SLICE_ARG(slice_head(have, 80)), SLICE_ARG(slice_head(wanted, 80)));
    if (ours->flags & OST_REQUIRED && !theirs->required && !have.len)
        say(l, true, "drop OST_REQUIRED",
            "the input '%s' is required, and that of the action is not", theirs->id);
}

static bool has_input(const struct action *a, const char *name)
{
    for (size_t i = 0; i < a->n_inputs; i++)
        if (strcasecmp(a->inputs[i].id, name) == 0)
            return true;
    return false;
}

void contract_against(const struct plugin *p, const struct action *action, contract_fn *fn,
                      void *ctx)
{
    struct look l = {
        .plugin = p, .arena = ARENA_INIT, .part = CONTRACT_AGAINST, .fn = fn, .ctx = ctx};

    for (size_t i = 0; i < action->n_inputs; i++)
        compare_input(&l, &action->inputs[i]);
    for (size_t i = 0; i < action->n_outputs; i++)
        if (!plugin_output_find(p, action->outputs[i].id))
            say(&l, true, "declare and set it", "the action's output '%s' is missing",
                action->outputs[i].id);
    for (size_t i = 0; i < p->n_inputs; i++)
        if (!has_input(action, p->inputs[i].name))
            say(&l, false, "a workflow that uses it works with the plugin only",
                "the action has no input '%s'", p->inputs[i].name);
    arena_deinit(&l.arena);
}
