#include "job/container/docker_entry.h"

#include "base/vec.h"

#include <jansson.h>

struct words {
    VEC(const char *) list;
};

static int add_json(struct words *w, struct arena *a, const json_t *list)
{
    const json_t *item;
    size_t at;

    if (!json_is_array(list) && !json_is_null(list))
        return ERR_INVALID;
    json_array_foreach (list, at, item) {
        if (!json_is_string(item))
            return ERR_INVALID;
        vec_push(&w->list, arena_str(a, slice_of(json_string_value(item))));
    }
    return ERR_OK;
}

static int build(struct words *w, struct arena *a, const json_t *said, struct slice entrypoint,
                 const char *const *args)
{
    bool has_args = args && args[0];
    int r = ERR_OK;

    if (entrypoint.len)
        vec_push(&w->list, arena_str(a, entrypoint));
    else
        r = add_json(w, a, json_array_get(said, 0));
    if (!entrypoint.len && !has_args && r == ERR_OK)
        r = add_json(w, a, json_array_get(said, 1));
    for (size_t i = 0; has_args && args[i]; i++)
        vec_push(&w->list, args[i]);
    return r;
}

int docker_entry(struct arena *a, struct slice said, struct slice entrypoint,
                 const char *const *args, const char *const **ret, struct err *err)
{
    json_t *json = json_loadb(said.ptr, said.len, 0, NULL);
    struct words w = {0};
    int r = json_array_size(json) == 2 ? build(&w, a, json, entrypoint, args) : ERR_INVALID;

    if (r == ERR_OK) {
        const char **list = arena_array(a, w.list.len + 1, sizeof *list);
        if (w.list.len)
            memcpy(list, w.list.ptr, w.list.len * sizeof *list);
        *ret = list;
    } else {
        (void)err_set(err, r, "the container engine says of an image what cannot be read: %.*s",
                      SLICE_ARG(slice_trim(slice_head(said, 200))));
    }
    vec_deinit(&w.list);
    json_decref(json);
    return r;
}
