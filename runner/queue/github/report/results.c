#include "queue/github/report/results.h"

#include "queue/github/report/delivery.h"
#include "queue/github/report/states.h"
#include "queue/github/api/tenant.h"
#include "queue/github/report/uploads.h"

#include <stdio.h>
#include <stdlib.h>

#define UPDATES "twirp/github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate"
#define RECEIVER "twirp/results.services.receiver.Receiver/"

enum {
    URL_SIZE = 16 << 10,
    STORAGE_TRIES = 3, /* of one request to the storage */
};

enum kind { STEP_LOG, JOB_LOG, SUMMARY, KINDS };

static const struct {
    const char *sign, *member, *tell;
} kinds[KINDS] = {
    [STEP_LOG] = {"GetStepLogsSignedBlobURL", "logs_url", "CreateStepLogsMetadata"},
    [JOB_LOG] = {"GetJobLogsSignedBlobURL", "logs_url", "CreateJobLogsMetadata"},
    [SUMMARY] = {"GetStepSummarySignedBlobURL", "summary_url", "CreateStepSummaryMetadata"},
};

struct results {
    struct results_spec spec;
    char *url, *token, *agent, *plan_id, *job_id;
    struct states *states;
    struct uploads *uploads;
    int64_t change_order;
    unsigned failures;
    bool left_alone; /* beside the timeline, and it failed too often */

    struct block *block; /* that is on its way */
    struct delivery *call;
    char *address; /* where it goes */
    bool azure;

    unsigned refused; /* summaries that did not fit */
    struct err last_err;
    char trouble[ERR_TEXT_SIZE + 120];
};

static char *copy_of(const char *text)
{
    return mem_dup(text, strlen(text));
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void post(struct results *r, const char *path, json_t *body, struct delivery **ret,
                 delivery_fn *fn, void *ctx)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(URL_SIZE);

    github_url_join(&url, r->url, path);
    delivery_start(
        ret, r->spec.http, r->spec.loop,
        &(struct delivery_spec){.url = url.ptr, .token = r->token, .agent = r->agent, .json = body},
        fn, ctx);
}

/* One of the receiver's functions, for the block that is on its way. */
static void ask(struct results *r, const char *name, json_t *body, delivery_fn *fn)
{
    char path[128];

    snprintf(path, sizeof path, RECEIVER "%s", name);
    post(r, path, body, &r->call, fn, r);
}

static void note_failure(struct results *r, const struct err *err)
{
    r->last_err = *err;
    if (!r->spec.beside || ++r->failures <= RESULTS_FAILURES_MAX || r->left_alone)
        return;
    r->left_alone = true;
    results_stop(r);
}

/* ---- states of steps ---- */

static json_t *one_step(void *ctx, const struct record *step)
{
    (void)ctx;
    return record_step_update(step);
}

static void send_steps(void *ctx, json_t *steps, struct delivery **ret, delivery_fn *done,
                       void *done_ctx)
{
    struct results *r = ctx;

    post(r, UPDATES,
         json_pack("{s:I, s:s, s:s, s:o}", "change_order", (json_int_t)++r->change_order,
                   "workflow_run_backend_id", r->plan_id, "workflow_job_run_backend_id", r->job_id,
                   "steps", steps),
         ret, done, done_ctx);
}

static void on_states_failed(void *ctx, int status, const json_t *answer, const struct err *err)
{
    (void)status;
    (void)answer;
    note_failure(ctx, err);
}

/* ---- blocks ---- */

static enum kind kind_of(const struct upload *u)
{
    return !u->log ? SUMMARY : *u->id ? STEP_LOG : JOB_LOG;
}

static json_t *ids(const struct results *r)
{
    const struct upload *u = r->block->of;
    json_t *j = json_pack("{s:s, s:s}", "workflow_run_backend_id", r->plan_id,
                          "workflow_job_run_backend_id", r->job_id);

    if (kind_of(u) != JOB_LOG)
        json_object_set_new(j, "step_backend_id", json_string(u->id));
    return j;
}

static void tell(struct results *r);

/* A last block that was given up is told nevertheless, once: without it none of the others would show. */
static void block_failed(struct results *r, int status, const struct err *err)
{
    struct upload *u = r->block->of;
    bool passing = status == 0 || status == 429 || status >= 500;

    note_failure(r, err);
    if (status != 0 && !passing && r->block->last && u->begun && !u->stored && !r->left_alone) {
        u->stored = u->gap = true;
        r->refused++;
        tell(r);
        return;
    }
    (void)uploads_failed(r->uploads, passing);
}

