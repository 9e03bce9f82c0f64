/* display - a job's events as the server's page shows them: one log, and of each step its result, its times and which
 * rows are its own (gitea-protocol.md 4.2).
 *
 * The server wants the rows of step after step, and none of anybody else's between the first and the last of them. So
 * what a step says that runs beside an earlier one waits until that is over, and what the runner itself says meanwhile
 * waits for the last. */
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "queue/gitea/rows.h"
#include "queue/queue.h"

enum {
    DISPLAY_SUMMARY_MAX = 1 << 20, /* bytes of all summaries of a job */
    DISPLAY_KEY_MAX = 255, /* of an output: the server keeps no longer ones, and confirms none */
    DISPLAY_VALUE_MAX = 1 << 20,
};

struct shown_step {
    bool started, over, placed; /* placed: log_index is known */
    enum queue_result result;   /* once it is over */
    char started_at[CLOCK_STAMP_SIZE], stopped_at[CLOCK_STAMP_SIZE];
    int64_t log_index, log_length;
    struct rows held; /* while an earlier step is not over */
};

struct display {
    struct rows_file files[2]; /* the first of `rows` alone; the rest have parts of the other */
    struct rows rows;          /* what the server has not got yet */
    int64_t total;             /* rows that it has or will have */
    struct rows tail;          /* the runner's own, until the last step is over */
    struct shown_step *steps;
    size_t n_steps, current; /* the first that is not over */
    VEC(int) numbers;        /* by the number in events: the step, -1: none */
    VEC(struct shown_summary {
        size_t step;
        json_t *markdown;
    })
    summaries;
    size_t summary_size;
    json_t *outputs; /* owned: of the job, those that the server can keep; NULL: it has not ended */
    bool finished;   /* the job said how it ended: */
    enum queue_result result;
    bool changed; /* a step began or ended; whoever tells the server clears it */
};

/* FOLDER as in rows.h, borrowed. D stays where it is. */
void display_init(struct display *d, size_t n_steps, const char *folder);
void display_deinit(struct display *d);

/* Takes in an event (job/event.h) and the LOG that came with it. */
void display_event(struct display *d, const json_t *event, struct slice log);

/* A row of the runner's own. */
void display_say(struct display *d, const char *text);

/* The job is over: steps that are not, are now: skipped if RESULT is, else cancelled. */
void display_end(struct display *d, enum queue_result result);

/* All steps as UpdateTask has them. New reference. */
json_t *display_steps(const struct display *d);

/* "RESULT_SUCCESS". */
const char *display_result(enum queue_result r);
