/* get - gets the source: what the run has of it, else from the server, stage by stage as the action does. */
#pragma once

#include "settings.h"

/* Below 0: the failure has been recorded. What may not stay in the folder until the job ends has been taken back but
 * after a cancel, when nothing runs any more. */
ost_status get_source(struct ost_step *step, const struct settings *s);
