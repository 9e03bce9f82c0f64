#include "listen/containers.h"

#include "job/container/container_policy.h"
#include "lang/near.h"

static json_t *scalar_json(struct arena *a, const struct token *value)
{
    struct slice text = token_text(a, value);

    if (value->kind == TOKEN_BOOL)
        return json_boolean(value->boolean);
    if (value->kind == TOKEN_NULL || !text.ptr)
        return json_null();
    return json_stringn(text.ptr, text.len); /* NULL: no UTF-8, and refused as such */
}

/* As plain JSON; one text stands for a list of it where LISTS. */
static json_t *plain_json(struct arena *a, const struct token *value, bool lists)
{
    if (value->kind != TOKEN_SEQUENCE && !lists)
        return scalar_json(a, value);
    json_t *list = json_array();
    for (size_t i = 0; value->kind == TOKEN_SEQUENCE && i < value->n_items; i++)
        json_array_append_new(list, scalar_json(a, value->items[i]));
    if (value->kind != TOKEN_SEQUENCE)
        json_array_append_new(list, scalar_json(a, value));
    return list;
}

static int read_pair(struct arena *a, const struct token_pair *pair, json_t *to, struct err *err)
{
    struct slice name = token_text(a, pair->key);
    struct near_best best = near_begin(name);
    const char *const *key = container_policy_members;

    while (*key && !slice_eq(name, slice_of(*key)))
        near_offer(&best, slice_of(*key++));
    if (!*key) {
        const char *hint = near_hint(a, &best);

        return err_set(err, ERR_INVALID, "'%.*s' is nothing that 'containers' says%s%s",
                       SLICE_ARG(slice_head(name, 60)), hint ? ": " : "", hint ? hint : "");
    }
    bool lists = strcmp(*key, "volumes") == 0 || strcmp(*key, "options") == 0;
    json_t *value = plain_json(a, pair->value, lists);
    json_object_set_new(to, *key, value ? value : json_null());
    return container_policy_member(*key, json_object_get(to, *key), err);
}

int listen_containers_read(struct arena *a, const char *file, const struct token *map, json_t **ret,
                           struct err *err)
{
    json_t *to = json_pack("{s:s}", "file", file);
    const struct token *at = map;
    int r = ERR_OK;

    if (map->kind != TOKEN_MAPPING)
        r = err_set(err, ERR_INVALID, "'containers' is a mapping: '{volumes: [/srv/cache/*]}'");
    for (size_t i = 0; r == ERR_OK && map->kind == TOKEN_MAPPING && i < map->n_pairs; i++) {
        at = map->pairs[i].value;
        r = read_pair(a, &map->pairs[i], to, err);
    }
    if (r < 0) {
        json_decref(to);
        return err_in(err, "%s:%d:%d", file, at->line, at->col);
    }
    *ret = to;
    return ERR_OK;
}
