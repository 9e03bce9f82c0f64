/* checks - what can be said about a job's values before they are evaluated. Only for workflow.c
 * and its files. Each looks at literals and leaves alone what holds an expression. */
#pragma once

#include "lang/convert.h"

void check_runs_on(struct convert *c, const struct token *tok);
void check_container(struct convert *c, const struct token *tok);
void check_services(struct convert *c, const struct token *tok);
void check_snapshot(struct convert *c, const struct token *tok);
void check_strategy(struct convert *c, const struct token *tok);
void check_concurrency(struct convert *c, const struct token *tok);
void check_calling(struct convert *c, const struct token *tok); /* jobs.ID.uses */

/* on: the filters and inputs of each event. */
void check_events(struct convert *c, const struct token *on);
