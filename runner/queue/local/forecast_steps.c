/* The steps of a job, resolved as far as that goes before any of them has run. */
#include "base/fd.h"
#include "base/path.h"
#include "lang/action.h"
#include "plugin/plugin.h"
#include "queue/local/forecast_state.h"

#include <fcntl.h>

enum { MANIFEST_MAX = 1 << 20, DEPTH_MAX = 9 };

/* One list of steps: the job's own, or those of a composite action. */
struct level {
    struct forecast *f;
    struct place *place;
    struct expr_scope outside; /* the place's, for all that steps do not change */
    struct expr_scope scope;   /* this level's */
    struct level *outer;       /* NULL: the job's own steps */
    struct arena *arena;
    json_t *github, *runner, *job; /* contexts; owned by the job's level */
    json_t *env;                   /* what is set for all steps so far; owned */
    json_t *own_env;               /* what the step at hand sets for itself; owned; NULL: nothing */
    json_t *env_context;           /* both; owned; NULL: not made yet */
    json_t *steps;                 /* context; owned */
    json_t *inputs;                /* of a composite; owned; NULL: the job's */
    struct marks marks, own_marks; /* own: of own_env */
    const char *last;              /* "‹known after step 2›"; NULL: none has begun */
    int number, depth;
    bool env_marked;
};

static void level_deinit(struct level *l)
{
    json_decref(l->env);
    json_decref(l->own_env);
    json_decref(l->env_context);
    json_decref(l->steps);
    json_decref(l->inputs);
    marks_deinit(&l->marks);
    marks_deinit(&l->own_marks);
}

/* ---- the scope ---- */

static const json_t *env_context(struct level *l)
{
    if (!l->env_context) {
        l->env_context = json_copy(l->env);
        if (l->own_env)
            json_object_update(l->env_context, l->own_env);
    }
    return l->env_context;
}

static const json_t *context(void *ctx, struct slice name)
{
    struct level *l = ctx;

    if (slice_eq(name, SLICE("github")))
        return l->github;
    if (slice_eq(name, SLICE("env")))
        return env_context(l);
    if (slice_eq(name, SLICE("steps")))
        return l->steps;
    if (slice_eq(name, SLICE("runner")))
        return l->runner;
    if (slice_eq(name, SLICE("job")))
        return l->job;
    if (l->inputs && slice_eq(name, SLICE("inputs")))
        return l->inputs;
    if (l->outer && slice_eq(name, SLICE("secrets")))
        return NULL;
    return l->outside.context(l->outside.ctx, name);
}

/* As if all goes well; anything else is open. */
static bool status(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    (void)ctx;
    (void)args;
    (void)n_args;
    return slice_eq_nocase(name, SLICE("always")) || slice_eq_nocase(name, SLICE("success"));
}

static const char *hash_mark(const struct level *l, const struct slice *patterns, size_t n)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1000);

    buf_add_str(&text, "‹hash of ");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%.*s", i ? ", " : "", SLICE_ARG(patterns[i]));
    buf_add_str(&text, n ? "›" : "files›");
    return text.overflow ? "‹hash of files›" : arena_str(&l->f->plan.arena, buf_slice(&text));
}

static const char *moment(const struct level *l, const struct slice *path, size_t n)
{
    if (slice_eq(path[0], SLICE("always()")))
        return NULL;
    if (slice_eq(path[0], SLICE("hashfiles()")))
        return hash_mark(l, path + 1, n - 1);
    if (l->f->plan.assume)
        return NULL;
    return slice_eq(path[0], SLICE("cancelled()")) ? "‹known when it runs›" : l->last;
}

static bool sets(const json_t *env, struct slice name)
{
    return env && json_object_getn(env, name.ptr, name.len);
}

static const char *unknown(void *ctx, const struct slice *path, size_t n)
{
    const struct level *l = ctx;
    bool assume = l->f->plan.assume;
    const char *mark;

    if (slice_ends(path[0], SLICE("()")))
        return moment(l, path, n);
    if ((mark = marks_find(&l->own_marks, path, n, assume)))
        return mark;
    if (n > 1 && slice_eq(path[0], SLICE("env")) && sets(l->own_env, path[1]))
        return NULL;
    if ((mark = marks_find(&l->marks, path, n, assume)))
        return mark;
    if (slice_eq(path[0], SLICE("steps")) || slice_eq(path[0], SLICE("env")) ||
        (l->inputs && slice_eq(path[0], SLICE("inputs"))))
        return NULL;
    return l->outside.unknown(l->outside.ctx, path, n);
}

