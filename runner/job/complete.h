/* complete - "Complete job": what a job leaves behind, once its steps are through (runtime contract 14.5). */
#pragma once

#include "job/run.h"

/* Evaluates the job's outputs into run->outputs and its environment's address into run->environment_url, and says what
 * else is to be said at the end. A value that may hold a secret is left out; one that cannot be evaluated fails the
 * job. */
void complete_job(struct run *run);
