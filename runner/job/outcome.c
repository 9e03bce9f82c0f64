#include "job/outcome.h"

static const char *const names[RESULTS] = {
    [RESULT_NONE] = "success",        [RESULT_SUCCESS] = "success", [RESULT_FAILURE] = "failure",
    [RESULT_CANCELLED] = "cancelled", [RESULT_SKIPPED] = "skipped",
};

const char *result_name(enum result r)
{
    return names[r];
}

enum result result_merge(enum result a, enum result b)
{
    if (a >= RESULT_CANCELLED || b == RESULT_NONE)
        return a;
    return b > a ? b : a;
}
