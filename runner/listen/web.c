#include "listen/web.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 64,
    ANSWER_HEAD_MAX = 512,
    PAUSE_MS = 1000, /* without a new connection after one could not be taken */
};

struct client {
    struct web *web;
    struct client *next, **link; /* in the list of all */
    int fd;
    struct watch *watch;
    struct timer *deadline;
    struct buf in, out;
    size_t sent;
    bool answered; /* the answer is in `out`; what comes in now is thrown away */
};

struct web {
    struct loop *loop;
    web_fn *fn;
    void *ctx;
    int fd;
    struct watch *watch;
    struct timer *pause;
    struct client *clients;
    int n_clients;
    unsigned port;
    bool loopback;
    char *path; /* of our socket, once it is there */
    ino_t inode;
};

/* ---- one connection ---- */

static void listen_on(struct web *w)
{
    watch_set(w->watch, w->pause ? 0 : EPOLLIN);
}

static void client_free(struct client *c)
{
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->web->n_clients--;
    watch_free(c->watch);
    timer_free(c->deadline);
    fd_closep(&c->fd);
    buf_deinit(&c->in);
    buf_deinit(&c->out);
    free(c);
}

/* Where all places are taken by who says nothing, a probe of the machine's health that waited its turn would come too late:
 * whoever is here longest had time enough, for what is asked and answered at once. */
static void make_room(struct web *w)
{
    struct client *oldest = w->clients;

    if (w->n_clients < WEB_CONNECTIONS_MAX)
        return;
    while (oldest->next)
        oldest = oldest->next;
    client_free(oldest);
}

static void client_end(struct client *c)
{
    struct web *w = c->web;

    client_free(c);
    listen_on(w);
}

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {{200, "OK"},
               {400, "Bad Request"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {421, "Misdirected Request"},
               {431, "Request Header Fields Too Large"},
               {503, "Service Unavailable"},
               {505, "HTTP Version Not Supported"}};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i].status == status)
            return all[i].text;
    return "Internal Server Error";
}

static void put_answer(struct client *c, int status, const char *type, struct slice body)
{
    buf_printf(
        &c->out,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
        status, phrase(status), type, body.len, status == 405 ? "Allow: GET\r\n" : "");
    buf_add(&c->out, body);
    c->answered = true;
}

static void put_error(struct client *c, int status)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ANSWER_HEAD_MAX);

    buf_printf(&text, "%d %s\n", status, phrase(status));
    put_answer(c, status, "text/plain; charset=utf-8", buf_slice(&text));
}

static void put_reply(struct client *c, const struct web_request *q)
{
    struct web_reply reply = {
        .status = 200, .type = "text/plain; charset=utf-8", .body = BUF_INIT(WEB_BODY_MAX)};
    CLEANUP(free_ptr) char *path = mem_dup(q->path.ptr, q->path.len);

    c->web->fn(c->web->ctx, path, &reply);
    if (reply.body.overflow)
        put_error(c, 500);
    else
        put_answer(c, reply.status, reply.type, buf_slice(&reply.body));
    buf_deinit(&reply.body);
}

/* How far the head goes, its empty line included; -1: it is not whole yet. */
static ssize_t head_end(struct slice in)
{
    ssize_t crlf = slice_find(in, SLICE("\n\r\n")), lf = slice_find(in, SLICE("\n\n"));

    if (crlf >= 0 && (lf < 0 || crlf < lf))
        return crlf + 3;
    return lf < 0 ? -1 : lf + 2;
}

static void answer(struct client *c, size_t head)
{
    struct web_request q;
    int status = web_parse(slice_make(c->in.ptr, head), &q);

    if (!status && c->web->loopback && q.host.ptr && !web_is_loopback(q.host))
        status = 421;
    if (status)
        put_error(c, status);
    else
        put_reply(c, &q);
}

/* True once there is no more to come, or no reason to wait for it. */
static bool read_some(struct client *c)
{
    ssize_t n = fd_read_some(c->fd, &c->in, WEB_HEAD_MAX - c->in.len);

    if (n <= 0)
        return n == 0 || (errno != EAGAIN && errno != EINTR);
    ssize_t head = c->answered ? -1 : head_end(buf_slice(&c->in));
    if (head >= 0)
        answer(c, (size_t)head);
    else if (!c->answered && c->in.len == WEB_HEAD_MAX)
        put_error(c, 431);
    if (c->answered)
        buf_clear(&c->in);
    return false;
}

