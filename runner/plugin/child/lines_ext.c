/* Requests of JSON lines for the extensions: ostler/ext.h, member for member. */
#include "plugin/child/lines.h"

#include "base/base64.h"
#include "base/utf8.h"

#include <ostler/ext.h>

#define REFUSED(c) ((c)->wrong[0] != '\0')

static ost_status do_progress(struct lines_call *c)
{
    const struct ost_progress_v1 *progress = lines_extension(c, OST_EXT_PROGRESS);
    const char *label = lines_maybe(c, "label");
    int64_t done = lines_number(c, "done", -1), total = lines_number(c, "total", -1);

    if (!REFUSED(c))
        progress->update(c->lines->step, label, done, total);
    return OST_OK;
}

static ost_status do_masked(struct lines_call *c)
{
    const struct ost_mask_v1 *mask = lines_extension(c, OST_EXT_MASK);
    const char *text = lines_text(c, "text"), *masked = "";

    if (REFUSED(c))
        return OST_OK;
    ost_status r = mask->apply(c->lines->step, text, &masked);
    if (r == OST_OK)
        lines_put_text(c, "text", masked);
    return r;
}

/* A body that is no text comes as Base64. */
static void put_body(struct lines_call *c, struct slice body)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 * LINES_MAX);

    if (utf8_valid(body) == body.len) {
        lines_put(c, "body", json_stringn(body.len ? body.ptr : "", body.len));
        return;
    }
    base64_url(&text, body);
    lines_put(c, "body_base64", json_stringn(text.ptr, text.len));
}

static ost_status do_http(struct lines_call *c)
{
    const struct ost_http_v1 *http = lines_extension(c, OST_EXT_HTTP);
    struct ost_http_response res = {.struct_size = sizeof res};
    const char *body = lines_maybe(c, "body");
    int64_t retries = lines_number(c, "retries", 0);
    const struct ost_http_request q = {
        .struct_size = sizeof q,
        .retries = retries > 0 && retries < 100 ? (uint32_t)retries : 0,
        .method = lines_maybe(c, "method"),
        .url = lines_text(c, "url"),
        .headers = lines_list(c, "headers"),
        .body = body,
        .body_size = body ? strlen(body) : 0,
        .save_to = lines_maybe(c, "save_to"),
        .timeout_ms = lines_number(c, "timeout_ms", 0),
    };

    if (REFUSED(c))
        return OST_OK;
    ost_status r = http->fetch(c->lines->step, &q, &res);
    if (r == OST_OK) {
        lines_put(c, "status", json_integer(res.status));
        lines_put_text(c, "headers", res.headers ? res.headers : "");
        put_body(c, slice_make(res.body ? res.body : "", res.body_size));
    }
    return r;
}

/* ---- caches ---- */

static ost_status cache(struct lines_call *c, bool save)
{
    const struct ost_cache_v1 *table = lines_extension(c, OST_EXT_CACHE);
    struct ost_cache_entry entry = {.struct_size = sizeof entry};
    const struct ost_cache_query q = {
        .struct_size = sizeof q,
        .flags = (lines_flag(c, "lookup") ? OST_CACHE_LOOKUP : 0u) |
                 (lines_flag(c, "cross_os") ? OST_CACHE_CROSS_OS : 0u),
        .paths = lines_list(c, "paths"),
        .keys = lines_list(c, "keys"),
    };

    if (!REFUSED(c) && (!q.paths || !q.keys || !q.keys[0]))
        snprintf(c->wrong, sizeof c->wrong, "'paths' and 'keys' are needed");
    if (REFUSED(c))
        return OST_OK;
    ost_status r =
        save ? table->save(c->lines->step, &q, &entry) : table->restore(c->lines->step, &q, &entry);
    if (r == OST_OK) {
        lines_put_text(c, "key", entry.key);
        lines_put(c, "exact", json_boolean(entry.exact));
        lines_put(c, "size", json_integer(entry.size));
    }
    return r;
}

static ost_status do_restore(struct lines_call *c)
{
    return cache(c, false);
}

static ost_status do_cache_save(struct lines_call *c)
{
    return cache(c, true);
}

/* ---- artifacts ---- */

static json_t *artifact_json(const struct ost_artifact *a)
{
    return json_pack("{s:I, s:s*, s:I, s:I, s:b, s:s*}", "artifact", (json_int_t)a->id, "name",
                     a->name, "size", (json_int_t)a->size, "created", (json_int_t)a->created, "zip",
                     a->zip, "digest", a->digest);
}

static void put_artifact(struct lines_call *c, const struct ost_artifact *a)
{
    json_t *members = artifact_json(a);

    json_object_update(c->answer, members);
    json_decref(members);
}

