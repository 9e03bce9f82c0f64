/* Resolving references with the services of GitHub, and fetching what they name, from a server beside. */
#include "store/resolve.h"

#include "base/fd.h"
#include "base/path.h"
#include "io/archive_pack.h"
#include "kit/scratch.h"
#include "kit/server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>

#define SHA "0123456789abcdef0123456789abcdef01234567"

static struct arena arena;
static struct action_ref refs[2];

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(action_ref_parse(&arena, SLICE("Acme/hello@v1"), &refs[0], &err), ERR_OK);
    cr_assert_eq(action_ref_parse(&arena, SLICE("acme/tools/sub@main"), &refs[1], &err), ERR_OK);
}

static void leave(void)
{
    server_stop();
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(resolve, .init = enter, .fini = leave);

static struct resolve_ask ask_of(enum resolve_service service)
{
    return (struct resolve_ask){.service = service,
                                .url = "http://127.0.0.1:9/",
                                .token = "JOB1",
                                .archive_token = "ghs_own",
                                .retry_ms = 1,
                                .refs = refs,
                                .n = 2};
}

/* ---- what is said ---- */

Test(resolve, asks_each_service_in_its_own_words)
{
    static const char *const pins[] = {"acme/hello@v1 sha", NULL};
    struct resolve_ask launch = ask_of(RESOLVE_LAUNCH), legacy = ask_of(RESOLVE_LEGACY);

    launch.pins = legacy.pins = pins;
    CLEANUP(free_ptr) char *one = resolve_body(&launch);
    CLEANUP(free_ptr) char *two = resolve_body(&legacy);
    cr_expect_str_eq(one,
                     "{\"actions\":[{\"action\":\"Acme/hello\",\"version\":\"v1\",\"path\":\"\"},"
                     "{\"action\":\"acme/tools\",\"version\":\"main\",\"path\":\"sub\"}],"
                     "\"actions_dependencies\":[\"acme/hello@v1 sha\"]}");
    cr_expect_str_eq(
        two, "{\"actions\":[{\"nameWithOwner\":\"Acme/hello\",\"ref\":\"v1\",\"path\":\"\"},"
             "{\"nameWithOwner\":\"acme/tools\",\"ref\":\"main\",\"path\":\"sub\"}]}");
}

static const char launch_answer[] =
    "{\"actions\":{\"acme/HELLO@v1\":{\"name\":\"Acme/hello\",\"resolved_name\":\"acme/hello-2\","
    "\"resolved_sha\":\"" SHA "\",\"tar_url\":\"https://codeload.github.com/x\","
    "\"authentication\":{\"token\":\"T\"},\"package_details\":{\"version\":\"1.2.3\","
    "\"manifest_digest\":\"sha256:1\"}},"
    "\"acme/tools@main\":{\"resolved_sha\":\"" SHA "\",\"tar_url\":\"http://h/y\"}}}";

Test(resolve, reads_what_launch_answers)
{
    struct resolve_ask ask = ask_of(RESOLVE_LAUNCH);
    struct resolve_answer answer;
    struct err err = ERR_INIT;

    cr_assert_eq(resolve_read(&ask, 200, slice_of(launch_answer), &arena, &answer, &err), ERR_OK,
                 "%s", err.text);
    cr_assert_eq(answer.n, 2);
    cr_expect_str_eq(answer.list[0].given.repository, "acme/hello-2");
    cr_expect_str_eq(answer.list[0].given.sha, SHA);
    cr_expect_str_eq(answer.list[0].given.url, "https://codeload.github.com/x");
    cr_expect_str_eq(answer.list[0].given.header, "Authorization: Basic eC1hY2Nlc3MtdG9rZW46VA==");
    cr_expect_str_eq(answer.list[0].token, "T");
    cr_expect_str_eq(answer.list[0].version, "1.2.3");
    cr_expect_str_eq(answer.list[0].digest, "sha256:1");
    cr_expect_str_eq(answer.list[1].given.repository, "acme/tools");
    cr_expect_str_eq(answer.list[1].given.header,
                     "Authorization: Basic eC1hY2Nlc3MtdG9rZW46Z2hzX293bg==");
    cr_expect_null(answer.list[1].token);
    cr_expect_null(answer.list[1].version);

    ask.codeload_bearer = true;
    ask.archive_token = "";
    cr_assert_eq(resolve_read(&ask, 200, slice_of(launch_answer), &arena, &answer, &err), ERR_OK);
    cr_expect_str_eq(answer.list[0].given.header, "Authorization: Bearer T");
    cr_expect_null(answer.list[1].given.header);
}

Test(resolve, reads_what_the_tenant_answers)
{
    static const char text[] =
        "{\"actions\":{\"Acme/hello@v1\":{\"resolvedNameWithOwner\":\"Acme/"
        "hello\",\"resolvedSha\":\"" SHA
        "\",\"TarballUrl\":\"https://h/_codeload/x\",\"authentication\":null}}}";
    struct resolve_ask ask = ask_of(RESOLVE_LEGACY);
    struct resolve_answer answer;
    struct err err = ERR_INIT;

    ask.n = 1;
    ask.codeload_bearer = true;
    cr_assert_eq(resolve_read(&ask, 200, slice_of(text), &arena, &answer, &err), ERR_OK, "%s",
                 err.text);
    cr_expect_str_eq(answer.list[0].given.header, "Authorization: Bearer ghs_own");
}

static const struct {
    enum resolve_service service;
    int status;
    const char *body;
    int code;
    const char *why;
} refusals[] = {
    {RESOLVE_LAUNCH, 422,
     "{\"errors\":{\"Acme/hello@v1\":{\"message\":\"no such "
     "version\"},\"acme/tools@main\":{\"message\":"
     "\"not allowed here\"}}}",
     ERR_NOT_FOUND, "no such version. not allowed here"},
    {RESOLVE_LAUNCH, 422, "<html>", ERR_NOT_FOUND, "Unprocessable Entity"},
    {RESOLVE_LAUNCH, 429, "", ERR_FAILED,
     "Too Many Requests (GitHub has reached an internal rate limit, please try again later)"},
    {RESOLVE_LAUNCH, 500, "", ERR_FAILED, "Failed to resolve action download info: HTTP 500"},
    {RESOLVE_LAUNCH, 200, "<html>", ERR_FAILED,
     "Failed to resolve action download info: the answer has no actions"},
    {RESOLVE_LAUNCH, 200, "{\"actions\":{}}", ERR_FAILED,
     "Missing download info for Acme/hello@v1"},
    {RESOLVE_LAUNCH, 200, "{\"actions\":{\"Acme/hello@v1\":{\"tar_url\":\"https://h/\"}}}",
     ERR_INVALID, "the download info for Acme/hello@v1 is no good: an archive of no commit"},
    {RESOLVE_LAUNCH, 200,
     "{\"actions\":{\"Acme/hello@v1\":{\"tar_url\":\"file:///etc\",\"resolved_sha\":\"" SHA "\"}}}",
     ERR_INVALID,
     "the download info for Acme/hello@v1 is no good: an archive without an address of HTTP"},
    {RESOLVE_LAUNCH, 200,
     "{\"actions\":{\"Acme/hello@v1\":{\"tar_url\":\"https://h/\\r\\nX: y\",\"resolved_sha\":\"" SHA
     "\"}}}",
     ERR_INVALID,
     "the download info for Acme/hello@v1 is no good: an archive's address has control characters "
     "in it"},
    {RESOLVE_LAUNCH, 200,
     "{\"actions\":{\"Acme/hello@v1\":{\"tar_url\":\"https://h/\",\"resolved_sha\":\"" SHA
     "\",\"resolved_name\":\"../x\"}}}",
     ERR_INVALID, "the download info for Acme/hello@v1 is no good: '../x@x' names no owner"},
    {RESOLVE_LAUNCH, 200,
     "{\"actions\":{\"Acme/hello@v1\":{\"tar_url\":\"https://h/\",\"resolved_sha\":\"" SHA
     "\",\"resolved_name\":\"a/b/c\"}}}",
     ERR_INVALID, "the download info for Acme/hello@v1 is no good: 'a/b/c' is no repository"},
    {RESOLVE_LEGACY, 404,
     "{\"typeKey\":\"UnresolvableActionDownloadInfoException\",\"message\":\"Unable to resolve "
     "x\"}",
     ERR_NOT_FOUND, "Unable to resolve x"},
    {RESOLVE_LEGACY, 400,
     "{\"typeName\":\"GitHub.X.UnresolvableActionDownloadInfoException, "
     "GitHub\",\"message\":\"No\"}",
     ERR_NOT_FOUND, "No"},
    {RESOLVE_LEGACY, 401, "{\"message\":\"who?\"}", ERR_FAILED,
     "Failed to resolve action download info: HTTP 401, who?"},
};

Test(resolve, says_why_there_is_nothing)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct resolve_ask ask = ask_of(refusals[i].service);
        struct resolve_answer answer;
        struct err err = ERR_INIT;
        int r = resolve_read(&ask, refusals[i].status, slice_of(refusals[i].body), &arena, &answer,
                             &err);

        cr_expect_eq(r, refusals[i].code, "%s", refusals[i].body);
        cr_expect(slice_starts(slice_of(err.text), slice_of(refusals[i].why)),
                  "wanted '%s', got '%s'", refusals[i].why, err.text);
    }
}

