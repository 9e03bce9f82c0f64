#include "queue/github/message/context_data.h"

#include "queue/github/message/members.h"

#include <string.h>

enum kind {
    KIND_STRING,
    KIND_ARRAY,
    KIND_DICTIONARY,
    KIND_BOOLEAN,
    KIND_NUMBER,
    KIND_CASED,
    KINDS
};

static int read_array(const json_t *data, json_t **ret, struct err *err)
{
    json_t *items, *item, *list, *one = NULL;
    size_t i;

    if (member_list(data, "a", &items, err) < 0)
        return err->code;
    list = json_array();
    json_array_foreach (items, i, item) {
        if (context_data_json(item, &one, err) < 0) {
            json_decref(list);
            return err_in(err, "[%zu]", i);
        }
        json_array_append_new(list, one);
    }
    *ret = list;
    return ERR_OK;
}

static int read_pair(const json_t *pair, json_t *to, struct err *err)
{
    const json_t *key = loose_find(pair, "k");
    const char *name = json_string_value(key);
    json_t *value = NULL;

    if (!name || strlen(name) != json_string_length(key))
        return err_set(err, ERR_INVALID, "a dictionary has an entry whose 'k' is no text");
    if (context_data_json(loose_find(pair, "v"), &value, err) < 0)
        return err_in(err, "%.60s", name);
    json_object_set_new(to, name, value);
    return ERR_OK;
}

static int read_dictionary(const json_t *data, json_t **ret, struct err *err)
{
    json_t *pairs, *pair, *object;
    size_t i;

    if (member_list(data, "d", &pairs, err) < 0)
        return err->code;
    object = json_object();
    json_array_foreach (pairs, i, pair)
        if (read_pair(pair, object, err) < 0) {
            json_decref(object);
            return err->code;
        }
    *ret = object;
    return ERR_OK;
}

/* The payload of a scalar, if it is of a type that PASSES; else NONE, which is taken. */
static json_t *scalar(const json_t *data, const char *name, bool passes, json_t *none)
{
    json_t *payload = loose_find(data, name);

    if (!payload || !passes)
        return none;
    json_decref(none);
    return json_incref(payload);
}

static int read_object(const json_t *data, json_t **ret, struct err *err)
{
    const json_t *type = loose_find(data, "t");
    json_int_t kind = type ? json_integer_value(type) : KIND_STRING;

    if (type && !json_is_integer(type))
        kind = KINDS;
    switch (kind) {
    case KIND_STRING:
        *ret = scalar(data, "s", json_is_string(loose_find(data, "s")), json_string(""));
        return ERR_OK;
    case KIND_ARRAY:
        return read_array(data, ret, err);
    case KIND_DICTIONARY:
    case KIND_CASED:
        return read_dictionary(data, ret, err);
    case KIND_BOOLEAN:
        *ret = scalar(data, "b", json_is_boolean(loose_find(data, "b")), json_false());
        return ERR_OK;
    case KIND_NUMBER:
        *ret = scalar(data, "n", json_is_number(loose_find(data, "n")), json_integer(0));
        return ERR_OK;
    default:
        return err_set(err, ERR_INVALID, "a context value has an unknown type");
    }
}

int context_data_json(json_t *data, json_t **ret, struct err *err)
{
    if (json_is_object(data))
        return read_object(data, ret, err);
    if (json_is_array(data))
        return err_set(err, ERR_INVALID, "a context value cannot be a JSON list");
    *ret = data ? json_incref(data) : json_null();
    return ERR_OK;
}
