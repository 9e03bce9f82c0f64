#include "kit/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEAD_MAX = 64 << 10, BODY_MAX = 64 << 20 };

static pid_t process;
static int *count; /* shared with the server's processes */

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

void server_cut_off(int connection, const char *status, const char *headers, const char *body,
                    size_t size, size_t sent)
{
    char head[4096];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status,
                     size, headers);

    send_all(connection, head, (size_t)n);
    send_all(connection, body, sent);
}

void server_answer(int connection, const char *status, const char *headers, const char *body,
                   size_t size)
{
    server_cut_off(connection, status, headers, body, size, size);
}

static size_t length_of(const char *head)
{
    for (const char *line = head; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    return 0;
}

static void serve(int fd, server_fn *fn)
{
    struct server_request q = {.nth = __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST)};
    char *all = calloc(1, HEAD_MAX + BODY_MAX), *end = NULL;
    size_t len = 0, want = HEAD_MAX;

    while (len < want) {
        ssize_t n = recv(fd, all + len, want - len, 0);

        if (n <= 0)
            return;
        len += (size_t)n;
        if (!end && (end = strstr(all, "\r\n\r\n"))) {
            *end = '\0';
            want = (size_t)(end - all) + 4 + length_of(all);
        }
    }
    q.head = all;
    q.body = end + 4;
    q.body_size = len - (size_t)(q.body - all);
    fn(fd, &q);
    shutdown(fd, SHUT_WR);
}

static void accept_all(int listener, server_fn *fn)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            _exit(0);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(fd, fn);
            _exit(0);
        }
        close(fd);
    }
}

const char *server_start(server_fn *fn)
{
    static char address[64];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 64) == 0 &&
              getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(count, MAP_FAILED);
    process = fork();
    cr_assert_geq(process, 0);
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        accept_all(listener, fn);
    }
    close(listener);
    snprintf(address, sizeof address, "http://127.0.0.1:%d", ntohs(at.sin_port));
    return address;
}

void server_stop(void)
{
    if (process <= 0)
        return;
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
    process = 0;
}

int server_count(void)
{
    return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}
