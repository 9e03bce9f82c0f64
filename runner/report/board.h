/* board - where a run stands, as its events tell: what the plain and the terminal report both show.
 *
 * Memory is bounded: of each running step the last lines are kept, of annotations the first
 * BOARD_ANNOTATIONS_MAX; the rest is counted. */
#pragma once

#include "base/vec.h"
#include "job/event.h"

#include <stdint.h>

enum { BOARD_TAIL_LINES = 20, BOARD_TAIL_LINE_MAX = 2048, BOARD_ANNOTATIONS_MAX = 100 };

enum board_state {
    BOARD_QUEUED,
    BOARD_RUNNING,
    BOARD_SUCCESS,
    BOARD_FAILURE,
    BOARD_CANCELLED,
    BOARD_SKIPPED,
    BOARD_STATES
};

/* The last lines of a log, raw, without line ends. */
struct board_tail {
    struct buf line[BOARD_TAIL_LINES]; /* a ring; the oldest is at `next` once it is full */
    size_t n_lines;                    /* ever seen */
    bool open;                         /* the last line goes on in the next part */
};

struct board_step {
    int number;  /* of the event stream */
    int main_nr; /* which of the job's main steps, from 1; 0: setup, pre, post, complete */
    char *name, *stage;
    int64_t started_ms;
    struct board_tail tail;
    char *tagged;   /* message of the last ##[error] and the like, NULL: none yet */
    int group;      /* groups open: 0 or 1 */
    char *progress; /* how far it is, in words; NULL: it does not say */
};

struct board_job {
    char *key, *name;
    enum board_state state;
    int64_t started_ms, elapsed_ms;
    char *reason;                   /* why it was skipped or failed; NULL: not said */
    int n_steps;                    /* main steps; 0: not known */
    int main_nr;                    /* main steps started */
    VEC(struct board_step *) steps; /* that run now; the one started last comes last */
    struct board_step *failed;      /* the first step that failed; NULL: none */
};

struct board_annotation {
    enum { BOARD_NOTICE, BOARD_WARNING, BOARD_ERROR, BOARD_LEVELS } level;
    const struct board_job *job; /* NULL: not known */
    json_t *event;               /* owned */
};

struct board {
    VEC(struct board_job *) jobs; /* in the order they were first heard of */
    VEC(struct board_annotation) annotations;
    size_t n_annotations[BOARD_LEVELS]; /* seen, kept or not */
    size_t n_planned;                   /* jobs announced by run.started; 0: not known */
    size_t n_state[BOARD_STATES];       /* jobs by state */
    struct board_job *first_failed;     /* whose step failed first */
    enum board_state result;            /* of the run; BOARD_RUNNING until run.finished */
    int64_t started_ms, elapsed_ms;
};

void board_init(struct board *b);
void board_deinit(struct board *b);

/* Takes EVENT in; NOW_MS is clock_ms(). Unknown events are ignored. */
void board_event(struct board *b, const json_t *event, struct slice log, int64_t now_ms);

/* The job that EVENT is about; NULL: none, or not heard of. Borrowed. */
struct board_job *board_job_of(const struct board *b, const json_t *event);
/* The running step that EVENT is about, as long as step.finished was not taken in. */
struct board_step *board_step_of(const struct board_job *j, const json_t *event);

/* True for the annotation that every failing command gets: the failed step says as much. */
bool board_is_exit_code(const json_t *annotation);

/* Line I, counted from the oldest kept; false: there is none. */
bool board_tail_line(const struct board_tail *t, size_t i, struct slice *ret);
size_t board_tail_count(const struct board_tail *t);

/* Text and number members of an event: "" and 0 when missing or of another type. */
struct slice event_text(const json_t *event, const char *key);
int64_t event_number(const json_t *event, const char *key);
enum board_state board_state_parse(struct slice name); /* unknown: BOARD_FAILURE */
