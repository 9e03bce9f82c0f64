/* The endpoint as its callers see it: what is asked and what is answered, on a port and on a socket. */
#include "base/clock.h"
#include "base/fd.h"
#include "kit/scratch.h"
#include "listen/monitor.h"
#include "listen/web.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;
static struct web *web;
static struct buf got;
static int asked;

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    got = (struct buf)BUF_INIT(WEB_BODY_MAX + 4096);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK, "%s", err.text);
}

static void leave(void)
{
    web = web_free(web);
    loop = loop_free(loop);
    buf_deinit(&got);
    scratch_leave();
}

TestSuite(web, .init = enter, .fini = leave);

static void page(void *ctx, const char *path, struct web_reply *ret)
{
    asked++;
    if (strcmp(path, "/big") == 0)
        for (int i = 0; i < 1 << 20; i++)
            buf_add(&ret->body, SLICE("01234567"));
    else if (strcmp(path, "/huge") == 0)
        for (int i = 0; i <= WEB_BODY_MAX / 8; i++)
            buf_add(&ret->body, SLICE("01234567"));
    else
        buf_printf(&ret->body, "%s at %s", (const char *)ctx, path);
}

static char here[] = "here";

static void open_at(const char *at)
{
    struct err err = ERR_INIT;

    cr_assert_eq(web_new(at, loop, page, here, &web, &err), ERR_OK, "%s", err.text);
}

static void turn(void)
{
    struct err err = ERR_INIT;

    cr_assert_eq(loop_turn(loop, clock_ms() + 2, &err), ERR_OK, "%s", err.text);
}

static int connect_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)web_port(web)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static int connect_path(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, path, strlen(path));
    cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0, "%s: %s", path,
                 strerror(errno));
    return fd;
}

