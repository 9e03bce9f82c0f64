#include "queue/github/report/report.h"

#include "queue/github/report/feed.h"
#include "queue/github/report/results.h"
#include "queue/github/report/spool.h"
#include "queue/github/report/timeline.h"
#include "queue/loose.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH_MS = 500, PAUSE_MS = 1000, DRAIN_MS = 10 * 60 * 1000 };

struct step_log { /* of a step that has begun */
    const struct record *record;
    int64_t step;
    struct spool_log *log; /* NULL: it has said nothing yet */
    bool open;             /* its last line goes on */
    bool ended;
    bool summarised; /* its id is taken by a summary */
};

struct github_report {
    struct loop *loop;
    struct records records;
    struct spool *spool;
    struct results *results;   /* NULL: there is no such service */
    struct timeline *timeline; /* NULL: the job came as a RunnerJobRequest */
    struct feed *feed;         /* NULL: there is no way for live lines */
    VEC(struct step_log) logs;
    bool job_logged; /* the job's log is on its way */
    char *plan_id, *environment;
    int64_t request_id;
    bool job_annotations;

    void (*note)(void *ctx, const char *text);
    void *note_ctx;

    struct timer
        *begun; /* it waits for no more than that for the service to have heard of its job */
    void (*heard)(void *ctx);
    void *heard_ctx;

    bool finishing;
    int64_t drain_ms;
    struct timer *give_up, *end;
    void (*done)(void *ctx);
    void *done_ctx;
};

static char *copy_of(const char *text)
{
    return text && *text ? mem_dup(text, strlen(text)) : NULL;
}

/* ---- logs ---- */

static struct step_log *log_of(struct github_report *r, int64_t step)
{
    for (size_t i = r->logs.len; i-- > 0;)
        if (r->logs.ptr[i].step == step)
            return &r->logs.ptr[i];
    return NULL;
}

static void send_log(struct github_report *r, const char *id, struct spool_log *log)
{
    if (r->results)
        results_log(r->results, id, log);
    if (r->timeline)
        timeline_log(r->timeline, id, log);
}

static void tell_grown(struct github_report *r)
{
    if (r->results)
        results_grown(r->results);
    if (r->timeline)
        timeline_grown(r->timeline);
}

static void add_log(struct github_report *r, const json_t *event, struct slice text)
{
    struct step_log *s = log_of(r, json_integer_value(json_object_get(event, "step")));
    const char *time = json_string_value(json_object_get(event, "time"));
    char now[CLOCK_STAMP_SIZE];

    if (!s || s->ended)
        return;
    if (!s->log) {
        s->log = spool_log_new(r->spool);
        send_log(r, s->record->id, s->log);
    }
    if (!r->job_logged)
        send_log(r, NULL, spool_job(r->spool));
    r->job_logged = true;
    if (!time || strlen(time) != CLOCK_STAMP_SIZE - 1) {
        clock_stamp(now);
        time = now;
    }
    if (r->feed)
        feed_add(r->feed, s->record->id, spool_lines(s->log) + 1, text, s->open);
    s->open = json_is_true(json_object_get(event, "part"));
    spool_add(s->log, text, slice_of(time), s->open);
    tell_grown(r);
}

static void end_log(struct step_log *s)
{
    s->ended = true;
    if (s->log)
        spool_end(s->log);
}

/* ---- summaries ---- */

/* Each of a step's summaries is shown with an id of its own: those of the steps inside a composite action come with
 * the number of that action. */
static void add_summary(struct github_report *r, const json_t *event)
{
    struct step_log *s = log_of(r, json_integer_value(json_object_get(event, "step")));
    const json_t *text = json_object_get(event, "markdown");
    struct slice markdown = slice_make(json_string_value(text), json_string_length(text));
    char id[RANDOM_UUID_SIZE];

    if (!s || !markdown.len)
        return;
    random_uuid(id);
    if (!s->summarised)
        memcpy(id, s->record->id, sizeof id);
    s->summarised = true;
    if (r->results)
        results_summary(r->results, id, markdown);
    if (r->timeline)
        timeline_summary(r->timeline, id, markdown);
}

/* ---- events ---- */

static void tell_changed(struct github_report *r)
{
    if (r->results)
        results_changed(r->results);
    if (r->timeline)
        timeline_changed(r->timeline);
}

void github_report_event(struct github_report *r, const json_t *event, struct slice log)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    int64_t step = json_integer_value(json_object_get(event, "step"));
    struct step_log *s = log_of(r, step);
    char now[CLOCK_STAMP_SIZE];

    if (!name || r->finishing)
        return;
    if (strcmp(name, "log") == 0) {
        add_log(r, event, log);
        return;
    }
    if (strcmp(name, "summary") == 0) {
        add_summary(r, event);
        return;
    }
    clock_stamp(now);
    const struct record *one =
        records_event(&r->records, event, s && s->log ? spool_lines(s->log) : 0, now);
    if (one && strcmp(name, "step.started") == 0)
        vec_push(&r->logs, (struct step_log){.record = one, .step = step});
    if (s && strcmp(name, "step.finished") == 0) {
        end_log(s);
        tell_grown(r);
    }
    tell_changed(r);
}

