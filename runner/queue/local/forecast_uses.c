/* What a step uses: its inputs, what a plugin would do, and the steps of composite actions. */
#include "base/fd.h"
#include "base/path.h"
#include "lang/action.h"
#include "lang/action_ref.h"
#include "plugin/plugin.h"
#include "queue/local/forecast_level.h"

#include <fcntl.h>

enum { MANIFEST_MAX = 1 << 20, DEPTH_MAX = 9 };

/* ---- inputs of an action ---- */

/* As text into TO, as shown into SHOWN. */
static void add_input(const char *name, struct slice text, const char *mark, struct strmap *to,
                      json_t *shown, struct strmap *open)
{
    strmap_set(to, slice_of(name), text);
    if (text.len)
        json_object_set_new(shown, name, forecast_text_json(text, mark));
    if (mark)
        strmap_set(open, slice_of(name), text);
}

static void add_with(struct level *l, const struct token *with, struct strmap *to, json_t *shown,
                     struct strmap *open)
{
    struct sight s = level_sight(l);

    for (size_t i = 0; with && with->kind == TOKEN_MAPPING && i < with->n_pairs; i++) {
        const char *mark, *name = arena_str(l->arena, forecast_text(&s, with->pairs[i].key, NULL));
        struct slice text = forecast_text(&s, with->pairs[i].value, &mark);

        add_input(name, text, mark, to, shown, open);
    }
}

static void add_default(struct level *l, const char *name, const struct token *fallback,
                        struct strmap *to, json_t *shown, struct strmap *open)
{
    struct sight s = level_sight(l);
    const char *mark = NULL;
    struct slice had;

    if (!fallback || strmap_find(to, slice_of(name), &had))
        return;
    struct slice text = forecast_text(&s, fallback, &mark);
    add_input(name, text, mark, to, shown, open);
}

/* What it declares, for what `with` leaves out. */
static void add_defaults(struct level *l, const struct action *action, struct strmap *inputs,
                         json_t *with, struct strmap *open)
{
    for (size_t i = 0; i < action->n_inputs; i++)
        add_default(l, action->inputs[i].id, action->inputs[i].fallback, inputs, with, open);
}

/* ---- plugins ---- */

/* The default of a plugin's input is a text that may hold expressions. */
static const struct token *plugin_default(struct level *l, const struct plugin_input *in)
{
    struct token *tok = ARENA_NEW(l->arena, struct token);
    struct expr_error ignored; /* then it is taken as it stands */
    struct slice literal, expr;

    if (!in->fallback)
        return NULL;
    *tok = (struct token){.kind = TOKEN_STRING, .source = slice_of(in->fallback)};
    tok->text = tok->source;
    if (template_compile(l->arena, tok->source, NULL, &literal, &expr, &ignored) == ERR_OK) {
        tok->kind = expr.ptr ? TOKEN_EXPR : TOKEN_STRING;
        tok->text = expr.ptr ? expr : literal;
    }
    return tok;
}

static void cast_plugin(struct level *l, const struct step *def, const struct plugin *p,
                        enum node_fate fate, json_t *to)
{
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE, open = STRMAP_INIT_NOCASE;
    const struct forecast_asker *asker = &l->f->spec->asker;
    json_t *with = json_object(), *lines = json_array();
    json_t *plugin = json_pack("{s:s, s:s, s:o}", "id", p->id, "version",
                               p->version ? p->version : "", "plan", lines);
    struct err err = ERR_INIT;

    json_object_set_new(to, "plugin", plugin);
    json_object_set_new(to, "with", with);
    add_with(l, def->with, &inputs, with, &open);
    for (size_t i = 0; i < p->n_inputs; i++) {
        struct slice value;

        add_default(l, p->inputs[i].name, plugin_default(l, &p->inputs[i]), &inputs, with, &open);
        if ((p->inputs[i].flags & OST_SECRET) &&
            strmap_find(&inputs, slice_of(p->inputs[i].name), &value) && value.len)
            (void)!mask_add(l->f->plan.mask, value); /* beyond its limit everything is masked */
    }
    if (fate == FATE_SKIPPED || fate == FATE_FAILS || !asker->ask)
        return;
    if (asker->ask(asker->ctx, p, &inputs, lines, &err) < 0)
        json_object_set_new(
            plugin, "no_plan",
            open.len ? json_sprintf("some of its inputs are not known yet (%s)", err.text)
                     : json_string(err.text));
}