static void put(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All that comes until the other side hangs up. */
static const char *answer(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    buf_clear(&got);
    do {
        while (poll(&p, 1, 0) == 0)
            turn();
        n = fd_read_some(fd, &got, 65536);
    } while (n > 0);
    close(fd);
    return got.ptr;
}

static const char *ask(const char *request)
{
    int fd = connect_port();

    put(fd, request);
    return answer(fd);
}

static void starts(const char *text, const char *with)
{
    cr_assert_eq(strncmp(text, with, strlen(with)), 0, "'%s' begins not with '%s'", text, with);
}

Test(web, a_request_is_answered_and_the_connection_ends)
{
    open_at("127.0.0.1:0");
    cr_assert_str_eq(ask("GET /page?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: 13\r\nCache-Control: no-store\r\n"
                     "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nhere at /page");
    starts(ask("GET / HTTP/1.0\n\n"), "HTTP/1.1 200 OK\r\n");
}

Test(web, each_wrong_request_has_its_status)
{
    static const struct {
        const char *request, *status;
    } rows[] = {
        {"POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n"},
        {"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n"},
        {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
        {"GET /\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET  / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1 \r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET page HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET http://localhost/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"G@T / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /\x01 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\nno header\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\nA : b\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
         "HTTP/1.1 400 Bad Request\r\n"},
        {"\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421 Misdirected Request\r\n"},
        {"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n",
         "HTTP/1.1 421 Misdirected Request\r\n"},
        {"GET /huge HTTP/1.1\r\n\r\n", "HTTP/1.1 500 Internal Server Error\r\n"},
    };

    open_at("127.0.0.1:0");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *said = ask(rows[i].request);

        cr_assert_eq(strncmp(said, rows[i].status, strlen(rows[i].status)), 0, "%s: %s",
                     rows[i].request, said);
    }
    cr_assert_eq(asked, 1, "only the page that is too large was asked for");
}

Test(web, a_head_that_is_too_long_is_not_read_to_its_end)
{
    char head[WEB_HEAD_MAX + 1];

    open_at("127.0.0.1:0");
    memset(head, 'x', sizeof head - 1);
    memcpy(head, "GET / HTTP/1.1\r\nA: ", 19);
    head[sizeof head - 1] = '\0';
    starts(ask(head), "HTTP/1.1 431 ");
    cr_assert_eq(asked, 0);
}

Test(web, a_head_may_come_in_pieces)
{
    static const char request[] = "GET /slow HTTP/1.1\r\nHost: [::1]:80\r\n\r\n";

    open_at("127.0.0.1:0");
    int fd = connect_port();
    for (const char *p = request; *p; p++) {
        cr_assert_eq(send(fd, p, 1, 0), 1);
        turn();
    }
    cr_assert_not_null(strstr(answer(fd), "here at /slow"));
}

Test(web, an_answer_that_does_not_fit_the_socket_arrives_whole)
{
    open_at("127.0.0.1:0");
    const char *said = ask("GET /big HTTP/1.1\r\n\r\n");

    starts(said, "HTTP/1.1 200 OK");
    cr_assert_eq(got.len - (size_t)(strstr(said, "\r\n\r\n") + 4 - said), 8u << 20);
}

Test(web, what_comes_behind_a_request_does_not_take_its_answer_back)
{
    char body[100000];

    open_at("127.0.0.1:0");
    memset(body, 'b', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    int fd = connect_port();
    put(fd, "GET /x HTTP/1.1\r\nContent-Length: 99999\r\n\r\n");
    put(fd, body);
    cr_assert_not_null(strstr(answer(fd), "here at /x"));
}

Test(web, who_comes_when_all_places_are_taken_has_that_of_the_oldest)
{
    int fds[WEB_CONNECTIONS_MAX + 8];
    char byte;

    open_at("127.0.0.1:0");
    int64_t from = clock_ms();
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = connect_port();
    put(fds[COUNT_OF(fds) - 1], "GET /last HTTP/1.1\r\n\r\n");
    cr_assert_not_null(strstr(answer(fds[COUNT_OF(fds) - 1]), "here at /last"));
    cr_assert_lt(clock_ms() - from, WEB_DEADLINE_MS, "it did not wait for the others");
    cr_assert_eq(recv(fds[7], &byte, 1, MSG_DONTWAIT), 0, "that one is gone");
    cr_assert_eq(recv(fds[8], &byte, 1, MSG_DONTWAIT), -1, "and this one is not");
    for (size_t i = 0; i + 1 < COUNT_OF(fds); i++)
        close(fds[i]);
}

Test(web, who_says_nothing_is_cut_off)
{
    open_at("127.0.0.1:0");
    int64_t from = clock_ms();

    cr_assert_str_eq(answer(connect_port()), "");
    cr_assert_geq(clock_ms() - from, WEB_DEADLINE_MS - 1);
}

Test(web, who_hangs_up_leaves_nothing_behind)
{
    open_at("127.0.0.1:0");
    for (int i = 0; i < 3 * WEB_CONNECTIONS_MAX; i++) {
        int fd = connect_port();

        put(fd, i % 2 ? "GET /big HTTP/1.1\r\n\r\n" : "GET");
        turn();
        close(fd);
        turn();
    }
    cr_assert_not_null(strstr(ask("GET /still HTTP/1.1\r\n\r\n"), "here at /still"));
}

static const char *path_of(const char *name)
{
    static char path[4200];

    snprintf(path, sizeof path, "%s/%s", scratch_path, name);
    return path;
}

Test(web, a_socket_is_its_owners_alone)
{
    struct stat st;

    umask(0);
    open_at(path_of("s"));
    cr_assert_eq(lstat("s", &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600, "mode %o", st.st_mode);
    int fd = connect_path("s");
    put(fd, "GET /x HTTP/1.1\r\nHost: whatever\r\n\r\n");
    cr_assert_not_null(strstr(answer(fd), "here at /x"));
    cr_assert_eq(web_port(web), 0);
    web = web_free(web);
    cr_assert_eq(scratch_count(), 0, "the socket was left");
}

Test(web, a_socket_that_was_left_behind_is_replaced_and_no_other_file)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "s"};
    int old = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct web *other = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(bind(old, (struct sockaddr *)&at, sizeof at), 0);
    close(old);
    open_at(path_of("s"));
    cr_assert_eq(web_new(path_of("s"), loop, page, here, &other, &err), ERR_DENIED, "%s", err.text);
    scratch_file("file", "mine");
    cr_assert_eq(web_new(path_of("file"), loop, page, here, &other, &err), ERR_INVALID);
    scratch_has("file", "mine");
}

Test(web, addresses_that_are_none_are_refused)
{
    static const char *const rows[] = {"127.0.0.1",  "localhost:80", ":80",
                                       "127.0.0.1:", "127.0.0.1:x",  "127.0.0.1:65536",
                                       "::1:80",     "[::1]",        "[127.0.0.1]:80",
                                       "",           "relative/path"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert_eq(web_new(rows[i], loop, page, here, &web, &err), ERR_INVALID, "%s: %s", rows[i],
                     err.text);
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(web_new(path_of(longer), loop, page, here, &web, &err), ERR_INVALID);
    cr_assert_null(web);
}

Test(web, a_port_that_is_taken_is_said_to_be)
{
    char at[64];
    struct web *other = NULL;
    struct err err = ERR_INIT;

    open_at("127.0.0.1:0");
    snprintf(at, sizeof at, "127.0.0.1:%u", web_port(web));
    cr_assert_eq(web_new(at, loop, page, here, &other, &err), ERR_DENIED, "%s", err.text);
    cr_assert_not_null(strstr(err.text, at));
}

Test(web, names_of_the_loopback_interface)
{
    static const char *const yes[] = {"localhost",    "LOCALHOST:80", "127.0.0.1",
                                      "127.8.9.10:1", "[::1]",        "[::1]:9252"};
    static const char *const no[] = {
        "",           "127.0.0.256", "127.1",       "localhost.example",
        "localhost:", "[::2]",       "127.0.0.1:x", "128.0.0.1",
        "[::1]x",     "127.0.0.1.1", "127.0.0.-0",  "127.0.0.0001"};

    for (size_t i = 0; i < COUNT_OF(yes); i++)
        cr_assert(web_is_loopback(slice_of(yes[i])), "%s", yes[i]);
    for (size_t i = 0; i < COUNT_OF(no); i++)
        cr_assert_not(web_is_loopback(slice_of(no[i])), "%s", no[i]);
}

/* ---- the pages of a listener ---- */

static struct snapshot_registration registration;

static void take(void *ctx, struct arena *a, struct snapshot *ret)
{
    (void)ctx;
    (void)a;
    *ret = (struct snapshot){.version = "1",
                             .started_ms = clock_ms(),
                             .slots = 1,
                             .slots_min = 1,
                             .slots_max = 1,
                             .disk_free = -1,
                             .disk_wanted = -1,
                             .registrations = &registration,
                             .n_registrations = 1};
}

static const char *fetch(const char *name, const char *path)
{
    char request[200];
    int fd = connect_path(name);

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    put(fd, request);
    return answer(fd);
}

Test(web, a_monitor_has_four_pages)
{
    CLEANUP(free_ptr) char *socket = mem_dup(path_of("s"), strlen(path_of("s")));
    struct metrics *metrics = metrics_new();
    struct monitor_spec spec = {
        .address = "127.0.0.1:0", .socket = socket, .source = {take, NULL}, .metrics = metrics};
    struct monitor *m = NULL;
    struct err err = ERR_INIT;

    registration = (struct snapshot_registration){
        .name = "here", .kind = "gitea", .url = "u", .health = {.trouble = "no such token"}};
    cr_assert_eq(monitor_new(&spec, loop, &m, &err), ERR_OK, "%s", err.text);
    cr_assert_gt(monitor_port(m), 0);
    starts(fetch("s", "/healthz"), "HTTP/1.1 200 OK");
    starts(fetch("s", "/readyz"), "HTTP/1.1 503 ");
    cr_assert_not_null(strstr(got.ptr, "\r\n\r\nhere: no such token\n"));
    registration.health =
        (struct queue_health){.connected = true, .contact_ms = clock_ms(), .requests = 3};
    starts(fetch("s", "/readyz"), "HTTP/1.1 200 OK");
    starts(fetch("s", "/metrics"), "HTTP/1.1 200 OK");
    cr_assert_not_null(strstr(got.ptr, "Content-Type: text/plain; version=0.0.4"));
    cr_assert_not_null(strstr(got.ptr, "\nostler_ready 1\n"));
    starts(fetch("s", "/status"), "HTTP/1.1 200 OK");
    json_t *json = json_loads(strstr(got.ptr, "\r\n\r\n") + 4, 0, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(json, "version")), "1");
    json_decref(json);
    starts(fetch("s", "/other"), "HTTP/1.1 404 Not Found");
    monitor_free(m);
    metrics_free(metrics);
    cr_assert_eq(scratch_count(), 0);
}

Test(web, a_monitor_that_has_one_of_its_places_alone_has_none)
{
    struct metrics *metrics = metrics_new();
    struct monitor_spec spec = {.address = "127.0.0.1:0",
                                .socket = "/nowhere/at/all",
                                .source = {take, NULL},
                                .metrics = metrics};
    struct monitor *m = NULL;
    struct err err = ERR_INIT;

    cr_assert_lt(monitor_new(&spec, loop, &m, &err), 0);
    cr_assert_null(m);
    cr_assert_null(monitor_free(NULL));
    metrics_free(metrics);
}
