/* scan_report - tells the host what was found: annotations, log, step summary, SARIF. */
#pragma once

#include "scan_secrets.h"
#include "scan_vulns.h"

enum {
    NOTES_MAX = 500, /* annotations of one step, errors first; the rest is counted in one line */
    LISTED_MAX = 30, /* findings listed in the step summary */
};

struct report {
    struct ost_step *step;
    const struct secrets *secrets;
    const struct vulns *vulns;
};

size_t report_count(const struct report *r, enum severity severity);

/* "2 secrets and 1 vulnerability"; NULL: nothing at all. */
const char *report_found(const struct report *r);

void report_log(const struct report *r);
ost_status report_summary(const struct report *r);

/* A run for the secrets, and one for the scanner if there was one. */
const char *report_sarif(const struct report *r);
