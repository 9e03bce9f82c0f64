/* form - a workflow's model in the form in which the data states results. */
#pragma once

#include "lang/workflow.h"

/* With SOURCE, tokens are written with file, line and column. New references. */
json_t *form_workflow(const struct workflow *w, bool source);
json_t *form_events(const struct workflow *w);
json_t *form_token(const struct token *tok, bool source);

/* WANTED against GOT: same values, members that are only in GOT are ignored. NULL, or where they differ. */
char *form_differs(struct arena *a, const json_t *wanted, const json_t *got);
