/* ostler.cache/1, ostler.artifacts/1 and ostler.blobs/1: questions to the runner, which has the token. Answers are
 * JSON that is never dropped: phase memory. */
#include "plugin/child/calls.h"

#include "base/buf.h"
#include "base/document.h"
#include "base/path.h"

#include <sys/stat.h>

/* A struct of the plugin's as far as both sides know it; the rest is 0. */
#define TAKE(ours, theirs)                                                                         \
    take(&(ours), sizeof(ours), (theirs), (theirs) ? (theirs)->struct_size : 0)
/* The other way round; the plugin's struct_size stays. */
#define GIVE(ours, theirs)                                                                         \
    do {                                                                                           \
        uint32_t size_ = (theirs) ? (theirs)->struct_size : 0;                                     \
        (ours).struct_size = size_;                                                                \
        if (size_ >= sizeof size_)                                                                 \
            memcpy((theirs), &(ours), size_ < sizeof(ours) ? size_ : sizeof(ours));                \
    } while (0)

static bool take(void *ours, size_t our_size, const void *theirs, uint32_t their_size)
{
    if (!theirs || their_size < sizeof their_size)
        return false;
    memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
    return true;
}

static ost_status no_size(struct ost_step *step, const char *what)
{
    return calls_failed(step, OST_E_INVALID, what);
}

static ost_status unknown_flags(struct ost_step *step)
{
    return calls_failed(step, OST_E_UNSUPPORTED, "this host does not know all of the flags");
}

static int64_t number(const json_t *answer, const char *name)
{
    return json_integer_value(json_object_get(answer, name));
}

/* ---- caches ---- */

static ost_status cache_call(struct ost_step *step, const char *op,
                             const struct ost_cache_query *theirs, struct ost_cache_entry *ret)
{
    struct ost_cache_query q = {0};
    struct ost_cache_entry got = {0};
    json_t *answer;

    if (!TAKE(q, theirs))
        return no_size(step, "cache: the query has no struct_size");
    if (q.flags & ~(uint32_t)(OST_CACHE_LOOKUP | OST_CACHE_CROSS_OS))
        return unknown_flags(step);
    /* What is good for other systems differs in its version on Windows only. */
    ost_status r =
        calls_transfer(step, op,
                       json_pack("{s:o, s:o, s:b}", "paths", calls_texts(q.paths), "keys",
                                 calls_texts(q.keys), "lookup", (q.flags & OST_CACHE_LOOKUP) != 0),
                       &answer);
    if (r < 0)
        return r;
    got.key = json_string_value(json_object_get(answer, "key"));
    got.exact = json_is_true(json_object_get(answer, "exact"));
    got.size = number(answer, "size");
    GIVE(got, ret);
    return OST_OK;
}

static ost_status cache_restore(struct ost_step *step, const struct ost_cache_query *q,
                                struct ost_cache_entry *ret)
{
    return cache_call(step, "cache.restore", q, ret);
}

static ost_status cache_save(struct ost_step *step, const struct ost_cache_query *q,
                             struct ost_cache_entry *ret)
{
    return cache_call(step, "cache.save", q, ret);
}

const struct ost_cache_v1 calls_cache = {
    .struct_size = sizeof calls_cache,
    .restore = cache_restore,
    .save = cache_save,
};

/* ---- artifacts ---- */

static struct ost_artifact artifact_of(const json_t *json)
{
    return (struct ost_artifact){
        .struct_size = sizeof(struct ost_artifact),
        .zip = json_is_true(json_object_get(json, "zip")),
        .id = number(json, "id"),
        .size = number(json, "size"),
        .created = number(json, "created"),
        .name = document_text(json, "name"),
        .digest = document_text(json, "digest"),
    };
}

static ost_status list(struct ost_step *step, const struct ost_artifact *const **items, size_t *n)
{
    json_t *answer;
    ost_status r = calls_transfer(step, "artifact.list", json_object(), &answer);

    if (r < 0)
        return r;
    const json_t *array = json_object_get(answer, "items");
    size_t len = json_array_size(array);
    const struct ost_artifact **list_ = mem_new((len + 1) * sizeof(struct ost_artifact *));
    for (size_t i = 0; i < len; i++) {
        struct ost_artifact *one = mem_new(sizeof *one);

        *one = artifact_of(json_array_get(array, i));
        list_[i] = one;
    }
    *items = list_;
    *n = len;
    return OST_OK;
}

static ost_status give_artifact(ost_status r, const json_t *answer, struct ost_artifact *ret)
{
    if (r < 0)
        return r;
    struct ost_artifact got = artifact_of(answer);
    GIVE(got, ret);
    return OST_OK;
}

static ost_status upload(struct ost_step *step, const struct ost_artifact_upload *theirs,
                         struct ost_artifact *ret)
{
    struct ost_artifact_upload u = {.level = 6};
    json_t *answer = NULL;

