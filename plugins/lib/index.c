#include "index.h"

#include <string.h>

struct index_slot {
    const char *name; /* NULL: free */
    uint64_t hash;
    size_t value;
};

/* FNV-1a. Names come from the job, which could choose them to collide: it would only waste its own time. */
static uint64_t hash_of(const char *name)
{
    uint64_t h = 0xcbf29ce484222325;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3;
    return h;
}

/* The slot of NAME, or the free one where it belongs; ROOM is a power of two, and one slot is free. */
static struct index_slot *find(struct index_slot *slots, size_t room, const char *name,
                               uint64_t hash)
{
    size_t i = hash & (room - 1);

    while (slots[i].name && (slots[i].hash != hash || strcmp(slots[i].name, name) != 0))
        i = (i + 1) & (room - 1);
    return &slots[i];
}

size_t index_get(const struct index *x, const char *name)
{
    const struct index_slot *slot;

    if (x->n == 0)
        return INDEX_NONE;
    slot = find(x->slots, x->room, name, hash_of(name));
    return slot->name ? slot->value : INDEX_NONE;
}

static void grow(struct index *x)
{
    size_t room = x->room ? x->room * 2 : 64;
    struct index_slot *slots = x->step->host->alloc(x->step, room * sizeof *slots);

    memset(slots, 0, room * sizeof *slots);
    for (size_t i = 0; i < x->room; i++)
        if (x->slots[i].name)
            *find(slots, room, x->slots[i].name, x->slots[i].hash) = x->slots[i];
    x->slots = slots;
    x->room = room;
}

void index_set(struct index *x, const char *name, size_t value)
{
    uint64_t hash = hash_of(name);
    struct index_slot *slot;

    if (x->n + 1 > x->room / 4 * 3)
        grow(x);
    slot = find(x->slots, x->room, name, hash);
    if (!slot->name)
        x->n++;
    *slot = (struct index_slot){slot->name ? slot->name : name, hash, value};
}
