/* project - which runner a project's tests are for, and where it runs. */
#pragma once

#include "runner.h"
#include "settings.h"

enum {
    SEARCH_DEPTH_MAX = 3
}; /* folders below the path that are searched, where it has nothing itself */

/* What is asked for, or found: at the path, else in the one folder below it that has something. The runner is NULL
 * where there is a command, or a report, and nothing says of which tool. Below 0: nothing was found, or too much;
 * the failure has been recorded, with the cure. */
ost_status project_target(struct ost_step *step, const struct settings *set, struct target *ret);

/* What the names of Go's packages in T's module begin with; "": it is none. */
const char *project_module(struct target *t);
