#include "queue/github/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/loose.h"

enum { MIGRATED_FAILURES_MAX = 3 };

/* What no later try will change. */
static bool is_final(enum answer_kind kind)
{
    switch (kind) {
    case ANSWER_UNAUTHORIZED:
    case ANSWER_FORBIDDEN:
    case ANSWER_NO_RUNNER:
    case ANSWER_NO_POOL:
    case ANSWER_REVOKED:
    case ANSWER_TOO_OLD:
    case ANSWER_DEPROVISIONED:
    case ANSWER_BAD_CLIENT:
        return true;
    default:
        return false;
    }
}

void session_init(struct session *s, struct caller *caller, struct tenant *tenant,
                  const struct github_settings *settings, const char *version,
                  const struct session_client *client)
{
    *s = (struct session){.caller = caller,
                          .tenant = tenant,
                          .settings = settings,
                          .version = version,
                          .client = *client};
}

static void stop(struct session *s)
{
    s->call = call_free(s->call);
    s->wait = timer_free(s->wait);
}

void session_deinit(struct session *s)
{
    stop(s);
    explicit_bzero(&s->key, sizeof s->key);
    s->id[0] = '\0';
}

/* ---- opening ---- */

static void ask(struct session *s);

static void on_wait(void *ctx)
{
    struct session *s = ctx;

    s->wait = NULL;
    ask(s);
}

/* True: A has been the answer for longer than MOST_MS. */
static bool lasts(int64_t *since, bool is_it, int64_t most_ms)
{
    if (!is_it)
        *since = 0;
    else if (!*since)
        *since = clock_ms();
    return is_it && clock_ms() - *since >= most_ms;
}

static void refused(struct session *s, const struct answer *a)
{
    const struct github_waits *w = s->caller->waits;
    bool conflict = lasts(&s->conflict_since, a->kind == ANSWER_CONFLICT, w->conflict_most);
    bool skew = lasts(&s->skew_since, a->kind == ANSWER_SKEW, w->skew_most);
    int64_t pause = a->retry_ms > w->session ? a->retry_ms : w->session;
    bool final = false;
    bool given_up = s->settings->migrated && a->kind != ANSWER_CONFLICT &&
                    ++s->failures >= MIGRATED_FAILURES_MAX;

    if (!s->settings->use_v2 || a->kind == ANSWER_REVOKED || !caller_defer(s->caller, a->text))
        final = conflict || skew || is_final(a->kind);
    if (final || given_up) {
        s->client.opened(s->client.ctx, a);
        return;
    }
    s->wait = loop_timer(s->caller->loop, clock_ms() + pause, on_wait, s);
    s->client.waits(s->client.ctx, a->text);
}

static int read_session(struct session *s, struct slice body, struct err *err)
{
    CLEANUP(loose_wipep) json_t *doc = NULL;

    if (loose_parse(body, &doc, err) < 0)
        return err_in(err, "the server's answer about our session");
    const char *id = loose_text(doc, "sessionId");
    const char *broker = loose_text(loose_find(doc, "brokerMigrationMessage"), "brokerBaseUrl");
    if (!*id || strlen(id) >= sizeof s->id || strlen(broker) >= sizeof s->migration)
        return err_set(err, ERR_INVALID, "the server's session has no id that makes sense");
    if (!s->settings->use_v2 && envelope_key_read(doc, s->settings->key, &s->key, err) < 0)
        return err->code;
    snprintf(s->id, sizeof s->id, "%s", id);
    snprintf(s->migration, sizeof s->migration, "%s", s->settings->use_v2 ? "" : broker);
    return ERR_OK;
}

static void on_opened(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http)
{
    struct session *s = ctx;
    struct answer wrong = {.kind = ANSWER_TRANSIENT};
    struct err err = ERR_INIT;

    (void)http;
    s->call = NULL;
    if (a->kind == ANSWER_FINE && read_session(s, body, &err) < 0) {
        answer_line(slice_of(err.text), wrong.text, sizeof wrong.text);
        a = &wrong;
    }
    if (a->kind != ANSWER_FINE) {
        refused(s, a);
        return;
    }
    s->conflict_since = s->skew_since = 0;
    s->failures = 0;
    s->client.opened(s->client.ctx, a);
}