Test(resolve, requests_and_answers_survive_the_way_to_another_process)
{
    static const char *const pins[] = {"pin", NULL}, *const env[] = {"http_proxy=x", NULL};
    struct resolve_ask ask = ask_of(RESOLVE_LEGACY), back;
    struct resolve_answer answer, again;
    struct err err = ERR_INIT, told = ERR_INIT;

    ask.pins = pins;
    ask.env = env;
    ask.codeload_bearer = true;
    ask.follow_once = true;
    CLEANUP(free_ptr) char *text = resolve_request_format(&ask);
    cr_assert_eq(resolve_request_parse(slice_of(text), &arena, &back, &err), ERR_OK, "%s",
                 err.text);
    cr_expect_eq(back.service, RESOLVE_LEGACY);
    cr_expect_str_eq(back.url, ask.url);
    cr_expect_str_eq(back.token, "JOB1");
    cr_expect_str_eq(back.archive_token, "ghs_own");
    cr_expect_str_eq(back.pins[0], "pin");
    cr_expect_str_eq(back.env[0], "http_proxy=x");
    cr_expect(back.codeload_bearer && back.follow_once);
    cr_assert_eq(back.n, 2);
    cr_expect_str_eq(back.refs[1].repository, "acme/tools");
    cr_expect_str_eq(back.refs[1].path, "sub");
    cr_expect_str_eq(back.refs[1].ref, "main");

    ask.service = RESOLVE_LAUNCH;
    cr_assert_eq(resolve_read(&ask, 200, slice_of(launch_answer), &arena, &answer, &err), ERR_OK);
    answer.failures = pins;
    CLEANUP(free_ptr) char *said = resolve_answer_format(ERR_OK, &answer, NULL);
    cr_assert_eq(resolve_answer_parse(slice_of(said), &arena, &again, &err), ERR_OK, "%s",
                 err.text);
    cr_assert_eq(again.n, 2);
    cr_expect_str_eq(again.list[0].given.header, answer.list[0].given.header);
    cr_expect_str_eq(again.list[0].version, "1.2.3");
    cr_expect_null(again.list[1].token);
    cr_expect_str_eq(again.failures[0], "pin");

    (void)err_set(&told, ERR_NOT_FOUND, "no \xff");
    CLEANUP(free_ptr) char *why = resolve_answer_format(ERR_NOT_FOUND, NULL, &told);
    cr_expect_eq(resolve_answer_parse(slice_of(why), &arena, &again, &err), ERR_NOT_FOUND);
    cr_expect_str_eq(err.text, "no \xef\xbf\xbd");
    cr_expect_eq(resolve_answer_parse(SLICE("half"), &arena, &again, &err), ERR_INVALID);
    cr_expect_eq(resolve_request_parse(SLICE("{}"), &arena, &back, &err), ERR_INVALID);
}

