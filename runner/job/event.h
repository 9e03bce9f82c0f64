/* event - the one stream in which a job tells what happens (schema version 1).
 *
 * One JSON object a line; "event" names it. A "log" event is followed by exactly "size" raw bytes:
 * whole log lines, masked, each ending in LF (a line over 64 KiB comes in parts: "part": true on all but
 * the last). In-band tags at the start of a line are GitHub's: ##[group] ##[endgroup] ##[error]
 * ##[warning] ##[notice] ##[debug] ##[command]. Readers ignore members and events they do not know.
 *
 *   run.started     schema, run, workflow, file, event_name, ref, sha, time
 *   job.queued      job, name, needs
 *   job.started     job, name, time, isolation
 *   step.started    job, step, name, stage ("setup", "pre", "main", "post", "complete"), time [, record, left]
 *   log             job, step, time, size [, part]
 *   annotation      job, step, level ("notice", "warning", "error"), message
 *                   [, title, file, line, end_line, col, end_col]
 *   progress        job, step, label, done, total    -1: not known; never recorded
 *   summary         job, step, markdown
 *   step.finished   job, step, outcome, conclusion, elapsed_ms [, exit_code, reason, kind, by]
 *   note            [job,] text [, level]            what was done instead, said out loud; "warning": somebody
 *                                                    should look into it
 *   job.finished    job, name, result, elapsed_ms, outputs [, environment_url, reason]
 *   run.finished    result, elapsed_ms
 *
 * "record" is what the queue calls the step of the workflow that it belongs to (struct step); steps of the runner's
 * own have none. "left" counts the post steps that are still to come behind this one. "kind" is what ran the step
 * ("run", "node", "composite", "docker", "plugin"...; missing: nothing did), "by" its shell ("bash") or runtime
 * ("node20"). "job" is unique in the run; "step" counts from 1 in the order of starting, steps that were skipped
 * included. outcome, conclusion and result are "success", "failure", "cancelled" or "skipped". */
#pragma once

#include "base/buf.h"

#include <jansson.h>

enum {
    EVENT_SCHEMA = 1,
    EVENT_HEAD_MAX =
        64 << 20, /* one line of JSON: job.finished carries outputs, 50 MB of them at most */
    EVENT_LOG_MAX = 1 << 20, /* the bytes behind a "log" event */
};

/* Writes events to a descriptor; blocks when the reader is slow, which is what holds a job back. */
struct event_writer {
    int fd;
    const char *job;     /* borrowed; put into each event; NULL: none */
    struct buf log_head; /* the part that all "log" events begin with */
};

void event_writer_init(struct event_writer *w, int fd, const char *job);
void event_writer_deinit(struct event_writer *w);

/* TEXT, that may quote bytes from anywhere, for a member of an event: what is no UTF-8 in it is replaced. */
json_t *event_text_new(const char *text);

/* Takes over EVENT (a new reference), also when it fails; adds "job" where there is one. */
MUST_CHECK int event_emit(struct event_writer *w, json_t *event, struct err *err);
/* LINES must be masked already, and no longer than EVENT_LOG_MAX; none is no event. They go from where
 * they lie straight to the descriptor. */
MUST_CHECK int event_emit_log(struct event_writer *w, int step, struct slice lines, bool part,
                              struct err *err);

/* Cuts a byte stream into events. LOG is the payload of "log" events, else empty; both are borrowed for
 * the call. A negative return stops reading and is handed on. */
typedef int event_fn(void *ctx, json_t *event, struct slice log, struct err *err);

struct event_reader {
    struct buf in;
    event_fn *fn;
    void *ctx;
};

void event_reader_init(struct event_reader *r, event_fn *fn, void *ctx);
void event_reader_deinit(struct event_reader *r);
/* ERR_INVALID for bytes that are no event stream, ERR_LIMIT over the limits above. */
MUST_CHECK int event_reader_feed(struct event_reader *r, struct slice bytes, struct err *err);
/* True if the stream ended between two events. */
bool event_reader_at_boundary(const struct event_reader *r);
