/* read - reports and outputs of test tools, as results. Each format is read as it comes, line by line or byte by
 * byte, so that what a tool told before it was stopped is there; and none trusts a byte of it. */
#pragma once

#include "result.h"

enum {
    READ_LINE_MAX = 64 << 10,    /* bytes of a line; the rest of it is dropped */
    READ_WHOLE_MAX = 128 << 20,  /* bytes of a report that has to be read whole: Jest's JSON */
    READ_REPORT_MAX = 256 << 20, /* bytes of any other, and of a tool's output */
};

struct reader;

struct format {
    const char *name; /* "JUnit XML" */
    size_t state_size;
    void (*begin)(struct reader *r);                    /* STATE is zeroed; may be NULL */
    void (*line)(struct reader *r, struct span line);   /* without its newline; NULL: */
    void (*bytes)(struct reader *r, struct span bytes); /* the bytes as they come */
    void (*end)(struct reader *r);                      /* releases what STATE holds */
};

extern const struct format format_junit; /* XML, in any of its dialects */
extern const struct format format_tap;   /* version 12, 13 and 14 */
extern const struct format format_jest;  /* JSON of Jest and Vitest */
extern const struct format format_go;    /* go test -json */
extern const struct format format_cargo; /* what cargo test prints, stderr with it */
extern const struct format
    format_unittest; /* what Python's unittest prints when verbose; Django's, too */

/* Something for the log that the raw output would have had, had it been for people. */
typedef void read_say_fn(void *ctx, struct span text);

struct reader {
    struct ost_step *step;
    struct results *to;
    const struct format *format;
    void *state;
    int64_t now_ns;      /* when the bytes came; what a line tells no time for is measured by it */
    const char *trouble; /* why it is not understood, or not whole; NULL */
    read_say_fn *say;    /* NULL: nobody listens */
    void *say_ctx;
    char *partial; /* a line under way */
    size_t n_partial;
    bool too_long; /* the rest of it is dropped */
};

/* A reader that adds to TO; ended by reader_end(). */
struct reader *reader_new(struct ost_step *step, const struct format *format, struct results *to);
void reader_feed(struct reader *r, struct span bytes, int64_t now_ns);
/* No more comes. Returns the trouble; NULL: none. */
const char *reader_end(struct reader *r);

/* The format of a report that begins with HEAD; NULL: none of ours. */
const struct format *format_find(struct span head);

/* Reads the file PATH, whichever format it is in. The trouble as above; NULL: none. */
const char *read_file(struct ost_step *step, const char *path, struct results *to);

/* ---- for the formats ---- */

/* "0.012", "1,234.5" seconds; -1: no such number. */
int64_t seconds_parse(struct span s);
int64_t millis_parse(struct span s);
