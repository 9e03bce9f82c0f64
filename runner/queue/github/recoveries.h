/* recoveries - jobs of a process that is gone, whose ends the server is being told.
 *
 * Until it has heard of one it takes the job to run here, and its runner for busy: nobody says that it is free while one
 * is open. A server that cannot be told is not waited for longer than it waits itself: by waits.recover it has let go of
 * the job (github-protocol.md 4.1, 4.2). */
#pragma once

#include "queue/github/api/call.h"

struct recovery;

struct recoveries { /* its owner's, who sets the first three; all zero: none */
    struct caller *caller;
    /* One is closed: TEXT says how that went, for people. Called from the loop; the next may be begun, and all be let go
     * of, in it. */
    void (*closed)(void *ctx, const char *text);
    void *ctx;

    struct recovery *open;
    int n; /* how many are */
};

/* Tells the server that the job of LEASE (see assignment_lease()) is lost; a lease that is none of ours is passed over. */
void recoveries_begin(struct recoveries *r, const json_t *lease);
/* At once, without a word. */
void recoveries_stop(struct recoveries *r);
