#include "web.h"

#include "web_call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CONNECTIONS = 4, BACKOFF_MS = 1000 };

/* ---- addresses ---- */

/* "example.org:5000" of an address. */
static struct span host_of(const char *url)
{
    struct span rest = span_of(url), user;
    size_t at = span_find(rest, "://");

    if (at != SIZE_MAX)
        rest = span_of(url + at + 3);
    rest.size = strcspn(rest.at, "/?#");
    if (rest.size > 200)
        rest.size = 200;
    (void)span_eat_until(&rest, '@', &user);
    return rest;
}

/* Scheme and host: what may see the same secrets. */
static struct span origin_of(const char *url)
{
    struct span host = host_of(url);

    return (struct span){url, (size_t)(host.at + host.size - url)};
}

static bool is_address(const char *url)
{
    static const char *const schemes[] = {"http://", "https://", "smtp://", "smtps://"};
    bool known = false;

    for (size_t i = 0; i < OST_COUNT(schemes); i++)
        known = known || strncmp(url, schemes[i], strlen(schemes[i])) == 0;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return false;
    return known && host_of(url).size > 0 && strlen(url) <= WEB_URL_MAX;
}

/* Malloc'd; NULL: it is none. */
static char *resolve(const char *url, const char *location)
{
    CURLU *u = curl_url();
    char *text = NULL, *copy = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK && is_address(text))
        copy = strdup(text);
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

const char *web_resolve(struct ost_step *step, const struct web_answer *a, struct span location)
{
    char *url = location.size ? resolve(a->url, span_dup(step, location)) : NULL;
    const char *kept = url ? span_dup(step, span_of(url)) : NULL;

    free(url);
    return kept;
}

/* ---- how it ended ---- */

static struct span grown_span(const struct grown *g)
{
    return (struct span){g->data ? g->data : "", g->size};
}

struct span web_header(const struct web_answer *a, const char *name)
{
    struct span rest = a->headers, line, key, found = {"", 0};

    while (span_line(&rest, &line))
        if (span_eat_until(&line, ':', &key) && key.size == strlen(name) &&
            strncasecmp(key.at, name, key.size) == 0)
            found = span_trim(line);
    return found;
}

