/* ostler.cache/1 for tests of plugins: of a cache, its name alone is kept. */
#include "kit/own.h"

#include "lib/json.h"
#include "plugin/transcript.h"

#include <strings.h>

struct kit_entry {
    char *key, *paths; /* the patterns, one a line: they tell versions apart */
    int64_t size;
    bool kept; /* of before the rounds of faults */
};

/* What is asked for, as far as the plugin knows it; without a key and a path the contract is broken. */
static struct ost_cache_query read_query(const struct ost_cache_query *given)
{
    static const char *const none[] = {NULL};
    struct ost_cache_query q = {.keys = none, .paths = none};

    memcpy(&q, given, given->struct_size < sizeof q ? given->struct_size : sizeof q);
    q.keys = q.keys ? q.keys : none;
    q.paths = q.paths ? q.paths : none;
    return q;
}

static bool is_sound(struct ost_test *t, const char *service, const struct ost_cache_query *q)
{
    if (q->struct_size && q->keys[0] && q->paths[0])
        return true;
    kit_broken(t, "%s without a size, a key or a path", service);
    return false;
}

static char *ask_cache(const char *service, const struct ost_cache_query *q)
{
    struct buf line = BUF_INIT(1 << 20);

    buf_add_str(&line, service);
    kit_add_list(&line, "key", q->keys);
    kit_add_list(&line, "paths", q->paths);
    buf_printf(&line, "%s%s", q->flags & OST_CACHE_LOOKUP ? " lookup" : "",
               q->flags & OST_CACHE_CROSS_OS ? " cross-os" : "");
    return buf_take(&line);
}

static char *lines_of(const char *const *list)
{
    struct buf text = BUF_INIT(1 << 20);

    for (size_t i = 0; list[i]; i++)
        buf_printf(&text, "%s%s", i ? "\n" : "", list[i]);
    return buf_take(&text);
}

/* The newest one of these paths whose key is KEY or, with BEGINNING, begins so. */
static const struct kit_entry *find_entry(const struct ost_test *t, const char *key,
                                          const char *paths, bool beginning)
{
    for (size_t i = t->caches.len; i > 0; i--) {
        const struct kit_entry *c = t->caches.ptr[i - 1];
        bool same =
            beginning ? strncasecmp(c->key, key, strlen(key)) == 0 : strcasecmp(c->key, key) == 0;

        if (same && strcmp(c->paths, paths) == 0)
            return c;
    }
    return NULL;
}

static void give(struct ost_test *t, const struct kit_entry *c, bool exact,
                 struct ost_cache_entry *to)
{
    if (!to->struct_size)
        kit_broken(t, "a cache's answer without a size");
    struct ost_cache_entry all = {
        .struct_size = to->struct_size,
        .exact = exact,
        .key = c ? kit_keep_text(t, c->key) : NULL,
        .size = c ? c->size : 0,
    };

    memcpy(to, &all, to->struct_size < sizeof all ? to->struct_size : sizeof all);
}

ost_status kit_play_cache(struct ost_test *t, const char *call, const struct ost_cache_query *q,
                          struct ost_cache_entry *ret)
{
    struct buf ask = BUF_INIT(2 * TRANSCRIPT_LINE_MAX);
    ost_status r = OST_OK;

    transcript_cache(&ask, q);
    const struct json *answer = kit_play(t, call, &ask, &r);
    const struct json *key = json_get(answer, "key");
    const struct kit_entry found = {.key = key ? kit_keep(t, kit_copy(key->text)) : NULL,
                                    .size = kit_int(answer, "size")};

    if (ret && r == OST_OK)
        give(t, key ? &found : NULL, kit_int(answer, "exact"), ret);
    return r;
}

