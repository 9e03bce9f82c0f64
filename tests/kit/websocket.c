#include "kit/websocket.h"

#include "base/base64.h"
#include "io/digest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 1024 };

void websocket_agree(int connection, const struct server_request *q)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(200);
    CLEANUP(buf_deinit) struct buf accept = BUF_INIT(100);
    unsigned char digest[DIGEST_SHA1_SIZE];
    const char *key = strstr(q->head, "Sec-WebSocket-Key: ") + 19;
    char answer[300];

    buf_printf(&text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(key, "\r"), key);
    digest_sha1(buf_slice(&text), digest);
    base64_add(&accept, slice_make((const char *)digest, sizeof digest));
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                     "Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     accept.ptr);
    (void)!send(connection, answer, (size_t)n, MSG_NOSIGNAL);
}

static bool receive(int fd, unsigned char *to, size_t size)
{
    return recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

void websocket_listen(int connection, const char *name, int n)
{
    int out = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), messages = 0;
    unsigned char head[8], payload[1 << 16];

    while ((!n || messages < n) && receive(connection, head, 2)) {
        size_t size = head[1] & 127u;

        if (size == 126 && receive(connection, head + 2, 2))
            size = (size_t)head[2] << 8 | head[3];
        if (!receive(connection, head + 4, 4) || !receive(connection, payload, size))
            break;
        for (size_t i = 0; i < size; i++)
            payload[i] ^= head[4 + i % 4];
        if (!(head[1] & 0x80) || size > FRAME_MAX)
            (void)!write(out, "<bad frame>\n", 12);
        if ((head[0] & 15) == 8) {
            (void)!write(out, "<close>\n", 8);
            break;
        }
        if ((head[0] & 15) == 10)
            (void)!write(out, "<pong>", 6);
        (void)!write(out, payload, size);
        if (head[0] & 0x80)
            (void)!write(out, "\n", 1);
        messages += (head[0] & 0x80) != 0;
    }
    close(out);
}
