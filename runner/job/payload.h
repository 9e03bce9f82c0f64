/* payload - the event's payload as a file, for GITHUB_EVENT_PATH (runtime contract 2.2). */
#pragma once

#include "job/run.h"

/* Writes it, once what the job sees as run->github is there. */
MUST_CHECK int payload_write(struct run *run, struct err *err);

/* Before a step: writes it again if an earlier one has changed it. What a step has made impossible to replace stays
 * as it is. */
void payload_restore(struct run *run);
