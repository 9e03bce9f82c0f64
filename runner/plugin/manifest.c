#include "plugin/manifest.h"

#include "lang/reading.h"
#include "lang/yaml.h"

enum { MANIFEST_MAX = 1 << 20 };

/* ---- pieces ---- */

/* The text under KEY goes into TO as NAME; an absent one does not. */
static int take_text(const struct reading *r, const struct token *from, const char *key, json_t *to,
                     const char *name)
{
    const struct token *value = token_find(from, key);
    struct slice text = value ? token_text(r->arena, value) : (struct slice){0};

    if (!value || value->kind == TOKEN_NULL)
        return ERR_OK;
    if (value->kind == TOKEN_EXPR) /* a default may be one */
        text = value->source;
    json_t *json = text.ptr ? json_stringn(text.ptr, text.len) : NULL;
    if (!json)
        return reading_wrong(r, value, arena_printf(r->arena, "'%s' is a text", key));
    json_object_set_new(to, name, json);
    return ERR_OK;
}

static int take_flag(const struct reading *r, const struct token *from, const char *key, json_t *to)
{
    const struct token *value = token_find(from, key);
    struct slice text = value ? token_text(r->arena, value) : SLICE("false");
    bool yes = text.ptr && slice_eq_nocase(text, SLICE("true"));

    if (!yes && (!text.ptr || !slice_eq_nocase(text, SLICE("false"))))
        return reading_wrong(r, value, arena_printf(r->arena, "'%s' is true or false", key));
    json_object_set_new(to, key, json_boolean(yes));
    return ERR_OK;
}

static int take_list(const struct reading *r, const struct token *from, const char *key, json_t *to)
{
    const struct token *value = token_find(from, key);
    json_t *list;

    if (!value)
        return ERR_OK;
    if (value->kind != TOKEN_SEQUENCE)
        return reading_wrong(r, value, arena_printf(r->arena, "'%s' is a list", key));
    json_object_set_new(to, key, list = json_array());
    for (size_t i = 0; i < value->n_items; i++) {
        struct slice text = token_text(r->arena, value->items[i]);

        if (!text.ptr || json_array_append_new(list, json_stringn(text.ptr, text.len)) < 0)
            return reading_wrong(r, value->items[i],
                                 arena_printf(r->arena, "'%s' is a list of texts", key));
    }
    return ERR_OK;
}

/* ---- inputs and outputs ---- */

static int take_input(const struct reading *r, const struct token_pair *pair, json_t *list)
{
    struct slice name = token_text(r->arena, pair->key);
    const struct token *in = pair->value;
    json_t *to = json_pack("{s:s#}", "name", name.ptr ? name.ptr : "", (int)name.len);

    if (!to)
        return reading_wrong(r, pair->key, "the name of an input is a text");
    json_array_append_new(list, to);
    if (in->kind != TOKEN_MAPPING && in->kind != TOKEN_NULL)
        return reading_wrong(r, in, "an input is a mapping: {description: ..., type: string}");
    if (take_text(r, in, "type", to, "type") < 0 ||
        take_text(r, in, "description", to, "description") < 0 ||
        take_text(r, in, "default", to, "default") < 0 ||
        take_text(r, in, "deprecationMessage", to, "deprecation") < 0 ||
        take_flag(r, in, "required", to) < 0 || take_flag(r, in, "secret", to) < 0 ||
        take_list(r, in, "choices", to) < 0)
        return r->err->code;
    if (!json_object_get(to, "type"))
        json_object_set_new(to, "type", json_string("string"));
    return ERR_OK;
}

static int take_output(const struct reading *r, const struct token_pair *pair, json_t *list)
{
    struct slice name = token_text(r->arena, pair->key);
    json_t *to = json_pack("{s:s#}", "name", name.ptr ? name.ptr : "", (int)name.len);

    if (!to)
        return reading_wrong(r, pair->key, "the name of an output is a text");
    json_array_append_new(list, to);
    return take_text(r, pair->value, "description", to, "description");
}

typedef int take_fn(const struct reading *r, const struct token_pair *pair, json_t *list);

static int take_all(const struct reading *r, const struct token *root, const char *key,
                    take_fn *take, json_t *to)
{
    const struct token *map = token_find(root, key);
    json_t *list = json_array();

    json_object_set_new(to, key, list);
    if (map && map->kind != TOKEN_MAPPING && map->kind != TOKEN_NULL)
        return reading_wrong(r, map, arena_printf(r->arena, "'%s' is a mapping of names", key));
    for (size_t i = 0; map && map->kind == TOKEN_MAPPING && i < map->n_pairs; i++)
        if (take(r, &map->pairs[i], list) < 0)
            return r->err->code;
    return ERR_OK;
}

/* ---- runs ---- */