/* ---- composite actions of the working tree ---- */

/* Known outputs into *RET, the others into OPEN. */
static void composite_outputs(struct level *inner, const struct action *action, const char *after,
                              json_t *ret, struct strmap *open)
{
    struct sight s = level_sight(inner);

    for (size_t i = 0; i < action->n_outputs; i++) {
        const char *mark = NULL;
        struct slice text = SLICE("");

        if (action->outputs[i].value)
            text = forecast_text(&s, action->outputs[i].value, &mark);
        if (mark)
            strmap_set(open, slice_of(action->outputs[i].id),
                       forecast_hide(inner->arena, text, after));
        else
            json_object_set_new(ret, action->outputs[i].id, json_stringn(text.ptr, text.len));
    }
}

static void cast_composite(struct level *l, const struct step *def, const struct action *action,
                           json_t *to, json_t *ret_outputs, struct strmap *ret_open)
{
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE, open = STRMAP_INIT_NOCASE;
    CLEANUP(level_deinit)
    struct level inner = {
        .f = l->f,
        .place = l->place,
        .outer = l,
        .arena = l->arena,
        .github = l->github,
        .runner = l->runner,
        .job = l->job,
        .env = json_copy((json_t *)(uintptr_t)level_env(l)),
        .steps = json_object(),
        .inputs = json_object(),
        .depth = l->depth + 1,
    };
    json_t *with = json_object(), *steps = json_array();
    struct arena *a = &l->f->plan.arena;

    json_object_set_new(to, "with", with);
    json_object_set_new(to, "steps", steps);
    add_with(l, def->with, &inputs, with, &open);
    add_defaults(l, action, &inputs, with, &open);
    STRMAP_EACH (i, &inputs)
        json_object_set_new(inner.inputs, i->name, json_stringn(i->value, i->value_len));
    STRMAP_EACH (i, &open)
        marks_add(&inner.marks, a, "inputs", i->name, arena_str(a, strmap_value(i)));
    VEC_EACH (m, &l->marks.list)
        if (slice_eq(m->path[0], SLICE("env")))
            vec_push(&inner.marks.list, *m);
    VEC_EACH (m, &l->own_marks.list)
        vec_push(&inner.marks.list, *m);
    level_open(&inner);
    forecast_steps(&inner, action->steps, action->n_steps, steps);
    composite_outputs(&inner, action, forecast_after(l->f, "step", level_step_label(l, def)),
                      ret_outputs, ret_open);
}

/* Where an action's files are: below ROOT, which nothing leaves. */
struct home {
    const char *root, *dir;
    const char *sha; /* of what comes from the store; NULL: the working tree */
};

/* False: it is neither of the working tree nor in the store. Nothing is fetched. */
static bool find_home(const struct level *l, const char *uses, struct home *ret)
{
    const struct local_spec *run = l->f->spec->run;
    struct store_entry entry;
    struct action_ref ref;
    struct err ignored = ERR_INIT; /* it is shown as it was written, then */

    enum uses_kind kind = uses_kind(slice_of(uses));

    if (kind == USES_LOCAL) {
        *ret = (struct home){.root = run->source, .dir = uses};
        return true;
    }
    if (!run->store || kind != USES_REMOTE ||
        action_ref_parse(l->arena, slice_of(uses), &ref, &ignored) < 0)
        return false;
    struct store_spec here = *run->store;
    here.offline = true;
    if (store_find(&here, &ref, l->arena, &entry, &ignored) < 0)
        return false;
    *ret = (struct home){.root = entry.path,
                         .dir = *ref.path ? ref.path : ".",
                         .sha = arena_str(l->arena, slice_of(entry.sha))};
    return true;
}