/* DONE is the last that happens to C. */
static void end(struct web_call *c, int status)
{
    struct web *w = c->web;
    struct span host = host_of(c->url);
    struct web_answer a = {.error = c->error,
                           .untrusted = c->untrusted,
                           .status = status,
                           .body = grown_span(&c->body),
                           .headers = grown_span(&c->head),
                           .url = c->url,
                           .tries = c->tries};

    for (struct web_call **at = &w->calls; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    w->n_calls--;
    web_call_let_go(c);
    if (c->error)
        a.why = ost_fmt(w->spec.step, "%.*s%s%s", (int)host.size, host.at, host.size ? ": " : "",
                        c->over);
    c->done(c->q.ctx, &a);
    web_call_clear(c);
    free(c->url);
    free(c);
}

/* Seconds or a date; -1: there is none. */
static int64_t wanted_ms(struct ost_step *step, const struct web_answer *a)
{
    struct span value = web_header(a, "Retry-After"), rest = value;
    uint32_t seconds;
    time_t then;

    if (value.size == 0)
        return -1;
    if (span_eat_number(&rest, &seconds) && rest.size == 0)
        return seconds * INT64_C(1000);
    then = curl_getdate(span_dup(step, value), NULL);
    return then < 0 ? -1 : then <= time(NULL) ? 0 : (then - time(NULL)) * INT64_C(1000);
}

/* Doubled each time, and up to half of it more by chance, so that many do not come back at once. */
int64_t web_wait_ms(const struct web *w, const struct web_answer *a, unsigned tries)
{
    int64_t wait = wanted_ms(w->spec.step, a);
    struct timespec t;

    if (wait >= 0)
        return wait;
    wait = w->spec.backoff_ms ? w->spec.backoff_ms : BACKOFF_MS;
    for (unsigned i = 1; i < tries && wait < WEB_WAIT_MAX_MS; i++)
        wait *= 2;
    if (wait > WEB_WAIT_MAX_MS)
        wait = WEB_WAIT_MAX_MS;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return wait + t.tv_nsec / 1000 % (wait / 2 + 1);
}

/* True: there will be another try. */
static bool again(struct web_call *c, const char *why)
{
    struct ost_step *step = c->web->spec.step;
    unsigned tries = c->q.tries ? c->q.tries : WEB_TRIES;
    struct span host = host_of(c->url);
    struct web_answer a = {.headers = grown_span(&c->head)};
    int64_t wait = web_wait_ms(c->web, &a, c->tries), now = web_now_ms();

    if (c->q.flags & WEB_ONCE || c->tries >= tries || c->web->cancelled)
        return false;
    if (now + wait - c->begun_ms > WEB_RETRY_ALL_MS)
        return false;
    ost_log(step, OST_INFO, "%.*s: %s; trying again in %.1f s (try %u of %u)", (int)host.size,
            host.at, why, (double)wait / 1000, c->tries + 1, tries);
    web_call_let_go(c);
    c->due_ms = now + wait;
    return true;
}

/* True: it goes on at another address. */
static bool redirected(struct web_call *c, int status)
{
    struct web_answer a = {.headers = grown_span(&c->head)};
    struct span location = web_header(&a, "Location"), old, new;
    bool sends = c->q.body_size > 0 || (c->q.method && strcmp(c->q.method, "POST") == 0);
    char *url;

    if (!(c->q.flags & WEB_FOLLOW) || location.size == 0 || ++c->redirects > WEB_REDIRECTS_MAX)
        return false;
    if (status != 307 && status != 308 && (sends || status < 301 || status > 303))
        return false;
    url = resolve(c->url, span_dup(c->web->spec.step, location));
    if (!url || (strncmp(c->url, "https:", 6) == 0 && strncmp(url, "https:", 6) != 0)) {
        free(url);
        return false;
    }
    old = origin_of(c->url);
    new = origin_of(url);
    if (old.size != new.size || strncasecmp(old.at, new.at, old.size) != 0)
        c->away = true;
    web_call_let_go(c);
    free(c->url);
    c->url = url;
    c->due_ms = 0;
    return true;
}

static void on_answer(struct web_call *c, int status)
{
    bool passing = status == 429 || status == 500 || (status >= 502 && status <= 504);

    if (passing && !c->q.mail &&
        again(c, ost_fmt(c->web->spec.step, "the server answered %d", status)))
        return;
    if (status >= 300 && status <= 399 && redirected(c, status))
        return;
    end(c, status);
}

static bool is_worth_a_try(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

static void on_failure(struct web_call *c, CURLcode code)
{
    int status = c->q.mail ? web_call_status(c) : 0;

    if (!c->error) {
        const char *why = c->why[0] ? c->why : curl_easy_strerror(code);

        if (is_worth_a_try(code) && again(c, why))
            return;
        c->untrusted = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
        (void)web_call_stop(c, code == CURLE_OPERATION_TIMEDOUT ? OST_E_TIMEOUT : OST_E_IO, why);
    }
    end(c, status);
}

/* Ends what libcurl is done with. */
static void reap(struct web *w)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(w->multi, &left))) {
        struct web_call *c = NULL;
        CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (void *)&c);
        if (code == CURLE_OK)
            on_answer(c, web_call_status(c));
        else
            on_failure(c, code);
    }
}

/* ---- the loop ---- */

/* A callback may start and drop others: after each, the walk begins anew. */
static struct web_call *first_due(struct web *w, int64_t now)
{
    for (struct web_call *c = w->calls; c; c = c->next)
        if (!c->easy && c->due_ms <= now)
            return c;
    return NULL;
}

static struct web_call *first_cancelled(struct web *w)
{
    for (struct web_call *c = w->calls; c; c = c->next)
        if (!(c->q.flags & WEB_ANYWAY))
            return c;
    return NULL;
}

static void look_for_cancel(struct web *w)
{
    struct ost_step *step = w->spec.step;
    struct web_call *c;

    if (!w->cancelled && !step->host->cancelled(step))
        return;
    w->cancelled = true;
    while ((c = first_cancelled(w))) {
        (void)web_call_stop(c, OST_E_CANCELLED, "cancelled");
        end(c, 0);
    }
}

static void begin_due(struct web *w)
{
    struct web_call *c;

    while ((c = first_due(w, web_now_ms()))) {
        c->tries += c->due_ms != 0 || c->tries == 0; /* a redirect is no try */
        if (c->error || !web_call_try(c))
            end(c, 0);
    }
}

static int wait_ms(const struct web *w, int64_t timeout_ms)
{
    int64_t now = web_now_ms(), most = timeout_ms < 0 || timeout_ms > 60000 ? 60000 : timeout_ms;

    for (const struct web_call *c = w->calls; c; c = c->next)
        if (!c->easy && c->due_ms - now < most)
            most = c->due_ms > now ? c->due_ms - now : 0;
    return (int)most;
}

