#include "io/http.h"

#include "base/clock.h"
#include "kit/scratch.h"
#include "kit/server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop *loop;
static struct http *client;

static void open_client(const struct http_spec *spec)
{
    struct err err = ERR_INIT;

    cr_assert_eq(http_new(spec, loop, &client, &err), ERR_OK, "%s", err.text);
}

static void enter(void)
{
    const struct http_spec spec = {.retry_ms = 20};
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    open_client(&spec);
}

static void leave(void)
{
    http_free(client);
    loop_free(loop);
    server_stop();
    scratch_leave();
}

TestSuite(http, .init = enter, .fini = leave);

static char url[300];

static const char *address(const char *server, const char *path)
{
    snprintf(url, sizeof url, "%s%s", server, path);
    return url;
}

/* ---- what is sent and what comes ---- */

static void mirror(int fd, const struct server_request *q)
{
    char text[9000];
    int n = snprintf(text, sizeof text, "%s|%.*s", q->head, (int)q->body_size, q->body);

    server_answer(fd, "201 Made", "X-One: first\r\nx-one:  second \r\n", text, (size_t)n);
}

Test(http, sends_what_it_is_told_and_nothing_that_is_not)
{
    const char *const headers[] = {"Authorization: Bearer t", "X-Mine: 1", NULL};
    struct http_request q = {.method = "POST",
                             .url = address(server_start(mirror), "/a?b=c"),
                             .headers = headers,
                             .body = SLICE("content")};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    setenv("http_proxy", "http://127.0.0.1:1", 1); /* not ours to look at */
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 201);
    cr_assert(strstr(a.body.ptr, "POST /a?b=c HTTP/1.1\r\n"), "%s", a.body.ptr);
    cr_assert(strstr(a.body.ptr, "\r\nAuthorization: Bearer t\r\n"));
    cr_assert(strstr(a.body.ptr, "\r\nUser-Agent: ostler\r\n"));
    cr_assert(strstr(a.body.ptr, "\r\nContent-Length: 7"));
    cr_assert(strstr(a.body.ptr, "|content"));
    cr_assert_null(strstr(a.body.ptr, "Expect"));
    cr_assert_null(strstr(a.body.ptr, "Transfer-Encoding"));
    cr_assert(slice_eq(http_header(&a, "X-ONE"), SLICE("second")));
    cr_assert_null(http_header(&a, "X-Two").ptr);
}

Test(http, sends_a_part_of_a_file)
{
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    scratch_file("f", "0123456789");
    int fd = open("f", O_RDONLY | O_CLOEXEC);
    struct http_request q = {.method = "PUT",
                             .url = address(server_start(mirror), "/"),
                             .body_fd = fd,
                             .body_offset = 3,
                             .body_size = 4};
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert(strstr(a.body.ptr, "|3456"), "%s", a.body.ptr);
    close(fd);
}

Test(http, takes_no_address_or_header_that_is_none)
{
    static const char *const bad[] = {"",           "ftp://x/",          "file:///etc/passwd",
                                      "http://",    "http:///x",         "http://x/ y",
                                      "http://x\n", "HTTP://x/\r\nA: b", NULL};
    const char *const broken[] = {"A: b\r\nC: d", NULL};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct http_request q = {0};
    struct err err = ERR_INIT;

    for (const char *const *one = bad; *one; one++) {
        q.url = *one;
        cr_assert_eq(http_do(client, &q, &a, &err), ERR_INVALID, "'%s'", *one);
    }
    q.url = "http://127.0.0.1:1/";
    q.headers = broken;
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_INVALID);
    q.headers = NULL;
    q.method = "GET / HTTP/1.1\r\n";
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_INVALID);
}

/* ---- trying again ---- */

static int n_retries;

static void on_retry(void *ctx, unsigned tries, const char *why, int64_t wait_ms)
{
    (void)ctx;
    cr_assert_eq((int)tries, ++n_retries);
    cr_assert(*why);
    cr_assert_geq(wait_ms, 20);
}

