/* containers - those around a job: its services, started before its steps and gone after them (runtime
 * contract 10). */
#pragma once

#include "job/run.h"

/* True if the job asks for containers that live as long as it does. */
bool containers_wanted(const struct run *run);

/* "Initialize containers": the job's network, then each container; waits until all services are healthy. The loop
 * turns meanwhile. What was begun is containers_stop()'s to end, also after an error. The results are in the
 * `job` context. */
void containers_start(struct run *run);

/* Something was begun: "Stop containers" will come. */
bool containers_begun(const struct run *run);

/* "Stop containers": the services' logs, then everything is removed. */
void containers_stop(struct run *run);

/* ---- for box_hook.h: somebody else makes them ---- */

/* What prepare_job is told: the job's container and its services. New reference. run->containers is there afterwards, for
 * containers_stop() to forget. */
MUST_CHECK int containers_hook_args(struct run *run, json_t **ret, struct err *err);

/* Takes what it says of them into the `job` context; services come in the order in which they were told. */
MUST_CHECK int containers_hook_context(struct run *run, const json_t *context, struct err *err);
