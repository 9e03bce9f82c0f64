#include "io/http.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/wipe.h"
#include "io/http_call.h"
#include "io/http_why.h"

enum { RETRY_MS = 3000, URL_MAX = 16 << 10, PROXY_LOGIN = 407 };

struct socket { /* one of libcurl's, watched */
    struct http *http;
    int fd;
    struct watch *watch;
};

static char *copy_of(const char *text)
{
    return text && *text ? mem_dup(text, strlen(text)) : NULL;
}

static bool is_secure(const char *url)
{
    return slice_starts(slice_of(url), SLICE("https://"));
}

static bool is_address(const char *url)
{
    struct slice s = slice_of(url);

    if (!slice_starts(s, SLICE("http://")) && !is_secure(url))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return false;
    return http_host(url).len && s.len <= URL_MAX;
}

/* ---- answers ---- */

void http_answer_deinit(struct http_answer *a)
{
    buf_deinit(&a->headers);
    buf_deinit(&a->body);
}

struct slice http_header(const struct http_answer *a, const char *name)
{
    struct slice rest = buf_slice(&a->headers), line, found = {0};

    while (slice_line(&rest, &line)) {
        ssize_t colon = slice_find_char(line, ':');

        if (colon > 0 && slice_eq_nocase(slice_head(line, (size_t)colon), slice_of(name)))
            found = slice_trim(slice_from(line, (size_t)colon + 1));
    }
    return found;
}

static struct http_answer answer_new(size_t max)
{
    return (struct http_answer){.headers = BUF_INIT(HTTP_HEADERS_MAX),
                                .body = BUF_INIT(max ? max : HTTP_ANSWER_MAX)};
}

/* ---- how a try ended ---- */

static void end(struct http_call *c, const struct err *err)
{
    http_done_fn *done = c->done;
    struct http_answer answer = c->answer;
    void *ctx = c->ctx;

    c->answer = answer_new(0); /* nothing is left in it to release */
    bool has_head = err && err->code == ERR_LIMIT && c->q.keeps_head;
    http_call_free(c);
    done(ctx, err && !has_head ? NULL : &answer, err);
    http_answer_deinit(&answer);
}

static void stay(struct http_call *c)
{
    wipe_free(c->moved);
    c->moved = NULL;
}

static int try(struct http_call *c, struct err *err)
{
    c->tries++;
    stay(c);
    return http_call_try(c, err);
}

static void on_wait(void *ctx)
{
    struct http_call *c = ctx;
    struct err err = ERR_INIT;

    c->wait = NULL;
    if (try(c, &err) < 0)
        end(c, &err);
}

/* The pause that the server asks for; 0: none. */
static int64_t pause_wanted(const struct http_answer *a)
{
    struct err ignored = ERR_INIT; /* a date, or nothing: our own pause has to do */
    int64_t seconds = 0;

    (void)!num_parse_i64(slice_trim(http_header(a, "Retry-After")), 0, HTTP_RETRY_AFTER_MAX_S,
                         &seconds, &ignored);
    return seconds * 1000;
}

/* True: there will be another try, LEAST_MS from now at the earliest. */
static bool again(struct http_call *c, const char *why, int64_t least_ms)
{
    int64_t wait = c->http->retry_ms;

    if (c->tries >= c->q.tries)
        return false;
    for (unsigned i = 1; i < c->tries && wait < 60000; i++)
        wait += wait / 2;
    if (c->tries > 1)
        wait += clock_ns() % (wait / 2 + 1);
    if (wait < least_ms)
        wait = least_ms;
    if (c->q.retry)
        c->q.retry(c->q.ctx, c->tries, why, wait);
    c->wait = loop_timer(c->http->loop, clock_ms() + wait, on_wait, c);
    return true;
}

