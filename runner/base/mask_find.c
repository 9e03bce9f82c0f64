#include "base/mask_find.h"

#include "base/attr.h"

#include <endian.h>
#include <stdint.h>
#include <sys/random.h>

enum {
    SHORT_MAX = 3,   /* longer patterns go into a skip table */
    MEDIUM_MAX = 15, /* those over this length into one of their own */
    WINDOW_MAX = 32, /* bytes of a pattern's head that the skip table knows */
    BLOCK_BITS = 16,
    MANY =
        200, /* from so many long patterns on, blocks of three bytes skip further than those of two */
    POOL_SIZE = 32 << 10,
};

struct pattern {
    const char *ptr; /* in the pool; NULL: a free slot */
    uint32_t hash, len;
};

/* The long patterns that agree in the first and the last four bytes of the window. */
struct group {
    uint64_t key;
    uint64_t
        lengths[FIND_PATTERN_MAX / 64]; /* bit n: there is one of n + 1 bytes; none: free slot */
};

struct pool {
    struct pool *next;
    size_t used;
    char data[POOL_SIZE];
};

/* A skip table. Its window is as long as the shortest pattern in it, so short ones are kept apart: one
 * secret of four bytes must not slow the search for all others. */
struct tier {
    size_t n;
    size_t window; /* the shortest pattern, at most WINDOW_MAX */
    size_t block;  /* 2 or 3 */
    struct group *groups;
    size_t n_groups, groups_cap;
    uint8_t *skip; /* by the last bytes of a window: how far it may move on; 0: look */
};

struct find {
    struct pool
        *pool; /* the patterns' bytes; never moved, so that no copies have to be hunted down */
    struct pattern *patterns;
    size_t n_patterns, patterns_cap; /* open addressing, a power of two */
    size_t longest;

    /* Bit n: a short pattern of n + 1 bytes has this byte at its first, second place. */
    uint8_t first[256], second[256];
    bool has_short;
    struct tier tiers[FIND_TIERS];

    uint64_t seed; /* no job can choose patterns that collide */
};

struct find *find_new(void)
{
    struct find *f = mem_new(sizeof *f);

    if (getrandom(&f->seed, sizeof f->seed, GRND_NONBLOCK) < 0)
        f->seed = (uintptr_t)f; /* early boot: any number will do */
    return f;
}

/* Their keys are parts of secrets. */
static void free_groups(struct group *groups, size_t n)
{
    if (groups)
        explicit_bzero(groups, n * sizeof *groups);
    free(groups);
}

struct find *find_free(struct find *f)
{
    if (!f)
        return NULL;
    for (struct pool *p = f->pool, *next; p; p = next) {
        next = p->next;
        explicit_bzero(p, sizeof *p);
        free(p);
    }
    for (size_t i = 0; i < FIND_TIERS; i++) {
        free_groups(f->tiers[i].groups, f->tiers[i].groups_cap);
        free(f->tiers[i].skip);
    }
    free(f->patterns);
    explicit_bzero(f, sizeof *f);
    free(f);
    return NULL;
}

size_t find_longest(const struct find *f)
{
    return f->longest;
}

static struct slice pool_dup(struct find *f, struct slice s)
{
    if (!f->pool || POOL_SIZE - f->pool->used < s.len) {
        struct pool *p = mem_new(sizeof *p);

        p->next = f->pool;
        f->pool = p;
    }
    char *copy = f->pool->data + f->pool->used;

    memcpy(copy, s.ptr, s.len);
    f->pool->used += s.len;
    return slice_make(copy, s.len);
}

/* ---- the set of patterns ---- */

/* A hash that can be carried on from a prefix to the longer text. */
static inline uint64_t hash_more(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h;
}

static inline uint32_t hash_end(uint64_t h)
{
    return (uint32_t)((h ^ h >> 32) * 0x9e3779b97f4a7c15u >> 32);
}

/* The slot of the pattern, or the free one where it would go. The table is never full. */
static struct pattern *pattern_slot(const struct find *f, uint32_t hash, const char *p, size_t len)
{
    for (size_t at = hash & (f->patterns_cap - 1);; at = (at + 1) & (f->patterns_cap - 1)) {
        struct pattern *slot = &f->patterns[at];

        if (!slot->ptr)
            return slot;
        if (slot->hash == hash && slot->len == len && memcmp(slot->ptr, p, len) == 0)
            return slot;
    }
}

static bool has_pattern(const struct find *f, uint64_t h, const char *p, size_t len)
{
    return pattern_slot(f, hash_end(h), p, len)->ptr != NULL;
}

