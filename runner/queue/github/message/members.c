#include "queue/github/message/members.h"

const char *member_text(const json_t *object, const char *name)
{
    const json_t *json = loose_find(object, name);
    const char *text = json_string_value(json);

    return text && *text && strlen(text) == json_string_length(json) ? text : NULL;
}

bool member_named(const json_t *list, const char *name)
{
    json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (slice_eq_nocase(slice_of(loose_text(one, "name")), slice_of(name)))
            return true;
    return false;
}

int member_list(const json_t *object, const char *name, json_t **ret, struct err *err)
{
    json_t *json = loose_find(object, name);

    if (json && !json_is_array(json))
        return err_set(err, ERR_INVALID, "%s: must be a list", name);
    *ret = json;
    return ERR_OK;
}

int member_object(const json_t *object, const char *name, json_t **ret, struct err *err)
{
    json_t *json = loose_find(object, name);

    if (json && !json_is_object(json))
        return err_set(err, ERR_INVALID, "%s: must be an object", name);
    *ret = json;
    return ERR_OK;
}