static void fail_twice(int fd, const struct server_request *q)
{
    if (q->nth == 0)
        server_answer(fd, "503 Busy", "", "", 0);
    else if (q->nth == 1)
        return; /* nothing at all */
    else
        server_answer(fd, "200 OK", "", q->body, q->body_size);
}

Test(http, tries_again_after_5xx_and_silence)
{
    struct http_request q = {.method = "PUT",
                             .url = address(server_start(fail_twice), "/"),
                             .body = SLICE("body"),
                             .tries = 5,
                             .retry = on_retry};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 200);
    cr_assert_str_eq(a.body.ptr, "body");
    cr_assert_eq(server_count(), 3);
    cr_assert_eq(n_retries, 2);
}

static void always_500(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "500 Broken", "", "why", 3);
}

static void after_a_second(int fd, const struct server_request *q)
{
    if (q->nth)
        server_answer(fd, "200 OK", "", "", 0);
    else
        server_answer(fd, "503 Busy", "Retry-After: 1\r\n", "", 0);
}

Test(http, is_not_tried_again_before_the_server_wants_it)
{
    struct http_request q = {.url = address(server_start(after_a_second), "/"), .tries = 2};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;
    int64_t begun = clock_ms();

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 200);
    cr_assert_geq(clock_ms() - begun, 1000);
}

Test(http, gives_the_last_answer_when_it_gives_up)
{
    struct http_request q = {.url = address(server_start(always_500), "/"), .tries = 3};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 500);
    cr_assert_str_eq(a.body.ptr, "why");
    cr_assert_eq(server_count(), 3);
}

static void too_many(int fd, const struct server_request *q)
{
    server_answer(fd, q->nth ? "200 OK" : "429 Slowly", "", "", 0);
}

Test(http, a_limit_of_requests_is_waited_for_unless_it_is_an_answer)
{
    struct http_request q = {
        .url = address(server_start(too_many), "/"), .tries = 2, .trust_429 = true};
    struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 429);
    http_answer_deinit(&a);
    server_stop();
    q.url = address(server_start(too_many), "/");
    q.trust_429 = false;
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 200);
    http_answer_deinit(&a);
}

static void html_first(int fd, const struct server_request *q)
{
    server_answer(fd, "200 OK", "", q->nth ? "{}" : "<html>", q->nth ? 2 : 6);
}

static bool is_html(void *ctx, const struct http_answer *a)
{
    (void)ctx;
    return a->body.ptr[0] == '<';
}

Test(http, an_answer_that_makes_no_sense_is_asked_for_again)
{
    struct http_request q = {
        .url = address(server_start(html_first), "/"), .tries = 2, .judge = is_html};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(a.body.ptr, "{}");
}

Test(http, says_who_does_not_answer_and_no_more_of_the_address)
{
    struct http_request q = {.url = "http://127.0.0.1:1/blob?sig=secret", .tries = 2};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_SYS);
    cr_assert(strstr(err.text, "127.0.0.1"), "%s", err.text);
    cr_assert_null(strstr(err.text, "secret"), "%s", err.text);
}

static void silent(int fd, const struct server_request *q)
{
    (void)fd;
    (void)q;
    sleep(30);
}

Test(http, silence_ends_at_its_time_limit)
{
    struct http_request q = {.url = address(server_start(silent), "/"), .total_ms = 300};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;
    int64_t start = clock_ms();

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_TIMEOUT, "%s", err.text);
    cr_assert_lt(clock_ms() - start, 5000);
}

/* ---- connecting ---- */

static void no_answer(void *ctx, struct http_answer *a, const struct err *err)
{
    (void)ctx;
    cr_assert_fail("it ended: %s", a ? "an answer" : err->text);
}

enum { CONNECT_MS = 400 };

static void open_impatient_client(int64_t connect_ms)
{
    const struct http_spec spec = {.retry_ms = 20, .connect_ms = connect_ms};

    http_free(client);
    open_client(&spec);
}

