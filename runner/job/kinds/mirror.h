/* mirror - the runner's copy of a server's repository (store/mirror.h), shown to the job that may read it there.
 *
 * It is an overlay below job_path/_mirrors, so that what the job writes there stays with the job. */
#pragma once

#include "job/run.h"

/* As plugin_services have it (plugin/host/host.h); CTX is the step_run. */
MUST_CHECK int mirror_begin(void *ctx, const struct plugin_mirror_query *query,
                            plugin_mirror_fn *done, void *done_ctx, struct plugin_mirror **ret,
                            struct err *err);
struct plugin_mirror *mirror_end(struct plugin_mirror *m);

/* The job uses them no more. */
void mirror_let_go(struct run *run);
