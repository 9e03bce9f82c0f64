/* strmap - names to texts, in the order of first setting: an environment, inputs, outputs.
 *
 * Owns copies of both. The first spelling of a name is kept. Names may compare with or without
 * regard to ASCII case, decided at birth. Values may hold any bytes and are NUL-terminated. */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct strmap_item {
    char *name, *value;
    size_t name_len, value_len;
    uint32_t hash;
};

struct strmap {
    struct strmap_item *items;
    size_t len, cap;
    uint32_t *index; /* open addressing, item number + 1; 0: free */
    size_t index_cap;
    bool nocase;
};

#define STRMAP_INIT                                                                                \
    {                                                                                              \
        0                                                                                          \
    }
#define STRMAP_INIT_NOCASE                                                                         \
    {                                                                                              \
        .nocase = true                                                                             \
    }

void strmap_deinit(struct strmap *m); /* also wipes the values: they may be secrets */
void strmap_set(struct strmap *m, struct slice name, struct slice value);
void strmap_unset(struct strmap *m, struct slice name); /* linear; the order of the rest is kept */
void strmap_merge(struct strmap *m, const struct strmap *from); /* sets each of FROM */

/* Borrowed until the map changes. get: NULL when there is none; find also gives the length. */
const char *strmap_get(const struct strmap *m, const char *name);
bool strmap_find(const struct strmap *m, struct slice name, struct slice *ret);

#define STRMAP_EACH(item, m)                                                                       \
    for (const struct strmap_item *item = (m)->items; item && item < (m)->items + (m)->len; item++)

static inline struct slice strmap_name(const struct strmap_item *i)
{
    return slice_make(i->name, i->name_len);
}

static inline struct slice strmap_value(const struct strmap_item *i)
{
    return slice_make(i->value, i->value_len);
}
