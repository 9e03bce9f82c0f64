/* The steps of a job, resolved as far as that goes before any of them has run. */
#include "queue/local/forecast_level.h"

/* ---- what a step leaves behind ---- */

static bool may_set_env(const struct step *def)
{
    struct slice script = def->run && def->run->kind <= TOKEN_EXPR ? def->run->source : SLICE("");

    if (def->uses)
        return strncmp(def->uses, "actions/checkout@", 17) != 0;
    return slice_find(script, SLICE("GITHUB_ENV")) >= 0;
}

/* OUTPUTS: those that are known, of an action that says all it has; NULL: anything may come. OPEN: the others. */
static void leave(struct level *l, const struct step *def, enum node_fate fate,
                  const json_t *outputs, const struct strmap *open)
{
    struct arena *a = &l->f->plan.arena;
    const char *path = arena_printf(a, "steps.%s", def->id);
    const char *after = forecast_after(l->f, "step", level_step_label(l, def));
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
        level_mark_env(l);
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

/* ---- one step ---- */

static void cast_run(struct level *l, const struct step *def, json_t *to)
{
    const struct workflow_job *d = l->place->node->def;
    struct sight s = level_sight(l);
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
    json_t *targets = json_array(), *steps = json_array();

    json_object_set_new(to, "kind", json_string(step_control_name(def->control)));
    for (size_t i = 0; i < def->n_targets; i++)
        json_array_append_new(targets, json_string(def->targets[i]));
    if (def->n_targets)
        json_object_set(to, "targets", targets);
    json_decref(targets);
    if (def->control == CONTROL_PARALLEL)
        forecast_steps(l, def->steps, def->n_steps, steps);
    if (def->control == CONTROL_PARALLEL)
        json_object_set(to, "steps", steps);
    json_decref(steps);
}

/* As the run will call it. */
static json_t *step_name(struct level *l, const struct step *def)
{
    struct sight s = level_sight(l);
    const char *mark = NULL;
    struct slice name = SLICE("");

    if (def->name)
        name = step_first_line(forecast_text(&s, def->name, &mark));
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
    struct sight s = level_sight(l);

    if (strncmp(def->id, "__", 2) != 0)
        json_object_set_new(to, "id", json_string(def->id));
    if (def->line)
        json_object_set_new(to, "line", json_integer(def->line));
    level_add_env(l, def->env, own, &own_marks, env);
    l->own_env = own;
    l->own_marks = own_marks;
    level_env_changed(l);

    struct judgement j = forecast_judge(&s, slice_of(def->condition));
    json_object_set_new(to, "name", step_name(l, def));
    json_object_set_new(to, "verdict", json_string(forecast_fate_name(j.fate)));
    json_object_set_new(to, "if", j.json);
    if (def->run)
        cast_run(l, def, to);
    else if (def->uses)
        forecast_uses(l, def, j.fate, to, &outputs, &open);
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
    level_env_changed(l);
    leave(l, def, j.fate, outputs, &open);
    json_decref(outputs);
    return to;
}

void forecast_steps(struct level *l, const struct step *steps, size_t n, json_t *to)
{
    for (size_t i = 0; i < n; i++)
        json_array_append_new(to, cast_step(l, &steps[i]));
}

/* ---- the job ---- */

static json_t *runner_context(void)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "name", "ostler", "os", "Linux", "arch", job_arch(),
                     "environment", "self-hosted");
}

static void set_outputs(struct level *l, struct config *c)
{
    const struct token *tok = c->node->def->outputs;
    const char *after = forecast_after(l->f, "job", c->node->def->id);
    struct sight s = level_sight(l);

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
    level_open(&l);
    for (size_t i = 0; i < COUNT_OF(envs); i++) {
        level_add_env(&l, envs[i], l.env, &l.marks, env);
        level_env_changed(&l);
    }
    if (json_object_size(env))
        json_object_set(to, "env", env);
    json_decref(env);
    json_object_set_new(to, "steps", steps);
    forecast_steps(&l, d->steps, d->n_steps, steps);
    if (url) {
        struct sight s = level_sight(&l);

        json_object_set_new(json_object_get(to, "environment"), "url", forecast_value(&s, url));
    }
    set_outputs(&l, c);
    json_decref(l.github);
    json_decref(l.runner);
    json_decref(l.job);
}
