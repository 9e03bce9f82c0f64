#include "queue/gitea/report.h"

#include "queue/backoff.h"

#include <inttypes.h>

enum {
    FIRST_WAIT_MS = 500,
    MOST_WAIT_MS = 10000, /* far below the server's ten minutes */
    QUICK_MS = 1000,      /* steps that change quickly are told that often */
    FLUSH_ROWS = 100,     /* so many do not wait */
    BATCH_MIN = 2 << 10,
    OUTPUTS_MAX = 256 << 10, /* bytes of a call */
    SUMMARY_MS = 20000,
    SUMMARY_TRIES = 2,
};

enum phase {
    PHASE_SYNC,      /* another process's task: how many rows are there? */
    PHASE_RUNNING,   /* the job is */
    PHASE_SUMMARIES, /* from here on it is over */
    PHASE_OUTPUTS,
    PHASE_LOG,
    PHASE_RESULT,
    PHASE_LOST, /* nothing is told any more */
};

/* One of the two conversations with the server. */
struct talk {
    struct connect_call *call;
    struct backoff backoff;
    int64_t at;               /* not before; 0: at once */
    int64_t left_alone_until; /* the server wants that */
    unsigned refused;         /* in a row, by the server itself */
};

struct gitea_report {
    struct gitea_report_spec spec;
    struct display display;
    json_t *steps;     /* of a task that was taken over; owned; else NULL: the display's */
    json_t *confirmed; /* outputs that the server has; object */
    enum phase phase;
    enum queue_result result;
    enum gitea_report_end how; /* PHASE_LOST */
    bool ended;                /* the job is */
    bool cancelled;            /* the server wants it to end */
    bool dead;                 /* and has ended the task itself, with its tokens */
    struct timer *timer;
    int64_t deadline; /* of the phase */

    struct talk log;
    int64_t acked, sent; /* rows that the server has; those under way */
    bool closed, last;   /* it takes no more; what is under way ends the log */
    size_t batch;        /* bytes, smaller after a proxy refused more */
    int64_t rows_since;  /* the oldest waits since; 0: there is none */

    struct talk state;
    int64_t beat_at;  /* when the last one began */
    bool told_result; /* the last one had it */

    struct http_call *summary;
    size_t next_summary;
};

static void tick(struct gitea_report *r);

static int64_t pause_of(const struct gitea_report *r, int64_t ms)
{
    return connect_pause(r->spec.connect, ms);
}

/* ---- ending ---- */

static void stop_job(struct gitea_report *r, const char *why)
{
    if (!r->cancelled && !r->ended)
        r->spec.stop(r->spec.ctx, why);
    r->cancelled = true;
}

static void hang_up(struct gitea_report *r)
{
    r->log.call = connect_call_free(r->log.call);
    r->state.call = connect_call_free(r->state.call);
    if (r->summary)
        r->summary = http_call_free(r->summary);
    r->timer = timer_free(r->timer);
}

static void tell_over(void *ctx)
{
    struct gitea_report *r = ctx;

    r->timer = NULL;
    r->spec.over(r->spec.ctx, r->how);
}

/* Nothing is told any more. Whoever hears of it frees the report, so it is not said from in here. */
static void over(struct gitea_report *r, enum gitea_report_end how)
{
    hang_up(r);
    r->phase = PHASE_LOST;
    r->how = how;
    if (r->ended)
        r->timer = loop_timer(r->spec.connect->loop, clock_ms(), tell_over, r);
}

/* The task is not ours any more: its job is stopped. */
static void lose(struct gitea_report *r, enum gitea_report_end how, const char *why)
{
    over(r, how);
    stop_job(r, why);
}

/* ---- trying again ---- */

enum verdict { VERDICT_AGAIN, VERDICT_NO, VERDICT_UNREGISTERED };

/* A server that states a fault of its own may mean that the task is not ours, or that its database is busy: the text does
 * not tell (1.6). So it is asked a few times, and then believed. Everything else passes. */
