#include "job/container/path_map.h"

#include "base/attr.h"

void path_map_add(struct path_map *m, const char *outside, const char *inside)
{
    if (m->n == PATH_MAP_MAX)
        BUG("more than %d mapped folders", PATH_MAP_MAX);
    m->pairs[m->n].outside = outside;
    m->pairs[m->n++].inside = inside;
}

/* FROM at the beginning of VALUE replaced by TO; false: it is not there as a folder. */
static bool replace(struct arena *a, const char *from, const char *to, struct slice *value)
{
    struct slice rest = slice_from(*value, strlen(from));

    if (!slice_starts(*value, slice_of(from)) || (rest.len && rest.ptr[0] != '/'))
        return false;
    struct slice head = slice_of(to);
    char *text = arena_alloc(a, head.len + rest.len + 1);
    memcpy(text, head.ptr, head.len);
    if (rest.len)
        memcpy(text + head.len, rest.ptr, rest.len);
    *value = slice_make(text, head.len + rest.len);
    return true;
}

struct slice path_map_in(const struct path_map *m, struct arena *a, struct slice value)
{
    for (size_t i = 0; i < m->n; i++)
        if (replace(a, m->pairs[i].outside, m->pairs[i].inside, &value))
            break;
    return value;
}

struct slice path_map_out(const struct path_map *m, struct arena *a, struct slice value)
{
    for (size_t i = 0; i < m->n; i++)
        if (replace(a, m->pairs[i].inside, m->pairs[i].outside, &value))
            break;
    return value;
}

void path_map_env(const struct path_map *m, struct strmap *env)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    for (size_t i = 0; i < env->len; i++) {
        struct slice old = strmap_value(&env->items[i]), new = path_map_in(m, &a, old);

        if (new.ptr != old.ptr)
            strmap_set(env, strmap_name(&env->items[i]), new);
    }
}
