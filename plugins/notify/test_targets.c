/* What is asked of each service, and what becomes of its answers. */
#include <criterion/criterion.h>
#include <fnmatch.h>
#include <jansson.h>
#include <ostler/test.h>
#include <string.h>

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *job;

static const char token[] = "12345:AAbb-CCdd_eeff";

static void enter(void)
{
    job = ost_test_new(&ostler_plugin_v1);
    ost_test_context(job, "job.status", "success");
    ost_test_context(job, "github.workflow", "CI");
    ost_test_context(job, "github.repository", "acme/shop");
    ost_test_context(job, "github.run_id", "77");
    ost_test_with(job, "message", "**Done** & 1.0 by {{ workflow }}");
}

static void leave(void)
{
    ost_test_free(job);
}

TestSuite(targets, .init = enter, .fini = leave);

static void expect_run(ost_status status)
{
    ost_status got = ost_test_run(job, OST_PHASE_MAIN);

    cr_expect_eq(got, status, "wanted %d, got %d: %s\n%s", status, got, ost_test_failure(job),
                 ost_test_log(job));
}

static void expect_output(const char *name, const char *value)
{
    const char *got = ost_test_output(job, name);

    cr_expect(got && strcmp(got, value) == 0, "%s is '%s', wanted '%s'\n%s", name,
              got ? got : "(none)", value, ost_test_log(job));
}

/* The Ith request: its address, and its body, which is JSON. */
static void expect_request(size_t i, const char *url, const char *body)
{
    const struct ost_http_request *q = ost_test_request(job, i);
    json_t *json;

    cr_assert(q, "there is no request %zu\n%s", i, ost_test_log(job));
    cr_expect_str_eq(q->method, "POST");
    cr_expect_str_eq(q->url, url);
    cr_expect_str_eq((const char *)q->body, body, "%s", (const char *)q->body);
    json = json_loadb(q->body, q->body_size, 0, NULL);
    cr_expect(json_is_object(json), "no JSON: %s", (const char *)q->body);
    json_decref(json);
}

/* HEADER is a pattern. */
static bool has_header(size_t i, const char *header)
{
    for (const char *const *h = ost_test_request(job, i)->headers; h && *h; h++)
        if (fnmatch(header, *h, 0) == 0)
            return true;
    return false;
}

static void use_telegram(void)
{
    ost_test_with(job, "telegram-token", token);
    ost_test_with(job, "telegram-chat", "-1001");
    ost_test_on_http(job, "POST *", .body = "{\"ok\":true,\"result\":{\"message_id\":5}}");
}

static const char telegram_url[] = "https://api.telegram.org/bot12345:AAbb-CCdd_eeff/sendMessage";

Test(targets, telegram_is_told)
{
    use_telegram();
    expect_run(OST_OK);
    expect_request(
        0, telegram_url,
        "{\"chat_id\":\"-1001\",\"parse_mode\":\"HTML\",\"text\":\"<b>Done</b> &amp; 1.0 "
        "by CI\",\"link_preview_options\":{\"is_disabled\":true}}");
    expect_output("sent", "1");
    expect_output("failed", "0");
    expect_output("message-id", "5");
    expect_output("skipped", "");

    ost_test_with(job, "telegram-markup", "MarkdownV2");
    ost_test_with(job, "telegram-thread", "9");
    ost_test_with(job, "telegram-silent", "true");
    ost_test_with(job, "telegram-chat", "@news\n-5");
    expect_run(OST_OK);
    expect_request(0, telegram_url,
                   "{\"chat_id\":\"@news\",\"parse_mode\":\"MarkdownV2\",\"text\":\"*Done* & "
                   "1\\\\.0 by CI\",\"link_preview_options\":{\"is_disabled\":true},"
                   "\"message_thread_id\":9,\"disable_notification\":true}");
    cr_expect_eq(ost_test_requests(job, "*"), 2);
    expect_output("message-id", "5\n5");
}

Test(targets, telegram_gets_what_is_long_in_parts_or_cut)
{
    char text[9001];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    use_telegram();
    ost_test_with(job, "message", text);
    expect_run(OST_OK);
    cr_expect_eq(ost_test_requests(job, "*"), 3);
    expect_output("message-id", "5");
    ost_test_with(job, "too-long", "cut");
    expect_run(OST_OK);
    cr_expect_eq(ost_test_requests(job, "*"), 1);
    cr_expect(strstr(ost_test_request(job, 0)->body, "x\xe2\x80\xa6\""));
}

