/* Caches as the newer clients ask for them (twirp, runtime contract 13.7) and as the older ones do (13.6). */
#include "serve/exchange.h"

#include "base/num.h"
#include "base/vec.h"

#include <inttypes.h>

#define METHOD(name) "/twirp/github.actions.results.api.v1.CacheService/" name
#define V1 "/_apis/artifactcache/"

/* Clients tell a refusal by policy from other troubles by how it begins. */
#define WRITE_DENIED "cache write denied: "

enum { PERMISSION_READ = 1, PERMISSION_WRITE = 2 };

/* ---- what the token allows ---- */

/* The scopes of the token with PERMISSION, in order; the array and its texts are the exchange's. */
static size_t scopes(struct exchange *x, int64_t permission, const char *ret[CACHE_SCOPES_MAX])
{
    json_t *list = json_loads(exchange_claim(x, "ac"), 0, NULL), *one;
    size_t n = 0, i;

    json_array_foreach (list, i, one) {
        const char *scope = json_string_value(json_object_get(one, "Scope"));

        if (scope && n < CACHE_SCOPES_MAX &&
            (json_integer_value(json_object_get(one, "Permission")) & permission))
            ret[n++] = arena_str(&x->arena, slice_of(scope));
    }
    json_decref(list);
    return n;
}

/* A scope to write to; NULL after a reply. */
static const char *write_scope(struct exchange *x)
{
    const char *all[CACHE_SCOPES_MAX];

    if (scopes(x, PERMISSION_WRITE, all))
        return all[0];
    exchange_fail(x, 403, "permission_denied", WRITE_DENIED "the token of this job may only read");
    return NULL;
}

/* ---- what both ask for ---- */

struct wanted {
    const char *key, *version;
};

/* KEY and version of the request; false after a reply. */
static bool take_wanted(struct exchange *x, struct wanted *ret)
{
    struct err err = ERR_INIT;

    ret->key = exchange_text(x, "key");
    ret->version = exchange_text(x, "version");
    if (!ret->version || !*ret->version || strlen(ret->version) > CACHE_VERSION_MAX)
        (void)err_set(&err, ERR_INVALID, "a cache has a version of 1 to %d bytes",
                      CACHE_VERSION_MAX);
    else
        (void)!cache_check_key(slice_of(ret->key), &err);
    if (err.code)
        exchange_fail_err(x, &err);
    return !err.code;
}

static const struct cache_entry *find(struct exchange *x, const char *const *keys, size_t n,
                                      const char *version)
{
    const char *all[CACHE_SCOPES_MAX];
    size_t n_scopes = scopes(x, PERMISSION_READ, all);

    return caches_find(x->site->caches, keys, n, version, all, n_scopes);
}

static const char *address_of(struct exchange *x, const struct cache_entry *e)
{
    return exchange_sign(x, "r", arena_printf(&x->arena, "/ostler/blobs/%s", e->digest));
}

static void conflict(struct exchange *x, const char *key)
{
    exchange_fail(x, 409, "already_exists",
                  "there is a cache '%s' of this version already, or another job is saving it",
                  key);
}

/* NULL after a reply. */
static struct upload *reserve(struct exchange *x, const struct wanted *w)
{
    const char *scope = write_scope(x);
    struct upload *u = NULL;
    struct err err = ERR_INIT;

    if (!scope)
        return NULL;
    if (caches_reserve(x->site->caches, w->key, w->version, scope, exchange_claim(x, "job"), &u,
                       &err) < 0)
        exchange_fail_err(x, &err);
    else if (!u)
        conflict(x, w->key);
    return u;
}

/* U is whole. False after a reply. */
static bool finish(struct exchange *x, struct upload *u, int64_t size)
{
    struct err err = ERR_INIT;

    if (size >= 0 && size != u->size)
        exchange_fail(x, 400, "invalid_argument",
                      "%" PRId64 " bytes have arrived and %" PRId64 " were announced", u->size,
                      size);
    else if (caches_finish(x->site->caches, u, &err) < 0 && err.code == ERR_DENIED)
        exchange_fail(x, 409, "already_exists", "%s", err.text);
    else if (err.code)
        exchange_fail_err(x, &err);
    return !x->failed;
}

/* ---- twirp ---- */

