#include "queue/github/queue.h"

#include "base/clock.h"
#include "queue/github/state.h"
#include "queue/loose.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    WAY_OUT_MAX = 4096 + 100, /* a path, and words */
    EXTRA_AGENT_MAX = 200,
};

static struct github *github_of(const struct queue *q)
{
    return (struct github *)(uintptr_t)(const void *)q;
}

/* ---- telling ---- */

static void set_trouble(struct github *g, const char *why)
{
    g->connected = !why;
    snprintf(g->trouble, sizeof g->trouble, "%s", why ? why : "");
}

static void tell(struct github *g, const char *text, const char *level)
{
    const struct queue_client *c = &g->base.client;
    const char *job = g->job ? assignment_key(g->job) : NULL;
    CLEANUP(loose_freep)
    json_t *event = json_pack("{s:s, s:o, s:s*, s:s*}", "event", "note", "text",
                              event_text_new(text), "job", job, "level", level);
    struct err ignored = ERR_INIT; /* a note that finds no reader stops nothing */

    if (c->event)
        (void)!c->event(c->ctx, event, slice_make(NULL, 0), &ignored);
}

void github_note(struct github *g, const char *text)
{
    tell(g, text, NULL);
}

void github_warn(void *github, const char *text)
{
    tell(github, text, "warning");
}

static void tell_ready(struct github *g)
{
    if (g->base.client.ready)
        g->base.client.ready(g->base.client.ctx);
}

/* ---- the end ---- */

static bool is_busy(const struct github *g)
{
    return g->job || g->taking || g->recoveries.open;
}

static void on_left(void *ctx)
{
    struct github *g = ctx;
    struct err err = ERR_INIT;

    g->leave = timer_free(g->leave);
    g->state = GITHUB_OVER;
    g->connected = false;
    github_token_rest(g->token);
    if (g->caller.newer)
        github_token_rest(g->caller.newer);
    if (g->end.forgotten && registration_remove(g->registration, &err) < 0)
        github_note(g, err.text);
    tell_ready(g);
}

static void on_leave_over(void *ctx)
{
    struct github *g = ctx;

    g->leave = NULL;
    session_deinit(&g->session);
    on_left(g);
}

static void leave(struct github *g)
{
    if (g->state >= GITHUB_LEAVING || is_busy(g))
        return;
    github_poll_stop(&g->poll);
    g->pause = timer_free(g->pause);
    g->state = GITHUB_LEAVING;
    g->leave = loop_timer(g->caller.loop, clock_ms() + g->waits.leave, on_leave_over, g);
    session_close(&g->session, g->end.tell, on_left, g);
}

void github_end(struct github *g, const struct github_end *end)
{
    if (!g->end.decided) {
        g->end = *end;
        snprintf(g->trouble, sizeof g->trouble, "%s", end->text);
        take_stop(g);
    }
    g->end.forgotten |= end->forgotten;
    github_show(g);
    leave(g);
}

static void end_because(struct github *g, int exit_code, bool forgotten, const struct answer *a,
                        const char *fmt, ...) PRINTF_LIKE(5, 6);

/* The advice comes first, then the server's own words. */
static void end_because(struct github *g, int exit_code, bool forgotten, const struct answer *a,
                        const char *fmt, ...)
{
    struct github_end end = {.decided = true, .exit_code = exit_code, .forgotten = forgotten};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(end.text, sizeof end.text, fmt, ap);
    va_end(ap);
    size_t len = strlen(end.text);
    (void)snprintf(end.text + len, sizeof end.text - len, " (%s)", a->text);
    github_end(g, &end);
}

/* How a registration that is good for nothing any more is replaced: one in memory was made for one job. */
static const char *way_out(const struct github *g, struct buf *to)
{
    if (g->registration->path)
        buf_printf(to, "'ostler unregister --local --dir %s', then 'ostler register'",
                   g->registration->path);
    else
        buf_add_str(to, "have a new just-in-time configuration made ('generate-jitconfig')");
    return to->ptr;
}

