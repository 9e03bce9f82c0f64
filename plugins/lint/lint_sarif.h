/* lint_sarif - findings as SARIF 2.1.0, which code-scanning services read. Pure. */
#pragma once

#include "lint_check.h"

/* One run a linter, whichever folders it ran in; those that could not run are left out. */
const char *sarif_format(struct ost_step *step, const struct checks *checks);
