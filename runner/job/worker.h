/* worker - runs one job from its message to its result, in a process of its own.
 *
 * Reads the job (job_format() text, until the end of JOB_FD), tells everything on EVENT_FD in the order
 * of event.h, and ends with "job.finished". SIGINT cancels the job, SIGTERM ends it as a shutdown of the
 * runner does, SIGQUIT kills what runs at once. When nobody reads EVENT_FD any more, everything is killed
 * and the worker ends. Nothing that the job started is left when it returns.
 *
 * The worker's own environment is what host steps inherit; the caller decides what is in it. */
#pragma once

#include <stdint.h>

struct worker_spec {
    int job_fd, event_fd;
    int services_fd; /* where connections to the services go that come from containers: a message and the
                          descriptor for each; -1: nobody takes them */
    const char *home;  /* the user's home folder, at whose path the job gets one of its own */
    int64_t minute_ms; /* what a minute of `timeout-minutes` lasts; tests make it shorter */
};

/* The exit code: 0 once job.finished was written, 1 otherwise. */
int worker_main(const struct worker_spec *spec);
