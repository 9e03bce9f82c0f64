#include "queue/github/api/call.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/wipe.h"

enum { HEADERS_MAX = 10 };

struct call {
    struct caller *caller;
    call_fn *done;
    void *ctx;

    char *method, *url, *scheme, *bearer, *body;
    size_t body_size;
    char *headers[HEADERS_MAX]; /* all but the authorization */
    size_t n_headers;
    unsigned tries, settled;
    int64_t total_ms;
    size_t answer_max;
    bool document, follow_once;

    unsigned tried;
    bool renewed;  /* the token was fetched anew in this try */
    char *present; /* the token that this try goes with */
    struct http_call *http;
    struct timer *timer; /* of the next try, or of an end that came at once */
    struct answer early; /* that end */
    bool waits_for_token;
    bool may_be_newer;
    struct github_token *with; /* whose token this try has */
};

bool caller_uses_newer(const struct caller *c)
{
    return c->newer && clock_ms() >= c->newer_from;
}

bool caller_defer(struct caller *c, const char *why)
{
    if (!caller_uses_newer(c))
        return false;
    c->newer_from = clock_ms() + c->waits->defer;
    if (c->deferred)
        c->deferred(c->deferred_ctx, why);
    return true;
}

static char *copy_of(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

struct call *call_free(struct call *c)
{
    if (!c)
        return NULL;
    if (c->waits_for_token)
        github_token_forget(c->with, c);
    c->http = http_call_free(c->http);
    c->timer = timer_free(c->timer);
    for (size_t i = 0; i < c->n_headers; i++)
        free(c->headers[i]);
    wipe_free(c->present);
    wipe_free(c->bearer);
    wipe_free(c->body);
    free(c->method);
    free(c->scheme);
    free(c->url);
    free(c);
    return NULL;
}

/* ---- the end of a try ---- */

static void begin(struct call *c);

static void end(struct call *c, const struct answer *a, struct slice body,
                const struct http_answer *http)
{
    call_fn *done = c->done;
    void *ctx = c->ctx;

    call_free(c);
    done(ctx, a, body, http);
}

static void on_pause_over(void *ctx)
{
    struct call *c = ctx;

    c->timer = NULL;
    c->renewed = false;
    begin(c);
}

/* One that is too large will not be smaller the next time. */
static bool is_settled(const struct call *c, const struct answer *a)
{
    return a->kind == ANSWER_FINE || (c->settled & CALL_SETTLES(a->kind)) || c->tried >= c->tries ||
           a->too_large;
}

/* True: another try follows. */
static bool again(struct call *c, const struct answer *a)
{
    int64_t pause = c->caller->waits->retry;

    if (is_settled(c, a))
        return false;
    pause = random_between(pause, 3 * pause);
    if (a->retry_ms > pause)
        pause = a->retry_ms;
    c->timer = loop_timer(c->caller->loop, clock_ms() + pause, on_pause_over, c);
    return true;
}

static void count(struct caller *caller, const struct answer *a)
{
    caller->failures += a->kind == ANSWER_TRANSIENT;
    if (a->status)
        caller->contact_ms = clock_ms();
}

/* Cheaply: what begins and ends as an object is read by whoever wants it. */
static bool is_document(struct slice body)
{
    body = slice_trim(body);
    return slice_starts(body, SLICE("{")) && slice_ends(body, SLICE("}"));
}

static void on_answer(void *ctx, struct http_answer *http, const struct err *err)
{
    struct call *c = ctx;
    struct answer a = {.kind = ANSWER_TRANSIENT};
    struct slice body = http ? buf_slice(&http->body) : slice_make(NULL, 0);

    c->http = NULL;
    if (!err)
        answer_read(http->status, body, http_header(http, "Retry-After"), &a);
    else
        answer_line(slice_of(err->text), a.text, sizeof a.text);
    answer_hide(a.text, c->bearer ? c->bearer : c->present);
    if (a.kind == ANSWER_FINE && c->document && !is_document(body)) {
        a.kind = ANSWER_TRANSIENT;
        answer_line(SLICE("the server's answer is cut off, or none of the service's"), a.text,
                    sizeof a.text);
    }
    a.too_large = err && err->code == ERR_LIMIT;
    if (a.too_large)
        a.kind = ANSWER_REFUSED;
    count(c->caller, &a);
    if (a.kind == ANSWER_UNAUTHORIZED && !c->bearer && !c->renewed) {
        c->renewed = true;
        github_token_drop(c->with, c->present);
        begin(c);
    } else if (!again(c, &a)) {
        end(c, &a, body, http);
    }
    if (http) /* it may hold tokens, and secrets of a job */
        explicit_bzero(http->body.ptr, http->body.len);
}

/* ---- a try ---- */

static void on_early_end(void *ctx)
{
    struct call *c = ctx;
    struct answer a = c->early;

    c->timer = NULL;
    count(c->caller, &a);
    if (!again(c, &a))
        end(c, &a, slice_make(NULL, 0), NULL);
}

/* It failed before anything was sent. Told from the loop, as all ends are. */
static void fail(struct call *c, enum answer_kind kind, const char *why)
{
    c->early = (struct answer){.kind = kind};
    answer_line(slice_of(why), c->early.text, sizeof c->early.text);
    c->timer = loop_timer(c->caller->loop, clock_ms(), on_early_end, c);
}

static void send_it(struct call *c, const char *token)
{
    CLEANUP(buf_deinit) struct buf authorization = BUF_INIT(64 << 10);
    const char *headers[HEADERS_MAX + 2] = {NULL};
    struct http_request q = {.method = c->method,
                             .url = c->url,
                             .headers = headers,
                             .body = slice_make(c->body, c->body_size),
                             .idle_ms = HTTP_IDLE_NEVER,
                             .total_ms = c->total_ms,
                             .answer_max = c->answer_max,
                             .keeps_head = true,
                             .follow_once = c->follow_once};
    struct err err = ERR_INIT;

    buf_printf(&authorization, "Authorization: %s %s", c->scheme, token);
    headers[0] = authorization.ptr;
    for (size_t i = 0; i < c->n_headers; i++)
        headers[i + 1] = c->headers[i];
    c->caller->requests++;
    if (http_start(c->caller->http, &q, on_answer, c, &c->http, &err) < 0)
        fail(c, ANSWER_REFUSED, err.text);
    explicit_bzero(authorization.ptr, authorization.len);
}

static void on_token(void *ctx, const char *token, enum github_token_trouble trouble,
                     const struct err *err)
{
    static const enum answer_kind kinds[GITHUB_TOKEN_TROUBLES] = {
        [GITHUB_TOKEN_NO_ANSWER] = ANSWER_TRANSIENT,
        [GITHUB_TOKEN_INVALID_CLIENT] = ANSWER_BAD_CLIENT,
        [GITHUB_TOKEN_SKEW] = ANSWER_SKEW,
        [GITHUB_TOKEN_SERVER_ERROR] = ANSWER_TRANSIENT,
        [GITHUB_TOKEN_REFUSED] = ANSWER_UNAUTHORIZED,
    };
    struct call *c = ctx;

    c->waits_for_token = false;
    if (!token) {
        fail(c, kinds[trouble], err->text);
        return;
    }
    wipe_free(c->present);
    c->present = copy_of(token);
    send_it(c, c->present);
}

static void begin(struct call *c)
{
    if (!c->renewed)
        c->tried++;
    if (c->bearer) {
        send_it(c, c->bearer);
        return;
    }
    c->waits_for_token = true;
    c->with = c->may_be_newer && caller_uses_newer(c->caller) ? c->caller->newer : c->caller->token;
    github_token_get(c->with, on_token, c);
}

/* ---- making one ---- */

static void add_line(struct call *c, const char *line)
{
    if (c->n_headers == HEADERS_MAX)
        BUG("too many headers");
    c->headers[c->n_headers++] = copy_of(line);
}

static void add_header(struct call *c, const char *name, const char *value)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(HTTP_HEADERS_MAX);

    buf_printf(&line, "%s: %s", name, value);
    add_line(c, line.ptr);
}

