#include "queue/loose.h"

#include "base/num.h"

#include <string.h>

bool loose_is_large(struct slice text)
{
    size_t values = 1;
    bool quoted = false;

    if (text.len <= 2 * LOOSE_VALUES_MAX) /* "0," is the shortest */
        return false;
    for (size_t i = 0; i < text.len && values <= LOOSE_VALUES_MAX; i++) {
        char c = text.ptr[i];

        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else {
            quoted = c == '"';
            values += c == ',' || c == '[' || c == '{';
        }
    }
    return values > LOOSE_VALUES_MAX;
}

int loose_parse(struct slice text, json_t **ret, struct err *err)
{
    static const struct slice mark = SLICE_INIT("\xEF\xBB\xBF");
    json_error_t error;

    if (slice_starts(text, mark))
        text = slice_from(text, mark.len);
    if (loose_is_large(text))
        return err_set(err, ERR_LIMIT, "this JSON has more than %d values", LOOSE_VALUES_MAX);
    json_t *json =
        json_loadb(text.len ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json)
        return err_set(err, ERR_INVALID, "line %d, column %d: this is no JSON", error.line,
                       error.column < 1 ? 1 : error.column);
    *ret = json;
    return ERR_OK;
}

static json_t *not_null(json_t *value)
{
    return json_is_null(value) ? NULL : value;
}

json_t *loose_find(const json_t *object, const char *name)
{
    json_t *exact = json_object_get(object, name);

    if (exact)
        return not_null(exact);
    /* Iterating takes a document that is not const, and does not change it. */
    json_t *all = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at))
        if (slice_eq_nocase(slice_of(json_object_iter_key(at)), slice_of(name)))
            return not_null(json_object_iter_value(at));
    return NULL;
}

static const json_t *value_of(const json_t *object, const char *name)
{
    const json_t *found = loose_find(object, name);
    const json_t *inner = json_object_get(found, "$value");

    return inner ? inner : found;
}

const char *loose_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(value_of(object, name));

    return text ? text : "";
}

int64_t loose_int(const json_t *object, const char *name, int64_t fallback)
{
    const json_t *value = value_of(object, name);
    struct err ignored = ERR_INIT; /* then it is no number */
    int64_t n;

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_string(value) && num_parse_i64(slice_of(json_string_value(value)), INT64_MIN,
                                               INT64_MAX, &n, &ignored) == ERR_OK)
        return n;
    return fallback;
}

bool loose_bool(const json_t *object, const char *name, bool fallback)
{
    const json_t *value = value_of(object, name);
    struct slice text = slice_of(json_string_value(value));

    if (json_is_boolean(value))
        return json_is_true(value);
    if (slice_eq_nocase(text, SLICE("true")))
        return true;
    return slice_eq_nocase(text, SLICE("false")) ? false : fallback;
}

/* ---- letting go ---- */

static void wipe(json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(
            json)) /* it is ours alone to change: nothing else is done with it any more */
        explicit_bzero((void *)(uintptr_t)json_string_value(json), json_string_length(json));
    json_object_foreach (json, key, value)
        wipe(value);
    json_array_foreach (json, i, value)
        wipe(value);
}

void loose_wipe(json_t *json)
{
    wipe(json);
    json_decref(json);
}

void loose_wipep(json_t **json)
{
    loose_wipe(*json);
}

void loose_freep(json_t **json)
{
    json_decref(*json);
}
