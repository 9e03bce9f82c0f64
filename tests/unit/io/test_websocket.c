#include "io/websocket.h"

#include "base/clock.h"
#include "kit/scratch.h"
#include "kit/server.h"
#include "kit/websocket.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the protocol (RFC 6455, 5.7 and 1.3) ---- */

Test(websocket, a_masked_frame_is_that_of_the_rfc)
{
    static const unsigned char mask[] = {0x37, 0xfa, 0x21, 0x3d};
    static const char wanted[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(100);

    websocket_frame(&out, WEBSOCKET_FIN | WEBSOCKET_TEXT, SLICE("Hello"), mask);
    cr_assert(slice_eq(buf_slice(&out), slice_make(wanted, sizeof wanted - 1)));
}

Test(websocket, lengths_take_the_form_they_need)
{
    static const unsigned char mask[4];
    static const struct {
        size_t size;
        const char *head;
        size_t n;
    } rows[] = {{125, "\x82\xfd", 2},
                {126, "\x82\xfe\x00\x7e", 4},
                {65535, "\x82\xfe\xff\xff", 4},
                {65536, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00", 10}};
    char *payload = calloc(1, 65536);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(70000);

        websocket_frame(&out, WEBSOCKET_FIN | WEBSOCKET_BINARY, slice_make(payload, rows[i].size),
                        mask);
        cr_assert_eq(out.len, rows[i].n + 4 + rows[i].size);
        cr_assert(slice_starts(buf_slice(&out), slice_make(rows[i].head, rows[i].n)), "%zu",
                  rows[i].size);
    }
    free(payload);
}

static char seen[400];

static void on_control(void *ctx, unsigned opcode, struct slice payload)
{
    (void)ctx;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%u:%.*s;", opcode,
             SLICE_ARG(payload));
}

#define FRAMES(lit, wanted, fine)                                                                  \
    {                                                                                              \
        lit, sizeof lit - 1, wanted, fine                                                          \
    }

static const struct {
    const char *bytes;
    size_t size;
    const char *wanted;
    bool fine;
} frames[] = {
    FRAMES("\x89\x05Hello", "9:Hello;", true),
    FRAMES("\x89\x00\x8a\x01x", "9:;10:x;", true),
    FRAMES("\x81\x05Hello\x88\x02\x03\xe8", "8:\x03\xe8;", true),
    FRAMES("\x01\x03Hel\x89\x01p\x80\x02lo", "9:p;", true), /* between fragments */
    FRAMES("\x82\x7e\x00\x03"
           "abc\x89\x00",
           "9:;", true),
    FRAMES("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01"
           "a\x89\x00",
           "9:;", true),
    FRAMES("\xc1\x00", "", false),         /* a bit that nobody agreed on */
    FRAMES("\x81\x80", "", false),         /* masked */
    FRAMES("\x83\x00", "", false),         /* a kind that is not there */
    FRAMES("\x09\x00", "", false),         /* a ping in fragments */
    FRAMES("\x89\x7e\x00\x7e", "", false), /* a ping too long */
    FRAMES("\x80\x00", "", false),         /* goes on with nothing */
    FRAMES("\x01\x00\x81\x00", "", false), /* a message within another */
};

Test(websocket, frames_are_read_however_they_come)
{
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        for (size_t step = 1; step <= frames[i].size; step++) {
            struct websocket_reader r = {0};
            struct err err = ERR_INIT;
            int result = ERR_OK;

            seen[0] = '\0';
            for (size_t at = 0; at < frames[i].size && result == ERR_OK; at += step) {
                struct slice rest = slice_make(frames[i].bytes + at, frames[i].size - at);

                result = websocket_read(&r, slice_head(rest, step), on_control, NULL, &err);
            }
            cr_assert_eq(result, frames[i].fine ? ERR_OK : ERR_INVALID, "row %zu by %zu: %s", i,
                         step, err.text);
            cr_assert_str_eq(seen, frames[i].wanted, "row %zu by %zu", i, step);
        }
    }
}

