#include "listen/notify.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What there is to say, in the order in which it is said. */
enum { READY = 1, STOPPING = 2, WATCHDOG = 4, STATUS = 8 };

struct notify {
    struct loop *loop;
    int fd;
    struct sockaddr_un to;
    socklen_t to_size;
    int64_t watchdog_ms;
    bool (*alive)(void *ctx);
    void *ctx;
    struct timer *feeding;

    struct buf status;
    unsigned unsent; /* what the manager could not take yet */
    struct timer *again;
};

/* ---- sending ---- */

static void send_unsent(struct notify *n);

static void send_again(void *ctx)
{
    struct notify *n = ctx;

    n->again = NULL;
    send_unsent(n);
}

/* What had to wait goes in one message, each line once: of a status only the last one counts. */
static void send_unsent(struct notify *n)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(NOTIFY_STATUS_MAX + 64);

    buf_add_str(&text, n->unsent & READY ? "READY=1\n" : "");
    buf_add_str(&text, n->unsent & STOPPING ? "STOPPING=1\n" : "");
    buf_add_str(&text, n->unsent & WATCHDOG ? "WATCHDOG=1\n" : "");
    if (n->unsent & STATUS)
        buf_printf(&text, "STATUS=%s\n", n->status.ptr);
    ssize_t sent = sendto(n->fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&n->to, n->to_size);

    n->again = timer_free(n->again);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR))
        n->again = loop_timer(n->loop, clock_ms() + NOTIFY_AGAIN_MS, send_again, n);
    else
        n->unsent = 0; /* if it failed there is nobody, and nobody to be told of it */
}

static void tell(struct notify *n, unsigned what)
{
    n->unsent |= what;
    send_unsent(n);
}

void notify_ready(struct notify *n)
{
    if (n)
        tell(n, READY);
}

void notify_stopping(struct notify *n)
{
    if (n)
        tell(n, STOPPING);
}

/* A line of its own is all that a status may be: with a line end in it, it could say anything. */
static void clean(struct slice text, struct buf *out)
{
    utf8_clean(text, out);
    for (size_t i = 0; i < out->len; i++)
        if ((unsigned char)out->ptr[i] < ' ' || out->ptr[i] == 127)
            out->ptr[i] = ' ';
    buf_cut(out, utf8_head(buf_slice(out), NOTIFY_STATUS_MAX).len);
}

void notify_status(struct notify *n, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf said = BUF_INIT(64 << 10);
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(4 * (64 << 10));
    va_list ap;

    if (!n)
        return;
    va_start(ap, fmt);
    buf_vprintf(&said, fmt, ap);
    va_end(ap);
    clean(buf_slice(&said), &line);
    if (slice_eq(buf_slice(&line), buf_slice(&n->status)))
        return;
    buf_clear(&n->status);
    buf_add(&n->status, buf_slice(&line));
    tell(n, STATUS);
}

/* ---- the watchdog ---- */

/* Twice in its time, as sd_watchdog_enabled(3) advises: one that comes late is no reason to be killed. */
static void feed(void *ctx)
{
    struct notify *n = ctx;
    int64_t half = n->watchdog_ms / 2;

    if (!n->alive || n->alive(n->ctx))
        tell(n, WATCHDOG);
    n->feeding = loop_timer(n->loop, clock_ms() + (half ? half : 1), feed, n);
}

/* ---- birth and end ---- */

static int read_address(struct notify *n, const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (strncmp(text, "vsock:", 6) == 0)
        return err_set(err, ERR_UNSUPPORTED, "NOTIFY_SOCKET is '%s': only Unix sockets are spoken",
                       text);
    if ((text[0] != '/' && text[0] != '@') || len < 2)
        return err_set(err, ERR_INVALID,
                       "NOTIFY_SOCKET is '%.80s': it has to be an absolute path, or '@' and a name",
                       text);
    if (len >= sizeof n->to.sun_path)
        return err_set(err, ERR_INVALID, "NOTIFY_SOCKET is longer than the %zu bytes of a socket's",
                       sizeof n->to.sun_path - 1);
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, len);
    if (text[0] == '@')
        n->to.sun_path[0] = '\0';
    /* An abstract name has no NUL at its end, all bytes count. */
    n->to_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '@' ? 0 : 1));
    return ERR_OK;
}

int notify_new(const struct notify_spec *spec, struct loop *loop, struct notify **ret,
               struct err *err)
{
    struct notify *n = mem_new(sizeof *n);

    *n = (struct notify){.loop = loop,
                         .watchdog_ms = spec->watchdog_ms,
                         .alive = spec->alive,
                         .ctx = spec->ctx,
                         .status = BUF_INIT(NOTIFY_STATUS_MAX)};
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = n->fd < 0 ? err_sys(err, "cannot make a socket for the service manager")
                      : read_address(n, spec->socket, err);
    if (r < 0) {
        notify_free(n);
        return r;
    }
    if (n->watchdog_ms)
        feed(n);
    *ret = n;
    return ERR_OK;
}

struct notify *notify_free(struct notify *n)
{
    if (!n)
        return NULL;
    timer_free(n->feeding);
    timer_free(n->again);
    fd_closep(&n->fd);
    buf_deinit(&n->status);
    free(n);
    return NULL;
}
