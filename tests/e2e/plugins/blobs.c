/* test/blobs - a plugin that does with artifacts and caches what its input says, for the end-to-end tests.
 *
 * One thing a line, its arguments behind "|", those of a list separated by ",". What came of it is in the log. */
#include <ostler/ext.h>

#include <string.h>

static const struct ost_input inputs[] = {
    {.name = "do", .type = OST_LIST, .flags = OST_REQUIRED, .description = "What to do"},
};

enum { FIELDS = 6, LIST_MAX = 64 };

static struct line {
    const char *field[FIELDS]; /* "" where there are fewer */
} line;

static char *copy(struct ost_step *s, const char *text)
{
    char *to = s->host->alloc(s, strlen(text) + 1);

    return memcpy(to, text, strlen(text) + 1);
}

static void split(struct ost_step *s, const char *text)
{
    char *rest = copy(s, text);

    for (int i = 0; i < FIELDS; i++) {
        char *part = rest ? strsep(&rest, "|") : NULL;

        line.field[i] = part ? part : "";
    }
}

static const char *const *list(struct ost_step *s, const char *text)
{
    const char **to = s->host->alloc(s, (LIST_MAX + 1) * sizeof *to);
    char *rest = copy(s, text);

    for (int i = 0; rest && i < LIST_MAX; i++)
        to[i] = strsep(&rest, ",");
    return to;
}

static void tell(struct ost_step *s, ost_status r, const char *what)
{
    if (r == OST_OK)
        ost_log(s, OST_INFO, "%s: fine%s%s", line.field[0], *what ? ", " : "", what);
    else
        ost_log(s, OST_INFO, "%s: %d: %s", line.field[0], (int)r, s->host->last_error(s));
}

static void do_cache(struct ost_step *s, const struct ost_cache_v1 *cache)
{
    struct ost_cache_entry got = {.struct_size = sizeof got};
    struct ost_cache_query q = {
        .struct_size = sizeof q,
        .flags = strcmp(line.field[0], "lookup") == 0 ? OST_CACHE_LOOKUP : 0,
        .keys = list(s, line.field[1]),
        .paths = list(s, line.field[2]),
    };
    int save = strcmp(line.field[0], "save") == 0;
    ost_status r = (save ? cache->save : cache->restore)(s, &q, &got);

    tell(s, r,
         r < 0 || save ? ""
         : got.key     ? ost_fmt(s, "%s%s, %s", got.key, got.exact ? " exactly" : "",
                             got.size ? "with its bytes" : "without a size")
                       : "nothing");
}

static const char *shown(struct ost_step *s, const struct ost_artifact *a)
{
    return ost_fmt(s, "%s %s digest %zu %s", a->name, a->size ? "with bytes" : "empty",
                   strlen(a->digest), a->id > 0 && a->created > 1700000000 ? "good" : "bad");
}

static void do_upload(struct ost_step *s, const struct ost_artifacts_v1 *artifacts)
{
    const struct ost_files_v1 *files = s->host->extension(s, OST_EXT_FILES);
    struct ost_artifact got = {.struct_size = sizeof got};
    struct ost_artifact_upload u = {
        .struct_size = sizeof u,
        .flags = strcmp(line.field[5], "raw") == 0 ? OST_ARTIFACT_RAW : 0,
        .name = line.field[1],
        .root = ost_fmt(s, "%s/%s", s->host->dir(s, OST_DIR_WORKSPACE), line.field[2]),
        .days = 3,
        .level = *line.field[4] - '0',
    };
    ost_status r = OST_OK;
    size_t n;

    if (*line.field[3] == '=') /* the files themselves, whatever they are */
        u.files = list(s, line.field[3] + 1);
    else
        r = files->glob(s, list(s, line.field[3]), OST_GLOB_LINKS | OST_GLOB_INSIDE, &u.files, &n);
    if (r == OST_OK)
        r = artifacts->upload(s, &u, &got);
    tell(s, r, r == OST_OK ? shown(s, &got) : "");
}

