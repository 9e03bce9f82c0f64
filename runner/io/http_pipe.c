#include "io/http_call.h"

#include "base/clock.h"
#include "io/http_why.h"

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
        (void)http_lib.easy_getinfo(p->call->easy, CURLINFO_ACTIVESOCKET, &fd);
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

void http_pipe_over(struct http_pipe *p, CURLcode code)
{
    if (code != CURLE_OK)
        http_call_blame(p->call, code, 0, &p->err);
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
    int r = http_request_check(&q, err);

    if (r < 0)
        return r;
    struct http_pipe *p = mem_new(sizeof *p);
    p->client = *client;
    r = http_new(&like, h->loop, &p->own, err);
    if (r == ERR_OK) {
        p->call = http_call_new(p->own, &q, NULL, NULL);
        p->call->pipe = p;
        r = http_call_try(p->call, err);
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
                  http_lib.easy_strerror(code));
    return -1;
}

ssize_t http_pipe_read(struct http_pipe *p, struct buf *to, size_t size, struct err *err)
{
    char *room = buf_reserve(to, size);
    size_t n = 0;

    if (!room)
        BUG("no room for what is to be read");
    CURLcode code = http_lib.easy_recv(p->call->easy, room, size, &n);
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
    CURLcode code = http_lib.easy_send(p->call->easy, bytes.ptr, bytes.len, &n);
    return moved(p, code, n, err);
}

void http_pipe_want(struct http_pipe *p, bool room)
{
    if (p->watch)
        watch_set(p->watch, room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}
