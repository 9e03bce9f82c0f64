/* download-artifact - actions/download-artifact: artifacts of the run become files of the job. */
#include "../lib/artifact.h"

#include <stdlib.h>
#include <string.h>

#ifndef DOWNLOAD_VERSION
#define DOWNLOAD_VERSION "8.0.1" /* the same code serves every major that the build asks for */
#define DOWNLOAD_MAJOR 8
#endif

static const struct ost_input inputs[] = {
    {.name = "name", .description = "Name of the artifact; none: all of the run"},
    {.name = "artifact-ids", .description = "Numbers of artifacts, instead of a name: 12, 14"},
    {.name = "path", .description = "Folder to write to; default: the workspace"},
    {.name = "pattern", .description = "Which artifacts, by their names; not with `name`"},
    {.name = "merge-multiple",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "All into one folder, instead of a folder for each"},
    {.name = "github-token",
     .flags = OST_SECRET,
     .description = "For artifacts of other runs, which are not served here"},
    {.name = "repository",
     .fallback = "${{ github.repository }}",
     .description = "With a token: whose artifacts"},
    {.name = "run-id",
     .fallback = "${{ github.run_id }}",
     .description = "With a token: the run whose artifacts"},
#if DOWNLOAD_MAJOR >= 8
    {.name = "skip-decompress",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Write the zip as it is"},
    {.name = "digest-mismatch",
     .fallback = "error",
     .description = "When what came is not what was announced: ignore, info, warn or error"},
#endif
};

static const struct ost_output outputs[] = {{"download-path", "The folder, absolute"}};

struct wish {
    const char *name, *ids, *pattern;
    const char *path; /* absolute */
    bool merge, raw;
    const char *mismatch; /* what to do then */
};

/* Every failure begins so. */
#define UNABLE "Unable to download artifact(s): "

/* ---- what is wanted ---- */

/* A "~" in front is the home folder, whatever follows it. */
static const char *resolve(struct ost_step *step, const char *path)
{
    const char *home = step->host->dir(step, OST_DIR_HOME);

    if (*path == '~')
        path = ost_fmt(step, "%s%s", home ? home : "", path + 1);
    path = rel_clean(step, rel_join(step, step->host->dir(step, OST_DIR_WORKSPACE), path));
    return *path ? path : "/";
}

static ost_status check_mismatch(struct ost_step *step, const char *how)
{
    static const char *const all[] = {"ignore", "info", "warn", "error"};

    for (size_t i = 0; i < OST_COUNT(all); i++)
        if (strcmp(how, all[i]) == 0)
            return OST_OK;
    return ost_fail(step, OST_E_INVALID,
                    UNABLE "Invalid value for 'digest-mismatch': '%s'. Valid options are: ignore, "
                           "info, warn, error",
                    how);
}

static bool is_this(struct ost_step *step, const char *input, const char *context)
{
    const char *given = step->host->input(step, input);
    const char *ours = step->host->context(step, context);

    return !*given || (ours && strcmp(given, ours) == 0);
}

/* With a token the action asks GitHub, for any run. What this runner keeps are the artifacts of this run. */
static ost_status check_run(struct ost_step *step)
{
    const char *repository = step->host->input(step, "repository");
    const char *slash = strchr(repository, '/');

    if (!*step->host->input(step, "github-token"))
        return OST_OK;
    if (!slash || slash == repository || !slash[1])
        return ost_fail(step, OST_E_INVALID,
                        UNABLE "Invalid repository: '%s'. Must be in format owner/repo",
                        repository);
    if (is_this(step, "repository", "github.repository") &&
        is_this(step, "run-id", "github.run_id"))
        return OST_OK;
    return ost_fail(step, OST_E_UNSUPPORTED,
                    UNABLE "the artifacts of run %s of '%s' are GitHub's, and only those of this "
                           "run are kept here. Let the action itself fetch them (--plugins "
                           "actions/download-artifact=never), or upload them in a job of this run",
                    step->host->input(step, "run-id"), repository);
}

static ost_status read_wish(struct ost_step *step, struct wish *w)
{
    *w = (struct wish){
        .name = step->host->input(step, "name"),
        .ids = step->host->input(step, "artifact-ids"),
        .pattern = step->host->input(step, "pattern"),
        .path = resolve(step, step->host->input(step, "path")),
        .merge = ost_input_bool(step, "merge-multiple"),
        .mismatch = "warn",
    };
#if DOWNLOAD_MAJOR >= 8
    w->raw = ost_input_bool(step, "skip-decompress");
    w->mismatch = step->host->input(step, "digest-mismatch");
    w->mismatch = *w->mismatch ? w->mismatch : "error";
#endif
    ost_status r = check_mismatch(step, w->mismatch);
    if (r == OST_OK && *w->name && *w->ids)
        r = ost_fail(step, OST_E_INVALID,
                     UNABLE "Inputs 'name' and 'artifact-ids' cannot be used together. Please "
                            "specify only one.");
    return r == OST_OK ? check_run(step) : r;
}

/* ---- which there are ---- */

static ost_status told(struct ost_step *step, ost_status r)
{
    if (r < 0 && r != OST_E_CANCELLED && *step->host->last_error(step))
        return ost_fail(step, r, UNABLE "%s", step->host->last_error(step));
    return r;
}

static ost_status list(struct ost_step *step, struct artifacts *ret)
{
    return told(step, artifact_list(step, ret));
}

static ost_status choose_by_name(struct ost_step *step, const struct wish *w, struct artifacts *all)
{
    ost_log(step, OST_INFO, "Downloading single artifact");
    ost_status r = told(step, artifact_find(step, w->name, all));
    if (r < 0 || all->n > 0)
        return r;
    return ost_fail(step, OST_E_NOT_FOUND,
                    UNABLE "Artifact not found for name: %s\n"
                           "        Please ensure that your artifact is not expired and the "
                           "artifact was uploaded using a compatible version of "
                           "toolkit/upload-artifact.\n"
                           "        For more information, visit the GitHub Artifacts FAQ: "
                           "https://github.com/actions/toolkit/blob/main/packages/artifact/docs/"
                           "faq.md",
                    w->name);
}

struct ids {
    int64_t *list;
    size_t n;
};

/* "12, 14": numbers as parseInt() reads them. */
static ost_status read_ids(struct ost_step *step, const char *text, struct ids *ret)
{
    struct span rest = span_of(text), one;

    *ret = (struct ids){step->host->alloc(step, (rest.size + 1) * sizeof(int64_t)), 0};
    for (bool more = true; more;) {
        more = span_eat_until(&rest, ',', &one);
        one = span_trim(more ? one : rest);
        const char *id = span_dup(step, one);
        char *end;
        int64_t n = strtoll(id, &end, 10);

        if (one.size > 0 && end == id)
            return ost_fail(step, OST_E_INVALID,
                            UNABLE "Invalid artifact ID: '%s'. Must be a number.", id);
        if (one.size > 0)
            ret->list[ret->n++] = n;
    }
    return ret->n ? OST_OK
                  : ost_fail(step, OST_E_INVALID,
                             UNABLE "No valid artifact IDs provided in 'artifact-ids' input");
}

static bool has_id(const struct ids *ids, int64_t id)
{
    for (size_t i = 0; i < ids->n; i++)
        if (ids->list[i] == id)
            return true;
    return false;
}

static void tell_missing(struct ost_step *step, const struct artifacts *found,
                         const struct ids *ids)
{
    struct sink missing = {.step = step};

    for (size_t i = 0; i < ids->n; i++) {
        bool there = false;

        for (size_t k = 0; k < found->n; k++)
            there |= found->list[k]->id == ids->list[i];
        if (!there)
            sink_addf(&missing, "%s%lld", missing.size ? ", " : "", (long long)ids->list[i]);
    }
    ost_log(step, OST_WARNING, "Could not find the following artifact IDs: %s",
            sink_text(&missing));
}

static ost_status choose_by_ids(struct ost_step *step, const struct wish *w, struct artifacts *all)
{
    struct ids ids;
    size_t kept = 0;

    ost_log(step, OST_INFO, "Downloading artifacts by ID");
    ost_status r = read_ids(step, w->ids, &ids);
    if (r == OST_OK)
        r = list(step, all);
    if (r < 0)
        return r;
    for (size_t i = 0; i < all->n; i++)
        if (has_id(&ids, all->list[i]->id))
            all->list[kept++] = all->list[i];
    all->n = kept;
    if (all->n == 0)
        return ost_fail(step, OST_E_NOT_FOUND,
                        UNABLE "None of the provided artifact IDs were found");
    if (all->n < ids.n)
        tell_missing(step, all, &ids);
    return OST_OK;
}

static ost_status choose_all(struct ost_step *step, const struct wish *w, struct artifacts *all)
{
    ost_status r = list(step, all);

    if (r < 0)
        return r;
    if (*w->pattern) {
        ost_log(step, OST_INFO, "Filtering artifacts by pattern '%s'", w->pattern);
        artifact_filter(all, w->pattern);
        return OST_OK;
    }
    ost_log(step, OST_INFO,
            "No input name, artifact-ids or pattern filtered specified, downloading all artifacts");
    if (!w->merge)
        ost_log(step, OST_INFO,
                "An extra directory with the artifact name will be created for each download");
    return OST_OK;
}

/* ---- fetching them ---- */

static void tell_choice(struct ost_step *step, const struct artifacts *all)
{
    if (all->n)
        ost_log(step, OST_INFO, "Preparing to download the following artifacts:");
    for (size_t i = 0; i < all->n; i++) {
        const struct ost_artifact *a = all->list[i];

        ost_log(step, OST_INFO, "- %s (ID: %lld, Size: %lld, Expected Digest: %s%s)", a->name,
                (long long)a->id, (long long)a->size, *a->digest ? "sha256:" : "",
                *a->digest ? a->digest : "undefined");
    }
}

/* Straight into the folder when it is one that was asked for, when all are to be in one or - since version 5 -
 * when it is only one anyway. */
static bool is_straight(const struct wish *w, const struct artifacts *all)
{
    return *w->name || w->merge || (DOWNLOAD_MAJOR >= 5 && all->n == 1);
}

static ost_status fetch_one(struct ost_step *step, const struct wish *w,
                            const struct artifacts *all, const struct ost_artifact *a,
                            struct sink *broken)
{
    const char *dir = is_straight(w, all) ? w->path : rel_join(step, w->path, a->name);
    const char *text = ost_fmt(step,
                               "Artifact '%s' digest validation failed. Please verify the "
                               "integrity of the artifact.",
                               a->name);
    bool mismatch = false;
    ost_status r = artifact_download(step, a, dir, w->raw, &mismatch);

    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, UNABLE "Unable to download and extract artifact: %s",
                        step->host->last_error(step));
    if (!mismatch || r < 0)
        return r;
    sink_addf(broken, "%s%s", broken->size ? ", " : "", a->name);
    if (strcmp(w->mismatch, "info") == 0 || strcmp(w->mismatch, "warn") == 0)
        ost_log(step, w->mismatch[0] == 'w' ? OST_WARNING : OST_INFO, "%s", text);
    return OST_OK;
}