static const struct {
    const char *head;
    int wanted;
} answers[] = {
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
     ERR_OK},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n",
     ERR_INVALID},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", ERR_INVALID},
    {"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", ERR_INVALID},
    {"HTTP/1.1 401 Unauthorized\r\n\r\n", ERR_FAILED},
    {"", ERR_FAILED},
};

Test(websocket, an_answer_must_be_one_to_our_key)
{
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct err err = ERR_INIT;

        cr_assert_eq(websocket_agreed(slice_of(answers[i].head), "dGhlIHNhbXBsZSBub25jZQ==", &err),
                     answers[i].wanted, "row %zu: %s", i, err.text);
    }
}

/* ---- with a server ---- */

static struct loop *loop;
static struct http *http;
static struct websocket *socket_;
static int opened, lost;
static struct err why;

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&(struct http_spec){.agent = "a"}, loop, &http, &err), ERR_OK, "%s",
                 err.text);
}

static void leave(void)
{
    socket_ = websocket_free(socket_);
    http_free(http);
    loop_free(loop);
    server_stop();
    scratch_leave();
}

TestSuite(websocket_live, .init = enter, .fini = leave, .timeout = 60);

static void on_open(void *ctx)
{
    (void)ctx;
    opened++;
}

static void on_lost(void *ctx, const struct err *err)
{
    (void)ctx;
    lost++;
    why = *err;
}

static void connect_to(const char *address, const char *path)
{
    static const char *const headers[] = {"Authorization: Bearer t", NULL};
    const struct websocket_client client = {.open = on_open, .lost = on_lost};
    struct err err = ERR_INIT;
    char url[200];

    snprintf(url, sizeof url, "ws%s%s", address + 4, path);
    cr_assert_eq(websocket_new(http, loop, url, headers, &client, &socket_, &err), ERR_OK, "%s",
                 err.text);
}

static void turn(void)
{
    struct err err = ERR_INIT;

    cr_assert_eq(loop_turn(loop, CLOCK_NEVER, &err), ERR_OK, "%s", err.text);
}

static void serve(int fd, const struct server_request *q)
{
    int out = open("head", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    (void)!write(out, q->head, strlen(q->head));
    close(out);
    websocket_agree(fd, q);
    if (strstr(q->head, "/ping"))
        (void)!send(fd, "\x89\x02hi", 4, MSG_NOSIGNAL);
    if (strstr(q->head, "/close"))
        (void)!send(fd, "\x88\x02\x03\xe9", 4, MSG_NOSIGNAL);
    if (!strstr(q->head, "/deaf"))
        websocket_listen(fd, "got", 0);
    else
        (void)poll(NULL, 0, 60000);
}

static bool got(const char *wanted)
{
    char text[200000] = "";
    int fd = open("got", O_RDONLY);

    if (fd >= 0)
        (void)!read(fd, text, sizeof text - 1);
    close(fd);
    return strcmp(text, wanted) == 0;
}

/* The server writes in a process of its own. */
static void wait_for(const char *wanted)
{
    for (int i = 0; i < 5000 && !got(wanted); i++) {
        struct err err = ERR_INIT;

        cr_assert_eq(loop_turn(loop, clock_ms() + 2, &err), ERR_OK);
    }
    cr_assert(got(wanted), "opened %d lost %d: %s", opened, lost, why.text);
}

Test(websocket_live, messages_arrive_whole_and_in_order)
{
    char text[2600];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    connect_to(server_start(serve), "/ws?a=b");
    cr_assert(!websocket_send(socket_, SLICE("too early")));
    while (!opened)
        turn();
    cr_assert(websocket_send(socket_, SLICE("one")));
    cr_assert(websocket_send(socket_, slice_of(text)));
    cr_assert(websocket_send(socket_, SLICE("")));
    websocket_close(socket_);
    cr_assert(!websocket_send(socket_, SLICE("too late")));
    char wanted[2700];
    snprintf(wanted, sizeof wanted, "one\n%s\n\n<close>\n", text);
    wait_for(wanted);
    char head[2000] = "";
    int fd = open("head", O_RDONLY);
    (void)!read(fd, head, sizeof head - 1);
    close(fd);
    cr_assert(strstr(head, "GET /ws?a=b HTTP/1.1\r\nHost: 127.0.0.1:"), "%s", head);
    cr_assert(strstr(head, "\r\nAuthorization: Bearer t"));
    while (!lost)
        turn();
    cr_assert_eq(lost, 1);
}

Test(websocket_live, pings_are_answered)
{
    connect_to(server_start(serve), "/ping");
    while (!opened)
        turn();
    wait_for("<pong>hi\n");
    cr_assert_eq(lost, 0);
}

Test(websocket_live, a_server_that_takes_leave_is_answered_and_gone)
{
    connect_to(server_start(serve), "/close");
    while (!lost)
        turn();
    cr_assert_eq(why.code, ERR_SYS);
    wait_for("<close>\n");
}

Test(websocket_live, a_slow_server_holds_nobody_up)
{
    char text[8000];
    int taken = 0;

    memset(text, 'x', sizeof text);
    connect_to(server_start(serve), "/deaf");
    while (!opened)
        turn();
    for (int i = 0; i < 20000; i++) {
        struct err err = ERR_INIT;

        taken += websocket_send(socket_, slice_make(text, sizeof text));
        cr_assert_leq(websocket_waiting(socket_), WEBSOCKET_OUT_MAX);
        cr_assert_eq(loop_turn(loop, clock_ms(), &err), ERR_OK);
    }
    cr_assert_lt(taken, 20000);
    cr_assert_gt(taken, 30);
    cr_assert_eq(lost, 0);
}

static void refuse(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "401 Unauthorized", "", "", 0);
}

