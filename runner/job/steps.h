/* steps - the life of a step: condition, start, stop, end; and lists of steps, one after the other.
 *
 * The order of events is the runtime contract's 12.1: env, name, condition, time limit, handler, file
 * commands, continue-on-error, the job's status. */
#pragma once

#include "job/run.h"

/* Starts the items of SEQ one after the other and calls its `done` from the loop or from here. */
void sequence_go(struct sequence *seq);

/* The handler's work is over: RESULT is success, failure or cancelled. Reads the step's command files,
 * judges, reports and goes on with the sequence. S is gone afterwards. */
void step_end(struct step_run *s, enum result result);

/* One error line with its annotation in the step's log. */
void step_error(struct step_run *s, const char *text);

/* When its time limit ends, on clock_ms(); CLOCK_NEVER: it has none. */
int64_t step_deadline(const struct step_run *s);

/* Emits the log lines that are waiting. */
void step_flush(struct step_run *s);

/* Sets an output in the steps context; ids that were generated have none. */
void step_set_output(struct step_run *s, struct slice name, struct slice value);

/* Takes over EVENT and sends it. When nobody reads any more, the run is over: run_lose(). */
void run_emit(struct run *run, json_t *event);

/* The reader of our events is gone: ends the loop; what runs is killed with the place. */
void run_lose(struct run *run);

/* Fails the step with a message in its log; the handler has released what it held. */
void step_fail(struct step_run *s, const char *text);

/* The job was cancelled: steps whose condition no longer holds are stopped, deepest first. */
void sequence_cancel(struct sequence *seq);

/* Stops what runs, now or by the ladder; used by time limits and the final kill. */
void sequence_stop(struct sequence *seq, bool now);

/* Ends what runs at once, as a failure: its place is gone, or it went over a limit. */
void sequence_break(struct sequence *seq);

/* A new frame of the run, with an instance for each of STEPS. */
struct frame *frame_new(struct run *run, struct frame *parent, const struct step *steps, size_t n);

/* Releases the run's frames with everything in them. */
void frames_free(struct run *run);
