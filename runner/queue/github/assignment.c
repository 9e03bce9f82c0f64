#include "queue/github/assignment.h"

#include <stdio.h>

#include "base/clock.h"
#include "queue/github/legacy.h"
#include "queue/github/run_service.h"
#include "queue/loose.h"

struct assignment {
    struct assignment_spec spec;
    char *billing_owner, *key;
    enum assignment_state state;
    struct github_job job; /* what the queue keeps of the message */
    struct job *to_run;    /* until it is handed out */
    struct github_report *report;
    struct lease lease;
    struct call *completing;
    struct timer *later;
    struct timer *hard; /* the worker has until then */

    bool cancelled; /* CAUSE says by whom */
    enum assignment_cause cause;
    bool said_cancelled; /* the worker says that it was */
    bool killed;         /* it did not end in time */
    bool lost; /* the lease, for lack of contact: the end is "failed", and tried to be told */
    bool gone; /* the server has taken it away: nothing more is told */
    enum records_result result; /* of one that never began, and so has no report */
    char why[ERR_TEXT_SIZE];    /* the same; of one that cannot be read, from the start */
};

static void job_free(struct job *j)
{
    if (j)
        job_deinit(j);
    free(j);
}

struct assignment *assignment_free(struct assignment *a)
{
    if (!a)
        return NULL;
    lease_end(&a->lease);
    call_free(a->completing);
    timer_free(a->later);
    timer_free(a->hard);
    github_report_free(a->report);
    job_free(a->to_run);
    github_job_deinit(&a->job);
    free(a->billing_owner);
    free(a->key);
    free(a);
    return NULL;
}

enum assignment_state assignment_state(const struct assignment *a)
{
    return a->state;
}

const char *assignment_key(const struct assignment *a)
{
    return a->key;
}

bool assignment_is(const struct assignment *a, const char *job_id)
{
    return slice_eq_nocase(slice_of(a->job.job_id), slice_of(job_id));
}

static void warn(struct assignment *a, const char *what, const char *why)
{
    char text[2 * ERR_TEXT_SIZE];

    snprintf(text, sizeof text, "%s%s%s", what, why && *why ? ": " : "", why ? why : "");
    a->spec.client.warn(a->spec.client.ctx, text);
}

static void over(struct assignment *a)
{
    a->spec.client.over(a->spec.client.ctx);
}

/* ---- the end ---- */

static void on_completed(void *ctx, const struct answer *answer, struct slice body,
                         const struct http_answer *http)
{
    struct assignment *a = ctx;

    (void)body;
    (void)http;
    a->completing = NULL;
    if (answer->kind != ANSWER_FINE)
        warn(a, "the server could not be told of the job's end", answer->text);
    over(a);
}

static struct legacy_finish finish_of(const struct github_settings *s, const struct github_job *j)
{
    return (struct legacy_finish){.server_url = s->server_url,
                                  .url = j->url,
                                  .token = j->token,
                                  .scope_id = j->scope_id,
                                  .plan_type = j->plan_type,
                                  .plan_id = j->plan_id,
                                  .plan_version = j->plan_version,
                                  .pool_id = s->pool_id,
                                  .request_id = j->request_id,
                                  .follow_redirects = j->follow_redirects};
}

/* The steps of a job that was cancelled before it began, as the official runner tells them: it was setting up. */
static json_t *set_up_alone(const struct assignment *a)
{
    const struct records_spec spec = {.job_id = a->job.job_id};
    struct records records;
    char now[CLOCK_STAMP_SIZE];

    clock_stamp(now);
    records_init(&records, &spec);
    records_never_began(&records, a->result, a->why, now);
    json_t *steps = records_step_results(&records);
    records_deinit(&records);
    return steps;
}

static json_t *end_body(const struct assignment *a)
{
    const struct github_job *j = &a->job;

    const char *result = records_result_name(a->result);

    if (j->results_only && !a->report) {
        json_t *body = run_service_lost(j->plan_id, j->job_id, NULL, result, a->why);

        if (a->cancelled)
            json_object_set_new(body, "stepResults", set_up_alone(a));
        return body;
    }
    if (j->results_only)
        return github_report_completion(a->report);
    return a->report ? github_report_plan_event(a->report)
                     : legacy_lost(j->job_id, j->request_id, result);
}

