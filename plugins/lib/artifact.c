#include "artifact.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

const struct ost_artifacts_v1 *artifact_service(struct ost_step *step)
{
    const struct ost_artifacts_v1 *service =
        (const struct ost_artifacts_v1 *)step->host->extension(step, OST_EXT_ARTIFACTS);

    if (!service)
        (void)ost_fail(step, OST_E_UNSUPPORTED, "this job has no service for artifacts");
    return service;
}

static ost_status fail_as_told(struct ost_step *step, ost_status r)
{
    return r == OST_E_CANCELLED ? r : ost_fail(step, r, "%s", step->host->last_error(step));
}

/* ---- which there are ---- */

static int newest_first(const void *a, const void *b)
{
    const struct ost_artifact *x = *(const struct ost_artifact *const *)a;
    const struct ost_artifact *y = *(const struct ost_artifact *const *)b;

    return (x->id < y->id) - (x->id > y->id);
}

static bool has_name(const struct artifacts *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->list[i]->name, name) == 0)
            return true;
    return false;
}

static ost_status list_latest(struct ost_step *step, struct artifacts *ret)
{
    const struct ost_artifacts_v1 *service = artifact_service(step);
    const struct ost_artifact *const *all, **sorted;
    size_t n;
    ost_status r = service ? service->list(step, &all, &n) : OST_E_UNSUPPORTED;

    if (r < 0)
        return service ? fail_as_told(step, r) : r;
    sorted = step->host->alloc(step, (n + 1) * sizeof *sorted);
    memcpy(sorted, all, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, newest_first);
    *ret = (struct artifacts){step->host->alloc(step, (n + 1) * sizeof *sorted), 0};
    for (size_t i = 0; i < n; i++)
        if (!has_name(ret, sorted[i]->name))
            ret->list[ret->n++] = sorted[i];
    return OST_OK;
}

ost_status artifact_list(struct ost_step *step, struct artifacts *ret)
{
    ost_status r = list_latest(step, ret);

    if (r == OST_OK)
        ost_log(step, OST_INFO, "Found %zu artifact(s)", ret->n);
    return r;
}

ost_status artifact_find(struct ost_step *step, const char *name, struct artifacts *ret)
{
    size_t kept = 0;
    ost_status r = list_latest(step, ret);

    for (size_t i = 0; r == OST_OK && i < ret->n; i++)
        if (strcmp(ret->list[i]->name, name) == 0)
            ret->list[kept++] = ret->list[i];
    ret->n = kept;
    return r;
}

void artifact_filter(struct artifacts *all, const char *pattern)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->n; i++)
        if (names_match(pattern, all->list[i]->name))
            all->list[kept++] = all->list[i];
    all->n = kept;
}

/* ---- download, remove ---- */

ost_status artifact_download(struct ost_step *step, const struct ost_artifact *a, const char *dir,
                             bool raw, bool *ret_mismatch)
{
    const struct ost_artifacts_v1 *service = artifact_service(step);
    const struct ost_artifact_download what = {
        .struct_size = sizeof what, .flags = raw ? OST_ARTIFACT_RAW : 0, .id = a->id, .dir = dir};
    struct ost_artifact came = {.struct_size = sizeof came};
    ost_status r;

    if (!service)
        return OST_E_UNSUPPORTED;
    ost_log(step, OST_INFO, "Starting download of artifact to: %s", dir);
    r = service->download(step, &what, &came);
    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0)
        return ost_fail(step, r, "Unable to download and extract artifact: %s",
                        step->host->last_error(step));
    if (raw || !came.zip)
        ost_log(step, OST_INFO, "Downloading raw file (non-zip) to: %s/%s%s", dir, a->name,
                came.zip ? ".zip" : "");
    ost_log(step, OST_INFO, "SHA256 digest of downloaded artifact is %s", came.digest);
    ost_log(step, OST_INFO, "Artifact download completed successfully.");
    *ret_mismatch = *a->digest && strcmp(a->digest, came.digest) != 0;
    return OST_OK;
}

