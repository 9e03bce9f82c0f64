#include "lang/action.h"

#include "lang/convert.h"
#include "lang/near.h"
#include "lang/yaml.h"

void action_init(struct action *a)
{
    *a = (struct action){.arena = ARENA_INIT};
}

void action_deinit(struct action *a)
{
    arena_deinit(&a->arena);
    action_init(a);
}

/* ---- inputs, outputs ---- */

static bool is_true(const struct token *tok)
{
    return tok && (tok->kind == TOKEN_BOOL
                       ? tok->boolean
                       : tok->kind == TOKEN_STRING && slice_eq_nocase(tok->text, SLICE("true")));
}

static void take_inputs(struct convert *c, struct action *a, const struct token *inputs)
{
    if (!inputs)
        return;
    a->inputs = arena_array(c->arena, inputs->n_pairs, sizeof *a->inputs);
    for (size_t i = 0; i < inputs->n_pairs; i++) {
        const struct token *spec = inputs->pairs[i].value;

        a->inputs[a->n_inputs++] = (struct action_input){
            .id = convert_text(c, inputs->pairs[i].key),
            .fallback = token_find(spec, "default"),
            .deprecation = convert_text(c, token_find(spec, "deprecationMessage")),
            .required = is_true(token_find(spec, "required")),
        };
    }
}

static void take_outputs(struct convert *c, struct action *a, const struct token *outputs)
{
    if (!outputs)
        return;
    a->outputs = arena_array(c->arena, outputs->n_pairs, sizeof *a->outputs);
    for (size_t i = 0; i < outputs->n_pairs; i++)
        a->outputs[a->n_outputs++] = (struct action_output){
            .id = convert_text(c, outputs->pairs[i].key),
            .value = token_find(outputs->pairs[i].value, "value"),
        };
}

/* ---- runs ---- */

/* pre-if and post-if hold a bare expression, to which nothing is added. */
static const char *take_condition(struct convert *c, const struct token *tok)
{
    struct expr_place *place = schema_place(c->arena, CTX_ACTION_IF);
    struct expr_error error;
    const struct expr *e;

    if (!tok)
        return "always()";
    if (expr_parse(c->arena, tok->text, place, &e, &error) < 0)
        diag_add_text(c->diags, DIAG_ERROR, c->file, tok->line, tok->col, error.message)->hint =
            schema_expr_hint(c->diags->arena, place, error.message);
    return convert_text(c, tok);
}

/* "Dockerfile", "Dockerfile.x" or "x.Dockerfile", in any letter case. */
static bool is_dockerfile(struct slice path)
{
    static const struct slice name = SLICE_INIT("Dockerfile");
    ssize_t slash;

    while ((slash = slice_find_char(path, '/')) >= 0)
        path = slice_from(path, (size_t)slash + 1);
    if (path.len < name.len)
        return false;
    struct slice head = slice_head(path, name.len), tail = slice_from(path, path.len - name.len);
    return slice_eq_nocase(path, name) ||
           (slice_eq_nocase(head, name) && path.ptr[name.len] == '.') ||
           (slice_eq_nocase(tail, name) && path.ptr[path.len - name.len - 1] == '.');
}

static void take_docker(struct convert *c, struct action *a, const struct token *runs)
{
    const struct token *image = token_find(runs, "image");

    a->kind = ACTION_DOCKER;
    a->image = convert_text(c, image);
    a->args = token_find(runs, "args");
    a->env = token_find(runs, "env");
    a->main = convert_text(c, token_find(runs, "entrypoint"));
    a->pre = convert_text(c, token_find(runs, "pre-entrypoint"));
    a->post = convert_text(c, token_find(runs, "post-entrypoint"));
    if (a->image && !slice_starts(image->text, SLICE("docker://")) && !is_dockerfile(image->text))
        convert_error(c, image,
                      "'%s' should be either '[path]/Dockerfile' or 'docker://image[:tag]'.",
                      a->image);
}

static void take_scripts(struct convert *c, struct action *a, const struct token *runs)
{
    a->kind = ACTION_NODE;
    if (slice_starts(slice_of(a->using), SLICE("ostler/")))
        a->kind = ACTION_PLUGIN;
    a->main = convert_text(c, token_find(runs, "main"));
    a->pre = convert_text(c, token_find(runs, "pre"));
    a->post = convert_text(c, token_find(runs, "post"));
}

static void take_composite(struct convert *c, struct action *a, const struct token *runs)
{
    const struct token *steps = token_find(runs, "steps");

    a->kind = ACTION_COMPOSITE;
    if (steps)
        convert_steps(c, steps, CTX_COMPOSITE_IF, &a->steps, &a->n_steps);
}