static void complete(struct assignment *a)
{
    const struct github_job *j = &a->job;
    CLEANUP(loose_freep) json_t *body = end_body(a);
    const char *billing = j->billing_owner ? j->billing_owner : a->billing_owner;

    a->state = ASSIGNMENT_COMPLETING;
    a->spec.client.completing(a->spec.client.ctx);
    if (!j->results_only) {
        const struct legacy_finish f = finish_of(a->spec.settings, j);
        a->completing = legacy_complete(a->spec.caller, &f, body, on_completed, a);
        return;
    }
    if (*billing)
        json_object_set_new(body, "billingOwnerId", json_string(billing));
    a->completing = run_service_complete(a->spec.caller, j->url, j->token, body, on_completed, a);
}

static void on_reported(void *ctx)
{
    complete(ctx);
}

static void on_later(void *ctx)
{
    struct assignment *a = ctx;

    a->later = NULL;
    if (a->gone)
        over(a);
    else
        complete(a);
}

/* All that is left is done from the loop. */
static void end_later(struct assignment *a)
{
    a->state = ASSIGNMENT_COMPLETING;
    if (!a->later)
        a->later = loop_timer(a->spec.caller->loop, clock_ms(), on_later, a);
}

static void finish(struct assignment *a, enum records_result result)
{
    job_free(a->to_run);
    a->to_run = NULL;
    a->result = result;
    if (!a->why[0])
        snprintf(a->why, sizeof a->why, "The job was stopped before it began.");
    if (a->gone || !a->report) {
        end_later(a);
        return;
    }
    a->state = ASSIGNMENT_REPORTING;
    github_report_finish(a->report, result, on_reported, a);
}

/* Only the service cancels a job; whoever else stops it makes it fail (9.2). */
static enum records_result result_of(const struct assignment *a, const char *why)
{
    if (a->cancelled && a->cause == ASSIGNMENT_BY_SERVICE)
        return why || a->killed ? RECORDS_CANCELED : RECORDS_NO_RESULT;
    return why || a->lost || a->said_cancelled ? RECORDS_FAILED : RECORDS_NO_RESULT;
}

void assignment_ended(struct assignment *a, const char *why)
{
    if (a->state != ASSIGNMENT_RUNNING)
        return;
    enum records_result result = result_of(a, why);

    a->hard = timer_free(a->hard);
    if (why && a->report && !a->killed) /* else that was told */
        github_report_never_began(a->report, result, why);
    finish(a, result);
}

/* ---- the lease ---- */

static void on_lost(void *ctx, bool gone, const char *why)
{
    struct assignment *a = ctx;
    bool running = a->state == ASSIGNMENT_RUNNING;

    a->lost = true;
    a->gone = gone;
    warn(a, gone ? "the server has taken the job away" : "the server was not reached for too long",
         why);
    if (gone) { /* there is nobody to be told anything */
        a->report = github_report_free(a->report);
        a->completing = call_free(a->completing);
    }
    if (running)
        a->spec.client.stop(a->spec.client.ctx, gone ? "the server has taken the job away"
                                                     : "the server cannot be reached");
    else if (gone)
        end_later(a);
    else if (a->state < ASSIGNMENT_RUNNING)
        finish(a, RECORDS_FAILED);
}

static void on_named(void *ctx, const char *name)
{
    const struct assignment *a = ctx;

    if (a->spec.client.renamed && strcmp(name, a->spec.settings->agent_name) != 0)
        a->spec.client.renamed(a->spec.client.ctx, name);
}

/* ---- from the message to the worker ---- */

/* What a step is called where that is plain before the job runs; NULL: it is not. */
static const char *literal_name(struct arena *arena, const struct job *job, const char *record)
{
    for (size_t i = 0; i < job->n_steps; i++) {
        const struct step *s = &job->steps[i];

        if (s->record && strcmp(s->record, record) == 0 && s->name && s->name->kind == TOKEN_STRING)
            return arena_printf(arena, "%.*s", SLICE_ARG(s->name->text));
    }
    return NULL;
}

