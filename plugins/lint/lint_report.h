/* lint_report - tells the host what was found: annotations, log, step summary. */
#pragma once

#include "lint_check.h"

enum {
    NOTES_MAX = 1000, /* annotations of one step, errors first; the rest is counted in one line */
    LISTED_MAX = 20,  /* findings listed in the step summary */
};

struct totals {
    size_t errors, warnings, notices;
};

/* Joins the commands that one linter ran in one folder into one check; all have been read. */
void report_merge(struct ost_step *step, struct checks *checks);

struct totals report_totals(const struct checks *checks);

/* A line for each check and an annotation for each finding. Checks with trouble are told as errors. */
void report_log(struct ost_step *step, const struct checks *checks);

/* The table, and the first findings. */
ost_status report_summary(struct ost_step *step, const struct checks *checks);

/* "3 errors and 1 warning". */
const char *report_counts(struct ost_step *step, struct totals t);

/* Why C was left out, and the cure: "eslint is not installed in this job; ..." */
const char *report_left_out(struct ost_step *step, const struct check *c);