static void on_told(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct results *r = ctx;
    struct err refused = ERR_INIT;

    if (!err && !json_is_true(json_object_get(answer, "ok"))) {
        (void)err_set(&refused, ERR_FAILED, "the service did not accept that a log is complete");
        status = 400;
    }
    if (err || refused.code)
        block_failed(r, status, err ? err : &refused);
    else
        uploads_sent(r->uploads);
}

/* The last block is there: only now the service shows it. */
static void tell(struct results *r)
{
    const struct upload *u = r->block->of;
    char now[CLOCK_STAMP_SIZE], ms[RECORDS_MS_SIZE];
    json_t *j = ids(r);

    clock_stamp(now);
    records_ms(now, ms);
    json_object_set_new(j, "uploaded_at", json_string(ms));
    if (u->log)
        json_object_set_new(j, "line_count", json_integer(spool_lines(u->log)));
    else
        json_object_set_new(j, "size", json_integer((json_int_t)u->size));
    ask(r, kinds[kind_of(u)].tell, j, on_told);
}

/* ---- storage ---- */

static void on_stored(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct results *r = ctx;

    (void)answer;
    if (err) {
        block_failed(r, status, err);
    } else if (r->block->last) {
        r->block->of->stored = true;
        tell(r);
    } else {
        uploads_sent(r->uploads);
    }
}

/* Signed addresses need no token, and must not get one. */
static void store(struct results *r, const char *more, const char *type, const char *const *headers,
                  struct slice body, unsigned tries, delivery_fn *fn)
{
    char url[URL_SIZE];

    snprintf(url, sizeof url, "%s%s", r->address, more);
    delivery_start(&r->call, r->spec.http, r->spec.loop,
                   &(struct delivery_spec){.method = "PUT",
                                           .url = url,
                                           .agent = r->agent,
                                           .type = type,
                                           .headers = headers,
                                           .body = body,
                                           .tries = tries},
                   fn, r);
    explicit_bzero(url, sizeof url);
}

static void store_whole(struct results *r)
{
    static const char *const headers[] = {"x-ms-blob-type: BlockBlob", NULL};

    store(r, "", r->block->of->log ? "text/plain" : "", r->azure ? headers : NULL, r->block->bytes,
          STORAGE_TRIES, on_stored);
}

/* 412: the storage has had this block before, its answer got lost. */
static void on_appended(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct results *r = ctx;
    struct upload *u = r->block->of;

    if (err && status == 412 && u->doubtful)
        err = NULL;
    u->doubtful = err && (u->doubtful || status == 0 || status >= 500);
    on_stored(r, status, answer, err);
}

/* Sent once: when it is sent again it must say where it belongs, or the log would have it twice. */
static void append(struct results *r)
{
    const struct upload *u = r->block->of;
    const char *headers[3] = {NULL};
    char where[80];
    size_t n = 0;

    if (r->azure)
        headers[n++] = r->block->last ? "x-ms-blob-sealed: True" : "x-ms-blob-sealed: False";
    if (r->azure && u->doubtful && !u->gap) {
        snprintf(where, sizeof where, "x-ms-blob-condition-appendpos: %lld", (long long)u->sent);
        headers[n++] = where;
    }
    store(r, r->block->last ? "&comp=appendblock&seal=true" : "&comp=appendblock", "", headers,
          r->block->bytes, 1, on_appended);
}

static void on_created(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct results *r = ctx;

    (void)answer;
    if (err) {
        block_failed(r, status, err);
        return;
    }
    r->block->of->begun = true;
    append(r);
}

static void create(struct results *r)
{
    static const char *const headers[] = {"x-ms-blob-type: AppendBlob", NULL};

    store(r, "", "text/plain", r->azure ? headers : NULL, (struct slice){0}, STORAGE_TRIES,
          on_created);
}

/* ---- addresses ---- */

/* A number, or a text with one. */
static int64_t size_limit(const json_t *answer)
{
    const json_t *limit = json_object_get(answer, "soft_size_limit");

    return json_is_string(limit) ? strtoll(json_string_value(limit), NULL, 10)
                                 : json_integer_value(limit);
}

/* What the answer says of where the block goes. */
static int take_address(struct results *r, const json_t *answer, struct err *err)
{
    const struct upload *u = r->block->of;
    const char *address = json_string_value(json_object_get(answer, kinds[kind_of(u)].member));
    const char *where = json_string_value(json_object_get(answer, "blob_storage_type"));
    int64_t limit = size_limit(answer);

    if (!address || !*address || strlen(address) > URL_SIZE - 100)
        return err_set(err, ERR_FAILED, "the service gave no address to send a log to");
    if (!u->log && limit > 0 && (int64_t)u->size > limit)
        return err_set(err, ERR_LIMIT, "a summary of %zu bytes is more than the service takes",
                       u->size);
    wipe(r->address);
    r->address = copy_of(address);
    r->azure = where && strcmp(where, "BLOB_STORAGE_TYPE_AZURE") == 0;
    return ERR_OK;
}