static ost_status cache_restore(struct ost_step *step, const struct ost_cache_query *given,
                                struct ost_cache_entry *ret)
{
    struct ost_test *t = kit_host(step);
    struct ost_cache_query q = read_query(given);
    CLEANUP(free_ptr) char *paths = lines_of(q.paths);
    const struct kit_entry *c = NULL;
    ost_status r = kit_begin(t, "cache.restore", ask_cache("cache.restore", &q));

    if (t->playing && r == OST_OK) {
        r = kit_play_cache(t, "cache.restore", &q, ret);
        kit_leave(t);
        return r;
    }
    for (size_t i = 0; !c && q.keys[i] && !t->recording; i++) {
        c = find_entry(t, q.keys[i], paths, false);
        c = c ? c : find_entry(t, q.keys[i], paths, true);
    }
    if (is_sound(t, "cache.restore", &q) && r == OST_OK && ret)
        give(t, c, c && strcasecmp(c->key, q.keys[0]) == 0, ret);
    kit_leave(t);
    return r;
}

static struct kit_entry *add_entry(struct ost_test *t, const char *key, const char *paths,
                                   int64_t size)
{
    struct kit_entry *c = mem_new(sizeof *c);

    *c = (struct kit_entry){.key = kit_copy(key), .paths = kit_copy(paths), .size = size};
    vec_push(&t->caches, c);
    return c;
}

/* *RET is NULL in a plan. */
static ost_status save(struct ost_test *t, const struct ost_cache_query *q, const char *paths,
                       struct kit_entry **ret)
{
    const char *const *found;
    size_t n;

    if (t->recording)
        return OST_OK;
    if (find_entry(t, q->keys[0], paths, false))
        return kit_refuse(t, OST_E_DENIED, "the key is taken");
    ost_status r = kit_glob(t, q->paths, OST_GLOB_FOLDERS, &found, &n);
    if (r == OST_OK && n == 0)
        r = kit_refuse(t, OST_E_NOT_FOUND, "no such files");
    if (r == OST_OK)
        *ret = add_entry(t, q->keys[0], paths, 1 << 20);
    return r;
}

static ost_status cache_save(struct ost_step *step, const struct ost_cache_query *given,
                             struct ost_cache_entry *ret)
{
    struct ost_test *t = kit_host(step);
    struct ost_cache_query q = read_query(given);
    CLEANUP(free_ptr) char *paths = lines_of(q.paths);
    struct kit_entry *c = NULL;
    ost_status r = kit_begin(t, "cache.save", ask_cache("cache.save", &q));

    if (is_sound(t, "cache.save", &q) && r == OST_OK)
        r = t->playing ? kit_play_cache(t, "cache.save", &q, ret) : save(t, &q, paths, &c);
    if (r == OST_OK && ret && !t->playing)
        give(t, c, c, ret);
    kit_leave(t);
    return r;
}

const struct ost_cache_v1 kit_cache = {sizeof kit_cache, cache_restore, cache_save};

/* ---- the test's side ---- */

void ost_test_cache(struct ost_test *t, const char *key, const char *paths, int64_t size)
{
    add_entry(t, key, paths, size);
}

bool ost_test_has_cache(const struct ost_test *t, const char *key)
{
    VEC_EACH (c, &t->caches)
        if (strcasecmp((*c)->key, key) == 0)
            return true;
    return false;
}

static void remove_at(struct ost_test *t, size_t i)
{
    struct kit_entry *c = t->caches.ptr[i];

    free(c->key);
    free(c->paths);
    free(c);
    vec_remove(&t->caches, i);
}

void kit_caches_mark(struct ost_test *t)
{
    VEC_EACH (c, &t->caches)
        (*c)->kept = true;
}

void kit_caches_reset(struct ost_test *t)
{
    for (size_t i = t->caches.len; i > 0; i--)
        if (!t->caches.ptr[i - 1]->kept)
            remove_at(t, i - 1);
}

void kit_caches_deinit(struct ost_test *t)
{
    while (t->caches.len)
        remove_at(t, t->caches.len - 1);
    vec_deinit(&t->caches);
}
