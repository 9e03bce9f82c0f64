#include "queue/local/marks.h"

#include <stdint.h>
#include <string.h>

void marks_deinit(struct marks *m)
{
    vec_deinit(&m->list);
}

struct mark *marks_add(struct marks *m, struct arena *a, const char *path, const char *last,
                       const char *text)
{
    struct slice rest = slice_of(arena_str(a, slice_of(path))), part;
    struct mark mark = {.text = text};

    while (mark.n < MARK_PARTS && slice_split(&rest, '.', &part))
        mark.path[mark.n++] = part;
    if (last && mark.n < MARK_PARTS)
        mark.path[mark.n++] = slice_of(arena_str(a, slice_of(last)));
    vec_push(&m->list, mark);
    return &m->list.ptr[m->list.len - 1];
}

void marks_drop(struct marks *m, const char *path, const char *name)
{
    for (size_t i = m->list.len; i-- > 0;) {
        const struct mark *one = &m->list.ptr[i];

        if (one->n == 2 && slice_eq_nocase(one->path[0], slice_of(path)) &&
            slice_eq_nocase(one->path[1], slice_of(name)))
            vec_remove(&m->list, i);
    }
}

static bool has(const json_t *object, struct slice name)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value)
        if (slice_eq_nocase(slice_of(key), name))
            return true;
    return false;
}

static bool covers(const struct mark *m, const struct slice *path, size_t n)
{
    for (size_t i = 0; i < n && i < m->n; i++)
        if (!slice_eq_nocase(m->path[i], path[i]) && !slice_eq(path[i], SLICE("*")))
            return false;
    return !(m->but_for && n > m->n && has(m->but_for, path[m->n]));
}

const char *marks_find(const struct marks *m, const struct slice *path, size_t n, bool assume)
{
    for (size_t i = 0; i < m->list.len; i++) {
        const struct mark *one = &m->list.ptr[i];

        if (!(assume && one->assumed) && covers(one, path, n))
            return one->text;
    }
    return NULL;
}
