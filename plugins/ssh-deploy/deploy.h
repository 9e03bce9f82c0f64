/* deploy - a release goes to all servers, or none: the course of a deploy, and its way back. */
#pragma once

#include "remote.h"

struct deploy {
    struct ost_step *step;
    struct settings settings;
    struct access access;
    struct remote *remotes; /* settings.n_servers of them, in the order given */
    size_t n;
    struct remote *failed; /* where the latest failure was */
    const char *id; /* of this deploy: what is pending on a server has it, so that post finds it */
    const char *release; /* "" until it is chosen */
    const char *who, *commit;
};

ost_status deploy_open(struct ost_step *step, struct deploy *ret); /* reads the settings */
ost_status deploy_connect(struct deploy *d, int64_t patience_ms);  /* and what is there now */
void deploy_close(struct deploy *d);

ost_status deploy_main(struct ost_step *step);
ost_status deploy_post(struct ost_step *step);
ost_status deploy_plan(struct ost_step *step);

/* What is done on one server. */
typedef ost_status deploy_part(struct deploy *d, struct remote *r);

ost_status deploy_commit(struct deploy *d, struct remote *r);

/* ---- undo.c ---- */

/* Takes back what was done on every server, so far as it was, and sees to it that the release before works. Never
 * stops half way. OST_OK: all are as before. *RET: what became of it, for people. */
ost_status undo_all(struct deploy *d, const char **ret);
