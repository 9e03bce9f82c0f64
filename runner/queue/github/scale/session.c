#include "queue/github/scale/session.h"

#include "base/clock.h"
#include "base/vec.h"
#include "base/wipe.h"
#include "queue/backoff.h"
#include "queue/loose.h"

#include <inttypes.h>
#include <string.h>

#define SETS "_apis/runtime/runnerscalesets"
#define NO_ID "00000000-0000-0000-0000-000000000000"

enum {
    URL_MAX = 8 << 10,
    TOKEN_MAX = 48 << 10, /* what fits into a header */
    TRIES = 3,            /* of what is not asked for for ever: to acknowledge, to acquire */
};

enum step { STEP_OPEN, STEP_ASK, STEP_ACKNOWLEDGE, STEP_ACQUIRE, STEP_REFRESH, STEP_CLOSE, STEPS };

struct scale_session {
    struct scale_session_spec spec;
    char *base;
    char id[SCALE_SESSION_ID_SIZE]; /* "": there is none */
    char *url, *token;              /* of the message queue */

    enum step step;  /* what CALL does, or what is done after WAIT */
    enum step after; /* a refresh: what was refused for its sake */
    bool refreshed;  /* and was that already */
    unsigned tried;  /* this step, in vain */
    struct call *call;
    struct timer *wait;
    struct backoff errors, floor;
    int64_t asked_ms, conflict_since;

    int64_t last_id; /* of messages; 0: none came yet */
    int64_t id_now;  /* of the one that is being dealt with */
    VEC(int64_t) wanted;
    void (*closed)(void *ctx);
};

void scale_url(struct buf *to, const char *base, const char *path, const char *query)
{
    github_url_join(to, base, path);
    buf_printf(to, "?%s%sapi-version=6.0-preview", query ? query : "", query ? "&" : "");
}

/* ---- one step ---- */

static void on_answer(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http);

static void begin(struct scale_session *s, const struct call_spec *spec)
{
    s->call = call_start(s->spec.caller, spec, on_answer, s);
}

/* METHOD below the scale set: "sessions", "acquirejobs". */
static void ask_service(struct scale_session *s, const char *method, const char *what,
                        const char *id, const char *token, const json_t *body)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(URL_MAX);
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(URL_MAX);

    buf_printf(&path, SETS "/%" PRId64 "/%s%s", s->spec.set, what, id ? "/" : "");
    if (id)
        github_url_escape(&path, slice_of(id));
    scale_url(&url, s->base, path.ptr, NULL);
    begin(s, &(struct call_spec){.method = method, .url = url.ptr, .bearer = token, .body = body});
}

static void open_it(struct scale_session *s)
{
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:s}", "sessionId", NO_ID, "ownerName", s->spec.owner);

    s->id[0] = '\0';
    ask_service(s, "POST", "sessions", NULL, NULL, body);
}

/* The queue's address has a query of its own. MORE goes behind its path, or behind its query. */
static void ask_queue(struct scale_session *s, const char *method, const char *path_more,
                      const char *query_more, int64_t total_ms)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(URL_MAX);
    CLEANUP(buf_deinit) struct buf capacity = BUF_INIT(80);
    size_t path = strcspn(s->url, "?#");
    const char *headers[] = {NULL, NULL};

    buf_printf(&url, "%.*s%s%s", (int)path, s->url, path_more, s->url + path);
    if (*query_more)
        buf_printf(&url, "%c%s", s->url[path] ? '&' : '?', query_more);
    buf_printf(&capacity, "X-ScaleSetMaxCapacity: %d", s->spec.client.capacity(s->spec.client.ctx));
    if (strcmp(method, "GET") == 0)
        headers[0] = capacity.ptr;
    begin(s, &(struct call_spec){.method = method,
                                 .url = url.ptr,
                                 .bearer = s->token,
                                 .accept = "application/json; api-version=6.0-preview",
                                 .headers = headers,
                                 .total_ms = total_ms});
}

static void ask(struct scale_session *s)
{
    char last[48] = "";

    s->asked_ms = clock_ms();
    if (s->last_id > 0)
        (void)snprintf(last, sizeof last, "lastMessageId=%" PRId64, s->last_id);
    ask_queue(s, "GET", "", last, s->spec.caller->waits->broker_poll);
}

static void acknowledge(struct scale_session *s)
{
    char id[32];

    (void)snprintf(id, sizeof id, "/%" PRId64, s->id_now);
    ask_queue(s, "DELETE", id, "", 0);
}

static void acquire(struct scale_session *s)
{
    CLEANUP(loose_freep) json_t *ids = json_array();

    VEC_EACH (id, &s->wanted)
        json_array_append_new(ids, json_integer((json_int_t)*id));
    ask_service(s, "POST", "acquirejobs", NULL, s->token, ids);
}