ost_status artifact_remove(struct ost_step *step, const char *name)
{
    const struct ost_artifacts_v1 *service = artifact_service(step);
    const struct ost_artifact *const *all;
    int64_t id = 0;
    size_t n;
    ost_status r = service ? service->list(step, &all, &n) : OST_E_UNSUPPORTED;

    for (size_t i = 0; r == OST_OK && i < n; i++)
        if (strcmp(all[i]->name, name) == 0 && all[i]->id > id)
            id = all[i]->id;
    if (r == OST_OK)
        r = id ? service->remove(step, name) : OST_E_NOT_FOUND;
    if (r == OST_OK)
        ost_log(step, OST_INFO, "Artifact '%s' (ID: %lld) deleted", name, (long long)id);
    return r < 0 && r != OST_E_NOT_FOUND && service ? fail_as_told(step, r) : r;
}

/* ---- names that no file system minds ---- */

static const struct {
    char c;
    const char *words;
} forbidden[] = {
    {'"', " Double quote \""}, {':', " Colon :"},
    {'<', " Less than <"},     {'>', " Greater than >"},
    {'|', " Vertical bar |"},  {'*', " Asterisk *"},
    {'?', " Question mark ?"}, {'\r', " Carriage return \\r"},
    {'\n', " Line feed \\n"},  {'\\', " Backslash \\"},
    {'/', " Forward slash /"}, /* these two in names only */
};
enum { FORBIDDEN_IN_PATHS = 9 };

/* The words for the first of N forbidden characters that TEXT has; NULL: none. */
static const char *find_forbidden(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr(text, forbidden[i].c))
            return forbidden[i].words;
    return NULL;
}

static const char *all_forbidden(struct ost_step *step, size_t n)
{
    struct sink words = {.step = step};

    for (size_t i = 0; i < n; i++)
        sink_addf(&words, "%s%s", i ? "," : "", forbidden[i].words);
    return sink_text(&words);
}

static ost_status check_name(struct ost_step *step, const char *name)
{
    const char *bad = find_forbidden(name, OST_COUNT(forbidden));

    if (!*name)
        return ost_fail(step, OST_E_INVALID,
                        "Provided artifact name input during validation is empty");
    if (bad)
        return ost_fail(step, OST_E_INVALID,
                        "The artifact name is not valid: %s. Contains the following character: %s\n"
                        "          \nInvalid characters include: %s\n          \n"
                        "These characters are not allowed in the artifact name due to limitations "
                        "with certain file systems such as NTFS. To maintain file system agnostic "
                        "behavior, these characters are intentionally not allowed to prevent "
                        "potential problems with downloads on different file systems.",
                        name, bad, all_forbidden(step, OST_COUNT(forbidden)));
    ost_log(step, OST_INFO, "Artifact name is valid!");
    return OST_OK;
}

static ost_status check_path(struct ost_step *step, const char *path)
{
    const char *bad = find_forbidden(path, FORBIDDEN_IN_PATHS);

    if (!bad)
        return OST_OK;
    return ost_fail(step, OST_E_INVALID,
                    "The path for one of the files in artifact is not valid: %s. Contains the "
                    "following character: %s\n          \nInvalid characters include: %s\n"
                    "          \nThe following characters are not allowed in files that are "
                    "uploaded due to limitations with certain file systems such as NTFS. To "
                    "maintain file system agnostic behavior, these characters are intentionally "
                    "not allowed to prevent potential problems with downloads on different file "
                    "systems.\n          ",
                    path, bad, all_forbidden(step, FORBIDDEN_IN_PATHS));
}

/* ---- upload ---- */

