#include "queue/github/poll.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "job/job.h"
#include "queue/loose.h"

enum {
    MESSAGE_MAX = 80 << 20, /* bytes of an answer: a job message as base64 */
    DELETE_TRIES = 3,       /* of a message; one that stays comes again */
    GENTLE_ERRORS = 5,      /* in a row; then the pauses get longer */
    BROKER_ERRORS_MAX = 10, /* after which the official runner's process begins anew */
    EMPTY_MAX = 50,         /* in half an hour, of the legacy queue */
    EMPTY_WINDOW_MS = 30 * 60000,
};

void github_poll_init(struct github_poll *p, struct session *session,
                      const struct github_poll_client *client)
{
    const struct github_waits *w = session->caller->waits;

    *p = (struct github_poll){.session = session,
                              .client = *client,
                              .floor = {.first_ms = w->floor, .most_ms = w->floor_most}};
}

static void rest(struct github_poll *p)
{
    p->call = call_free(p->call);
    p->removes = false;
    p->wait = timer_free(p->wait);
    p->aside = false;
}

void github_poll_deinit(struct github_poll *p)
{
    rest(p);
    p->acknowledging = call_free(p->acknowledging);
}

void github_poll_stop(struct github_poll *p)
{
    rest(p);
    p->started = false;
}

/* ---- asking ---- */

static bool is_at_broker(const struct github_poll *p)
{
    return p->at_broker || p->session->settings->use_v2;
}

static void ask(struct github_poll *p);

static void on_wait(void *ctx)
{
    struct github_poll *p = ctx;

    p->wait = NULL;
    p->aside = false;
    ask(p);
}

static void ask_in(struct github_poll *p, int64_t ms)
{
    p->wait = loop_timer(p->session->caller->loop, clock_ms() + ms, on_wait, p);
}

/* It failed. The first of all is no reason to wait if all it takes is a new session. */
static void failed(struct github_poll *p, const struct answer *a)
{
    const struct github_waits *w = p->session->caller->waits;
    int64_t pause = ++p->errors <= GENTLE_ERRORS ? w->pause : 2 * w->pause;
    bool is_broker = p->session->settings->use_v2;

    p->client.health(p->client.ctx, a->text);
    if (p->newer && a->kind != ANSWER_REVOKED && a->kind != ANSWER_DEPROVISIONED &&
        caller_defer(p->session->caller, a->text)) {
        ask_in(p, random_between(pause, 2 * pause));
        return;
    }
    switch (a->kind) {
    case ANSWER_SESSION_LOST:
    case ANSWER_UNAUTHORIZED:
    case ANSWER_FORBIDDEN:
    case ANSWER_NO_POOL:
    case ANSWER_BAD_CLIENT:
    case ANSWER_NO_RUNNER:
    case ANSWER_REVOKED:
    case ANSWER_TOO_OLD:
    case ANSWER_DEPROVISIONED:
        github_poll_stop(p);
        p->client.failed(p->client.ctx, a);
        return;
    default:
        if (!is_broker || p->errors % BROKER_ERRORS_MAX) {
            pause = random_between(pause, 2 * pause);
            ask_in(p, a->retry_ms > pause ? a->retry_ms : pause);
            return;
        }
        github_poll_stop(p);
        p->client.failed(p->client.ctx, a);
    }
}

/* Nothing, or (MESSAGE) nothing of use, which may come again with every poll, however long that took. */
static void idle(struct github_poll *p, bool message)
{
    const struct github_waits *w = p->session->caller->waits;
    int64_t now = clock_ms(), pause = 0;

    if (message || now - p->begun_ms < w->floor)
        pause = backoff_next(&p->floor);
    else
        backoff_reset(&p->floor);
    if (now - p->empty_since_ms > EMPTY_WINDOW_MS) {
        p->empty_since_ms = now;
        p->empty = 0;
    }
    if (++p->empty > EMPTY_MAX && !p->session->settings->use_v2)
        pause = random_between(w->pause, 2 * w->pause);
    ask_in(p, pause);
}

/* True: MESSAGE sends us on to a broker, which is asked now. */
static bool sent_on(struct github_poll *p, const struct envelope *message)
{
    CLEANUP(loose_freep) json_t *doc = NULL;
    struct err ignored = ERR_INIT; /* then it is a message of no use */

    if (message->kind != ENVELOPE_MIGRATION || p->at_broker || p->session->settings->use_v2 ||
        loose_parse(slice_make(message->body, message->size), &doc, &ignored) < 0)
        return false;
    const char *url = loose_text(doc, "brokerBaseUrl");
    if (!*url || strlen(url) >= sizeof p->broker)
        return false;
    snprintf(p->broker, sizeof p->broker, "%s", url);
    p->at_broker = true;
    return true;
}

