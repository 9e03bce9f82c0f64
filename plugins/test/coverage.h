/* coverage - which lines tests have run, out of reports of several formats, and how many of the changed ones. */
#pragma once

#include "../lib/changes.h"
#include "../lib/index.h"
#include "place.h"

enum {
    COVERAGE_FILES_MAX = 200000,
    COVERAGE_LINES_MAX = 20 << 20, /* of all files */
    COVERAGE_LINE_MAX = 10 << 20,  /* the number of one */
    COVERAGE_SIZE_MAX = 256 << 20, /* bytes of a report */
};

struct covered_file {
    const char *path;     /* as the report has it; after coverage_settle() the workspace's, or "" */
    unsigned char *lines; /* by number: 0 no code, 1 never run, 2 run */
    uint32_t n_lines;
};

struct coverage {       /* zeroed but for INDEX.STEP is empty */
    struct index index; /* of files, by path */
    struct covered_file *list;
    size_t n, room, n_lines;
    bool overflow; /* there were more than the limits allow, and the rest was dropped */
};

struct ratio {
    uint64_t covered, all;
};

/* Appends what the report PATH says, be it lcov's, Cobertura's XML or Go's profile. What is wrong with it; NULL:
 * nothing. */
const char *coverage_read(struct ost_step *step, const char *path, struct coverage *to);

/* For the formats, and for tests: appends the text of a report in portions. */
struct coverage_reader;
struct coverage_reader *coverage_reader_new(struct ost_step *step, struct coverage *to);
void coverage_reader_feed(struct coverage_reader *r, struct span bytes);
const char *coverage_reader_end(struct coverage_reader *r);

void coverage_line(struct coverage *to, const char *path, uint32_t line, bool run);

/* Makes paths those of the workspace. */
void coverage_settle(struct coverage *c, const struct places *places);

struct ratio coverage_ratio(const struct coverage *c);

/* Of the lines that differ from the base. */
struct ratio coverage_of_changes(const struct coverage *c, const struct changes *changes);

/* "83.33 %"; "none" of no lines. */
const char *ratio_show(struct ost_step *step, struct ratio r);
/* "83.33"; "" of no lines. */
const char *ratio_number(struct ost_step *step, struct ratio r);
/* In hundredths of a percent, rounded down: 79.999 % is not 80. No lines at all are all covered. */
int ratio_hundredths(struct ratio r);
