/* lanes - steps that run beside others: `background: true`, and the steps of a `parallel` group
 * (workflow-language.md 11.5, runtime contract 6.9).
 *
 * A lane is one such step of a frame. What it sets - outputs, variables, paths, its result - waits in the lane
 * until it is waited for, and then comes into force in the order of the file, whichever ended first. A control
 * step (`wait`, `wait-all`, `cancel`, `parallel`) does that, and so does the end of the frame's main steps. */
#pragma once

#include "job/run.h"

enum { LANES_MAX = 10 }; /* that run at once in a job; more wait for one to end */

enum lane_state { LANE_QUEUED, LANE_RUNNING, LANE_OVER };

struct lane {
    struct run *run;
    struct instance *instance;
    struct sequence seq; /* of this one step */
    struct lane *around; /* that the whole frame runs in; NULL: none */
    enum lane_state state;
    bool taken;     /* what it set is in force */
    bool cancelled; /* by a cancel step: it fails nobody */

    /* What waits. */
    json_t *entry; /* of the steps context; NULL: none */
    struct strmap env;
    VEC(char *) paths;
    enum result conclusion;
};

/* Starts a lane for INSTANCE as soon as there is room. OUTER: the sequence that it leaves. */
void lane_start(struct sequence *outer, struct instance *instance);

/* The lane that S runs in, also as a part of a composite in it; NULL: none. */
struct lane *lane_of(const struct step_run *s);

/* True while lanes of F go on. */
bool lanes_go_on(const struct frame *f);

/* Takes over all of F that are over. False: one of them has failed. */
bool lanes_take(struct frame *f);

/* As sequence_cancel() and sequence_stop(), for the lanes of F. */
void lanes_cancel(struct frame *f);
void lanes_stop(struct frame *f, bool now);

void lanes_free(struct frame *f);
