/* forecast - what a run would do, and why, as one document: nothing is run, written or fetched.
 *
 * It goes through the same plan as the queue, with results made up instead of awaited: conditions are decided
 * as if all goes well, and once more as if anything may have happened, which tells what runs only after a
 * failure. A value that is not there before the run is an object {"unknown": "‹known after job build›"}, with
 * the text that is known around it. Secrets are "***".
 *
 * The document's shape is published as plan.schema.json, beside the manual. */
#pragma once

#include "queue/local/local.h"

struct plugin;
struct strmap;

/* Asked what a plugin would do. */
struct forecast_asker {
    /* Adds lines {"verb", "object", "detail"} to TO, an array. INPUTS: `with` and the defaults, evaluated but not
     * checked; a text may hold marks. An error says why there is no plan from the plugin; what it has said
     * so far stays. */
    int (*ask)(void *ctx, const struct plugin *p, const struct strmap *inputs, json_t *to,
               struct err *err);
    void *ctx;
};

struct forecast_spec {
    const struct local_spec *run; /* what would be run; borrowed */
    const json_t *event_file;     /* what of the event was stated; NULL: nothing */
    bool no_git;                  /* what only git knows of the commit is not known */
    struct forecast_asker asker;  /* ask NULL: plugins are not asked */
};

/* *RET: {"workflows": one for each of RUN's, in order, "not_given": {"secrets", "vars"}: what is asked for and was
 * not given}; masked; new reference. Errors are those of queue_local_new(): wrong choices. What goes wrong in
 * a job is said in the document. */
MUST_CHECK int forecast(const struct forecast_spec *spec, json_t **ret, struct err *err);