/* The owner's name is what another listener is shown as the reason of its conflict. */
static json_t *make_body(const struct session *s)
{
    char host[128] = "runner", owner[200], os[300] = "Linux";
    struct utsname name;

    if (gethostname(host, sizeof host - 1) < 0)
        snprintf(host, sizeof host, "runner");
    snprintf(owner, sizeof owner, "%s (PID: %d)", host, (int)getpid());
    if (uname(&name) == 0)
        snprintf(os, sizeof os, "%s %s", name.sysname, name.release);
    return json_pack("{s:s, s:s, s:{s:I, s:s, s:s, s:s, s:n, s:i, s:n}, s:b}", "sessionId",
                     "00000000-0000-0000-0000-000000000000", "ownerName", owner, "agent", "id",
                     (json_int_t)s->settings->agent_id, "name", s->settings->agent_name, "version",
                     s->version, "osDescription", os, "ephemeral", "status", 0, "provisioningState",
                     "useFipsEncryption", 0);
}

/* A call about a session; ID: which one of the tenant's, NULL: none yet. The broker knows it by the token. */
static struct call *ask_about(struct session *s, const char *id, struct call_spec spec,
                              call_fn *done)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(TENANT_URL_MAX);
    char pool[24];
    const struct tenant_query q = {.resource = TENANT_SESSIONS,
                                   .values = {{"poolId", pool}, {id ? "sessionId" : NULL, id}}};

    snprintf(pool, sizeof pool, "%" PRId64, s->settings->pool_id);
    github_url_join(&url, s->settings->server_url_v2, "session");
    spec.newer = s->settings->use_v2;
    if (s->settings->use_v2)
        spec.url = url.ptr;
    else
        spec.tenant = &q;
    return call_start(s->caller, &spec, done, s);
}

static void post(struct session *s)
{
    CLEANUP(loose_freep) json_t *body = make_body(s);

    s->call = ask_about(s, NULL, (struct call_spec){.method = "POST", .body = body}, on_opened);
}

/* Where a tenant's resources are is worth one question; without an answer the places known today have to do. */
static void on_discovered(void *ctx, const struct answer *a, struct slice body,
                          const struct http_answer *http)
{
    struct session *s = ctx;
    struct err err = ERR_INIT;

    (void)http;
    s->call = NULL;
    s->discovered = a->kind == ANSWER_FINE;
    if (s->discovered && tenant_learn(s->tenant, body, &err) == ERR_UNSUPPORTED)
        s->client.waits(s->client.ctx, err.text);
    post(s);
}

static void ask(struct session *s)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(TENANT_URL_MAX);

    if (s->settings->use_v2 || s->discovered) {
        post(s);
        return;
    }
    github_url_join(&url, s->settings->server_url,
                    "_apis/connectionData?connectOptions=1&lastChangeId=-1&lastChangeId64=-1");
    struct call_spec spec = {.url = url.ptr};
    s->call = call_start(s->caller, &spec, on_discovered, s);
}

void session_open(struct session *s)
{
    stop(s);
    explicit_bzero(&s->key, sizeof s->key);
    s->id[0] = s->migration[0] = '\0';
    ask(s);
}

/* ---- closing ---- */

static void on_closed(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http)
{
    struct session *s = ctx;

    (void)a; /* it will be forgotten there anyhow */
    (void)body;
    (void)http;
    s->call = NULL;
    s->closed(s->closed_ctx);
}

static void on_nothing_to_close(void *ctx)
{
    struct session *s = ctx;

    s->wait = NULL;
    s->closed(s->closed_ctx);
}

void session_close(struct session *s, bool tell, void (*done)(void *ctx), void *ctx)
{
    const struct call_spec spec = {.method = "DELETE", .total_ms = s->caller->waits->leave};
    char id[SESSION_ID_SIZE];

    stop(s);
    snprintf(id, sizeof id, "%s", s->id);
    session_deinit(s);
    s->closed = done;
    s->closed_ctx = ctx;
    if (id[0] && tell)
        s->call = ask_about(s, id, spec, on_closed);
    else
        s->wait = loop_timer(s->caller->loop, clock_ms(), on_nothing_to_close, s);
}
