/* folder - what lies where a repository is to come: a clone of it that can go on being used, or not. */
#pragma once

#include "git.h"
#include "settings.h"

/* Makes FOLDER where it is missing, also in place of a file. *RET: it was there. */
ost_status folder_make(struct ost_step *step, const struct settings *s, bool *ret);

/* Keeps the clone of URL that lies there, without its branches and, if wanted, without what is not committed; or
 * empties the folder. Below 0: the failure has been recorded. */
ost_status folder_prepare(const struct git *g, const struct settings *s, const char *url);
