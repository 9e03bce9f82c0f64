#include "io/http.h"

#define CURL_DISABLE_TYPECHECK   /* our functions are pointers */
#define CURL_DISABLE_DEPRECATION /* what is new in place of the old is not there in Ubuntu 22.04 */
#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/wipe.h"
#include "io/http_why.h"
#include "io/late.h"

enum { BUFFER_SIZE = 256 << 10, RETRY_MS = 3000, URL_MAX = 16 << 10, PROXY_LOGIN = 407 };

static struct {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_send) *easy_send;
    __typeof__(curl_easy_recv) *easy_recv;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_url) *url_new;
    __typeof__(curl_url_set) *url_set;
    __typeof__(curl_url_get) *url_get;
    __typeof__(curl_url_cleanup) *url_cleanup;
    __typeof__(curl_free) *text_free;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_setopt) *multi_setopt;
    __typeof__(curl_multi_assign) *multi_assign;
    __typeof__(curl_multi_add_handle) *multi_add;
    __typeof__(curl_multi_remove_handle) *multi_remove;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_socket_action) *multi_action; /* last, it says that all is loaded */
} lib;

static int load(struct err *err)
{
    static const struct late_symbol symbols[] = {
        {"curl_global_init", &lib.global_init},
        {"curl_easy_init", &lib.easy_init},
        {"curl_easy_cleanup", &lib.easy_cleanup},
        {"curl_easy_setopt", &lib.easy_setopt},
        {"curl_easy_getinfo", &lib.easy_getinfo},
        {"curl_easy_strerror", &lib.easy_strerror},
        {"curl_easy_send", &lib.easy_send},
        {"curl_easy_recv", &lib.easy_recv},
        {"curl_slist_append", &lib.slist_append},
        {"curl_slist_free_all", &lib.slist_free_all},
        {"curl_url", &lib.url_new},
        {"curl_url_set", &lib.url_set},
        {"curl_url_get", &lib.url_get},
        {"curl_url_cleanup", &lib.url_cleanup},
        {"curl_free", &lib.text_free},
        {"curl_multi_init", &lib.multi_init},
        {"curl_multi_cleanup", &lib.multi_cleanup},
        {"curl_multi_setopt", &lib.multi_setopt},
        {"curl_multi_assign", &lib.multi_assign},
        {"curl_multi_add_handle", &lib.multi_add},
        {"curl_multi_remove_handle", &lib.multi_remove},
        {"curl_multi_info_read", &lib.multi_info_read},
        {"curl_multi_socket_action", &lib.multi_action},
        {0},
    };

    if (lib.multi_action)
        return ERR_OK;
    int r = late_load("libcurl.so.4", "libcurl4", symbols, err);
    if (r == ERR_OK && lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        r = err_set(err, ERR_FAILED, "libcurl cannot be set up");
    return r;
}

struct http {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer; /* libcurl's */
    struct http_call *calls;
    char *agent, *http_proxy, *https_proxy, *no_proxy, *ca_file;
    bool trusts_all;
    int64_t retry_ms, connect_ms;
};

struct http_call {
    struct http_call *next;
    struct http *http;
    struct http_request q; /* texts: use those below */
    char *method, *url;
    struct curl_slist *headers, *resume; /* resume: the headers with a range */
    http_done_fn *done;
    void *ctx;
    struct http_pipe *pipe; /* it is no request, but a connection for this one; NULL: it is one */

    CURL *easy;
    bool added;               /* libcurl has it */
    struct timer *connecting; /* ends it; NULL: it is connected, or libcurl looks to that */
    struct timer *wait;       /* for the next try */
    unsigned tries;
    int64_t sent;       /* of the body, in this try */
    int64_t got;        /* bytes that the sink has */
    int64_t skip;       /* bytes to pass over: the server began anew */
    bool begun;         /* bytes of this try's body have come */
    size_t headers_got; /* bytes, in this try */
    bool to_sink;
    struct http_answer answer;
    struct err err; /* the sink's, or a limit */
    char why[CURL_ERROR_SIZE];
};

struct socket { /* one of libcurl's, watched */
    struct http *http;
    int fd;
    struct watch *watch;
};

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

/* ---- hosts ---- */

/* Is the host of the address ALLOWED, or that of MORE as seen from there? Asked with libcurl's own eyes: it is libcurl
 * that goes there. */
static bool may_ask(struct http_call *c, const char *url, const char *more)
{
    CURLU *u = lib.url_new();
    char *host = NULL, *port = NULL;
    bool good = u && lib.url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
                (!more || lib.url_set(u, CURLUPART_URL, more, 0) == CURLUE_OK) &&
                lib.url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                lib.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;

    if (!good)
        (void)err_set(&c->err, ERR_INVALID, "%s is no address", more ? "a redirect" : "this");
    else if (!c->q.allows(c->q.ctx, host, port)) {
        good = false;
        (void)err_set(&c->err, ERR_DENIED,
                      "%s'%.100s' is not among the hosts that the policy allows",
                      more ? "redirected: " : "", host);
    }
    lib.text_free(host);
    lib.text_free(port);
    lib.url_cleanup(u);
    return good;
}

static int status_of(struct http_call *c);

/* True if LINE sends us where we may not go. */
static bool leads_astray(struct http_call *c, struct slice line)
{
    int status = status_of(c);
    const char *from = NULL;
    ssize_t colon = slice_find_char(line, ':');

    if (!c->q.allows || !c->q.follow || status < 300 || status > 399 || colon < 0 ||
        !slice_eq_nocase(slice_head(line, (size_t)colon), SLICE("Location")))
        return false;
    struct slice to = slice_trim(slice_from(line, (size_t)colon + 1));
    CLEANUP(free_ptr) char *text = mem_dup(to.len ? to.ptr : "", to.len);
    (void)lib.easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &from);
    return !may_ask(c, from ? from : c->url, text);
}

