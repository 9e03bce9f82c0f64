/* leftovers - what workers that were killed leave behind: their jobs' folders, control groups, and containers, which run in
 * the engine and so do not end with the processes of a job. What was used is marked in the job's folder (sandbox/engine.h).
 *
 * ENV is the workers' environment. An error says that containers may still be there, and why. */
#pragma once

#include "io/errand.h"

struct leftovers_spec { /* all is borrowed for the call */
    const char *job_dir;
    const char *const *env;
    const char *program; /* with the subcommand "leftovers-child"; NULL: this one */
};

/* Removes what the worker of one job left in JOB_DIR, and the folder. In a process of its own, which goes on when this one is
 * killed, whatever the next one does about it: a large folder takes its time, and so may an engine. CLIENT's `done` is told what stays and why, a line each. */
MUST_CHECK int leftovers_start(const struct leftovers_spec *spec, struct loop *loop,
                               const struct errand_client *client, struct errand **ret,
                               struct err *err);
int leftovers_child_main(int argc, char **argv); /* that process; returns its exit code */

/* Looks at the folder of one job, whose worker is gone. */
MUST_CHECK int leftovers_of_job(const char *job_dir, const char *const *env, struct err *err);

/* Looks at the folders of all jobs of local runs below STATE whose workers are gone. Call it before runs that were
 * cut off are tidied up, because the marks go with them. */
MUST_CHECK int leftovers_remove(const char *state, const char *const *env, struct err *err);
