/* cache - actions/cache: what `path` names comes back at the step, and is kept when the job has ended well. */
#include "steps.h"

static const struct ost_input inputs[] = {
    {.name = "path",
     .flags = OST_REQUIRED,
     .description = "Files, folders and patterns to cache and restore, one a line"},
    {.name = "key", .flags = OST_REQUIRED, .description = "Key to restore and save it under"},
    {.name = "restore-keys",
     .description = "Beginnings of keys that do when there is none of that key, one a line"},
    {.name = "upload-chunk-size", .description = "Not needed here: nothing is sent in pieces"},
    {.name = "enableCrossOsArchive",
     .fallback = "false",
     .description = "Share the cache with other systems"},
    {.name = "fail-on-cache-miss",
     .fallback = "false",
     .description = "Fail the step when there is none"},
    {.name = "lookup-only", .fallback = "false", .description = "Find it, but fetch nothing"},
#if CACHE_MAJOR >= 4
    {.name = "save-always",
     .fallback = "false",
     .description = "Has no effect, as with the action",
     .deprecation =
         "save-always does not work as intended and will be removed in a future release.\n"
         "A separate `actions/cache/restore` step should be used instead.\n"
         "See https://github.com/actions/cache/tree/main/save#always-save-cache for more details."},
#endif
};

static const struct ost_output outputs[] = {
    {"cache-hit", "Whether it was found under that very key; empty when none was found"},
};

/* For the post step. */
static ost_status note(struct ost_step *step, const char *key, bool found)
{
    return step->host->save(step, found ? "CACHE_RESULT" : "CACHE_KEY", key);
}

static ost_status restore(struct ost_step *step)
{
    return steps_restore(step, note);
}

static ost_status save(struct ost_step *step)
{
    const char *found = step->host->saved(step, "CACHE_RESULT");
    const char *key = step->host->saved(step, "CACHE_KEY");
    bool saved;

    if (!steps_can_cache(step) || !steps_has_ref(step))
        return OST_OK;
    key = key && *key ? key : step->host->input(step, "key");
    if (cache_is_exact(key, found)) {
        ost_log(step, OST_INFO, "Cache hit occurred on the primary key %s, not saving cache.", key);
        return OST_OK;
    }
    return steps_save(step, key, &saved);
}

static ost_status plan(struct ost_step *step)
{
    ost_status r = steps_plan_restore(step);

    return r == OST_OK ? steps_plan_save(step) : r;
}

OST_PLUGIN(.id = "actions/cache", .version = CACHE_VERSION, .title = "Cache",
           .description = "Keeps files like dependencies from run to run", .author = "Ostler",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = plan, .main = restore, .post = save,
           .post_if = "success()");