/* What cannot be gone on with, whether a session or a poll said so. */
static void refused(struct github *g, const struct answer *a, bool at_session)
{
    CLEANUP(buf_deinit) struct buf anew = BUF_INIT(WAY_OUT_MAX);

    if (g->served) { /* made for one job, it is no more once it had it, in whatever words that is said */
        github_end(g, &(struct github_end){.decided = true, .forgotten = true});
        return;
    }
    switch (a->kind) {
    case ANSWER_CONFLICT:
        end_because(g, 5, false, a,
                    "another listener has a session with this registration: stop that one, or "
                    "register this machine under a name of its own");
        break;
    case ANSWER_NO_RUNNER: /* a session that was open went with it: nothing is left to mend */
        end_because(g, at_session ? 1 : 0, !at_session, a,
                    "this runner was deleted on the server: %s",
                    at_session ? way_out(g, &anew) : "'ostler register' makes it anew");
        break;
    case ANSWER_BAD_CLIENT:
        end_because(g, 1, false, a, "the server refuses this registration: %s", way_out(g, &anew));
        break;
    case ANSWER_REVOKED:
        end_because(g, 0, false, a, "the server has revoked this registration's access: %s",
                    way_out(g, &anew));
        break;
    case ANSWER_TOO_OLD:
        end_because(g, at_session ? 1 : g->deprecated_exit, false, a,
                    "the server does not accept the runner version that we report: give "
                    "'ostler listen' a newer --runner-version");
        break;
    case ANSWER_DEPROVISIONED:
        end_because(g, 0, false, a,
                    "the server takes this machine down: there is nothing more to do");
        break;
    case ANSWER_SKEW:
        end_because(g, 1, false, a, "this machine's clock and the server's differ: set it");
        break;
    default:
        end_because(g, 1, false, a,
                    "the server refuses this registration: see that it may run jobs there, or %s",
                    way_out(g, &anew));
    }
}

/* ---- the session ---- */

static void on_pause_over(void *ctx)
{
    struct github *g = ctx;

    g->pause = NULL;
    session_open(&g->session);
}

static void on_opened(void *ctx, const struct answer *a)
{
    struct github *g = ctx;

    if (a->kind != ANSWER_FINE && g->settings->migrated && g->recoveries.open) {
        /* One may go with the token of what is given up: that is told first. */
        g->pause = loop_timer(g->caller.loop, clock_ms() + g->waits.session, on_pause_over, g);
    } else if (a->kind != ANSWER_FINE) {
        if (!github_fall_back(g, a))
            refused(g, a, true);
    }
    if (a->kind != ANSWER_FINE)
        return;
    g->state = GITHUB_LISTENING;
    set_trouble(g, NULL);
    github_poll_start(&g->poll);
}

static void on_waits(void *ctx, const char *why)
{
    set_trouble(ctx, why);
}

/* ---- the poll ---- */

static void on_message(void *ctx, struct envelope *message)
{
    take_message(ctx, message);
}

/* The first session that is lost is replaced at once; what goes wrong again and again gets its pauses. */
static void on_poll_failed(void *ctx, const struct answer *a)
{
    struct github *g = ctx;
    int64_t pause = g->poll.errors > 1 || a->kind != ANSWER_SESSION_LOST ? g->waits.pause : 0;

    switch (a->kind) {
    case ANSWER_NO_RUNNER:
    case ANSWER_REVOKED:
    case ANSWER_TOO_OLD:
    case ANSWER_DEPROVISIONED:
        refused(g, a, false);
        return;
    case ANSWER_SESSION_LOST:
        if (g->settings->skip_session_recover) {
            refused(g, a, false);
            return;
        }
        break;
    default:
        break;
    }
    g->state = GITHUB_OPENING;
    if (g->poll.strayed)
        session_close(&g->session, true, on_pause_over, g);
    else
        g->pause = loop_timer(g->caller.loop, clock_ms() + pause, on_pause_over, g);
}

