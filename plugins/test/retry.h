/* retry - runs what has failed once more: what passes then is flaky. */
#pragma once

#include "run.h"

/* Reruns the failed tests of RUN up to RETRIES times: only these where the runner can pick them, else all. Those
 * that pass are marked as flaky, with the attempt they passed in. Below 0 only OST_E_CANCELLED: what was known until
 * then is in RUN. */
ost_status retry_failed(const struct run_spec *spec, const struct selection *selection,
                        unsigned retries, struct run *run);