static struct sight sight_of(struct level *l)
{
    return (struct sight){l->f, l->arena, &l->scope};
}

static void set_scope(struct level *l)
{
    l->outside = place_scope(l->place);
    l->scope = (struct expr_scope){
        .context = context, .status = status, .unknown = unknown, .ctx = l, .env_case = true};
}

/* ---- environment ---- */

static void drop_env_context(struct level *l)
{
    json_decref(l->env_context);
    l->env_context = NULL;
}

/* The pairs of TOK, evaluated at L, into TO and MARKS, and as shown into SHOWN. */
static void add_env(struct level *l, const struct token *tok, json_t *to, struct marks *marks,
                    json_t *shown)
{
    struct template_open open = {0};
    struct template_eval t = {.arena = l->arena, .scope = &l->scope, .open = &open};
    struct sight s = sight_of(l);

    if (tok && tok->kind == TOKEN_MAPPING) {
        for (size_t i = 0; i < tok->n_pairs; i++) {
            const char *mark,
                *name = arena_str(l->arena, forecast_text(&s, tok->pairs[i].key, NULL));
            struct slice text = forecast_text(&s, tok->pairs[i].value, &mark);

            json_object_set_new(to, name, json_stringn(text.ptr, text.len));
            json_object_set_new(shown, name, forecast_text_json(text, mark));
            marks_drop(marks, "env", name);
            if (mark)
                marks_add(marks, &l->f->plan.arena, "env", name,
                          arena_str(&l->f->plan.arena, text));
        }
    } else if (tok) { /* an expression makes all of it */
        CLEANUP(strmap_deinit) struct strmap map = STRMAP_INIT;
        struct err err = ERR_INIT;

        if (template_map(&t, tok, &map, &err) < 0)
            json_object_set_new(shown, "error", json_string(err.text));
        STRMAP_EACH (i, &map) {
            json_object_set_new(to, i->name, json_stringn(i->value, i->value_len));
            json_object_set_new(shown, i->name, json_stringn(i->value, i->value_len));
        }
        if (open.mark) {
            marks_add(marks, &l->f->plan.arena, "env", NULL, open.mark);
            json_object_set_new(shown, "*", json_pack("{s:s}", "unknown", open.mark));
        }
    }
    template_open_deinit(&open);
}

/* From now on any variable that nobody has set may come from a step that has run. */
static void mark_env(struct level *l)
{
    for (; l; l = l->outer) {
        if (!l->env_marked)
            marks_add(&l->marks, &l->f->plan.arena, "env", NULL, "‹set by an earlier step›")
                ->but_for = l->env;
        l->env_marked = true;
    }
}

static bool may_set_env(const struct step *def)
{
    struct slice script = def->run && def->run->kind <= TOKEN_EXPR ? def->run->source : SLICE("");

    if (def->uses)
        return strncmp(def->uses, "actions/checkout@", 17) != 0;
    return slice_find(script, SLICE("GITHUB_ENV")) >= 0;
}

/* ---- what a step leaves behind ---- */

static const char *step_label(struct level *l, const struct step *def)
{
    return strncmp(def->id, "__", 2) == 0 ? arena_printf(l->arena, "%d", l->number) : def->id;
}

/* OUTPUTS: those that are known, of an action that says all it has; NULL: anything may come. OPEN: the others. */
static void leave(struct level *l, const struct step *def, enum node_fate fate,
                  const json_t *outputs, const struct strmap *open)
{
    struct arena *a = &l->f->plan.arena;
    const char *path = arena_printf(a, "steps.%s", def->id);
    const char *after = forecast_after(l->f, "step", step_label(l, def));
    const char *outcome = fate == FATE_RUNS || fate == FATE_OPEN ? "success" : "skipped";

    json_object_set_new(l->steps, def->id,
                        json_pack("{s:o, s:s, s:s}", "outputs",
                                  outputs && fate == FATE_RUNS
                                      ? json_copy((json_t *)(uintptr_t)outputs)
                                      : json_object(),
                                  "outcome", outcome, "conclusion", outcome));
    if (fate == FATE_SKIPPED)
        return;
    l->last = after;
    if (may_set_env(def))
        mark_env(l);
    if (fate == FATE_OPEN) {
        marks_add(&l->marks, a, path, NULL, after);
    } else if (fate == FATE_RESCUES) {
        marks_add(&l->marks, a, path, NULL, after)->assumed = true;
    } else {
        marks_add(&l->marks, a, path, "outcome", after)->assumed = true;
        marks_add(&l->marks, a, path, "conclusion", after)->assumed = true;
        if (!outputs)
            marks_add(&l->marks, a, path, "outputs", after);
        if (open)
            STRMAP_EACH (i, open)
                marks_add(&l->marks, a, arena_printf(a, "%s.outputs", path), i->name,
                          arena_str(a, strmap_value(i)));
    }
}