/* False: the client is gone. */
static bool write_some(struct client *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.ptr + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->sent += (size_t)n;
    }
    return true;
}

/* Whoever has its answer is left to hang up, a short while: to close with its bytes unread would take back what is under
 * way to it. */
static void on_client(void *ctx, uint32_t events)
{
    struct client *c = ctx;
    bool ends = false;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        ends = read_some(c);
    bool had_more = c->sent < c->out.len;
    if (c->answered && !write_some(c))
        ends = true;
    bool all_sent = c->answered && c->sent == c->out.len;
    if (all_sent && had_more)
        (void)shutdown(c->fd, SHUT_WR); /* it may be gone already */
    if (ends && (all_sent || !c->answered || (events & (EPOLLHUP | EPOLLERR)))) {
        client_end(c);
        return;
    }
    /* At its end of sending the descriptor stays readable: only what is left to write counts then. */
    watch_set(c->watch,
              (ends ? 0 : (uint32_t)EPOLLIN) | (c->answered && !all_sent ? (uint32_t)EPOLLOUT : 0));
}

static void on_deadline(void *ctx)
{
    struct client *c = ctx;

    c->deadline = NULL;
    client_end(c);
}

/* ---- the door ---- */

static void on_pause_over(void *ctx)
{
    struct web *w = ctx;

    w->pause = NULL;
    listen_on(w);
}

