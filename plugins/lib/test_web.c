#include "web.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"
#include "kit/server.h"

static ost_status phase(struct ost_step *step);

static const struct ost_plugin plugin = {.struct_size = sizeof plugin,
                                         .id = "test/web",
                                         .version = "1.0.0",
                                         .needs = OST_NEED_NETWORK,
                                         .main = phase};

static struct ost_test *host;
static struct ost_step *step;
static struct web *web;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&plugin);
    step = ost_test_step(host);
    web = web_new(&(struct web_spec){.step = step, .backoff_ms = 20});
}

static void leave(void)
{
    web_free(web);
    ost_test_free(host);
    server_stop();
    scratch_leave();
}

TestSuite(web, .init = enter, .fini = leave);

static struct web_answer ask(const struct web_request *q, ost_status wanted)
{
    struct web_answer a;
    ost_status r = web_do(web, q, &a);

    cr_assert_eq(r, wanted, "wanted %d, got %d: %s", wanted, r, a.why ? a.why : "an answer");
    cr_assert_eq(web_busy(web), 0);
    return a;
}

static void expect_has(struct span text, const char *part)
{
    cr_expect_neq(span_find(text, part), SIZE_MAX, "wanted '%s' in:\n%.*s", part, (int)text.size,
                  text.at);
}

static void expect_lacks(struct span text, const char *part)
{
    cr_expect_eq(span_find(text, part), SIZE_MAX, "'%s' is in:\n%.*s", part, (int)text.size,
                 text.at);
}

/* Answers with what it was asked. */
static void mirror(int fd, const struct server_request *q)
{
    static char text[200000];
    int n = snprintf(text, sizeof text, "%s|%.*s", q->head, (int)q->body_size, q->body);

    server_answer(fd, "201 Made", "X-One: first\r\nx-one:  second \r\n", text, (size_t)n);
}

Test(web, sends_what_it_is_told_and_takes_no_proxy_from_its_own_environment)
{
    const char *const headers[] = {"Authorization: Bearer t", "X-Mine: 1", NULL};
    struct web_answer a;

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    a = ask(&(struct web_request){.method = "POST",
                                  .url = ost_fmt(step, "%s/a?b=c", server_start(mirror)),
                                  .headers = headers,
                                  .body = "content",
                                  .body_size = 7},
            OST_OK);
    cr_expect_eq(a.status, 201);
    expect_has(a.body, "POST /a?b=c HTTP/1.1\r\n");
    expect_has(a.body, "\r\nAuthorization: Bearer t\r\n");
    expect_has(a.body, "\r\nUser-Agent: ostler\r\n");
    expect_has(a.body, "\r\nContent-Length: 7");
    expect_has(a.body, "|content");
    cr_expect(span_is(web_header(&a, "X-ONE"), "second"));
    cr_expect_eq(web_header(&a, "X-Two").size, 0);
}

Test(web, sends_a_piece_of_a_file)
{
    struct web_request q = {.method = "PUT", .body_at = 3, .body_size = 4};

    scratch_file("f", "0123456789");
    q.body_fd = open("f", O_RDONLY | O_CLOEXEC);
    q.url = server_start(mirror);
    expect_has(ask(&q, OST_OK).body, "|3456");
    q.body_at = 9;
    expect_has(span_of(ask(&q, OST_E_IO).why), "what is to be sent cannot be read");
    close(q.body_fd);
}

static void echo_chunks(int fd, const struct server_request *q)
{
    /* The server reads no chunks; that there are some is in the head. */
    server_answer(fd, "202 Accepted", "", q->head, strlen(q->head));
}

Test(web, sends_a_body_without_its_size_in_front)
{
    struct web_answer a = ask(&(struct web_request){.method = "PATCH",
                                                    .url = server_start(echo_chunks),
                                                    .body = "12345",
                                                    .body_size = 5,
                                                    .flags = WEB_CHUNKED},
                              OST_OK);

    expect_has(a.body, "Transfer-Encoding: chunked");
    expect_lacks(a.body, "Content-Length");
}

static void busy_then_cut(int fd, const struct server_request *q)
{
    if (q->nth == 0)
        server_answer(fd, "503 Busy", "Retry-After: 0\r\n", "later", 5);
    else if (q->nth == 1)
        server_cut_off(fd, "200 OK", "", "abcdefgh", 8, 3);
    else
        server_answer(fd, "200 OK", "", "xyz", 3);
}

Test(web, tries_again_and_writes_a_file_anew)
{
    char text[16];
    struct web_request q = {.url = server_start(busy_then_cut)};
    struct web_answer a;

    q.to_fd = open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    a = ask(&q, OST_OK);
    cr_expect_eq(a.tries, 3);
    cr_expect_eq(a.body.size, 0);
    cr_assert_eq(pread(q.to_fd, text, sizeof text, 0), 3);
    cr_expect_eq(memcmp(text, "xyz", 3), 0);
    close(q.to_fd);
    ost_test_said(host,
                  "info: 127.0.0.1:*: the server answered 503; trying again in 0.0 s (try 2 of 5)");
}

