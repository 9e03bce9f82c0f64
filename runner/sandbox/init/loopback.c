#include "sandbox/init/loopback.h"

#include "base/fd.h"
#include "sandbox/init/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 512 };

/* *RET, the caller's, listens at PORT; -1: somebody does already. */
static int listen_at(unsigned port, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *ret = -1;
    if (fd < 0)
        return err_sys(err, "cannot make a socket");
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        return errno == EADDRINUSE ? ERR_OK
                                   : err_sys(err, "cannot bind to port %u of the loopback", port);
    if (listen(fd, BACKLOG) < 0)
        return err_sys(err, "cannot listen at port %u of the loopback", port);
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

int loopback_hand_out(int sock, uint32_t id, unsigned port, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = listen_at(port, &fd, err);

    return r < 0 ? r : wire_send(sock, WIRE_DONE, id, NULL, &fd, fd >= 0, err);
}
