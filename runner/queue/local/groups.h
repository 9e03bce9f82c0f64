/* groups - the concurrency groups that a run shares with the other runs of its repository on this machine.
 *
 *   FOLDER/<sha256 of repository and group>/
 *     00000042.17    a ticket: the 42nd, of run 17; its text says who it is
 *     00000042.yield somebody who came later asks for its place, and says why
 *     lock           held for a moment by whoever takes a ticket or gives one back
 *
 * A ticket is locked by the process that took it, and a lock ends with its holder, however that went: a ticket that can
 * be locked is nobody's, and goes. The tickets in front of one's own decide whose turn it is. Changes in the folder
 * are told by inotify, the end of a process among them. */
#pragma once

#include "io/loop.h"
#include "queue/local/plan.h"

struct groups;
struct ticket;

/* Something changed: asks for turns anew. Called from the loop. */
typedef void groups_fn(void *ctx);

/* For the run named RUN (digits) of REPOSITORY; what runs that are no more left in FOLDER is removed. Never fails: the
 * folder is made with the first ticket. */
struct groups *groups_new(const char *folder, const char *repository, const char *run);
void groups_watch(struct groups *g, struct loop *loop, groups_fn *fn, void *ctx);
void groups_unwatch(struct groups *g);        /* the loop goes */
struct groups *groups_free(struct groups *g); /* every ticket must be free; returns NULL */

/* A place in the line for GROUP. Those of other runs that it does not go along with are asked to yield: who waits, unless
 * GROUP queues; who is first, if it cancels. WHO says whose it is, and WHY is for those who yield. */
MUST_CHECK int ticket_take(struct groups *g, const struct group *group, const char *who,
                           struct ticket **ret, struct err *err);
struct ticket *ticket_free(struct ticket *t); /* gives it back; returns NULL */

/* NULL: no ticket of another run is in front of T. Else who it is, in A. */
const char *ticket_waits_for(const struct ticket *t, struct arena *a);
/* Why T has to give up its place, in A; NULL: it may keep it. */
const char *ticket_yields(const struct ticket *t, struct arena *a);
