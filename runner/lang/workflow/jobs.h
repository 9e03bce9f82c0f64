/* jobs - the jobs of a workflow and the graph of their needs. Only for workflow.c. */
#pragma once

#include "lang/convert.h"
#include "lang/workflow/workflow.h"

void workflow_take_jobs(struct convert *c, struct workflow *w, const struct token *jobs);
