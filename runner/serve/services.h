/* services - the front program's side of the services for clients: an address and a token for each job that may call.
 *
 * Nothing is made for a run whose jobs cannot call. For one that could there is a socket on the loopback
 * interface; the server (server/main.c) starts when somebody connects to it, and again if it died. */
#pragma once

#include "io/loop.h"
#include "job/job.h"

/* What the server finds open. */
enum { SERVE_LISTENER_FD = 3, SERVE_ORDERS_FD = 4, SERVE_FRONT_FD = 5 };

struct services;

struct services_spec {
    const char *run;     /* the run's number */
    const char *run_dir; /* its folder: artifacts are kept below it */
    const char *caches; /* the folder below which caches are kept, one folder for each repository */
    const char *state;  /* where they are kept if that cannot be */
    int64_t cache_size; /* how many bytes a repository's caches may have; 0: CACHE_BUDGET_DEFAULT */
};

/* Everything in SPEC is copied. Never fails: what can go wrong goes wrong for the job that needs it. */
struct services *services_new(const struct services_spec *spec);

/* From here on the server starts out of LOOP, until services_detach(). */
void services_attach(struct services *s, struct loop *loop);

/* Gives JOB what its actions need to reach the services (job->runtime), if it has a step that could, or may ask for id
 * tokens, which scripts can do as well. */
MUST_CHECK int services_equip(struct services *s, struct job *job, struct err *err);

/* The same for a job whose queue gives it services, but no caches: clients show the token of those others, so ours is in
 * the address (ACTIONS_CACHE_URL). OSTLER_CACHE_URL and OSTLER_CACHE_TOKEN are for plugins and the masker, not for steps. */
MUST_CHECK int services_equip_caches(struct services *s, struct job *job, struct err *err);

/* Gives the server a connection that came in elsewhere: from a job's container, which does not see our loopback. */
void services_pass(struct services *s, int take_fd);

/* The job with the key KEY is over, as is what it could ask for. */
void services_end_job(struct services *s, const char *key);

/* True for a job with a step that could be a client: an action, but for those that are known to be none. */
bool services_can_serve(const struct job *job);

/* Nobody calls any more: ends the server, which clears up behind the run, and waits for that, a short while at
 * most. NULL is fine. */
void services_detach(struct services *s);

struct services *services_free(struct services *s); /* detaches it first; returns NULL */
