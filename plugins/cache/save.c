/* save - actions/cache/save: the second half of actions/cache, where the workflow says. */
#include "steps.h"

/* Neither is required of the runner: the action goes on with a warning where one has come out empty. */
static const struct ost_input inputs[] = {
    {.name = "path", .description = "Files, folders and patterns to cache, one a line"},
    {.name = "key", .description = "Key to save it under"},
    {.name = "upload-chunk-size", .description = "Not needed here: nothing is sent in pieces"},
    {.name = "enableCrossOsArchive",
     .fallback = "false",
     .description = "Share the cache with other systems"},
};

static ost_status save(struct ost_step *step)
{
    const char *key = step->host->input(step, "key");
    bool saved;
    ost_status r;

    if (!steps_can_cache(step) || !steps_has_ref(step))
        return OST_OK;
    if (!*key) {
        ost_log(step, OST_INFO, CACHE_WARNING "Key is not specified.");
        return OST_OK;
    }
    r = steps_save(step, key, &saved);
    if (r == OST_OK && !saved)
        ost_log(step, OST_WARNING, "Cache save failed.");
    return r;
}

OST_PLUGIN(.id = "actions/cache/save", .version = CACHE_VERSION, .title = "Save a cache",
           .description = "Keeps files for later runs", .author = "Ostler", OST_INPUTS(inputs),
           .plan = steps_plan_save, .main = save);