Test(targets, telegram_is_waited_for_as_long_as_it_asks)
{
    use_telegram();
    ost_test_on_http(job, "POST *", .status = 429, .times = 2,
                     .body = "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many "
                             "Requests\",\"parameters\":{\"retry_after\":0}}");
    expect_run(OST_OK);
    cr_expect_eq(ost_test_requests(job, "*"), 3);
    expect_output("sent", "1");

    ost_test_on_http(job, "POST *", .status = 429,
                     .body = "{\"ok\":false,\"parameters\":{\"retry_after\":3600}}");
    expect_run(OST_OK);
    cr_expect_eq(ost_test_requests(job, "*"), 1);
    ost_test_said(job, "warning: Telegram chat -1001 could not be told: *asks to wait for 3600 s");
    expect_output("failed", "1");
}

Test(targets, a_refusal_is_told_in_the_services_words)
{
    static const struct {
        int32_t status;
        const char *body, *text;
    } rows[] = {
        {400, "{\"ok\":false,\"description\":\"Bad Request: chat not found\"}",
         "*it answered 400: Bad Request: chat not found"},
        {401, "{\"ok\":false,\"description\":\"Unauthorized\"}", "*401: Unauthorized; is*revoked?"},
        {400, "{\"ok\":false,\"parameters\":{\"migrate_to_chat_id\":-100777}}",
         "*supergroup: its 'telegram-chat' is -100777 now"},
        {200, "<html>a proxy's own page</html>", "*it answered 200*"},
        {302, "", "*it answered 302"},
    };

    use_telegram();
    ost_test_with(job, "fail-on-error", "true");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_on_http(job, "POST *", .status = rows[i].status, .body = rows[i].body);
        expect_run(OST_E_FAILED);
        cr_expect_str_eq(ost_test_failure(job), "1 of 1 targets could not be told");
        ost_test_said(job, rows[i].text);
        cr_expect_eq(ost_test_requests(job, "*"), 1);
        expect_output("sent", "0");
        expect_output("failed", "1");
    }
}

Test(targets, slack_is_told_by_webhook)
{
    ost_test_with(job, "slack-webhook", "https://hooks.slack.test/services/T0/B0/secretsecret");
    ost_test_on_http(job, "POST *", .body = "ok");
    expect_run(OST_OK);
    expect_request(0, "https://hooks.slack.test/services/T0/B0/secretsecret",
                   "{\"unfurl_links\":false,\"text\":\"*Done* &amp; 1.0 by CI\"}");
    expect_output("sent", "1");
    expect_output("message-id", "");
    ost_test_on_http(job, "POST *", .status = 404, .body = "no_service");
    expect_run(OST_OK);
    ost_test_said(job, "warning: Slack webhook hooks.slack.test could not*404: no_service");
}

Test(targets, slack_is_told_by_token)
{
    ost_test_with(job, "slack-token", "xoxb-1-2-secret");
    ost_test_with(job, "slack-channel", "#ci\nC012");
    ost_test_with(job, "slack-thread", "1.5");
    ost_test_on_http(job, "POST *", .body = "{\"ok\":true,\"ts\":\"17.25\",\"channel\":\"C1\"}");
    expect_run(OST_OK);
    expect_request(1, "https://slack.com/api/chat.postMessage",
                   "{\"channel\":\"C012\",\"thread_ts\":\"1.5\",\"unfurl_links\":false,\"text\":"
                   "\"*Done* &amp; 1.0 by CI\"}");
    cr_expect(has_header(1, "Authorization: Bearer xoxb-1-2-secret"));
    expect_output("message-id", "17.25\n17.25");
    ost_test_on_http(job, "POST *", .body = "{\"ok\":false,\"error\":\"not_in_channel\"}");
    expect_run(OST_OK);
    ost_test_said(job, "warning: Slack channel #ci*not_in_channel; invite the app*");
    expect_output("failed", "2");
}

Test(targets, slack_is_waited_for_as_its_header_says)
{
    ost_test_with(job, "slack-webhook", "https://hooks.slack.test/services/T0/B0/secretsecret");
    ost_test_on_http(job, "POST *", .body = "ok");
    ost_test_on_http(job, "POST *", .status = 429, .times = 1, .body = "rate_limited",
                     .headers = "HTTP/1.1 429 Too Many\r\nretry-after: 0\r\n");
    expect_run(OST_OK);
    cr_expect_eq(ost_test_requests(job, "*"), 2);
    ost_test_on_http(job, "POST *", .status = 429, .body = "rate_limited",
                     .headers = "Retry-After: 999\r\n");
    expect_run(OST_OK);
    ost_test_said(job, "warning: *asks to wait for 999 s");
}

