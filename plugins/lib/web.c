#include "web.h"

#define CURL_DISABLE_TYPECHECK   /* our functions are pointers */
#define CURL_DISABLE_DEPRECATION /* what is new in place of the old is not there in Ubuntu 22.04 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* For a small body, waiting for "100 Continue" would cost a second where a server does not say it. */
enum { EXPECT_BYTES = 1 << 20 };
enum { CONNECTIONS = 4, BACKOFF_MS = 1000, SENT_EVERY_MS = 200, TRANSFER_BYTES = 256 << 10 };

struct web {
    struct web_spec spec;
    CURLM *multi;
    struct web_call *calls;
    size_t n_calls;
    bool cancelled;
};

struct grown { /* text in memory of its own, NUL-terminated once something was added */
    char *data;
    size_t size, limit;
};

struct web_call {
    struct web_call *next;
    struct web *web;
    struct web_request q;
    web_done_fn *done;
    char *url;
    CURL *easy; /* while a try goes on */
    struct curl_slist *headers, *rcpt;
    bool away; /* a redirect has led to another place: what is secret stays behind */
    unsigned tries, redirects;
    int64_t begun_ms, due_ms; /* due: when the next try begins */
    int64_t read, sent_ms;
    struct grown head, body;
    int64_t written; /* to to_fd */
    ost_status error;
    bool untrusted;
    const char *over; /* what to say of ERROR */
    char why[CURL_ERROR_SIZE];
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* ---- text ---- */

static bool grown_add(struct grown *g, const char *bytes, size_t n)
{
    char *data;

    if (n > g->limit - g->size)
        return false;
    data = realloc(g->data, g->size + n + 1);
    if (!data)
        abort();
    memcpy(data + g->size, bytes, n);
    g->data = data;
    g->size += n;
    data[g->size] = '\0';
    return true;
}

static void grown_clear(struct grown *g)
{
    free(g->data);
    g->data = NULL;
    g->size = 0;
}

static struct span grown_span(const struct grown *g)
{
    return (struct span){g->data ? g->data : "", g->size};
}

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

struct span web_header(const struct web_answer *a, const char *name)
{
    struct span rest = a->headers, line, key, found = {"", 0};