static void on_poll_health(void *ctx, const char *why)
{
    struct github *g = ctx;

    if (!g->end.decided)
        set_trouble(g, why);
}

void github_show(struct github *g)
{
    bool online = g->want > 0 && !is_busy(g) && !g->served && !g->end.decided;

    if (g->state != GITHUB_IDLE)
        github_poll_set_online(&g->poll, online);
}

/* ---- the job ---- */

static void on_job_ready(void *ctx)
{
    tell_ready(ctx);
}

static void on_job_stop(void *ctx, const char *why)
{
    struct github *g = ctx;
    const struct queue_client *c = &g->base.client;

    c->stop(c->ctx, assignment_key(g->job), why);
}

static void on_job_kill(void *ctx, const char *why)
{
    struct github *g = ctx;
    const struct queue_client *c = &g->base.client;

    c->kill(c->ctx, assignment_key(g->job), why);
}

/* With the job's end the server may have the next one at hand at once. */
static void on_job_completing(void *ctx)
{
    struct github *g = ctx;

    github_poll_step_back(&g->poll);
}

void github_settle(struct github *g)
{
    if (g->end.decided)
        leave(g);
    else if (g->renew_due && g->state == GITHUB_LISTENING && !is_busy(g) && !g->pause &&
             !g->tellings)
        github_renew(g);
    else
        take_held(g);
}

static void on_job_over(void *ctx)
{
    struct github *g = ctx;

    g->job = assignment_free(g->job);
    if (g->served) {
        github_end(g, &(struct github_end){.decided = true, .tell = true, .forgotten = true});
    } else {
        github_show(g);
        github_settle(g);
    }
    tell_ready(g);
}

struct assignment_client github_job_client(struct github *g)
{
    return (struct assignment_client){.ready = on_job_ready,
                                      .stop = on_job_stop,
                                      .kill = g->base.client.kill ? on_job_kill : NULL,
                                      .renamed = github_renamed,
                                      .warn = github_warn,
                                      .completing = on_job_completing,
                                      .over = on_job_over,
                                      .ctx = g};
}

/* ---- setting up ---- */

static char *copy_of(const char *text)
{
    return mem_dup(text, strlen(text));
}

/* "arc/0.12.0", of what may stand there (RFC 9110, 5.6.2). */
static bool is_product(struct slice text)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~";
    struct slice part;
    int parts = 0;

    for (; slice_split(&text, '/', &part); parts++)
        for (size_t i = 0; i < part.len || i == 0; i++)
            if (!part.len || !memchr(token, part.ptr[i], sizeof token - 1))
                return false;
    return parts == 2;
}

/* As the official runner names itself, and then ourselves (0.6). */
static char *make_agent(const struct github_settings *s, const char *version, const char *extra)
{
    struct buf text = BUF_INIT(1024);

    buf_printf(&text,
               "GitHubActionsRunner-linux-%s/%s Ostler ClientId/%s RunnerId/%" PRIu64
               " GroupId/%" PRId64 "%s%s Pid/%d",
               strcmp(job_arch(), "ARM64") == 0 ? "arm64" : "x64", version, s->client_id,
               s->agent_id, s->pool_id, extra ? " " : "", extra ? extra : "", (int)getpid());
    return buf_take(&text);
}

static void on_token_note(void *ctx, const char *text)
{
    github_note(ctx, text);
}

static void set_up_newer(struct github *g, const struct github_token_spec *like)
{
    const struct github_settings *s = g->settings;
    struct github_token_spec spec = *like;

    if (!*s->authorization_url_v2 || !s->key)
        return;
    spec.authority = s->authorization_url_v2;
    g->caller.newer = github_token_new(s, g->caller.http, g->caller.loop, &spec);
    g->caller.newer_from = s->migrates || g->migrates ? 0 : CLOCK_NEVER;
    g->caller.deferred = github_deferred;
    g->caller.deferred_ctx = g;
}

