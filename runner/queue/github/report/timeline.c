#include "queue/github/report/timeline.h"

#include "queue/github/report/delivery.h"
#include "queue/github/report/states.h"
#include "queue/github/api/tenant.h"
#include "queue/github/report/uploads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SUMMARY_TYPE "Checks.Step.Summary"

enum { HEADERS_MAX = 8 };

struct timeline {
    struct timeline_spec spec;
    char *token, *agent, *scope, *plan_type, *plan_id, *timeline_id;
    struct tenant *tenant;
    struct delivery *discovery;
    bool asked; /* where things are */
    bool ready; /* where things are is known, or will not be */
    bool hurried;
    bool finishing;
    struct states *states;
    struct uploads *uploads;
    struct block *block; /* that is on its way */
    struct delivery *call;
    int64_t log_id; /* of the block's page */
    struct delivery *feed;
    bool plan_gone;   /* the server does not know the run any more */
    unsigned refused; /* summaries */
    struct err last_err;
    char trouble[ERR_TEXT_SIZE + 120];
};

static char *copy_of(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

/* ---- calls ---- */

enum { MORE_MAX = 4 };

struct place { /* in the plan */
    enum tenant_resource resource;
    const char *method;
    struct tenant_value more[MORE_MAX]; /* of the address, behind the plan */
};

/* JSON (taken over), or BODY. */
static void ask(struct timeline *t, const struct place *p, json_t *json, struct slice body,
                struct delivery **ret, delivery_fn *fn, void *ctx)
{
    struct tenant_query q = {.resource = p->resource,
                             .method = p->method,
                             .values = {{"scopeIdentifier", t->scope},
                                        {"hubName", t->plan_type},
                                        {"planId", t->plan_id},
                                        p->more[0],
                                        p->more[1],
                                        p->more[2],
                                        p->more[3]},
                             .token = t->token};
    const char *headers[HEADERS_MAX] = {NULL};
    struct delivery_spec spec = {.method = p->method,
                                 .url = "",
                                 .agent = t->agent,
                                 .type = json ? "" : "application/octet-stream",
                                 .headers = headers,
                                 .json = json,
                                 .body = body,
                                 .follow_once = t->spec.follow_redirects};
    struct tenant_request request;
    size_t n = 0;

    bool prepared = tenant_prepare(t->tenant, &q, &request, &t->last_err) == ERR_OK;
    if (prepared) {
        spec.url = request.request.url;
        for (const char *const *h = request.headers; *h && n + 1 < HEADERS_MAX; h++)
            if (json || !slice_starts(slice_of(*h), SLICE("Content-Type:")))
                headers[n++] = *h;
    }
    delivery_start(ret, t->spec.http, t->spec.loop, &spec, fn, ctx); /* no address: it fails */
    if (prepared)
        tenant_request_deinit(&request);
}

/* The run was deleted, or is over: whatever else is told of it is of no use (0.8). */
static bool is_plan_gone(const json_t *answer)
{
    const char *key = json_string_value(json_object_get(answer, "typeKey"));

    return key && strncmp(key, "TaskOrchestrationPlan", 21) == 0;
}

static void note_failure(struct timeline *t, const json_t *answer, const struct err *err)
{
    t->last_err = *err;
    if (!is_plan_gone(answer) || t->plan_gone)
        return;
    t->plan_gone = true;
    timeline_stop(t);
}

/* ---- records ---- */

static json_t *one_record(void *ctx, const struct record *one)
{
    const struct timeline *t = ctx;

    return record_timeline(t->spec.records, one);
}

static json_t *wrapped(json_t *list)
{
    return json_pack("{s:I, s:o}", "count", (json_int_t)json_array_size(list), "value", list);
}

static void send_records(void *ctx, json_t *list, struct delivery **ret, delivery_fn *done,
                         void *done_ctx)
{
    struct timeline *t = ctx;

    ask(t, &(struct place){TENANT_RECORDS, "PATCH", {{"timelineId", t->timeline_id}}},
        wrapped(list), (struct slice){0}, ret, done, done_ctx);
}

static void on_states_failed(void *ctx, int status, const json_t *answer, const struct err *err)
{
    (void)status;
    note_failure(ctx, answer, err);
}

/* ---- logs and summaries ---- */

static void block_failed(struct timeline *t, int status, const json_t *answer,
                         const struct err *err)
{
    note_failure(t, answer, err);
    (void)uploads_failed(t->uploads, status == 0 || status == 429 || status >= 500);
}

static struct record *record_of(struct timeline *t, const char *id)
{
    VEC_EACH (one, &t->spec.records->steps)
        if (*id && strcmp((*one)->id, id) == 0)
            return *one;
    return &t->spec.records->job;
}

/* The record shows the log from now on. */
static void on_page_sent(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct timeline *t = ctx;
    struct record *one = record_of(t, t->block->of->id);

    if (err) {
        block_failed(t, status, answer, err);
        return;
    }
    one->log_id = t->log_id;
    one->changed |= RECORDS_FOR_TIMELINE;
    timeline_changed(t);
    uploads_sent(t->uploads);
}

static void on_page_made(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct timeline *t = ctx;
    struct err refused = ERR_INIT;
    char id[24];

    t->log_id = json_integer_value(json_object_get(answer, "id"));
    if (!err && t->log_id <= 0) {
        (void)err_set(&refused, ERR_FAILED, "the server gave no number to send a log to");
        err = &refused;
    }
    if (err) {
        block_failed(t, status, answer, err);
        return;
    }
    snprintf(id, sizeof id, "%" PRId64, t->log_id);
    ask(t, &(struct place){TENANT_LOGS, "POST", {{"logId", id}}}, NULL, t->block->bytes, &t->call,
        on_page_sent, t);
}

static void on_attached(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct timeline *t = ctx;

    if (err)
        block_failed(t, status, answer, err);
    else
        uploads_sent(t->uploads);
}

static void attach(struct timeline *t)
{
    ask(t,
        &(struct place){TENANT_ATTACHMENTS,
                        "PUT",
                        {{"timelineId", t->timeline_id},
                         {"recordId", t->spec.records->job.id},
                         {"type", SUMMARY_TYPE},
                         {"name", t->block->of->id}}},
        NULL, t->block->bytes, &t->call, on_attached, t);
}

/* Each page is a log of its own: one that may have come half is left lying, and the next try makes another. */
static void send_block(void *ctx, struct block *b)
{
    struct timeline *t = ctx;
    char path[64];

    t->block = b;
    if (!t->ready) /* on_discovered() does it */
        return;
    if (!b->of->log) {
        attach(t);
        return;
    }
    snprintf(path, sizeof path, "logs\\%s", *b->of->id ? b->of->id : t->spec.records->job.id);
    ask(t, &(struct place){TENANT_LOGS, "POST", {{0}}}, json_pack("{s:s}", "path", path),
        (struct slice){0}, &t->call, on_page_made, t);
}

/* ---- live lines ---- */

static void on_fed(void *ctx, int status, const json_t *answer, const struct err *err)
{
    (void)ctx; /* what was not heard is in the log */
    (void)status;
    (void)answer;
    (void)err;
}

bool timeline_can_feed(const struct timeline *t)
{
    return !t->feed && t->ready && !t->plan_gone;
}

void timeline_feed(struct timeline *t, json_t *lines)
{
    ask(t,
        &(struct place){TENANT_FEED,
                        "POST",
                        {{"timelineId", t->timeline_id}, {"recordId", t->spec.records->job.id}}},
        lines, (struct slice){0}, &t->feed, on_fed, t);
}

/* ---- where things are ---- */

static void on_progress(void *ctx)
{
    struct timeline *t = ctx;

    t->spec.progress(t->spec.ctx);
}

static void on_discovered(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct timeline *t = ctx;
    struct err ignored = ERR_INIT;

    (void)status;
    if (!err && answer) {
        CLEANUP(free_ptr) char *text = json_dumps(answer, JSON_COMPACT);

        (void)!tenant_learn(t->tenant, slice_of(text), &ignored);
    }
    t->ready = true;
    if (t->block)
        send_block(t, t->block);
    if (t->finishing)
        timeline_finish(t);
    timeline_changed(t);
    if (t->hurried)
        states_hurry(t->states);
    timeline_grown(t);
    on_progress(t);
}

static void discover(struct timeline *t)
{
    struct tenant_request request;

    tenant_prepare_discovery(t->tenant, t->token, &request);
    delivery_start(&t->discovery, t->spec.http, t->spec.loop,
                   &(struct delivery_spec){.method = "GET",
                                           .url = request.request.url,
                                           .agent = t->agent,
                                           .type = "",
                                           .headers = request.headers,
                                           .follow_once = t->spec.follow_redirects},
                   on_discovered, t);
    tenant_request_deinit(&request);
}

/* ---- the whole ---- */

/* With the first thing there is to tell: not before the job's lock was renewed for the first time. */
static void begin(struct timeline *t)
{
    if (!t->asked)
        discover(t);
    t->asked = true;
}

void timeline_changed(struct timeline *t)
{
    begin(t);
    if (t->ready)
        states_changed(t->states);
}

void timeline_hurry(struct timeline *t)
{
    t->hurried = true;
    begin(t);
    if (t->ready)
        states_hurry(t->states);
}

void timeline_log(struct timeline *t, const char *id, struct spool_log *log)
{
    uploads_log(t->uploads, id, log);
}

void timeline_grown(struct timeline *t)
{
    if (t->ready)
        uploads_grown(t->uploads);
}

void timeline_summary(struct timeline *t, const char *id, struct slice text)
{
    if (t->plan_gone || uploads_text(t->uploads, id, text))
        return;
    t->refused++;
    (void)err_set(&t->last_err, ERR_LIMIT, "a summary of %zu bytes is too large, or one too many",
                  text.len);
}

void timeline_finish(struct timeline *t)
{
    t->finishing = true;
    begin(t);
    if (!t->ready || t->plan_gone)
        return;
    states_finish(t->states);
    uploads_finish(t->uploads);
}

void timeline_stop(struct timeline *t)
{
    states_stop(t->states);
    uploads_stop(t->uploads);
}

bool timeline_idle(const struct timeline *t)
{
    return t->plan_gone || (t->ready && states_idle(t->states) && uploads_idle(t->uploads));
}

const char *timeline_trouble(struct timeline *t)
{
    bool logs = uploads_lost(t->uploads) || t->refused;

    if (!logs && !states_lost(t->states) && !t->plan_gone)
        return NULL;
    snprintf(t->trouble, sizeof t->trouble, "the timeline did not get %s of the job: %s",
             t->plan_gone || (logs && states_lost(t->states)) ? "all logs and states"
             : logs                                           ? "all logs"
                                                              : "all states",
             t->last_err.code ? t->last_err.text : "it took too long to answer");
    return t->trouble;
}

struct timeline *timeline_new(const struct timeline_spec *spec)
{
    struct timeline *t = mem_new(sizeof *t);

    t->spec = *spec;
    t->token = copy_of(spec->token);
    t->agent = copy_of(spec->agent);
    t->scope = copy_of(spec->scope);
    t->plan_type = copy_of(spec->plan_type);
    t->plan_id = copy_of(spec->plan_id);
    t->timeline_id = copy_of(spec->timeline_id);
    t->tenant = tenant_new(spec->url);
    t->states = states_new(&(struct states_spec){.loop = spec->loop,
                                                 .records = spec->records,
                                                 .reader = RECORDS_FOR_TIMELINE,
                                                 .with_job = true,
                                                 .most = TIMELINE_RECORDS_MAX,
                                                 .batch_ms = spec->batch_ms,
                                                 .pause_ms = spec->pause_ms,
                                                 .one = one_record,
                                                 .send = send_records,
                                                 .failed = on_states_failed,
                                                 .progress = on_progress,
                                                 .ctx = t});
    t->uploads = uploads_new(&(struct uploads_spec){.loop = spec->loop,
                                                    .spool = spec->spool,
                                                    .reader = SPOOL_TIMELINE,
                                                    .pause_ms = spec->pause_ms,
                                                    .send = send_block,
                                                    .progress = on_progress,
                                                    .ctx = t});
    return t;
}

struct timeline *timeline_free(struct timeline *t)
{
    if (!t)
        return NULL;
    delivery_free(t->discovery);
    delivery_free(t->call);
    delivery_free(t->feed);
    states_free(t->states);
    uploads_free(t->uploads);
    tenant_free(t->tenant);
    explicit_bzero(t->token, strlen(t->token));
    free(t->token);
    free(t->agent);
    free(t->scope);
    free(t->plan_type);
    free(t->plan_id);
    free(t->timeline_id);
    free(t);
    return NULL;
}