/* ---- what libcurl calls while a request goes on ---- */

static size_t on_header(char *bytes, size_t one, size_t n, void *ctx)
{
    struct http_call *c = ctx;
    struct slice line = slice_make(bytes, one * n);

    if (slice_starts(line, SLICE("HTTP/"))) /* of the next answer: redirects, 100 */
        buf_clear(&c->answer.headers);
    buf_add(&c->answer.headers, line);
    c->headers_got += line.len;
    if (c->answer.headers.overflow || c->headers_got > HTTP_HEADERS_ALL_MAX) {
        (void)err_set(&c->err, ERR_LIMIT, "the headers of the server's answer are too large");
        return 0;
    }
    return leads_astray(c, line) ? 0 : line.len;
}

static int status_of(struct http_call *c)
{
    long status = 0;

    (void)lib.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* The first byte of "bytes 5-9/10". */
static bool range_begins_at(const struct http_call *c, int64_t at)
{
    struct slice range = http_header(&c->answer, "Content-Range");
    struct err err;
    int64_t first;

    if (!slice_starts(range, SLICE("bytes ")))
        return false;
    range = slice_from(range, 6);
    ssize_t dash = slice_find_char(range, '-');
    return dash > 0 &&
           num_parse_i64(slice_head(range, (size_t)dash), 0, INT64_MAX, &first, &err) == ERR_OK &&
           first == at;
}

/* Where this try's body goes. */
static bool begin_body(struct http_call *c)
{
    int status = status_of(c);

    c->begun = true;
    c->to_sink = c->q.sink && status >= 200 && status <= 299;
    c->skip = c->to_sink && status != 206 ? c->got : 0;
    if (c->to_sink && status == 206 && !range_begins_at(c, c->got)) {
        (void)err_set(&c->err, ERR_FAILED, "the server sent another part than it was asked for");
        return false;
    }
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *ctx)
{
    struct http_call *c = ctx;
    struct slice piece = slice_make(bytes, one * n);

    if (!c->begun && !begin_body(c))
        return 0;
    if (!c->to_sink) {
        buf_add(&c->answer.body, piece);
        return buf_check(&c->answer.body, "the server's answer", &c->err) < 0 ? 0 : one * n;
    }
    if (c->skip >= (int64_t)piece.len) {
        c->skip -= (int64_t)piece.len;
        return one * n;
    }
    piece = slice_from(piece, (size_t)c->skip);
    c->skip = 0;
    if (c->q.sink(c->q.ctx, piece, &c->err) < 0)
        return 0;
    c->got += (int64_t)piece.len;
    return one * n;
}

static int64_t body_size(const struct http_call *c)
{
    return c->q.body_fd > 0 ? c->q.body_size : (int64_t)c->q.body.len;
}

static size_t on_read(char *to, size_t one, size_t n, void *ctx)
{
    struct http_call *c = ctx;
    int64_t left = body_size(c) - c->sent, room = (int64_t)(one * n);
    size_t size = (size_t)(left < room ? left : room);

    if (c->q.body_fd > 0) {
        ssize_t got = pread(c->q.body_fd, to, size, (off_t)(c->q.body_offset + c->sent));

        if (got < 0 || (got == 0 && size)) {
            (void)(got < 0 ? err_sys(&c->err, "cannot read what is to be sent")
                           : err_set(&c->err, ERR_FAILED, "what is to be sent was cut off"));
            return CURL_READFUNC_ABORT;
        }
        size = (size_t)got;
    } else if (size) {
        memcpy(to, c->q.body.ptr + c->sent, size);
    }
    c->sent += (int64_t)size;
    return size;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct http_call *c = ctx;

    if (origin != SEEK_SET || offset < 0 || offset > body_size(c))
        return CURL_SEEKFUNC_FAIL;
    c->sent = offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- one try ---- */

static void let_go(struct http_call *c)
{
    c->connecting = timer_free(c->connecting);
    if (c->added)
        (void)lib.multi_remove(c->http->multi, c->easy);
    if (c->easy)
        lib.easy_cleanup(c->easy);
    c->added = false;
    c->easy = NULL;
}

#define SET(c, option, value) (void)lib.easy_setopt((c)->easy, (option), (value))

static void set_method(struct http_call *c)
{
    bool sends = body_size(c) > 0 || strcmp(c->method, "POST") == 0 ||
                 strcmp(c->method, "PUT") == 0 || strcmp(c->method, "PATCH") == 0;

    SET(c, CURLOPT_CUSTOMREQUEST, c->method);
    if (strcmp(c->method, "HEAD") == 0)
        SET(c, CURLOPT_NOBODY, 1L);
    if (!sends)
        return;
    SET(c, CURLOPT_UPLOAD, 1L);
    SET(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_size(c));
    SET(c, CURLOPT_READFUNCTION, on_read);
    SET(c, CURLOPT_READDATA, c);
    SET(c, CURLOPT_SEEKFUNCTION, on_seek);
    SET(c, CURLOPT_SEEKDATA, c);
}

/* A proxy that is not set would be taken from the environment; "" says that there is none. */
static void set_way(struct http_call *c)
{
    const struct http *h = c->http;
    bool secure = slice_starts(slice_of(c->url), SLICE("https:"));
    const char *proxy = secure ? h->https_proxy : h->http_proxy;

    SET(c, CURLOPT_PROXY, proxy ? proxy : "");
    SET(c, CURLOPT_NOPROXY, h->no_proxy ? h->no_proxy : "");
    SET(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    SET(c, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    if (h->ca_file)
        SET(c, CURLOPT_CAINFO, h->ca_file);
    if (h->trusts_all) {
        SET(c, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (c->q.follow) {
        SET(c, CURLOPT_FOLLOWLOCATION, 1L);
        SET(c, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS_MAX);
    }
}

static void on_connect_late(void *ctx);

static int on_connected(void *ctx, char *to, char *from, int to_port, int from_port)
{
    struct http_call *c = ctx;

    (void)to, (void)from, (void)to_port, (void)from_port;
    c->connecting = timer_free(c->connecting);
    return CURL_PREREQFUNC_OK;
}

/* libcurl (7.88) takes its timer for connecting not back once it is connected: one wake-up more of a long poll that would
 * need none. So its connecting is timed here; but libcurl alone sees the connections that redirects lead to. */
static void set_connect_time(struct http_call *c, bool wakes_anyway)
{
    int64_t ms = c->http->connect_ms;

    if (wakes_anyway || c->q.follow) {
        SET(c, CURLOPT_CONNECTTIMEOUT_MS, (long)ms);
        return;
    }
    SET(c, CURLOPT_PREREQFUNCTION, on_connected);
    SET(c, CURLOPT_PREREQDATA, c);
    c->connecting = loop_timer(c->http->loop, clock_ms() + ms, on_connect_late, c);
}

static void set_times(struct http_call *c)
{
    int64_t idle = c->q.idle_ms ? c->q.idle_ms : HTTP_IDLE_MS;

    set_connect_time(c, idle > 0);
    if (idle > 0) {
        SET(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(c, CURLOPT_LOW_SPEED_TIME, (long)((idle + 999) / 1000));
    }
    if (c->q.total_ms)
        SET(c, CURLOPT_TIMEOUT_MS, (long)c->q.total_ms);
}

/* What was begun is gone on with. */
static void set_headers(struct http_call *c)
{
    char range[48];

    lib.slist_free_all(c->resume);
    c->resume = NULL;
    if (!c->got) {
        SET(c, CURLOPT_HTTPHEADER, c->headers);
        return;
    }
    for (struct curl_slist *one = c->headers; one; one = one->next)
        c->resume = lib.slist_append(c->resume, one->data);
    snprintf(range, sizeof range, "Range: bytes=%lld-", (long long)c->got);
    c->resume = lib.slist_append(c->resume, range);
    SET(c, CURLOPT_HTTPHEADER, c->resume);
}

/* HTTP/2 would be no use to who comes next; a proxy is to let all through. */
static void set_pipe(struct http_call *c)
{
    SET(c, CURLOPT_CONNECT_ONLY, 1L);
    SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c, CURLOPT_HTTPPROXYTUNNEL, 1L);
}

static int try(struct http_call *c, struct err *err)
{
    if (c->q.allows && !may_ask(c, c->url, NULL)) {
        *err = c->err;
        return err->code;
    }
    c->easy = lib.easy_init();
    if (!c->easy)
        return err_set(err, ERR_FAILED, "libcurl has no memory");
    c->tries++;
    c->sent = 0;
    c->begun = false;
    c->headers_got = 0;
    c->why[0] = '\0';
    buf_clear(&c->answer.headers);
    buf_clear(&c->answer.body);
    SET(c, CURLOPT_PRIVATE, c);
    SET(c, CURLOPT_URL, c->url);
    SET(c, CURLOPT_USERAGENT, c->http->agent);
    SET(c, CURLOPT_NOSIGNAL, 1L);
    SET(c, CURLOPT_ERRORBUFFER, c->why);
    SET(c, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
    SET(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_SIZE);
    SET(c, CURLOPT_HEADERFUNCTION, on_header);
    SET(c, CURLOPT_HEADERDATA, c);
    SET(c, CURLOPT_WRITEFUNCTION, on_body);
    SET(c, CURLOPT_WRITEDATA, c);
    set_method(c);
    set_way(c);
    SET(c, CURLOPT_FRESH_CONNECT, c->q.fresh ? 1L : 0L);
    set_times(c);
    set_headers(c);
    if (c->pipe)
        set_pipe(c);
    if (lib.multi_add(c->http->multi, c->easy) != CURLM_OK)
        return err_set(err, ERR_FAILED, "libcurl takes no more requests");
    c->added = true;
    return ERR_OK;
}

/* ---- how a try ended ---- */

static void end(struct http_call *c, const struct err *err)
{
    http_done_fn *done = c->done;
    struct http_answer answer = c->answer;
    void *ctx = c->ctx;

    c->answer = answer_new(0); /* nothing is left in it to release */
    http_call_free(c);
    done(ctx, err ? NULL : &answer, err);
    http_answer_deinit(&answer);
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

static void on_answer(struct http_call *c, int status)
{
    char why[48];

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
static void blame(const struct http_call *c, CURLcode code, int connect_status, struct err *ret)
{
    bool secure = slice_starts(slice_of(c->url), SLICE("https:"));
    struct http_why why = {.code = (int)code,
                           .text = c->why[0] ? c->why : lib.easy_strerror(code),
                           .url = c->url,
                           .proxy = secure ? c->http->https_proxy : c->http->http_proxy,
                           .ca_file = c->http->ca_file,
                           .connect_status = connect_status};
    long sys = 0, status = 0, port = 0;
    double seconds = 0;

    if (c->easy) {
        (void)lib.easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &sys);
        (void)lib.easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &status);
        (void)lib.easy_getinfo(c->easy, CURLINFO_PRIMARY_PORT, &port);
        (void)lib.easy_getinfo(c->easy, CURLINFO_TOTAL_TIME, &seconds);
        why.connect_status = status >= 300 ? (int)status : connect_status;
    }
    why.sys = (int)sys;
    why.peer_port = (int)port;
    why.seconds = (int)(seconds + 0.5);
    if (!why.seconds) /* it does not even know who is to answer */
        why.seconds = (int)(c->http->connect_ms + 999) / 1000;
    (void)http_why(&why, ret);
}

/* WHY: as blame() has it. */
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

static void on_connect_late(void *ctx)
{
    struct http_call *c = ctx;

    struct err why = ERR_INIT;

    c->connecting = NULL;
    blame(c, CURLE_OPERATION_TIMEDOUT, 0, &why);
    let_go(c);
    on_failure(c, CURLE_OPERATION_TIMEDOUT, &why);
}

static void pipe_over(struct http_pipe *p, CURLcode code);

/* Ends what libcurl is done with. */
static void reap(struct http *h)
{
    CURLMsg *m;
    int left;

    while ((m = lib.multi_info_read(h->multi, &left))) {
        struct http_call *c = NULL;
        CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)lib.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
        if (c->pipe) {
            pipe_over(c->pipe, code);
            continue;
        }
        int status = status_of(c);
        struct err why = ERR_INIT;
        if (code != CURLE_OK || is_of_proxy(c, status))
            blame(c, code, status == PROXY_LOGIN ? status : 0, &why);
        let_go(c); /* M is gone with it */
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

    (void)lib.multi_action(h->multi, fd, what, &running);
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
        (void)lib.multi_assign(h->multi, fd, NULL);
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
    (void)lib.multi_assign(h->multi, fd, s);
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

static char *copy_of(const char *text)
{
    return text && *text ? mem_dup(text, strlen(text)) : NULL;
}

int http_new(const struct http_spec *spec, struct loop *loop, struct http **ret, struct err *err)
{
    int r = load(err);

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
    h->multi = lib.multi_init();
    if (!h->multi) {
        http_free(h);
        return err_set(err, ERR_FAILED, "libcurl has no memory");
    }
    (void)lib.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_wanted);
    (void)lib.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)lib.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    (void)lib.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
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
        (void)lib.multi_cleanup(h->multi);
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
    lib.slist_free_all(list);
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
    let_go(c);
    c->wait = timer_free(c->wait);
    free_headers(c->headers);
    free_headers(c->resume);
    http_answer_deinit(&c->answer);
    wipe_free(c->url);
    free(c->method);
    free(c);
    return NULL;
}

static bool is_address(const char *url)
{
    struct slice s = slice_of(url);

    if (!slice_starts(s, SLICE("http://")) && !slice_starts(s, SLICE("https://")))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return false;
    return http_host(url).len && s.len <= URL_MAX;
}

/* Of what a line break is in, the rest would be another header. */
static int check(const struct http_request *q, struct err *err)
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

static struct http_call *call_new(struct http *h, const struct http_request *q, http_done_fn *done,
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
        c->headers = lib.slist_append(c->headers, *one);
    /* Waiting for "100 Continue" costs a second where a server does not say it. */
    c->headers = lib.slist_append(c->headers, "Expect:");
    c->next = h->calls;
    h->calls = c;
    return c;
}

int http_start(struct http *h, const struct http_request *q, http_done_fn *done, void *ctx,
               struct http_call **ret, struct err *err)
{
    int r = check(q, err);

    if (r < 0)
        return r;
    struct http_call *c = call_new(h, q, done, ctx);
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

/* ---- connections for other protocols ---- */

/* It has a client to itself, because libcurl ends connections of a client that look dead to it: those on which something
 * came that nobody asked for, or on which nothing was asked for in two minutes. */
struct http_pipe {
    struct http *own;
    struct http_call *call;
    struct http_pipe_client client;
    struct timer *over; /* what became of it is told from the loop, not from within libcurl */
    struct watch *watch;
    struct err err;
};

static void on_pipe_ready(void *ctx, uint32_t events)
{
    struct http_pipe *p = ctx;

    (void)events;
    p->client.ready(p->client.ctx);
}

static void on_pipe_over(void *ctx)
{
    struct http_pipe *p = ctx;
    curl_socket_t fd = -1;

    p->over = NULL;
    if (!p->err.code) {
        (void)lib.easy_getinfo(p->call->easy, CURLINFO_ACTIVESOCKET, &fd);
        if (fd < 0)
            (void)err_set(&p->err, ERR_FAILED, "the connection was closed at once");
        else
            (void)!loop_watch(p->own->loop, fd, EPOLLIN, on_pipe_ready, p, &p->watch, &p->err);
    }
    if (p->err.code)
        p->client.lost(p->client.ctx, &p->err);
    else
        p->client.open(p->client.ctx);
}

static void pipe_over(struct http_pipe *p, CURLcode code)
{
    if (code != CURLE_OK)
        blame(p->call, code, 0, &p->err);
    p->over = loop_timer(p->own->loop, clock_ms(), on_pipe_over, p);
}

int http_pipe_new(struct http *h, const char *url, const struct http_pipe_client *client,
                  struct http_pipe **ret, struct err *err)
{
    const struct http_request q = {.url = url, .idle_ms = HTTP_CONNECT_MS};
    const struct http_spec like = {.agent = h->agent,
                                   .http_proxy = h->http_proxy,
                                   .https_proxy = h->https_proxy,
                                   .no_proxy = h->no_proxy,
                                   .ca_file = h->ca_file,
                                   .trusts_all = h->trusts_all};
    int r = check(&q, err);

    if (r < 0)
        return r;
    struct http_pipe *p = mem_new(sizeof *p);
    p->client = *client;
    r = http_new(&like, h->loop, &p->own, err);
    if (r == ERR_OK) {
        p->call = call_new(p->own, &q, NULL, NULL);
        p->call->pipe = p;
        r = try(p->call, err);
    }
    if (r < 0)
        http_pipe_free(p);
    else
        *ret = p;
    return r;
}

struct http_pipe *http_pipe_free(struct http_pipe *p)
{
    if (!p)
        return NULL;
    p->over = timer_free(p->over);
    p->watch = watch_free(p->watch);
    http_free(p->own);
    free(p);
    return NULL;
}

/* What libcurl says of bytes that went or came. */
static ssize_t moved(const struct http_pipe *p, CURLcode code, size_t n, struct err *err)
{
    if (code == CURLE_OK)
        return (ssize_t)n;
    if (code == CURLE_AGAIN)
        return 0;
    (void)err_set(err, ERR_SYS, "'%.*s': %s", SLICE_ARG(slice_head(http_host(p->call->url), 100)),
                  lib.easy_strerror(code));
    return -1;
}

ssize_t http_pipe_read(struct http_pipe *p, struct buf *to, size_t size, struct err *err)
{
    char *room = buf_reserve(to, size);
    size_t n = 0;

    if (!room)
        BUG("no room for what is to be read");
    CURLcode code = lib.easy_recv(p->call->easy, room, size, &n);
    if (code == CURLE_OK && n == 0) {
        (void)err_set(err, ERR_SYS, "'%.*s' closed the connection",
                      SLICE_ARG(slice_head(http_host(p->call->url), 100)));
        return -1;
    }
    ssize_t got = moved(p, code, n, err);
    to->len += got > 0 ? (size_t)got : 0;
    to->ptr[to->len] = '\0';
    return got;
}

ssize_t http_pipe_write(struct http_pipe *p, struct slice bytes, struct err *err)
{
    size_t n = 0;

    if (!bytes.len)
        return 0;
    CURLcode code = lib.easy_send(p->call->easy, bytes.ptr, bytes.len, &n);
    return moved(p, code, n, err);
}

void http_pipe_want(struct http_pipe *p, bool room)
{
    if (p->watch)
        watch_set(p->watch, room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}
