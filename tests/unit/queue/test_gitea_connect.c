#include "queue/gitea/connect.h"

#include "base/arena.h"

#include "web.h"

TestSuite(gitea_connect, .init = web_enter, .fini = web_leave);

/* ---- what answers mean ---- */

static const struct {
    int status;
    const char *body;
    enum connect_code code;
    bool said;
    const char *text;
} faults[] = {
    {500,
     "{\"code\":\"unknown\",\"message\":\"rpc error: code = Unauthenticated desc = unregistered "
     "runner\"}",
     CONNECT_UNAUTHENTICATED, true, "unregistered runner"},
    {401, "{\"code\":\"unauthenticated\",\"message\":\"unregistered runner\"}",
     CONNECT_UNAUTHENTICATED, true, "unregistered runner"},
    {401, "<html>who are you</html>", CONNECT_UNAUTHENTICATED, false,
     "HTTP status 401 with a web page"},
    {409,
     "{\"code\":\"already_exists\",\"message\":\"rpc error: code = AlreadyExists desc = log file "
     "has been archived\"}",
     CONNECT_ALREADY_EXISTS, true, "log file has been archived"},
    {500, "{\"code\":\"internal\",\"message\":\"rpc error: code = NotFound desc = gone\"}",
     CONNECT_INTERNAL, true, "gone"},
    {500, "{\"code\":\"unknown\",\"message\":\"runner registration token not found\"}",
     CONNECT_UNKNOWN, true, "runner registration token not found"},
    {500, "{\"code\":\"unknown\",\"message\":\"rpc error: code = Nonsense desc = x\"}",
     CONNECT_UNKNOWN, true, "rpc error: code = Nonsense desc = x"},
    {404, "404 page not found", CONNECT_UNIMPLEMENTED, false, "HTTP status 404 with another text"},
    {413, "", CONNECT_RESOURCE_EXHAUSTED, false, "HTTP status 413 with nothing"},
    {429, "", CONNECT_UNAVAILABLE, false, "HTTP status 429 with nothing"},
    {503, "<html>", CONNECT_UNAVAILABLE, false, "HTTP status 503 with a web page"},
    {500, "", CONNECT_UNKNOWN, false, "HTTP status 500 with nothing"},
    {500, "{\"code\":7}", CONNECT_UNKNOWN, false, "HTTP status 500 with another text"},
    {400, "{\"code\":\"invalid_argument\"}", CONNECT_INVALID_ARGUMENT, true, "invalid_argument"},
    {200, "<html>", CONNECT_UNAVAILABLE, false, "the answer is a web page where JSON should be"},
    {200, "[]", CONNECT_UNAVAILABLE, false, "the answer is another text where JSON should be"},
    {500, "{\"code\":\"internal\",\"message\":\"two\\nlines\\u0000\"}", CONNECT_INTERNAL, true,
     "two lines "},
};

Test(gitea_connect, finds_the_same_fault_whichever_server_states_it)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct connect_fault f;
        json_t *json = NULL;

        cr_assert_not(connect_read(faults[i].status, slice_of(faults[i].body), &json, &f));
        cr_expect_eq(f.code, faults[i].code, "row %zu: %s", i, connect_code_name(f.code));
        cr_expect_eq(f.said, faults[i].said, "row %zu", i);
        cr_expect_eq(f.status, faults[i].status, "row %zu", i);
        cr_expect_str_eq(f.text, faults[i].text, "row %zu: %s", i, f.text);
        cr_expect_eq(connect_is_unregistered(&f),
                     faults[i].said && faults[i].code == CONNECT_UNAUTHENTICATED);
    }
}

Test(gitea_connect, reads_documents_that_hold_what_webhooks_hold)
{
    struct err err = ERR_INIT;
    json_t *json;

    cr_assert_eq(connect_json(SLICE("{\"a\":\"x\\u0000y\",\"n\":1}"), &json, &err), ERR_OK);
    cr_expect_eq(json_string_length(json_object_get(json, "a")), 3);
    cr_expect(json_is_integer(json_object_get(json, "n")));
    json_decref(json);
    cr_assert_eq(connect_json(SLICE("{\"a\":10000000000000000000,\"b\":1e21}"), &json, &err),
                 ERR_OK);
    cr_expect_eq(json_real_value(json_object_get(json, "a")), 1e19);
    json_decref(json);
    cr_assert_eq(connect_json(SLICE("{\"a\":1} {}"), &json, &err), ERR_INVALID);
    cr_assert_eq(connect_json(SLICE(""), &json, &err), ERR_INVALID);
}