/* The server takes the connection and waits for a request: it never says a word of TLS. */
static void give_up_on_tls(struct http_request q)
{
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;
    int64_t start = clock_ms();

    open_impatient_client(CONNECT_MS);
    snprintf(url, sizeof url, "https%s/", server_start(mirror) + strlen("http"));
    q.url = url;
    q.tries = 2;
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_TIMEOUT, "%s", err.text);
    cr_assert(strstr(err.text, "127.0.0.1"), "%s", err.text);
    cr_assert_geq(clock_ms() - start, 2 * CONNECT_MS, "each try has its time");
    cr_assert_lt(clock_ms() - start, 60 * CONNECT_MS);
}

Test(http, a_connection_that_does_not_come_about_is_given_up)
{
    give_up_on_tls((struct http_request){.total_ms = 600000});
}

Test(http, a_connection_that_a_long_poll_waits_for_is_given_up)
{
    give_up_on_tls((struct http_request){.idle_ms = HTTP_IDLE_NEVER, .total_ms = 600000});
}

static bool turn_ended_early(int64_t ms)
{
    struct err err = ERR_INIT;
    int64_t end = clock_ms() + ms;

    cr_assert_eq(loop_turn(loop, end, &err), ERR_OK);
    return clock_ms() < end;
}

Test(http, a_long_poll_that_is_connected_is_looked_at_again_when_something_comes)
{
    struct http_request q = {
        .url = address(server_start(silent), "/"), .idle_ms = HTTP_IDLE_NEVER, .total_ms = 600000};
    struct http_call *call = NULL;
    struct err err = ERR_INIT;

    open_impatient_client(4 * CONNECT_MS);
    cr_assert_eq(http_start(client, &q, no_answer, NULL, &call, &err), ERR_OK, "%s", err.text);
    while (turn_ended_early(CONNECT_MS) || server_count() == 0) /* libcurl has timers below that */
        continue;
    cr_assert_not(turn_ended_early(5 * CONNECT_MS), "there was nothing to wake up for");
    http_call_free(call);
}

/* ---- downloads ---- */

enum { BIG = 3 << 20 };
static char big[BIG];

static void fill_big(void)
{
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 7 + i / 251);
}

static size_t range_start(const char *head)
{
    const char *range = strstr(head, "Range: bytes=");

    return range ? strtoul(range + 13, NULL, 10) : 0;
}

/* Cuts off twice, and can go on where it was. */
static void cuts_off(int fd, const struct server_request *q)
{
    size_t at = range_start(q->head);
    char headers[100];

    snprintf(headers, sizeof headers, "Content-Range: bytes %zu-%d/%d\r\n", at, BIG - 1, BIG);
    server_cut_off(fd, at ? "206 Partial" : "200 OK", at ? headers : "", big + at, BIG - at,
                   q->nth < 2 ? (BIG - at) / 2 : BIG - at);
}

/* Cuts off once and knows of no ranges. */
static void begins_anew(int fd, const struct server_request *q)
{
    server_cut_off(fd, "200 OK", "", big, BIG, q->nth ? BIG : BIG / 3);
}

/* Goes on somewhere else. */
static void confused(int fd, const struct server_request *q)
{
    if (q->nth == 0)
        server_cut_off(fd, "200 OK", "", big, BIG, BIG / 2);
    else
        server_answer(fd, "206 Partial", "Content-Range: bytes 5-9/10\r\n", "56789", 5);
}

static struct buf got = BUF_INIT(2 * BIG);

static int take(void *ctx, struct slice bytes, struct err *err)
{
    (void)ctx;
    (void)err;
    buf_add(&got, bytes);
    return ERR_OK;
}

static int download(server_fn *fn, struct http_answer *a, struct err *err)
{
    struct http_request q = {.url = address(server_start(fn), "/"), .tries = 5, .sink = take};

    fill_big();
    return http_do(client, &q, a, err);
}