/* Paths are checked as they will be in the zip. */
static ost_status check(struct ost_step *step, const struct artifact_upload *u, const char *name)
{
    size_t root = strcmp(u->root, "/") == 0 ? 0 : strlen(u->root);
    ost_status r = check_name(step, name);

    if (r == OST_OK)
        ost_log(step, OST_INFO, "Root directory input is valid!");
    for (size_t i = 0; r == OST_OK && !u->raw && u->files[i]; i++)
        r = check_path(step, u->files[i] + root);
    return r;
}

/* More than the repository allows is that much. */
static int32_t clamp_days(struct ost_step *step, int32_t days)
{
    const char *text = step->host->context(step, "github.retention_days");
    long most = text ? strtol(text, NULL, 10) : 0;

    if (most <= 0 || days <= most)
        return days;
    ost_log(step, OST_WARNING,
            "Retention days cannot be greater than the maximum allowed retention set within the "
            "repository. Using %ld instead.",
            most);
    return (int32_t)most;
}

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

static ost_status give_outputs(struct ost_step *step, const struct ost_artifact *done)
{
    const char *id = ost_fmt(step, "%lld", (long long)done->id);
    const char *url =
        ost_fmt(step, "%s/%s/actions/runs/%s/artifacts/%s", context(step, "github.server_url"),
                context(step, "github.repository"), context(step, "github.run_id"), id);
    ost_status r = step->host->output(step, "artifact-id", id);

    if (r == OST_OK)
        r = step->host->output(step, "artifact-digest", done->digest);
    if (r < 0)
        return r;
    ost_log(step, OST_INFO, "Artifact download URL: %s", url);
    return step->host->output(step, "artifact-url", url);
}

static void tell_done(struct ost_step *step, const struct artifact_upload *u, const char *name,
                      const struct ost_artifact *done)
{
    const char *zip = u->major < 7 ? " zip" : "", *ending = u->major < 7 ? ".zip" : "";

    ost_log(step, OST_INFO, "Uploaded bytes %lld", (long long)done->size);
    ost_log(step, OST_INFO, "Finished uploading artifact content to blob storage!");
    ost_log(step, OST_INFO, "SHA256 digest of uploaded artifact%s is %s", zip, done->digest);
    ost_log(step, OST_INFO, "Finalizing artifact upload");
    ost_log(step, OST_INFO, "Artifact %s%s successfully finalized. Artifact ID %lld", name, ending,
            (long long)done->id);
    ost_log(step, OST_INFO,
            "Artifact %s has been successfully uploaded! Final size is %lld bytes. Artifact ID is "
            "%lld",
            u->name, (long long)done->size, (long long)done->id);
}

static ost_status not_uploaded(struct ost_step *step, const char *name, ost_status r)
{
    if (r != OST_E_DENIED)
        return fail_as_told(step, r);
    return ost_fail(step, r,
                    "Failed to CreateArtifact: Received non-retryable error: Failed request: (409) "
                    "Conflict: an artifact with this name already exists on the workflow run: '%s'",
                    name);
}

ost_status artifact_upload(struct ost_step *step, const struct artifact_upload *u)
{
    const char *name = u->raw ? rel_name(u->files[0]) : u->name;
    const struct ost_artifacts_v1 *service = artifact_service(step);
    struct ost_artifact_upload what = {.struct_size = sizeof what,
                                       .flags = u->raw ? OST_ARTIFACT_RAW : 0,
                                       .name = name,
                                       .root = u->root,
                                       .files = u->files,
                                       .level = u->level};
    struct ost_artifact done = {.struct_size = sizeof done};
    ost_status r = service ? check(step, u, name) : OST_E_UNSUPPORTED;

    if (r < 0)
        return r;
    what.days = clamp_days(step, u->days);
    if (u->major >= 7)
        ost_log(step, OST_INFO, "Uploading artifact: %s%s", name, u->raw ? "" : ".zip");
    ost_log(step, OST_INFO, "Beginning upload of artifact content to blob storage");
    r = service->upload(step, &what, &done);
    if (r < 0)
        return not_uploaded(step, name, r);
    tell_done(step, u, name, &done);
    return give_outputs(step, &done);
}
