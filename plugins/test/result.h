/* result - what became of one test, the same whichever tool tells it. */
#pragma once

#include "../lib/text.h"

enum {
    RESULTS_MAX = 500000, /* tests of one run; what is beyond is counted but not kept */
    DETAIL_MAX =
        16 << 10, /* bytes of one test's trace and output: the first and the last of them */
    DETAILS_SIZE_MAX = 64 << 20, /* bytes of all of them */
};

enum outcome {
    OUTCOME_PASSED,
    OUTCOME_FAILED,
    OUTCOME_ERROR, /* it could not even be tried, or broke down */
    OUTCOME_SKIPPED,
    OUTCOMES
};

struct result {        /* texts are UTF-8 and never NULL once it is among the results */
    const char *suite; /* the class, file, package or program it belongs to; "": none */
    const char *name;
    const char
        *file; /* as the tool has it, until place_find() makes it the workspace's; "": not known */
    uint32_t line;       /* from 1; 0: not known */
    const char *message; /* why it failed or was skipped, in a line */
    const char *detail;  /* trace and output */
    enum outcome outcome;
    int64_t took_ns;   /* -1: not known */
    unsigned attempts; /* it passed or failed in the last of them */
    bool flaky;        /* it failed, and then passed */
    bool echo;         /* it failed since a part of it did, which is told itself */
};

struct results { /* zeroed is empty */
    struct result *list;
    size_t n, room;
    size_t n_dropped[OUTCOMES]; /* beyond RESULTS_MAX */
    size_t details_size;
};

/* Appends R: its NULL texts made "", its bytes UTF-8. */
void results_add(struct ost_step *step, struct results *to, struct result r);

struct totals {
    size_t all, passed, failed, skipped; /* FAILED has the errors, too */
    size_t errors, flaky;
    int64_t took_ns; /* the sum of what is known */
};

struct totals results_totals(const struct results *r);

bool result_is_bad(const struct result *r); /* failed or in error */

/* "suite > name", for people; also what tells one test from another. */
const char *result_title(struct ost_step *step, const struct result *r);

/* ---- the trace and output of a test, while it comes ---- */

struct clip { /* zeroed but for STEP is empty; at most DETAIL_MAX bytes and a mark stay */
    struct ost_step *step;
    char *data;
    size_t size, room;
    bool cut;
};

void clip_add(struct clip *c, struct span s);
void clip_line(struct clip *c, struct span s); /* and a newline */
void clip_clear(struct clip *c);
const char *clip_dup(const struct clip *c); /* what stayed, trimmed, without colours; "" */

/* The first line of S that is not blank, in phase memory, shortened to what fits an annotation's head. */
const char *first_line(struct ost_step *step, struct span s);
const char *last_line(struct ost_step *step, struct span s);