static int prepare_tenant(struct call *c, const struct call_spec *spec, struct err *err)
{
    const struct tenant *whose = spec->whose ? spec->whose : c->caller->tenant;
    struct tenant_query query = *spec->tenant;
    struct tenant_request r;

    query.method = c->method;
    query.token = "";
    if (!whose)
        return err_set(err, ERR_UNSUPPORTED, "this registration names no tenant to ask");
    if (tenant_prepare(whose, &query, &r, err) < 0)
        return err->code;
    c->url = copy_of(r.request.url);
    for (const char *const *h = r.request.headers; *h; h++)
        if (!slice_starts(slice_of(*h), SLICE("Authorization:")))
            c->headers[c->n_headers++] = copy_of(*h);
    tenant_request_deinit(&r);
    return ERR_OK;
}

static int prepare_service(struct call *c, const struct call_spec *spec, struct err *err)
{
    const char *url = spec->url;

    if (c->caller->secure && !slice_starts(slice_of(url), SLICE("https://")))
        return err_set(err, ERR_DENIED,
                       "the server sent us to an address without https://, although it has https");
    c->url = copy_of(url);
    add_header(c, "Accept", spec->accept ? spec->accept : "application/json");
    if (c->body)
        add_header(c, "Content-Type", "application/json; charset=utf-8");
    for (const char *const *one = spec->headers; one && *one; one++)
        add_line(c, *one);
    return ERR_OK;
}

struct call *call_start(struct caller *caller, const struct call_spec *spec, call_fn *done,
                        void *ctx)
{
    struct call *c = mem_new(sizeof *c);
    struct err err = ERR_INIT;

    *c = (struct call){.caller = caller,
                       .done = done,
                       .ctx = ctx,
                       .method = copy_of(spec->method ? spec->method : "GET"),
                       .scheme = copy_of(spec->scheme ? spec->scheme : "Bearer"),
                       .bearer = copy_of(spec->bearer),
                       .may_be_newer = spec->newer,
                       .tries = spec->tries ? spec->tries : 1,
                       .settled = spec->settled,
                       .total_ms = spec->total_ms ? spec->total_ms : caller->waits->request,
                       .answer_max = spec->answer_max,
                       .document = spec->document,
                       .follow_once = spec->follow_once};
    if (spec->body) {
        c->body = json_dumps(spec->body, JSON_COMPACT | JSON_ENCODE_ANY);
        c->body_size = strlen(c->body);
    }
    int r = spec->tenant ? prepare_tenant(c, spec, &err) : prepare_service(c, spec, &err);
    if (caller->agent)
        add_header(c, "User-Agent", caller->agent);
    if (r < 0) {
        c->tried = c->tries;
        fail(c, ANSWER_REFUSED, err.text);
    } else {
        begin(c);
    }
    return c;
}