/* The loop is known by now. */
void github_set_up(struct github *g)
{
    const struct github_settings *s = g->settings;
    const char *server = s->use_v2 ? s->server_url_v2 : s->server_url;
    const struct github_token_spec token = {
        .retry_ms = 2 * g->waits.retry, .note = on_token_note, .ctx = g};
    const struct session_client session = {.opened = on_opened, .waits = on_waits, .ctx = g};
    const struct github_poll_client poll = {.message = on_message,
                                            .failed = on_poll_failed,
                                            .warn = github_warn,
                                            .health = on_poll_health,
                                            .ctx = g};

    if (g->token)
        return;
    g->caller.loop = g->base.client.loop;
    g->token = github_token_new(s, g->caller.http, g->caller.loop, &token);
    g->caller.token = g->token;
    set_up_newer(g, &token);
    g->tenant = *s->server_url ? tenant_new(s->server_url) : NULL;
    g->agent = make_agent(s, g->version, g->extra_agent);
    g->caller.tenant = g->tenant;
    g->caller.agent = g->agent;
    g->caller.waits = &g->waits;
    g->caller.secure = slice_starts(slice_of(server), SLICE("https://"));
    session_init(&g->session, &g->caller, g->tenant, s, g->version, &session);
    github_poll_init(&g->poll, &g->session, &poll);
}

/* ---- the queue's operations ---- */

static int next(struct queue *q, struct job **ret, struct err *err)
{
    struct github *g = github_of(q);
    struct job *job = g->job ? assignment_next(g->job) : NULL;

    (void)err;
    if (!job)
        return 0;
    *ret = job;
    return 1;
}

static bool is_ours(const struct github *g, const char *key)
{
    return g->job && strcmp(assignment_key(g->job), key) == 0;
}

static int event(struct queue *q, const char *key, json_t *e, struct slice log, struct err *err)
{
    struct github *g = github_of(q);

    (void)err;
    if (is_ours(g, key))
        assignment_event(g->job, e, log);
    return ERR_OK;
}

static int ended(struct queue *q, const char *key, const char *why, struct err *err)
{
    struct github *g = github_of(q);

    (void)err;
    if (is_ours(g, key))
        assignment_ended(g->job, why);
    return ERR_OK;
}

static void want(struct queue *q, int n)
{
    struct github *g = github_of(q);

    g->want = n;
    if (g->state == GITHUB_IDLE) {
        github_set_up(g);
        g->state = GITHUB_OPENING;
        session_open(&g->session);
    }
    github_show(g);
    take_held(g);
}

static void close_queue(struct queue *q)
{
    struct github *g = github_of(q);

    if (g->state == GITHUB_IDLE && !g->recoveries.open) {
        g->end.decided = true;
        g->state = GITHUB_OVER;
        return;
    }
    github_end(g, &(struct github_end){.decided = true, .tell = true});
}

static void cancel(struct queue *q, bool hard)
{
    struct github *g = github_of(q);

    (void)hard; /* how hard a worker is stopped is the caller's affair */
    g->cancelled = true;
    close_queue(q);
    if (g->job)
        (void)assignment_cancel(g->job, ASSIGNMENT_BY_SHUTDOWN,
                                "The runner has received a shutdown signal.", 0);
}

static bool done(const struct queue *q)
{
    return github_of(q)->state == GITHUB_OVER;
}

void github_put_down(struct github *g)
{
    github_tellings_free(g);
    g->refreshing = call_free(g->refreshing);
    github_poll_deinit(&g->poll);
    session_deinit(&g->session);
    g->caller.newer = github_token_free(g->caller.newer);
    g->token = github_token_free(g->token);
    g->tenant = tenant_free(g->tenant);
    free(g->agent);
    g->agent = NULL;
}

