#include "serve/server/http.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <unistd.h>

enum {
    CONNECTION_MEMORY = 256 << 10, /* of one: heads, and the size of the pieces a body comes in */
    CONNECTIONS_MAX = 600,         /* clients use up to 300 each */
    IDLE_S = 600,                  /* an upload that stands still this long is given up */
    BASE_SIZE = 64,
};

struct http {
    struct MHD_Daemon *daemon;
    struct site *site;
    struct watch *watch;
};

/* One request. */
struct call {
    struct MHD_Connection *connection;
    struct strmap query, headers;
    char base[BASE_SIZE];
    struct request request;
    struct exchange *exchange;
    bool ended, ready, suspended;
};

/* ---- the head ---- */

static enum MHD_Result collect(void *ctx, enum MHD_ValueKind kind, const char *name,
                               size_t name_size, const char *value, size_t value_size)
{
    struct call *c = ctx;
    struct strmap *map = kind == MHD_HEADER_KIND ? &c->headers : &c->query;
    struct slice known;

    if (memchr(name, '\0', name_size) || (value && memchr(value, '\0', value_size)))
        return MHD_YES; /* nothing of ours has one */
    if (!strmap_find(map, slice_make(name, name_size), &known))
        strmap_set(map, slice_make(name, name_size), slice_make(value, value ? value_size : 0));
    return MHD_YES;
}

/* The address by which the client came to us: that of our end of its connection. */
static void find_base(struct call *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t size = sizeof own;
    char text[INET_ADDRSTRLEN] = "127.0.0.1";

    if (info && getsockname(info->connect_fd, (struct sockaddr *)&own, &size) == 0)
        (void)inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
    snprintf(c->base, sizeof c->base, "http://%s:%u", text, (unsigned)ntohs(own.sin_port));
}

static void on_ready(void *ctx)
{
    struct call *c = ctx;

    c->ready = true;
    if (c->suspended)
        MHD_resume_connection(c->connection);
    c->suspended = false;
}

static struct call *call_new(struct http *h, struct MHD_Connection *connection, const char *method,
                             const char *path)
{
    struct call *c = mem_new(sizeof *c);

    *c = (struct call){.connection = connection, .headers = STRMAP_INIT_NOCASE};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect, c);
    (void)MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, collect, c);
    find_base(c);
    c->request = (struct request){.method = method,
                                  .path = path,
                                  .query = &c->query,
                                  .headers = &c->headers,
                                  .base = c->base};
    c->exchange = exchange_new(h->site, &c->request, on_ready, c);
    return c;
}

/* ---- the answer ---- */

static struct MHD_Response *response_of(struct reply *r)
{
    struct MHD_Response *response;
    int fd = r->file;

    if (fd >= 0 && r->size > 0) {
        r->file = -1;
        response =
            MHD_create_response_from_fd_at_offset64((uint64_t)r->size, fd, (uint64_t)r->start);
        if (!response)
            close(fd);
    } else {
        response = MHD_create_response_from_buffer(r->text.len, r->text.ptr, MHD_RESPMEM_MUST_COPY);
    }
    if (response && r->type)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    STRMAP_EACH (i, &r->headers)
        if (response)
            (void)MHD_add_response_header(response, i->name, i->value);
    return response;
}

static enum MHD_Result answer(struct call *c)
{
    struct reply *r = exchange_reply(c->exchange);
    struct MHD_Response *response = response_of(r);

    if (!response)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(c->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Called once with the head, then with each part of the body, then until there is an answer. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **state)
{
    struct call *c = *state;

    (void)version;
    if (!c) {
        *state = call_new(ctx, connection, method, path);
        return MHD_YES;
    }
    if (*body_size) {
        exchange_body(c->exchange, slice_make(body, *body_size));
        *body_size = 0;
        return MHD_YES;
    }
    if (!c->ended) {
        c->ended = true;
        exchange_end(c->exchange);
    }
    if (c->ready)
        return answer(c);
    c->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct call *c = *state;

    (void)ctx;
    (void)connection;
    (void)how;
    if (!c)
        return;
    exchange_free(c->exchange);
    strmap_deinit(&c->query);
    strmap_deinit(&c->headers);
    free(c);
    *state = NULL;
}

/* ---- the daemon ---- */

/* http_work() comes before the next wait; the loop has only to wake up. */
static void on_event(void *ctx, uint32_t events)
{
    (void)ctx;
    (void)events;
}

int http_start(int listener, struct site *site, struct loop *loop, struct http **ret,
               struct err *err)
{
    struct http *h = mem_new(sizeof *h);

    h->site = site;
    h->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, h,
                         MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    int r = info ? loop_watch(loop, info->epoll_fd, EPOLLIN, on_event, h, &h->watch, err)
                 : err_set(err, ERR_FAILED, "libmicrohttpd cannot serve the socket");
    if (r < 0) {
        http_free(h);
        return r;
    }
    *ret = h;
    return ERR_OK;
}

void http_add(struct http *h, int take_fd)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;

    if (getpeername(take_fd, (struct sockaddr *)&peer, &size) < 0 || peer.sin_family != AF_INET)
        close(take_fd);
    else /* which closes it itself when there are too many */
        (void)MHD_add_connection(h->daemon, take_fd, (struct sockaddr *)&peer, size);
}

int64_t http_work(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG wait;

    if (site_busy(h->site))
        site_work(h->site);
    (void)MHD_run(h->daemon);
    if (site_busy(h->site))
        return 0;
    return MHD_get_timeout(h->daemon, &wait) == MHD_YES ? clock_ms() + (int64_t)wait : CLOCK_NEVER;
}

struct http *http_free(struct http *h)
{
    if (!h)
        return NULL;
    watch_free(h->watch);
    if (h->daemon) {
        (void)MHD_quiesce_daemon(h->daemon); /* the socket is not ours to close */
        MHD_stop_daemon(h->daemon);
    }
    free(h);
    return NULL;
}