static void do_list(struct ost_step *s, const struct ost_artifacts_v1 *artifacts)
{
    const struct ost_artifact *const *all;
    size_t n = 0;
    ost_status r = artifacts->list(s, &all, &n);

    for (size_t i = 0; r == OST_OK && i < n; i++)
        ost_log(s, OST_INFO, "listed: %s", shown(s, all[i]));
    tell(s, r, ost_fmt(s, "%zu", n));
}

static void do_download(struct ost_step *s, const struct ost_artifacts_v1 *artifacts)
{
    struct ost_artifact got = {.struct_size = sizeof got};
    struct ost_artifact_download d = {
        .struct_size = sizeof d,
        .flags = strcmp(line.field[3], "raw") == 0 ? OST_ARTIFACT_RAW : 0,
        .id = 999999,
        .dir = ost_fmt(s, "%s/%s", s->host->dir(s, OST_DIR_WORKSPACE), line.field[2]),
    };
    const struct ost_artifact *const *all;
    const char *digest = "";
    size_t n = 0;
    ost_status r = artifacts->list(s, &all, &n);

    for (size_t i = 0; r == OST_OK && i < n; i++) {
        if (strcmp(all[i]->name, line.field[1]) != 0)
            continue;
        d.id = all[i]->id;
        digest = all[i]->digest;
    }
    if (r == OST_OK)
        r = artifacts->download(s, &d, &got);
    tell(s, r,
         r < 0 ? ""
               : ost_fmt(s, "%s, %s", got.zip ? "a zip" : "as it is",
                         strcmp(digest, got.digest) == 0 ? "whole" : "CHANGED"));
}

static void do_one(struct ost_step *s, const struct ost_cache_v1 *cache,
                   const struct ost_artifacts_v1 *artifacts, const struct ost_blobs_v1 *blobs)
{
    const char *what = line.field[0], *hit = NULL;

    if (!strcmp(what, "restore") || !strcmp(what, "lookup") || !strcmp(what, "save"))
        do_cache(s, cache);
    else if (!strcmp(what, "upload"))
        do_upload(s, artifacts);
    else if (!strcmp(what, "list"))
        do_list(s, artifacts);
    else if (!strcmp(what, "download"))
        do_download(s, artifacts);
    else if (!strcmp(what, "remove"))
        tell(s, artifacts->remove(s, line.field[1]), "");
    else if (!strcmp(what, "put"))
        tell(s, blobs->artifact_put(s, line.field[1], list(s, line.field[2]), 0), "");
    else if (!strcmp(what, "get"))
        tell(s,
             blobs->artifact_get(
                 s, line.field[1],
                 ost_fmt(s, "%s/%s", s->host->dir(s, OST_DIR_WORKSPACE), line.field[2])),
             "");
    else if (!strcmp(what, "cache_save"))
        tell(s, blobs->cache_save(s, list(s, line.field[2]), line.field[1]), "");
    else if (!strcmp(what, "cache_restore")) {
        ost_status r =
            blobs->cache_restore(s, list(s, line.field[2]), list(s, line.field[1]), &hit);

        tell(s, r, hit ? hit : "nothing");
    } else
        ost_log(s, OST_INFO, "nobody knows '%s'", what);
}

static ost_status blobs_main(struct ost_step *s)
{
    const struct ost_cache_v1 *cache = s->host->extension(s, OST_EXT_CACHE);
    const struct ost_artifacts_v1 *artifacts = s->host->extension(s, OST_EXT_ARTIFACTS);
    const struct ost_blobs_v1 *blobs = s->host->extension(s, OST_EXT_BLOBS);
    const char *const *lines;
    size_t n = s->host->input_list(s, "do", &lines);

    if (!cache || !artifacts || !blobs)
        return ost_fail(s, OST_E_UNSUPPORTED, "there are no services");
    if (s->host->extension(s, OST_EXT_HTTP))
        return ost_fail(s, OST_E_FAILED, "there is a network that was not asked for");
    for (size_t i = 0; i < n && !s->host->cancelled(s); i++) {
        split(s, lines[i]);
        do_one(s, cache, artifacts, blobs);
    }
    return OST_OK;
}

OST_PLUGIN(.id = "test/blobs", .version = "1.0.0", OST_INPUTS(inputs),
           .needs = OST_NEED_WORKSPACE_WRITE, .traits = OST_EFFECTS_VIA_HOST, .main = blobs_main);
