/* legacy - a job of the tenant's: its lock, and its end (github-protocol.md 4.4, 4.5). The lock goes with the registration's
 * token, the end with the job's. */
#pragma once

#include "queue/github/api/call.h"
#include "queue/github/message/message.h"

struct legacy_finish {       /* borrowed */
    const char *server_url;  /* the registration's tenant */
    const char *url, *token; /* of the job's SystemVssConnection */
    const char *scope_id, *plan_type, *plan_id;
    int64_t plan_version, pool_id, request_id;
    bool follow_redirects; /* as the job says */
};

/* One try. The answer has "lockedUntil" and "reservedAgent". */
struct call *legacy_renew(struct caller *c, int64_t pool_id, int64_t request_id, call_fn *done,
                          void *ctx);

/* EVENT: github_report_plan_event(), or legacy_lost(). Of plans older than version 8 only its "result" is told, with the
 * lock. Settled by a plan or a job that is gone. */
struct call *legacy_complete(struct caller *c, const struct legacy_finish *f, const json_t *event,
                             call_fn *done, void *ctx);

/* The event of a job that nothing is known of but its RESULT ("failed"). A new reference. */
json_t *legacy_lost(const char *job_id, int64_t request_id, const char *result);