static int open_report(struct assignment *a, const struct job *job, struct err *err)
{
    const struct github_job *j = &a->job;
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct records_step *steps = arena_array(&arena, j->n_steps + 1, sizeof *steps);
    struct github_report_spec spec = {
        .records = {.job_id = j->job_id,
                    .name = j->name,
                    .ref_name = job->id,
                    .worker_name = a->spec.settings->agent_name,
                    .steps = steps,
                    .n_steps = j->n_steps},
        .results_only = j->results_only,
        .plan_id = j->plan_id,
        .url = j->url,
        .token = j->token,
        .results_url = j->results_url,
        .feed_url = j->feed_url,
        .timeline_id = j->timeline_id,
        .scope = j->scope_id,
        .plan_type = j->plan_type,
        .request_id = j->request_id,
        .follow_redirects = j->follow_redirects,
        .environment = job->environment,
        .job_annotations = j->send_job_annotations,
        .agent = a->spec.caller->agent,
        .spool = a->spec.spool,
        .batch_ms = a->spec.caller->waits->batch,
        .pause_ms = a->spec.caller->waits->again,
        .note = a->spec.client.warn,
        .ctx = a->spec.client.ctx,
    };

    for (size_t i = 0; i < j->n_steps; i++) {
        const struct github_step *s = &j->steps[i];
        const char *name = literal_name(&arena, job, s->record);

        steps[i] = (struct records_step){.id = s->record,
                                         .name = name         ? name
                                                 : *s->action ? s->action
                                                              : s->context,
                                         .type = s->type,
                                         .action = s->action,
                                         .ref = s->ref,
                                         .context = s->context};
    }
    return github_report_new(&spec, a->spec.caller->http, a->spec.caller->loop, &a->report, err);
}

static void on_begun(void *ctx)
{
    struct assignment *a = ctx;

    a->state = ASSIGNMENT_READY;
    a->spec.client.ready(a->spec.client.ctx);
}

/* The services hear of the job once it is ours. They give an ID token only to a job of which they know that it runs, and a
 * first step may ask for one at once (github-protocol.md 8). */
static void on_held(void *ctx)
{
    struct assignment *a = ctx;
    struct err err = ERR_INIT;

    if (a->state != ASSIGNMENT_LEASING)
        return;
    if (open_report(a, a->to_run, &err) < 0 && !a->why[0])
        snprintf(a->why, sizeof a->why, "%s", err.text);
    if (a->why[0]) { /* it could not be read: whoever waits for it is told in its log */
        warn(a, "the job is not run", a->why);
        if (a->report)
            github_report_never_began(a->report, RECORDS_FAILED, a->why);
        finish(a, RECORDS_FAILED);
        return;
    }
    if (a->job.has_id_tokens)
        github_report_begin(a->report, a->spec.caller->waits->begin, on_begun, a);
    else
        on_begun(a);
}

static char *copy_of(const char *text)
{
    return mem_dup(text ? text : "", text ? strlen(text) : 0);
}

int assignment_new(const struct assignment_spec *spec, struct slice text, struct assignment **ret,
                   struct err *err)
{
    struct assignment *a = mem_new(sizeof *a);
    struct err why = ERR_INIT;

    a->spec = *spec;
    a->billing_owner = copy_of(spec->billing_owner);
    a->to_run = mem_new(sizeof *a->to_run);
    job_init(a->to_run);
    int r = github_message_parse(text, &a->spec.place, a->to_run, &a->job, &why);
    if (r < 0 && !github_job_can_be_told(&a->job)) {
        assignment_free(a);
        *err = why;
        return r;
    }
    a->key = copy_of(a->to_run->key ? a->to_run->key : a->job.job_id);
    if (r < 0)
        snprintf(a->why, sizeof a->why, "%s", why.text);
    lease_begin(
        &a->lease, spec->caller, &a->job, spec->settings->pool_id,
        &(struct lease_client){.held = on_held, .lost = on_lost, .named = on_named, .ctx = a});
    *ret = a;
    return ERR_OK;
}

struct job *assignment_next(struct assignment *a)
{
    struct job *job = a->to_run;

    if (a->state != ASSIGNMENT_READY)
        return NULL;
    a->to_run = NULL;
    a->state = ASSIGNMENT_RUNNING;
    return job;
}

void assignment_event(struct assignment *a, const json_t *event, struct slice log)
{
    if (strcmp(loose_text(event, "event"), "job.finished") == 0)
        a->said_cancelled = strcmp(loose_text(event, "result"), "cancelled") == 0;
    if (a->report && a->state == ASSIGNMENT_RUNNING)
        github_report_event(a->report, event, log);
}

