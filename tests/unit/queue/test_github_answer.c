#include "queue/github/api/answer.h"

#include "base/attr.h"

#include <criterion/criterion.h>
#include <string.h>

#define BROKER(kind)                                                                               \
    "{\"source\":\"actions-broker-listener\",\"errorKind\":\"" kind "\",\"statusCode\":404}"
#define TENANT(key) "{\"$id\":\"1\",\"message\":\"text\",\"typeKey\":\"" key "\",\"errorCode\":0}"

static const struct {
    int status;
    const char *body;
    enum answer_kind kind;
} rows[] = {
    {200, "", ANSWER_FINE},
    {204, "", ANSWER_FINE},
    {202, BROKER("RunnerNotFound"), ANSWER_FINE}, /* an error's body makes no error */
    {302, "", ANSWER_TRANSIENT},
    {400, "", ANSWER_REFUSED},
    {401, "", ANSWER_UNAUTHORIZED},
    {403, "", ANSWER_FORBIDDEN},
    {404, "", ANSWER_NOT_FOUND},
    {408, "", ANSWER_TRANSIENT},
    {409, "", ANSWER_CONFLICT},
    {422, "", ANSWER_UNPROCESSABLE},
    {429, "", ANSWER_TRANSIENT},
    {500, "<html>oh</html>", ANSWER_TRANSIENT},
    {503, "", ANSWER_TRANSIENT},
    {404, BROKER("RunnerNotFound"), ANSWER_NO_RUNNER},
    {403, BROKER("RunnerVersionTooOld"), ANSWER_TOO_OLD},
    {401, BROKER("RunnerSessionInvalid"), ANSWER_SESSION_LOST},
    {404, BROKER("HostedRunnerDeprovisioned"), ANSWER_DEPROVISIONED},
    {404, BROKER("AcknowledgeJobNotFound"), ANSWER_JOB_GONE},
    {500, BROKER("SomethingNew"), ANSWER_NOT_FOUND}, /* the body's status counts */
    {404, "{\"source\":\"somebody\",\"errorKind\":\"RunnerNotFound\"}", ANSWER_NOT_FOUND},
    {500, "{\"source\":\"actions-run-service\",\"statusCode\":409}", ANSWER_CONFLICT},
    {500, "{\"source\":\"actions-run-service\",\"statusCode\":\"422\"}", ANSWER_UNPROCESSABLE},
    {404, "{\"source\":\"actions-run-service\",\"statusCode\":200}", ANSWER_NOT_FOUND},
    {404, TENANT("TaskAgentNotFoundException"), ANSWER_NO_RUNNER},
    {404, TENANT("TaskAgentPoolNotFoundException"), ANSWER_NO_POOL},
    {409, TENANT("TaskAgentSessionConflictException"), ANSWER_CONFLICT},
    {403, TENANT("TaskAgentSessionExpiredException"), ANSWER_SESSION_LOST},
    {400, TENANT("TaskAgentAccessTokenExpiredException"), ANSWER_REVOKED},
    {403, TENANT("AccessDeniedException"), ANSWER_FORBIDDEN},
    {403, "{\"typeKey\":\"AccessDeniedException\",\"errorCode\":1}", ANSWER_TOO_OLD},
    {400, TENANT("TaskAgentJobNotFoundException"), ANSWER_JOB_GONE},
    {400, TENANT("TaskAgentJobTokenExpiredException"), ANSWER_JOB_GONE},
    {404, TENANT("TaskOrchestrationPlanNotFoundException"), ANSWER_PLAN_GONE},
    {403, TENANT("TaskOrchestrationPlanSecurityException"), ANSWER_PLAN_GONE},
    {400, TENANT("TaskOrchestrationPlanTerminatedException"), ANSWER_PLAN_GONE},
    {400, TENANT("SomethingElseException"), ANSWER_REFUSED},
    {404,
     "\xEF\xBB\xBF{\"typeName\":\"GitHub.DistributedTask.WebApi.TaskAgentNotFoundException, "
     "Sdk.WebApi\"}",
     ANSWER_NO_RUNNER},
    {404, "{\"TypeKey\":\"TaskAgentNotFoundException\"}", ANSWER_NO_RUNNER},
    {400, "{\"error\":\"invalid_client\",\"error_description\":\"no\"}", ANSWER_BAD_CLIENT},
    {400, "{\"error\":\"invalid_client\",\"error_description\":\"Current server time is 3\"}",
     ANSWER_SKEW},
    {401, "{\"message\":\"Current server time is 3\"}", ANSWER_SKEW},
    {404, "[]", ANSWER_NOT_FOUND},
    {404, "{\"typeKey\":7,\"source\":[],\"error\":{}}", ANSWER_NOT_FOUND},
};