static enum verdict judge(struct talk *t, const struct connect_fault *f)
{
    bool never = f->said && f->code == CONNECT_INVALID_ARGUMENT; /* a bug of ours */
    bool no = f->said && (f->code == CONNECT_INTERNAL || f->code == CONNECT_NOT_FOUND ||
                          f->code == CONNECT_UNKNOWN || f->code == CONNECT_PERMISSION_DENIED ||
                          f->code == CONNECT_FAILED_PRECONDITION);

    if (connect_is_unregistered(f))
        return VERDICT_UNREGISTERED;
    t->at = connect_again_at(f, &t->backoff);
    t->left_alone_until = f->retry_ms ? t->at : 0;
    t->refused = no || never ? t->refused + (never ? 3 : 1) : 0;
    return t->refused >= REPORT_TRIES ? VERDICT_NO : VERDICT_AGAIN;
}

static void talk_went_well(struct talk *t)
{
    backoff_reset(&t->backoff);
    t->refused = 0;
    t->at = t->left_alone_until = 0;
}

/* ---- the order at the end ---- */

static void enter(struct gitea_report *r, enum phase phase)
{
    static const int64_t patience[] = {[PHASE_SYNC] = REPORT_LOG_MS,
                                       [PHASE_OUTPUTS] = REPORT_OUTPUTS_MS,
                                       [PHASE_LOG] = REPORT_LOG_MS,
                                       [PHASE_RESULT] = REPORT_RESULT_MS,
                                       [PHASE_LOST] = 0};

    r->phase = phase;
    r->deadline = patience[phase] ? clock_ms() + patience[phase] : CLOCK_NEVER;
}

static const char *last_row(enum queue_result result)
{
    static const char *const rows[QUEUE_RESULTS] = {
        [QUEUE_SUCCESS] = "Job succeeded",
        [QUEUE_FAILURE] = "Job failed",
        [QUEUE_CANCELLED] = "Job cancelled",
        [QUEUE_SKIPPED] = "Job skipped",
    };

    return rows[result];
}

/* The row that is written now goes with the word that no more come: a call without a new row would not end the log (4.1). */
static void end_log(struct gitea_report *r)
{
    struct display *d = &r->display;

    if (d->rows.left_out + d->tail.left_out) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(200);

        buf_printf(&text,
                   "##[warning]%" PRId64 " lines are left out: the server was away, and there "
                   "was no room to keep them",
                   d->rows.left_out + d->tail.left_out);
        d->rows.left_out = d->tail.left_out = 0;
        display_say(d, text.ptr);
    }
    display_say(d, last_row(r->result));
    enter(r, PHASE_LOG);
}

static const char *unconfirmed(const struct gitea_report *r)
{
    const char *name;
    json_t *value;

    json_object_foreach (r->display.outputs, name, value)
        if (!json_object_get(r->confirmed, name))
            return name;
    return NULL;
}

/* ---- summaries ---- */

static void summary_sent(void *ctx, struct http_answer *a, const struct err *err)
{
    struct gitea_report *r = ctx;

    (void)a; /* best effort: the job is not judged by it */
    (void)err;
    r->summary = NULL;
    r->next_summary++;
    tick(r);
}

static bool put_summary(struct gitea_report *r, size_t nth)
{
    const struct shown_summary *s = &r->display.summaries.ptr[nth];
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(4096), bearer = BUF_INIT(64 << 10);
    struct err ignored = ERR_INIT;

    buf_printf(&url, "%s%zu/summary", r->spec.summary, s->step);
    buf_printf(&bearer, "Authorization: Bearer %s", r->spec.runtime_token);
    const char *const headers[] = {"Content-Type: text/markdown; charset=utf-8", bearer.ptr, NULL};
    const struct http_request q = {
        .method = "PUT",
        .url = url.ptr,
        .headers = headers,
        .body = slice_make(json_string_value(s->markdown), json_string_length(s->markdown)),
        .tries = SUMMARY_TRIES,
        .total_ms = SUMMARY_MS,
    };
    int code = http_start(r->spec.connect->http, &q, summary_sent, r, &r->summary, &ignored);

    explicit_bzero(bearer.ptr, bearer.len);
    return code == ERR_OK;
}