static void grow_patterns(struct find *f)
{
    struct pattern *old = f->patterns;
    size_t old_cap = f->patterns_cap;

    f->patterns_cap = old_cap ? old_cap * 2 : 64;
    f->patterns = mem_new(f->patterns_cap * sizeof *f->patterns);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].ptr)
            *pattern_slot(f, old[i].hash, old[i].ptr, old[i].len) = old[i];
    free(old);
}

/* ---- the skip table ---- */

static inline uint32_t load32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

/* Index of the block that ends at END; four bytes before END must be there. */
static inline size_t block_index(const char *end, size_t block)
{
    uint32_t v = load32(end - 4);

    if (block == 2)
        return v >> 16;
    return (v >> 8) * 0x9e3779b1u >> (32 - BLOCK_BITS);
}

static inline uint64_t window_key(const char *p, size_t window)
{
    return load32(p) | (uint64_t)load32(p + window - 4) << 32;
}

static inline bool group_used(const struct group *g)
{
    return (g->lengths[0] | g->lengths[1] | g->lengths[2] | g->lengths[3]) != 0;
}

static struct group *group_slot(const struct tier *t, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (t->groups_cap - 1);

    for (;; at = (at + 1) & (t->groups_cap - 1)) {
        struct group *g = &t->groups[at];

        if (g->key == key || !group_used(g))
            return g;
    }
}

static void grow_groups(struct tier *t)
{
    struct group *old = t->groups;
    size_t old_cap = t->groups_cap;

    t->groups_cap = old_cap ? old_cap * 2 : 64;
    t->groups = mem_new(t->groups_cap * sizeof *t->groups);
    for (size_t i = 0; i < old_cap; i++)
        if (group_used(&old[i]))
            *group_slot(t, old[i].key) = old[i];
    free_groups(old, old_cap);
}

/* Enters a pattern that is at least a window long. */
static void enter(struct tier *t, struct slice p, uint64_t seed)
{
    size_t most = t->window - t->block;

    for (size_t at = 0; at <= most; at++) {
        const char *end = p.ptr + at + t->block;
        /* The first block of a pattern may end before four bytes are there to be loaded. */
        char head[4] = {0};

        if (at + t->block < 4) {
            memcpy(head + 4 - t->block, p.ptr + at, t->block);
            end = head + 4;
        }
        uint8_t *skip = &t->skip[block_index(end, t->block)];
        if (*skip > most - at)
            *skip = (uint8_t)(most - at);
    }
    if ((t->n_groups + 1) * 2 > t->groups_cap)
        grow_groups(t);
    uint64_t key = window_key(p.ptr, t->window) ^ seed;
    struct group *g = group_slot(t, key);

    if (!group_used(g)) {
        g->key = key;
        t->n_groups++;
    }
    g->lengths[(p.len - 1) / 64] |= UINT64_C(1) << (p.len - 1) % 64;
}

static struct tier *tier_of(struct find *f, size_t len)
{
    return &f->tiers[len > MEDIUM_MAX];
}

/* Enters all patterns of a tier anew: the window shrank (28 times at most), or the blocks grew. */
static void rebuild(struct find *f, struct tier *t)
{
    if (!t->skip)
        t->skip = mem_new(1 << BLOCK_BITS);
    memset(t->skip, (int)(t->window - t->block + 1), 1 << BLOCK_BITS);
    free_groups(t->groups, t->groups_cap);
    t->groups = NULL;
    t->groups_cap = t->n_groups = 0;
    for (size_t i = 0; i < f->patterns_cap; i++) {
        const struct pattern *p = &f->patterns[i];

        if (p->len > SHORT_MAX && tier_of(f, p->len) == t)
            enter(t, slice_make(p->ptr, p->len), f->seed);
    }
}

static void add_long(struct find *f, struct slice p)
{
    struct tier *t = tier_of(f, p.len);
    size_t window = p.len < WINDOW_MAX ? p.len : WINDOW_MAX;
    size_t block = ++t->n < MANY ? 2 : 3;

    if (t->skip && window >= t->window && block == t->block) {
        enter(t, p, f->seed);
        return;
    }
    if (!t->skip || window < t->window)
        t->window = window;
    t->block = block;
    rebuild(f, t);
}

static void add_short(struct find *f, struct slice p)
{
    uint8_t bit = (uint8_t)(1u << (p.len - 1));

    f->has_short = true;
    f->first[(unsigned char)p.ptr[0]] |= bit;
    if (p.len > 1)
        f->second[(unsigned char)p.ptr[1]] |= bit;
}