/* ---- with a server ---- */

static bool has(const struct server_request *q, const char *text)
{
    return strstr(q->head, text) != NULL;
}

/* Fails twice, then answers; a wrong request gets 400 each time. */
static void fails_twice(int connection, const struct server_request *q)
{
    static const char body[] = "{\"actions\":{\"Acme/hello@v1\":{\"resolved_sha\":\"" SHA
                               "\",\"tar_url\":\"http://h/x\"}}}";

    if (!has(q, "POST /resolve HTTP/1.1\r\n") || !has(q, "\r\nAuthorization: Bearer JOB1\r\n") ||
        !has(q, "\r\nAccept: application/json\r\n"))
        server_answer(connection, "400 Bad Request", "", "", 0);
    else if (q->nth == 0)
        server_answer(connection, "503 Busy", "", "", 0);
    else if (q->nth == 1)
        server_answer(connection, "200 OK", "", "<html>", 6);
    else
        server_answer(connection, "200 OK", "", body, sizeof body - 1);
}

Test(resolve, asks_three_times_and_tells_of_it)
{
    struct resolve_ask ask = ask_of(RESOLVE_LAUNCH);
    struct resolve_answer answer;
    struct err err = ERR_INIT;

    ask.n = 1;
    ask.url = arena_printf(&arena, "%s/resolve", server_start(fails_twice));
    cr_assert_eq(resolve(&ask, &arena, &answer, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(server_count(), 3);
    cr_expect(strstr(answer.failures[0], "Error: the server answered 503"), "%s",
              answer.failures[0]);
    cr_expect(strncmp(answer.failures[1], "Retrying in ", 12) == 0);
    cr_expect_not_null(answer.failures[3]);
    cr_expect_null(answer.failures[4]);
}

static void refuses(int connection, const struct server_request *q)
{
    static const char body[] = "{\"errors\":{\"Acme/hello@v1\":{\"message\":\"not here\"}}}";

    (void)q;
    server_answer(connection, "422 Unprocessable", "", body, sizeof body - 1);
}

Test(resolve, takes_a_no_for_an_answer)
{
    struct resolve_ask ask = ask_of(RESOLVE_LAUNCH);
    struct resolve_answer answer;
    struct err err = ERR_INIT;

    ask.url = server_start(refuses);
    cr_assert_eq(resolve(&ask, &arena, &answer, &err), ERR_NOT_FOUND);
    cr_expect_str_eq(err.text, "not here");
    cr_expect_eq(server_count(), 1);
}

static void fails_always(int connection, const struct server_request *q)
{
    (void)q;
    server_answer(connection, "500 Oh", "", "", 0);
}

Test(resolve, gives_up_after_three)
{
    struct resolve_ask ask = ask_of(RESOLVE_LAUNCH);
    struct resolve_answer answer;
    struct err err = ERR_INIT;

    ask.url = server_start(fails_always);
    cr_assert_eq(resolve(&ask, &arena, &answer, &err), ERR_FAILED);
    cr_expect_str_eq(err.text, "Failed to resolve action download info: HTTP 500");
    cr_expect_eq(server_count(), 3);
}

/* ---- archives ---- */

static struct slice tarball;

/* "hello-1/action.yml" in a tar.gz. */
static void make_tarball(void)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(1 << 20);
    CLEANUP(fd_closep) int out = open("hello.tar.gz", O_WRONLY | O_CREAT | O_EXCL, 0600);
    struct pack *pack = NULL;
    struct err err = ERR_INIT;

    scratch_file("hello-1/action.yml", "name: hello\n");
    cr_assert_eq(pack_new(PACK_TAR_GZIP, 6, out, &pack, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(pack_tree(pack, "hello-1", &err), ERR_OK, "%s", err.text);
    cr_assert_eq(pack_finish(pack, &err), ERR_OK, "%s", err.text);
    pack_free(pack);
    cr_assert_eq(path_read(AT_FDCWD, "hello.tar.gz", &got, &err), ERR_OK, "%s", err.text);
    tarball = arena_dup(&arena, buf_slice(&got));
}

static void archives(int connection, const struct server_request *q)
{
    if (has(q, "GET /gone"))
        server_answer(connection, "404 No", "", "", 0);
    else if (has(q, "GET /forbidden"))
        server_answer(connection, "403 No", "", "", 0);
    else if (has(q, "GET /broken") || (has(q, "GET /shaky") && q->nth == 0))
        server_answer(connection, "418 Teapot", "", "", 0);
    else if (!has(q, "\r\nAuthorization: Basic abc"))
        server_answer(connection, "401 Who", "", "", 0);
    else
        server_answer(connection, "200 OK", "", tarball.ptr, tarball.len);
}

static int fetch(const char *path, struct store_entry *ret, struct err *err)
{
    const struct store_given given = {.repository = "acme/Hello-2",
                                      .sha = SHA,
                                      .url = path,
                                      .header = "Authorization: Basic abc"};
    const struct store_spec spec = {.folder = arena_printf(&arena, "%s/store", scratch_path),
                                    .source = "https://github.com",
                                    .retry_ms = 1,
                                    .given = &given,
                                    .git = {.path = getenv("PATH"), .home = scratch_path}};

    return store_get(&spec, &refs[0], &arena, ret, err);
}

Test(resolve, fetches_the_archive_that_was_named)
{
    struct store_entry entry;
    struct err err = ERR_INIT;

    make_tarball();
    const char *url = arena_printf(&arena, "%s/shaky?key=secret", server_start(archives));
    cr_assert_eq(fetch(url, &entry, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(entry.sha, SHA);
    cr_expect(strstr(entry.path, "/acme/hello-2/" SHA), "%s", entry.path);
    cr_expect(strstr(entry.note, "/shaky'. Error: "), "%s", entry.note);
    cr_expect_null(strstr(entry.note, "secret"));
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(4096);
    cr_assert_eq(path_read(AT_FDCWD, arena_printf(&arena, "%s/action.yml", entry.path), &got, &err),
                 ERR_OK, "%s", err.text);
    cr_expect_str_eq(got.ptr, "name: hello\n");
    cr_expect_eq(server_count(), 2);
    cr_assert_eq(fetch(url, &entry, &err), ERR_OK); /* it is here */
    cr_expect_eq(server_count(), 2);
}

Test(resolve, says_why_an_archive_is_not_to_be_had)
{
    static const struct {
        const char *path;
        int code;
        const char *why;
        int requests;
    } rows[] = {
        {"/gone", ERR_NOT_FOUND, "An action could not be found at the URI '", 1},
        {"/forbidden", ERR_DENIED, "Access denied to '", 2},
        {"/broken", ERR_FAILED, "Failed to download archive '", 5},
    };
    const char *server = server_start(archives);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct store_entry entry;
        struct err err = ERR_INIT;

        cr_expect_eq(fetch(arena_printf(&arena, "%s%s", server, rows[i].path), &entry, &err),
                     rows[i].code);
        cr_expect(slice_starts(slice_of(err.text), slice_of(rows[i].why)), "%s", err.text);
        cr_expect(strstr(err.text, rows[i].path), "%s", err.text);
        cr_expect_eq(server_count(), rows[i].requests);
    }
}
