/* findings - what a linter, a scanner or a compiler has to say, the same whichever says it. */
#pragma once

#include "text.h"

enum {
    FINDINGS_MAX = 100000, /* of one run of a tool; what is beyond is counted but not kept */
};

enum severity { SEVERITY_NOTICE, SEVERITY_WARNING, SEVERITY_ERROR, SEVERITIES };

struct finding {        /* texts are never NULL; numbers are 0 when they are not known */
    const char *file;   /* relative to the workspace; "": the tool as a whole */
    uint32_t line, col; /* from 1 */
    uint32_t end_line;
    uint32_t end_col; /* the first column behind it */
    enum severity severity;
    const char *rule; /* "no-undef", "SC2086"; "": none */
    const char *message;
    const char *help; /* where the rule is explained; "": nowhere we know of */
};

struct findings { /* zeroed is empty */
    struct finding *list;
    size_t n, room;
    size_t n_dropped; /* beyond FINDINGS_MAX */
};

/* Appends F, its NULL texts made "". */
void findings_add(struct ost_step *step, struct findings *to, struct finding f);

/* By file, line, column, rule and message; what is there twice stays once (a header is looked at by
 * every file that includes it). */
void findings_sort(struct findings *f);

/* Keeps what KEEP says true to. */
void findings_filter(struct findings *f, bool (*keep)(const void *ctx, const struct finding *f),
                     const void *ctx);

size_t findings_count(const struct findings *f, enum severity severity);
size_t
findings_files(const struct findings *f); /* of sorted findings: how many files they are in */