static void on_connection(void *ctx, uint32_t events)
{
    struct web *w = ctx;
    struct err ignored = ERR_INIT; /* the next one may fare better */
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        /* Out of descriptors, most likely: the connection stays in the queue and would wake us again at once. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && !w->pause)
            w->pause = loop_timer(w->loop, clock_ms() + PAUSE_MS, on_pause_over, w);
        listen_on(w);
        return;
    }
    make_room(w);
    struct client *c = mem_new(sizeof *c);
    *c = (struct client){.web = w,
                         .next = w->clients,
                         .link = &w->clients,
                         .fd = fd,
                         .in = BUF_INIT(WEB_HEAD_MAX),
                         .out = BUF_INIT(WEB_BODY_MAX + ANSWER_HEAD_MAX)};
    if (w->clients)
        w->clients->link = &c->next;
    w->clients = c;
    w->n_clients++;
    c->deadline = loop_timer(w->loop, clock_ms() + WEB_DEADLINE_MS, on_deadline, c);
    if (loop_watch(w->loop, fd, EPOLLIN, on_client, c, &c->watch, &ignored) < 0)
        client_free(c);
    listen_on(w);
}

/* ---- a Unix socket ---- */

/* Removes what nobody answers at any more. */
static int clear_path(const struct sockaddr_un *at, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;

    if (lstat(at->sun_path, &st) < 0)
        return errno == ENOENT ? ERR_OK : err_sys(err, "cannot look at '%s'", at->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is there already, and no socket", at->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, "cannot make a socket");
    if (connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno != ECONNREFUSED)
        return err_set(err, ERR_DENIED, "somebody else answers at '%s'", at->sun_path);
    if (unlink(at->sun_path) < 0)
        return err_sys(err, "cannot remove the old '%s'", at->sun_path);
    return ERR_OK;
}

static int open_path(struct web *w, const char *path, struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;

    if (strlen(path) >= sizeof at.sun_path)
        return err_set(
            err, ERR_INVALID,
            "'%.120s' is too long for a socket: %zu bytes at most, choose a shorter folder", path,
            sizeof at.sun_path - 1);
    memcpy(at.sun_path, path, strlen(path));
    int r = clear_path(&at, err);
    if (r < 0)
        return r;
    w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Linux makes the name with the mode that the socket has, less the umask: it is never open to others. */
    if (w->fd < 0 || fchmod(w->fd, 0600) < 0 ||
        bind(w->fd, (const struct sockaddr *)&at, sizeof at) < 0)
        return err_sys(err, "cannot make the socket '%s'", path);
    w->path = mem_dup(path, strlen(path));
    if (listen(w->fd, BACKLOG) < 0 || lstat(path, &st) < 0)
        return err_sys(err, "cannot listen at '%s'", path);
    w->inode = st.st_ino;
    return ERR_OK;
}

/* ---- a port ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse_address(const char *text, union address *ret, struct err *err)
{
    struct slice s = slice_of(text);
    bool v6 = slice_starts(s, SLICE("["));
    ssize_t end = v6 ? slice_find(s, SLICE("]:")) : slice_find_char(s, ':');
    struct err ignored = ERR_INIT; /* the text below says it all */
    char host[INET6_ADDRSTRLEN] = "";
    int64_t port;

    struct slice name = end < 0 ? (struct slice){0} : slice_head(s, (size_t)end);
    name = v6 ? slice_from(name, 1) : name;
    if (name.len && name.len < sizeof host)
        memcpy(host, name.ptr, name.len);
    *ret = (union address){0};
    ret->any.sa_family = v6 ? AF_INET6 : AF_INET;
    void *to = v6 ? (void *)&ret->v6.sin6_addr : (void *)&ret->v4.sin_addr;
    if (inet_pton(ret->any.sa_family, host, to) != 1 ||
        num_parse_i64(slice_from(s, (size_t)end + (v6 ? 2 : 1)), 0, 65535, &port, &ignored) < 0)
        return err_set(err, ERR_INVALID,
                       "'%.80s' is no address to listen at: '127.0.0.1:9252', '[::1]:9252' or the "
                       "absolute path of a socket is",
                       text);
    ret->v6.sin6_port = htons((uint16_t)port); /* lies where that of IPv4 does */
    return ERR_OK;
}

static bool is_local(const union address *at)
{
    return at->any.sa_family == AF_INET ? (ntohl(at->v4.sin_addr.s_addr) >> 24) == 127
                                        : IN6_IS_ADDR_LOOPBACK(&at->v6.sin6_addr);
}

static int open_port(struct web *w, const char *text, struct err *err)
{
    union address at;
    socklen_t size;
    int on = 1, r = parse_address(text, &at, err);

    if (r < 0)
        return r;
    size = at.any.sa_family == AF_INET ? sizeof at.v4 : sizeof at.v6;
    w->loopback = is_local(&at);
    w->fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->fd < 0 || setsockopt(w->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return err_sys(err, "cannot make a socket");
    if (bind(w->fd, &at.any, size) < 0 || listen(w->fd, BACKLOG) < 0) {
        if (errno == EADDRINUSE)
            return err_set(err, ERR_DENIED, "somebody else listens at '%s': choose another port",
                           text);
        return err_sys(err, "cannot listen at '%s'", text);
    }
    if (getsockname(w->fd, &at.any, &size) < 0)
        return err_sys(err, "cannot tell the port of '%s'", text);
    w->port = ntohs(at.v6.sin6_port);
    return ERR_OK;
}

/* ---- birth and end ---- */

int web_new(const char *at, struct loop *loop, web_fn *fn, void *ctx, struct web **ret,
            struct err *err)
{
    struct web *w = mem_new(sizeof *w);

    *w = (struct web){.loop = loop, .fn = fn, .ctx = ctx, .fd = -1};
    int r = at[0] == '/' ? open_path(w, at, err) : open_port(w, at, err);
    if (r == ERR_OK)
        r = loop_watch(loop, w->fd, EPOLLIN, on_connection, w, &w->watch, err);
    if (r < 0) {
        web_free(w);
        return r;
    }
    *ret = w;
    return ERR_OK;
}

/* Another may have come to its place meanwhile. */
static void remove_socket(const struct web *w)
{
    struct stat st;

    if (w->path && lstat(w->path, &st) == 0 && st.st_ino == w->inode)
        (void)unlink(w->path); /* the next listener removes what is left */
}

struct web *web_free(struct web *w)
{
    if (!w)
        return NULL;
    while (w->clients)
        client_free(w->clients);
    watch_free(w->watch);
    timer_free(w->pause);
    remove_socket(w);
    fd_closep(&w->fd);
    free(w->path);
    free(w);
    return NULL;
}

unsigned web_port(const struct web *w)
{
    return w->port;
}
