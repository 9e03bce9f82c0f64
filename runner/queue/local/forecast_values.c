/* What an expression, a template or a condition comes to, as the document shows it. */
#include "base/utf8.h"
#include "lang/expr/partial.h"
#include "lang/expr/explain.h"
#include "queue/local/forecast_state.h"

enum { SEEN_TEXT_MAX = 400, SEEN_JSON_MAX = 200 };

const char *forecast_after(struct forecast *f, const char *what, const char *id)
{
    return arena_printf(&f->plan.arena, "‹known after %s %s›", what, id);
}

struct slice forecast_hide(struct arena *a, struct slice text, const char *mark)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(SIZE_MAX / 4);
    static const struct slice open = SLICE_INIT("‹"), close = SLICE_INIT("›");
    ssize_t from, to;

    while ((from = slice_find(text, open)) >= 0 &&
           (to = slice_find(slice_from(text, (size_t)from), close)) >= 0) {
        buf_add(&out, slice_head(text, (size_t)from));
        buf_add_str(&out, mark);
        text = slice_from(text, (size_t)(from + to) + close.len);
    }
    buf_add(&out, text);
    return arena_dup(a, buf_slice(&out));
}

json_t *forecast_keep(struct forecast *f, json_t *take)
{
    vec_push(&f->kept, take);
    return take;
}

void forecast_put(json_t *to, const char *key, json_t *take_value)
{
    if (json_is_null(take_value))
        json_decref(take_value);
    else
        json_object_set_new(to, key, take_value);
}

/* ---- values ---- */

static json_t *text_new(struct slice text)
{
    return json_stringn_nocheck(text.ptr ? text.ptr : "", text.len);
}

/* A secret that was not given shows as one that was. */
json_t *forecast_text_json(struct slice text, const char *mark)
{
    if (!mark || slice_find(text, SLICE("‹")) < 0)
        return text_new(text);
    return json_pack("{s:o}", "unknown", text_new(text));
}

static json_t *scalar(const struct sight *s, const struct token *tok)
{
    struct template_open open = {0};
    struct template_eval t = {.arena = s->arena, .scope = s->scope, .open = &open};
    struct err err = ERR_INIT;
    json_t *json = NULL;

    if (template_json(&t, tok, &json, &err) < 0) {
        json = json_pack("{s:s}", "error", err.text);
    } else if (open.mark && json_is_string(json)) {
        json_t *shown = forecast_text_json(
            slice_make(json_string_value(json), json_string_length(json)), open.mark);

        json_decref(json);
        json = shown;
    }
    template_open_deinit(&open);
    return json;
}

static json_t *sequence(const struct sight *s, const struct token *tok)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tok->n_items; i++) {
        json_t *one = forecast_value(s, tok->items[i]);

        if (tok->items[i]->kind == TOKEN_EXPR && json_is_array(one)) {
            json_array_extend(list, one); /* spliced, as at run time */
            json_decref(one);
        } else {
            json_array_append_new(list, one);
        }
    }
    return list;
}

static bool has_plain_keys(const struct token *map)
{
    for (size_t i = 0; i < map->n_pairs; i++)
        if (map->pairs[i].key->kind == TOKEN_EXPR || map->pairs[i].key->kind == TOKEN_INSERT)
            return false;
    return true;
}

static json_t *mapping(const struct sight *s, const struct token *tok)
{
    json_t *map = json_object();

    for (size_t i = 0; i < tok->n_pairs; i++) {
        const char *key = arena_str(s->arena, token_text(s->arena, tok->pairs[i].key));

        json_object_set_new(map, key, forecast_value(s, tok->pairs[i].value));
    }
    return map;
}

json_t *forecast_value(const struct sight *s, const struct token *tok)
{
    if (!tok)
        return json_null();
    if (tok->kind == TOKEN_SEQUENCE)
        return sequence(s, tok);
    if (tok->kind == TOKEN_MAPPING && has_plain_keys(tok))
        return mapping(s, tok);
    return scalar(s, tok);
}

struct slice forecast_text(const struct sight *s, const struct token *tok, const char **ret_mark)
{
    struct template_open open = {0};
    struct template_eval t = {.arena = s->arena, .scope = s->scope, .open = &open};
    struct err ignored = ERR_INIT; /* then it shows as it was written */
    struct slice text = SLICE("");

    if (template_string(&t, tok, &text, &ignored) < 0)
        text = tok->source;
    if (ret_mark)
        *ret_mark = open.mark;
    template_open_deinit(&open);
    return text.ptr ? text : SLICE("");
}

/* ---- conditions ---- */