static void always_busy(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "429 Slow down", "", "no", 2);
}

Test(web, gives_the_last_answer_when_trying_does_not_help)
{
    struct web_request q = {.url = server_start(always_busy), .tries = 3};

    cr_expect_eq(ask(&q, OST_OK).status, 429);
    cr_expect_eq(server_count(), 3);
    q.flags = WEB_ONCE;
    expect_has(ask(&q, OST_OK).body, "no");
    cr_expect_eq(server_count(), 4);
}

static void come_back_tomorrow(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "429 Slow down", "Retry-After: 86400\r\n", "", 0);
}

Test(web, does_not_wait_for_tomorrow)
{
    cr_expect_eq(ask(&(struct web_request){.url = server_start(come_back_tomorrow)}, OST_OK).status,
                 429);
    cr_expect_eq(server_count(), 1);
}

static void at_a_date(int fd, const struct server_request *q)
{
    if (q->nth == 0)
        server_answer(fd, "503 Busy", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "", 0);
    else
        server_answer(fd, "204 Done", "", "", 0);
}

Test(web, knows_dates_in_retry_after)
{
    cr_expect_eq(ask(&(struct web_request){.url = server_start(at_a_date)}, OST_OK).status, 204);
}

/* ---- redirects ---- */

static void elsewhere(int fd, const struct server_request *q)
{
    char location[200];
    const char *port = strstr(q->head, "Host: 127.0.0.1:");

    if (strstr(q->head, " /same ")) {
        server_answer(fd, "307 Over there", "Location: ../here?x=1\r\n", "", 0);
    } else if (strstr(q->head, " /other ")) {
        snprintf(location, sizeof location, "Location: http://localhost:%.*s/here\r\n",
                 (int)strcspn(port + 16, "\r\n"), port + 16);
        server_answer(fd, "307 Over there", location, "", 0);
    } else if (strstr(q->head, " /loop ")) {
        server_answer(fd, "302 Round", "Location: /loop\r\n", "", 0);
    } else {
        mirror(fd, q);
    }
}

Test(web, follows_a_redirect_and_leaves_secrets_behind)
{
    const char *const headers[] = {"Authorization: Bearer t", "PRIVATE-TOKEN: t2", "Accept: x/y",
                                   NULL};
    const char *address = server_start(elsewhere);
    struct web_request q = {.headers = headers, .flags = WEB_FOLLOW};
    struct web_answer a;

    q.url = ost_fmt(step, "%s/same", address);
    a = ask(&q, OST_OK);
    expect_has(a.body, "GET /here?x=1 ");
    expect_has(a.body, "Bearer t");
    cr_expect_str_eq(a.url, ost_fmt(step, "%s/here?x=1", address));

    q.url = ost_fmt(step, "%s/other", address);
    a = ask(&q, OST_OK);
    expect_has(a.body, "GET /here ");
    expect_has(a.body, "Accept: x/y");
    expect_lacks(a.body, "Bearer t");
    expect_lacks(a.body, "t2");

    q.method = "PUT"; /* 307 keeps the method and the body */
    q.body = "content";
    q.body_size = 7;
    a = ask(&q, OST_OK);
    expect_has(a.body, "PUT /here ");
    expect_has(a.body, "|content");

    q.url = ost_fmt(step, "%s/loop", address);
    cr_expect_eq(ask(&q, OST_OK).status, 302, "a 302 is not followed with a body");
    q = (struct web_request){.url = q.url, .flags = WEB_FOLLOW};
    cr_expect_eq(ask(&q, OST_OK).status, 302, "nor for ever");
    q.flags = 0;
    a = ask(&q, OST_OK);
    cr_expect_str_eq(web_resolve(step, &a, web_header(&a, "Location")),
                     ost_fmt(step, "%s/loop", address));
    cr_expect_null(web_resolve(step, &a, SPAN("file:///etc/passwd")));
}

/* ---- proxies ---- */

Test(web, goes_through_the_proxy_of_the_jobs_environment)
{
    const char *address = server_start(mirror);
    const char *const env[] = {ost_fmt(step, "HTTP_PROXY=%s", address), "no_proxy=near.test",
                               "http_proxy=", NULL};
    struct web *own = web_new(&(struct web_spec){.step = step, .env = env, .backoff_ms = 1});
    struct web_answer a;

    web_do(own, &(struct web_request){.url = "http://far.test/x"}, &a);
    expect_has(a.body, "GET http://far.test/x HTTP/1.1\r\n");
    web_do(own, &(struct web_request){.url = "http://near.test/x", .tries = 2}, &a);
    cr_expect_eq(a.error, OST_E_IO);
    expect_has(span_of(a.why), "near.test: Could not resolve host");
    web_free(own);
}

