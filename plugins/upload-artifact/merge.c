/* merge - actions/upload-artifact/merge: several artifacts of the run become one. */
#include "search.h"
#include "settings.h"

static const struct ost_input inputs[] = {
    {.name = "name",
     .flags = OST_REQUIRED,
     .fallback = "merged-artifacts",
     .description = "Name of the new artifact"},
    {.name = "pattern", .fallback = "*", .description = "Which artifacts, by their names"},
    {.name = "separate-directories",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Keep each in a folder of its name"},
    {.name = "retention-days", .description = "Days to keep it; 0: as the runner does"},
    {.name = "compression-level",
     .fallback = "6",
     .description = "0 (stored as it is) to 9 (smallest)"},
    {.name = "delete-merged",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Remove what was merged"},
    {.name = "include-hidden-files",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Take names that begin with a dot, too"},
};

static const struct ost_output outputs[] = {
    {"artifact-id", "Number of the artifact"},
    {"artifact-url", "Its address on the server"},
    {"artifact-digest", "SHA-256 of what was uploaded"},
};

/* What is to be merged, and its list in the log. */
static ost_status choose(struct ost_step *step, struct artifacts *all)
{
    const char *pattern = step->host->input(step, "pattern");
    ost_status r = artifact_list(step, all);

    if (r < 0)
        return r;
    artifact_filter(all, pattern);
    if (all->n == 0)
        return ost_fail(step, OST_E_NOT_FOUND, "No artifacts found matching pattern '%s'", pattern);
    ost_log(step, OST_INFO, "Preparing to download the following artifacts:");
    for (size_t i = 0; i < all->n; i++)
        ost_log(step, OST_INFO, "- %s (ID: %lld, Size: %lld)", all->list[i]->name,
                (long long)all->list[i]->id, (long long)all->list[i]->size);
    return OST_OK;
}

static ost_status fetch(struct ost_step *step, const struct artifacts *all, const char *dir)
{
    bool separate = ost_input_bool(step, "separate-directories"), mismatch;
    ost_status r = OST_OK;

    for (size_t i = 0; r == OST_OK && i < all->n; i++)
        r = artifact_download(step, all->list[i],
                              separate ? ost_fmt(step, "%s/%s", dir, all->list[i]->name) : dir,
                              false, &mismatch);
    return r;
}

static ost_status upload(struct ost_step *step, const char *dir)
{
    struct artifact_upload u = {.name = step->host->input(step, "name")};
    struct search found = {0};
    ost_status r = settings_read(step, &u);

    if (r == OST_OK)
        r = search_files(step, dir, ost_input_bool(step, "include-hidden-files"), &found);
    if (r == OST_OK && found.n == 0)
        return ost_fail(step, OST_E_NOT_FOUND, "No files were found to upload");
    u.files = found.files;
    u.root = found.root;
    return r == OST_OK ? artifact_upload(step, &u) : r;
}

static ost_status remove_merged(struct ost_step *step, const struct artifacts *all)
{
    ost_status r = OST_OK;

    for (size_t i = 0; r == OST_OK && i < all->n; i++) {
        r = artifact_remove(step, all->list[i]->name);
        if (r == OST_E_NOT_FOUND)
            r = ost_fail(step, r, "Artifact not found for name: %s", all->list[i]->name);
    }
    if (r == OST_OK)
        ost_log(step, OST_INFO, "The %zu artifact(s) have been deleted", all->n);
    return r;
}

static ost_status merge_in(struct ost_step *step, const struct artifacts *all, const char *dir)
{
    ost_status r = fetch(step, all, dir);

    if (r == OST_OK)
        r = upload(step, dir);
    if (r < 0)
        return r;
    ost_log(step, OST_INFO, "The %zu artifact(s) have been successfully merged!", all->n);
    return ost_input_bool(step, "delete-merged") ? remove_merged(step, all) : OST_OK;
}

/* In a folder of its own beside a temporary file, which makes its name one that nobody has. */
static ost_status merge_aside(struct ost_step *step, const struct artifacts *all)
{
    const char *temp = step->host->temp(step, ""), *dir;
    ost_status r;

    if (!temp)
        return ost_fail(step, OST_E_IO, "%s", step->host->last_error(step));
    dir = ost_fmt(step, "%s.merged", temp);
    r = merge_in(step, all, dir);
    if (ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET,
                 .argv = OST_ARGV("rm", "-rf", "--", temp, dir)) < 0 &&
        r == OST_OK)
        ost_log(step, OST_WARNING, "Unable to remove temporary directory: %s",
                step->host->last_error(step));
    return r;
}

static ost_status merge(struct ost_step *step)
{
    struct artifact_upload unused;
    struct artifacts all = {0};
    ost_status r = settings_read(step, &unused); /* before anything is done */

    if (r == OST_OK)
        r = choose(step, &all);
    return r == OST_OK ? merge_aside(step, &all) : r;
}

static ost_status plan(struct ost_step *step)
{
    struct artifact_upload unused;
    ost_status r = settings_read(step, &unused);

    if (r < 0)
        return r;
    return step->host->plan(
        step, "merge", ost_fmt(step, "the artifacts '%s'", step->host->input(step, "pattern")),
        ost_fmt(step, "into '%s'%s", step->host->input(step, "name"),
                ost_input_bool(step, "delete-merged") ? ", and remove them" : ""));
}

OST_PLUGIN(.id = "actions/upload-artifact/merge", .version = UPLOAD_VERSION,
           .title = "Merge Build Artifacts", .description = "Makes one artifact of several",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = plan,
           .main = merge);
