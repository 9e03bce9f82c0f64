/* lease - our hold on a job: got before it starts, renewed every minute until the job has been completed (github-protocol.md
 * 4.2, 4.4).
 *
 * A renewal that fails is tried again until the server's own time for us is over, and a while longer; one that is told the
 * job is not there, or no longer ours, ends the lease at once. What is left of the time is reckoned with the server's
 * clock. */
#pragma once

#include "queue/github/api/call.h"
#include "queue/github/message/message.h"

struct lease_client {
    void (*held)(void *ctx); /* once: the job may start */
    /* It is over: GONE, the server says so itself; else nothing was heard from it for too long. */
    void (*lost)(void *ctx, bool gone, const char *why);
    /* What the server calls this runner, whenever it says so (of the tenant alone). NULL: not wanted. */
    void (*named)(void *ctx, const char *name);
    void *ctx;
};

struct lease { /* its owner's; all zero: none */
    struct caller *caller;
    const struct github_job *job;
    int64_t pool_id;
    struct lease_client client;

    bool held;
    int64_t until_ms; /* clock_ms() at which the server lets go of it */
    unsigned errors;  /* in a row */
    struct call *call;
    struct timer *wait;
};

/* Begins; all is borrowed until lease_end(). POOL_ID: of the registration, for jobs of the tenant. */
void lease_begin(struct lease *l, struct caller *caller, const struct github_job *job,
                 int64_t pool_id, const struct lease_client *client);
void lease_end(struct lease *l); /* at once, without a word; one that is all zero, too */

/* The seconds since 1970 of "2026-08-20T10:10:00.123456789Z" (also "+00:00" or nothing at its end, which is UTC); -1: it is
 * no such text, or a time before 1970, as "0001-01-01T00:00:00", which says nothing. */
int64_t lease_time(const char *text);
