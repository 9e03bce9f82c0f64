#include "web_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* For a small body, waiting for "100 Continue" would cost a second where a server does not say it. */
enum { EXPECT_BYTES = 1 << 20 };
enum { SENT_EVERY_MS = 200, TRANSFER_BYTES = 256 << 10 };

int64_t web_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* ---- what has come ---- */

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

void web_call_clear(struct web_call *c)
{
    grown_clear(&c->head);
    grown_clear(&c->body);
}

/* ---- what libcurl calls while a request goes on ---- */

int web_call_status(const struct web_call *c)
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

size_t web_call_stop(struct web_call *c, ost_status error, const char *why)
{
    c->error = error;
    c->over = why;
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *ctx)
{
    struct web_call *c = ctx;
    int status = web_call_status(c);
    size_t size = one * n, done = 0;

    if (!c->q.to_fd || status < 200 || status > 299)
        return grown_add(&c->body, bytes, size)
                   ? size
                   : web_call_stop(c, OST_E_LIMIT, "the answer is too large");
    while (done < size) {
        ssize_t put = pwrite(c->q.to_fd, bytes + done, size - done, c->written);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return web_call_stop(c, OST_E_IO, "cannot write what came: the disk may be full");
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
            (void)web_call_stop(c, OST_E_IO, "what is to be sent cannot be read");
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
    int64_t now = web_now_ms();

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

void web_call_let_go(struct web_call *c)
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

bool web_call_try(struct web_call *c)
{
    c->easy = curl_easy_init();
    if (!c->easy)
        abort(); /* out of memory */
    c->read = c->written = 0;
    c->why[0] = '\0';
    web_call_clear(c);
    if (c->q.to_fd && ftruncate(c->q.to_fd, 0) < 0)
        return web_call_stop(c, OST_E_IO, "cannot empty the file that the answer goes to") != 0;
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
           web_call_stop(c, OST_E_FAILED, "libcurl takes no more requests") != 0;
}
