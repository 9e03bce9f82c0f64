/* What a `concurrency` comes to. */
#include "queue/local/plan.h"

#include "lang/template.h"
#include "lang/utf.h"

#include <stdarg.h>

enum { GROUP_MAX = 400 };

/* Something about TOK is wrong. */
PRINTF_LIKE(3, 4)
static int refuse(const struct token *tok, struct err *err, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!tok->line)
        return err_set(err, ERR_INVALID, "%s", text);
    return err_set(err, ERR_INVALID, "(Line: %d, Col: %d): %s", tok->line, tok->col, text);
}

static int unexpected(const struct token *tok, struct slice value, struct err *err)
{
    return refuse(tok, err, "Unexpected value '%.*s'", SLICE_ARG(slice_head(value, 60)));
}

static int set_queue(const struct token *tok, struct slice value, struct group *g, struct err *err)
{
    if (!slice_eq(value, SLICE("max")) && !slice_eq(value, SLICE("single")))
        return unexpected(tok, value, err);
    g->queues = slice_eq(value, SLICE("max"));
    return ERR_OK;
}

static int read_mapping(const struct template_eval *t, const struct token *tok,
                        struct slice *ret_name, struct group *g, struct err *err)
{
    const struct token *queue = token_find(tok, "queue");
    struct slice how;

    if (template_string(t, token_find(tok, "group"), ret_name, err) != ERR_OK ||
        template_bool(t, token_find(tok, "cancel-in-progress"), false, &g->cancels, err) != ERR_OK)
        return err->code;
    if (!queue)
        return ERR_OK;
    if (template_string(t, queue, &how, err) != ERR_OK)
        return err->code;
    return set_queue(queue, how, g, err);
}

/* One expression made all of it: a mapping... */
static int read_object(const struct token *tok, const json_t *object, struct arena *a,
                       struct slice *ret_name, struct group *g, struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)(const void *)object, key, value) {
        struct expr_value v = expr_from_json(value);
        struct slice text = expr_string(a, &v);

        if (json_is_object(value) || json_is_array(value))
            return refuse(tok, err, "A %s was not expected",
                          json_is_array(value) ? "sequence" : "mapping");
        if (strcmp(key, "group") == 0)
            *ret_name = text;
        else if (strcmp(key, "cancel-in-progress") == 0 && json_is_boolean(value))
            g->cancels = json_is_true(value);
        else if (strcmp(key, "queue") != 0)
            return unexpected(tok,
                              json_is_boolean(value) || strcmp(key, "cancel-in-progress") != 0
                                  ? slice_of(key)
                                  : text,
                              err);
        else if (set_queue(tok, text, g, err) != ERR_OK)
            return err->code;
    }
    if (!json_object_get(object, "group"))
        return refuse(tok, err, "Required property is missing: group");
    return ERR_OK;
}

/* ... or the group's name. */
static int read_expression(const struct template_eval *t, const struct token *tok,
                           struct slice *ret_name, struct group *g, struct err *err)
{
    json_t *value = NULL;
    int r = template_json(t, tok, &value, err);

    if (r == ERR_OK && json_is_object(value)) {
        r = read_object(tok, value, t->arena, ret_name, g, err);
        ret_name->ptr = arena_str(t->arena, *ret_name); /* it was VALUE's */
    } else if (r == ERR_OK) {
        r = template_string(t, tok, ret_name, err);
    }
    json_decref(value);
    return r;
}

int group_read(struct place *place, const struct token *tok, struct arena *a, struct group *ret,
               struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct expr_scope scope = place_scope(place);
    struct template_eval t = place_eval(place, &scope, &scratch);
    struct group g = {0};
    struct slice name = {0};
    int r;

    if (!tok)
        return ERR_OK;
    r = tok->kind == TOKEN_MAPPING ? read_mapping(&t, tok, &name, &g, err)
        : tok->kind == TOKEN_EXPR  ? read_expression(&t, tok, &name, &g, err)
                                   : template_string(&t, tok, &name, err);
    if (r != ERR_OK)
        return r;
    if (!name.len)
        return refuse(tok, err, "Concurrency group name cannot be empty");
    if (utf_units(name) > GROUP_MAX)
        return refuse(tok, err, "Concurrency group name must be less than %d characters",
                      GROUP_MAX);
    if (g.queues && g.cancels)
        return refuse(tok, err, "'queue: max' cannot be combined with 'cancel-in-progress: true'.");
    g.name = arena_str(a, name);
    *ret = g;
    return ERR_OK;
}
