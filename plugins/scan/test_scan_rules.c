/* Secrets are made up, and in two pieces each: a scanner that reads this file, ours included, finds none. */
#include "scan_rules.h"

#include <criterion/criterion.h>
#include <string.h>

#include "../lib/test_step.h"

TestSuite(scan_rules, .init = step_enter, .fini = step_leave);

static void on_secret(void *ctx, const struct rule *rule, struct span secret)
{
    sink_addf(ctx, "%s(%s) ", rule->id, span_dup(step, secret));
}

/* "rule(secret) rule(secret) ". */
static const char *search(const char *line, bool bare)
{
    struct sink k = {.step = step};

    rules_search(span_of(line), bare, on_secret, &k);
    return sink_text(&k);
}

#define HEX32 "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define LETTERS36 "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz"

Test(scan_rules, knows_tokens_by_their_shape)
{
    static const struct {
        const char *rule, *a, *b;
    } rows[] = {
        {"aws-access-key-id", "AKIA", "Z7QHC2PLM4XNBVKR"},
        {"aws-access-key-id", "ASIA", "Z7QHC2PLM4XNBVKR"},
        {"github-token", "ghp_", LETTERS36},
        {"github-token", "ghs_", LETTERS36},
        {"github-token", "github_pat_", LETTERS36 "_" LETTERS36 "a1b2c3d4e"},
        {"gitlab-token", "glpat-", "aB3dE5fG7hI9jK1lM2nO"},
        {"slack-token", "xoxb-", "123412341234-123412341234-aB3dE5fG7hI9jK1lM2nO"},
        {"slack-webhook", "https://hooks.slack.com/services/",
         "T01ABCDEF23/B04GHIJKL56/aB3dE5fG7hI9jK1lM2nO4pQ6"},
        {"telegram-bot-token", "7312049586:", "AAE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz3"},
        {"stripe-key", "sk_live_", "aB3dE5fG7hI9jK1lM2nO4pQ6"},
        {"stripe-test-key", "sk_test_", "aB3dE5fG7hI9jK1lM2nO4pQ6"},
        {"google-api-key", "AIza", "SyB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1x"},
        {"google-oauth-secret", "GOCSPX-", "aB3dE5fG7hI9jK1lM2nO4pQ6rS8t"},
        {"npm-token", "npm_", LETTERS36},
        {"pypi-token", "pypi-AgEIcHlwaS5vcmc", LETTERS36 LETTERS36},
        {"jwt", "eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiJ1c2VyNDIifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"},
        {"digitalocean-token", "dop_v1_", HEX32 HEX32},
        {"sendgrid-key", "SG.",
         "aB3dE5fG7hI9jK1lM2nO4p.aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz3aB5cD7"},
        {"huggingface-token", "hf_", "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1x"},
    };
    static const char *const frames[] = {"%s", "key = \"%s\"", "x(%s);", "- '%s' # mine",
                                         "https://x.test/?t=%s&u=1"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t j = 0; j < sizeof frames / sizeof frames[0]; j++) {
            const char *token = ost_fmt(step, "%s%s", rows[i].a, rows[i].b);
            size_t at = strcspn(frames[j], "%");
            const char *line =
                ost_fmt(step, "%.*s%s%s", (int)at, frames[j], token, frames[j] + at + 2);

            cr_expect_str_eq(search(line, false), ost_fmt(step, "%s(%s) ", rows[i].rule, token),
                             "%s gave %s", line, search(line, false));
        }
}

Test(scan_rules, leaves_alone_what_only_looks_alike)
{
    static const char *const rows[] = {
        "AKIA"
        "IOSFODNN7EXAMPLE", /* the one in every manual */
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_0000000000000000000000000000000000000",
        "my_ghp_" LETTERS36,  /* goes on before */
        "ghp_" LETTERS36 "A", /* goes on behind */
        "xoxb-short",
        "AIzaSyB3dE5fG7",
        "token: ${{ secrets.TOKEN }}",
        "password = os.environ[\"PASSWORD\"]",
        "password = \"${DB_PASSWORD}\"",
        "password: str = Field(...)",
        "if password == \"correct horse 1\":",
        "const tokenUrl = \"https://example.test/oauth2/token/v1\"",
        "secret_name = \"projects/12/secrets/db-password-1\"",
        "api_key = \"your_api_key_here_123456\"",
        "api_key = \"<your-api-key-1234567890>\"",
        "password: \"changeme123\"",
        "secret: my-kubernetes-secret",
        "sha256 = \"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"",
        "\"integrity\": \"sha512-aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYzaB3dE5fG7hI9==\"",
        "token_hash = \"2c26b46b68ffc68ff99b453c1d304134\"",
        "client_secret = 01234567-89ab-cdef-0123-456789abcdef",
        "postgres://localhost/db",
        "postgres://user@db.example.test/db",
        "postgres://postgres:postgres@db/app",
        "postgres://app:hunter2hunter2@localhost:5432/app",
        "postgres://app:$PASSWORD@db.test/app",
        "https://user:{password}@host.test/",
        "https://user:<password>@host.test/",
        "http://a.test:8080/x@y",
        "postgres://app:hunter2hunter2@db.test:5432/app",
        "amqp://u:hunter2hunter2@mq.example.com, x",
        "eyJhbGciOiJIUzI1NiJ9.notjson.sig",
        "at 12:34:56:AAbbcc",
        "://:@",
        "",
        "=",
        "password=",
        "password: \"",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int bare = 0; bare < 2; bare++)
            cr_expect_str_empty(search(rows[i], bare), "'%s' gave %s", rows[i],
                                search(rows[i], bare));
}

