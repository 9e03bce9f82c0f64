/* limits - what a job's limits did to it: processes killed for want of memory, refused ones, and steps that were
 * stopped for the space they took. */
#pragma once

#include "job/run.h"

/* Begins to watch, once the place is open; nothing to do without limits. */
void limits_begin(struct run *run);
void limits_end(struct run *run);

/* Tells in S's log what happened since the last step; RESULT is how S ends. */
void limits_tell(struct step_run *s, enum result result);

/* "Peak memory: 213 MiB of 256 MiB", where it is known. */
void limits_tell_peak(struct run *run, struct log *log);