static void go(struct scale_session *s, enum step step)
{
    if (step != s->step)
        s->tried = 0;
    s->step = step;
    switch (step) {
    case STEP_OPEN:
        open_it(s);
        break;
    case STEP_ASK:
        ask(s);
        break;
    case STEP_ACKNOWLEDGE:
        acknowledge(s);
        break;
    case STEP_ACQUIRE:
        acquire(s);
        break;
    case STEP_REFRESH:
        ask_service(s, "PATCH", "sessions", s->id, NULL, NULL);
        break;
    case STEP_CLOSE:
    case STEPS:
        ask_service(s, "DELETE", "sessions", s->id, NULL, NULL);
        break;
    }
}

static void on_wait(void *ctx)
{
    struct scale_session *s = ctx;

    s->wait = NULL;
    go(s, s->step);
}

static void go_later(struct scale_session *s, enum step step, int64_t ms)
{
    if (step != s->step)
        s->tried = 0;
    s->step = step;
    s->wait = loop_timer(s->spec.caller->loop, clock_ms() + ms, on_wait, s);
}

/* ---- what goes wrong ---- */

static void tell_health(struct scale_session *s, const char *why)
{
    s->spec.client.health(s->spec.client.ctx, why);
}

static int64_t pause_of(struct scale_session *s, const struct answer *a)
{
    int64_t pause = backoff_next(&s->errors);

    return a->retry_ms > pause ? a->retry_ms : pause;
}

static void fail(struct scale_session *s, const struct answer *a)
{
    s->spec.client.failed(s->spec.client.ctx, a); /* we may be gone */
}

/* Another one has it: perhaps one of ours that was killed. */
static void wait_for_other(struct scale_session *s, const struct answer *a)
{
    const struct github_waits *w = s->spec.caller->waits;
    int64_t now = clock_ms();

    if (!s->conflict_since)
        s->conflict_since = now;
    if (now - s->conflict_since >= w->conflict_most) {
        fail(s, a);
        return;
    }
    tell_health(s, "another listener has the session of this scale set: waiting for it to end");
    go_later(s, STEP_OPEN, w->session);
}

static void on_not_opened(struct scale_session *s, const struct answer *a)
{
    if (a->kind == ANSWER_CONFLICT) {
        wait_for_other(s, a);
    } else if (a->kind == ANSWER_TRANSIENT) {
        tell_health(s, a->text);
        go_later(s, STEP_OPEN, pause_of(s, a));
    } else {
        fail(s, a);
    }
}

/* Of the three that go with the queue's token. */
static void on_refused(struct scale_session *s, const struct answer *a)
{
    bool transient = a->kind == ANSWER_TRANSIENT;

    if (a->kind == ANSWER_UNAUTHORIZED && !s->refreshed) {
        s->after = s->step;
        go(s, STEP_REFRESH);
        return;
    }
    if (s->step == STEP_ASK) {
        tell_health(s, a->text);
        go_later(s, transient ? STEP_ASK : STEP_OPEN, pause_of(s, a));
        return;
    }
    if (transient && ++s->tried < TRIES) {
        go_later(s, s->step, pause_of(s, a));
        return;
    }
    if (s->step == STEP_ACQUIRE) { /* they are offered again, or are somebody else's */
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 * ANSWER_TEXT_SIZE);

        buf_printf(&text, "%zu jobs that wait could not be had: %s", s->wanted.len, a->text);
        s->spec.client.note(s->spec.client.ctx, text.ptr);
    }
    if (s->step == STEP_ACKNOWLEDGE && s->wanted.len)
        go(s, STEP_ACQUIRE);
    else
        go_later(s, STEP_ASK, a->kind == ANSWER_NOT_FOUND ? 0 : pause_of(s, a));
}

static void on_not_refreshed(struct scale_session *s, const struct answer *a)
{
    tell_health(s, a->text);
    go_later(s, a->kind == ANSWER_TRANSIENT ? STEP_REFRESH : STEP_OPEN, pause_of(s, a));
}

/* ---- what goes well ---- */

static json_t *document_of(struct slice body)
{
    struct err ignored = ERR_INIT; /* then it is none */
    json_t *json = NULL;

    return loose_parse(body, &json, &ignored) < 0 ? NULL : json;
}

/* What a session is; false: this is none. */
static bool take_session(struct scale_session *s, const json_t *json)
{
    const char *id = loose_text(json, "sessionId"), *url = loose_text(json, "messageQueueUrl");
    const char *token = loose_text(json, "messageQueueAccessToken");

    if (!*id || strlen(id) >= sizeof s->id || strncmp(url, "http", 4) != 0 ||
        strlen(url) > URL_MAX / 2 || !*token || strlen(token) > TOKEN_MAX)
        return false;
    (void)snprintf(s->id, sizeof s->id, "%s", id);
    free(s->url);
    s->url = mem_dup(url, strlen(url));
    wipe_free(s->token);
    s->token = mem_dup(token, strlen(token));
    return true;
}

static void on_opened(struct scale_session *s, struct slice body)
{
    CLEANUP(loose_wipep) json_t *json = document_of(body);
    const struct scale_session_client *c = &s->spec.client;
    struct scale_statistics statistics;

    if (!take_session(s, json)) {
        tell_health(s, "the server's answer is no session");
        go_later(s, STEP_OPEN, backoff_next(&s->errors));
        return;
    }
    s->conflict_since = s->last_id = 0;
    s->refreshed = false;
    bool counted = scale_statistics_read(json, &statistics);
    tell_health(s, NULL);
    go(s, STEP_ASK);
    c->opened(c->ctx, s->id, counted ? &statistics : NULL);
}