static int read_manifest(const struct level *l, const struct home *home, struct buf *text,
                         const char **ret_name, struct err *err)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(fd_closep) int root = -1;
    int r = path_open(AT_FDCWD, home->root, O_RDONLY | O_DIRECTORY, 0, &root, err);

    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(names); i++) {
        CLEANUP(fd_closep) int fd = -1;
        CLEANUP(free_ptr) char *path = path_join(home->dir, names[i]);
        CLEANUP(free_ptr) char *normal = path_normal(path);

        *ret_name = arena_str(l->arena, slice_of(normal));
        r = path_open_in(root, normal, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, &fd, err);
        if (r == ERR_OK)
            return fd_read_all(fd, text, err);
        if (r == ERR_NOT_FOUND && i == 0)
            r = ERR_OK;
    }
    return r < 0 ? r : ERR_NOT_FOUND;
}

static const char *action_kind_name(enum action_kind kind)
{
    static const char *const names[ACTION_KINDS] = {
        [ACTION_COMPOSITE] = "composite",
        [ACTION_NODE] = "javascript",
        [ACTION_DOCKER] = "docker",
        [ACTION_PLUGIN] = "action",
    };

    return names[kind];
}

static void cast_action(struct level *l, const struct step *def, const struct home *home,
                        json_t *to, json_t **ret_outputs, struct strmap *ret_open)
{
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE, open = STRMAP_INIT_NOCASE;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MANIFEST_MAX);
    CLEANUP(diags_deinit) struct diags diags = {.arena = l->arena};
    CLEANUP(action_deinit) struct action action;
    struct err err = ERR_INIT;
    const char *name = def->uses;

    action_init(&action);
    if (read_manifest(l, home, &text, &name, &err) < 0) {
        json_object_set_new(
            to, "why",
            home->sha
                ? json_sprintf("there is no '%s' in commit %s", name, home->sha)
                : json_sprintf("'%s' is not in the working tree: an earlier step has to make it",
                               name));
        return;
    }
    if (action_parse(&action, buf_slice(&text), name, &diags) < 0) {
        json_object_set_new(
            to, "error",
            json_string(diags.list.len ? diag_text(l->arena, &diags.list.ptr[0]) : "no manifest"));
        return;
    }
    json_object_set_new(to, "kind", json_string(action_kind_name(action.kind)));
    if (action.kind != ACTION_COMPOSITE) {
        json_t *with = json_object();

        json_object_set_new(to, "with", with);
        add_with(l, def->with, &inputs, with, &open);
        add_defaults(l, &action, &inputs, with, &open);
        return;
    }
    if (l->depth == DEPTH_MAX) {
        json_object_set_new(
            to, "error", json_sprintf("Composite action depth exceeded max depth %d", DEPTH_MAX));
        return;
    }
    *ret_outputs = json_object();
    cast_composite(l, def, &action, to, *ret_outputs, ret_open);
}

/* ---- all of it ---- */

void forecast_uses(struct level *l, const struct step *def, enum node_fate fate, json_t *to,
                   json_t **ret_outputs, struct strmap *ret_open)
{
    const struct local_spec *run = l->f->spec->run;
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE, open = STRMAP_INIT_NOCASE;
    struct plugin *plugin = NULL;
    struct err ignored = ERR_INIT; /* nobody serves it: an ordinary action */
    const char *kind = "action";
    struct home home;

    json_object_set_new(to, "uses", json_string(def->uses));
    if (uses_kind(slice_of(def->uses)) == USES_IMAGE)
        kind = "docker";
    else if (strncmp(def->uses, "actions/checkout@", 17) == 0) /* its many defaults tell nothing */
        kind = "checkout";
    else if (uses_kind(slice_of(def->uses)) == USES_REMOTE && run->plugin_path &&
             strcmp(plugin_preference(run->plugin_prefer, def->uses), "never") != 0 &&
             plugin_find(run->plugin_path, def->uses, &plugin, &ignored) == ERR_OK)
        kind = "plugin";
    else if (find_home(l, def->uses, &home))
        cast_action(l, def, &home, to, ret_outputs, ret_open);
    if (!json_object_get(to, "kind"))
        json_object_set_new(to, "kind", json_string(kind));
    if (plugin) {
        cast_plugin(l, def, plugin, fate, to);
    } else if (!json_object_get(to, "with")) {
        json_t *with = json_object();

        add_with(l, def->with, &inputs, with, &open);
        json_object_set_new(to, "with", with);
    }
    plugin_free(plugin);
}
