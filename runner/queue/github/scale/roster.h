/* roster - the runners that the service knows of a scale set of ours: written down before they are asked for, struck out when
 * it has forgotten them, and made to be forgotten when they came to nothing.
 *
 * Each is an empty file with the runner's name, so that the next listener finds those of one that was killed, in whatever
 * moment that was. A runner that still has a job the service does not let go of; it is asked again, for the job comes to its
 * end, or is told to be lost.
 *
 * Source: actions/scaleset client.go (GetRunnerByName, RemoveRunner): GET _apis/distributedtask/pools/0/agents?agentName=NAME,
 * DELETE .../agents/ID: 204; JobStillRunningException while it has a job. */
#pragma once

#include "queue/github/api/call.h"

enum { SCALE_ROSTER_MAX = 10000 }; /* names that are read */

struct scale_roster;

struct scale_roster_spec {
    struct caller *caller; /* its token is that of the admin connection; borrowed */
    int dir;               /* borrowed; -1: nothing is written down */
    /* One was forgotten, or there is none left. May free the roster. */
    void (*changed)(void *ctx);
    void *ctx;
};

/* Those that DIR names are to be forgotten. */
struct scale_roster *scale_roster_new(const struct scale_roster_spec *spec);
struct scale_roster *
scale_roster_free(struct scale_roster *r); /* returns NULL; NULL does nothing */

/* Where the service is (copied): begins with what is to be forgotten. */
void scale_roster_start(struct scale_roster *r, const char *base);

/* NAME is about to be asked for. ERR_SYS: it cannot be written down. */
MUST_CHECK int scale_roster_add(struct scale_roster *r, const char *name, struct err *err);
/* The service has forgotten it. */
void scale_roster_strike(struct scale_roster *r, const char *name);
/* It is to. ID: 0 if that is not known. */
void scale_roster_forget(struct scale_roster *r, const char *name, int64_t id);

size_t scale_roster_left(const struct scale_roster *r); /* to be forgotten */

/* A call that makes the service forget the runner ID, for whoever wants to know what it says. */
struct call *scale_remove_runner(struct caller *c, const char *base, int64_t id, call_fn *done,
                                 void *ctx);
/* Whether that answer says that it is gone. */
bool scale_is_removed(const struct answer *a);
