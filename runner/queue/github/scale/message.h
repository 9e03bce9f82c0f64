/* message - what the queue of a runner scale set tells its listener: how many jobs wait for it, and what has become of
 * which. Pure: bytes in, a struct out.
 *
 * Source: actions/scaleset types.go and client.go (parseRunnerScaleSetMessageResponse). A message is an object with
 * messageId, messageType ("RunnerScaleSetJobMessages"), statistics, and body: a text that is a JSON array of job messages,
 * each with its own messageType. What that client does not know it passes over, and so do we. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

enum {
    SCALE_JOBS_MAX = 10000,    /* in one message */
    SCALE_COUNT_MAX = 1000000, /* what a figure counts as at most */
};

/* As the service counts: of the whole scale set. */
struct scale_statistics {
    int64_t available, acquired; /* jobs that could be had; that were, and have no runner yet */
    int64_t assigned;            /* jobs that need a runner of ours, those that run included */
    int64_t running;
    int64_t registered, busy, idle; /* runners */
};

enum scale_event {
    SCALE_AVAILABLE, /* nobody's yet: acquirejobs makes it ours */
    SCALE_ASSIGNED,  /* ours */
    SCALE_STARTED,   /* a runner has it */
    SCALE_COMPLETED,
    SCALE_EVENTS
};

struct scale_job { /* texts are "" where nothing is said */
    enum scale_event event;
    int64_t request_id;
    const char *runner; /* of STARTED and COMPLETED */
    const char *result; /* of COMPLETED: "succeeded", "failed", "canceled" */
    const char *owner, *repository, *name, *trigger;
    int64_t waited_s; /* from its assignment to us to that to a runner; -1: not known */
};

struct scale_message {
    int64_t id;
    bool counted; /* STATISTICS are said */
    struct scale_statistics statistics;
    const struct scale_job *jobs;
    size_t n_jobs;
    const char *odd; /* what in it made no sense and was passed over; NULL: nothing */
};

/* Lives in A. ERR_INVALID: it is no message with an id. */
MUST_CHECK int scale_message_parse(struct arena *a, struct slice text, struct scale_message *ret,
                                   struct err *err);

/* Those of OBJECT's member "statistics", as a session and a message have them. False: there are none. */
bool scale_statistics_read(const json_t *object, struct scale_statistics *ret);