void github_report_issue(struct github_report *r, enum records_level level, const char *text)
{
    records_job_issue(&r->records, level, text);
    tell_changed(r);
}

void github_report_never_began(struct github_report *r, enum records_result result, const char *why)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(2 * ERR_TEXT_SIZE);
    CLEANUP(loose_freep) json_t *event = json_pack("{s:i}", "step", RECORDS_SET_UP);
    char now[CLOCK_STAMP_SIZE];

    clock_stamp(now);
    const struct record *set_up = records_never_began(&r->records, result, why, now);
    if (!set_up) {
        github_report_issue(r, RECORDS_ERROR, why);
        return;
    }
    vec_push(&r->logs, (struct step_log){.record = set_up, .step = RECORDS_SET_UP});
    buf_printf(&line, "##[error]%s\n", why);
    add_log(r, event, buf_slice(&line));
    tell_changed(r);
}

/* ---- the beginning ---- */

static void on_begun(void *ctx)
{
    struct github_report *r = ctx;

    r->begun = NULL;
    r->heard(r->heard_ctx);
}

void github_report_begin(struct github_report *r, int64_t wait_ms, void (*done)(void *ctx),
                         void *ctx)
{
    CLEANUP(loose_freep) json_t *event = json_pack("{s:s}", "event", "job.started");

    r->heard = done;
    r->heard_ctx = ctx;
    r->begun = loop_timer(r->loop, clock_ms() + (r->timeline ? wait_ms : 0), on_begun, r);
    if (!r->timeline)
        return;
    github_report_event(r, event, slice_make(NULL, 0));
    timeline_hurry(r->timeline);
}

/* ---- the end ---- */

static void tell_trouble(struct github_report *r, const char *text)
{
    if (text && r->note)
        r->note(r->note_ctx, text);
}

static void on_end(void *ctx)
{
    struct github_report *r = ctx;
    char text[120];

    r->end = NULL;
    r->give_up = timer_free(r->give_up);
    if (spool_left_out(r->spool)) {
        snprintf(text, sizeof text, "%lld lines of the job's log were left out: too much waited",
                 (long long)spool_left_out(r->spool));
        tell_trouble(r, text);
    }
    if (r->results)
        tell_trouble(r, results_trouble(r->results));
    if (r->timeline)
        tell_trouble(r, timeline_trouble(r->timeline));
    r->done(r->done_ctx);
}

static bool is_idle(const struct github_report *r)
{
    return (!r->results || results_idle(r->results)) &&
           (!r->timeline || timeline_idle(r->timeline)) && (!r->feed || feed_idle(r->feed));
}

static void on_progress(void *ctx)
{
    struct github_report *r = ctx;

    if (r->begun && r->records.job.told & RECORDS_FOR_TIMELINE) { /* from the loop, as all ends */
        timer_free(r->begun);
        r->begun = loop_timer(r->loop, clock_ms(), on_begun, r);
    }
    if (r->finishing && !r->end && is_idle(r))
        r->end = loop_timer(r->loop, clock_ms(), on_end, r);
}

/* Whoever is behind the job waits: what has not gone by now stays here. */
static void on_give_up(void *ctx)
{
    struct github_report *r = ctx;

    r->give_up = NULL;
    if (r->results)
        results_stop(r->results);
    if (r->timeline)
        timeline_stop(r->timeline);
    if (!r->end)
        r->end = loop_timer(r->loop, clock_ms(), on_end, r);
}

void github_report_finish(struct github_report *r, enum records_result result,
                          void (*done)(void *ctx), void *ctx)
{
    char now[CLOCK_STAMP_SIZE];

    clock_stamp(now);
    records_end(&r->records, result, now);
    VEC_EACH (s, &r->logs)
        end_log(s);
    spool_end(spool_job(r->spool));
    r->begun = timer_free(r->begun);
    r->finishing = true;
    r->done = done;
    r->done_ctx = ctx;
    r->give_up = loop_timer(r->loop, clock_ms() + r->drain_ms, on_give_up, r);
    if (r->results)
        results_finish(r->results);
    if (r->timeline)
        timeline_finish(r->timeline);
    if (r->feed)
        feed_finish(r->feed);
    on_progress(r);
}

enum records_result github_report_result(const struct github_report *r)
{
    return r->records.job.result;
}

json_t *github_report_completion(const struct github_report *r)
{
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:[]}", "planId", r->plan_id, "jobId", r->records.job.id,
        "conclusion", records_result_name(r->records.job.result), "outputs",
        records_outputs(&r->records), "stepResults", records_step_results(&r->records),
        "annotations", r->job_annotations ? records_job_annotations(&r->records) : json_array(),
        "telemetry");

    if (r->records.environment_url)
        json_object_set_new(j, "environmentUrl", json_string(r->records.environment_url));
    return j;
}