void web_turn(struct web *w, int64_t timeout_ms, int wake_fd)
{
    struct ost_step *step = w->spec.step;
    struct curl_waitfd more[2] = {{.fd = wake_fd, .events = CURL_WAIT_POLLIN}};
    unsigned n = wake_fd >= 0;
    size_t before;
    int running;

    look_for_cancel(w);
    begin_due(w);
    (void)curl_multi_perform(w->multi, &running);
    before = w->n_calls;
    reap(w);
    if (w->n_calls != before || (w->n_calls == 0 && wake_fd < 0))
        return; /* something has happened that the caller may wait for */
    if (!w->cancelled)
        more[n++] =
            (struct curl_waitfd){.fd = step->host->cancel_fd(step), .events = CURL_WAIT_POLLIN};
    (void)curl_multi_poll(w->multi, more, n, wait_ms(w, timeout_ms), NULL);
    look_for_cancel(w);
    (void)curl_multi_perform(w->multi, &running);
    reap(w);
}

/* ---- clients and calls ---- */

struct web *web_new(const struct web_spec *spec)
{
    struct web *w = calloc(1, sizeof *w);
    long connections = spec->connections ? (long)spec->connections : CONNECTIONS;

    if (!w)
        abort();
    w->spec = *spec;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        w->multi = curl_multi_init();
    if (!w->multi) {
        free(w);
        ost_fail(spec->step, OST_E_FAILED, "libcurl cannot be set up");
        return NULL;
    }
    (void)curl_multi_setopt(w->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
    return w;
}

struct web *web_free(struct web *w)
{
    if (!w)
        return NULL;
    web_drop_all(w);
    (void)curl_multi_cleanup(w->multi);
    curl_global_cleanup();
    free(w);
    return NULL;
}

static void forget(void *ctx, const struct web_answer *a)
{
    (void)ctx;
    (void)a;
}

struct web_call *web_drop(struct web_call *c)
{
    if (c) {
        c->done = forget;
        c->error = OST_OK;
        end(c, 0);
    }
    return NULL;
}

void web_drop_all(struct web *w)
{
    while (w->calls)
        web_drop(w->calls);
}

/* NULL, or what is wrong: behind a line break, the rest would be another header. */
static const char *check(const struct web_request *q)
{
    if (!q->url || !is_address(q->url))
        return "this is no address of the form https://HOST/...";
    for (const char *const *one = q->headers; one && *one; one++)
        if (!strchr(*one, ':') || strpbrk(*one, "\r\n"))
            return "a header is not of the form 'Name: value'";
    for (const char *m = q->method; m && *m; m++)
        if (*m < 'A' || *m > 'Z')
            return "the method is none of HTTP";
    return NULL;
}

struct web_call *web_start(struct web *w, const struct web_request *q, web_done_fn *done)
{
    struct web_call *c = calloc(1, sizeof *c);
    const char *wrong = check(q);

    if (!c || !(c->url = strdup(wrong ? "" : q->url)))
        abort();
    c->web = w;
    c->q = *q;
    c->done = done;
    c->head.limit = WEB_HEADERS_MAX;
    c->body.limit = WEB_ANSWER_MAX;
    c->begun_ms = web_now_ms();
    c->due_ms = q->delay_ms > 0 ? c->begun_ms + q->delay_ms : 0;
    if (wrong)
        (void)web_call_stop(c, OST_E_INVALID, wrong);
    c->next = w->calls;
    w->calls = c;
    w->n_calls++;
    return c;
}

size_t web_busy(const struct web *w)
{
    return w->n_calls;
}

ost_status web_basic(struct ost_step *step, const char *user, const char *password,
                     const char **ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *both = ost_fmt(step, "%s:%s", user, password);
    size_t n = strlen(both);
    struct sink k = {.step = step};
    ost_status r;

    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t bits = 0;
        char four[4];

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < have ? (unsigned char)both[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            four[j] = j <= have ? digits[bits >> (18 - 6 * j) & 63] : '=';
        sink_add(&k, (struct span){four, 4});
    }
    r = step->host->mask(step, sink_text(&k));
    if (r == OST_OK)
        *ret = ost_fmt(step, "Authorization: Basic %s", sink_text(&k));
    return r;
}

/* ---- one alone ---- */

struct web_answer web_keep(struct ost_step *step, const struct web_answer *a)
{
    struct web_answer own = *a;

    own.body.at = span_dup(step, a->body);
    own.headers.at = span_dup(step, a->headers);
    own.url = span_dup(step, span_of(a->url));
    return own;
}

struct waiting {
    struct web *web;
    bool over;
    struct web_answer *answer;
};

static void on_done(void *ctx, const struct web_answer *a)
{
    struct waiting *w = ctx;

    w->over = true;
    *w->answer = web_keep(w->web->spec.step, a);
}

ost_status web_do(struct web *w, const struct web_request *q, struct web_answer *ret)
{
    struct waiting waiting = {.web = w, .answer = ret};
    struct web_request own = *q;

    own.ctx = &waiting;
    own.sent = NULL;
    web_start(w, &own, on_done);
    while (!waiting.over)
        web_turn(w, -1, -1);
    return ret->error;
}