static ost_status fetch(struct ost_step *step, const struct wish *w, const struct artifacts *all)
{
    struct sink broken = {.step = step};
    ost_status r = OST_OK;

    for (size_t i = 0; r == OST_OK && i < all->n; i++)
        r = fetch_one(step, w, all, all->list[i], &broken);
    if (r == OST_OK && broken.size && strcmp(w->mismatch, "error") == 0)
        return ost_fail(step, OST_E_FAILED,
                        UNABLE "Digest validation failed for artifact(s): %s. Use "
                               "'digest-mismatch: warn' to continue on mismatch.",
                        sink_text(&broken));
    return r;
}

static ost_status download(struct ost_step *step)
{
    struct artifacts all = {0};
    struct wish w;
    ost_status r = read_wish(step, &w);

    if (r < 0)
        return r;
    r = *w.name  ? choose_by_name(step, &w, &all)
        : *w.ids ? choose_by_ids(step, &w, &all)
                 : choose_all(step, &w, &all);
    if (r < 0)
        return r;
    tell_choice(step, &all);
    r = fetch(step, &w, &all);
    if (r < 0)
        return r;
    ost_log(step, OST_INFO, "Total of %zu artifact(s) downloaded", all.n);
    r = step->host->output(step, "download-path", w.path);
    if (r == OST_OK)
        ost_log(step, OST_INFO, "Download artifact has finished successfully");
    return r;
}

static ost_status plan(struct ost_step *step)
{
    struct wish w;
    ost_status r = read_wish(step, &w);
    const char *what;

    if (r < 0)
        return r;
    what = *w.name      ? ost_fmt(step, "the artifact '%s'", w.name)
           : *w.ids     ? ost_fmt(step, "the artifacts with the ids %s", w.ids)
           : *w.pattern ? ost_fmt(step, "the artifacts '%s'", w.pattern)
                        : "all artifacts of the run";
    return step->host->plan(step, "download", what, ost_fmt(step, "into %s", w.path));
}

OST_PLUGIN(.id = "actions/download-artifact", .version = DOWNLOAD_VERSION,
           .title = "Download a Build Artifact",
           .description = "Brings artifacts of the run into the job", .author = "Ostler",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = plan, .main = download);