/* A message that cannot be read would come again and again. Perhaps it was meant for another key: a new session gets it
 * with one of its own. When that does not help it is thrown away; the broker does that by itself. */
static void unreadable(struct github_poll *p, const struct envelope *message, const struct err *err)
{
    struct answer wrong = {.kind = ANSWER_TRANSIENT};

    snprintf(wrong.text, sizeof wrong.text, "a message cannot be read: %.160s", err->text);
    if (p->at_broker || p->session->settings->use_v2 || !message->has_id) {
        failed(p, &wrong);
    } else if (p->unreadable != message->id) {
        p->unreadable = message->id;
        p->strayed = true;
        wrong.kind = ANSWER_SESSION_LOST;
        failed(p, &wrong);
    } else {
        p->errors++;
        p->has_id = true;
        p->id = message->id;
        p->client.health(p->client.ctx, wrong.text);
        github_poll_next(p, GITHUB_POLL_USELESS);
    }
}

/* It would be as large the next time, and the legacy queue has no other before it is deleted: unread, and told once. What
 * the broker delivers is forgotten there. */
static void too_large(struct github_poll *p, const struct answer *a, struct slice head)
{
    struct answer wrong = *a;
    char text[200];
    int64_t id;

    if (is_at_broker(p) || !envelope_find_id(head, &id)) {
        snprintf(
            wrong.text, sizeof wrong.text,
            "a message of more than %d MB came, which is not read%s; the server is asked again",
            MESSAGE_MAX >> 20, is_at_broker(p) ? "" : ", and does not say which it is");
        p->at_broker = false;
        failed(p, &wrong);
        return;
    }
    p->errors = 0;
    p->client.health(p->client.ctx, NULL);
    snprintf(text, sizeof text,
             "a message of more than %d MB came: it is deleted unread; a job in it is not run, and "
             "the server gives it up after a while",
             MESSAGE_MAX >> 20);
    if (p->too_large != id)
        p->client.warn(p->client.ctx, text);
    p->too_large = id;
    p->has_id = p->has_last = true;
    p->id = p->last_id = id;
    github_poll_next(p, GITHUB_POLL_USELESS);
}

static void take(struct github_poll *p, struct slice body)
{
    struct envelope message = {0};
    struct err err = ERR_INIT;
    static const struct envelope_key none;

    if (envelope_open(body, p->at_broker ? &none : &p->session->key, &message, &err) < 0) {
        unreadable(p, &message, &err);
        return;
    }
    p->errors = 0;
    p->client.health(p->client.ctx, NULL);
    if (sent_on(p, &message)) {
        envelope_deinit(&message);
        ask(p);
        return;
    }
    p->has_id = message.has_id;
    p->id = message.id;
    if (!p->at_broker && p->has_id) {
        p->has_last = true;
        p->last_id = p->id;
    }
    p->client.message(p->client.ctx, &message);
    envelope_deinit(&message);
}

static void on_answer(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http)
{
    struct github_poll *p = ctx;

    (void)http;
    p->call = NULL;
    if (a->too_large) {
        too_large(p, a, body);
    } else if (a->kind != ANSWER_FINE) {
        p->at_broker = false;
        failed(p, a);
    } else if (slice_trim(body).len == 0) {
        p->errors = 0;
        p->at_broker = false;
        p->client.health(p->client.ctx, NULL);
        idle(p, false);
    } else {
        take(p, body);
    }
}

static void add_query(const struct github_poll *p, bool online, struct buf *to)
{
    const struct session *s = p->session;

    buf_add_str(to, "sessionId=");
    github_url_escape(to, slice_of(s->id));
    buf_printf(to, "&status=%s&runnerVersion=", online ? "Online" : "Busy");
    github_url_escape(to, slice_of(s->version));
    buf_printf(to, "&os=Linux&architecture=%s", job_arch());
}

/* An address of the broker: REST ends in '?'. */
static void broker_url(const struct github_poll *p, const char *rest_of_it, struct buf *to)
{
    github_url_join(to, p->at_broker ? p->broker : p->session->settings->server_url_v2, rest_of_it);
}

