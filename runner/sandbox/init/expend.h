/* expend - who goes first when memory runs out: a job's processes before whatever serves them. */
#pragma once

#include "base/err.h"

/* From now on what we start has a score of 500, as with the official runner, or ours if that is higher. */
MUST_CHECK int expend_begin(struct err *err);

/* The next child's: PIPELINE_JOB_OOMSCOREADJ of its ENV, if that is a number up to 1000 and not below what this process
 * began with. ENV NULL: as begun. */
void expend_next(const char *const *env);
