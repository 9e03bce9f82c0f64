#include "queue/local/forecast_level.h"

void level_deinit(struct level *l)
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

const json_t *level_env(struct level *l)
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
        return level_env(l);
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

struct sight level_sight(struct level *l)
{
    return (struct sight){l->f, l->arena, &l->scope};
}

void level_open(struct level *l)
{
    l->outside = place_scope(l->place);
    l->scope = (struct expr_scope){
        .context = context, .status = status, .unknown = unknown, .ctx = l, .env_case = true};
}

/* ---- environment ---- */

void level_env_changed(struct level *l)
{
    json_decref(l->env_context);
    l->env_context = NULL;
}

void level_add_env(struct level *l, const struct token *tok, json_t *to, struct marks *marks,
                   json_t *shown)
{
    struct template_open open = {0};
    struct template_eval t = {.arena = l->arena, .scope = &l->scope, .open = &open};
    struct sight s = level_sight(l);

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

void level_mark_env(struct level *l)
{
    for (; l; l = l->outer) {
        if (!l->env_marked)
            marks_add(&l->marks, &l->f->plan.arena, "env", NULL, "‹set by an earlier step›")
                ->but_for = l->env;
        l->env_marked = true;
    }
}

const char *level_step_label(struct level *l, const struct step *def)
{
    return strncmp(def->id, "__", 2) == 0 ? arena_printf(l->arena, "%d", l->number) : def->id;
}
