/* scan_vulns - known weaknesses of what a project is made of, as trivy or grype tell them. */
#pragma once

#include "../lib/findings.h"
#include "../lib/quiet.h"

enum weight { WEIGHT_UNKNOWN, WEIGHT_LOW, WEIGHT_MEDIUM, WEIGHT_HIGH, WEIGHT_CRITICAL, WEIGHTS };

struct vulns_ask {
    const char *workspace;   /* absolute; the scanner runs there */
    const char *target;      /* a folder; "image:NAME"; "archive:PATH" */
    const char *const *args; /* more words for the scanner */
    enum weight from;        /* what weighs less is not told */
};

struct vulns {                 /* zeroed: no scanner ran */
    const char *scanner, *url; /* NULL: there is none */
    struct findings findings;
    size_t n_light; /* below FROM */
};

/* Runs the first of trivy and grype that is there. Below 0: recorded. */
ost_status vulns_scan(struct ost_step *step, const struct vulns_ask *ask, struct vulns *ret);

/* The commands it would run, best first; argv[0] is the scanner. N of them. */
enum { SCANNERS = 2 };
const char *const *vulns_command(struct ost_step *step, const struct vulns_ask *ask, size_t which);

enum weight vulns_weight(struct span name); /* "High", "LOW", "negligible" */

/* What a scanner printed; the text is spent. False: that is no report of it. Trusts no byte of it. */
bool vulns_read_trivy(struct ost_step *step, struct output *o, const struct vulns_ask *ask,
                      struct vulns *ret);
bool vulns_read_grype(struct ost_step *step, struct output *o, const struct vulns_ask *ask,
                      struct vulns *ret);
