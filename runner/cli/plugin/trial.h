/* plugin_trial - phases of a plugin on trial: in a throw-away place, its commands and requests only listed, one of its
 * service calls failing, or the job cancelled before one. */
#pragma once

#include "plugin/plugin.h"

enum trial_end {
    TRIAL_RETURNED, /* success or an error, as it should */
    TRIAL_BROKE,    /* it crashed, ended its process or broke its contract */
    TRIAL_HUNG,     /* it did not end in time */
};

struct trial_result { /* texts live until the next run */
    enum trial_end end;
    bool failed;      /* it returned an error */
    const char *text; /* why it failed or broke; "" */
    unsigned n_calls; /* that can fail */
    const char
        *fault; /* the call that failed, or before which it was cancelled; NULL: it came to none */
    const char *left; /* a descriptor that it left open, and on what; NULL: none */
};

struct trial_order { /* zeroed: all goes well */
    int phase;
    unsigned fault;  /* the call that is to fail, from 1 */
    unsigned cancel; /* the call before which the job is cancelled, from 1 */
};

struct trial;

/* A place for trials of P, whose sealed OBJECT is borrowed. What WITH and the defaults leave of the required inputs gets
 * a value that its type allows. A phase may take TIMEOUT_MS. */
MUST_CHECK int trial_open(const struct plugin *p, int object, const struct strmap *with,
                          int64_t timeout_ms, struct trial **ret, struct err *err);
struct trial *trial_close(struct trial *t); /* returns NULL; NULL does nothing */

/* Runs a phase. What a run without fault or cancel has saved is there for those that follow. An error is ours: what the
 * plugin did wrong is in *RET. ERR_CANCELLED: a signal came. */
MUST_CHECK int trial_run(struct trial *t, const struct trial_order *order, struct trial_result *ret,
                         struct err *err);

/* What lies in the workspace, HOME and the tool folder: a name for each file, and all there is to know of it. RET is
 * initialised. */
MUST_CHECK int trial_files(const struct trial *t, struct strmap *ret, struct err *err);
