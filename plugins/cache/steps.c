#include "steps.h"

#include <string.h>
#include <strings.h>

/* As the action reads its switches: whatever is not true is false. */
static bool is_on(struct ost_step *step, const char *name)
{
    return strcasecmp(step->host->input(step, name), "true") == 0;
}

bool steps_can_cache(struct ost_step *step)
{
    bool there = cache_is_there(step);

    if (!there)
        ost_log(step, OST_INFO,
                CACHE_WARNING "This job has no cache service: going on without a cache.");
    return there;
}

bool steps_has_ref(struct ost_step *step)
{
    const char *ref = step->host->context(step, "github.ref");
    const char *event = step->host->context(step, "github.event_name");

    if (ref && *ref)
        return true;
    ost_log(step, OST_INFO,
            CACHE_WARNING "Event Validation Error: The event type %s is not supported because it's "
                          "not tied to a branch or tag ref.",
            event ? event : "");
    return false;
}

/* ---- restore ---- */

static const char *all_keys(struct ost_step *step, const struct cache_ask *ask)
{
    struct sink text = {.step = step};

    sink_addf(&text, "%s", ask->key);
    for (size_t i = 0; ask->others[i]; i++)
        sink_addf(&text, ", %s", ask->others[i]);
    return sink_text(&text);
}

static ost_status nothing_found(struct ost_step *step, const struct cache_ask *ask)
{
    if (is_on(step, "fail-on-cache-miss"))
        return ost_fail(step, OST_E_FAILED,
                        "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. "
                        "Input key: %s",
                        ask->key);
    ost_log(step, OST_INFO, "Cache not found for input keys: %s", all_keys(step, ask));
    return OST_OK; /* cache-hit stays unset: workflows test it against 'true' */
}

ost_status steps_restore(struct ost_step *step, steps_note_fn *note)
{
    const struct cache_ask ask = {
        .paths = cache_lines(step, step->host->input(step, "path")),
        .key = step->host->input(step, "key"),
        .others = cache_lines(step, step->host->input(step, "restore-keys")),
        .lookup = is_on(step, "lookup-only"),
        .cross_os = is_on(step, "enableCrossOsArchive"),
    };
    struct cache_done done = {0};
    ost_status r;

    if (!steps_can_cache(step))
        return step->host->output(step, "cache-hit", "false");
    if (!steps_has_ref(step))
        return OST_OK;
    r = note(step, ask.key, false);
    if (r == OST_OK)
        r = cache_restore(step, &ask, &done);
    if (r < 0)
        return r;
    if (done.refused)
        return ost_fail(step, OST_E_INVALID, "%s", done.refused);
    if (!done.key)
        return nothing_found(step, &ask);
    r = note(step, done.key, true);
    if (r == OST_OK)
        r = step->host->output(step, "cache-hit",
                               cache_is_exact(ask.key, done.key) ? "true" : "false");
    if (r == OST_OK)
        ost_log(step, OST_INFO, "Cache %s from key: %s",
                ask.lookup ? "found and can be restored" : "restored", done.key);
    return r;
}

/* ---- save ---- */

ost_status steps_save(struct ost_step *step, const char *key, bool *ret_saved)
{
    const struct cache_ask ask = {
        .paths = cache_lines(step, step->host->input(step, "path")),
        .key = key,
        .cross_os = is_on(step, "enableCrossOsArchive"),
    };
    struct cache_done done = {0};
    ost_status r = OST_OK;

    if (ask.paths[0])
        r = cache_save(step, &ask, &done);
    else
        done.refused = "Input required and not supplied: path";
    if (r < 0)
        return r;
    if (done.refused)
        ost_log(step, OST_INFO, CACHE_WARNING "%s", done.refused);
    else if (done.key)
        ost_log(step, OST_INFO, "Cache saved with key: %s", done.key);
    *ret_saved = done.key != NULL;
    return OST_OK;
}

/* ---- plan ---- */

static const char *list(struct ost_step *step, const char *const *items)
{
    struct sink text = {.step = step};

    for (size_t i = 0; items[i]; i++)
        sink_addf(&text, "%s%s", i ? ", " : "", items[i]);
    return sink_text(&text);
}

ost_status steps_plan_restore(struct ost_step *step)
{
    const char *const *paths = cache_lines(step, step->host->input(step, "path"));
    const char *const *others = cache_lines(step, step->host->input(step, "restore-keys"));
    const char *what = others[0] ? ost_fmt(step, "%s; else the newest that begins with %s",
                                           list(step, paths), list(step, others))
                                 : list(step, paths);

    return step->host->plan(step, is_on(step, "lookup-only") ? "look up" : "restore",
                            ost_fmt(step, "the cache '%s'", step->host->input(step, "key")), what);
}

ost_status steps_plan_save(struct ost_step *step)
{
    return step->host->plan(step, "save",
                            ost_fmt(step, "the cache '%s'", step->host->input(step, "key")),
                            list(step, cache_lines(step, step->host->input(step, "path"))));
}
