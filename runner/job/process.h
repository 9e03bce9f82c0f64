/* process - one command of a step: started in the job's place, its output led into the step's log.
 *
 * The end is reported when the command has exited and both pipes are at an end. What still holds the
 * pipes open after the exit (a daemon the command left behind) gets PROCESS_GRACE_MS, then what it
 * writes is lost, as with GitHub's runner. */
#pragma once

#include "job/run.h"

enum { PROCESS_GRACE_MS = 5000, PROCESS_PIPE_SIZE = 1 << 20 };

struct process;

typedef void process_fn(void *ctx, struct sandbox_exit how);

struct process_spec {
    const char *const *argv; /* argv[0]: a path, or a name looked up in search_path */
    const char *const *env;
    const char *search_path;
    const char *cwd;       /* as the process sees it */
    int in;                /* becomes its stdin, borrowed for the call; 0: /dev/null */
    struct sandbox *place; /* where it runs; NULL: the job's place */
};

/* Starts SPEC for the step S. FN is called once from the loop, unless process_free() comes first. */
MUST_CHECK int process_start(struct step_run *s, const struct process_spec *spec, process_fn *fn,
                             void *ctx, struct process **ret, struct err *err);

/* The ladder of signals; NOW goes to the last rung. */
void process_stop(struct process *p, bool now);

/* Lets go of it; a command that still runs ends with the job's place. NULL is fine; returns NULL. */
struct process *process_free(struct process *p);