/* ---- inputs of an action ---- */

/* Evaluates `with`, then the default of NAME if it was not given. As text into TO, as shown into SHOWN. */
static void add_input(struct level *l, const char *name, struct slice text, const char *mark,
                      struct strmap *to, json_t *shown, struct strmap *open)
{
    strmap_set(to, slice_of(name), text);
    if (text.len)
        json_object_set_new(shown, name, forecast_text_json(text, mark));
    if (mark)
        strmap_set(open, slice_of(name), text);
    (void)l;
}

static void add_with(struct level *l, const struct token *with, struct strmap *to, json_t *shown,
                     struct strmap *open)
{
    struct sight s = sight_of(l);

    for (size_t i = 0; with && with->kind == TOKEN_MAPPING && i < with->n_pairs; i++) {
        const char *mark, *name = arena_str(l->arena, forecast_text(&s, with->pairs[i].key, NULL));
        struct slice text = forecast_text(&s, with->pairs[i].value, &mark);

        add_input(l, name, text, mark, to, shown, open);
    }
}

static void add_default(struct level *l, const char *name, const struct token *fallback,
                        struct strmap *to, json_t *shown, struct strmap *open)
{
    struct sight s = sight_of(l);
    const char *mark = NULL;
    struct slice had;

    if (!fallback || strmap_find(to, slice_of(name), &had))
        return;
    struct slice text = forecast_text(&s, fallback, &mark);
    add_input(l, name, text, mark, to, shown, open);
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

static void cast_list(struct level *l, const struct step *steps, size_t n, json_t *to);

/* Known outputs into *RET, the others into OPEN. */
static void composite_outputs(struct level *inner, const struct action *action, const char *after,
                              json_t *ret, struct strmap *open)
{
    struct sight s = sight_of(inner);

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
        .env = json_copy((json_t *)(uintptr_t)env_context(l)),
        .steps = json_object(),
        .inputs = json_object(),
        .depth = l->depth + 1,
    };
    json_t *with = json_object(), *steps = json_array();
    struct arena *a = &l->f->plan.arena;

    json_object_set_new(to, "with", with);
    json_object_set_new(to, "steps", steps);
    add_with(l, def->with, &inputs, with, &open);
    for (size_t i = 0; i < action->n_inputs; i++)
        add_default(l, action->inputs[i].id, action->inputs[i].fallback, &inputs, with, &open);
    STRMAP_EACH (i, &inputs)
        json_object_set_new(inner.inputs, i->name, json_stringn(i->value, i->value_len));
    STRMAP_EACH (i, &open)
        marks_add(&inner.marks, a, "inputs", i->name, arena_str(a, strmap_value(i)));
    VEC_EACH (m, &l->marks.list)
        if (slice_eq(m->path[0], SLICE("env")))
            vec_push(&inner.marks.list, *m);
    VEC_EACH (m, &l->own_marks.list)
        vec_push(&inner.marks.list, *m);
    set_scope(&inner);
    cast_list(&inner, action->steps, action->n_steps, steps);
    composite_outputs(&inner, action, forecast_after(l->f, "step", step_label(l, def)), ret_outputs,
                      ret_open);
}

/* The manifest of "./path" as it lies in the working tree. */
static int read_manifest(const struct level *l, const char *uses, struct buf *text,
                         const char **ret_name, struct err *err)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(fd_closep) int root = -1;
    int r = path_open(AT_FDCWD, l->f->spec->run->source, O_RDONLY | O_DIRECTORY, 0, &root, err);

    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(names); i++) {
        CLEANUP(fd_closep) int fd = -1;
        CLEANUP(free_ptr) char *path = path_join(uses, names[i]);
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

static void cast_local(struct level *l, const struct step *def, json_t *to, json_t **ret_outputs,
                       struct strmap *ret_open)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MANIFEST_MAX);
    CLEANUP(diags_deinit) struct diags diags = {.arena = l->arena};
    CLEANUP(action_deinit) struct action action;
    struct err err = ERR_INIT;
    const char *name = def->uses;

    action_init(&action);
    json_object_set_new(to, "kind", json_string("action"));
    if (read_manifest(l, def->uses, &text, &name, &err) < 0) {
        json_object_set_new(
            to, "why",
            json_sprintf("'%s' is not in the working tree: an earlier step has to make it", name));
        return;
    }
    if (action_parse(&action, buf_slice(&text), name, &diags) < 0) {
        json_object_set_new(
            to, "error",
            json_string(diags.list.len ? diag_text(l->arena, &diags.list.ptr[0]) : "no manifest"));
        return;
    }
    json_object_set_new(to, "kind", json_string(action_kind_name(action.kind)));
    if (action.kind != ACTION_COMPOSITE)
        return;
    if (l->depth == DEPTH_MAX) {
        json_object_set_new(
            to, "error", json_sprintf("Composite action depth exceeded max depth %d", DEPTH_MAX));
        return;
    }
    *ret_outputs = json_object();
    cast_composite(l, def, &action, to, *ret_outputs, ret_open);
}