static bool is_passing(int status)
{
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* Where the answer sends us on to, a new text; NULL: nowhere that we would follow it to. */
static char *way_on(const struct http_call *c)
{
    struct slice location = http_header(&c->answer, "Location");
    CLEANUP(free_ptr) char *text = mem_dup(location.len ? location.ptr : "", location.len);
    CURLU *u = http_lib.url_new();
    char *url = NULL, *to = NULL;

    if (location.len && u && http_lib.url_set(u, CURLUPART_URL, c->url, 0) == CURLUE_OK &&
        http_lib.url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
        http_lib.url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK && is_address(url) &&
        (is_secure(url) || !is_secure(c->url)))
        to = copy_of(url);
    http_lib.text_free(url);
    http_lib.url_cleanup(u);
    return to;
}

/* True: the same is asked elsewhere. Not by libcurl, which gives no body to where a 303 leads, and none of its tokens to
 * another host, unless it gives them to all. */
static bool goes_on(struct http_call *c, int status)
{
    struct err err = ERR_INIT;

    if (!c->q.follow_once || status < 300 || status > 399 || c->moved)
        return false;
    c->moved = way_on(c);
    if (!c->moved)
        return false;
    if (http_call_try(c, &err) < 0)
        end(c, &err);
    return true;
}

static void on_answer(struct http_call *c, int status)
{
    char why[48];

    if (goes_on(c, status))
        return;
    /* One 206 is the end of what began as a 200. */
    c->answer.status = status == 206 && c->got && c->to_sink ? 200 : status;
    c->answer.size = c->to_sink ? c->got : (int64_t)c->answer.body.len;
    bool passing = is_passing(status) && !(status == 429 && c->q.trust_429);
    snprintf(why, sizeof why, "the server answered %d", status);
    if (passing && again(c, why, pause_wanted(&c->answer)))
        return;
    if (!passing && c->q.judge && c->q.judge(c->q.ctx, &c->answer) &&
        again(c, "the server's answer makes no sense", 0))
        return;
    end(c, NULL);
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
    case CURLE_SSL_CONNECT_ERROR:
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

/* Asked for a login, a proxy of plain HTTP answers in the server's place; no server does. */
static bool is_of_proxy(const struct http_call *c, int status)
{
    return status == PROXY_LOGIN && c->http->http_proxy;
}

/* Why the try ended with CODE; libcurl knows as long as it has the request. */
void http_call_blame(const struct http_call *c, CURLcode code, int connect_status, struct err *ret)
{
    bool secure = is_secure(http_call_url(c));
    struct http_why why = {.code = (int)code,
                           .text = c->why[0] ? c->why : http_lib.easy_strerror(code),
                           .url = http_call_url(c),
                           .proxy = secure ? c->http->https_proxy : c->http->http_proxy,
                           .ca_file = c->http->ca_file,
                           .connect_status = connect_status};
    long sys = 0, status = 0, port = 0;
    double seconds = 0;

    if (c->easy) {
        (void)http_lib.easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &sys);
        (void)http_lib.easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &status);
        (void)http_lib.easy_getinfo(c->easy, CURLINFO_PRIMARY_PORT, &port);
        (void)http_lib.easy_getinfo(c->easy, CURLINFO_TOTAL_TIME, &seconds);
        why.connect_status = status >= 300 ? (int)status : connect_status;
    }
    why.sys = (int)sys;
    why.peer_port = (int)port;
    why.seconds = (int)(seconds + 0.5);
    if (!why.seconds) /* it does not even know who is to answer */
        why.seconds = (int)(c->http->connect_ms + 999) / 1000;
    (void)http_why(&why, ret);
}

/* WHY: as http_call_blame() has it. */
static void on_failure(struct http_call *c, CURLcode code, const struct err *why)
{
    struct err err = c->err;

    if (!err.code) {
        if (is_worth_a_try(code) && again(c, why->text, 0))
            return;
        err = *why;
    }
    end(c, &err);
}

void http_call_late(void *ctx)
{
    struct http_call *c = ctx;
    struct err why = ERR_INIT;

    c->connecting = NULL;
    http_call_blame(c, CURLE_OPERATION_TIMEDOUT, 0, &why);
    http_call_let_go(c);
    on_failure(c, CURLE_OPERATION_TIMEDOUT, &why);
}

/* Ends what libcurl is done with. */
static void reap(struct http *h)
{
    CURLMsg *m;
    int left;

    while ((m = http_lib.multi_info_read(h->multi, &left))) {
        struct http_call *c = NULL;
        CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)http_lib.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
        if (c->pipe) {
            http_pipe_over(c->pipe, code);
            continue;
        }
        int status = http_call_status(c);
        struct err why = ERR_INIT;
        if (code != CURLE_OK || is_of_proxy(c, status))
            http_call_blame(c, code, status == PROXY_LOGIN ? status : 0, &why);
        http_call_let_go(c); /* M is gone with it */
        if (why.code)
            on_failure(c, code, &why);
        else
            on_answer(c, status);
    }
}

/* ---- libcurl and the loop ---- */

static void act(struct http *h, int fd, int what)
{
    int running;

    (void)http_lib.multi_action(h->multi, fd, what, &running);
    reap(h);
}

static void on_socket(void *ctx, uint32_t events)
{
    struct socket *s = ctx;

    act(s->http, s->fd,
        (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
            (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
}

static struct socket *socket_free(struct socket *s)
{
    if (s)
        watch_free(s->watch);
    free(s);
    return NULL;
}

static int on_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *own)
{
    struct http *h = ctx;
    struct socket *s = own;
    uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0u) |
                      (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0u);
    struct err err;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        socket_free(s);
        (void)http_lib.multi_assign(h->multi, fd, NULL);
        return 0;
    }
    if (s) {
        watch_set(s->watch, events);
        return 0;
    }
    s = mem_new(sizeof *s);
    *s = (struct socket){.http = h, .fd = fd};
    if (loop_watch(h->loop, fd, events, on_socket, s, &s->watch, &err) < 0) {
        free(s);
        return -1; /* the request ends with an error of libcurl's */
    }
    (void)http_lib.multi_assign(h->multi, fd, s);
    return 0;
}

