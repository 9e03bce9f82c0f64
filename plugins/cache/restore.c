/* restore - actions/cache/restore: the first half of actions/cache. */
#include "steps.h"

static const struct ost_input inputs[] = {
    {.name = "path",
     .flags = OST_REQUIRED,
     .description = "Files, folders and patterns to restore, one a line"},
    {.name = "key", .flags = OST_REQUIRED, .description = "Key to restore it from"},
    {.name = "restore-keys",
     .description = "Beginnings of keys that do when there is none of that key, one a line"},
    {.name = "enableCrossOsArchive",
     .fallback = "false",
     .description = "Take caches of other systems, too"},
    {.name = "fail-on-cache-miss",
     .fallback = "false",
     .description = "Fail the step when there is none"},
    {.name = "lookup-only", .fallback = "false", .description = "Find it, but fetch nothing"},
};

static const struct ost_output outputs[] = {
    {"cache-hit", "Whether it was found under that very key; empty when none was found"},
    {"cache-primary-key", "The key that was looked for"},
    {"cache-matched-key", "The key that was found; empty when none was"},
};

static ost_status note(struct ost_step *step, const char *key, bool found)
{
    return step->host->output(step, found ? "cache-matched-key" : "cache-primary-key", key);
}

static ost_status restore(struct ost_step *step)
{
    return steps_restore(step, note);
}

OST_PLUGIN(.id = "actions/cache/restore", .version = CACHE_VERSION, .title = "Restore Cache",
           .description = "Brings back files that an earlier run kept", .author = "Ostler",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = steps_plan_restore, .main = restore);