/* ---- one step ---- */

static bool is_local(const char *uses)
{
    return strncmp(uses, "./", 2) == 0 || strcmp(uses, ".") == 0;
}

static void cast_uses(struct level *l, const struct step *def, enum node_fate fate, json_t *to,
                      json_t **ret_outputs, struct strmap *ret_open)
{
    const struct local_spec *run = l->f->spec->run;
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE, open = STRMAP_INIT_NOCASE;
    struct plugin *plugin = NULL;
    struct err ignored = ERR_INIT; /* nobody serves it: an ordinary action */
    const char *kind = "action";

    json_object_set_new(to, "uses", json_string(def->uses));
    if (is_local(def->uses))
        cast_local(l, def, to, ret_outputs, ret_open);
    else if (strncmp(def->uses, "docker://", 9) == 0)
        kind = "docker";
    else if (run->plugin_path &&
             plugin_find(run->plugin_path, def->uses, &plugin, &ignored) == ERR_OK)
        kind = "plugin";
    else if (strncmp(def->uses, "actions/checkout@", 17) == 0)
        kind = "checkout";
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

static void cast_run(struct level *l, const struct step *def, json_t *to)
{
    const struct workflow_job *d = l->place->node->def;
    struct sight s = sight_of(l);
    const struct token *shell = def->shell, *dir = def->working_directory;

    if (!l->outer) {
        shell = shell ? shell : d->default_shell;
        dir = dir ? dir : d->default_working_directory;
    }
    json_object_set_new(to, "kind", json_string("script"));
    json_object_set_new(to, "run", forecast_value(&s, def->run));
    forecast_put(to, "shell", forecast_value(&s, shell));
    forecast_put(to, "working_directory", forecast_value(&s, dir));
}

static void cast_control(struct level *l, const struct step *def, json_t *to)
{
    static const char *const names[CONTROLS] = {
        [CONTROL_WAIT] = "wait",
        [CONTROL_WAIT_ALL] = "wait-all",
        [CONTROL_CANCEL] = "cancel",
        [CONTROL_PARALLEL] = "parallel",
    };
    json_t *targets = json_array(), *steps = json_array();

    json_object_set_new(to, "kind", json_string(names[def->control]));
    for (size_t i = 0; i < def->n_targets; i++)
        json_array_append_new(targets, json_string(def->targets[i]));
    if (def->n_targets)
        json_object_set(to, "targets", targets);
    json_decref(targets);
    if (def->control == CONTROL_PARALLEL)
        cast_list(l, def->steps, def->n_steps, steps);
    if (def->control == CONTROL_PARALLEL)
        json_object_set(to, "steps", steps);
    json_decref(steps);
}

/* As the run will call it. */
static json_t *step_name(struct level *l, const struct step *def)
{
    struct sight s = sight_of(l);
    const char *mark = NULL;
    struct slice name = SLICE("");

    if (def->name)
        name = forecast_text(&s, def->name, &mark);
    if (slice_trim(name).len)
        return forecast_text_json(name, mark);
    if (!def->run)
        return json_string(step_default_name(l->arena, def));
    struct slice line = step_first_line(forecast_text(&s, def->run, &mark));
    return forecast_text_json(slice_of(arena_printf(l->arena, "Run %.*s", SLICE_ARG(line))), mark);
}

static json_t *cast_step(struct level *l, const struct step *def)
{
    CLEANUP(strmap_deinit) struct strmap open = STRMAP_INIT_NOCASE;
    json_t *to = json_pack("{s:i}", "number", ++l->number), *outputs = NULL, *env = json_object();
    json_t *own = json_object();
    struct marks own_marks = {0};
    struct sight s = sight_of(l);

    if (strncmp(def->id, "__", 2) != 0)
        json_object_set_new(to, "id", json_string(def->id));
    if (def->line)
        json_object_set_new(to, "line", json_integer(def->line));
    add_env(l, def->env, own, &own_marks, env);
    l->own_env = own;
    l->own_marks = own_marks;
    drop_env_context(l);

    struct judgement j = forecast_judge(&s, slice_of(def->condition));
    json_object_set_new(to, "name", step_name(l, def));
    json_object_set_new(to, "verdict", json_string(forecast_fate_name(j.fate)));
    json_object_set_new(to, "if", j.json);
    if (def->run)
        cast_run(l, def, to);
    else if (def->uses)
        cast_uses(l, def, j.fate, to, &outputs, &open);
    else
        cast_control(l, def, to);
    if (json_object_size(env))
        json_object_set(to, "env", env);
    json_decref(env);
    forecast_put(to, "continue_on_error", forecast_value(&s, def->continue_on_error));
    forecast_put(to, "timeout_minutes", forecast_value(&s, def->timeout_minutes));
    if (def->background)
        json_object_set_new(to, "background", json_true());

    json_decref(l->own_env);
    l->own_env = NULL;
    marks_deinit(&l->own_marks);
    drop_env_context(l);
    leave(l, def, j.fate, outputs, &open);
    json_decref(outputs);
    return to;
}

static void cast_list(struct level *l, const struct step *steps, size_t n, json_t *to)
{
    for (size_t i = 0; i < n; i++)
        json_array_append_new(to, cast_step(l, &steps[i]));
}

/* ---- the job ---- */

static json_t *runner_context(void)
{
#if defined(__x86_64__)
    const char *arch = "X64";
#else
    const char *arch = "ARM64";
#endif
    return json_pack("{s:s, s:s, s:s, s:s}", "name", "ostler", "os", "Linux", "arch", arch,
                     "environment", "self-hosted");
}

static void set_outputs(struct level *l, struct config *c)
{
    const struct token *tok = c->node->def->outputs;
    const char *after = forecast_after(l->f, "job", c->node->def->id);
    struct sight s = sight_of(l);

    c->outputs = json_object();
    for (size_t i = 0; tok && tok->kind == TOKEN_MAPPING && i < tok->n_pairs; i++) {
        const char *mark, *name = arena_str(l->arena, forecast_text(&s, tok->pairs[i].key, NULL));
        struct slice text = forecast_text(&s, tok->pairs[i].value, &mark);

        if (mark)
            strmap_set(&c->node->open, slice_of(name), forecast_hide(l->arena, text, after));
        else if (!mask_would_change(l->f->plan.mask, text)) /* secrets are left out */
            json_object_set_new(c->outputs, name, json_stringn(text.ptr, text.len));
    }
}

void forecast_job(struct forecast *f, struct config *c, struct place *place, json_t *to)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const struct workflow_job *d = c->node->def;
    const struct token *envs[] = {c->node->flow->workflow->env, d->env, f->plan.env_override};
    CLEANUP(level_deinit)
    struct level l = {
        .f = f,
        .place = place,
        .arena = &a,
        .github = json_copy(c->node->flow->github),
        .runner = runner_context(),
        .job = json_copy(c->node->flow->about),
        .env = json_object(),
        .steps = json_object(),
    };
    json_t *env = json_object(), *steps = json_array();
    const struct token *url = token_find(d->environment, "url");

    json_object_set_new(l.github, "job", json_string(d->id));
    json_object_set_new(l.job, "status", json_string("success"));
    marks_add(&l.marks, &f->plan.arena, "job", "status", "‹known when it ends›")->assumed = true;
    if (d->container)
        marks_add(&l.marks, &f->plan.arena, "job", "container", "‹known in the job›");
    if (d->services)
        marks_add(&l.marks, &f->plan.arena, "job", "services", "‹known in the job›");
    set_scope(&l);
    for (size_t i = 0; i < COUNT_OF(envs); i++) {
        add_env(&l, envs[i], l.env, &l.marks, env);
        drop_env_context(&l);
    }
    if (json_object_size(env))
        json_object_set(to, "env", env);
    json_decref(env);
    json_object_set_new(to, "steps", steps);
    cast_list(&l, d->steps, d->n_steps, steps);
    if (url) {
        struct sight s = sight_of(&l);

        json_object_set_new(json_object_get(to, "environment"), "url", forecast_value(&s, url));
    }
    set_outputs(&l, c);
    json_decref(l.github);
    json_decref(l.runner);
    json_decref(l.job);
}