    while (span_line(&rest, &line))
        if (span_eat_until(&line, ':', &key) && key.size == strlen(name) &&
            strncasecmp(key.at, name, key.size) == 0)
            found = span_trim(line);
    return found;
}

static const char *env_of(const struct web *w, const char *name)
{
    size_t n = strlen(name);

    for (const char *const *one = w->spec.env; one && *one; one++)
        if (strncmp(*one, name, n) == 0 && (*one)[n] == '=' && (*one)[n + 1])
            return *one + n + 1;
    return NULL;
}

static const char *env_either(const struct web *w, const char *name, const char *capitals)
{
    const char *value = env_of(w, name);

    return value ? value : env_of(w, capitals);
}

/* ---- addresses ---- */

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

/* ---- what libcurl calls while a request goes on ---- */

static int status_of(const struct web_call *c)
{
    long status = 0;

    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t on_header(char *bytes, size_t one, size_t n, void *ctx)
{
    struct web_call *c = ctx;

    if (one * n > 5 && memcmp(bytes, "HTTP/", 5) == 0) /* of the next answer: after a 100 */
        grown_clear(&c->head);
    (void)grown_add(&c->head, bytes, one * n); /* what is over the limit is left out */
    return one * n;
}

static size_t stop(struct web_call *c, ost_status error, const char *why)
{
    c->error = error;
    c->over = why;
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *ctx)
{
    struct web_call *c = ctx;
    int status = status_of(c);
    size_t size = one * n, done = 0;

    if (!c->q.to_fd || status < 200 || status > 299)
        return grown_add(&c->body, bytes, size) ? size
                                                : stop(c, OST_E_LIMIT, "the answer is too large");
    while (done < size) {
        ssize_t put = pwrite(c->q.to_fd, bytes + done, size - done, c->written);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return stop(c, OST_E_IO, "cannot write what came: the disk may be full");
        done += (size_t)put;
        c->written += put;
    }
    return size;
}

static size_t on_read(char *to, size_t one, size_t n, void *ctx)
{
    struct web_call *c = ctx;
    int64_t left = c->q.body_size - c->read, room = (int64_t)(one * n);
    size_t size = (size_t)(left < room ? left : room);

    if (c->q.body_fd && size) {
        ssize_t got = pread(c->q.body_fd, to, size, c->q.body_at + c->read);

        if (got <= 0) {
            (void)stop(c, OST_E_IO, "what is to be sent cannot be read");
            return CURL_READFUNC_ABORT;
        }
        size = (size_t)got;
    } else if (size) {
        memcpy(to, (const char *)c->q.body + c->read, size);
    }
    c->read += (int64_t)size;
    return size;
}

/* libcurl sends anew what broke off on a connection that was kept; not what is to be sent once. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct web_call *c = ctx;

    if (c->q.flags & WEB_ONCE)
        return CURL_SEEKFUNC_FAIL;
    if (origin != SEEK_SET || offset < 0 || offset > c->q.body_size)
        return CURL_SEEKFUNC_FAIL;
    c->read = offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    struct web_call *c = ctx;
    int64_t now = now_ms();

    (void)down_all;
    (void)down;
    (void)up_all;
    if (up > 0 && now - c->sent_ms >= SENT_EVERY_MS) {
        c->sent_ms = now;
        c->q.sent(c->q.ctx, up);
    }
    return 0;
}

/* ---- one try ---- */

#define SET(c, option, value) (void)curl_easy_setopt((c)->easy, (option), (value))

static void set_body(struct web_call *c)
{
    const char *m = c->q.method ? c->q.method : "GET";
    bool sends = c->q.body_size > 0 || c->q.mail || strcmp(m, "POST") == 0 ||
                 strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0;

    if (!c->q.mail)
        SET(c, CURLOPT_CUSTOMREQUEST, m);
    if (strcmp(m, "HEAD") == 0)
        SET(c, CURLOPT_NOBODY, 1L);
    if (!sends)
        return;
    SET(c, CURLOPT_UPLOAD, 1L);
    SET(c, CURLOPT_INFILESIZE_LARGE,
        c->q.flags & WEB_CHUNKED ? (curl_off_t)-1 : (curl_off_t)c->q.body_size);
    SET(c, CURLOPT_READFUNCTION, on_read);
    SET(c, CURLOPT_READDATA, c);
    SET(c, CURLOPT_SEEKFUNCTION, on_seek);
    SET(c, CURLOPT_SEEKDATA, c);
    if (c->q.sent) {
        SET(c, CURLOPT_NOPROGRESS, 0L);
        SET(c, CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(c, CURLOPT_XFERINFODATA, c);
    }
}

/* A proxy that is not set would be taken from our environment; "" says that there is none. */
static void set_way(struct web_call *c)
{
    const struct web *w = c->web;
    bool secure = strncmp(c->url, "https:", 6) == 0, mail = c->q.mail != NULL;
    const char *proxy = secure ? env_either(w, "https_proxy", "HTTPS_PROXY")
                               : env_either(w, "http_proxy", "HTTP_PROXY");
    const char *none = env_either(w, "no_proxy", "NO_PROXY");
    const char *ca = c->q.ca_file && *c->q.ca_file ? c->q.ca_file : env_of(w, "SSL_CERT_FILE");
    const long protocols = CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_SMTP | CURLPROTO_SMTPS;

    if (!proxy)
        proxy = env_either(w, "all_proxy", "ALL_PROXY");
    SET(c, CURLOPT_PROXY, proxy && !mail ? proxy : "");
    SET(c, CURLOPT_NOPROXY, none ? none : "");
    SET(c, CURLOPT_PROTOCOLS, protocols);
    if (ca)
        SET(c, CURLOPT_CAINFO, ca); /* the system's folder of certificates still counts */
    if (c->q.flags & WEB_INSECURE) {
        SET(c, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    SET(c, CURLOPT_CONNECTTIMEOUT_MS, (long)WEB_CONNECT_MS);
    SET(c, CURLOPT_LOW_SPEED_LIMIT, (long)WEB_SLOW_BYTES);
    SET(c, CURLOPT_LOW_SPEED_TIME, (long)WEB_SLOW_SECONDS);
    if (c->q.total_ms)
        SET(c, CURLOPT_TIMEOUT_MS, (long)c->q.total_ms);
}

static void set_mail(struct web_call *c)
{
    for (const char *const *to = c->q.mail->to; *to; to++)
        c->rcpt = curl_slist_append(c->rcpt, *to);
    SET(c, CURLOPT_MAIL_FROM, c->q.mail->from);
    SET(c, CURLOPT_MAIL_RCPT, c->rcpt);
    SET(c, CURLOPT_USE_SSL, (long)(c->q.mail->plain ? CURLUSESSL_TRY : CURLUSESSL_ALL));
}

/* Those that another place may see. */
static bool is_harmless(const char *header)
{
    static const char *const names[] = {"Accept:", "Content-Type:", "Range:"};

    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (strncasecmp(header, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void set_secrets(struct web_call *c)
{
    for (const char *const *one = c->q.headers; one && *one; one++)
        if (!c->away || is_harmless(*one))
            c->headers = curl_slist_append(c->headers, *one);
    if (c->q.body_size <= EXPECT_BYTES && !(c->q.flags & WEB_CHUNKED))
        c->headers = curl_slist_append(c->headers, "Expect:");
    SET(c, CURLOPT_HTTPHEADER, c->headers);
    if (c->away || !c->q.user)
        return;
    SET(c, CURLOPT_USERNAME, c->q.user);
    SET(c, CURLOPT_PASSWORD, c->q.password ? c->q.password : "");
    if (c->q.sigv4)
        SET(c, CURLOPT_AWS_SIGV4, c->q.sigv4);
}

static void let_go(struct web_call *c)
{
    if (c->easy) {
        (void)curl_multi_remove_handle(c->web->multi, c->easy);
        curl_easy_cleanup(c->easy);
    }
    c->easy = NULL;
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->rcpt);
    c->headers = c->rcpt = NULL;
}

/* False: it has ended before it began. */
static bool try(struct web_call *c)
{
    c->easy = curl_easy_init();
    if (!c->easy)
        abort(); /* out of memory */
    c->read = c->written = 0;
    c->why[0] = '\0';
    grown_clear(&c->head);
    grown_clear(&c->body);
    if (c->q.to_fd && ftruncate(c->q.to_fd, 0) < 0)
        return stop(c, OST_E_IO, "cannot empty the file that the answer goes to") != 0;
    SET(c, CURLOPT_PRIVATE, c);
    SET(c, CURLOPT_URL, c->url);
    SET(c, CURLOPT_USERAGENT, c->web->spec.agent ? c->web->spec.agent : "ostler");
    SET(c, CURLOPT_NOSIGNAL, 1L);
    SET(c, CURLOPT_ERRORBUFFER, c->why);
    SET(c, CURLOPT_BUFFERSIZE, (long)TRANSFER_BYTES);
    SET(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)TRANSFER_BYTES);
    SET(c, CURLOPT_HEADERFUNCTION, on_header);
    SET(c, CURLOPT_HEADERDATA, c);
    SET(c, CURLOPT_WRITEFUNCTION, on_body);
    SET(c, CURLOPT_WRITEDATA, c);
    set_body(c);
    set_way(c);
    if (c->q.mail)
        set_mail(c);
    set_secrets(c);
    return curl_multi_add_handle(c->web->multi, c->easy) == CURLM_OK ||
           stop(c, OST_E_FAILED, "libcurl takes no more requests") != 0;
}

/* ---- how it ended ---- */

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
    let_go(c);
    if (c->error)
        a.why = ost_fmt(w->spec.step, "%.*s%s%s", (int)host.size, host.at, host.size ? ": " : "",
                        c->over);
    c->done(c->q.ctx, &a);
    grown_clear(&c->head);
    grown_clear(&c->body);
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
    int64_t wait = web_wait_ms(c->web, &a, c->tries), now = now_ms();

    if (c->q.flags & WEB_ONCE || c->tries >= tries || c->web->cancelled)
        return false;
    if (now + wait - c->begun_ms > WEB_RETRY_ALL_MS)
        return false;
    ost_log(step, OST_INFO, "%.*s: %s; trying again in %.1f s (try %u of %u)", (int)host.size,
            host.at, why, (double)wait / 1000, c->tries + 1, tries);
    let_go(c);
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
    let_go(c);
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
    int status = c->q.mail ? status_of(c) : 0;

    if (!c->error) {
        const char *why = c->why[0] ? c->why : curl_easy_strerror(code);

        if (is_worth_a_try(code) && again(c, why))
            return;
        c->untrusted = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
        (void)stop(c, code == CURLE_OPERATION_TIMEDOUT ? OST_E_TIMEOUT : OST_E_IO, why);
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
            on_answer(c, status_of(c));
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
        (void)stop(c, OST_E_CANCELLED, "cancelled");
        end(c, 0);
    }
}

static void begin_due(struct web *w)
{
    struct web_call *c;

    while ((c = first_due(w, now_ms()))) {
        c->tries += c->due_ms != 0 || c->tries == 0; /* a redirect is no try */
        if (c->error || !try(c))
            end(c, 0);
    }
}

static int wait_ms(const struct web *w, int64_t timeout_ms)
{
    int64_t now = now_ms(), most = timeout_ms < 0 || timeout_ms > 60000 ? 60000 : timeout_ms;

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
    c->begun_ms = now_ms();
    c->due_ms = q->delay_ms > 0 ? c->begun_ms + q->delay_ms : 0;
    if (wrong)
        (void)stop(c, OST_E_INVALID, wrong);
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
