#include "values.h"

#include <stdint.h>

#include "base/vec.h"

#include <math.h>
#include <strings.h>

enum { DEFAULT_MEMORY = 1024 * 1024 };

const json_t *json_scope_find(void *ctx, struct slice name)
{
    const struct json_scope *s = ctx;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)s->contexts, key, value) {
        if (slice_eq_nocase(slice_of(key), name))
            return value;
    }
    return NULL;
}

const char *const *json_scope_names(struct arena *a, const json_t *contexts)
{
    const char **names = arena_array(a, json_object_size(contexts) + 1, sizeof *names);
    size_t n = 0;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)contexts, key, value) {
        char *name = arena_str(a, slice_of(key));

        for (char *p = name; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        names[n++] = name;
    }
    return names;
}

int row_evaluate(struct arena *a, struct slice text, const json_t *contexts, unsigned special,
                 struct expr_value *ret, struct expr_error *error)
{
    struct json_scope source = {contexts};
    struct expr_scope scope = {
        .context = json_scope_find, .ctx = &source, .memory_limit = DEFAULT_MEMORY};
    struct expr_place place = {special & EXPR_FN_ANY ? NULL : json_scope_names(a, contexts),
                               special};
    const struct expr *e;
    int r = expr_parse(a, text, &place, &e, error);

    return r < 0 ? r : expr_eval(e, &scope, a, ret, error);
}

/* JSON has no NaN and no infinities: {"special": "Infinity"} stands for one. */
static bool same_number(const json_t *wanted, double got)
{
    struct slice special = text_of(wanted, "special");
    double n = special.ptr ? expr_parse_number(special) : json_number_value(wanted);

    return (isnan(n) && isnan(got)) || n == got;
}

static bool is_wanted(struct arena *a, const json_t *wanted, const struct expr_value *got)
{
    static const char *const kinds[] = {"Null", "Boolean", "Number", "String", "Array", "Object"};
    const json_t *json = json_object_get(wanted, "value");
    struct expr_value value = expr_from_json(json);

    if (!slice_eq(text_of(wanted, "kind"), slice_of(kinds[got->kind])))
        return false;
    if (got->kind == EXPR_NUMBER)
        return same_number(json, got->number);
    return slice_eq(expr_json_line(a, &value), expr_json_line(a, got));
}

/* A row of the project's own tables: "is", "number" or "error" (tests/data/expressions/README.md). */
static void own_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    struct slice reason = text_of(row, "error"), place = text_of(row, "place");
    struct slice number = text_of(row, "number"), text = text_of(row, "expr");
    unsigned special = slice_eq(place, SLICE("any"))    ? EXPR_FN_ANY
                       : slice_eq(place, SLICE("job"))  ? EXPR_FN_JOB_STATUS
                       : slice_eq(place, SLICE("step")) ? EXPR_FN_STATUS
                                                        : 0;
    const char *id = arena_str(a, text);
    struct expr_value got, is = expr_from_json(json_object_get(row, "is"));
    struct expr_error error;

    if (row_evaluate(a, text, json_object_get(row, "contexts"), special, &got, &error) < 0) {
        bool same = reason.ptr && slice_starts(error.message, reason);
        row_text(run, id, reason, same ? reason : error.message);
        return;
    }
    struct slice wanted = reason.ptr ? reason : number.ptr ? number : expr_json_line(a, &is);
    row_text(run, id, wanted, expr_json_line(a, &got));
}

void row_expression(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    const json_t *err = json_object_get(row, "err"), *wanted = json_object_get(row, "result");
    struct slice reason = text_of(err, "value"), text = text_of(row, "expr");

    if (!err && !wanted) {
        own_row(run, row);
        return;
    }
    struct expr_value got;
    struct expr_error error;
    const char *id = id_of(row);
    int r = row_evaluate(a, text, json_object_get(row, "contexts"), 0, &got, &error);

    if (err && r == ERR_OK)
        row_fail(run, id, "wanted the error '%.*s', got %.*s", SLICE_ARG(reason),
                 SLICE_ARG(expr_json_line(a, &got)));
    else if (err && slice_find(error.message, reason) < 0)
        row_fail(run, id, "wanted the error '%.*s', got '%.*s'", SLICE_ARG(reason),
                 SLICE_ARG(error.message));
    else if (!err && r < 0)
        row_fail(run, id, "%.*s", SLICE_ARG(error.message));
    else if (!err && !is_wanted(a, wanted, &got)) {
        struct expr_value value = expr_from_json(json_object_get(wanted, "value"));

        row_fail(run, id, "wanted %.*s %.*s, got %.*s", SLICE_ARG(text_of(wanted, "kind")),
                 SLICE_ARG(expr_json_line(a, &value)), SLICE_ARG(expr_json_line(a, &got)));
    } else {
        row_pass(run, id);
    }
}

json_t *whole_numbers(const json_t *json)
{
    json_t *copy, *value;
    const char *key;
    size_t i;

    if (json_is_real(json))
        return json_integer((json_int_t)json_real_value(json));
    copy = json_copy((json_t *)(uintptr_t)json);
    json_object_foreach ((json_t *)(uintptr_t)json, key, value)
        json_object_set_new(copy, key, whole_numbers(value));
    json_array_foreach (json, i, value)
        json_array_set_new(copy, i, whole_numbers(value));
    return copy;
}
