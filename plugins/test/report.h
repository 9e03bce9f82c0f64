/* report - tells the host what came of the tests: log, annotations, step summary; and the same as JUnit XML for
 * whoever comes after. */
#pragma once

#include "coverage.h"
#include "result.h"

enum {
    LISTED_MAX = 50,   /* failed, and flaky, tests listed in the summary */
    PLACED_MAX = 2000, /* failed tests whose place is looked for */
};

struct report {
    struct ost_step *step;
    const char *title; /* "pytest in backend" */
    const char *shard; /* "shard 2/5"; "": all */
    struct results *results;
    int64_t took_ns; /* of it all */
    unsigned slowest, annotations;
    bool has_coverage, has_diff;
    struct ratio coverage, diff;
    const char *cut_short; /* why not all of the tests are in it; NULL: they are */
};

/* Finds out where failed and flaky tests stand: with their marks they are what is told first. */
void report_places(const struct report *r, const struct places *places);

/* Lines and annotations. */
void report_log(const struct report *r);

ost_status report_summary(const struct report *r);

/* "12 tests: 10 passed, 1 failed, 1 skipped"; "no tests". */
const char *report_counts(struct ost_step *step, const struct totals *t);

const char *report_seconds(struct ost_step *step, int64_t ns);

/* The results as JUnit XML. */
struct span report_junit(const struct report *r);