Test(targets, discord_is_told_and_calls_nobody)
{
    ost_test_with(job, "discord-webhook", "https://discord.test/api/webhooks/1/secret-secret");
    ost_test_with(job, "discord-thread", "42");
    ost_test_on_http(job, "POST *", .body = "{\"id\":\"900\"}");
    expect_run(OST_OK);
    expect_request(0, "https://discord.test/api/webhooks/1/secret-secret?wait=true&thread_id=42",
                   "{\"content\":\"**Done** & 1.0 by CI\",\"allowed_mentions\":{\"parse\":[]}}");
    expect_output("message-id", "900");
    ost_test_on_http(job, "POST *", .status = 404,
                     .body = "{\"message\":\"Unknown Webhook\",\"code\":10015}");
    expect_run(OST_OK);
    ost_test_said(job, "warning: Discord webhook discord.test*404: Unknown Webhook");
}

Test(targets, mattermost_is_told)
{
    ost_test_with(job, "mattermost-webhook", "https://chat.test/hooks/secretsecret");
    ost_test_with(job, "mattermost-channel", "town-square");
    ost_test_on_http(job, "POST *", .body = "ok");
    expect_run(OST_OK);
    expect_request(0, "https://chat.test/hooks/secretsecret",
                   "{\"channel\":\"town-square\",\"text\":\"**Done** & 1.0 by CI\"}");
    expect_output("sent", "1");
}

Test(targets, a_webhook_is_told_and_can_check_who_calls)
{
    ost_test_with(job, "webhook-url", "https://api.test/hook?key=secretsecret");
    ost_test_with(job, "webhook-body", "{\"text\":\"{{ message }}\",\"s\":\"{{ status }}\"}");
    ost_test_with(job, "webhook-secret", "It's a Secret to Everybody");
    ost_test_with(job, "webhook-headers", "X-Key: abcdefgh");
    ost_test_on_http(job, "POST *", .status = 202);
    expect_run(OST_OK);
    expect_request(0, "https://api.test/hook?key=secretsecret",
                   "{\"text\":\"Done & 1.0 by CI\",\"s\":\"success\"}");
    cr_expect(has_header(0, "X-Key: abcdefgh"));
    cr_expect(has_header(0, "X-Hub-Signature-256: sha256=????????????????????????????????"
                            "????????????????????????????????"));
    expect_output("sent", "1");
    ost_test_with(job, "webhook-body", "{\"text\": {{ message }}}");
    expect_run(OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(job), "'webhook-body' cannot be used: it makes no JSON"));
}

Test(targets, one_that_fails_does_not_stop_the_others)
{
    ost_test_with(job, "slack-webhook", "https://hooks.slack.test/services/T0/B0/secretsecret");
    ost_test_with(job, "discord-webhook", "https://discord.test/api/webhooks/1/secret-secret");
    ost_test_with(job, "mattermost-webhook", "https://chat.test/hooks/secretsecret");
    ost_test_on_http(job, "POST *", .body = "ok");
    ost_test_on_http(job, "POST https://discord.test/*", .status = 403, .body = "no");
    expect_run(OST_OK);
    expect_output("sent", "2");
    expect_output("failed", "1");
}

Test(targets, what_is_passing_is_tried_again_and_what_is_not_is_not)
{
    static const struct {
        ost_status fails;
        int32_t status;
        size_t tries;
    } rows[] = {
        {0, 500, 4}, {0, 502, 4},      {0, 503, 4},           {0, 404, 1},
        {0, 400, 1}, {OST_E_IO, 0, 4}, {OST_E_TIMEOUT, 0, 2}, {OST_E_DENIED, 0, 1},
    };

    ost_test_with(job, "webhook-url", "https://api.test/hook");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_on_http(job, "POST *", .fails = rows[i].fails, .status = rows[i].status,
                         .headers = "Retry-After: 0\r\n");
        ost_test_with(job, "timeout", "1");
        expect_run(OST_OK);
        expect_output("failed", "1");
        cr_expect_eq(ost_test_requests(job, "*"), rows[i].tries, "row %zu: %zu tries", i,
                     ost_test_requests(job, "*"));
    }
}

