#include "queue/github/run_service.h"

#include "queue/loose.h"

enum {
    ACQUIRE_TRIES = 5,
    COMPLETE_TRIES = 25, /* five rounds of five, as the official runner has them */
    MESSAGE_MAX = GITHUB_MESSAGE_READ_MAX,
};

struct call *run_service_acquire(struct caller *c, const char *service_url, const char *request_id,
                                 const char *billing_owner, call_fn *done, void *ctx)
{
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:s}", "jobMessageId", request_id, "runnerOS", "Linux");
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(TENANT_URL_MAX);
    struct tenant_query q = {.resource = TENANT_RUNNER_MESSAGES,
                             .values = {{"messageId", request_id}}};
    struct call_spec spec = {.tries = ACQUIRE_TRIES,
                             .settled =
                                 CALL_SETTLES(ANSWER_NOT_FOUND) | CALL_SETTLES(ANSWER_CONFLICT) |
                                 CALL_SETTLES(ANSWER_UNPROCESSABLE) | CALL_SETTLES(ANSWER_JOB_GONE),
                             .answer_max = MESSAGE_MAX,
                             .document = true};

    if (!*service_url) {
        spec.tenant = &q;
        return call_start(c, &spec, done, ctx);
    }
    if (*billing_owner)
        json_object_set_new(body, "billingOwnerId", json_string(billing_owner));
    github_url_join(&url, service_url, "acquirejob");
    spec.method = "POST";
    spec.url = url.ptr;
    spec.body = body;
    spec.newer = true;
    return call_start(c, &spec, done, ctx);
}

struct call *run_service_renew(struct caller *c, const struct github_job *job, call_fn *done,
                               void *ctx)
{
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:s}", "planId", job->plan_id, "jobId", job->job_id);
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(TENANT_URL_MAX);

    github_url_join(&url, job->url, "renewjob");
    struct call_spec spec = {.method = "POST", .url = url.ptr, .bearer = job->token, .body = body};
    return call_start(c, &spec, done, ctx);
}

struct call *run_service_complete(struct caller *c, const char *url, const char *token,
                                  const json_t *body, call_fn *done, void *ctx)
{
    CLEANUP(buf_deinit) struct buf address = BUF_INIT(TENANT_URL_MAX);

    github_url_join(&address, url, "completejob");
    struct call_spec spec = {.method = "POST",
                             .url = address.ptr,
                             .bearer = token,
                             .body = body,
                             .tries = COMPLETE_TRIES,
                             .settled = CALL_SETTLES(ANSWER_UNAUTHORIZED) |
                                        CALL_SETTLES(ANSWER_NOT_FOUND) |
                                        CALL_SETTLES(ANSWER_JOB_GONE)};
    return call_start(c, &spec, done, ctx);
}

json_t *run_service_lost(const char *plan_id, const char *job_id, const char *billing_owner,
                         const char *conclusion, const char *why)
{
    json_t *body = json_pack("{s:s, s:s, s:s, s:{}, s:[], s:[{s:s, s:s}], s:[]}", "planId", plan_id,
                             "jobId", job_id, "conclusion", conclusion, "outputs", "stepResults",
                             "annotations", "level", "failure", "message", why, "telemetry");

    if (billing_owner && *billing_owner)
        json_object_set_new(body, "billingOwnerId", json_string(billing_owner));
    return body;
}
