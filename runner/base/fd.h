/* fd - file descriptors: whole reads and writes, pipes, passing them on. All are close-on-exec. */
#pragma once

#include "base/buf.h"

/* Closes *FD unless it is -1, and makes it -1; for CLEANUP and by hand. */
void fd_closep(int *fd);

/* Writes everything. */
MUST_CHECK int fd_write_all(int fd, struct slice data, struct err *err);

/* Appends all that FD gives until its end; ERR_LIMIT when it is more than BUF may hold. */
MUST_CHECK int fd_read_all(int fd, struct buf *to, struct err *err);

/* One read of at most SIZE bytes into BUF (its limit must have room). Bytes read; 0: end; -1: errno
 * (EAGAIN included). */
ssize_t fd_read_some(int fd, struct buf *to, size_t size);

/* DATA as a file in memory, to be read from its beginning: what a process is to get that may not stand in its argv or
 * environment, which others can look at. *RET is the caller's. */
MUST_CHECK int fd_memory(struct slice data, int *ret, struct err *err);

MUST_CHECK int fd_pipe(int *ret_read, int *ret_write, struct err *err);
MUST_CHECK int fd_socketpair(int type, int ret[2], struct err *err); /* AF_UNIX, SOCK_... */
MUST_CHECK int fd_set_nonblock(int fd, bool on, struct err *err);

/* A close-on-exec copy of FD, at least LOWEST; -1: errno. */
int fd_dup(int fd, int lowest);

enum { FD_PASS_MAX = 16 };

/* Sends one message with descriptors (borrowed) over an AF_UNIX socket; an empty message needs at
 * least one byte. */
MUST_CHECK int fd_send(int sock, struct slice data, const int *fds, size_t n_fds, struct err *err);

/* Receives one message: up to SIZE bytes into DATA, *RET_LEN of them (0: the other side is gone), and
 * up to FD_PASS_MAX descriptors, which belong to the caller. ERR_LIMIT when it was truncated. */
MUST_CHECK int fd_recv(int sock, char *data, size_t size, size_t *ret_len, int ret_fds[FD_PASS_MAX],
                       size_t *ret_n_fds, struct err *err);