/* What `using` may say. NEED is the key without which that kind is nothing, WHAT names the kind. */
static const struct kind {
    const char *using, *need, *what;
    void (*take)(struct convert *c, struct action *a, const struct token *runs);
} kinds[] = {
    {"composite", "steps", "composite", take_composite},
    {"docker", "image", "Docker", take_docker},
    {"node24", "main", "Node.js", take_scripts},
    {"node20", "main", "Node.js", take_scripts},
    {"node16", "main", "Node.js", take_scripts},
    {"node12", "main", "Node.js", take_scripts},
    {"ostler/1", "main", "plugin", take_scripts},
};

static const struct kind *find_kind(struct slice using)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_eq_nocase(using, slice_of(kinds[i].using)))
            return &kinds[i];
    return NULL;
}

static void report_using(struct convert *c, const struct token *using)
{
    struct near_best best = near_begin(using->text);
    struct diag *d = convert_error(c, using,
                                   "'using: %.*s' is not supported, use 'docker', 'node12', "
                                   "'node16', 'node20' or 'node24' instead.",
                                   SLICE_ARG(using->text));

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        near_offer(&best, slice_of(kinds[i].using));
    d->hint = near_hint(c->diags->arena, &best);
}

/* The place of a key; the mapping's own when it has none of that name. */
static const struct token *key_place(const struct token *mapping, const char *name)
{
    for (size_t i = 0; i < mapping->n_pairs; i++)
        if (slice_eq(mapping->pairs[i].key->text, slice_of(name)))
            return mapping->pairs[i].key;
    return mapping;
}

static void take_runs(struct convert *c, struct action *a, const struct token *runs)
{
    const struct token *using = token_find(runs, "using"), *plugin = token_find(runs, "plugin");
    const struct kind *kind = using ? find_kind(using->text) : NULL;

    a->pre_if = take_condition(c, token_find(runs, "pre-if"));
    a->post_if = take_condition(c, token_find(runs, "post-if"));
    if (kind) {
        a->using = convert_text(c, using);
        kind->take(c, a, runs);
        if (!token_find(runs, kind->need))
            convert_error(c, key_place(runs, "using"),
                          "'%s' is required for %s actions (using: %s)", kind->need, kind->what,
                          a->using);
    } else if (using) {
        report_using(c, using);
    } else if (plugin) {
        a->kind = ACTION_PLUGIN;
        a->main = convert_text(c, plugin);
    } else {
        convert_error(c, runs,
                      "Missing 'using' value. 'using' requires 'composite', 'docker', 'node12', "
                      "'node16', 'node20' or 'node24'.");
    }
}

/* ---- the file ---- */

static struct slice using_of(const struct token *raw)
{
    const struct token *using = token_find(token_find(raw, "runs"), "using");

    return convert_is(using, TOKEN_STRING) ? using->text : SLICE("");
}

static void convert_action(struct convert *c, struct action *a, const struct token *root)
{
    const struct token *runs = token_find(root, "runs");

    a->name = convert_text(c, token_find(root, "name"));
    a->description = convert_text(c, token_find(root, "description"));
    take_inputs(c, a, token_find(root, "inputs"));
    take_outputs(c, a, token_find(root, "outputs"));
    if (runs)
        take_runs(c, a, runs);
    else
        convert_error(c, root, "Top level 'runs:' section is required for %s", c->file);
}

enum reading { READ_PLAIN, READ_STRICT, READ_FORGE };

static int read_action(struct action *a, struct slice text, const char *file, enum reading how,
                       struct diags *diags)
{
    static const struct yaml_limits limits = {.any_keys = true};
    struct convert c = {
        .arena = &a->arena,
        .diags = diags,
        .file = file,
        .errors_before = diags->n_errors,
        .forge = how == READ_FORGE,
    };
    const struct schema_options reading = {.forge = how == READ_FORGE};
    struct token *raw, *root;

    if (yaml_parse(&a->arena, text, file, 1, &limits, &raw, diags) < 0 ||
        schema_read(&a->arena, raw, schema_action(using_of(raw), how == READ_STRICT), file,
                    &reading, &root, diags) < 0)
        return ERR_INVALID;
    if (diags->n_errors == c.errors_before)
        convert_action(&c, a, root);
    return diags->n_errors == c.errors_before ? ERR_OK : ERR_INVALID;
}

static int parse(struct action *a, struct slice text, const char *file, enum reading how,
                 struct diags *diags)
{
    action_deinit(a);
    if (read_action(a, text, file, how, diags) == ERR_OK)
        return ERR_OK;
    action_deinit(a);
    return ERR_INVALID;
}

int action_parse(struct action *a, struct slice text, const char *file, struct diags *diags)
{
    return parse(a, text, file, READ_PLAIN, diags);
}

int action_parse_forge(struct action *a, struct slice text, const char *file, struct diags *diags)
{
    return parse(a, text, file, READ_FORGE, diags);
}

int action_check(struct slice text, const char *file, struct diags *diags)
{
    CLEANUP(action_deinit) struct action a;

    action_init(&a);
    return read_action(&a, text, file, READ_STRICT, diags);
}