static void detach(struct queue *q)
{
    struct github *g = github_of(q);

    if (!g->token)
        return;
    recoveries_stop(&g->recoveries);
    take_stop(g);
    g->taking = call_free(g->taking);
    g->job = assignment_free(g->job);
    g->pause = timer_free(g->pause);
    g->leave = timer_free(g->leave);
    github_put_down(g);
    g->state = GITHUB_OVER;
}

static void free_queue(struct queue *q)
{
    struct github *g = github_of(q);

    detach(q);
    json_decref(g->reference);
    github_settings_free(g->settings);
    free(g->refused_update);
    free(g->version);
    free(g->extra_agent);
    free(g);
}

static void health(const struct queue *q, struct queue_health *ret)
{
    const struct github *g = github_of(q);

    *ret = (struct queue_health){
        .connected = g->connected,
        .contact_ms = g->caller.contact_ms,
        .trouble = g->trouble[0] ? g->trouble : NULL,
        .ending = g->end.decided,
        .ended = g->state == GITHUB_OVER,
        .exit_code = g->end.exit_code,
        .requests = g->caller.requests,
        .failures = g->caller.failures,
    };
}

static json_t *lease(const struct queue *q, const char *key)
{
    const struct github *g = github_of(q);

    return is_ours(g, key) ? assignment_lease(g->job) : NULL;
}

/* ---- jobs of a process that is gone ---- */

static void on_recovered(void *ctx, const char *text)
{
    struct github *g = ctx;

    github_note(g, text);
    github_show(g);
    github_settle(g);
}

static void recover(struct queue *q, const json_t *its_lease)
{
    struct github *g = github_of(q);

    github_set_up(g);
    recoveries_begin(&g->recoveries, its_lease);
    github_show(g);
}

bool queue_github_is_free(const struct queue *q)
{
    const struct github *g = github_of(q);

    return !is_busy(g) && !g->held.body && !g->reference && !g->served;
}

static const struct queue_ops github_ops = {
    .next = next,
    .event = event,
    .ended = ended,
    .cancel = cancel,
    .done = done,
    .detach = detach,
    .free = free_queue,
    .want = want,
    .close = close_queue,
    .health = health,
    .lease = lease,
    .recover = recover,
};

static int load(const struct registration *r, struct github_settings **ret, struct err *err)
{
    struct err ignored =
        ERR_INIT; /* what the service put in the place of ours is not worth more than ours */

    if (github_settings_load(r, true, ret, &ignored) == ERR_OK)
        return ERR_OK;
    return github_settings_load(r, false, ret, err);
}

int queue_github_new(const struct queue_github_spec *spec, struct queue **ret, struct err *err)
{
    struct github_settings *settings = NULL;

    if (load(spec->registration, &settings, err) < 0)
        return err->code;
    struct github *g = mem_new(sizeof *g);
    g->base.ops = &github_ops;
    g->registration = spec->registration;
    g->settings = settings;
    g->version = copy_of(spec->version ? spec->version : QUEUE_GITHUB_VERSION);
    if (spec->extra_agent && strlen(spec->extra_agent) <= EXTRA_AGENT_MAX &&
        is_product(slice_of(spec->extra_agent)))
        g->extra_agent = copy_of(spec->extra_agent);
    g->spool = spec->spool;
    g->no_redirects = spec->no_redirects;
    g->deprecated_exit = spec->deprecated_exit ? spec->deprecated_exit : 1;
    if (spec->waits)
        g->waits = *spec->waits;
    github_waits_fill(&g->waits, spec->minute_ms ? spec->minute_ms : 60000);
    g->throttle =
        (struct backoff){.first_ms = g->waits.throttle, .most_ms = g->waits.throttle_most};
    g->caller.http = spec->http;
    g->recoveries = (struct recoveries){.caller = &g->caller, .closed = on_recovered, .ctx = g};
    *ret = &g->base;
    return ERR_OK;
}