    if (!TAKE(u, theirs))
        return no_size(step, "upload: the description has no struct_size");
    if (u.flags & ~(uint32_t)OST_ARTIFACT_RAW)
        return unknown_flags(step);
    ost_status r = calls_transfer(
        step, "artifact.upload",
        json_pack("{s:s, s:s, s:o, s:b, s:i, s:i}", "name", u.name ? u.name : "", "root",
                  u.root ? u.root : "", "files", calls_texts(u.files), "raw",
                  (u.flags & OST_ARTIFACT_RAW) != 0, "days", (int)u.days, "level", (int)u.level),
        &answer);
    return give_artifact(r, answer, ret);
}

static ost_status download(struct ost_step *step, const struct ost_artifact_download *theirs,
                           struct ost_artifact *ret)
{
    struct ost_artifact_download d = {0};
    json_t *answer = NULL;

    if (!TAKE(d, theirs))
        return no_size(step, "download: the description has no struct_size");
    if (d.flags & ~(uint32_t)OST_ARTIFACT_RAW)
        return unknown_flags(step);
    ost_status r =
        calls_transfer(step, "artifact.download",
                       json_pack("{s:I, s:s, s:b}", "id", (json_int_t)d.id, "dir",
                                 d.dir ? d.dir : "", "raw", (d.flags & OST_ARTIFACT_RAW) != 0),
                       &answer);
    return give_artifact(r, answer, ret);
}

static ost_status remove_(struct ost_step *step, const char *name)
{
    json_t *answer;

    return calls_transfer(step, "artifact.remove", json_pack("{s:s}", "name", name ? name : ""),
                          &answer);
}

const struct ost_artifacts_v1 calls_artifacts = {
    .struct_size = sizeof calls_artifacts,
    .list = list,
    .upload = upload,
    .download = download,
    .remove = remove_,
};

/* ---- the short forms ---- */

static ost_status short_restore(struct ost_step *step, const char *const *paths,
                                const char *const *keys, const char **hit)
{
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};
    struct ost_cache_entry got = {.struct_size = sizeof got};
    ost_status r = cache_restore(step, &q, &got);

    if (r == OST_OK && hit)
        *hit = got.key;
    return r;
}

static ost_status short_save(struct ost_step *step, const char *const *paths, const char *key)
{
    const char *const keys[] = {key, NULL};
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};

    return cache_save(step, &q, NULL);
}

/* As actions/upload-artifact: of one path the folder itself, or the one that the file is in; of several the folder
 * that they have in common. */
static ost_status find_root(struct ost_step *step, const char *const *paths, const char **ret)
{
    const char *const *roots;
    struct stat st;
    size_t n;
    ost_status r = calls_files.roots(step, paths, &roots, &n);

    if (r < 0)
        return r;
    if (n == 0)
        return calls_failed(step, OST_E_INVALID, "artifact_put: there is no path");
    char *root = path_common(roots, n);
    if (n == 1 && stat(root, &st) == 0 && !S_ISDIR(st.st_mode))
        *strrchr(root, '/') = '\0';
    *ret = *root ? root : "/";
    return OST_OK;
}

static ost_status short_put(struct ost_step *step, const char *name, const char *const *paths,
                            int32_t days)
{
    struct ost_artifact_upload u = {
        .struct_size = sizeof u, .name = name, .days = days, .level = 6};
    size_t n;
    ost_status r = find_root(step, paths, &u.root);

    if (r == OST_OK)
        r = calls_files.glob(step, paths, OST_GLOB_LINKS | OST_GLOB_INSIDE | OST_GLOB_NO_HIDDEN,
                             &u.files, &n);
    if (r == OST_OK && n == 0)
        return calls_failed(step, OST_E_NOT_FOUND, "artifact_put: there are no such files");
    return r == OST_OK ? upload(step, &u, NULL) : r;
}

static ost_status short_get(struct ost_step *step, const char *name, const char *dir)
{
    struct ost_artifact_download d = {.struct_size = sizeof d, .dir = dir};
    const struct ost_artifact *const *items;
    size_t n;
    ost_status r = list(step, &items, &n);

    if (r < 0)
        return r;
    for (size_t i = 0; name && i < n; i++) {
        if (strcmp(items[i]->name, name) != 0)
            continue;
        d.id = items[i]->id;
        return download(step, &d, NULL);
    }
    return calls_failed(step, OST_E_NOT_FOUND,
                        "artifact_get: the run has no artifact of that name");
}

const struct ost_blobs_v1 calls_blobs = {
    .struct_size = sizeof calls_blobs,
    .cache_restore = short_restore,
    .cache_save = short_save,
    .artifact_put = short_put,
    .artifact_get = short_get,
};
