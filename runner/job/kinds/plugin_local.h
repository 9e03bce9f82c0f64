/* plugin_local - "uses: ./path" whose action.yml says that it is a plugin: one of the job's own files, where a policy lets
 * such run. */
#pragma once

#include "job/run.h"

/* Looks at the plugin of S, whose manifest has been loaded: seals a copy, reads its contract, and asks the policy. It is then
 * the instance's. ERR_DENIED: the policy forbids it. */
MUST_CHECK int plugin_local_load(struct step_run *s, struct err *err);
