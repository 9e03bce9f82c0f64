/* run_service - a job of GitHub's run service: had, kept, completed (github-protocol.md 4.1 to 4.3), each with its table of
 * retries. A job is had with the registration's token at the address of the message; from then on the job's own token and
 * address count. */
#pragma once

#include "queue/github/api/call.h"
#include "queue/github/message/message.h"

/* Fetches the job that REFERENCE stands for. Settled by 404, 409 and 422: it is not ours. SERVICE_URL may be "": then the
 * tenant has it. */
struct call *run_service_acquire(struct caller *c, const char *service_url, const char *request_id,
                                 const char *billing_owner, call_fn *done, void *ctx);

/* One try. The answer has "lockedUntil". */
struct call *run_service_renew(struct caller *c, const struct github_job *job, call_fn *done,
                               void *ctx);

/* BODY: github_report_completion(), or run_service_lost(). Settled by 401 and 404. */
struct call *run_service_complete(struct caller *c, const char *url, const char *token,
                                  const json_t *body, call_fn *done, void *ctx);

/* The body for a job that nothing is known of but its CONCLUSION ("failed"), and WHY. A new reference. */
json_t *run_service_lost(const char *plan_id, const char *job_id, const char *billing_owner,
                         const char *conclusion, const char *why);
