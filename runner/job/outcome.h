/* outcome - results of steps and jobs, and how they are put together (runtime contract 12.5). */
#pragma once

#include "base/slice.h"

enum result {
    RESULT_NONE, /* nothing has ended yet; counts as success where a status is asked for */
    RESULT_SUCCESS,
    RESULT_FAILURE,
    RESULT_CANCELLED,
    RESULT_SKIPPED,
    RESULTS
};

/* "success", "failure", "cancelled", "skipped"; RESULT_NONE is "success". */
const char *result_name(enum result r);

/* The worse of two: success < failure < cancelled, skipped; once one of the last two is reached, it
 * stays. RESULT_NONE takes the other. */
enum result result_merge(enum result a, enum result b);
