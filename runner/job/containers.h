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

/* "Stop containers": the services' logs, then everything is removed. */
void containers_stop(struct run *run);
