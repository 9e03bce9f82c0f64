#include "queue/github/api/token.h"

#include "base/base64.h"
#include "base/clock.h"
#include "kit/scratch.h"
#include "kit/server.h"
#include "queue/loose.h"
#include "unit/queue/official.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SKEW = 600 };

static struct loop *loop;
static struct http *client;
static struct registration *registration;
static struct github_settings *settings;
static struct github_token *token;
static char notes[1000];

struct told { /* what one waiter was told */
    int times;
    enum github_token_trouble trouble;
    char token[40], why[240];
};

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&(struct http_spec){0}, loop, &client, &err), ERR_OK);
    official_copy("r");
    cr_assert_eq(registration_load("r", &registration, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(github_settings_load(registration, false, &settings, &err), ERR_OK, "%s",
                 err.text);
}

static void leave(void)
{
    github_token_free(token);
    github_settings_free(settings);
    registration_free(registration);
    http_free(client);
    loop_free(loop);
    server_stop();
    scratch_leave();
}

TestSuite(github_token, .init = enter, .fini = leave);

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(notes, sizeof notes, "%s", text);
}

static void serve(server_fn *fn)
{
    static char url[100];

    snprintf(url, sizeof url, "%s/oauth", server_start(fn));
    settings->token_url = url;
    settings->authorization_url = "https://token.example/audience";
    token = github_token_new(settings, client, loop,
                             &(struct github_token_spec){.retry_ms = 10, .note = on_note});
}

static void on_token(void *ctx, const char *text, enum github_token_trouble trouble,
                     const struct err *err)
{
    struct told *t = ctx;

    t->times++;
    t->trouble = trouble;
    snprintf(t->token, sizeof t->token, "%s", text ? text : "");
    snprintf(t->why, sizeof t->why, "%s", err ? err->text : "");
    cr_assert_eq(text == NULL, trouble != GITHUB_TOKEN_FINE);
    cr_assert_eq(err == NULL, trouble == GITHUB_TOKEN_FINE);
}

static void turn_until(const int *what, int n)
{
    struct err err = ERR_INIT;

    for (int64_t end = clock_ms() + 20000; *what < n && clock_ms() < end;)
        cr_assert_eq(loop_turn(loop, end, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(*what, n, "nothing came in 20 s");
}

static struct told get(void)
{
    struct told t = {0};

    github_token_get(token, on_token, &t);
    cr_assert_eq(t.times, 0, "it comes from the loop");
    turn_until(&t.times, 1);
    return t;
}

/* ---- what the service makes of an assertion ---- */

static int64_t clock_ahead; /* of the server's */

static void answer_error(int fd, const char *error, const char *why)
{
    char date[80], text[400];
    time_t now = time(NULL) + clock_ahead;
    struct tm tm;

    strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm));
    int n = snprintf(text, sizeof text, "{\"error\": \"%s\", \"error_description\": \"%s\"}", error,
                     why);
    server_answer(fd, "400 Bad Request", date, text, (size_t)n);
}

static json_t *part(struct slice *rest)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    struct slice one;
    struct err err = ERR_INIT;
    json_t *json = NULL;

    if (!slice_split(rest, '.', &one) || base64_decode(one, &text, &err) < 0 ||
        loose_parse(buf_slice(&text), &json, &err) < 0)
        return NULL;
    return json;
}

