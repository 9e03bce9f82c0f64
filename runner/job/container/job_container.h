/* job_container - the container that a job's steps run in: what it is given, and how steps get into it.
 *
 * Plugins run on our side and their commands in there; both see the same files under the same paths.
 *
 * Its first program is ostler-init, shown there as /__o/ostler-init, which starts the steps: there is no
 * `docker exec`. Names of folders inside are GitHub's: /__w, /github/home, /github/workflow. */
#pragma once

#include "job/container/container_def.h"
#include "job/run.h"
#include "sandbox/show.h"

/* Where this machine's Node is shown, if it has one, as GitHub shows its own. */
#define JOB_CONTAINER_NODES "/__e/node20/bin"

/* True if the job is to run in a container. */
bool job_container_wanted(const struct run *run);

/* Fills in what `create` is told: mounts, folder, first program; and run->box_map. The folders that are mounted
 * are made. In A. */
MUST_CHECK int job_container_setting(struct run *run, struct arena *a,
                                     struct container_setting *ret, struct err *err);

/* Once it was started: takes ostler-init's call; run->box is there afterwards. The loop turns meanwhile. */
MUST_CHECK int job_container_enter(struct run *run, struct err *err);

/* Lets go of it, which ends all that runs inside. */
void job_container_leave(struct run *run);

/* Where the step's processes run: the container, else the job's place. ERR_FAILED when there should be a container
 * and it did not come up. */
MUST_CHECK int job_container_place(const struct step_run *s, struct sandbox **ret, struct err *err);

/* What a process on our side has to be shown to see the job's files under the container's names. In A. */
const struct show_folder *job_container_shown(const struct run *run, struct arena *a,
                                              size_t *ret_n);

/* PATH as the processes of steps see it. In A. */
const char *job_container_path(const struct run *run, struct arena *a, const char *path);

/* The environment of a process of S, where it runs: contexts_environ() without a container; in one, what the
 * container has, then what the runner adds, its paths translated (runtime contract 10.3). */
void job_container_environ(struct step_run *s, bool inputs, struct strmap *ret);

/* The PATH that programs are looked up in there. In A. */
const char *job_container_search(const struct step_run *s, struct arena *a);