static void on_refreshed(struct scale_session *s, struct slice body)
{
    CLEANUP(loose_wipep) json_t *json = document_of(body);

    if (!take_session(s, json)) {
        tell_health(s, "the server's answer is no session");
        go_later(s, STEP_OPEN, backoff_next(&s->errors));
        return;
    }
    s->refreshed = true;
    go(s, s->after);
}

/* Nothing that helps: not asked again at once, unless the server had let us wait. */
static void on_nothing(struct scale_session *s)
{
    const struct scale_session_client *c = &s->spec.client;

    if (clock_ms() - s->asked_ms >= s->spec.caller->waits->floor) {
        backoff_reset(&s->floor);
        go(s, STEP_ASK);
    } else {
        go_later(s, STEP_ASK, backoff_next(&s->floor));
    }
    c->message(c->ctx, NULL);
}

static void take_message(struct scale_session *s, const struct scale_message *m)
{
    const struct scale_session_client *c = &s->spec.client;
    bool again = m->id <= s->last_id;

    s->id_now = m->id;
    vec_deinit(&s->wanted);
    if (again) { /* it was dealt with: its acknowledgement got lost */
        go_later(s, STEP_ACKNOWLEDGE, backoff_next(&s->floor));
        return;
    }
    backoff_reset(&s->floor);
    s->last_id = m->id;
    for (size_t i = 0; i < m->n_jobs; i++)
        if (m->jobs[i].event == SCALE_AVAILABLE)
            vec_push(&s->wanted, m->jobs[i].request_id);
    go(s, STEP_ACKNOWLEDGE);
    c->message(c->ctx, m);
}

static void on_message(struct scale_session *s, struct slice body)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct scale_message m;
    struct err err = ERR_INIT;

    if (scale_message_parse(&a, body, &m, &err) < 0) {
        tell_health(s, err.text);
        go_later(s, STEP_ASK, backoff_next(&s->errors));
        return;
    }
    if (m.odd) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 * ERR_TEXT_SIZE);

        buf_printf(&text, "a message of the scale set was passed over: %s", m.odd);
        s->spec.client.note(s->spec.client.ctx, text.ptr);
    }
    take_message(s, &m);
}

static void on_closed(struct scale_session *s)
{
    void (*closed)(void *) = s->closed;

    s->closed = NULL;
    if (closed)
        closed(s->spec.client.ctx); /* we may be gone */
}

static void on_answer(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http)
{
    struct scale_session *s = ctx;
    bool fine = a->kind == ANSWER_FINE;
    enum step step = s->step;

    s->call = NULL;
    if (step == STEP_CLOSE) {
        on_closed(s);
        return;
    }
    if (!fine) {
        if (step == STEP_OPEN)
            on_not_opened(s, a);
        else if (step == STEP_REFRESH)
            on_not_refreshed(s, a);
        else
            on_refused(s, a);
        return;
    }
    if (step == STEP_ASK) { /* what came in between may have refreshed it, too */
        backoff_reset(&s->errors);
        tell_health(s, NULL);
    }
    s->refreshed = s->refreshed && step == STEP_REFRESH;
    if (step == STEP_OPEN)
        on_opened(s, body);
    else if (step == STEP_REFRESH)
        on_refreshed(s, body);
    else if (step == STEP_ASK && http->status == 200)
        on_message(s, body);
    else if (step == STEP_ASK)
        on_nothing(s);
    else if (step == STEP_ACKNOWLEDGE && s->wanted.len)
        go(s, STEP_ACQUIRE);
    else
        go(s, STEP_ASK);
}

/* ---- beginning and end ---- */

struct scale_session *scale_session_new(const struct scale_session_spec *spec)
{
    struct scale_session *s = mem_new(sizeof *s);
    const struct github_waits *w = spec->caller->waits;

    s->spec = *spec;
    s->base = mem_dup(spec->base, strlen(spec->base));
    s->errors = (struct backoff){.first_ms = w->floor, .most_ms = w->floor_most};
    s->floor = (struct backoff){.first_ms = w->floor, .most_ms = w->floor_most};
    go(s, STEP_OPEN);
    return s;
}

static void halt(struct scale_session *s)
{
    s->call = call_free(s->call);
    s->wait = timer_free(s->wait);
}

struct scale_session *scale_session_free(struct scale_session *s)
{
    if (s) {
        halt(s);
        vec_deinit(&s->wanted);
        free(s->base);
        free(s->url);
        wipe_free(s->token);
        free(s);
    }
    return NULL;
}

static void on_close_at_once(void *ctx)
{
    struct scale_session *s = ctx;

    s->wait = NULL;
    on_closed(s);
}

void scale_session_close(struct scale_session *s, void (*done)(void *ctx))
{
    halt(s);
    s->closed = done;
    if (s->id[0])
        go(s, STEP_CLOSE);
    else
        s->wait = loop_timer(s->spec.caller->loop, clock_ms(), on_close_at_once, s);
}