json_t *github_report_plan_event(const struct github_report *r)
{
    json_t *j = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:[]}", "name", "JobCompleted", "jobId",
                          r->records.job.id, "requestId", (json_int_t)r->request_id, "result",
                          records_result_name(r->records.job.result), "outputs",
                          records_outputs(&r->records), "actionsStepsTelemetry",
                          records_telemetry(&r->records), "jobTelemetry");

    if (r->environment)
        json_object_set_new(
            j, "actionsEnvironment",
            json_pack("{s:s, s:s*}", "name", r->environment, "url", r->records.environment_url));
    return j;
}

/* ---- making one ---- */

static bool is_there(const char *text)
{
    return text && *text;
}

static bool can_post(void *ctx)
{
    const struct github_report *r = ctx;

    return timeline_can_feed(r->timeline);
}

static void post(void *ctx, json_t *message)
{
    const struct github_report *r = ctx;

    timeline_feed(r->timeline, message);
}

static void open_feed(struct github_report *r, const struct github_report_spec *spec,
                      struct http *http)
{
    if (!r->timeline && !is_there(spec->feed_url))
        return;
    r->feed = feed_new(&(struct feed_spec){.http = http,
                                           .loop = r->loop,
                                           .url = spec->feed_url,
                                           .token = spec->token,
                                           .agent = spec->agent,
                                           .can_post = can_post,
                                           .post = r->timeline ? post : NULL,
                                           .progress = on_progress,
                                           .ctx = r});
}

static void open_services(struct github_report *r, const struct github_report_spec *spec,
                          struct http *http)
{
    int64_t batch_ms = spec->batch_ms ? spec->batch_ms : BATCH_MS;
    int64_t pause_ms = spec->pause_ms ? spec->pause_ms : PAUSE_MS;

    if (is_there(spec->results_url))
        r->results = results_new(&(struct results_spec){.http = http,
                                                        .loop = r->loop,
                                                        .url = spec->results_url,
                                                        .token = spec->token,
                                                        .agent = spec->agent,
                                                        .plan_id = spec->plan_id,
                                                        .job_id = spec->records.job_id,
                                                        .records = &r->records,
                                                        .spool = r->spool,
                                                        .batch_ms = batch_ms,
                                                        .pause_ms = pause_ms,
                                                        .beside = !spec->results_only,
                                                        .progress = on_progress,
                                                        .ctx = r});
    if (!spec->results_only)
        r->timeline =
            timeline_new(&(struct timeline_spec){.http = http,
                                                 .loop = r->loop,
                                                 .url = spec->url,
                                                 .token = spec->token,
                                                 .agent = spec->agent,
                                                 .scope = spec->scope,
                                                 .plan_type = spec->plan_type,
                                                 .plan_id = spec->plan_id,
                                                 .timeline_id = spec->timeline_id,
                                                 .follow_redirects = spec->follow_redirects,
                                                 .records = &r->records,
                                                 .spool = r->spool,
                                                 .batch_ms = batch_ms,
                                                 .pause_ms = pause_ms,
                                                 .progress = on_progress,
                                                 .ctx = r});
}

int github_report_new(const struct github_report_spec *spec, struct http *http, struct loop *loop,
                      struct github_report **ret, struct err *err)
{
    unsigned readers = (is_there(spec->results_url) ? 1u << SPOOL_RESULTS : 0u) |
                       (spec->results_only ? 0u : 1u << SPOOL_TIMELINE);
    struct spool *spool;

    if (!is_there(spec->token) || !is_there(spec->url))
        return err_set(err, ERR_INVALID, "the job does not say where it is reported");
    if (spool_new(spec->spool, readers, 0, &spool, err) < 0)
        return err->code;
    struct github_report *r = mem_new(sizeof *r);
    r->loop = loop;
    r->spool = spool;
    records_init(&r->records, &spec->records);
    r->plan_id = copy_of(spec->plan_id);
    r->environment = copy_of(spec->environment);
    r->request_id = spec->request_id;
    r->job_annotations = spec->job_annotations;
    r->note = spec->note;
    r->note_ctx = spec->ctx;
    r->drain_ms = spec->drain_ms ? spec->drain_ms : DRAIN_MS;
    open_services(r, spec, http);
    open_feed(r, spec, http);
    *ret = r;
    return ERR_OK;
}

struct github_report *github_report_free(struct github_report *r)
{
    if (!r)
        return NULL;
    timer_free(r->begun);
    timer_free(r->give_up);
    timer_free(r->end);
    results_free(r->results);
    timeline_free(r->timeline);
    feed_free(r->feed);
    spool_free(r->spool);
    records_deinit(&r->records);
    vec_deinit(&r->logs);
    free(r->plan_id);
    free(r->environment);
    free(r);
    return NULL;
}