/* Why the service would not take it; NULL: it does. Strict, as it is itself (2.2, 2.3). */
static const char *wrong(const struct server_request *q)
{
    static const char begin[] =
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
        "client-assertion-type%3Ajwt-bearer&client_assertion=";
    struct slice body = slice_make(q->body, q->body_size), jwt;
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(RSA_KEY_SIZE);
    struct err err = ERR_INIT;

    if (!slice_starts(slice_of(q->head), SLICE("POST /oauth HTTP/1.1\r\n")) ||
        !strstr(q->head, "Content-Type: application/x-www-form-urlencoded") ||
        !strstr(q->head, "Accept: application/json") || !slice_starts(body, slice_of(begin)))
        return "the request";
    struct slice rest = jwt = slice_from(body, sizeof begin - 1);
    json_t *header = part(&rest), *claims = part(&rest);
    size_t signed_size = (size_t)(rest.ptr - jwt.ptr) - 1;
    json_t *want = json_pack("{s:s, s:s}", "typ", "JWT", "alg", settings->fips ? "PS256" : "RS256");
    if (!json_equal(header, want))
        return "the header";
    if (base64_decode(rest, &signature, &err) < 0 ||
        !rsa_key_verify(settings->key, settings->fips ? RSA_PS256 : RSA_RS256,
                        slice_head(jwt, signed_size), buf_slice(&signature)))
        return "the signature";
    if (json_object_size(claims) != 6 ||
        strcmp(loose_text(claims, "sub"), settings->client_id) != 0 ||
        strcmp(loose_text(claims, "iss"), settings->client_id) != 0 ||
        strcmp(loose_text(claims, "aud"), "https://token.example/audience") != 0 ||
        strlen(loose_text(claims, "jti")) != 36)
        return "the claims";
    int64_t from = loose_int(claims, "nbf", 0), to = loose_int(claims, "exp", 0);
    int64_t now = (int64_t)time(NULL) + clock_ahead;
    if (to - from != 300)
        return "the life time";
    return from > now + 60 || to < now - 60 ? "the time" : NULL;
}

static void answer_token(int fd, const char *text, int life)
{
    char body[200];
    int n = snprintf(body, sizeof body,
                     "{\"access_token\": \"%s\", \"expires_in\": %d, \"token_type\": \"JWT\"}",
                     text, life);

    server_answer(fd, "200 OK", "", body, (size_t)n);
}

static void strict(int fd, const struct server_request *q)
{
    const char *why = wrong(q);
    char name[20];

    snprintf(name, sizeof name, "T%d", q->nth);
    if (why)
        answer_error(fd, "invalid_client", why);
    else
        answer_token(fd, name, 2999);
}

Test(github_token, is_had_with_an_assertion_of_either_kind)
{
    serve(strict);
    struct told t = get();
    cr_assert_eq(t.trouble, GITHUB_TOKEN_FINE, "%s", t.why);
    cr_assert_str_eq(t.token, "T0");
    settings->fips = true;
    token = github_token_free(token);
    server_stop();
    serve(strict);
    t = get();
    cr_assert_str_eq(t.token, "T0", "%s", t.why);
    cr_assert_eq(github_token_offset(token), 0);
}

Test(github_token, is_asked_for_once_and_kept)
{
    struct told all[3] = {0};

    serve(strict);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        github_token_get(token, on_token, &all[i]);
    github_token_forget(token, &all[1]);
    turn_until(&all[0].times, 1);
    turn_until(&all[2].times, 1);
    cr_assert_eq(all[1].times, 0);
    cr_assert_str_eq(get().token, "T0");
    cr_assert_eq(server_count(), 1);
}

Test(github_token, that_was_refused_is_fetched_anew_once)
{
    serve(strict);
    cr_assert_str_eq(get().token, "T0");
    github_token_drop(token, "T0");
    cr_assert_str_eq(get().token, "T1");
    github_token_drop(token, "T0"); /* the other one who was refused with it */
    cr_assert_str_eq(get().token, "T1");
    github_token_drop(token, NULL); /* ForceTokenRefresh */
    cr_assert_str_eq(get().token, "T2");
    cr_assert_eq(server_count(), 3);
}

static void short_lived(int fd, const struct server_request *q)
{
    char name[20];

    snprintf(name, sizeof name, "T%d", q->nth);
    answer_token(fd, name, q->nth ? 2999 : 1);
}

/* One second of life: the next one is fetched after 0.8 s, though nobody asks. */
Test(github_token, is_renewed_before_it_ends)
{
    struct err err = ERR_INIT;

    serve(short_lived);
    cr_assert_str_eq(get().token, "T0");
    for (int64_t end = clock_ms() + 20000; server_count() < 2 && clock_ms() < end;)
        cr_assert_eq(loop_turn(loop, end, &err), ERR_OK);
    cr_assert_eq(server_count(), 2);
    /* Its answer, or else the end of the old one. */
    struct told t = get();
    while (strcmp(t.token, "T0") == 0)
        t = get();
    cr_assert_str_eq(t.token, "T1");
    cr_assert_eq(server_count(), 2);
}

