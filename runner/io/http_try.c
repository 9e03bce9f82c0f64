#include "io/http_call.h"

#include "base/clock.h"
#include "base/num.h"

#include <unistd.h>

enum { BUFFER_SIZE = 256 << 10 };

int http_call_status(const struct http_call *c)
{
    long status = 0;

    (void)http_lib.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* ---- hosts ---- */

const char *http_call_url(const struct http_call *c)
{
    return c->moved ? c->moved : c->url;
}

/* Is the host of the address ALLOWED, or that of MORE as seen from there? Asked with libcurl's own eyes: it is libcurl
 * that goes there. */
static bool may_ask(struct http_call *c, const char *url, const char *more)
{
    CURLU *u = http_lib.url_new();
    char *host = NULL, *port = NULL;
    bool good = u && http_lib.url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
                (!more || http_lib.url_set(u, CURLUPART_URL, more, 0) == CURLUE_OK) &&
                http_lib.url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                http_lib.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;

    if (!good)
        (void)err_set(&c->err, ERR_INVALID, "%s is no address", more ? "a redirect" : "this");
    else if (!c->q.allows(c->q.ctx, host, port)) {
        good = false;
        (void)err_set(&c->err, ERR_DENIED,
                      "%s'%.100s' is not among the hosts that the policy allows",
                      more ? "redirected: " : "", host);
    }
    http_lib.text_free(host);
    http_lib.text_free(port);
    http_lib.url_cleanup(u);
    return good;
}

/* True if LINE sends us where we may not go. */
static bool leads_astray(struct http_call *c, struct slice line)
{
    int status = http_call_status(c);
    const char *from = NULL;
    ssize_t colon = slice_find_char(line, ':');

    if (!c->q.allows || !c->q.follow || status < 300 || status > 399 || colon < 0 ||
        !slice_eq_nocase(slice_head(line, (size_t)colon), SLICE("Location")))
        return false;
    struct slice to = slice_trim(slice_from(line, (size_t)colon + 1));
    CLEANUP(free_ptr) char *text = mem_dup(to.len ? to.ptr : "", to.len);
    (void)http_lib.easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &from);
    return !may_ask(c, from ? from : http_call_url(c), text);
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
    int status = http_call_status(c);

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
        size_t room = c->answer.body.max - c->answer.body.len;

        buf_add(&c->answer.body, slice_head(piece, room));
        c->answer.body.overflow = piece.len > room;
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

void http_call_let_go(struct http_call *c)
{
    c->connecting = timer_free(c->connecting);
    if (c->added)
        (void)http_lib.multi_remove(c->http->multi, c->easy);
    if (c->easy)
        http_lib.easy_cleanup(c->easy);
    c->added = false;
    c->easy = NULL;
}

#define SET(c, option, value) (void)http_lib.easy_setopt((c)->easy, (option), (value))

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
    bool secure = slice_starts(slice_of(http_call_url(c)), SLICE("https:"));
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
    c->connecting = loop_timer(c->http->loop, clock_ms() + ms, http_call_late, c);
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

    http_lib.slist_free_all(c->resume);
    c->resume = NULL;
    if (!c->got) {
        SET(c, CURLOPT_HTTPHEADER, c->headers);
        return;
    }
    for (struct curl_slist *one = c->headers; one; one = one->next)
        c->resume = http_lib.slist_append(c->resume, one->data);
    snprintf(range, sizeof range, "Range: bytes=%lld-", (long long)c->got);
    c->resume = http_lib.slist_append(c->resume, range);
    SET(c, CURLOPT_HTTPHEADER, c->resume);
}

/* HTTP/2 would be no use to who comes next; a proxy is to let all through. */
static void set_pipe(struct http_call *c)
{
    SET(c, CURLOPT_CONNECT_ONLY, 1L);
    SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c, CURLOPT_HTTPPROXYTUNNEL, 1L);
}

int http_call_try(struct http_call *c, struct err *err)
{
    if (c->q.allows && !may_ask(c, http_call_url(c), NULL)) {
        *err = c->err;
        return err->code;
    }
    c->easy = http_lib.easy_init();
    if (!c->easy)
        return err_set(err, ERR_FAILED, "libcurl has no memory");
    c->sent = 0;
    c->begun = false;
    c->headers_got = 0;
    c->why[0] = '\0';
    buf_clear(&c->answer.headers);
    buf_clear(&c->answer.body);
    SET(c, CURLOPT_PRIVATE, c);
    SET(c, CURLOPT_URL, http_call_url(c));
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
    if (http_lib.multi_add(c->http->multi, c->easy) != CURLM_OK)
        return err_set(err, ERR_FAILED, "libcurl takes no more requests");
    c->added = true;
    return ERR_OK;
}