static void ask(struct github_poll *p)
{
    const struct session *s = p->session;
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(TENANT_URL_MAX), url = BUF_INIT(TENANT_URL_MAX);
    char pool[24];
    struct tenant_query q = {.resource = TENANT_MESSAGES, .values = {{"poolId", pool}}};
    struct call_spec spec = {.answer_max = MESSAGE_MAX};

    if (!p->at_broker)
        p->begun_ms = clock_ms();
    add_query(p, p->online, &query);
    if (!is_at_broker(p) && p->has_last)
        buf_printf(&query, "&lastMessageId=%" PRId64, p->last_id);
    buf_add_str(&query,
                "&disableUpdate=true"); /* we never do, whatever the registration says: 9.5 */
    snprintf(pool, sizeof pool, "%" PRId64, s->settings->pool_id);
    q.query = query.ptr;
    broker_url(p, "message?", &url);
    buf_add_str(&url, query.ptr);
    if (is_at_broker(p)) {
        spec.url = url.ptr;
        spec.newer = true;
        spec.total_ms = s->caller->waits->broker_poll;
    } else {
        spec.tenant = &q;
        spec.total_ms = s->caller->waits->legacy_poll;
    }
    p->newer = spec.newer && caller_uses_newer(s->caller);
    p->call = call_start(s->caller, &spec, on_answer, p);
}

/* ---- for the owner ---- */

void github_poll_start(struct github_poll *p)
{
    rest(p);
    p->started = true;
    p->strayed = false;
    p->has_last = false;
    p->at_broker = false;
    if (p->session->migration[0]) { /* as if the legacy queue had said so just now */
        snprintf(p->broker, sizeof p->broker, "%s", p->session->migration);
        p->at_broker = true;
        p->begun_ms = clock_ms();
    }
    ask(p);
}

/* For an answer to a question. */
static bool is_waiting(const struct github_poll *p)
{
    return p->call && !p->removes;
}

void github_poll_set_online(struct github_poll *p, bool online)
{
    if (p->online == online)
        return;
    p->online = online;
    if (!p->aside && !is_waiting(p)) /* the next question says so */
        return;
    rest(p);
    p->at_broker = false;
    ask(p);
}

void github_poll_step_back(struct github_poll *p)
{
    if (!is_waiting(p))
        return;
    rest(p);
    p->at_broker = false;
    p->aside = true;
    ask_in(p, p->session->caller->waits->aside);
}

static void on_removed(void *ctx, const struct answer *a, struct slice body,
                       const struct http_answer *http)
{
    struct github_poll *p = ctx;

    (void)a; /* one that stays there comes again, and is seen to be old then */
    (void)body;
    (void)http;
    p->call = NULL;
    p->removes = false;
    if (p->hurry)
        ask(p);
    else
        idle(p, true);
}

static void delete_message(struct github_poll *p)
{
    const struct session *s = p->session;
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(TENANT_URL_MAX);
    char pool[24], id[24];
    struct tenant_query q = {.resource = TENANT_MESSAGE,
                             .values = {{"poolId", pool}, {"messageId", id}}};
    struct call_spec spec = {.method = "DELETE",
                             .tenant = &q,
                             .tries = DELETE_TRIES,
                             .settled = ~CALL_SETTLES(ANSWER_TRANSIENT),
                             .total_ms = s->caller->waits->leave};

    snprintf(pool, sizeof pool, "%" PRId64, s->settings->pool_id);
    snprintf(id, sizeof id, "%" PRId64, p->id);
    buf_add_str(&query, "sessionId=");
    github_url_escape(&query, slice_of(s->id));
    q.query = query.ptr;
    p->removes = true;
    p->call = call_start(s->caller, &spec, on_removed, p);
}

void github_poll_next(struct github_poll *p, enum github_poll_fate fate)
{
    bool removes = fate != GITHUB_POLL_LEFT && p->has_id && !is_at_broker(p);

    if (!p->started)
        return;
    p->hurry = fate == GITHUB_POLL_TAKEN;
    p->at_broker = false;
    if (p->hurry)
        backoff_reset(&p->floor);
    if (removes)
        delete_message(p);
    else if (p->hurry)
        ask(p);
    else
        idle(p, true);
}

/* ---- acknowledging ---- */

static void on_acknowledged(void *ctx, const struct answer *a, struct slice body,
                            const struct http_answer *http)
{
    struct github_poll *p = ctx;

    p->acknowledging = NULL;
    p->acknowledged(p->acknowledged_ctx, a, body, http);
}

void github_poll_acknowledge(struct github_poll *p, const char *request_id, call_fn *done,
                             void *ctx)
{
    const struct caller *caller = p->session->caller;
    CLEANUP(loose_freep) json_t *body = json_pack("{s:s}", "runnerRequestId", request_id);
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(TENANT_URL_MAX);
    struct call_spec spec = {
        .method = "POST", .body = body, .newer = true, .total_ms = caller->waits->acknowledge};

    broker_url(p, "acknowledge?", &url);
    add_query(p, true, &url);
    spec.url = url.ptr;
    p->acknowledged = done;
    p->acknowledged_ctx = ctx;
    p->acknowledging = call_start(p->session->caller, &spec, on_acknowledged, p);
}
