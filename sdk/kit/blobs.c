/* ostler.blobs/1 for tests of plugins: the short forms of the other two, as the real host makes them. */
#include "kit/own.h"

#include "base/path.h"
#include "plugin/transcript.h"

#include <sys/stat.h>

/* As a transcript has it; ASK is taken. */
static ost_status play(struct ost_test *t, const char *call, struct buf *ask)
{
    ost_status r = OST_OK;

    kit_enter(t, call, NULL);
    (void)kit_play(t, call, ask, &r);
    kit_leave(t);
    return r;
}

static ost_status play_cache(struct ost_test *t, const char *call, const struct ost_cache_query *q,
                             struct ost_cache_entry *ret)
{
    kit_enter(t, call, NULL);
    ost_status r = kit_play_cache(t, call, q, ret);
    kit_leave(t);
    return r;
}

static ost_status cache_restore(struct ost_step *step, const char *const *paths,
                                const char *const *keys, const char **hit)
{
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};
    struct ost_cache_entry got = {.struct_size = sizeof got};
    struct ost_test *t = kit_host(step);
    ost_status r = t->playing ? play_cache(t, "blobs.cache_restore", &q, &got)
                              : kit_cache.restore(step, &q, &got);

    if (r == OST_OK && hit)
        *hit = got.key;
    return r;
}

static ost_status cache_save(struct ost_step *step, const char *const *paths, const char *key)
{
    const char *const keys[] = {key, NULL};
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};

    return kit_host(step)->playing ? play_cache(kit_host(step), "blobs.cache_save", &q, NULL)
                                   : kit_cache.save(step, &q, NULL);
}

/* Of one path the folder itself, or the one that the file is in; of several the folder they have in common. */
static ost_status find_root(struct ost_step *step, const char *const *paths, const char **ret)
{
    struct ost_test *t = kit_host(step);
    const char *const *roots;
    struct stat st;
    size_t n;
    ost_status r = kit_files.roots(step, paths, &roots, &n);

    if (r < 0)
        return r;
    pthread_mutex_lock(&t->lock);
    if (n == 0) {
        r = kit_refuse(t, OST_E_INVALID, "artifact_put: there is no path");
    } else {
        char *root = kit_keep(t, path_common(roots, n));

        if (n == 1 && stat(root, &st) == 0 && !S_ISDIR(st.st_mode))
            *strrchr(root, '/') = '\0';
        *ret = *root ? root : "/";
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

static ost_status artifact_put(struct ost_step *step, const char *name, const char *const *paths,
                               int32_t days)
{
    struct ost_artifact_upload u = {
        .struct_size = sizeof u, .name = name, .days = days, .level = 6};
    struct buf ask = BUF_INIT(2 * TRANSCRIPT_LINE_MAX);
    size_t n;

    if (kit_host(step)->playing) {
        transcript_upload(
            &ask, &(struct ost_artifact_upload){.name = name, .files = paths, .days = days});
        return play(kit_host(step), "blobs.artifact_put", &ask);
    }
    ost_status r = find_root(step, paths, &u.root);

    if (r == OST_OK)
        r = kit_files.glob(step, paths, OST_GLOB_LINKS | OST_GLOB_INSIDE | OST_GLOB_NO_HIDDEN,
                           &u.files, &n);
    if (r < 0 || n > 0)
        return r < 0 ? r : kit_artifacts.upload(step, &u, NULL);
    return kit_refuse_now(kit_host(step), OST_E_NOT_FOUND, "artifact_put: there are no such files");
}

static ost_status artifact_get(struct ost_step *step, const char *name, const char *dir)
{
    struct ost_artifact_download d = {.struct_size = sizeof d, .dir = dir};
    const struct ost_artifact *const *items;
    struct buf ask = BUF_INIT(1 << 20);
    size_t n;

    if (kit_host(step)->playing) {
        transcript_pair(&ask, "name", name, "dir", dir);
        return play(kit_host(step), "blobs.artifact_get", &ask);
    }
    ost_status r = kit_artifacts.list(step, &items, &n);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i]->name, name) != 0)
            continue;
        d.id = items[i]->id;
        return kit_artifacts.download(step, &d, NULL);
    }
    return kit_refuse_now(kit_host(step), OST_E_NOT_FOUND,
                          "artifact_get: the run has no artifact of that name");
}

const struct ost_blobs_v1 kit_blobs = {
    .struct_size = sizeof kit_blobs,
    .cache_restore = cache_restore,
    .cache_save = cache_save,
    .artifact_put = artifact_put,
    .artifact_get = artifact_get,
};
