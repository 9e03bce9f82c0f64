/* leftovers - containers of workers that were killed: they run in the engine, so they do not end with the
 * processes of a job. What was used is marked in the job's folder (sandbox/engine.h). */
#pragma once

/* Looks at the folder of one job, whose worker is gone. ENV is the workers' environment. What cannot be removed is
 * said on stderr. */
void leftovers_of_job(const char *job_dir, const char *const *env);

/* Looks at the folders of all jobs below STATE whose workers are gone. Call it before runs that were cut off are
 * tidied up, because the marks go with them. */
void leftovers_remove(const char *state, const char *const *env);