Test(http, a_download_that_is_cut_off_goes_on_where_it_was)
{
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    fill_big(); /* before the server's copy of it is made */
    cr_assert_eq(download(cuts_off, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 200);
    cr_assert_eq(a.size, BIG);
    cr_assert(got.len == BIG && memcmp(got.ptr, big, BIG) == 0);
    cr_assert_eq(server_count(), 3);
    buf_deinit(&got);
}

Test(http, a_server_without_ranges_begins_anew_and_no_byte_comes_twice)
{
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    fill_big();
    cr_assert_eq(download(begins_anew, &a, &err), ERR_OK, "%s", err.text);
    cr_assert(got.len == BIG && memcmp(got.ptr, big, BIG) == 0);
    buf_deinit(&got);
}

Test(http, another_part_than_was_asked_for_is_refused)
{
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    fill_big();
    cr_assert_eq(download(confused, &a, &err), ERR_FAILED);
    buf_deinit(&got);
}

static int refuse(void *ctx, struct slice bytes, struct err *err)
{
    (void)ctx;
    (void)bytes;
    return err_set(err, ERR_LIMIT, "the disk is full");
}

Test(http, a_sink_that_fails_ends_it_with_its_own_words)
{
    struct http_request q = {
        .url = address(server_start(begins_anew), "/"), .tries = 5, .sink = refuse};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_LIMIT);
    cr_assert_str_eq(err.text, "the disk is full");
    cr_assert_eq(server_count(), 1);
}

static void endless(int fd, const struct server_request *q)
{
    (void)q;
    server_cut_off(fd, "200 OK", "", "", HTTP_ANSWER_MAX + 1, 0);
    for (int i = 0; i <= HTTP_ANSWER_MAX / BIG + 1; i++)
        if (write(fd, big, BIG) < 0)
            return;
}

Test(http, an_answer_has_its_limit)
{
    struct http_request q = {.url = address(server_start(endless), "/")};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_LIMIT, "%s", err.text);
}

static void ten_bytes(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "200 OK", "", "0123456789", 10);
}

Test(http, a_request_may_name_the_limit_of_its_answer)
{
    struct http_request q = {.url = address(server_start(ten_bytes), "/"), .answer_max = 10};
    CLEANUP(http_answer_deinit) struct http_answer a = {0}, b = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(a.body.ptr, "0123456789");
    q.answer_max = 9;
    cr_assert_eq(http_do(client, &q, &b, &err), ERR_LIMIT, "%s", err.text);
}

struct head {
    bool over;
    char text[20];
    struct err err;
};

static void on_head(void *ctx, struct http_answer *a, const struct err *err)
{
    struct head *h = ctx;

    h->over = true;
    h->err = *err;
    snprintf(h->text, sizeof h->text, "%s", a->body.ptr);
}

Test(http, of_an_answer_that_is_too_large_the_beginning_is_had_where_that_is_wanted)
{
    struct http_request q = {
        .url = address(server_start(ten_bytes), "/"), .answer_max = 6, .keeps_head = true};
    struct head head = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_start(client, &q, on_head, &head, NULL, &err), ERR_OK, "%s", err.text);
    while (!head.over)
        cr_assert_eq(loop_turn(loop, CLOCK_NEVER, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(head.err.code, ERR_LIMIT, "%s", head.err.text);
    cr_assert_str_eq(head.text, "012345");
}

/* ---- headers ---- */

static void endless_headers(int fd, const struct server_request *q)
{
    static const char line[] = "X-More: 0123456789012345678901234567890123456789\r\n";

    (void)q;
    if (write(fd, "HTTP/1.1 200 OK\r\n", 17) == 17)
        while (write(fd, line, sizeof line - 1) > 0)
            ;
}

static void endless_patience(int fd, const struct server_request *q)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

    (void)q;
    while (write(fd, line, sizeof line - 1) > 0)
        ;
}

/* libcurl before 8.3 keeps all of them, for as long as they come. */
Test(http, headers_have_their_limit)
{
    server_fn *const servers[] = {endless_headers, endless_patience};

    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        struct http_request q = {.url = address(server_start(servers[i]), "/"), .total_ms = 20000};
        CLEANUP(http_answer_deinit) struct http_answer a = {0};
        struct err err = ERR_INIT;

        cr_assert_eq(http_do(client, &q, &a, &err), ERR_LIMIT, "%zu: %s", i, err.text);
        cr_assert(strstr(err.text, "headers"), "%s", err.text);
        server_stop();
    }
}