static void on_timer(void *ctx)
{
    struct http *h = ctx;

    h->timer = NULL;
    act(h, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long ms, void *ctx)
{
    struct http *h = ctx;

    (void)multi;
    h->timer = timer_free(h->timer);
    if (ms >= 0)
        h->timer = loop_timer(h->loop, clock_ms() + ms, on_timer, h);
    return 0;
}

/* ---- clients ---- */

int http_new(const struct http_spec *spec, struct loop *loop, struct http **ret, struct err *err)
{
    int r = http_lib_load(err);

    if (r < 0)
        return r;
    struct http *h = mem_new(sizeof *h);
    h->loop = loop;
    h->agent = copy_of(spec->agent ? spec->agent : "ostler");
    h->http_proxy = copy_of(spec->http_proxy);
    h->https_proxy = copy_of(spec->https_proxy);
    h->no_proxy = copy_of(spec->no_proxy);
    h->ca_file = copy_of(spec->ca_file);
    h->trusts_all = spec->trusts_all;
    h->retry_ms = spec->retry_ms ? spec->retry_ms : RETRY_MS;
    h->connect_ms = spec->connect_ms ? spec->connect_ms : HTTP_CONNECT_MS;
    h->multi = http_lib.multi_init();
    if (!h->multi) {
        http_free(h);
        return err_set(err, ERR_FAILED, "libcurl has no memory");
    }
    (void)http_lib.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_wanted);
    (void)http_lib.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)http_lib.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    (void)http_lib.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    *ret = h;
    return ERR_OK;
}

struct http *http_free(struct http *h)
{
    if (!h)
        return NULL;
    while (h->calls)
        http_call_free(h->calls);
    if (h->multi)
        (void)http_lib.multi_cleanup(h->multi);
    h->timer = timer_free(h->timer);
    wipe_free(h->http_proxy);
    wipe_free(h->https_proxy);
    free(h->no_proxy);
    free(h->ca_file);
    free(h->agent);
    free(h);
    return NULL;
}

static void free_headers(struct curl_slist *list) /* a token may be among them */
{
    for (struct curl_slist *one = list; one; one = one->next)
        explicit_bzero(one->data, strlen(one->data));
    http_lib.slist_free_all(list);
}

struct http_call *http_call_free(struct http_call *c)
{
    if (!c)
        return NULL;
    for (struct http_call **at = &c->http->calls; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    http_call_let_go(c);
    c->wait = timer_free(c->wait);
    free_headers(c->headers);
    free_headers(c->resume);
    http_answer_deinit(&c->answer);
    stay(c);
    wipe_free(c->url);
    free(c->method);
    free(c);
    return NULL;
}

/* Of what a line break is in, the rest would be another header. */
int http_request_check(const struct http_request *q, struct err *err)
{
    if (!is_address(q->url))
        return err_set(err, ERR_INVALID, "this is no address of the form http://HOST/...");
    for (const char *const *one = q->headers; one && *one; one++)
        if (!strchr(*one, ':') || strpbrk(*one, "\r\n"))
            return err_set(err, ERR_INVALID, "a header is not of the form 'Name: value'");
    for (const char *m = q->method; m && *m; m++)
        if (*m < 'A' || *m > 'Z')
            return err_set(err, ERR_INVALID, "'%.20s' is no method of HTTP", q->method);
    return ERR_OK;
}

struct http_call *http_call_new(struct http *h, const struct http_request *q, http_done_fn *done,
                                void *ctx)
{
    struct http_call *c = mem_new(sizeof *c);

    c->http = h;
    c->q = *q;
    c->method = copy_of(q->method ? q->method : "GET");
    c->url = copy_of(q->url);
    c->done = done;
    c->ctx = ctx;
    c->answer = answer_new(q->answer_max);
    for (const char *const *one = q->headers; one && *one; one++)
        c->headers = http_lib.slist_append(c->headers, *one);
    /* Waiting for "100 Continue" costs a second where a server does not say it. */
    c->headers = http_lib.slist_append(c->headers, "Expect:");
    c->next = h->calls;
    h->calls = c;
    return c;
}

int http_start(struct http *h, const struct http_request *q, http_done_fn *done, void *ctx,
               struct http_call **ret, struct err *err)
{
    int r = http_request_check(q, err);

    if (r < 0)
        return r;
    struct http_call *c = http_call_new(h, q, done, ctx);
    r = try(c, err);
    if (r < 0)
        http_call_free(c);
    else if (ret)
        *ret = c;
    return r;
}

/* ---- one after the other ---- */

struct waiting {
    bool over;
    struct http_answer *answer;
    struct err err;
};

static void on_done(void *ctx, struct http_answer *a, const struct err *err)
{
    struct waiting *w = ctx;

    w->over = true;
    if (err) {
        w->err = *err;
        return;
    }
    *w->answer = *a;
    *a = answer_new(0); /* it is the caller's now */
}

int http_do(struct http *h, const struct http_request *q, struct http_answer *ret, struct err *err)
{
    struct waiting w = {.answer = ret};
    struct http_call *c = NULL;
    int r = http_start(h, q, on_done, &w, &c, err);

    while (r == ERR_OK && !w.over)
        r = loop_turn(h->loop, CLOCK_NEVER, err);
    if (!w.over) {
        http_call_free(c);
        return r;
    }
    if (w.err.code)
        *err = w.err;
    return w.err.code;
}
