#include "cache.h"

#include <string.h>
#include <strings.h>

enum { KEY_MAX = 512, KEYS_MAX = 10 };

static const struct ost_cache_v1 *service(struct ost_step *step)
{
    return (const struct ost_cache_v1 *)step->host->extension(step, OST_EXT_CACHE);
}

bool cache_is_there(struct ost_step *step)
{
    return service(step) != NULL;
}

bool cache_is_exact(const char *wanted, const char *key)
{
    return key && strcasecmp(wanted, key) == 0;
}

const char *const *cache_lines(struct ost_step *step, const char *text)
{
    struct strings lines = {0};
    struct span rest = span_of(text), line;

    while (span_line(&rest, &line)) {
        bool negated = span_eat(&line, "!");

        line = span_trim(line);
        if (negated)
            strings_add(step, &lines, ost_fmt(step, "!%s", span_dup(step, line)));
        else if (line.size > 0)
            strings_add(step, &lines, span_dup(step, line));
    }
    return strings_list(&lines);
}

/* ---- what can be asked for ---- */

/* As JavaScript counts: characters beyond the first 65,536 are two. */
static size_t length_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        n += (c & 0xc0) == 0x80 ? 0u : c >= 0xf0 ? 2u : 1u;
    }
    return n;
}

/* NULL, or what is wrong with KEY. */
static const char *check_key(struct ost_step *step, const char *key)
{
    if (length_of(key) > KEY_MAX)
        return ost_fmt(step, "Key Validation Error: %s cannot be larger than 512 characters.", key);
    if (strchr(key, ','))
        return ost_fmt(step, "Key Validation Error: %s cannot contain commas.", key);
    return NULL;
}

/* The same for all that is asked; *RET are the keys, the primary one first. */
static const char *check(struct ost_step *step, const struct cache_ask *ask,
                         const char *const *others, const char *const **ret)
{
    struct strings keys = {0};
    const char *wrong = NULL;

    if (!ask->paths[0])
        return "Path Validation Error: At least one directory or file path is required";
    strings_add(step, &keys, ask->key);
    for (size_t i = 0; others && others[i]; i++)
        strings_add(step, &keys, others[i]);
    if (keys.n > KEYS_MAX)
        return "Key Validation Error: Keys are limited to a maximum of 10.";
    for (size_t i = 0; !wrong && i < keys.n; i++)
        wrong = check_key(step, keys.list[i]);
    *ret = strings_list(&keys);
    return wrong;
}

/* ---- restore ---- */

static void tell_found(struct ost_step *step, const struct cache_ask *ask,
                       const struct ost_cache_entry *entry)
{
    const int64_t mega = 1 << 20;

    ost_log(step, OST_INFO, "Cache hit for%s: %s",
            strcmp(ask->key, entry->key) == 0 ? "" : " restore-key", entry->key);
    if (ask->lookup) {
        ost_log(step, OST_INFO, "Lookup only - skipping download");
        return;
    }
    ost_log(step, OST_INFO, "Cache Size: ~%lld MB (%lld B)",
            (long long)((entry->size + mega / 2) / mega), (long long)entry->size);
    ost_log(step, OST_INFO, "Cache restored successfully");
}

static const char *last_error(struct ost_step *step)
{
    return step->host->last_error(step);
}

ost_status cache_restore(struct ost_step *step, const struct cache_ask *ask, struct cache_done *ret)
{
    struct ost_cache_query query = {
        .struct_size = sizeof query,
        .flags = (ask->lookup ? OST_CACHE_LOOKUP : 0u) | (ask->cross_os ? OST_CACHE_CROSS_OS : 0u),
        .paths = ask->paths,
    };
    struct ost_cache_entry entry = {.struct_size = sizeof entry};
    ost_status r;

    *ret = (struct cache_done){.refused = check(step, ask, ask->others, &query.keys)};
    if (ret->refused)
        return OST_OK;
    r = service(step)->restore(step, &query, &entry);
    if (r == OST_E_CANCELLED)
        return r;
    if (r == OST_E_INVALID)
        ret->refused = last_error(step);
    else if (r < 0)
        ost_log(step, OST_WARNING, "Failed to restore: %s", last_error(step));
    else if (entry.key) {
        tell_found(step, ask, &entry);
        ret->key = entry.key;
    }
    return OST_OK;
}

/* ---- save ---- */

ost_status cache_save(struct ost_step *step, const struct cache_ask *ask, struct cache_done *ret)
{
    struct ost_cache_query query = {.struct_size = sizeof query,
                                    .flags = ask->cross_os ? OST_CACHE_CROSS_OS : 0,
                                    .paths = ask->paths};
    struct ost_cache_entry entry = {.struct_size = sizeof entry};
    ost_status r;

    *ret = (struct cache_done){.refused = check(step, ask, NULL, &query.keys)};
    if (ret->refused)
        return OST_OK;
    r = service(step)->save(step, &query, &entry);
    if (r == OST_E_CANCELLED)
        return r;
    if (r == OST_OK)
        ret->key = ask->key;
    else if (r == OST_E_INVALID)
        ret->refused = last_error(step);
    else if (r == OST_E_NOT_FOUND)
        ret->refused = "Path Validation Error: Path(s) specified in the action for caching do(es) "
                       "not exist, hence no cache is being saved.";
    else if (r == OST_E_DENIED)
        ost_log(step, OST_INFO,
                "Failed to save: Unable to reserve cache with key %s, another job may be creating "
                "this cache.",
                ask->key);
    else
        ost_log(step, OST_WARNING, "Failed to save: %s", last_error(step));
    return OST_OK;
}
