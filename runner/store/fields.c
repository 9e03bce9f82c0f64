#include "store/fields.h"

json_t *field_text(const char *text)
{
    json_t *json = text ? json_string(text) : NULL;

    return json ? json : json_null();
}

json_t *field_list(const char *const *list)
{
    json_t *json = json_array();

    for (; list && *list; list++)
        json_array_append_new(json, field_text(*list));
    return json;
}

const char *field_get_text(struct arena *a, const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return json_is_string(value) ? arena_str(a, slice_of(json_string_value(value))) : NULL;
}

const char *const *field_get_list(struct arena *a, const json_t *json, const char *name)
{
    const json_t *list = json_object_get(json, name);
    const char **ret = arena_array(a, json_array_size(list) + 1, sizeof *ret);
    size_t i, n = 0;
    json_t *item;

    json_array_foreach (list, i, item)
        if (json_is_string(item))
            ret[n++] = arena_str(a, slice_of(json_string_value(item)));
    return ret;
}