/* Those of one step become one, in their order. */
static void join_summaries(struct display *d)
{
    for (size_t i = 0; i < d->summaries.len; i++)
        for (size_t k = i + 1; k < d->summaries.len;) {
            struct shown_summary *a = &d->summaries.ptr[i], *b = &d->summaries.ptr[k];

            if (a->step != b->step) {
                k++;
                continue;
            }
            json_t *both = json_sprintf("%s\n%s", json_string_value(a->markdown),
                                        json_string_value(b->markdown));
            json_decref(a->markdown);
            json_decref(b->markdown);
            a->markdown = both;
            vec_remove(&d->summaries, k);
        }
}

static void summaries_told(void *ctx, json_t *answer, const struct connect_fault *fault,
                           const struct http_answer *raw)
{
    struct gitea_report *r = ctx;

    (void)answer;
    (void)fault;
    (void)raw;
    r->log.call = NULL;
    r->next_summary = r->display.summaries.len;
    tick(r);
}

/* Forgejo's way: one text for the job. It takes the place of a call about the log. */
static void call_summary(struct gitea_report *r)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 * DISPLAY_SUMMARY_MAX);

    VEC_EACH (s, &r->display.summaries) {
        buf_add(&text, slice_make(json_string_value(s->markdown), json_string_length(s->markdown)));
        buf_add_char(&text, '\n');
    }
    r->log.call = connect_start(r->spec.connect, "UpdateJobSummary",
                                json_pack("{s:o, s:s%}", "taskId", connect_int_new(r->spec.task),
                                          "summary", text.ptr, text.len),
                                NULL, summaries_told, r);
}

/* A server that lets a cancelled job tidy up keeps its tokens until then; Forgejo has none, and ends the task at once
 * (2.7). */
static void tell_summaries(struct gitea_report *r)
{
    size_t n = r->display.summaries.len;

    if (r->summary || r->log.call)
        return;
    if (r->dead)
        n = 0;
    if (r->spec.summary_call && r->next_summary < n) {
        call_summary(r);
        return;
    }
    while (r->spec.summary && r->next_summary < n) {
        if (put_summary(r, r->next_summary))
            return;
        r->next_summary++;
    }
    enter(r, PHASE_OUTPUTS);
}

/* ---- the log ---- */

static void log_told(void *ctx, json_t *answer, const struct connect_fault *fault,
                     const struct http_answer *raw);

static void log_fault(struct gitea_report *r, const struct connect_fault *f)
{
    r->log.call = NULL;
    if (f->said && f->code == CONNECT_ALREADY_EXISTS) {
        r->closed = true;
        return;
    }
    if (f->code == CONNECT_RESOURCE_EXHAUSTED && r->batch > BATCH_MIN) {
        r->batch /= 2;
        return;
    }
    switch (judge(&r->log, f)) {
    case VERDICT_AGAIN:
        break;
    case VERDICT_NO:
        r->closed = true;
        break;
    case VERDICT_UNREGISTERED:
        lose(r, REPORT_UNREGISTERED, "the server does not know this runner any more");
        break;
    }
}

static void log_acked(struct gitea_report *r, int64_t count)
{
    int64_t most = r->acked + r->sent;

    if (count < r->acked) { /* it has lost rows: what comes now would stand in the wrong place */
        r->closed = true;
        return;
    }
    count = count > most ? most : count;
    rows_drop(&r->display.rows, count - r->acked);
    if (count == r->acked && r->sent) { /* nothing was taken: not so fast */
        r->log.at = clock_ms() + backoff_next(&r->log.backoff);
        r->closed = ++r->log.refused >= REPORT_TRIES;
    } else {
        talk_went_well(&r->log);
    }
    r->closed = r->closed || (r->last && count == most);
    r->acked = count;
    r->rows_since = r->display.rows.count ? clock_ms() : 0;
}