static ost_status do_artifacts(struct lines_call *c)
{
    const struct ost_artifacts_v1 *table = lines_extension(c, OST_EXT_ARTIFACTS);
    const struct ost_artifact *const *items = NULL;
    json_t *list = json_array();
    size_t n = 0;

    ost_status r = REFUSED(c) ? OST_OK : table->list(c->lines->step, &items, &n);
    for (size_t i = 0; r == OST_OK && i < n; i++)
        json_array_append_new(list, artifact_json(items[i]));
    lines_put(c, "items", list);
    return r;
}

static ost_status do_upload(struct lines_call *c)
{
    const struct ost_artifacts_v1 *table = lines_extension(c, OST_EXT_ARTIFACTS);
    struct ost_artifact made = {.struct_size = sizeof made};
    int64_t days = lines_number(c, "days", 0), level = lines_number(c, "level", 6);
    const struct ost_artifact_upload up = {
        .struct_size = sizeof up,
        .flags = lines_flag(c, "raw") ? OST_ARTIFACT_RAW : 0u,
        .name = lines_text(c, "name"),
        .root = lines_text(c, "root"),
        .files = lines_list(c, "files"),
        .days = days > 0 && days < 10000 ? (int32_t)days : 0,
        .level = level >= 0 && level <= 9 ? (int32_t)level : 6,
    };

    if (!REFUSED(c) && !up.files)
        snprintf(c->wrong, sizeof c->wrong, "'files' is missing");
    if (REFUSED(c))
        return OST_OK;
    ost_status r = table->upload(c->lines->step, &up, &made);
    if (r == OST_OK)
        put_artifact(c, &made);
    return r;
}

static ost_status do_download(struct lines_call *c)
{
    const struct ost_artifacts_v1 *table = lines_extension(c, OST_EXT_ARTIFACTS);
    struct ost_artifact got = {.struct_size = sizeof got};
    const struct ost_artifact_download down = {
        .struct_size = sizeof down,
        .flags = lines_flag(c, "raw") ? OST_ARTIFACT_RAW : 0u,
        .id = lines_number(c, "artifact", -1),
        .dir = lines_text(c, "dir"),
    };

    if (REFUSED(c))
        return OST_OK;
    ost_status r = table->download(c->lines->step, &down, &got);
    if (r == OST_OK)
        put_artifact(c, &got);
    return r;
}

static ost_status do_remove(struct lines_call *c)
{
    const struct ost_artifacts_v1 *table = lines_extension(c, OST_EXT_ARTIFACTS);
    const char *name = lines_text(c, "name");

    return REFUSED(c) ? OST_OK : table->remove(c->lines->step, name);
}

/* ---- files ---- */

static ost_status do_glob(struct lines_call *c)
{
    const struct ost_files_v1 *files = lines_extension(c, OST_EXT_FILES);
    const char *const *patterns = lines_list(c, "patterns"), *const *paths = NULL;
    uint32_t flags = (lines_flag(c, "links") ? OST_GLOB_LINKS : 0u) |
                     (lines_flag(c, "inside") ? OST_GLOB_INSIDE : 0u) |
                     (lines_flag(c, "folders") ? OST_GLOB_FOLDERS : 0u) |
                     (lines_flag(c, "no_hidden") ? OST_GLOB_NO_HIDDEN : 0u);
    json_t *list;
    size_t n = 0;

    if (!REFUSED(c) && !patterns)
        snprintf(c->wrong, sizeof c->wrong, "'patterns' is missing");
    if (REFUSED(c))
        return OST_OK;
    ost_status r = files->glob(c->lines->step, patterns, flags, &paths, &n);
    lines_put(c, "paths", list = json_array());
    for (size_t i = 0; r == OST_OK && i < n; i++) /* a name that is no text has no place in JSON */
        (void)json_array_append_new(list, json_string(paths[i]));
    return r;
}

static ost_status do_hash(struct lines_call *c)
{
    const struct ost_files_v1 *files = lines_extension(c, OST_EXT_FILES);
    const char *const *patterns = lines_list(c, "patterns");
    const char *hex = "";

    if (!REFUSED(c) && !patterns)
        snprintf(c->wrong, sizeof c->wrong, "'patterns' is missing");
    if (REFUSED(c))
        return OST_OK;
    ost_status r = files->hash(c->lines->step, patterns, &hex);
    if (r == OST_OK)
        lines_put_text(c, "hash", hex);
    return r;
}

const struct lines_op lines_ext_ops[] = {
    {"progress", do_progress},
    {"masked", do_masked},
    {"http", do_http},
    {"cache.restore", do_restore},
    {"cache.save", do_cache_save},
    {"artifact.list", do_artifacts},
    {"artifact.upload", do_upload},
    {"artifact.download", do_download},
    {"artifact.remove", do_remove},
    {"glob", do_glob},
    {"hash", do_hash},
    {NULL, NULL},
};
