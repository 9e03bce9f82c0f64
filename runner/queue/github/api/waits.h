/* waits - how long GitHub's queue waits for what, in milliseconds. */
#pragma once

#include <stdint.h>

struct github_waits {                 /* 0: as the official runner has it */
    int64_t session;                  /* between two tries to open a session; 30 s */
    int64_t conflict_most;            /* that another session of ours may live on; 4 min */
    int64_t skew_most;                /* that clocks may differ before we give up; 30 min */
    int64_t legacy_poll, broker_poll; /* for an answer to a poll; 60 s, 100 s */
    int64_t
        pause; /* after a poll that failed, to twice as much; 15 s; 30 s from the sixth in a row on */
    int64_t aside; /* without a question, for the end of a job to be told; 1 s */
    int64_t floor; /* a poll that comes back with nothing before this is answered too fast; 1 s */
    int64_t floor_most;  /* and the next one waits so long at most; 30 s */
    int64_t retry;       /* between two tries of a call, to three times as much; 5 s */
    int64_t request;     /* for an answer to a call; 100 s */
    int64_t acknowledge; /* for that of one; 5 s */
    int64_t throttle,
        throttle_most;   /* after a second job in a row that could not be had; 1 s to 60 s */
    int64_t hold;        /* that a job which came is kept for a slot that is not free yet; 100 s */
    int64_t renew;       /* from one renewal of a lease to the next; 60 s */
    int64_t renew_grace; /* after the end of a lease that renewing it is tried on; 5 min */
    int64_t recover;     /* for the end of a lost job to be told: what a lease lasts; 10 min */
    int64_t leave;       /* for taking leave of the server; 30 s */
    int64_t defer;       /* that a newer authority is left alone after a failure; 60 min */
    int64_t cancel_least, cancel_margin; /* see assignment_cancel(): 60 s, 15 s */
    int64_t batch;                       /* in which what is told of steps is gathered; 0.5 s */
    int64_t begin; /* for a server to have heard of a job that may ask for ID tokens; 1 s */
    int64_t again; /* before a part of a report is sent again, growing; 1 s */
};

/* Fills in what is 0. MINUTE_MS: how long a minute takes, for tests; time limits of calls stay as they are. */
void github_waits_fill(struct github_waits *w, int64_t minute_ms);
