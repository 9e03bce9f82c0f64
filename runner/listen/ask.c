#include "listen/ask.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { HEAD_MAX = 8 << 10, PIECE = 64 << 10 };

static int wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline_ms - clock_ms();
        int n = left <= 0 ? 0 : poll(&p, 1, (int)left);

        if (n > 0)
            return ERR_OK;
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "no answer in time");
        if (errno != EINTR)
            return err_sys(err, "cannot wait for an answer");
    }
}

static int connect_to(int fd, const char *path, struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof at.sun_path)
        return err_set(err, ERR_INVALID, "the path is too long for a socket");
    memcpy(at.sun_path, path, strlen(path));
    /* A Unix socket is connected to at once, or its queue is full: then that listener does not turn. */
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return ERR_OK;
    if (errno == ECONNREFUSED || errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "nobody listens there");
    if (errno == EAGAIN)
        return err_set(err, ERR_TIMEOUT, "it takes no connections: it hangs");
    return err_sys(err, "cannot connect");
}

static int send_all(int fd, struct slice data, int64_t deadline_ms, struct err *err)
{
    while (data.len) {
        int r = wait_for(fd, POLLOUT, deadline_ms, err);
        ssize_t n = r < 0 ? -1 : send(fd, data.ptr, data.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (r < 0)
            return r;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_sys(err, "cannot ask");
        data = slice_from(data, n > 0 ? (size_t)n : 0);
    }
    return ERR_OK;
}

static int read_all(int fd, struct buf *to, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int r = wait_for(fd, POLLIN, deadline_ms, err);
        size_t room = to->max - to->len;

        if (r < 0)
            return r;
        if (!room)
            return err_set(err, ERR_LIMIT, "the answer is larger than %zu bytes", to->max);
        ssize_t n = fd_read_some(fd, to, room < PIECE ? room : PIECE);
        if (n == 0)
            return ERR_OK;
        if (n < 0 && errno != EAGAIN)
            return err_sys(err, "cannot read the answer");
    }
}

/* "HTTP/1.1 200 OK", headers, and then the body. */
static int take_apart(struct slice answer, struct buf *body, int *ret_status, struct err *err)
{
    ssize_t end = slice_find(answer, SLICE("\r\n\r\n"));
    struct slice line = answer, version, number = {0};
    struct err ignored = ERR_INIT; /* the text below says it */
    int64_t status;

    if (end < 0 || !slice_split(&line, ' ', &version) || !slice_split(&line, ' ', &number) ||
        !slice_starts(version, SLICE("HTTP/1.")) ||
        num_parse_i64(number, 100, 999, &status, &ignored) < 0)
        return err_set(err, ERR_INVALID, "that is no listener: its answer is not HTTP");
    buf_add(body, slice_from(answer, (size_t)end + 4));
    *ret_status = (int)status;
    return buf_check(body, "the answer", err);
}

int ask_listener(const char *path, const char *page, int64_t timeout_ms, struct buf *body,
                 int *ret_status, struct err *err)
{
    CLEANUP(buf_deinit) struct buf question = BUF_INIT(HEAD_MAX);
    CLEANUP(buf_deinit) struct buf answer = BUF_INIT(body->max + HEAD_MAX);
    CLEANUP(fd_closep)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int64_t deadline_ms = clock_ms() + timeout_ms;

    buf_printf(&question, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", page);
    int r = fd < 0 ? err_sys(err, "cannot make a socket") : connect_to(fd, path, err);
    if (r == ERR_OK)
        r = send_all(fd, buf_slice(&question), deadline_ms, err);
    if (r == ERR_OK)
        r = read_all(fd, &answer, deadline_ms, err);
    if (r == ERR_OK)
        r = take_apart(buf_slice(&answer), body, ret_status, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}
