/* lint_sarif - what the linters found as SARIF. Pure. */
#pragma once

#include "lint_check.h"

/* One run a linter, whichever folders it ran in; those that could not run are left out. */
const char *lint_sarif(struct ost_step *step, const struct checks *checks);
