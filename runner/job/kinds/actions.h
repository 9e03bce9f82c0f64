/* actions - what `uses: owner/repo@ref` names: had from the store (store/store.h) and shown to the job below
 * _actions/OWNER/REPO/REF, as GitHub's runner does it (runtime contract 9.2). The job may write there; the store
 * stays as it is.
 *
 * Composite actions are looked into at once, level by level: all that a job's own steps lead to is there, and its
 * pre stages are known, before the first of them starts. */
#pragma once

#include "job/run.h"

enum {
    COMPOSITE_DEPTH_MAX = 9,   /* composites below the workflow's step */
    ACTIONS_MAX = 500,         /* different ones in a job */
    ACTIONS_STEPS_MAX = 10000, /* steps of all composites of other repositories together */
};

struct actions_get; /* on its way */

/* True when a step of FRAME uses an action of another repository that no plugin serves; after
 * frame_prepare(). */
bool actions_wanted(const struct frame *frame);

/* Gets them for FRAME and all below it; LOG tells the progress. FN is called once from the loop: with NULL when
 * all are there, else with the reason, which names the step. Not after actions_get_free(). */
typedef void actions_fn(void *ctx, const struct err *err);
struct actions_get *actions_get_start(struct run *run, struct frame *frame, struct log *log,
                                      actions_fn *fn, void *ctx);

/* Stops what is on its way. Returns NULL; NULL is fine. */
struct actions_get *actions_get_free(struct actions_get *g);

/* Releases run->actions. */
void actions_deinit(struct run *run);
