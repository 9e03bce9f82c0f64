#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* never retried: on Linux the descriptor is gone even after EINTR */
    *fd = -1;
}

int fd_write_all(int fd, struct slice data, struct err *err)
{
    while (data.len) {
        ssize_t n = write(fd, data.ptr, data.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "cannot write");
        data = slice_from(data, (size_t)n);
    }
    return ERR_OK;
}

ssize_t fd_read_some(int fd, struct buf *to, size_t size)
{
    char *at = buf_reserve(to, size);
    ssize_t n;

    if (!at)
        BUG("no room to read %zu bytes", size);
    do
        n = read(fd, at, size);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        to->len += (size_t)n;
    to->ptr[to->len] = '\0';
    return n;
}

int fd_read_all(int fd, struct buf *to, struct err *err)
{
    for (;;) {
        size_t room = to->max - to->len;
        char probe;

        if (room == 0) { /* full: fine if this was all */
            ssize_t n = read(fd, &probe, 1);
            if (n < 0)
                return err_sys(err, "cannot read");
            if (n > 0)
                return err_set(err, ERR_LIMIT, "more than %zu bytes", to->max);
            return ERR_OK;
        }
        ssize_t n = fd_read_some(fd, to, room < 65536 ? room : 65536);
        if (n < 0)
            return err_sys(err, "cannot read");
        if (n == 0)
            return ERR_OK;
    }
}

int fd_memory(struct slice data, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = memfd_create("ostler", MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "cannot make a file in memory");
    int r = fd_write_all(fd, data, err);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind a file in memory");
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

int fd_pipe(int *ret_read, int *ret_write, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(err, "cannot make a pipe");
    *ret_read = fds[0];
    *ret_write = fds[1];
    return ERR_OK;
}

int fd_socketpair(int type, int ret[2], struct err *err)
{
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret) < 0)
        return err_sys(err, "cannot make a socket pair");
    return ERR_OK;
}

int fd_set_nonblock(int fd, bool on, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
        return err_sys(err, "cannot change the flags of a descriptor");
    return ERR_OK;
}

int fd_dup(int fd, int lowest)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, lowest);
}

int fd_send(int sock, struct slice data, const int *fds, size_t n_fds, struct err *err)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(size_t)data.ptr, .iov_len = data.len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    if (n_fds > FD_PASS_MAX)
        BUG("%zu descriptors in one message", n_fds);
    if (n_fds) {
        msg.msg_control = control.space;
        msg.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds); /* musl has it so */
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * n_fds);
    }
    ssize_t n;
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, "cannot send a message");
    if ((size_t)n == data.len)
        return ERR_OK;
    /* a stream socket took a part of it: the descriptors went with the first byte */
    return fd_write_all(sock, slice_from(data, (size_t)n), err);
}

int fd_recv(int sock, char *data, size_t size, size_t *ret_len, int ret_fds[FD_PASS_MAX],
            size_t *ret_n_fds, struct err *err)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t n;

    do
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, "cannot receive a message");
    *ret_n_fds = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&msg); head; head = CMSG_NXTHDR(&msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        *ret_n_fds = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(ret_fds, CMSG_DATA(head), *ret_n_fds * sizeof(int));
    }
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < *ret_n_fds; i++)
            close(ret_fds[i]);
        return err_set(err, ERR_LIMIT, "a message is larger than %zu bytes", size);
    }
    *ret_len = (size_t)n;
    return ERR_OK;
}