static void v2_find(struct exchange *x)
{
    const json_t *more = json_object_get(x->json, "restore_keys");
    const char *keys[CACHE_KEYS_MAX];
    struct err err = ERR_INIT;
    struct wanted w;
    size_t n = 0;

    if (!more)
        more = json_object_get(x->json, "restoreKeys");
    if (!take_wanted(x, &w))
        return;
    keys[n++] = w.key;
    for (size_t i = 0; i < json_array_size(more); i++) {
        const json_t *key = json_array_get(more, i);

        if (n == CACHE_KEYS_MAX) {
            exchange_fail(x, 400, "invalid_argument", "more than %d keys", CACHE_KEYS_MAX);
            return;
        }
        if (cache_check_key(slice_make(json_string_value(key), json_string_length(key)), &err) <
            0) {
            exchange_fail_err(x, &err);
            return;
        }
        keys[n++] = json_string_value(key);
    }
    const struct cache_entry *e = find(x, keys, n, w.version);
    exchange_json(x, 200,
                  e ? json_pack("{s:b, s:s, s:s}", "ok", 1, "signed_download_url", address_of(x, e),
                                "matched_key", e->key)
                    : json_pack("{s:b}", "ok", 0));
}

static void v2_create(struct exchange *x)
{
    struct wanted w;
    struct upload *u = take_wanted(x, &w) ? reserve(x, &w) : NULL;

    if (!u)
        return;
    const char *path = arena_printf(&x->arena, "/ostler/caches/%" PRId64, u->id);
    exchange_json(
        x, 200, json_pack("{s:b, s:s}", "ok", 1, "signed_upload_url", exchange_sign(x, "w", path)));
}

static void v2_finalize(struct exchange *x)
{
    struct wanted w;

    if (!take_wanted(x, &w))
        return;
    struct upload *u =
        caches_upload_of(x->site->caches, w.key, w.version, exchange_claim(x, "job"));
    if (!u) { /* asked again after the answer was lost, or never begun */
        const char *keys[] = {w.key}, *own[CACHE_SCOPES_MAX];
        size_t n = scopes(x, PERMISSION_WRITE, own);
        const struct cache_entry *e =
            caches_find(x->site->caches, keys, 1, w.version, own, n ? 1 : 0);

        if (e && strlen(e->key) == strlen(w.key) && e->size == exchange_number(x, "size_bytes"))
            exchange_json(x, 200, json_pack("{s:b, s:s}", "ok", 1, "entry_id", "1"));
        else
            exchange_fail(x, 404, "not_found", "no cache '%s' is being saved", w.key);
        return;
    }
    if (!u->whole) {
        exchange_fail(x, 400, "failed_precondition", "the upload of '%s' is not complete", w.key);
        return;
    }
    const char *id = arena_printf(&x->arena, "%" PRId64, u->id);
    if (finish(x, u, exchange_number(x, "size_bytes")))
        exchange_json(x, 200, json_pack("{s:b, s:s}", "ok", 1, "entry_id", id));
}

const struct service cache_services[] = {
    {"POST", METHOD("GetCacheEntryDownloadURL"), AUTH_TOKEN, BODY_OBJECT, .end = v2_find},
    {"POST", METHOD("CreateCacheEntry"), AUTH_TOKEN, BODY_OBJECT, .end = v2_create},
    {"POST", METHOD("FinalizeCacheEntryUpload"), AUTH_TOKEN, BODY_OBJECT, .end = v2_finalize},
    {0},
};

/* ---- the older service ---- */

static void v1_find(struct exchange *x)
{
    const char *version = exchange_query(x, "version");
    struct slice rest = slice_of(exchange_query(x, "keys")), key;
    const char *keys[CACHE_KEYS_MAX];
    struct err err = ERR_INIT;
    size_t n = 0;

    while (slice_split(&rest, ',', &key)) {
        key = slice_trim(key);
        if (n == CACHE_KEYS_MAX)
            (void)err_set(&err, ERR_INVALID, "more than %d keys", CACHE_KEYS_MAX);
        if (err.code || cache_check_key(key, &err) < 0) {
            exchange_fail_err(x, &err);
            return;
        }
        keys[n++] = arena_str(&x->arena, key);
    }
    if (!n || !version) {
        exchange_fail(x, 400, "invalid_argument", "the request names no key or no version");
        return;
    }
    const struct cache_entry *e = find(x, keys, n, version);
    if (!e)
        exchange_empty(x, 204);
    else
        exchange_json(x, 200,
                      json_pack("{s:s, s:s, s:s, s:s}", "archiveLocation", address_of(x, e),
                                "cacheKey", e->key, "scope", e->scope, "creationTime", e->created));
}

