#include "queue/github/report/feed.h"

#include "base/clock.h"
#include "base/fd.h"
#include "kit/scratch.h"
#include "kit/server.h"
#include "kit/websocket.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop *loop;
static struct http *http;
static struct feed *feed;
static bool busy;
static json_t *posted; /* array of messages */
static int progress;

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&(struct http_spec){0}, loop, &http, &err), ERR_OK, "%s", err.text);
    posted = json_array();
}

static void leave(void)
{
    feed = feed_free(feed);
    http_free(http);
    loop_free(loop);
    json_decref(posted);
    server_stop();
    scratch_leave();
}

TestSuite(github_feed, .init = enter, .fini = leave, .timeout = 60);

static bool can_post(void *ctx)
{
    (void)ctx;
    return !busy;
}

static void post(void *ctx, json_t *message)
{
    (void)ctx;
    json_array_append_new(posted, message);
}

static void on_progress(void *ctx)
{
    (void)ctx;
    progress++;
}

static void open_feed(const char *url, bool with_post)
{
    feed = feed_new(&(struct feed_spec){.http = http,
                                        .loop = loop,
                                        .url = url,
                                        .token = "JOB1",
                                        .can_post = can_post,
                                        .post = with_post ? post : NULL,
                                        .progress = on_progress,
                                        .first_ms = 5,
                                        .later_ms = 5,
                                        .again_ms = 5,
                                        .last_ms = 10000});
}

static void turn(int64_t ms)
{
    struct err err = ERR_INIT;

    cr_assert_eq(loop_turn(loop, clock_ms() + ms, &err), ERR_OK, "%s", err.text);
}

static void finish(void)
{
    feed_finish(feed);
    while (!feed_idle(feed))
        turn(1000);
    cr_assert_geq(progress, 1);
}

static char *content(const char *name)
{
    struct buf text = BUF_INIT(64 << 20);
    struct err err = ERR_INIT;
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        cr_assert_eq(fd_read_all(fd, &text, &err), ERR_OK, "%s", err.text);
        close(fd);
    }
    return buf_take(&text);
}

/* The server writes in a process of its own, and may be a little behind. */
static void wait_for(const char *wanted)
{
    char *text = content("got");

    for (int i = 0; i < 5000 && !strstr(text, wanted); i++) {
        free(text);
        turn(2);
        text = content("got");
    }
    cr_assert(strstr(text, wanted), "wanted %s\ncame %s", wanted, text);
    free(text);
}

static void serve(int fd, const struct server_request *q)
{
    int head = open("head", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    (void)!write(head, q->head, strlen(q->head));
    close(head);
    websocket_agree(fd, q);
    websocket_listen(fd, "got", 0);
}

/* Hangs up after each message. */
static void serve_one(int fd, const struct server_request *q)
{
    websocket_agree(fd, q);
    websocket_listen(fd, "got", 1);
}

static void refuse(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "503 No", "", "", 0);
}

static void say_nothing(int fd, const struct server_request *q)
{
    websocket_agree(fd, q);
    (void)poll(NULL, 0, 60000);
}

Test(github_feed, lines_go_by_websocket_with_their_step_and_number)
{
    open_feed(server_start(serve), false);
    feed_add(feed, "a", 1, SLICE("one\n\nthree\n"), false);
    feed_add(feed, "b", 7, SLICE("seven\n"), false);
    feed_add(feed, "a", 4, SLICE("four\n"), false);
    finish();
    wait_for(
        "{\"count\":3,\"value\":[\"one\",\"three\",\"four\"],\"stepId\":\"a\",\"startLine\":1}\n"
        "{\"count\":1,\"value\":[\"seven\"],\"stepId\":\"b\",\"startLine\":7}\n<close>\n");
    CLEANUP(free_ptr) char *head = content("head");
    cr_assert(strstr(head, "\r\nAuthorization: Bearer JOB1"), "%s", head);
}

