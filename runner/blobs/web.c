/* A plugin's own requests: ostler.http/1. */
#include "base/base64.h"
#include "base/fd.h"
#include "blobs/fetch.h"
#include "blobs/hosts.h"
#include "blobs/message.h"
#include "blobs/packer.h"

#include <unistd.h>

enum {
    HEADERS_MAX = 100,
    BODY_MAX = 16 << 20,
    RETRIES_MAX = 10,
    TIMEOUT_MS = 60000,
    TIMEOUT_MAX_MS = 24 * 3600 * 1000
};

struct wanted {
    struct arena arena;
    const char *method, *url, *dir, *name;
    const char *const *headers; /* NULL: none */
    struct buf body;
    int64_t retries, timeout_ms, max;
};

static void wanted_deinit(struct wanted *w)
{
    arena_deinit(&w->arena);
    buf_deinit(&w->body);
}

static int take_body(const struct carrier *c, struct wanted *w, struct err *err)
{
    const char *text = json_string_value(json_object_get(c->ask, "body"));

    if (text && base64_decode(slice_of(text), &w->body, err) < 0)
        return err->code;
    return buf_check(&w->body, "the request's body", err);
}

static int take_wanted(const struct carrier *c, struct wanted *w, struct err *err)
{
    size_t n;
    int r = message_text(c->ask, "method", &w->method, err);

    if (r == ERR_OK)
        r = message_text(c->ask, "url", &w->url, err);
    if (r == ERR_OK)
        r = message_text(c->ask, "dir", &w->dir, err);
    if (r == ERR_OK)
        r = message_text(c->ask, "name", &w->name, err);
    if (r == ERR_OK && json_array_size(json_object_get(c->ask, "headers")))
        r = message_texts(c->ask, "headers", HEADERS_MAX, &w->arena, &w->headers, &n, err);
    if (r == ERR_OK)
        r = message_number(c->ask, "retries", 0, RETRIES_MAX, 0, &w->retries, err);
    if (r == ERR_OK)
        r = message_number(c->ask, "timeout_ms", 0, TIMEOUT_MAX_MS, 0, &w->timeout_ms, err);
    if (r == ERR_OK)
        r = message_number(c->ask, "max", 1, INT64_MAX, HTTP_ANSWER_MAX, &w->max, err);
    return r == ERR_OK ? take_body(c, w, err) : r;
}

struct spool {
    const json_t *hosts; /* that may be asked; NULL: any */
    int fd;
    int64_t size, max;
};

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
    struct spool *s = ctx;

    s->size += (int64_t)bytes.len;
    if (s->size > s->max)
        return err_set(err, ERR_LIMIT, "the answer is larger than %lld bytes", (long long)s->max);
    return fd_write_all(s->fd, bytes, err);
}

static bool allows(void *ctx, const char *host, const char *port)
{
    return hosts_allow(((const struct spool *)ctx)->hosts, slice_of(host), slice_of(port));
}

static int put_down(struct carrier *c, const struct wanted *w, int fd, struct err *err)
{
    struct packer *p = NULL;
    int r;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind the answer");
    r = packer_start(c, json_pack("{s:s, s:s, s:s}", "do", "keep", "dir", w->dir, "name", w->name),
                     fd, &p, err);
    if (r == ERR_OK)
        r = packer_wait(p, err);
    packer_free(p);
    return r;
}

/* Text of the wire is UTF-8, and headers may be anything. */
static json_t *headers_json(struct buf *headers)
{
    for (size_t i = 0; i < headers->len; i++)
        if ((unsigned char)headers->ptr[i] >= 0x80 || !headers->ptr[i])
            headers->ptr[i] = '?';
    return json_stringn(headers->len ? headers->ptr : "", headers->len);
}

int http_fetch(struct carrier *c, json_t **ret, struct err *err)
{
    CLEANUP(wanted_deinit) struct wanted w = {.arena = ARENA_INIT, .body = BUF_INIT(BODY_MAX)};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    CLEANUP(fd_closep) int fd = -1;
    int r = take_wanted(c, &w, err);

    if (r == ERR_OK)
        r = fetch_spool(&fd, err);
    if (r < 0)
        return r;
    struct spool spool = {.hosts = c->hosts, .fd = fd, .max = w.max};
    struct http_request q = {
        .method = w.method,
        .url = w.url,
        .headers = w.headers,
        .body = buf_slice(&w.body),
        .sink = on_bytes,
        .tries = (unsigned)w.retries + 1,
        .follow = true,
        .total_ms = w.timeout_ms ? w.timeout_ms : TIMEOUT_MS,
        .allows = c->hosts ? allows : NULL,
        .retry = carrier_say_retry,
        .ctx = &spool,
    };
    r = http_do(c->http, &q, &answer, err);
    if (r == ERR_OK && answer.body.len) /* it was none of 200 to 299 */
        r = on_bytes(&spool, buf_slice(&answer.body), err);
    if (r == ERR_OK)
        r = put_down(c, &w, fd, err);
    if (r == ERR_OK)
        *ret = json_pack("{s:i, s:I, s:o}", "status", answer.status, "size", (json_int_t)spool.size,
                         "headers", headers_json(&answer.headers));
    return r;
}