static void v1_list(struct exchange *x)
{
    const char *key = exchange_query(x, "key");
    json_t *found = json_array();
    size_t n;
    const struct cache_entry **list = caches_list(x->site->caches, key ? key : "", &n);

    for (size_t i = 0; i < n && i < 100; i++)
        json_array_append_new(found, json_pack("{s:s, s:s, s:s, s:s}", "cacheKey", list[i]->key,
                                               "cacheVersion", list[i]->version, "scope",
                                               list[i]->scope, "creationTime", list[i]->created));
    free(list);
    exchange_json(x, 200,
                  json_pack("{s:I, s:o}", "totalCount", (json_int_t)n, "artifactCaches", found));
}

static void v1_reserve(struct exchange *x)
{
    int64_t size = exchange_number(x, "cacheSize");
    struct wanted w;

    if (!take_wanted(x, &w))
        return;
    if (size > caches_budget(x->site->caches)) {
        exchange_fail(x, 400, "resource_exhausted",
                      "the cache has %" PRId64
                      " bytes, and all of a repository's may have %" PRId64,
                      size, caches_budget(x->site->caches));
        return;
    }
    struct upload *u = reserve(x, &w);
    if (u)
        exchange_json(x, 201, json_pack("{s:I}", "cacheId", (json_int_t)u->id));
}

/* The upload that the path names; NULL after a reply. Only its own job may touch it. */
static struct upload *v1_upload(struct exchange *x)
{
    struct upload *u = NULL;
    struct err err = ERR_INIT;
    int64_t id;

    if (num_parse_i64(slice_of(x->wild[0]), 1, INT64_MAX, &id, &err) == ERR_OK)
        u = caches_upload(x->site->caches, id);
    const char *job = u ? json_string_value(json_object_get(u->about, "job")) : NULL;
    if (job && strcmp(job, exchange_claim(x, "job")) == 0)
        return u;
    exchange_fail(x, 404, "not_found", "no cache is being saved under this number");
    return NULL;
}

static void v1_patch_begin(struct exchange *x)
{
    struct upload *u = v1_upload(x);
    struct err err = ERR_INIT;

    if (!u)
        return;
    const char *range = exchange_header(x, "Content-Range");
    if (range_parse_content(slice_of(range), &x->start, &x->size, &x->total, &err) < 0) {
        exchange_fail_err(x, &err);
        return;
    }
    /* the names of pieces sort as their places do */
    const char *name = arena_printf(&x->arena, "%020" PRId64, x->start);
    if (piece_new(u, slice_of(name), &x->piece, &err) < 0)
        exchange_fail_err(x, &err);
}

static void v1_patch_end(struct exchange *x)
{
    struct err err = ERR_INIT;

    if (piece_size(x->piece) != x->size)
        exchange_fail(x, 400, "invalid_argument",
                      "%" PRId64 " bytes have arrived and the Content-Range names %" PRId64,
                      piece_size(x->piece), x->size);
    else if (piece_keep(x->piece, &err) < 0)
        exchange_fail_err(x, &err);
    else
        exchange_empty(x, 204);
}

static void v1_commit(struct exchange *x)
{
    struct upload *u = v1_upload(x);
    struct slice *names;
    int64_t size;
    size_t n;

    if (!u)
        return;
    if (!u->whole && !upload_order(u, &x->arena, &names, &n, &size)) {
        exchange_fail(x, 400, "failed_precondition", "the pieces of the cache leave a gap");
        return;
    }
    if (u->whole) /* it was put together, and the answer was lost */
        x->service->done(x);
    else
        exchange_assemble(x, u, true, names, n);
}

static void v1_committed(struct exchange *x)
{
    struct upload *u = x->upload ? exchange_upload(x) : v1_upload(x);

    if (finish(x, u, exchange_number(x, "size")))
        exchange_empty(x, 204);
}

const struct service cache_v1_services[] = {
    {"GET", V1 "cache", AUTH_TOKEN, BODY_NONE, .end = v1_find},
    {"GET", V1 "caches", AUTH_TOKEN, BODY_NONE, .end = v1_list},
    {"POST", V1 "caches", AUTH_TOKEN, BODY_OBJECT, .end = v1_reserve},
    {"PATCH", V1 "caches/*", AUTH_TOKEN, BODY_BLOB, .begin = v1_patch_begin, .end = v1_patch_end},
    {"POST", V1 "caches/*", AUTH_TOKEN, BODY_OBJECT, .end = v1_commit, .done = v1_committed},
    {0},
};
