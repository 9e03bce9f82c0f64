/* Caches, as @actions/cache has them (runtime contract 13.7 and 13.8): what the one saved the other restores. */
#include "base/fd.h"
#include "blobs/blobs.h"
#include "blobs/fetch.h"
#include "blobs/message.h"
#include "blobs/packer.h"
#include "blobs/service.h"
#include "blobs/upload.h"

#include <strings.h>

enum { PATHS_MAX = 4096 };

struct wanted {
    struct arena arena;
    const char *const *paths, *const *keys;
    size_t n_paths, n_keys;
    char version[DIGEST_HEX_SIZE];
};

static void wanted_deinit(struct wanted *w)
{
    arena_deinit(&w->arena);
}

static int check_key(const char *key, struct err *err)
{
    if (!*key)
        return err_set(err, ERR_INVALID, "Key Validation Error: a key is empty.");
    if (strlen(key) > BLOBS_KEY_MAX)
        return err_set(err, ERR_INVALID,
                       "Key Validation Error: %.100s... cannot be larger than %d characters.", key,
                       BLOBS_KEY_MAX);
    if (strchr(key, ','))
        return err_set(err, ERR_INVALID, "Key Validation Error: %.120s cannot contain commas.",
                       key);
    return ERR_OK;
}

/* What tells caches apart that cannot stand in for each other: where their files go, and how they are packed. */
static void make_version(const struct carrier *c, struct wanted *w)
{
    struct digest *d = digest_new();
    unsigned char sum[DIGEST_SIZE];

    for (size_t i = 0; i < w->n_paths; i++) {
        digest_add(d, slice_of(w->paths[i]));
        digest_add(d, SLICE("|"));
    }
    digest_add(d, c->zstd ? SLICE("zstd-without-long") : SLICE("gzip"));
    digest_add(d, SLICE("|1.0"));
    digest_finish(d, sum);
    digest_free(d);
    digest_hex(sum, w->version);
}

static int take_wanted(const struct carrier *c, struct wanted *ret, struct err *err)
{
    if (!json_array_size(json_object_get(c->ask, "paths")))
        return err_set(err, ERR_INVALID,
                       "Path Validation Error: At least one directory or file path is required");
    if (json_array_size(json_object_get(c->ask, "keys")) > BLOBS_KEYS_MAX)
        return err_set(err, ERR_INVALID,
                       "Key Validation Error: Keys are limited to a maximum of %d.",
                       BLOBS_KEYS_MAX);
    int r = message_texts(c->ask, "paths", PATHS_MAX, &ret->arena, &ret->paths, &ret->n_paths, err);
    if (r == ERR_OK)
        r = message_texts(c->ask, "keys", BLOBS_KEYS_MAX, &ret->arena, &ret->keys, &ret->n_keys,
                          err);
    for (size_t i = 0; r == ERR_OK && i < ret->n_keys; i++)
        r = check_key(ret->keys[i], err);
    if (r == ERR_OK)
        make_version(c, ret);
    return r;
}

/* ---- restore ---- */

static int find(struct carrier *c, const struct wanted *w, json_t **ret, struct err *err)
{
    json_t *more = json_array();

    for (size_t i = 1; i < w->n_keys; i++)
        json_array_append_new(more, json_string(w->keys[i]));
    return service_call(c, "CacheService", "GetCacheEntryDownloadURL",
                        json_pack("{s:s, s:o, s:s}", "key", w->keys[0], "restore_keys", more,
                                  "version", w->version),
                        ret, err);
}

static int unpack(struct carrier *c, int archive, struct err *err)
{
    struct packer *p = NULL;
    int r = packer_start(c, json_pack("{s:s, s:s*}", "do", "restore", "workspace", c->workspace),
                         archive, &p, err);

    if (r == ERR_OK)
        r = packer_wait(p, err);
    packer_free(p);
    return r;
}

