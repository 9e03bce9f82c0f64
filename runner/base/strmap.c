#include "base/strmap.h"

#include "base/attr.h"

static uint32_t hash_of(const struct strmap *m, struct slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (m->nocase && c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + ('a' - 'A'));
        h = (h ^ c) * 16777619u;
    }
    return h;
}

static bool same(const struct strmap *m, const struct strmap_item *i, uint32_t h, struct slice name)
{
    if (i->hash != h)
        return false;
    return m->nocase ? slice_eq_nocase(strmap_name(i), name) : slice_eq(strmap_name(i), name);
}

/* The slot of NAME, or the free one where it would go. The table is never full. */
static size_t slot_of(const struct strmap *m, uint32_t h, struct slice name)
{
    size_t at = h & (m->index_cap - 1);

    while (m->index[at] && !same(m, &m->items[m->index[at] - 1], h, name))
        at = (at + 1) & (m->index_cap - 1);
    return at;
}

static void reindex(struct strmap *m, size_t cap)
{
    free(m->index);
    m->index = mem_new(cap * sizeof *m->index);
    m->index_cap = cap;
    for (size_t i = 0; i < m->len; i++)
        m->index[slot_of(m, m->items[i].hash, strmap_name(&m->items[i]))] = (uint32_t)i + 1;
}

static void wipe(struct strmap_item *i)
{
    explicit_bzero(i->value, i->value_len);
    free(i->value);
}

void strmap_deinit(struct strmap *m)
{
    for (size_t i = 0; i < m->len; i++) {
        free(m->items[i].name);
        wipe(&m->items[i]);
    }
    free(m->items);
    free(m->index);
    *m = (struct strmap){.nocase = m->nocase};
}

void strmap_set(struct strmap *m, struct slice name, struct slice value)
{
    uint32_t h = hash_of(m, name);

    if ((m->len + 1) * 2 > m->index_cap)
        reindex(m, m->index_cap ? m->index_cap * 2 : 16);
    size_t at = slot_of(m, h, name);
    char *copy = mem_dup(value.ptr, value.len); /* first: VALUE may lie inside the map */

    if (m->index[at]) {
        struct strmap_item *i = &m->items[m->index[at] - 1];

        wipe(i);
        i->value = copy;
        i->value_len = value.len;
        return;
    }
    if (m->len == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 8;
        m->items = mem_grow(m->items, m->cap * sizeof *m->items);
    }
    m->items[m->len++] = (struct strmap_item){
        .name = mem_dup(name.ptr, name.len),
        .name_len = name.len,
        .value = copy,
        .value_len = value.len,
        .hash = h,
    };
    m->index[at] = (uint32_t)m->len;
}

void strmap_unset(struct strmap *m, struct slice name)
{
    if (!m->len)
        return;
    uint32_t at = m->index[slot_of(m, hash_of(m, name), name)];
    if (!at)
        return;
    free(m->items[at - 1].name);
    wipe(&m->items[at - 1]);
    memmove(&m->items[at - 1], &m->items[at], (m->len - at) * sizeof *m->items);
    m->len--;
    reindex(m, m->index_cap);
}

void strmap_merge(struct strmap *m, const struct strmap *from)
{
    STRMAP_EACH (i, from)
        strmap_set(m, strmap_name(i), strmap_value(i));
}

bool strmap_find(const struct strmap *m, struct slice name, struct slice *ret)
{
    if (!m->len)
        return false;
    uint32_t at = m->index[slot_of(m, hash_of(m, name), name)];
    if (!at)
        return false;
    *ret = strmap_value(&m->items[at - 1]);
    return true;
}

const char *strmap_get(const struct strmap *m, const char *name)
{
    struct slice value;

    return strmap_find(m, slice_of(name), &value) ? value.ptr : NULL;
}
