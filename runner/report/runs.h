/* runs - the folder of recorded runs: numbers, the `latest` link, and what is thrown away.
 *
 * A run is a folder whose name is its number. Whoever writes it holds a lock on its events.jsonl for as
 * long as it lives; a lock dies with its process, so a run without one and without an end was cut off.
 * A run that is removed is renamed first (".gone-N"), so that nobody meets half of one. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define RUNS_EVENTS "events.jsonl"
/* It has this name until it is locked: an events.jsonl without a lock is nobody's, at any moment. */
#define RUNS_EVENTS_NEW "events.new"
/* The folders of jobs while they run. What is still there when nobody writes the run any more was left by
 * a crash. */
#define RUNS_JOBS "jobs"
/* Artifacts that are being uploaded (serve/artifacts.h); the same holds for it. */
#define RUNS_UPLOADS "artifacts/.staging"

/* Opens <STATE>/runs, creating both. The descriptor is the caller's. */
MUST_CHECK int runs_open(const char *state, int *ret, struct err *err);

/* Creates the folder with the number after the highest one; *RET_DIR is the caller's. */
MUST_CHECK int runs_create(int runs, int64_t *ret_id, int *ret_dir, struct err *err);

/* Points `latest` at run ID: readers see the old link or the new one. */
MUST_CHECK int runs_set_latest(int runs, int64_t id, struct err *err);

/* Removes all but the newest KEEP runs, leaving out those that are locked, those that were cut off before their first
 * event, what an earlier removal left behind, and the job folders of runs that were cut off. Goes on after
 * an error and returns the first. */
MUST_CHECK int runs_prune(int runs, int keep, struct err *err);