static int bring(struct carrier *c, const char *url, int64_t *ret_size, struct err *err)
{
    struct fetched got;
    int r = fetch(c, url, &got, err);

    if (r < 0)
        return r;
    r = unpack(c, got.fd, err);
    fd_closep(&got.fd);
    *ret_size = got.size;
    return r;
}

int cache_restore(struct carrier *c, json_t **ret, struct err *err)
{
    CLEANUP(wanted_deinit) struct wanted w = {0};
    bool lookup = json_is_true(json_object_get(c->ask, "lookup"));
    json_t *found = NULL;
    int64_t size = 0;
    int r = take_wanted(c, &w, err);

    if (r == ERR_OK)
        r = find(c, &w, &found, err);
    if (r < 0)
        return r;
    const char *key = service_text(found, "matched_key");
    const char *url = service_text(found, "signed_download_url");
    if (!service_is_ok(found)) {
        json_decref(found);
        *ret = json_object();
        return ERR_OK;
    }
    if (!key || !url)
        r = err_set(err, ERR_SYS, "the server told neither the cache's key nor its address");
    else if (!lookup)
        r = bring(c, url, &size, err);
    if (r == ERR_OK)
        *ret = json_pack("{s:s, s:b, s:I}", "key", key, "exact", strcasecmp(key, w.keys[0]) == 0,
                         "size", (json_int_t)size);
    json_decref(found);
    return r;
}

/* ---- save ---- */

static int reserve(struct carrier *c, const struct wanted *w, json_t **ret, struct err *err)
{
    int r =
        service_call(c, "CacheService", "CreateCacheEntry",
                     json_pack("{s:s, s:s}", "key", w->keys[0], "version", w->version), ret, err);

    if (r == ERR_OK && !service_is_ok(*ret)) {
        const char *why = service_text(*ret, "message");

        r = err_set(err, ERR_DENIED, "%.160s", why ? why : "the server refuses this key");
    }
    if (r == ERR_OK && !service_text(*ret, "signed_upload_url"))
        r = err_set(err, ERR_SYS, "the server told no address to upload to");
    return r;
}

static int finalize(struct carrier *c, const struct wanted *w, int64_t size, struct err *err)
{
    char digits[24];
    json_t *answer = NULL;

    snprintf(digits, sizeof digits, "%lld", (long long)size);
    int r = service_call(c, "CacheService", "FinalizeCacheEntryUpload",
                         json_pack("{s:s, s:s, s:s}", "key", w->keys[0], "version", w->version,
                                   "size_bytes", digits),
                         &answer, err);
    if (r == ERR_OK && !service_is_ok(answer)) {
        const char *why = service_text(answer, "message");

        r = err_set(err, ERR_SYS, "%.160s", why ? why : "the server does not finish the cache");
    }
    json_decref(answer);
    return r;
}

int cache_save(struct carrier *c, json_t **ret, struct err *err)
{
    CLEANUP(wanted_deinit) struct wanted w = {0};
    CLEANUP(fd_closep) int in = -1;
    struct packer *p = NULL;
    struct uploaded done;
    json_t *place = NULL;
    int r = take_wanted(c, &w, err);

    if (r == ERR_OK)
        r = packer_pipe(c,
                        json_pack("{s:s, s:O, s:s*, s:s*, s:b}", "do", "tar", "patterns",
                                  json_object_get(c->ask, "paths"), "workspace", c->workspace,
                                  "home", c->home, "zstd", c->zstd),
                        &p, &in, err);
    if (r == ERR_OK)
        r = reserve(c, &w, &place, err);
    if (r == ERR_OK)
        r = upload_packed(c, service_text(place, "signed_upload_url"), "application/octet-stream",
                          p, in, &done, err);
    if (r == ERR_OK)
        r = finalize(c, &w, done.size, err);
    if (r == ERR_OK)
        *ret = json_pack("{s:s, s:b, s:I}", "key", w.keys[0], "exact", 1, "size",
                         (json_int_t)done.size);
    packer_free(p);
    json_decref(place);
    return r;
}