/* ---- redirects ---- */

static void elsewhere(int fd, const struct server_request *q)
{
    if (strstr(q->head, "GET /there"))
        server_answer(fd, "200 OK", "", "here", 4);
    else if (strstr(q->head, "GET /file"))
        server_answer(fd, "302 Found", "Location: file:///etc/passwd\r\n", "", 0);
    else
        server_answer(fd, "302 Found", "Location: /there\r\n", "no", 2);
}

Test(http, redirects_are_followed_where_that_is_wanted_and_only_to_http)
{
    const char *base = server_start(elsewhere);
    struct http_request q = {.url = address(base, "/"), .follow = true};
    struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(a.body.ptr, "here");
    http_answer_deinit(&a);
    q.follow = false;
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 302);
    http_answer_deinit(&a);
    q = (struct http_request){.url = address(base, "/file"), .follow = true};
    cr_assert_lt(http_do(client, &q, &a, &err), ERR_OK);
}

/* Each address sends on to the next one, with its status, and over to the server's other name. */
static void moving(int fd, const struct server_request *q)
{
    static const char *const statuses[] = {"301 Moved", "302 Found", "303 See Other",
                                           "307 Temporary", "308 Permanent"};
    const char *path = strchr(q->head, '/'), *host = strstr(q->head, "Host: ");
    const char *port = host ? strchr(host + 6, ':') : NULL;
    char to[200];

    if (!port || path[1] == 'a') {
        mirror(fd, q);
    } else if (path[1] == 'b') { /* further, but not at once */
        server_answer(fd, q->nth == 1 ? "503 Later" : "200 OK", "", "", 0);
    } else if (path[1] == 'c') {
        server_answer(fd, "307 Away", "Location: /b\r\n", "", 0);
    } else if (path[1] == 'd') {
        server_answer(fd, "302 Found", "Location: c\r\n", "twice", 5);
    } else if (path[1] == 'e') {
        server_answer(fd, "302 Found", "Location: file:///etc/passwd\r\n", "", 0);
    } else if (path[1] == 'f') {
        server_answer(fd, "302 Found", "", "", 0);
    } else {
        snprintf(to, sizeof to, "Location: http://localhost%.*s/a\r\n", (int)strcspn(port, "\r\n"),
                 port);
        server_answer(fd, statuses[path[1] - '0'], to, "go", 2);
    }
}

Test(http, one_redirect_is_followed_with_all_that_was_sent_where_that_is_wanted)
{
    static const char *const methods[] = {"POST", "PATCH", "PUT"};
    const char *const headers[] = {"Authorization: Bearer t", "X-Mine: 1", NULL};
    const char *base = server_start(moving);
    struct err err = ERR_INIT;
    char path[] = "/0", line[40];

    for (int i = 0; i < 15; i++) {
        CLEANUP(http_answer_deinit) struct http_answer a = {0};

        path[1] = (char)('0' + i / 3);
        struct http_request q = {.method = methods[i % 3],
                                 .url = address(base, path),
                                 .headers = headers,
                                 .body = SLICE("content"),
                                 .follow_once = true};
        cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
        cr_assert_eq(a.status, 201, "%s %s: %d", q.method, path, a.status);
        snprintf(line, sizeof line, "%s /a HTTP/1.1\r\n", q.method);
        cr_expect(strstr(a.body.ptr, line), "%s: %s", line, a.body.ptr);
        cr_expect(strstr(a.body.ptr, "\r\nHost: localhost:"), "%s", a.body.ptr);
        cr_expect(strstr(a.body.ptr, "\r\nAuthorization: Bearer t\r\n"), "%s", a.body.ptr);
        cr_expect(strstr(a.body.ptr, "\r\nX-Mine: 1\r\n"), "%s", a.body.ptr);
        cr_expect(strstr(a.body.ptr, "|content"), "%s", a.body.ptr);
    }
    cr_assert_eq(server_count(), 30);
}

