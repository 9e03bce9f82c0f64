/* upload-artifact - actions/upload-artifact: files of the job become an artifact of the run. */
#include "search.h"
#include "settings.h"

#include <string.h>

static const struct ost_input inputs[] = {
    {.name = "name",
     .fallback = "artifact",
     .description = "Name of the artifact"
#if UPLOAD_MAJOR >= 7
                    "; with `archive: false` it is the file's"
#endif
    },
    {.name = "path",
     .flags = OST_REQUIRED,
     .description = "Files, folders and patterns to upload, one a line; ! takes out"},
    {.name = "if-no-files-found",
     .fallback = "warn",
     .description = "When nothing matches: warn, error or ignore"},
    {.name = "retention-days", .description = "Days to keep it; 0: as the runner does"},
    {.name = "compression-level",
     .fallback = "6",
     .description = "0 (stored as it is) to 9 (smallest)"},
    {.name = "overwrite",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Remove an artifact of that name first"},
    {.name = "include-hidden-files",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Take names that begin with a dot, too"},
#if UPLOAD_MAJOR >= 7
    {.name = "archive",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Zip it; false: upload the one file as it is"},
#endif
};

static const struct ost_output outputs[] = {
    {"artifact-id", "Number of the artifact"},
    {"artifact-url", "Its address on the server"},
    {"artifact-digest", "SHA-256 of what was uploaded"},
};

static bool is_raw(struct ost_step *step)
{
#if UPLOAD_MAJOR >= 7
    return !ost_input_bool(step, "archive");
#else
    (void)step;
    return false;
#endif
}

static ost_status check_behaviour(struct ost_step *step, const char *given)
{
    if (strcmp(given, "warn") == 0 || strcmp(given, "error") == 0 || strcmp(given, "ignore") == 0)
        return OST_OK;
    return ost_fail(step, OST_E_INVALID,
                    "Unrecognized if-no-files-found input. Provided: %s. Available options: "
                    "warn,error,ignore",
                    given);
}

static ost_status nothing_found(struct ost_step *step)
{
    const char *how = step->host->input(step, "if-no-files-found");
    const char *text = ost_fmt(
        step, "No files were found with the provided path: %s. No artifacts will be uploaded.",
        step->host->input(step, "path"));

    if (*how == 'e')
        return ost_fail(step, OST_E_FAILED, "%s", text);
    ost_log(step, *how == 'w' ? OST_WARNING : OST_INFO, "%s", text);
    return OST_OK;
}

/* Best effort: where it cannot be removed the upload will say so. */
static ost_status remove_older(struct ost_step *step, const char *name)
{
    ost_status r = artifact_remove(step, name);

    if (r == OST_E_NOT_FOUND)
        ost_log(step, OST_DEBUG, "Skipping deletion of '%s', it does not exist", name);
    else if (r < 0 && r != OST_E_CANCELLED)
        ost_log(step, OST_DEBUG, "Unable to delete artifact: %s", step->host->last_error(step));
    return r == OST_E_CANCELLED ? r : OST_OK;
}

static ost_status read_inputs(struct ost_step *step, struct artifact_upload *u,
                              struct search *found)
{
    ost_status r = check_behaviour(step, step->host->input(step, "if-no-files-found"));

    u->name = step->host->input(step, "name");
    u->raw = is_raw(step);
    if (r == OST_OK)
        r = settings_read(step, u);
    return r == OST_OK ? search_files(step, step->host->input(step, "path"),
                                      ost_input_bool(step, "include-hidden-files"), found)
                       : r;
}

static ost_status upload(struct ost_step *step)
{
    struct artifact_upload u = {0};
    struct search found = {0};
    ost_status r = read_inputs(step, &u, &found);

    if (r < 0)
        return r;
    if (found.n == 0)
        return nothing_found(step);
    ost_log(step, OST_INFO, "With the provided path, there will be %zu file%s uploaded", found.n,
            found.n == 1 ? "" : "s");
    ost_log(step, OST_DEBUG, "Root artifact directory is %s", found.root);
    if (u.raw && found.n > 1)
        return ost_fail(step, OST_E_FAILED,
                        "When 'archive' is set to false, only a single file can be uploaded. Found "
                        "%zu files to upload.",
                        found.n);
    if (ost_input_bool(step, "overwrite"))
        r = remove_older(step, u.name);
    u.files = found.files;
    u.root = found.root;
    return r == OST_OK ? artifact_upload(step, &u) : r;
}

/* The files are those of now: steps before this one may make others. */
static ost_status plan(struct ost_step *step)
{
    struct artifact_upload u = {0};
    ost_status r = check_behaviour(step, step->host->input(step, "if-no-files-found"));
    struct strings lines = {0};
    struct span rest = span_of(step->host->input(step, "path")), line;
    struct sink paths = {.step = step};

    if (r == OST_OK)
        r = settings_read(step, &u);
    while (span_line(&rest, &line))
        strings_add(step, &lines, span_dup(step, span_trim(line)));
    for (size_t i = 0; i < lines.n; i++)
        sink_addf(&paths, "%s%s", i ? ", " : "", lines.list[i]);
    if (r < 0)
        return r;
    return step->host->plan(
        step, "upload",
        is_raw(step) ? "the file as it is"
                     : ost_fmt(step, "the artifact '%s'", step->host->input(step, "name")),
        sink_text(&paths));
}

OST_PLUGIN(.id = "actions/upload-artifact", .version = UPLOAD_VERSION,
           .title = "Upload a Build Artifact",
           .description = "Keeps files of the job for other jobs and for people",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = plan,
           .main = upload);
