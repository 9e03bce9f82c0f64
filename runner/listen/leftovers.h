/* leftovers - containers of workers that were killed: they run in the engine, so they do not end with the
 * processes of a job. What was used is marked in the job's folder (sandbox/engine.h).
 *
 * ENV is the workers' environment. An error says that containers may still be there, and why. */
#pragma once

#include "base/err.h"

/* Looks at the folder of one job, whose worker is gone. */
MUST_CHECK int leftovers_of_job(const char *job_dir, const char *const *env, struct err *err);

/* Looks at the folders of all jobs of local runs below STATE whose workers are gone. Call it before runs that were
 * cut off are tidied up, because the marks go with them. */
MUST_CHECK int leftovers_remove(const char *state, const char *const *env, struct err *err);