Test(http, a_redirect_that_is_not_followed_is_the_answer)
{
    static const struct {
        const char *path;
        int status, requests;
    } rows[] = {{"/d", 307, 2}, {"/e", 302, 1}, {"/f", 302, 1}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(http_answer_deinit) struct http_answer a = {0};
        struct http_request q = {.url = address(server_start(moving), rows[i].path),
                                 .follow_once = true};
        struct err err = ERR_INIT;

        cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s: %s", rows[i].path, err.text);
        cr_expect_eq(a.status, rows[i].status, "%s: %d", rows[i].path, a.status);
        cr_expect_eq(server_count(), rows[i].requests, "%s: %d", rows[i].path, server_count());
        server_stop();
    }
}

Test(http, after_a_redirect_the_next_try_begins_where_the_first_did)
{
    struct http_request q = {
        .url = address(server_start(moving), "/c"), .tries = 2, .follow_once = true};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(a.status, 200);
    cr_assert_eq(server_count(), 4);
}

static bool only_by_number(void *ctx, const char *host, const char *port)
{
    (void)ctx;
    (void)port;
    return strcmp(host, "127.0.0.1") == 0;
}

Test(http, one_redirect_leads_to_no_host_that_may_not_be_asked)
{
    struct http_request q = {
        .url = address(server_start(moving), "/0"), .follow_once = true, .allows = only_by_number};
    CLEANUP(http_answer_deinit) struct http_answer a = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(http_do(client, &q, &a, &err), ERR_DENIED, "%s", err.text);
    cr_assert_eq(server_count(), 1);
}

/* ---- proxies ---- */

Test(http, a_proxy_is_asked_unless_the_host_is_excepted)
{
    const char *base = server_start(mirror);
    struct http_spec spec = {.http_proxy = base};
    struct http_request q = {.url = "http://example.test/x"};
    struct http_answer a = {0};
    struct err err = ERR_INIT;

    http_free(client);
    open_client(&spec);
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert(strstr(a.body.ptr, "GET http://example.test/x HTTP/1.1"), "%s", a.body.ptr);
    http_answer_deinit(&a);
    http_free(client);
    spec =
        (struct http_spec){.http_proxy = "http://127.0.0.1:1", .no_proxy = "example.org,127.0.0.1"};
    open_client(&spec);
    q.url = address(base, "/y");
    cr_assert_eq(http_do(client, &q, &a, &err), ERR_OK, "%s", err.text);
    cr_assert(strstr(a.body.ptr, "GET /y HTTP/1.1"), "%s", a.body.ptr);
    http_answer_deinit(&a);
}

/* ---- several at a time ---- */

static int n_done;

static void on_done(void *ctx, struct http_answer *a, const struct err *err)
{
    cr_assert_null(err);
    cr_assert_eq(a->status, 201);
    cr_assert(strstr(a->body.ptr, ctx), "%s", a->body.ptr);
    n_done++;
}

Test(http, requests_go_on_side_by_side)
{
    static char paths[20][32];
    const char *base = server_start(mirror);
    struct http_call *dropped = NULL;
    struct err err = ERR_INIT;

    for (int i = 0; i < 20; i++) {
        snprintf(paths[i], sizeof paths[i], "/number-%d ", i);
        struct http_request q = {0};
        char at[200];

        snprintf(at, sizeof at, "%s/number-%d", base, i);
        q.url = at;
        cr_assert_eq(http_start(client, &q, on_done, paths[i], i == 7 ? &dropped : NULL, &err),
                     ERR_OK);
    }
    cr_assert_null(http_call_free(dropped));
    for (int64_t until = clock_ms() + 20000; n_done < 19 && clock_ms() < until;)
        cr_assert_eq(loop_turn(loop, until, &err), ERR_OK);
    cr_assert_eq(n_done, 19);
}