/* How far another process came: our rows go behind that. */
static void log_synced(struct gitea_report *r, int64_t count)
{
    talk_went_well(&r->log);
    r->acked = count;
    r->display.total += count;
    enter(r, PHASE_OUTPUTS);
}

static void log_told(void *ctx, json_t *answer, const struct connect_fault *fault,
                     const struct http_answer *raw)
{
    struct gitea_report *r = ctx;
    struct err err = ERR_INIT;
    int64_t count;

    (void)raw;
    r->log.call = NULL;
    if (fault)
        log_fault(r, fault);
    else if (connect_int(answer, "ackIndex", &count, &err) != ERR_OK || count < 0)
        r->closed = true;
    else if (r->phase == PHASE_SYNC)
        log_synced(r, count);
    else
        log_acked(r, count);
    tick(r);
}

static bool log_is_due(const struct gitea_report *r, int64_t now)
{
    const struct rows *rows = &r->display.rows;

    if (r->log.call || r->closed || now < r->log.at)
        return false;
    if (r->phase == PHASE_SYNC)
        return true;
    return rows->count &&
           (r->phase == PHASE_LOG || rows->count >= FLUSH_ROWS || r->display.changed ||
            now >= r->rows_since + pause_of(r, REPORT_ROWS_MS));
}

static void send_rows(struct gitea_report *r)
{
    json_t *request = json_pack("{s:o}", "taskId", connect_int_new(r->spec.task));
    struct rows *rows = &r->display.rows;

    r->sent = 0;
    r->last = false;
    if (r->phase != PHASE_SYNC) {
        json_object_set_new(request, "index", connect_int_new(r->acked));
        json_object_set_new(request, "rows", rows_batch(rows, ROWS_BATCH_ROWS, r->batch, &r->sent));
        r->last = r->phase == PHASE_LOG && r->sent == rows->count;
        if (r->last)
            json_object_set_new(request, "noMore", json_true());
    }
    if (r->phase != PHASE_SYNC && !r->sent) { /* the file that has them cannot be read */
        r->closed = true;
        json_decref(request);
        return;
    }
    r->log.call = connect_start(r->spec.connect, "UpdateLog", request, NULL, log_told, r);
}

/* ---- the state ---- */

static void take_confirmed(struct gitea_report *r, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "sentOutputs");
    size_t i;
    json_t *name;

    json_array_foreach (list, i, name)
        if (json_is_string(name))
            json_object_set_new(r->confirmed, json_string_value(name), json_true());
}

static void state_fault(struct gitea_report *r, const struct connect_fault *f)
{
    bool final = r->phase == PHASE_RESULT;

    switch (judge(&r->state, f)) {
    case VERDICT_AGAIN:
        break;
    case VERDICT_NO:
        if (!final)
            lose(r, REPORT_GIVEN_UP, "the server does not take this job from us any more");
        else if (f->code == CONNECT_INVALID_ARGUMENT)
            over(r, REPORT_GIVEN_UP);
        break;
    case VERDICT_UNREGISTERED:
        if (final) /* an ephemeral runner goes with its job, and the answer was lost */
            over(r, REPORT_UNREGISTERED);
        else
            lose(r, REPORT_UNREGISTERED, "the server does not know this runner any more");
        break;
    }
}

static void state_told(void *ctx, json_t *answer, const struct connect_fault *fault,
                       const struct http_answer *raw)
{
    struct gitea_report *r = ctx;
    const char *result =
        json_string_value(json_object_get(json_object_get(answer, "state"), "result"));

    (void)raw;
    r->state.call = NULL;
    if (fault) {
        state_fault(r, fault);
    } else {
        talk_went_well(&r->state);
        take_confirmed(r, answer);
        if (r->told_result) {
            over(r, REPORT_DONE);
            return;
        }
        r->dead = r->dead ||
                  (result && (strcmp(result, "RESULT_CANCELLED") != 0 || r->spec.summary_call));
        if (result)
            stop_job(r, strcmp(result, "RESULT_CANCELLED") == 0
                            ? "the server cancelled the job"
                            : "the server has ended the job: it took too long, or we were away");
    }
    tick(r);
}

