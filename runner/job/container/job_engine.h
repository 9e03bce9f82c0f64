/* job_engine - the container engine of a job, and the images that it has to have. */
#pragma once

#include "job/container/container_def.h"
#include "job/run.h"
#include "sandbox/engine.h"

/* The engine of this job, found when it is first needed. Borrowed. */
MUST_CHECK int job_engine_get(struct run *run, struct engine **ret, struct err *err);

/* The engine's socket, for steps that build images; NULL: there is none that can be shown, or it is not to be. */
const char *job_engine_socket(const struct run *run);

/* What holds a container of the job's steps to its limits: "--memory" "512m" ..., NULL-terminated. In A. */
const char *const *job_engine_limits(const struct run *run, struct arena *a);

/* N random hexadecimal digits, at most 32, and a NUL. */
void job_engine_random(char *ret, size_t n);

/* The engine's commands and what they write go to LOG; NULL: nowhere. */
void job_engine_tell(struct engine *e, struct log *log);

/* A group of LOG, shown at once: somebody waits for what is in it. */
void job_engine_group(struct log *log, const char *fmt, ...) PRINTF_LIKE(2, 3);
void job_engine_end_group(struct log *log);

/* Sees to it that D's image is there, with D's credentials or the job's own for GitHub's registry. An image that
 * is here is taken as it is (unless the job says `pull`): what a job runs on does not change under it, and it starts
 * without a network. The
 * loop turns meanwhile; results of A are for the call. */
MUST_CHECK int job_engine_provide(struct run *run, struct engine *e, struct log *log,
                                  struct container_def *d, struct arena *a, struct err *err);

/* COMMAND up to three times, with pauses; not again when that cannot help. */
MUST_CHECK int job_engine_try(struct engine *e, struct log *log,
                              const struct engine_command *command, struct err *err);