/* ---- many at once ---- */

enum { MANY = 40 };
static int n_done;

static void count_done(void *ctx, const struct web_answer *a)
{
    cr_expect_eq(a->error, OST_OK, "%s", a->why);
    n_done++;
    (*(int *)ctx)--;
}

Test(web, does_many_at_once)
{
    int left = MANY;
    struct web_request q = {.url = server_start(mirror), .ctx = &left};

    for (int i = 0; i < MANY; i++)
        web_start(web, &q, count_done);
    cr_expect_eq(web_busy(web), MANY);
    web_drop(web_start(web, &q, count_done));
    while (left)
        web_turn(web, -1, -1);
    cr_expect_eq(n_done, MANY);
    cr_expect_eq(web_busy(web), 0);
}

static void never(int fd, const struct server_request *q)
{
    (void)fd;
    (void)q;
    if (strstr(q->head, " /end "))
        mirror(fd, q);
    else
        sleep(60);
}

Test(web, has_a_time_limit)
{
    struct web_answer a =
        ask(&(struct web_request){.url = server_start(never), .total_ms = 100, .tries = 2},
            OST_E_TIMEOUT);

    cr_expect_eq(a.tries, 2);
    cr_expect_eq(a.status, 0);
}

Test(web, wakes_up_for_a_descriptor)
{
    struct web_request q = {.url = server_start(never)};
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    web_start(web, &q, count_done);
    web_turn(web, -1, ends[0]); /* or the test would hang */
    cr_expect_eq(web_busy(web), 1);
    close(ends[0]);
    close(ends[1]);
}

/* ---- cancel ---- */

static const char *server;
static struct web_answer first, last;

/* The second call of a service cancels, and that is the log of a try that failed. */
static ost_status phase(struct ost_step *s)
{
    struct web *own = web_new(&(struct web_spec){.step = s, .backoff_ms = 60000});

    web_do(own, &(struct web_request){.url = ost_fmt(s, "%s/", server), .total_ms = 100}, &first);
    web_do(own, &(struct web_request){.url = ost_fmt(s, "%s/end", server), .flags = WEB_ANYWAY},
           &last);
    web_free(own);
    return first.error;
}

Test(web, ends_at_a_cancel_but_for_what_tidies_up)
{
    bool struck = false;

    server = server_start(never);
    for (int nth = 1; nth < 20 && first.error != OST_E_CANCELLED; nth++) {
        ost_test_cancel(host, nth);
        cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_CANCELLED);
        struck = ost_test_struck(host);
        cr_expect_eq(last.error, OST_OK, "%s", last.why);
        cr_expect_eq(last.status, 201);
    }
    cr_expect(struck);
}

/* ---- what it does not take ---- */

Test(web, takes_no_address_or_header_that_is_none)
{
    static const char *const bad[] = {"",           "ftp://x/",         "file:///etc/passwd",
                                      "http://",    "http:///x",        "http://x/ y",
                                      "http://x\n", "HTTP://x/\r\nA: b"};
    const char *const broken[] = {"A: b\r\nC: d", NULL};
    struct web_request q = {0};

    for (size_t i = 0; i < OST_COUNT(bad); i++) {
        q.url = bad[i];
        ask(&q, OST_E_INVALID);
    }
    q.url = "http://127.0.0.1:1/";
    q.headers = broken;
    ask(&q, OST_E_INVALID);
    q.headers = NULL;
    q.method = "GET / HTTP/1.1\r\n";
    ask(&q, OST_E_INVALID);
}

Test(web, tells_why_there_is_no_answer)
{
    struct web_answer a =
        ask(&(struct web_request){.url = "http://127.0.0.1:1/?secret=1", .tries = 2}, OST_E_IO);

    expect_has(span_of(a.why), "127.0.0.1:1: ");
    expect_lacks(span_of(a.why), "secret");
    expect_lacks(span_of(ost_test_log(host)), "secret");
}

Test(web, masks_what_it_makes_of_credentials)
{
    static const struct {
        const char *user, *password, *header;
    } rows[] = {
        {"Aladdin", "open sesame", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"a", "b", "Authorization: Basic YTpi"},
        {"a", "bc", "Authorization: Basic YTpiYw=="},
        {"a", "b\xc3\xa9", "Authorization: Basic YTpiw6k="},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        const char *header = "";

        cr_assert_eq(web_basic(step, rows[i].user, rows[i].password, &header), OST_OK);
        cr_expect_str_eq(header, rows[i].header);
        cr_expect_str_eq(ost_test_masked(host, i),
                         rows[i].header + strlen("Authorization: Basic "));
    }
}