Test(github_feed, long_lines_are_cut_and_broken_ones_mended)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);

    for (int i = 0; i < 1023; i++)
        buf_add_char(&text, 'x');
    buf_add_str(&text, "\xc3\xa4yz\nshort\xff\n");
    open_feed(NULL, true);
    feed_add(feed, "a", 1, buf_slice(&text), false);
    feed_add(feed, "a", 3, SLICE("the rest of a line\nnext\n"), true);
    finish();
    json_t *value = json_object_get(json_array_get(posted, 0), "value");
    cr_assert_eq(json_array_size(value), 3u);
    const char *first = json_string_value(json_array_get(value, 0));
    cr_assert_eq(strlen(first), 1023u + 2 + 3);
    cr_assert_str_eq(first + 1023, "\xc3\xa4...");
    cr_assert_str_eq(json_string_value(json_array_get(value, 1)), "short\xef\xbf\xbd");
    cr_assert_str_eq(json_string_value(json_array_get(value, 2)), "next");
}

static void add_many(const char *id, int n)
{
    for (int i = 1; i <= n; i++) {
        char text[32];

        snprintf(text, sizeof text, "%s %d\n", id, i);
        feed_add(feed, id, i, slice_of(text), false);
    }
}

static const json_t *last_posted(void)
{
    return json_array_get(posted, json_array_size(posted) - 1);
}

Test(github_feed, at_the_end_only_the_last_lines_of_each_step_are_sent)
{
    open_feed(NULL, true);
    busy = true;
    add_many("a", 500);
    add_many("b", 150);
    busy = false;
    finish();
    cr_assert_eq(json_array_size(posted), 4u); /* 100 + 100, 100 + 50 */
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(posted, 0), "startLine")), 301);
    cr_assert_eq(json_integer_value(json_object_get(last_posted(), "startLine")), 101);
    cr_assert_eq(json_integer_value(json_object_get(last_posted(), "count")), 50);
}

Test(github_feed, what_nobody_takes_is_lost_and_holds_nobody_up)
{
    open_feed(NULL, true);
    busy = true;
    add_many("a", 3000);
    while (json_array_size(posted) < 11) {
        turn(1000);
        busy = false;
    }
    cr_assert_eq(json_integer_value(json_object_get(last_posted(), "count")), 24);
    cr_assert_eq(json_integer_value(json_object_get(last_posted(), "startLine")), 1001);
    add_many("b", 1);
    while (json_array_size(posted) < 12)
        turn(1000);
    cr_assert_str_eq(json_string_value(json_object_get(last_posted(), "stepId")), "b");
}

Test(github_feed, a_websocket_that_never_opens_is_tried_three_times)
{
    open_feed(server_start(refuse), false);
    feed_add(feed, "a", 1, SLICE("x\n"), false);
    while (server_count() < 3)
        turn(1000);
    for (int i = 0; i < 20; i++) {
        feed_add(feed, "a", 1, SLICE("x\n"), false);
        turn(20);
    }
    cr_assert_eq(server_count(), 3);
    finish();
}

Test(github_feed, beside_the_timeline_it_is_tried_once)
{
    open_feed(server_start(refuse), true);
    feed_add(feed, "a", 1, SLICE("x\n"), false);
    while (!json_array_size(posted))
        turn(1000);
    cr_assert_eq(server_count(), 1);
    finish();
    cr_assert_eq(json_array_size(posted), 1u);
}

Test(github_feed, an_address_that_is_none_costs_nothing)
{
    open_feed("nonsense", true);
    feed_add(feed, "a", 1, SLICE("x\n"), false);
    finish();
    cr_assert_eq(json_array_size(posted), 1u);
}

Test(github_feed, a_connection_that_is_lost_is_made_again)
{
    open_feed(server_start(serve_one), false);
    feed_add(feed, "a", 1, SLICE("one\n"), false);
    wait_for("one");
    while (server_count() < 2)
        turn(1000);
    feed_add(feed, "a", 2, SLICE("two\n"), false);
    wait_for("two");
}

Test(github_feed, a_server_that_reads_nothing_is_left_behind)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 << 20);

    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "%0999d\n", i);
    open_feed(server_start(say_nothing), false);
    for (int i = 0; i < 300; i++) {
        feed_add(feed, "a", 1, buf_slice(&text), false);
        turn(0);
    }
    feed = feed_free(feed);
}

Test(github_feed, nobody_wakes_when_nothing_is_said)
{
    open_feed(server_start(serve), false);
    feed_add(feed, "a", 1, SLICE("one\n"), false);
    wait_for("one");
    int turns = 0;
    for (int64_t end = clock_ms() + 200; clock_ms() < end; turns++) {
        struct err err = ERR_INIT;

        cr_assert_eq(loop_turn(loop, end, &err), ERR_OK);
    }
    cr_assert_leq(turns, 3);
}