Test(websocket_live, a_server_that_does_not_agree_is_lost)
{
    connect_to(server_start(refuse), "/");
    while (!lost)
        turn();
    cr_assert_eq(opened, 0);
    cr_assert_str_eq(why.text, "the websocket's server answered 'HTTP/1.1 401 Unauthorized'");
}

Test(websocket_live, nobody_there_is_lost)
{
    connect_to("http://127.0.0.1:1", "/");
    while (!lost)
        turn();
    cr_assert_eq(opened, 0);
    cr_assert(strstr(why.text, "'127.0.0.1:1'"), "%s", why.text);
}

static void tunnel(int fd, const struct server_request *q)
{
    char line[200];
    int out = open("proxied", O_WRONLY | O_CREAT | O_APPEND, 0600);

    (void)!write(out, q->head, strcspn(q->head, "\r"));
    close(out);
    snprintf(line, sizeof line, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n");
    (void)!send(fd, line, strlen(line), MSG_NOSIGNAL);
}

Test(websocket_live, a_proxy_is_asked_for_a_tunnel)
{
    struct err err = ERR_INIT;
    char text[100] = "";

    http = http_free(http);
    cr_assert_eq(
        http_new(&(struct http_spec){.http_proxy = server_start(tunnel)}, loop, &http, &err),
        ERR_OK);
    connect_to("http://ws.example:80", "/x");
    while (!lost)
        turn();
    int fd = open("proxied", O_RDONLY);
    (void)!read(fd, text, sizeof text - 1);
    close(fd);
    cr_assert_str_eq(text, "CONNECT ws.example:80 HTTP/1.1");
}

Test(websocket_live, addresses_that_make_no_sense_are_refused)
{
    static const char *const rows[] = {"", "ws", "ws://", "ws://a b/", "ws://u:p@host/", "ftp//x"};
    const struct websocket_client client = {.open = on_open, .lost = on_lost};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;

        cr_assert_eq(websocket_new(http, loop, rows[i], NULL, &client, &socket_, &err), ERR_INVALID,
                     "'%s'", rows[i]);
    }
}

Test(websocket_live, it_can_be_freed_at_any_time)
{
    const char *address = server_start(serve);

    for (int turns = 0; turns < 12; turns++) {
        opened = lost = 0;
        connect_to(address, "/");
        for (int i = 0; i < turns; i++) {
            struct err err = ERR_INIT;

            cr_assert_eq(loop_turn(loop, clock_ms() + 5, &err), ERR_OK);
        }
        socket_ = websocket_free(socket_);
    }
}
