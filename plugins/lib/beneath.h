/* beneath - opens files that a job names or makes. It may have planted links that lead elsewhere, and who opens may be
 * allowed more than the job is. */
#pragma once

#include "text.h"

/* Opens PATH for reading: absolute, in the workspace, the temporary folder or HOME; or relative to the workspace. No
 * link on the way may lead out of that folder. The caller closes it. -1: *RET_WHY says why, in words. */
int beneath_open(struct ost_step *step, const char *path, const char **ret_why);

/* The same, and it is a file of at most LIMIT bytes. */
int beneath_open_file(struct ost_step *step, const char *path, uint64_t limit,
                      const char **ret_why);