/* ---- trouble ---- */

static void ahead(int fd, const struct server_request *q)
{
    clock_ahead = SKEW;
    strict(fd, q);
}

Test(github_token, puts_a_wrong_clock_right)
{
    serve(ahead);
    struct told t = get();
    cr_assert_eq(t.trouble, GITHUB_TOKEN_FINE, "%s", t.why);
    cr_assert_str_eq(t.token, "T1");
    cr_assert(llabs((long long)github_token_offset(token) - SKEW) <= 10);
    cr_assert(strstr(notes, "this machine's clock shows "), "%s", notes);
    cr_assert(strstr(notes, ", GitHub's 20"), "%s", notes);
    cr_assert(strstr(notes, "s behind; set it"), "%s", notes);
}

static void still_wrong(int fd, const struct server_request *q)
{
    clock_ahead = SKEW;
    (void)q;
    answer_error(fd, "invalid_request", "Current server time is noon");
}

Test(github_token, says_when_the_clock_stays_wrong)
{
    serve(still_wrong);
    struct told t = get();
    cr_assert_eq(t.trouble, GITHUB_TOKEN_SKEW);
    cr_assert(strstr(t.why, "the clock of this machine is wrong"), "%s", t.why);
    cr_assert_eq(server_count(), 2);
}

static void unknown_client(int fd, const struct server_request *q)
{
    (void)q;
    answer_error(fd, "invalid_client", "no such client");
}

Test(github_token, says_when_the_registration_is_gone)
{
    serve(unknown_client);
    struct told t = get();
    cr_assert_eq(t.trouble, GITHUB_TOKEN_INVALID_CLIENT);
    cr_assert(strstr(t.why, "no such client") && strstr(t.why, "register it anew"), "%s", t.why);
    cr_assert_eq(server_count(), 1);
    cr_assert_eq(get().trouble, GITHUB_TOKEN_INVALID_CLIENT, "whoever asks again is told again");
}

static void server_error(int fd, const struct server_request *q)
{
    (void)q;
    answer_error(fd, "server_error", "later");
}

static void refused(int fd, const struct server_request *q)
{
    (void)q;
    answer_error(fd, "unauthorized_client", "not you");
}

static void html(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "200 OK", "", "<html>", 6);
}

static void no_token(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "200 OK", "", "{\"access_token\": \"a\\nb\"}", 24);
}

