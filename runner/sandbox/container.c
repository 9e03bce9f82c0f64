#include "sandbox/talk.h"

#include "base/clock.h"
#include "base/fd.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { OPEN_MS = 20000, HAND_OUT_MS = 5000 };

int sandbox_listen(int dir, const char *name, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (fd < 0)
        return err_sys(err, "cannot make a socket");
    /* By way of the descriptor: the folder's own path may be longer than an address. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, name);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        return err_sys(err, "cannot listen at '%s'", name);
    if (fchmodat(dir, name, 0666, 0) < 0) /* the container may run as anybody */
        return err_sys(err, "cannot open '%s' to all", name);
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

int sandbox_attach(int listener, const char *work, const char *home, struct loop *loop,
                   sandbox_note_fn *note_fn, void *ctx, struct sandbox **ret, struct err *err)
{
    struct sandbox *s = mem_new(sizeof *s);

    *s = (struct sandbox){.loop = loop,
                          .note = note_fn,
                          .note_ctx = ctx,
                          .level = SANDBOX_CONTAINER,
                          .job_dir = -1,
                          .root = -1,
                          .namespaces = {-1, -1, -1},
                          .job_path = mem_dup("", 0),
                          .work = mem_dup(work, strlen(work)),
                          .home = mem_dup(home, strlen(home)),
                          .tmp = mem_dup("/tmp", 4)};
    s->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int r = s->sock < 0 ? err_sys(err, "ostler-init did not come") : ERR_OK;
    if (r == ERR_OK)
        r = talk_await_ready(s, clock_ms() + OPEN_MS, err);
    if (r == ERR_OK)
        r = loop_watch(loop, s->sock, EPOLLIN, talk_on_readable, s, &s->watch, err);
    if (r < 0) {
        s->note = NULL;
        sandbox_close(s, false);
        return r;
    }
    *ret = s;
    return ERR_OK;
}

/* ---- its loopback ---- */

/* The socket of a DONE message. What comes out of a container is looked at before it is used. */
static int take_listener(struct wire_in *in, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = wire_take_fd(in, 0);
    int domain = 0, listens = 0;
    socklen_t size = sizeof(int);

    *ret = -1;
    if (fd < 0)
        return ERR_OK; /* somebody listens there already */
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || domain != AF_INET ||
        !listens)
        return err_set(err, ERR_INVALID, "what came out of the container is no listening socket");
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

int sandbox_loopback(struct sandbox *s, unsigned port, int *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};

    wire_add_u32(&b, port);
    int r = talk_ask(s, WIRE_LISTEN, &b, NULL, 0, NULL, &in, err);
    return r < 0 ? r : take_listener(&in, ret, err);
}

int sandbox_take_loopback(int listener, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CLEANUP(wire_deinit) struct wire_in in = {0};
    struct pollfd one = {.fd = sock, .events = POLLIN};

    if (sock < 0)
        return err_sys(err, "ostler-init did not come");
    /* It speaks as soon as it has come; but it may be killed on the way. */
    if (poll(&one, 1, HAND_OUT_MS) <= 0)
        return err_set(err, ERR_TIMEOUT, "ostler-init says nothing");
    int r = wire_recv(sock, &in, err);
    if (r == ERR_OK && in.type != WIRE_DONE)
        r = err_set(err, ERR_INVALID, "ostler-init says something else");
    return r < 0 ? r : take_listener(&in, ret, err);
}