bool find_add(struct find *f, struct slice pattern)
{
    if (pattern.len == 0 || pattern.len > FIND_PATTERN_MAX)
        BUG("a pattern of %zu bytes", pattern.len);
    if ((f->n_patterns + 1) * 2 > f->patterns_cap)
        grow_patterns(f);
    uint32_t hash = hash_end(hash_more(f->seed, pattern.ptr, pattern.len));
    struct pattern *slot = pattern_slot(f, hash, pattern.ptr, pattern.len);

    if (slot->ptr)
        return false;
    struct slice copy = pool_dup(f, pattern);
    *slot = (struct pattern){.ptr = copy.ptr, .hash = hash, .len = (uint32_t)copy.len};
    f->n_patterns++;
    if (copy.len > f->longest)
        f->longest = copy.len;
    if (copy.len > SHORT_MAX)
        add_long(f, copy);
    else
        add_short(f, copy);
    return true;
}

/* ---- searching ---- */

void find_start(struct find_walk *w, const struct find *f, struct slice text)
{
    *w = (struct find_walk){.find = f, .text = text};
    for (size_t i = 0; i < FIND_TIERS; i++)
        w->lanes[i].at = f->tiers[i].n ? 0 : text.len;
    w->lanes[FIND_TIERS].at = f->has_short ? 0 : text.len;
}

/* The longest pattern of a tier at P, of which N bytes are there; 0: none. Each length that the group
 * has is one look into the set, and the hash of the longer text carries on from the shorter. */
static size_t longest_at(const struct find *f, const struct tier *t, const char *p, size_t n)
{
    const struct group *g = group_slot(t, window_key(p, t->window) ^ f->seed);
    size_t found = 0, hashed = 0;
    uint64_t h = f->seed;

    for (size_t w = 0; w < COUNT_OF(g->lengths); w++) {
        for (uint64_t bits = g->lengths[w]; bits; bits &= bits - 1) {
            size_t len = w * 64 + (size_t)__builtin_ctzll(bits) + 1;

            if (len > n)
                return found;
            h = hash_more(h, p + hashed, len - hashed);
            hashed = len;
            if (has_pattern(f, h, p, len))
                found = len;
        }
    }
    return found;
}

/* The next hit of a lane; without one it is at the end of the text. */
static void set_hit(struct find_lane *lane, size_t at, size_t len)
{
    lane->hit = at;
    lane->len = len;
    lane->at = at + 1;
}

/* BLOCK is a constant in each caller, so that each gets a loop of its own. */
static inline __attribute__((always_inline)) void
search_tier(const struct find_walk *w, const struct tier *t, struct find_lane *lane, size_t block)
{
    const char *text = w->text.ptr;
    size_t window = t->window, end = w->text.len;

    for (size_t at = lane->at; at + window <= end;) {
        size_t skip = t->skip[block_index(text + at + window, block)];

        if (!skip) {
            size_t len = longest_at(w->find, t, text + at, end - at);

            if (len) {
                set_hit(lane, at, len);
                return;
            }
            skip = 1;
        }
        at += skip;
    }
    lane->at = end;
}

/* The longest short pattern at P, of which N bytes are there. */
static size_t short_len_at(const struct find *f, const char *p, size_t n)
{
    unsigned lengths = f->first[(unsigned char)*p];

    if (lengths > 1)
        lengths &= n > 1 ? 1u | f->second[(unsigned char)p[1]] : 1u;
    for (size_t len = n < SHORT_MAX ? n : SHORT_MAX; len; len--)
        if (lengths & 1u << (len - 1) && has_pattern(f, hash_more(f->seed, p, len), p, len))
            return len;
    return 0;
}

static void search_short(const struct find_walk *w, struct find_lane *lane)
{
    const struct find *f = w->find;
    const char *text = w->text.ptr;

    for (size_t at = lane->at; at < w->text.len; at++) {
        if (!f->first[(unsigned char)text[at]])
            continue;
        size_t len = short_len_at(f, text + at, w->text.len - at);
        if (len) {
            set_hit(lane, at, len);
            return;
        }
    }
    lane->at = w->text.len;
}

static void search(const struct find_walk *w, size_t i, struct find_lane *lane)
{
    if (i == FIND_TIERS)
        search_short(w, lane);
    else if (w->find->tiers[i].block == 2)
        search_tier(w, &w->find->tiers[i], lane, 2);
    else
        search_tier(w, &w->find->tiers[i], lane, 3);
}

bool find_next(struct find_walk *w, size_t *ret_at, size_t *ret_len)
{
    struct find_lane *next = NULL;

    for (size_t i = 0; i < COUNT_OF(w->lanes); i++) {
        struct find_lane *lane = &w->lanes[i];

        if (!lane->len && lane->at < w->text.len)
            search(w, i, lane);
        if (lane->len && (!next || lane->hit < next->hit))
            next = lane;
    }
    if (!next)
        return false;
    *ret_at = next->hit;
    *ret_len = next->len;
    next->len = 0;
    return true;
}
