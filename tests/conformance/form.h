/* form - a workflow's model in the form in which the data states results. */
#pragma once

#include "conformance.h"

#include "lang/workflow/workflow.h"

/* With SOURCE, tokens are written with file, line and column. New references. */
json_t *form_workflow(const struct workflow *w, bool source);
json_t *form_events(const struct workflow *w);
json_t *form_token(const struct token *tok, bool source);

/* WANTED against GOT: same values, members that are only in GOT are ignored. NULL, or where they differ. */
char *form_differs(struct arena *a, const json_t *wanted, const json_t *got);

/* Passes row ID when the errors of DIAGS are those WANTED, as far as these are words of the service. */
void compare_findings(struct file_run *run, const char *id, const json_t *wanted,
                      const struct diags *diags);