static bool state_is_due(const struct gitea_report *r, int64_t now)
{
    if (r->state.call || now < r->state.at)
        return false;
    if (r->phase == PHASE_RESULT || now >= r->beat_at + pause_of(r, REPORT_BEAT_MS))
        return true;
    return (r->display.changed || (r->phase == PHASE_OUTPUTS && unconfirmed(r))) &&
           now >= r->beat_at + pause_of(r, QUICK_MS);
}

static json_t *some_outputs(const struct gitea_report *r)
{
    json_t *some = json_object(), *value;
    const char *name;
    size_t size = 0;

    json_object_foreach (r->display.outputs, name, value) {
        if (json_object_get(r->confirmed, name))
            continue;
        size += strlen(name) + json_string_length(value);
        if (size > OUTPUTS_MAX && json_object_size(some))
            break;
        json_object_set(some, name, value);
    }
    return some;
}

static void send_state(struct gitea_report *r)
{
    char now[CLOCK_STAMP_SIZE];
    json_t *steps = r->steps ? json_incref(r->steps) : display_steps(&r->display);
    json_t *state = json_pack("{s:o, s:o}", "id", connect_int_new(r->spec.task), "steps", steps);
    json_t *request = json_pack("{s:o}", "state", state);

    if (r->phase == PHASE_RESULT) {
        clock_stamp(now);
        json_object_set_new(state, "result", json_string(display_result(r->result)));
        json_object_set_new(state, "stoppedAt", json_string(now));
    } else if (r->phase == PHASE_OUTPUTS) {
        json_object_set_new(request, "outputs", some_outputs(r));
    }
    r->told_result = r->phase == PHASE_RESULT;
    r->display.changed = false;
    r->beat_at = clock_ms();
    r->state.call = connect_start(r->spec.connect, "UpdateTask", request, NULL, state_told, r);
}

/* ---- what is to be done now, and when to look again ---- */

