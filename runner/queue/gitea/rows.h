/* rows - lines of a log with their times, in the order in which they go to the server, until it has taken them.
 *
 * They lie in a file without a name, so that a server that is away for long, or a job that says much, costs no memory.
 * Many rows can share one: each has a part of it, which is empty room where nothing was written. What went is given back.
 * What would make more than ROWS_MAX bytes wait is left out and counted. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "queue/shelf.h"

#include <jansson.h>

enum {
    ROWS_MAX = 512 << 20,
    ROWS_LINE_MAX =
        60
        << 10, /* bytes of one row; the server cuts what is longer than 64 KiB wherever that falls */
    ROWS_BATCH_MAX = 256 << 10,
    ROWS_BATCH_ROWS = 500,
};

struct rows_file {
    const char *folder; /* borrowed */
    struct shelf shelf; /* opened with the first row */
};

void rows_file_init(struct rows_file *f, const char *folder);
void rows_file_deinit(struct rows_file *f);

struct rows {
    struct rows_file *file; /* borrowed */
    int64_t base;           /* where its part begins */
    int64_t begin, end;     /* what waits, in the file */
    int64_t max;            /* ROWS_MAX, unless its owner says less */
    int64_t count;          /* rows that wait */
    int64_t left_out;       /* rows that there was no room for, or that could not be written */
};

/* The NTH part of FILE. Only one that has FILE to itself may ever be given more than ROWS_MAX bytes. */
void rows_init(struct rows *r, struct rows_file *file, size_t nth);
void rows_deinit(struct rows *r);

/* Adds TEXT, a line without its end, with TIME (RFC 3339), cleaned up to be UTF-8 and cut into as many rows as it takes:
 * that many are returned. */
int64_t rows_add(struct rows *r, const char *time, struct slice text);

/* Adds all of FROM behind R and empties it: that many rows are returned. */
int64_t rows_move(struct rows *r, struct rows *from);

/* The next rows, as LogRow: at most MAX_ROWS of them and about MAX_BYTES, but one at least if there is one.
 * *RET_N of them. New reference. */
json_t *rows_batch(const struct rows *r, int64_t max_rows, size_t max_bytes, int64_t *ret_n);

/* The first N are taken. */
void rows_drop(struct rows *r, int64_t n);