Test(github_token, tells_the_kinds_of_trouble_apart)
{
    static const struct {
        server_fn *fn;
        enum github_token_trouble trouble;
        const char *why;
    } rows[] = {{server_error, GITHUB_TOKEN_SERVER_ERROR, "later"},
                {refused, GITHUB_TOKEN_REFUSED, "not you"},
                {html, GITHUB_TOKEN_NO_ANSWER, "a page for people"},
                {no_token, GITHUB_TOKEN_NO_ANSWER, "holds no token"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        serve(rows[i].fn);
        struct told t = get();
        cr_expect_eq(t.trouble, rows[i].trouble, "row %zu: %d", i, t.trouble);
        cr_expect(strstr(t.why, rows[i].why), "row %zu: %s", i, t.why);
        cr_expect_eq(server_count(), 1, "row %zu", i);
        token = github_token_free(token);
        server_stop();
    }
}

static void busy_twice(int fd, const struct server_request *q)
{
    if (q->nth == 0)
        server_answer(fd, "503 Busy", "", "", 0);
    else if (q->nth == 1)
        return; /* nothing at all */
    else
        strict(fd, q);
}

Test(github_token, is_asked_for_again_after_5xx_and_silence)
{
    serve(busy_twice);
    struct told t = get();
    cr_assert_str_eq(t.token, "T2", "%s", t.why);
}

static void always_busy(int fd, const struct server_request *q)
{
    (void)q;
    server_answer(fd, "502 Bad Gateway", "", "<html>", 6);
}

Test(github_token, is_given_up_after_five_retries)
{
    serve(always_busy);
    struct told t = get();
    cr_assert_eq(t.trouble, GITHUB_TOKEN_NO_ANSWER);
    cr_assert(strstr(t.why, "502"), "%s", t.why);
    cr_assert_eq(server_count(), 6);
}

/* ---- what others do meanwhile ---- */

static void on_token_free(void *ctx, const char *text, enum github_token_trouble trouble,
                          const struct err *err)
{
    on_token(ctx, text, trouble, err);
    token = github_token_free(token);
    cr_assert_str_eq(((struct told *)ctx)->token, "T0");
}

Test(github_token, may_be_freed_by_whom_it_tells)
{
    struct told one = {0}, two = {0};

    serve(strict);
    github_token_get(token, on_token_free, &one);
    github_token_get(token, on_token, &two);
    turn_until(&one.times, 1);
    cr_assert_eq(two.times, 0);
}

static struct told second;

static void on_token_again(void *ctx, const char *text, enum github_token_trouble trouble,
                           const struct err *err)
{
    on_token(ctx, text, trouble, err);
    github_token_drop(token, text);
    github_token_get(token, on_token, &second);
}

Test(github_token, may_be_asked_for_by_whom_it_tells)
{
    struct told one = {0}, two = {0};

    serve(strict);
    github_token_get(token, on_token_again, &one);
    github_token_get(token, on_token, &two);
    turn_until(&second.times, 1);
    cr_assert_str_eq(one.token, "T0");
    cr_assert_str_eq(two.token, "T0");
    cr_assert_str_eq(second.token, "T1");
}

Test(github_token, that_was_given_needs_no_service)
{
    settings->access_token = "";
    serve(unknown_client);
    token = github_token_free(token);
    char *given = mem_dup("GIVEN", 5);
    settings->access_token = given;
    token = github_token_new(settings, client, loop, NULL);
    cr_assert_str_eq(get().token, "GIVEN");
    github_token_drop(token, "GIVEN");
    cr_assert_str_eq(get().token, "GIVEN");
    cr_assert_eq(server_count(), 0);
    settings->access_token = NULL;
    free(given);
}

/* ---- what is had from elsewhere ---- */

static int fetches, stops;

static void on_fetch(void *ctx)
{
    (void)ctx;
    fetches++;
}

static void on_fetch_stop(void *ctx)
{
    (void)ctx;
    stops++;
}

static void from_elsewhere(void)
{
    fetches = stops = 0;
    token = github_token_new(
        NULL, client, loop,
        &(struct github_token_spec){.retry_ms = 10, .fetch = on_fetch, .stop = on_fetch_stop});
}

Test(github_token, may_be_had_from_elsewhere)
{
    struct told one = {0}, two = {0};

    from_elsewhere();
    github_token_get(token, on_token, &one);
    github_token_get(token, on_token, &two);
    turn_until(&fetches, 1);
    github_token_take(token, "ELSE", 3600);
    cr_assert_str_eq(one.token, "ELSE");
    cr_assert_str_eq(two.token, "ELSE");
    cr_assert_str_eq(get().token, "ELSE");
    cr_assert_eq(fetches, 1);
    github_token_drop(token, "ELSE");
    github_token_get(token, on_token, &one);
    turn_until(&fetches, 2);
    github_token_fail(token, GITHUB_TOKEN_REFUSED, "the cure");
    cr_assert_eq(one.times, 2);
    cr_assert_eq(one.trouble, GITHUB_TOKEN_REFUSED);
    cr_assert_str_eq(one.why, "the cure");
    cr_assert_eq(stops, 0);
}

Test(github_token, from_elsewhere_is_tried_again_when_nobody_answers)
{
    struct told one = {0};

    from_elsewhere();
    github_token_get(token, on_token, &one);
    turn_until(&fetches, 1);
    github_token_fail(token, GITHUB_TOKEN_NO_ANSWER, "nobody");
    turn_until(&fetches, 2);
    cr_assert_eq(one.times, 0);
    github_token_take(token, "not a\ntoken", 0);
    cr_assert_eq(one.trouble, GITHUB_TOKEN_NO_ANSWER);
}

Test(github_token, that_is_being_fetched_elsewhere_can_be_given_up)
{
    struct told one = {0};

    from_elsewhere();
    github_token_get(token, on_token, &one);
    turn_until(&fetches, 1);
    token = github_token_free(token);
    cr_assert_eq(stops, 1);
    cr_assert_eq(one.times, 0);
}