Test(gitea_connect, reads_whole_numbers_in_every_form_without_losing_a_digit)
{
    static const struct {
        const char *json;
        int code;
        int64_t value;
    } rows[] = {
        {"{\"n\":\"9007199254740993\"}", ERR_OK, 9007199254740993},
        {"{\"n\":7}", ERR_OK, 7},
        {"{\"n\":5.0}", ERR_OK, 5},
        {"{}", ERR_OK, 0},
        {"{\"n\":null}", ERR_OK, 0},
        {"{\"n\":5.5}", ERR_INVALID, 0},
        {"{\"n\":\"\"}", ERR_INVALID, 0},
        {"{\"n\":\"1x\"}", ERR_INVALID, 0},
        {"{\"n\":true}", ERR_INVALID, 0},
        {"{\"n\":\"9223372036854775808\"}", ERR_INVALID, 0},
        {"{\"n\":1e30}", ERR_INVALID, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        int64_t n = -1;
        json_t *json;

        cr_assert_eq(connect_json(slice_of(rows[i].json), &json, &err), ERR_OK);
        cr_expect_eq(connect_int(json, "n", &n, &err), rows[i].code, "%s", rows[i].json);
        cr_expect(rows[i].code != ERR_OK || n == rows[i].value, "%s: %ld", rows[i].json, (long)n);
        json_decref(json);
    }
}

/* ---- calls ---- */

static void mirror(int fd, const struct server_request *q)
{
    json_t *o = json_pack("{s:s, s:s%}", "head", q->head, "body", q->body, q->body_size);
    char *text = json_dumps(o, 0);

    server_answer(fd, "200 OK", "Content-Type: application/json\r\n", text, strlen(text));
}

static char *heard, *sent;

static void hear(void *ctx, json_t *answer, const struct connect_fault *fault,
                 const struct http_answer *raw)
{
    cr_assert_null(fault);
    cr_assert_eq(raw->status, 200);
    heard = mem_dup(json_string_value(json_object_get(answer, "head")),
                    json_string_length(json_object_get(answer, "head")));
    sent = mem_dup(json_string_value(json_object_get(answer, "body")),
                   json_string_length(json_object_get(answer, "body")));
    loop_quit(ctx);
}

Test(gitea_connect, sends_what_the_server_wants_to_see)
{
    struct connect c = {.http = client, .loop = loop, .uuid = "u-1", .token = "t-1"};
    struct err err = ERR_INIT;

    c.address = server_start(mirror);
    (void)connect_start(&c, "FetchTask", json_pack("{s:o}", "tasksVersion", connect_int_new(0)),
                        "k-1", hear, loop);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_expect(slice_starts(slice_of(heard),
                           SLICE("POST /api/actions/runner.v1.RunnerService/FetchTask HTTP/1.1")),
              "%s", heard);
    cr_expect(strstr(heard, "Content-Type: application/json\r\n"));
    cr_expect(strstr(heard, "x-runner-uuid: u-1\r\n"));
    cr_expect(strstr(heard, "x-runner-token: t-1\r\n"));
    cr_expect(strstr(heard, "x-runner-request-key: k-1"));
    cr_expect_str_eq(sent, "{\"tasksVersion\":\"0\"}");
    cr_expect_eq(c.calls, 1);
    cr_expect_gt(c.contact_ms, 0);
    free(heard);
    free(sent);
}

static int faults_told;

static void count_fault(void *ctx, json_t *answer, const struct connect_fault *fault,
                        const struct http_answer *raw)
{
    cr_assert_null(answer);
    cr_assert_null(raw);
    cr_expect_eq(fault->code, CONNECT_UNAVAILABLE);
    cr_expect_eq(fault->status, 0);
    faults_told++;
    loop_quit(ctx);
}

Test(gitea_connect, tells_of_a_server_that_is_not_there_from_the_loop)
{
    static const char *const addresses[] = {"http://127.0.0.1:1", "nonsense"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct connect c = {.http = client, .loop = loop, .address = addresses[i]};

        (void)connect_start(&c, "Ping", json_object(), NULL, count_fault, loop);
        cr_assert_eq(faults_told, (int)i);
        cr_assert_eq(loop_run(loop, &err), ERR_OK);
        cr_expect_eq(c.failures, 1);
    }
    cr_expect_eq(faults_told, 2);
}

Test(gitea_connect, ends_a_call_without_a_word)
{
    struct connect c = {.http = client, .loop = loop, .address = "http://127.0.0.1:1"};
    struct err err = ERR_INIT;

    cr_assert_null(
        connect_call_free(connect_start(&c, "Ping", json_object(), NULL, count_fault, loop)));
    cr_assert_eq(loop_turn(loop, 0, &err), ERR_OK);
    cr_expect_eq(faults_told, 0);
}
