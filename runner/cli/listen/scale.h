/* listen_scale - "ostler listen --scale-set": its options, its folder on this machine, its queue. */
#pragma once

#include "base/arena.h"
#include "cli/listen/queues.h"
#include "queue/github/scale/set.h"

struct listen_scale { /* the options; texts are borrowed or in the arena of the command line */
    const char *name; /* NULL: no scale set is served */
    const char *url, *group;
    const char *const *labels;  /* NULL: none */
    const char *labels_as_said; /* with commas */
    int least, most;            /* most 0: not said */
    char *token, *pat;          /* wiped */
    const char *app;
    int64_t installation;
    struct rsa_key *key;
    const char *secret_file, *key_file; /* that the credential is from; NULL: none */

    const char *folder; /* of its own below the state folder */
    int dir;            /* that one, locked; -1: not yet */
};

#define LISTEN_SCALE_INIT                                                                          \
    {                                                                                              \
        .dir = -1                                                                                  \
    }

/* TEXT is overwritten if it is secret. */
MUST_CHECK int listen_scale_take(struct listen_scale *s, struct arena *a, const char *option,
                                 char *text, struct err *err);
/* What ACTIONS_RUNNER_INPUT_ variables say of what was not. */
MUST_CHECK int listen_scale_take_inputs(struct listen_scale *s, struct arena *a, struct err *err);
/* Nothing is missing, nothing said twice. SLOTS: how many jobs at once were asked for, 0: nothing was said. */
MUST_CHECK int listen_scale_check(struct listen_scale *s, int slots, struct err *err);

/* Its folder below the state folder STATE, kept from other listeners. *RET_TAKEN: that an error is that one has it. */
MUST_CHECK int listen_scale_open(struct listen_scale *s, struct arena *a, const char *state,
                                 bool *ret_taken, struct err *err);
/* Makes its queue and gives it to L. What is shared with Q's registrations comes from there. */
MUST_CHECK int listen_scale_add(const struct listen_scale *s, const struct listen_queues *q,
                                struct listener *l, struct http *http, struct err *err);

void listen_scale_deinit(struct listen_scale *s); /* after the listener */
