/* manifest - an action's action.yml, read as the job sees it. */
#pragma once

#include "job/run.h"

/* Loads the manifest of the folder DIR (absolute, the job's). What is wrong in it goes to LOG, a line each. On
 * success *RET is the caller's: action_deinit() and free(). A Dockerfile alone is a Docker action, too.
 * ERR_NOT_FOUND: there is none; ERR_INVALID: see the log. */
MUST_CHECK int manifest_load(struct run *run, const char *dir, struct log *log, struct action **ret,
                             struct err *err);
