#include "queue/github/legacy.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "queue/loose.h"

enum {
    FINISH_TRIES = 5,
    PLAN_WITH_EVENTS = 8, /* from this version on the plan itself hears of its jobs' ends */
};

static const char no_lock_token[] = "lockToken=00000000-0000-0000-0000-000000000000";

/* A PATCH of the request for our job. */
static struct call *patch_request(struct caller *c, int64_t pool_id, int64_t request_id,
                                  struct call_spec spec, call_fn *done, void *ctx)
{
    char pool[24], request[24];
    const struct tenant_query q = {.resource = TENANT_JOB_REQUESTS,
                                   .values = {{"poolId", pool}, {"requestId", request}},
                                   .query = no_lock_token};

    snprintf(pool, sizeof pool, "%" PRId64, pool_id);
    snprintf(request, sizeof request, "%" PRId64, request_id);
    spec.method = "PATCH";
    spec.tenant = &q;
    return call_start(c, &spec, done, ctx);
}

struct call *legacy_renew(struct caller *c, int64_t pool_id, int64_t request_id, call_fn *done,
                          void *ctx)
{
    CLEANUP(loose_freep) json_t *body = json_pack("{s:I}", "requestId", (json_int_t)request_id);
    const struct call_spec spec = {.body = body};

    return patch_request(c, pool_id, request_id, spec, done, ctx);
}

static const unsigned over = CALL_SETTLES(ANSWER_PLAN_GONE) | CALL_SETTLES(ANSWER_JOB_GONE) |
                             CALL_SETTLES(ANSWER_NOT_FOUND) | CALL_SETTLES(ANSWER_UNAUTHORIZED);

static struct call *finish_request(struct caller *c, const struct legacy_finish *f,
                                   const json_t *event, call_fn *done, void *ctx)
{
    char now[CLOCK_STAMP_SIZE];

    clock_stamp(now);
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:I, s:s, s:s}", "requestId", (json_int_t)f->request_id,
                             "finishTime", now, "result", loose_text(event, "result"));
    const struct call_spec spec = {.body = body, .tries = FINISH_TRIES, .settled = over};
    return patch_request(c, f->pool_id, f->request_id, spec, done, ctx);
}

static void tenant_freep(struct tenant **t)
{
    tenant_free(*t);
}

/* The job's own tenant where that is not the registration's, whose routes are known better. */
static struct tenant *tenant_of_job(const struct legacy_finish *f)
{
    size_t n = strlen(f->server_url), m = strlen(f->url);

    n -= n && f->server_url[n - 1] == '/';
    m -= m && f->url[m - 1] == '/';
    return slice_eq(slice_make(f->server_url, n), slice_make(f->url, m)) ? NULL
                                                                         : tenant_new(f->url);
}

struct call *legacy_complete(struct caller *c, const struct legacy_finish *f, const json_t *event,
                             call_fn *done, void *ctx)
{
    if (f->plan_version < PLAN_WITH_EVENTS)
        return finish_request(c, f, event, done, ctx);
    CLEANUP(tenant_freep) struct tenant *other = tenant_of_job(f);
    const struct tenant_query q = {.resource = TENANT_EVENTS,
                                   .values = {{"scopeIdentifier", f->scope_id},
                                              {"hubName", f->plan_type},
                                              {"planId", f->plan_id}}};
    const struct call_spec spec = {.method = "POST",
                                   .tenant = &q,
                                   .whose = other,
                                   .bearer = f->token,
                                   .body = event,
                                   .tries = FINISH_TRIES,
                                   .settled = over,
                                   .follow_once = f->follow_redirects};
    return call_start(c, &spec, done, ctx);
}

json_t *legacy_lost(const char *job_id, int64_t request_id, const char *result)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:{}}", "name", "JobCompleted", "jobId", job_id,
                     "requestId", (json_int_t)request_id, "result", result, "outputs");
}