static void on_address(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct results *r = ctx;
    struct err refused = ERR_INIT;

    if (err)
        block_failed(r, status, err);
    else if (take_address(r, answer, &refused) < 0)
        block_failed(r, 400, &refused);
    else if (r->block->of->begun)
        append(r);
    else if (r->block->last)
        store_whole(r);
    else
        create(r);
}

static void send_block(void *ctx, struct block *b)
{
    struct results *r = ctx;

    r->block = b;
    if (b->of->stored)
        tell(r);
    else
        ask(r, kinds[kind_of(b->of)].sign, ids(r), on_address);
}

/* ---- the whole ---- */

/* The log of a step that the service has not heard of would be nobody's. */
static bool may_send(void *ctx, const struct upload *u)
{
    const struct results *r = ctx;

    VEC_EACH (one, &r->spec.records->steps)
        if (strcmp((*one)->id, u->id) == 0)
            return (*one)->told & RECORDS_FOR_RESULTS || states_idle(r->states);
    return true;
}

static void on_progress(void *ctx)
{
    struct results *r = ctx;

    uploads_grown(r->uploads);
    r->spec.progress(r->spec.ctx);
}

void results_changed(struct results *r)
{
    states_changed(r->states);
}

void results_log(struct results *r, const char *id, struct spool_log *log)
{
    uploads_log(r->uploads, id, log);
}

void results_grown(struct results *r)
{
    uploads_grown(r->uploads);
}

void results_summary(struct results *r, const char *id, struct slice text)
{
    if (!r->left_alone && !uploads_text(r->uploads, id, text)) {
        r->refused++;
        (void)err_set(&r->last_err, ERR_LIMIT,
                      "a summary of %zu bytes is too large, or one too many", text.len);
    }
}

void results_finish(struct results *r)
{
    if (r->left_alone)
        return;
    states_finish(r->states);
    uploads_finish(r->uploads);
}

void results_stop(struct results *r)
{
    states_stop(r->states);
    uploads_stop(r->uploads);
}

bool results_idle(const struct results *r)
{
    return states_idle(r->states) && uploads_idle(r->uploads);
}

const char *results_trouble(struct results *r)
{
    bool logs = uploads_lost(r->uploads) || r->refused;

    if (!logs && !states_lost(r->states) && !r->left_alone)
        return NULL;
    snprintf(r->trouble, sizeof r->trouble, "the results service did not get %s of the job: %s",
             r->left_alone || (logs && states_lost(r->states)) ? "all logs and states"
             : logs                                            ? "all logs"
                                                               : "all states",
             r->last_err.code ? r->last_err.text : "it took too long to answer");
    return r->trouble;
}

struct results *results_new(const struct results_spec *spec)
{
    struct results *r = mem_new(sizeof *r);

    r->spec = *spec;
    r->url = copy_of(spec->url);
    r->token = copy_of(spec->token);
    r->agent = spec->agent ? copy_of(spec->agent) : NULL;
    r->plan_id = copy_of(spec->plan_id);
    r->job_id = copy_of(spec->job_id);
    r->states = states_new(&(struct states_spec){.loop = spec->loop,
                                                 .records = spec->records,
                                                 .reader = RECORDS_FOR_RESULTS,
                                                 .all_at_end = true,
                                                 .batch_ms = spec->batch_ms,
                                                 .pause_ms = spec->pause_ms,
                                                 .one = one_step,
                                                 .send = send_steps,
                                                 .failed = on_states_failed,
                                                 .progress = on_progress,
                                                 .ctx = r});
    r->uploads = uploads_new(&(struct uploads_spec){.loop = spec->loop,
                                                    .spool = spec->spool,
                                                    .reader = SPOOL_RESULTS,
                                                    .pause_ms = spec->pause_ms,
                                                    .impatient = spec->beside,
                                                    .may = may_send,
                                                    .send = send_block,
                                                    .progress = on_progress,
                                                    .ctx = r});
    return r;
}

struct results *results_free(struct results *r)
{
    if (!r)
        return NULL;
    delivery_free(r->call);
    states_free(r->states);
    uploads_free(r->uploads);
    wipe(r->address);
    wipe(r->token);
    free(r->url);
    free(r->agent);
    free(r->plan_id);
    free(r->job_id);
    free(r);
    return NULL;
}