/* Whoever waits for the end learns of it while it still waits. */
static void on_hard(void *ctx)
{
    static const char why[] =
        "The job did not end in the time that a cancelled job has: it was killed.";
    struct assignment *a = ctx;

    a->hard = NULL;
    a->killed = true;
    warn(a, "the job does not end in the time that it has, and is killed", NULL);
    if (a->report)
        github_report_issue(a->report, RECORDS_ERROR, why);
    a->spec.client.kill(a->spec.client.ctx, why);
}

static void give_time(struct assignment *a, int64_t timeout_ms)
{
    const struct github_waits *w = a->spec.caller->waits;
    int64_t time = timeout_ms > w->cancel_least ? timeout_ms : w->cancel_least;

    if (a->spec.client.kill)
        a->hard =
            loop_timer(a->spec.caller->loop, clock_ms() + time - w->cancel_margin, on_hard, a);
}

bool assignment_cancel(struct assignment *a, enum assignment_cause cause, const char *why,
                       int64_t timeout_ms)
{
    if (a->cancelled || a->state > ASSIGNMENT_RUNNING)
        return false;
    a->cancelled = true;
    a->cause = cause;
    if (a->report && cause == ASSIGNMENT_BY_SHUTDOWN)
        github_report_issue(a->report, RECORDS_ERROR, why);
    if (a->state == ASSIGNMENT_RUNNING) {
        give_time(a, timeout_ms);
        a->spec.client.stop(a->spec.client.ctx, why);
        return true;
    }
    snprintf(a->why, sizeof a->why, "%s",
             cause == ASSIGNMENT_BY_SERVICE ? "The operation was canceled." : why);
    a->result = cause == ASSIGNMENT_BY_SERVICE ? RECORDS_CANCELED : RECORDS_FAILED;
    if (a->report)
        github_report_never_began(a->report, a->result, a->why);
    finish(a, a->result);
    return true;
}

/* ---- after a crash ---- */

static void add_text(json_t *to, const char *name, const char *text)
{
    if (text && *text)
        json_object_set_new(to, name, json_string(text));
}

json_t *assignment_lease(const struct assignment *a)
{
    const struct github_job *j = &a->job;

    if (a->gone || !github_job_can_be_told(j))
        return NULL;
    json_t *lease =
        json_pack("{s:s, s:b, s:b, s:I, s:I, s:I}", "kind", "github", "results_only",
                  (int)j->results_only, "follow_redirects", (int)j->follow_redirects, "request_id",
                  (json_int_t)j->request_id, "plan_version", (json_int_t)j->plan_version, "pool_id",
                  (json_int_t)a->spec.settings->pool_id);
    add_text(lease, "server_url", a->spec.settings->server_url);
    add_text(lease, "url", j->url);
    add_text(lease, "token", j->token);
    add_text(lease, "plan_id", j->plan_id);
    add_text(lease, "job_id", j->job_id);
    add_text(lease, "scope_id", j->scope_id);
    add_text(lease, "plan_type", j->plan_type);
    add_text(lease, "billing_owner", j->billing_owner ? j->billing_owner : a->billing_owner);
    return lease;
}

struct call *assignment_recover(struct caller *c, const json_t *lease, call_fn *done, void *ctx)
{
    static const char why[] = "The runner was stopped while the job ran on it.";
    const char *url = loose_text(lease, "url"), *token = loose_text(lease, "token");
    const char *plan = loose_text(lease, "plan_id"), *job = loose_text(lease, "job_id");

    if (strcmp(loose_text(lease, "kind"), "github") != 0 || !*url || !*token || !*plan || !*job)
        return NULL;
    if (loose_bool(lease, "results_only", true)) {
        CLEANUP(loose_freep)
        json_t *body =
            run_service_lost(plan, job, loose_text(lease, "billing_owner"), "failed", why);
        return run_service_complete(c, url, token, body, done, ctx);
    }
    const struct legacy_finish f = {.server_url = loose_text(lease, "server_url"),
                                    .url = url,
                                    .token = token,
                                    .scope_id = loose_text(lease, "scope_id"),
                                    .plan_type = loose_text(lease, "plan_type"),
                                    .plan_id = plan,
                                    .plan_version = loose_int(lease, "plan_version", 0),
                                    .pool_id = loose_int(lease, "pool_id", 0),
                                    .request_id = loose_int(lease, "request_id", 0),
                                    .follow_redirects =
                                        loose_bool(lease, "follow_redirects", false)};
    CLEANUP(loose_freep) json_t *event = legacy_lost(job, f.request_id, "failed");
    return legacy_complete(c, &f, event, done, ctx);
}