/* What a condition looked at: first as if all goes well, then without that. */
struct seen {
    const struct sight *sight;
    json_t *list;
    size_t at;
    bool again;
};

static json_t *seen_value(struct arena *a, const struct expr_value *v)
{
    json_t *json = expr_to_json(a, v);
    CLEANUP(free_ptr) char *text = NULL;

    if (json_is_string(json) && json_string_length(json) > SEEN_TEXT_MAX) {
        struct slice head = utf8_head(v->text, SEEN_TEXT_MAX);

        json_decref(json);
        return json_sprintf("%.*s…", SLICE_ARG(head));
    }
    if (!json_is_object(json) && !json_is_array(json))
        return json;
    text = json_dumps(json, JSON_COMPACT);
    if (text && strlen(text) <= SEEN_JSON_MAX)
        return json;
    size_t n = json_is_object(json) ? json_object_size(json) : json_array_size(json);
    const char *what = json_is_object(json) ? "an object" : "an array";
    json_decref(json);
    return json_sprintf("%s of %zu", what, n);
}

static void on_seen(void *ctx, struct slice text, const struct expr_partial *what)
{
    struct seen *s = ctx;

    if (s->again) {
        json_t *one = json_array_get(s->list, s->at++);

        if (!what->known && one && !json_object_get(one, "unknown"))
            json_object_set_new(one, "assumed", json_true());
        return;
    }
    json_t *one = json_pack("{s:o}", "expression", text_new(text));
    if (what->known)
        json_object_set_new(one, "value", seen_value(s->sight->arena, &what->value));
    else
        json_object_set_new(one, "unknown", text_new(what->value.text));
    json_array_append_new(s->list, one);
}

/* Adds what the written part of a condition looked at, and what it comes to by itself. */
static void look(const struct sight *s, const struct expr *e, json_t *to)
{
    struct seen seen = {.sight = s, .list = json_array()};
    struct expr_error ignored; /* the whole has it too */
    struct expr_partial alone;

    s->f->plan.assume = true;
    expr_each_seen(e, s->scope, s->arena, on_seen, &seen);
    if (expr_partial(e, s->scope, s->arena, &alone, &ignored) == ERR_OK)
        json_object_set_new(to, "holds",
                            alone.truth == EXPR_OPEN ? json_null()
                                                     : json_boolean(alone.truth == EXPR_TRUE));
    s->f->plan.assume = false;
    seen.again = true;
    expr_each_seen(e, s->scope, s->arena, on_seen, &seen);
    json_object_set_new(to, "saw", seen.list);
}

const char *forecast_fate_name(enum node_fate fate)
{
    static const char *const names[] = {
        [FATE_RUNS] = "runs",    [FATE_SKIPPED] = "skipped", [FATE_RESCUES] = "after-failure",
        [FATE_OPEN] = "unknown", [FATE_FAILS] = "error",
    };

    return names[fate];
}

/* As if all goes well, and then whatever happens. */
static int judge(const struct sight *s, const struct expr *e, struct judgement *ret,
                 struct expr_error *error)
{
    struct expr_partial well, any;
    int r;

    s->f->plan.assume = true;
    r = expr_partial(e, s->scope, s->arena, &well, error);
    s->f->plan.assume = false;
    if (r == ERR_OK)
        r = expr_partial(e, s->scope, s->arena, &any, error);
    if (r < 0)
        return r;
    ret->fate = well.truth == EXPR_OPEN   ? FATE_OPEN
                : well.truth == EXPR_TRUE ? FATE_RUNS
                : any.truth == EXPR_FALSE ? FATE_SKIPPED
                                          : FATE_RESCUES;
    return ERR_OK;
}

struct judgement forecast_judge(const struct sight *s, struct slice condition)
{
    struct judgement j = {.fate = FATE_FAILS};
    const struct expr *whole, *part;
    struct expr_error error = {0};
    bool implied;
    struct slice written = explain_written(condition, &implied);
    bool nothing = slice_eq(condition, SLICE("success()"));

    j.json = json_object();
    if (!nothing)
        json_object_set_new(j.json, "expression", text_new(slice_trim(written)));
    json_object_set_new(j.json, "success_implied", json_boolean(implied));
    if (expr_parse(s->arena, condition, NULL, &whole, &error) < 0 ||
        judge(s, whole, &j, &error) < 0)
        json_object_set_new(j.json, "error", text_new(error.message));
    json_object_set_new(j.json, "verdict", json_string(forecast_fate_name(j.fate)));
    if (!nothing && expr_parse(s->arena, written, NULL, &part, &error) == ERR_OK)
        look(s, part, j.json);
    return j;
}