static void advance(struct gitea_report *r, int64_t now)
{
    if (r->phase == PHASE_SYNC && !r->log.call && (r->closed || now >= r->deadline)) {
        r->closed = true;
        enter(r, PHASE_OUTPUTS);
    }
    if (r->closed)
        rows_drop(&r->display.rows, r->display.rows.count);
    if (r->phase == PHASE_SUMMARIES)
        tell_summaries(r);
    if (r->phase == PHASE_OUTPUTS) {
        const char *name = unconfirmed(r);

        if (name && now >= r->deadline) {
            CLEANUP(buf_deinit) struct buf text = BUF_INIT(400);

            buf_printf(&text, "##[warning]The server has not confirmed the output '%.100s'", name);
            display_say(&r->display, text.ptr);
            name = NULL;
        }
        if (!name && !r->log.call)
            end_log(r);
    }
    if (r->phase == PHASE_LOG && !r->log.call &&
        (r->closed || !r->display.rows.count || now >= r->deadline)) {
        enter(r, PHASE_RESULT);
        r->state.at = r->state.left_alone_until;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void wake(void *ctx)
{
    struct gitea_report *r = ctx;

    r->timer = NULL;
    tick(r);
}

/* The next time at which something is due that nobody else will wake us for. */
static int64_t next_look(const struct gitea_report *r)
{
    int64_t at = r->deadline;

    if (!r->state.call) {
        bool soon = r->display.changed || r->phase == PHASE_OUTPUTS;
        int64_t beat = r->beat_at + pause_of(r, soon ? QUICK_MS : REPORT_BEAT_MS);

        at = earlier(at, r->phase == PHASE_RESULT || beat < r->state.at ? r->state.at : beat);
    }
    if (!r->log.call && !r->closed && (r->display.rows.count || r->phase == PHASE_SYNC)) {
        int64_t rows =
            r->phase == PHASE_LOG ? r->log.at : r->rows_since + pause_of(r, REPORT_ROWS_MS);

        at = earlier(at, rows < r->log.at ? r->log.at : rows);
    }
    return at;
}

static void tick(struct gitea_report *r)
{
    int64_t now = clock_ms();

    if (r->phase == PHASE_LOST)
        return;
    advance(r, now);
    if (r->phase == PHASE_RESULT && now >= r->deadline) {
        over(r, REPORT_GIVEN_UP);
        return;
    }
    if (!r->rows_since && r->display.rows.count)
        r->rows_since = now;
    if (log_is_due(r, now))
        send_rows(r);
    if (state_is_due(r, now))
        send_state(r);
    timer_free(r->timer);
    r->timer = loop_timer(r->spec.connect->loop, next_look(r), wake, r);
}

/* ---- the outside ---- */

/* What is left of the steps of a process that is gone: those that had no result were cut off. */
static json_t *close_steps(const json_t *steps)
{
    json_t *list = json_is_array(steps) ? json_deep_copy(steps) : json_array(), *one;
    char now[CLOCK_STAMP_SIZE];
    size_t i;

    clock_stamp(now);
    json_array_foreach (list, i, one) {
        if (json_object_get(one, "result"))
            continue;
        json_object_set_new(one, "result", json_string(display_result(QUEUE_CANCELLED)));
        json_object_set_new(one, "stoppedAt", json_string(now));
    }
    return list;
}

struct gitea_report *gitea_report_new(const struct gitea_report_spec *spec)
{
    const struct connect *c = spec->connect;
    struct gitea_report *r = mem_new(sizeof *r);

    r->spec = *spec;
    r->spec.recovered = NULL;
    r->confirmed = json_object();
    r->batch = ROWS_BATCH_MAX;
    r->log.backoff = r->state.backoff =
        (struct backoff){connect_pause(c, FIRST_WAIT_MS), connect_pause(c, MOST_WAIT_MS), 0};
    r->beat_at = clock_ms() - pause_of(r, REPORT_BEAT_MS);
    display_init(&r->display, spec->n_steps, spec->scratch);
    enter(r, PHASE_RUNNING);
    if (spec->hello)
        display_say(&r->display, spec->hello);
    if (spec->recovered) {
        r->steps = close_steps(json_object_get(spec->recovered, "steps"));
        r->ended = true;
        r->result = QUEUE_FAILURE;
        enter(r, PHASE_SYNC);
    }
    tick(r);
    return r;
}

struct gitea_report *gitea_report_free(struct gitea_report *r)
{
    if (!r)
        return NULL;
    hang_up(r);
    display_deinit(&r->display);
    json_decref(r->steps);
    json_decref(r->confirmed);
    free(r);
    return NULL;
}

void gitea_report_event(struct gitea_report *r, const json_t *event, struct slice log)
{
    if (r->phase != PHASE_RUNNING)
        return;
    display_event(&r->display, event, log);
    tick(r);
}

void gitea_report_end(struct gitea_report *r, enum queue_result result, const char *why)
{
    if (r->ended)
        return;
    r->ended = true;
    if (r->phase == PHASE_LOST) {
        over(r, r->how);
        return;
    }
    r->result = r->cancelled                                     ? QUEUE_CANCELLED
                : r->display.finished && result != QUEUE_SKIPPED ? r->display.result
                                                                 : result;
    display_end(&r->display, r->result);
    if (why)
        display_say(&r->display, why);
    join_summaries(&r->display);
    enter(r, PHASE_SUMMARIES);
    tick(r);
}

json_t *gitea_report_lease(const struct gitea_report *r)
{
    return json_pack("{s:o, s:o}", "task", connect_int_new(r->spec.task), "steps",
                     display_steps(&r->display));
}