/* The kit masks nothing, so what is seen here is what the plugin itself lets out. */
Test(targets, no_secret_is_in_any_text)
{
    static const char *const secrets[] = {token, "secretsecret", "xoxb-1-2-secret", "secret-secret",
                                          "hmacsecret"};
    static const int phases[] = {OST_PHASE_PLAN, OST_PHASE_MAIN};

    ost_test_with(job, "telegram-token", token);
    ost_test_with(job, "telegram-chat", "-1");
    ost_test_with(job, "slack-webhook", "https://hooks.slack.test/services/T0/B0/secretsecret");
    ost_test_with(job, "slack-token", "xoxb-1-2-secret");
    ost_test_with(job, "slack-channel", "#ci");
    ost_test_with(job, "discord-webhook", "https://discord.test/api/webhooks/1/secret-secret");
    ost_test_with(job, "mattermost-webhook", "https://chat.test/hooks/secretsecret");
    ost_test_with(job, "webhook-url", "https://user:secretsecret@api.test/hook?key=secretsecret");
    ost_test_with(job, "webhook-secret", "hmacsecret");
    ost_test_with(job, "fail-on-error", "true");
    ost_test_on_http(job, "POST *", .fails = OST_E_DENIED,
                     .error = "no way to /bot12345:AAbb-CCdd_eeff/sendMessage, "
                              "https://hooks.slack.test/services/T0/B0/secretsecret, hmacsecret, "
                              "/api/webhooks/1/secret-secret, xoxb-1-2-secret, "
                              "https://user:secretsecret@api.test/hook?key=secretsecret");
    for (size_t p = 0; p < 2; p++) {
        ost_status r = ost_test_run(job, phases[p]);

        cr_expect_eq(r, p == 0 ? OST_OK : OST_E_FAILED);
        for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
            cr_expect_null(strstr(ost_test_log(job), secrets[i]), "%s", ost_test_log(job));
            cr_expect_null(strstr(ost_test_failure(job), secrets[i]));
            for (size_t j = 0; ost_test_planned(job, j); j++)
                cr_expect_null(strstr(ost_test_planned(job, j), secrets[i]));
        }
        for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
            bool masked = false;

            for (size_t j = 0; ost_test_masked(job, j); j++)
                masked = masked || strcmp(ost_test_masked(job, j), secrets[i]) == 0;
            cr_expect(masked, "'%s' is not masked", secrets[i]);
        }
    }
}

Test(targets, what_is_not_whole_is_refused_before_anything_is_sent)
{
    static const struct {
        const char *name, *value, *name2, *value2, *text;
    } rows[] = {
        {"message", "x", "title", "y", "there is nobody to tell"},
        {"telegram-token", token, "title", "y", "no 'telegram-chat' to send to"},
        {"telegram-chat", "-1", "title", "y", "no 'telegram-token': is the secret"},
        {"telegram-token", "12345", "telegram-chat", "-1", "'telegram-token' is no bot token"},
        {"telegram-token", "1:a/../b", "telegram-chat", "-1", "'telegram-token' is no bot token"},
        {"slack-webhook", "hooks.slack.com/x", "title", "y", "'slack-webhook' is no address"},
        {"webhook-url", "https://a b", "title", "y", "'webhook-url' is no address"},
        {"webhook-url", "https://", "title", "y", "'webhook-url' is no address"},
        {"webhook-url", "file:///etc/passwd", "title", "y", "'webhook-url' is no address"},
        {"webhook-url", "https://a.test", "webhook-headers", "no colon", "line 1 of"},
        {"webhook-url", "https://a.test", "every", "often", "'every' is 'often'"},
        {"webhook-url", "https://a.test", "timeout", "0", "'timeout' is from 1"},
        {"webhook-url", "https://a.test", "message", "{{ x }}", "'message' cannot be used"},
        {"webhook-url", "https://a.test", "title", "{{ x }}", "'title' cannot be used"},
        {"mail-to", "a@b.test", "mail-from", "c@d.test", "no 'mail-server'"},
        {"mail-to", "a@b.test", "mail-server", "x", "no 'mail-from'"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        leave();
        job = ost_test_new(&ostler_plugin_v1);
        ost_test_with(job, rows[i].name, rows[i].value);
        ost_test_with(job, rows[i].name2, rows[i].value2);
        expect_run(OST_E_INVALID);
        cr_expect(strstr(ost_test_failure(job), rows[i].text), "row %zu: %s", i,
                  ost_test_failure(job));
        cr_expect_eq(ost_test_requests(job, "*"), 0);
    }
}

Test(targets, a_password_is_not_sent_for_all_to_read)
{
    ost_test_with(job, "mail-to", "a@b.test");
    ost_test_with(job, "mail-from", "c@d.test");
    ost_test_with(job, "mail-server", "127.0.0.1:1");
    ost_test_with(job, "mail-user", "ci");
    expect_run(OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(job), "go together"));
    ost_test_with(job, "mail-password", "secretsecret");
    ost_test_with(job, "mail-tls", "none");
    expect_run(OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(job), "would send 'mail-password' for all to read"));
}