/* `pre` and `post` name the program again: it is told which phase it is in. */
static int take_phases(const struct reading *r, const struct token *runs, json_t *to)
{
    static const char *const others[] = {"pre", "post"};
    const char *main = json_string_value(json_object_get(to, "object"));
    json_t *phases = json_pack("[s]", "main");
    CLEANUP(json_decrefp) json_t *plan = json_object();

    json_object_set_new(to, "phases", phases);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        const struct token *value = token_find(runs, others[i]);
        struct slice text = value ? token_text(r->arena, value) : (struct slice){0};

        if (!value)
            continue;
        if (!text.ptr || !slice_eq(text, slice_of(main)))
            return reading_wrong(
                r, value,
                arena_printf(r->arena, "'%s' has to name the same program as 'main'", others[i]));
        json_array_append_new(phases, json_string(others[i]));
    }
    if (take_flag(r, runs, "plan", plan) < 0)
        return r->err->code;
    if (json_is_true(json_object_get(plan, "plan")))
        json_array_append_new(phases, json_string("plan"));
    return ERR_OK;
}

static int take_runs(const struct reading *r, const struct token *root, json_t *to)
{
    static const struct {
        const char *key, *name;
        bool needed;
    } texts[] = {{"protocol", "protocol", true}, {"id", "id", true},
                 {"version", "version", true},   {"main", "object", true},
                 {"pre-if", "pre_if", false},    {"post-if", "post_if", false}};
    const struct token *runs = token_find(root, "runs");

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (take_text(r, runs, texts[i].key, to, texts[i].name) < 0)
            return r->err->code;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].needed && !json_object_get(to, texts[i].name))
            return reading_wrong(r, runs,
                                 arena_printf(r->arena,
                                              "a plugin that is a program says its '%s' here",
                                              texts[i].key));
    if (take_list(r, runs, "needs", to) < 0 || take_list(r, runs, "traits", to) < 0)
        return r->err->code;
    return take_phases(r, runs, to);
}

/* ---- the whole ---- */

static bool is_program(const struct reading *r, const struct token *root)
{
    const struct token *runs = token_find(root, "runs");
    const struct token *using = token_find(runs, "using");

    return using && slice_eq_nocase(token_text(r->arena, using), SLICE("ostler/1")) &&
           token_find(runs, "protocol");
}

static int take_root(const struct reading *r, const struct token *root, json_t *to)
{
    if (root->kind != TOKEN_MAPPING || !is_program(r, root))
        return err_set(r->err, ERR_NOT_FOUND,
                       "'%s' is no manifest of a plugin that is a program ('using: ostler/1' and "
                       "'protocol')",
                       r->file);
    if (take_text(r, root, "name", to, "title") < 0 ||
        take_text(r, root, "description", to, "description") < 0 ||
        take_text(r, root, "author", to, "author") < 0 ||
        take_all(r, root, "inputs", take_input, to) < 0 ||
        take_all(r, root, "outputs", take_output, to) < 0)
        return r->err->code;
    return take_runs(r, root, to);
}

/* Such a program has one phase; what it would do can only be told from outside, and always. */
static int check_protocol(struct plugin *p, const char *file, struct err *err)
{
    if (p->protocol == PLUGIN_OBJECT)
        return err_set(err, ERR_INVALID,
                       "'%s': a shared object has no manifest: its protocol is 'json-lines' or "
                       "'plugin-env'",
                       file);
    if (p->protocol != PLUGIN_ENV)
        return ERR_OK;
    if (plugin_has_phase(p, OST_PHASE_PRE) || plugin_has_phase(p, OST_PHASE_POST))
        return err_set(err, ERR_INVALID, "'%s': a plugin of 'plugin-env' has no 'pre' and 'post'",
                       file);
    p->phases |= 1u << OST_PHASE_PLAN;
    return ERR_OK;
}

int manifest_contract(struct slice text, const char *file, struct plugin **ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &arena};
    CLEANUP(json_decrefp) json_t *contract = json_pack("{s:i}", "schema", 1);
    const struct reading r = {&arena, file, err};
    struct token *root = NULL;

    if (text.len > MANIFEST_MAX)
        return err_set(err, ERR_LIMIT, "'%s' is larger than %d bytes", file, MANIFEST_MAX);
    if (yaml_parse(&arena, text, file, 0, NULL, &root, &diags) < 0)
        return diags.list.len
                   ? err_set(err, ERR_INVALID, "%s:%d:%d: %.*s", file, diags.list.ptr[0].line,
                             diags.list.ptr[0].col, SLICE_ARG(diags.list.ptr[0].message))
                   : err_set(err, ERR_INVALID, "'%s' is no YAML", file);
    if (take_root(&r, root, contract) < 0)
        return err->code;
    if (plugin_from_json(contract, ret, err) < 0)
        return err_in(err, "'%s'", file);
    return check_protocol(*ret, file, err) < 0 ? (*ret = plugin_free(*ret), err->code) : ERR_OK;
}