Test(answer, all_dialects_become_one_list)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct answer a;

        answer_read(rows[i].status, slice_of(rows[i].body), slice_make(NULL, 0), &a);
        cr_assert_eq(a.kind, rows[i].kind, "%d %s: %s, not %s", rows[i].status, rows[i].body,
                     answer_name(a.kind), answer_name(rows[i].kind));
        cr_assert_eq(a.status, rows[i].status);
        cr_assert_eq(a.text[0] == '\0', a.kind == ANSWER_FINE, "%d %s: '%s'", rows[i].status,
                     rows[i].body, a.text);
    }
}

Test(answer, every_kind_has_a_name)
{
    for (int i = 0; i < ANSWER_KINDS; i++)
        cr_assert_not_null(answer_name((enum answer_kind)i), "%d", i);
}

Test(answer, the_servers_words_are_one_printable_line)
{
    struct answer a;
    char cut[6];

    answer_read(403,
                SLICE("{\"typeKey\":\"AccessDeniedException\",\"message\":\"no\\nway\\u001b[1m\"}"),
                slice_make(NULL, 0), &a);
    cr_assert_str_eq(a.text, "no way [1m");
    answer_read(418, SLICE("teapot"), slice_make(NULL, 0), &a);
    cr_assert_str_eq(a.text, "the server answered 418");
    answer_line(SLICE("abcd\xC3\xA4x"), cut, sizeof cut);
    cr_assert_str_eq(cut, "abcd", "half a character is none");
    answer_line(SLICE("abc\xC3\xA4"), cut, sizeof cut);
    cr_assert_str_eq(cut, "abc\xC3\xA4");
}

Test(answer, a_pause_that_the_server_asks_for_has_its_limit)
{
    struct answer a;

    answer_read(429, SLICE(""), SLICE(" 7 "), &a);
    cr_assert_eq(a.retry_ms, 7000);
    answer_read(429, SLICE(""), SLICE("99999999999"), &a);
    cr_assert_eq(a.retry_ms, 0);
    answer_read(503, SLICE(""), SLICE("Fri, 31 Dec 1999 23:59:59 GMT"), &a);
    cr_assert_eq(a.retry_ms, 0);
}

Test(github_answer, what_was_sent_does_not_show_in_what_is_said)
{
    static const struct {
        const char *line, *secret, *wanted;
    } lines[] = {
        {"no such token 'ghs_0123456789abcdef'", "ghs_0123456789abcdef", "no such token '***'"},
        {"ghs_0123456789abcdef ghs_0123456789abcdef!", "ghs_0123456789abcdef", "*** ***"},
        {"cut off: ghs_0123456789a", "ghs_0123456789abcdef", "cut off: ***"},
        {"assertion eyJhbGciOiJSUzI1NiJ9.e30.c2ln is old", NULL, "assertion *** is old"},
        {"nothing in here", "ghs_0123456789abcdef", "nothing in here"},
        {"a short one is no secret", "a", "a short one is no secret"},
        {"", "ghs_0123456789abcdef", ""},
        {"eyJ", NULL, "***"},
    };

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char line[200];

        snprintf(line, sizeof line, "%s", lines[i].line);
        answer_hide(line, lines[i].secret);
        cr_expect_str_eq(line, lines[i].wanted, "row %zu: '%s'", i, line);
    }
}
