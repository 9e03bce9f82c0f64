/* effects - what a step changes for those after it: outputs, variables, paths, state, masks, summary.
 *
 * One place for all the ways to ask: workflow commands in the log, the command files, and plugins. */
#pragma once

#include "job/run.h"

/* The step's log, with the handlers of its workflow commands. Freed by log_free(). */
struct log *effects_log_new(struct step_run *s);

/* The job's problem matchers, none so far. Freed by matchers_free(). */
struct matchers *effects_matchers_new(struct run *run);

/* Reads the step's command files and applies them; each bad one is told in the log. ERR_INVALID when
 * one was bad: the step has failed then. */
int effects_apply_files(struct step_run *s);

/* ERR_DENIED for NODE_OPTIONS. */
MUST_CHECK int effects_set_env(struct step_run *s, struct slice name, struct slice value,
                               struct err *err);
void effects_add_path(struct step_run *s, struct slice path);
/* The same for the job, or for LANE of it; NULL: the job. */
void effects_put_path(struct run *run, struct lane *lane, struct slice path);
void effects_save_state(struct step_run *s, struct slice name, struct slice value);
/* Markdown, masked here, sent as a "summary" event. */
void effects_add_summary(struct step_run *s, struct slice markdown);