Test(scan_rules, finds_passwords_and_keys_by_what_they_are_called)
{
    static const struct {
        const char *line;
        bool bare;
        const char *want;
    } rows[] = {
        {"postgres://app:hunter2"
         "hunter2@db.acme.io:5432/app",
         false, "url-password(hunter2hunter2) "},
        {"x = 'amqps://u:p@ss"
         "w0rd@mq.acme.io'",
         false, "url-password(p@ssw0rd) "},
        {"redis://:Zq8"
         "wK2pL@cache.acme.io",
         false, "url-password(Zq8wK2pL) "},
        {"password = \"Tr0ub4"
         "dor&3x\"",
         false, "generic-secret(Tr0ub4dor&3x) "},
        {"  \"api_key\": \"q7Wz9Kx2"
         "Lp4Vn8Rt\",",
         false, "generic-secret(q7Wz9Kx2Lp4Vn8Rt) "},
        {"apiKey: 'q7Wz9Kx2"
         "Lp4Vn8Rt'",
         false, "generic-secret(q7Wz9Kx2Lp4Vn8Rt) "},
        {"SECRET_KEY := `q7Wz9Kx2"
         "Lp4Vn8Rt`",
         false, "generic-secret(q7Wz9Kx2Lp4Vn8Rt) "},
        {"config[\"token\"] = \"q7Wz9Kx2"
         "Lp4Vn8Rt\"",
         false, "generic-secret(q7Wz9Kx2Lp4Vn8Rt) "},
        {"AUTH_TOKEN=q7Wz9Kx2"
         "Lp4Vn8Rt",
         true, "generic-secret(q7Wz9Kx2Lp4Vn8Rt) "},
        {"AUTH_TOKEN=q7Wz9Kx2"
         "Lp4Vn8Rt",
         false, ""}, /* an expression, elsewhere */
        {"db_password: Zq8w"
         "K2pLx9 # comment",
         true, "generic-secret(Zq8wK2pLx9) "},
        {"aws_secret_access_key = q7Wz9Kx2Lp4Vn8Rt/q7Wz9Kx2"
         "Lp4Vn8Rt+abcDEF",
         true, "aws-secret-access-key(q7Wz9Kx2Lp4Vn8Rt/q7Wz9Kx2Lp4Vn8Rt+abcDEF) "},
        {"GITHUB_TOKEN=\"ghp_" LETTERS36 "\"", false,
         "github-token(ghp_" LETTERS36 ") "}, /* once */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(search(rows[i].line, rows[i].bare), rows[i].want, "'%s' gave '%s'",
                         rows[i].line, search(rows[i].line, rows[i].bare));
}

Test(scan_rules, tells_private_keys_from_talk_about_them)
{
    static const struct {
        const char *line, *rule;
        bool body;
    } rows[] = {
        {"-----BEGIN RSA PRIVATE "
         "KEY-----",
         "private-key", false},
        {"  key: \"-----BEGIN PRIVATE "
         "KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B\\n",
         "private-key", true},
        {"-----BEGIN ENCRYPTED PRIVATE "
         "KEY-----",
         "private-key-encrypted", false},
        {"-----BEGIN PGP PRIVATE KEY "
         "BLOCK-----",
         "private-key", false},
        {"-----BEGIN OPENSSH PRIVATE "
         "KEY-----",
         "private-key", false},
        {"-----BEGIN PUBLIC KEY-----", NULL, false},
        {"-----BEGIN CERTIFICATE-----", NULL, false},
        {"-----BEGIN PRIVATE KEY", NULL, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span body = {"", 0};
        const struct rule *rule = rules_key_begin(span_of(rows[i].line), &body);

        cr_expect_eq(!rule, !rows[i].rule, "%s", rows[i].line);
        if (rule && rows[i].rule)
            cr_expect_str_eq(rule->id, rows[i].rule);
        cr_expect_eq(rule && rules_key_body(body), rows[i].body, "%s", rows[i].line);
    }
    cr_expect(rules_key_body(SPAN("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC")));
    cr_expect(rules_key_body(SPAN("    \"b3BlbnNzaC1rZXktdjEAAAAABG5v\\n\"")));
    cr_expect(rules_key_body(SPAN("Proc-Type: 4,ENCRYPTED")));
    cr_expect_not(rules_key_body(SPAN("...")));
    cr_expect_not(rules_key_body(SPAN("\" in line")));
}

Test(scan_rules, knows_where_values_stand_bare)
{
    cr_expect(rules_is_bare(".env"));
    cr_expect(rules_is_bare("a/.env.production"));
    cr_expect(rules_is_bare("deploy/values.yaml"));
    cr_expect_not(rules_is_bare("src/a.c"));
    cr_expect(rules_has(SPAN("jwt")));
    cr_expect(rules_has(SPAN("github-token")));
    cr_expect_not(rules_has(SPAN("no-such-rule")));
}
