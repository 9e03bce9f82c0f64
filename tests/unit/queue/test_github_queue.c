/* A queue of GitHub's from its session to its end, over both ways, against services that play a script. */
#include "queue/github/queue.h"

#include "base/attr.h"
#include "queue/loose.h"
#include "unit/queue/github_hub.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(github_queue, .init = hub_enter, .fini = hub_leave);

#define MESSAGE(id, type, body)                                                                    \
    "{\"messageId\":" id ",\"messageType\":\"" type "\",\"body\":\"" body "\"}"
#define JOB_ID "10b00000-1111-5222-8333-444444444444"
#define REFERENCE(more)                                                                            \
    MESSAGE(                                                                                       \
        "8123456789012345678", "RunnerJobRequest",                                                 \
        "{\\\"runner_request_id\\\":\\\"" JOB_ID                                                   \
        "\\\",\\\"run_service_url\\\":\\\"@H/run/\\\",\\\"billing_owner_id\\\":\\\"O_1\\\"" more   \
        "}")
#define ACKNOWLEDGED ",\\\"should_acknowledge\\\":true"
#define CANCEL(id)                                                                                 \
    MESSAGE("9", "JobCancellation",                                                                \
            "{\\\"jobId\\\":\\\"" id "\\\",\\\"timeout\\\":\\\"00:05:00\\\"}")
#define PLAN "91a40000-aaaa-4bbb-8ccc-dddddddddddd"
/* A whole job, as the legacy queue brings it. */
#define JOB                                                                                        \
    MESSAGE(                                                                                       \
        "1", "PipelineAgentJobRequest",                                                            \
        "{\\\"messageType\\\":\\\"PipelineAgentJobRequest\\\",\\\"plan\\\":{\\\"planId\\\":"       \
        "\\\"" PLAN                                                                                \
        "\\\",\\\"planType\\\":\\\"actions\\\",\\\"version\\\":12,\\\"scopeIdentifier\\\":"        \
        "\\\"5c0be000-0000-4000-8000-000000000000\\\"},\\\"timeline\\\":{\\\"id\\\":\\\""          \
        "71110000-0000-4000-8000-000000000000\\\"},\\\"jobId\\\":\\\"" JOB_ID                      \
        "\\\",\\\"jobDisplayName\\\":\\\"build\\\",\\\"jobName\\\":\\\"__default\\\","             \
        "\\\"requestId\\\":4711,\\\"resources\\\":{\\\"endpoints\\\":[{\\\"name\\\":\\\""          \
        "SystemVssConnection\\\",\\\"url\\\":\\\"@H/tenant/\\\",\\\"authorization\\\":{"           \
        "\\\"scheme\\\":\\\"OAuth\\\",\\\"parameters\\\":{\\\"AccessToken\\\":\\\"JOB1\\\"}}}]"    \
        "},\\\"steps\\\":[]}")

#define BROKER_ERROR(kind)                                                                         \
    "{\"source\":\"actions-broker-listener\",\"errorKind\":\"" kind                                \
    "\",\"statusCode\":404,\"errorMessage\":\"said so\"}"
#define TENANT_ERROR(key) "{\"typeKey\":\"" key "\",\"message\":\"said so\"}"

static const struct hub_options broker, legacy = {.legacy = true}, ephemeral = {.ephemeral = true};

static void has(const char *text, const char *wanted)
{
    cr_assert_not_null(strstr(text, wanted), "'%s' is not in: %s", wanted, text);
}

static void has_not(const char *text, const char *unwanted)
{
    cr_assert_null(strstr(text, unwanted), "'%s' is in: %s", unwanted, text);
}

/* ---- the ordinary way ---- */

Test(github_queue, a_product_more_joins_the_user_agent)
{
    static const struct {
        const char *extra;
        bool good;
    } rows[] = {
        {"arc/0.12.0", true}, {"arc", false},   {"arc/", false}, {"/1", false},
        {"a/b/c", false},     {"a b/1", false}, {"", false},     {"a/1\r\nX: y", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct hub_options options = {.extra_agent = rows[i].extra};
        CLEANUP(buf_deinit) struct buf wanted = BUF_INIT(100);

        hub_leave();
        hub_enter();
        HUB_START();
        hub_open(&options);
        hub_until("poll", 1);
        buf_printf(&wanted, " GroupId/1 %s%sPid/", rows[i].good ? rows[i].extra : "",
                   rows[i].good ? " " : "");
        has(hub_last("poll"), wanted.ptr);
    }
}

Test(github_queue, a_job_of_the_broker_from_its_session_to_its_completion)
{
    HUB_START({"poll", 1, 1, 202, NULL}, {"poll", 2, 2, 200, REFERENCE(ACKNOWLEDGED)});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_str_eq(job->key, "r1/" JOB_ID);
    has(hub_transcript(), " open poll poll acknowledge acquire ");
    hub_until("renew", 3);
    hub_until("poll", 3);
    has(hub_last("poll"),
        "sessionId=5e55&status=Busy&runnerVersion=2.336.0&os=Linux&architecture=");
    has(hub_last("poll"), "&disableUpdate=true HTTP");
    has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    has(hub_last("acknowledge"), "status=Online");
    has(hub_last("acknowledge"), "{\"runnerRequestId\":\"" JOB_ID "\"}");
    has(hub_last("acquire"),
        "{\"jobMessageId\":\"" JOB_ID "\",\"runnerOS\":\"Linux\",\"billingOwnerId\":\"O_1\"}");
    has(hub_last("acquire"), "\r\nAccept: application/json\r\n");
    has(hub_last("acquire"), "User-Agent: GitHubActionsRunner-linux-");
    has(hub_last("renew"), "{\"planId\":\"" PLAN "\",\"jobId\":\"" JOB_ID "\"}");
    has(hub_last("renew"), "\r\nAuthorization: Bearer JOB1\r\n");
    hub_job_end(job, "success");
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"succeeded\"");
    has(hub_last("complete"), "\"billingOwnerId\":\"O_1\"");
    has(hub_last("complete"), "\r\nAuthorization: Bearer JOB1\r\n");
    hub_until("poll", 4);
    has(hub_last("poll"), "status=Online");
    hub_queue->ops->close(hub_queue);
    struct queue_health h = hub_until_done();
    cr_assert_eq(h.exit_code, 0);
    cr_assert_null(h.trouble);
    has(strstr(strstr(hub_transcript(), " complete "), " poll "), " close ");
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue, a_job_of_the_legacy_queue_from_its_session_to_its_completion)
{
    HUB_START({"poll", 1, 1, 204, NULL}, {"poll", 2, 2, 200, JOB});
    hub_open(&legacy);
    struct job *job = hub_until_job();

    has(hub_last("open"), "\"sessionId\":\"00000000-0000-0000-0000-000000000000\"");
    has(hub_last("open"), "\"version\":\"2.336.0\"");
    hub_until("lock", 2);
    hub_until("poll", 3);
    has(hub_transcript(), " connection open poll poll ");
    has(hub_last("delete"), "/messages/1?sessionId=5e55");
    has(hub_last("delete"), "Accept: application/json; api-version=5.1-preview.1");
    has(hub_last("lock"), "lockToken=00000000-0000-0000-0000-000000000000");
    has(hub_last("lock"), "{\"requestId\":4711}");
    has(hub_last("poll"), "lastMessageId=1");
    has(hub_last("poll"), "status=Busy");
    hub_job_end(job, "failure");
    hub_until("complete", 1);
    has(hub_last("complete"), "/_apis/distributedtask/hubs/actions/plans/" PLAN "/events");
    has(hub_last("complete"), "\"result\":\"failed\"");
    has(hub_last("complete"), "\r\nAuthorization: Bearer JOB1\r\n");
    hub_until("poll", 4);
    hub_queue->ops->close(hub_queue);
    cr_assert_eq(hub_until_done().exit_code, 0);
    cr_assert_eq(hub_count("close"), 1);
}

Test(github_queue, an_ephemeral_runner_takes_one_job_and_is_gone)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 2, 200, REFERENCE("")});
    hub_open(&ephemeral);
    struct job *job = hub_until_job();

    hub_until("poll", 3);
    hub_job_end(job, "success");
    struct queue_health h = hub_until_done();
    cr_assert_eq(h.exit_code, 0);
    cr_assert_eq(hub_count("acquire"), 1);
    cr_assert_eq(hub_count("complete"), 1);
    cr_assert_eq(hub_count("close"), 1);
}

Test(github_queue, an_ephemeral_runner_may_be_forgotten_before_its_job_has_ended)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 2, 401, NULL},
              {"poll", 3, 3, 401, NULL},
              {"open", 2, HUB_FOREVER, 404, BROKER_ERROR("RunnerNotFound")});
    hub_open(&ephemeral);
    struct job *job = hub_until_job();

    hub_until("open", 2);
    hub_job_end(job, "success");
    struct queue_health h = hub_until_done();
    cr_assert_eq(h.exit_code, 0);
    cr_assert_null(h.trouble, "%s", h.trouble);
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue, nothing_is_taken_before_there_is_a_slot)
{
    struct github_waits patient = hub_waits;

    patient.hold = 20000;
    HUB_START({"poll", 1, 1, 202, NULL}, {"poll", 2, 2, 200, REFERENCE("")});
    hub_open(&(struct hub_options){.waits = &patient});
    hub_queue->ops->want(hub_queue, 0);
    hub_until("poll", 2);
    has(hub_last("poll"), "status=Busy");
    hub_turn(60);
    cr_assert_eq(hub_count("acquire"), 0, "%s", hub_transcript());
    hub_queue->ops->want(hub_queue, 1);
    struct job *job = hub_until_job();
    cr_assert_eq(hub_count("acquire"), 1);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, a_job_that_finds_no_slot_stays_with_the_server)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    hub_queue->ops->want(hub_queue, 0);
    hub_until("poll", 2);
    cr_assert_eq(hub_count("acquire"), 0);
}

Test(github_queue, a_change_of_slots_is_told_at_once)
{
    HUB_START();
    hub_open(&broker);
    hub_until("poll", 1);
    has(hub_last("poll"), "status=Online");
    hub_queue->ops->want(hub_queue, 0);
    hub_until("poll", 2);
    has(hub_last("poll"), "status=Busy");
    hub_queue->ops->want(hub_queue, 3);
    hub_until("poll", 3);
    has(hub_last("poll"), "status=Online");
}

/* A poll that is open when the server hears of the end might be given the next job just as it is cut off. */
Test(github_queue, no_question_is_open_when_the_end_of_a_job_is_told)
{
    struct github_waits hasty = hub_waits;

    hasty.aside = 20;
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"complete", 1, 1, HUB_ON_CUE, "{}"});
    hub_open(&(struct hub_options){.waits = &hasty});
    struct job *job = hub_until_job();

    hub_until("poll", 2);
    hub_job_end(job, "success");
    hub_until("complete", 1);
    hub_until("poll", 3); /* it takes long: cancellations are listened for again */
    has(hub_last("poll"), "status=Busy");
    hub_cue();
    hub_until("poll", 4);
    has(hub_last("poll"), "status=Online");
}

/* ---- sessions ---- */

Test(github_queue, a_session_is_tried_for_until_it_is_open)
{
    HUB_START({"open", 1, 2, 503, NULL}, {"open", 3, 3, 200, "<html>"}, {"open", 4, 4, 200, "{}"},
              {"open", 5, 5, HUB_CUT, NULL});
    hub_open(&broker);
    hub_until("poll", 1);
    cr_assert_eq(hub_count("open"), 6);
}

Test(github_queue, a_conflict_passes_when_the_other_session_does)
{
    static const struct github_waits waits = {.session = 20, .conflict_most = 20000, .leave = 3000};
    static const struct hub_options patient = {.legacy = true, .waits = &waits};

    HUB_START({"open", 1, 2, 409, TENANT_ERROR("TaskAgentSessionConflictException")});
    hub_open(&patient);
    hub_until("poll", 1);
    cr_assert_eq(hub_count("open"), 3);
}

static const struct refusal {
    const char *name;
    int status;
    const char *body;
    bool legacy;
    int exit_code;
} sessions[] = {
    {"conflict", 409, "", false, 5},
    {"conflict", 409, TENANT_ERROR("TaskAgentSessionConflictException"), true, 5},
    {"forbidden", 403, "", false, 1},
    {"access denied", 403, TENANT_ERROR("AccessDeniedException"), true, 1},
    {"second 401", 401, "", false, 1},
    {"no agent", 404, TENANT_ERROR("TaskAgentNotFoundException"), true, 1},
    {"no runner", 404, BROKER_ERROR("RunnerNotFound"), false, 1},
    {"no pool", 404, TENANT_ERROR("TaskAgentPoolNotFoundException"), true, 1},
    {"too old", 400, BROKER_ERROR("RunnerVersionTooOld"), false, 1},
    {"revoked", 400, TENANT_ERROR("TaskAgentAccessTokenExpiredException"), true, 0},
    {"clocks", 400, "{\"message\":\"Current server time is 3\"}", false, 1},
};

static const struct refusal polls[] = {
    {"no runner", 404, BROKER_ERROR("RunnerNotFound"), false, 0},
    {"no agent", 404, TENANT_ERROR("TaskAgentNotFoundException"), true, 0},
    {"too old", 400, BROKER_ERROR("RunnerVersionTooOld"), false, 7},
    {"too old", 403, "{\"typeKey\":\"AccessDeniedException\",\"errorCode\":1,\"message\":\"old\"}",
     true, 7},
    {"revoked", 400, TENANT_ERROR("TaskAgentAccessTokenExpiredException"), true, 0},
    {"deprovisioned", 404, BROKER_ERROR("HostedRunnerDeprovisioned"), false, 0},
};

static struct hub_rule one[2];

static void refuse_all(const char *call, const struct refusal *row)
{
    const struct hub_options options = {.legacy = row->legacy};

    hub_leave();
    hub_enter();
    one[0] = (struct hub_rule){call, 1, HUB_FOREVER, row->status, row->body};
    hub_start(one, 1);
    hub_open(&options);
    struct queue_health h = hub_until_done();
    cr_assert_eq(h.exit_code, row->exit_code, "%s: %d", row->name, h.exit_code);
    cr_assert(h.trouble && strchr(h.trouble, ':'), "%s: no cure in '%s'", row->name,
              h.trouble ? h.trouble : "");
    cr_assert_eq(hub_count("close"), 0, "%s", row->name);
}

Test(github_queue, a_session_that_is_refused_ends_it_with_a_cure)
{
    for (size_t i = 0; i < COUNT_OF(sessions); i++)
        refuse_all("open", &sessions[i]);
}

Test(github_queue, a_poll_that_is_refused_for_good_ends_it_with_a_cure)
{
    for (size_t i = 0; i < COUNT_OF(polls); i++)
        refuse_all("poll", &polls[i]);
}

Test(github_queue, a_lost_session_is_replaced)
{
    HUB_START({"poll", 1, 1, 401, BROKER_ERROR("RunnerSessionInvalid")},
              {"poll", 2, 2, 200, REFERENCE("")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_eq(hub_count("open"), 2);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, ten_errors_in_a_row_lead_to_a_new_session)
{
    HUB_START({"poll", 1, 9, 500, NULL}, {"poll", 10, 10, HUB_CUT, NULL});
    hub_open(&broker);
    hub_until("poll", 11);
    cr_assert_eq(hub_count("open"), 2, "%s", hub_transcript());
}

Test(github_queue, the_legacy_queue_is_asked_on_for_ever)
{
    HUB_START({"poll", 1, 12, 500, NULL}, {"poll", 13, 13, 200, "no JSON"});
    hub_open(&legacy);
    hub_until("poll", 14);
    cr_assert_eq(hub_count("open"), 1);
}

Test(github_queue, trouble_is_told_while_it_lasts)
{
    struct queue_health h;

    HUB_START({"poll", 1, 3, 503, NULL}, {"poll", 4, 4, 202, NULL});
    hub_open(&broker);
    hub_until("poll", 2);
    hub_queue->ops->health(hub_queue, &h);
    cr_assert(!h.connected && h.trouble && h.failures > 0);
    hub_until("poll", 5);
    hub_queue->ops->health(hub_queue, &h);
    cr_assert(h.connected && !h.trouble, "%s", h.trouble);
    cr_assert(h.contact_ms > 0 && h.requests >= 6 && !h.ended);
}

/* ---- polls that find nothing, and messages that are nothing ---- */

Test(github_queue, empty_answers_that_come_at_once_are_no_busy_loop)
{
    HUB_START({"poll", 1, HUB_FOREVER, 202, NULL});
    hub_open(&broker);
    hub_until("poll", 3);
    int before = hub_count("poll");
    hub_turn(400); /* the pauses are of 10 ms at least, and soon of 20 */
    cr_assert_leq(hub_count("poll") - before, 45);
}

Test(github_queue, a_cancellation_of_no_job_of_ours_is_no_busy_loop_either)
{
    HUB_START({"poll", 1, HUB_FOREVER, 200, CANCEL("another")});
    hub_open(&broker);
    hub_until("poll", 3);
    int before = hub_count("poll");
    hub_turn(400);
    cr_assert_leq(hub_count("poll") - before, 45);
    cr_assert_str_eq(hub_stopped, "");
}

Test(github_queue, updates_are_refused_and_unknown_messages_passed_over)
{
    HUB_START(
        {"poll", 1, 2, 200, MESSAGE("1", "AgentRefresh", "{\\\"targetVersion\\\":\\\"9.9.9\\\"}")},
        {"poll", 3, 3, 200, MESSAGE("-2", "Surprise", "{}")},
        {"poll", 4, 4, 200, MESSAGE("4", "RunnerRefreshConfig", "{}")},
        {"poll", 5, 5, 200, "{\"messageType\":\"ForceTokenRefresh\",\"body\":\"\"}"},
        {"poll", 6, 6, 200, MESSAGE("6", "RunnerJobRequest", "nonsense")});
    hub_open(&legacy);
    hub_until("poll", 7);
    has(hub_notes, "9.9.9");
    cr_assert_null(strstr(strstr(hub_notes, "9.9.9") + 1, "9.9.9"), "%s", hub_notes);
    has(hub_notes, "Surprise");
    has(hub_notes, "meant for another runner");
    hub_until("told", 2);
    has(hub_last("told"), "updateTrace=");
    has(hub_notes, "without saying which");
    cr_assert_eq(hub_count("delete"), 5, "%s", hub_transcript());
    cr_assert_eq(hub_count("open"), 1);
}

Test(github_queue, deleting_a_message_is_tried_three_times_and_then_let_be)
{
    HUB_START({"poll", 1, 1, 200, MESSAGE("1", "Surprise", "{}")},
              {"delete", 1, HUB_FOREVER, 503, NULL});
    hub_open(&legacy);
    hub_until("poll", 2);
    cr_assert_eq(hub_count("delete"), 3);
}

/* Perhaps it is for the key of another session; if not, it must not be in the way of those behind it. */
Test(github_queue, a_message_that_cannot_be_read_is_met_with_a_new_session_and_then_thrown_away)
{
    HUB_START({"poll", 1, 2, 200, "{\"messageId\":77,\"body\":\"what is this?\"}"});
    hub_open(&legacy);
    hub_until("poll", 3);
    cr_assert_eq(hub_count("close"), 1, "%s", hub_transcript());
    cr_assert_eq(hub_count("open"), 2, "%s", hub_transcript());
    cr_assert_eq(hub_count("delete"), 1, "%s", hub_transcript());
    has(hub_last("delete"), "/messages/77?");
}

Test(github_queue, a_shutdown_by_the_service_ends_it_in_silence)
{
    HUB_START({"poll", 1, 1, 200, MESSAGE("1", "RunnerShutdown", "{}")});
    hub_open(&legacy);
    cr_assert_eq(hub_until_done().exit_code, 0);
    cr_assert_eq(hub_count("delete") + hub_count("close"), 0);
}

Test(github_queue, the_legacy_queue_sends_us_on_to_a_broker)
{
    HUB_START({"poll", 1, 2, 200,
               MESSAGE("0", "BrokerMigration", "{\\\"brokerBaseUrl\\\":\\\"@H/other\\\"}")},
              {"broker", 1, 1, 202, NULL}, {"broker", 2, 2, 200, REFERENCE("")});
    hub_open(&legacy);
    struct job *job = hub_until_job();

    has(hub_transcript(), " poll broker poll broker acquire ");
    has(hub_last("broker"), "sessionId=5e55");
    has_not(hub_last("broker"), "lastMessageId");
    cr_assert_eq(hub_count("delete"), 0);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, a_session_may_send_us_on_at_once)
{
    HUB_START(
        {"open", 1, 1, 200,
         "{\"sessionId\":\"5e55\",\"brokerMigrationMessage\":{\"brokerBaseUrl\":\"@H/other\"}}"},
        {"broker", 1, 1, 202, NULL});
    hub_open(&legacy);
    hub_until("poll", 1);
    has(hub_transcript(), " open broker poll ");
}

/* ---- getting a job ---- */

Test(github_queue, a_job_that_is_somebody_elses_is_let_go)
{
    static const int statuses[] = {404, 409, 422};

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        hub_leave();
        hub_enter();
        static struct hub_rule rules[2];
        rules[0] = (struct hub_rule){"poll", 1, 3, 200, REFERENCE("")};
        rules[1] = (struct hub_rule){"acquire", 1, 2, statuses[i], ""};
        hub_start(rules, 2);
        hub_open(&broker);
        struct job *job = hub_until_job();
        cr_assert_eq(hub_count("acquire"), 3, "%d:%s", statuses[i], hub_transcript());
        hub_job_end(job, "success");
        hub_until("complete", 1);
    }
}

Test(github_queue, acquiring_is_tried_five_times)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"acquire", 1, HUB_FOREVER, 503, NULL});
    hub_open(&broker);
    hub_until("poll", 2);
    cr_assert_eq(hub_count("acquire"), 5);
    has(hub_last("poll"), "status=Online");
    has(hub_notes, "a job could not be had");
}

Test(github_queue, an_acknowledgement_that_fails_stops_nothing)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE(ACKNOWLEDGED)}, {"acknowledge", 1, 1, HUB_HANG, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, an_ephemeral_runner_whose_job_is_gone_is_gone)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE(ACKNOWLEDGED)},
              {"acknowledge", 1, 1, 404, BROKER_ERROR("AcknowledgeJobNotFound")});
    hub_open(&ephemeral);
    cr_assert_eq(hub_until_done().exit_code, 0);
    cr_assert_eq(hub_count("acquire"), 0);
}

Test(github_queue, a_job_without_a_service_is_the_tenants)
{
    HUB_START({"poll", 1, 1, 200,
               MESSAGE("1", "RunnerJobRequest", "{\\\"runner_request_id\\\":\\\"" JOB_ID "\\\"}")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    has(hub_last("message"), "/runnermessages/" JOB_ID);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, what_a_server_repeats_of_a_token_shows_nowhere)
{
    HUB_START({"open", 1, 3, 500, "{\"message\":\"what is RUNNER1-and-more-of-it?\"}"},
              {"poll", 1, 1, 500, "{\"message\":\"what is RUNNER1-and-more-of-it?\"}"},
              {"poll", 2, 2, 200, REFERENCE("")},
              {"acquire", 1, 5, 500, "{\"message\":\"what is RUNNER1-and-more-of-it?\"}"});
    static const struct hub_options long_token = {.token = "RUNNER1-and-more-of-it"};
    struct queue_health h;

    hub_open(&long_token);
    hub_until("open", 2);
    hub_queue->ops->health(hub_queue, &h);
    has(h.trouble ? h.trouble : "", "what is ***");
    hub_until("acquire", 5);
    hub_until("poll", 3);
    has(hub_notes, "what is ***");
    has_not(hub_notes, "RUNNER1");
}

Test(github_queue, a_job_that_cannot_be_read_is_told_as_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")},
              {"acquire", 1, 1, 200,
               "{\"messageType\":\"RunnerJobRequest\",\"plan\":{\"planId\":\"" PLAN
               "\"},\"jobId\":\"" JOB_ID
               "\",\"resources\":{\"endpoints\":[{\"name\":\"SystemVssConnection\",\"url\":"
               "\"@H/run/\",\"authorization\":{\"parameters\":{\"AccessToken\":\"JOB1\"}}}]},"
               "\"steps\":7}"});
    hub_open(&broker);
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"failed\"");
    has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    has(hub_last("complete"), "\"annotations\":[{\"level\":\"failure\"");
    has(hub_last("complete"), "steps: must be a list");
    has(hub_last("complete"), "\"startLine\":1,\"endLine\":1,\"stepNumber\":1");
    hub_until("poll", 3);
    cr_assert_gt(hub_count("renew"), 0);
}

Test(github_queue, one_that_is_not_run_fails_as_it_is_set_up)
{
    struct err err = ERR_INIT;

    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    struct job *job = hub_until_job();
    cr_assert_eq(hub_queue->ops->ended(hub_queue, job->key, "it may not run here", &err), ERR_OK);
    job_deinit(job);
    free(job);
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"failed\"");
    has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    has(hub_last("complete"), "\"message\":\"it may not run here\"");
    has_not(hub_last("complete"), "57e90002-0000-4000-8000-000000000002");
}

Test(github_queue, a_job_that_says_nothing_of_itself_is_noted)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"acquire", 1, 1, 200, "{}"});
    hub_open(&broker);
    hub_until("poll", 2);
    has(hub_notes, "cannot be read");
    cr_assert_eq(hub_count("complete"), 0);
}

Test(github_queue, an_answer_that_is_no_job_is_asked_for_again)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"acquire", 1, 1, 200, "<html>Log in</html>"},
              {"acquire", 2, 2, 200, "{\"plan\": {\"pla"});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_eq(hub_count("acquire"), 3);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, a_page_for_people_is_no_word_that_the_end_was_heard)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"complete", 1, 2, 200, "<!DOCTYPE html><html>"});
    hub_open(&broker);
    hub_job_end(hub_until_job(), "success");
    hub_until("complete", 3);
}

/* ---- keeping it ---- */

Test(github_queue, the_job_waits_for_its_first_renewal)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 1, 4, 500, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_geq(hub_count("renew"), 5);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, renewals_that_fail_are_tried_on)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 2, 8, 503, NULL},
              {"renew", 9, 9, 401, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until("renew", 11);
    cr_assert_str_eq(hub_stopped, "");
    hub_job_end(job, "success");
    hub_until("complete", 1);
    has(hub_last("complete"), "succeeded");
}

Test(github_queue, a_lease_that_was_taken_away_ends_the_job_and_nothing_is_told)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 2, 2, 404, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until_stopped();
    has(hub_stopped, "taken the job away");
    cr_assert_null(hub_queue->ops->lease(hub_queue, job->key));
    hub_job_end(job, "cancelled");
    hub_until("poll", 3);
    has(hub_last("poll"), "status=Online");
    cr_assert_eq(hub_count("complete"), 0);
}

Test(github_queue, a_lease_that_ran_out_unheard_ends_the_job_as_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")},
              {"renew", 1, 1, 200, "{\"lockedUntil\":\"2001-01-01T00:00:00Z\"}"},
              {"renew", 2, HUB_FOREVER, 503, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until_stopped();
    has(hub_stopped, "cannot be reached");
    hub_job_end(job, "cancelled");
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"failed\"");
}

Test(github_queue, a_runner_that_was_renamed_there_is_renamed_here)
{
    CLEANUP(loose_freep) json_t *runner = NULL;
    struct err err = ERR_INIT;

    HUB_START({"poll", 1, 1, 200, JOB},
              {"lock", 1, HUB_FOREVER, 200,
               "{\"requestId\":4711,\"reservedAgent\":{\"id\":7,\"name\":\"box\"}}"});
    hub_open(&legacy);
    struct job *job = hub_until_job();

    cr_assert_eq(registration_read(hub_registration(), ".runner", &runner, &err), ERR_OK);
    cr_assert_str_eq(loose_text(runner, "agentName"), "box");
    cr_assert_eq(loose_int(runner, "agentId", 0), 7);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, the_legacy_lock_goes_with_the_job)
{
    HUB_START({"poll", 1, 1, 200, JOB},
              {"lock", 2, 2, 404, TENANT_ERROR("TaskAgentJobNotFoundException")});
    hub_open(&legacy);
    struct job *job = hub_until_job();

    hub_until_stopped();
    hub_job_end(job, "cancelled");
    hub_until("poll", 3);
    cr_assert_eq(hub_count("complete"), 0);
}

/* ---- ending it ---- */

Test(github_queue, a_cancellation_by_the_service_makes_it_canceled)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 3, HUB_ON_CUE, CANCEL(JOB_ID)});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_cue();
    hub_until_stopped();
    has(hub_stopped, "r1/" JOB_ID ": ");
    hub_job_end(job, "cancelled");
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"canceled\"");
}

Test(github_queue, a_cancellation_before_the_job_was_handed_out_needs_no_worker)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 2, 200, CANCEL(JOB_ID)},
              {"renew", 1, 1, HUB_HANG, NULL});
    hub_open(&broker);
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"canceled\",");
    has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    has(hub_last("complete"), "\"message\":\"The operation was canceled.\"");
    has_not(hub_last("complete"), "skipped");
    cr_assert_str_eq(hub_stopped, "");
    hub_until("poll", 4);
}

Test(github_queue, one_that_comes_when_the_job_is_ready_tells_that_it_was_set_up)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 3, HUB_ON_CUE, CANCEL(JOB_ID)});
    hub_open(&broker);
    hub_until("renew", 2); /* it is ours, and nobody took it yet */
    hub_cue();
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"canceled\",");
    has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    has_not(hub_last("complete"), "skipped");
    cr_assert_str_eq(hub_stopped, "");
}

Test(github_queue, a_job_that_does_not_end_in_its_time_is_killed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")},
              {"poll", 2, 3, HUB_ON_CUE,
               MESSAGE("9", "JobCancellation",
                       "{\\\"jobId\\\":\\\"" JOB_ID "\\\",\\\"timeout\\\":\\\"00:00:00\\\"}")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_cue();
    hub_until_stopped();
    hub_until_killed();
    has(hub_killed, "r1/" JOB_ID ": ");
    hub_job_end(job, NULL);
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"canceled\"");
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue, a_job_that_ends_in_its_time_is_left_alone)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 3, HUB_ON_CUE, CANCEL(JOB_ID)});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_cue();
    hub_until_stopped();
    hub_turn(150); /* more than the least, far less than what the message says */
    cr_assert_str_eq(hub_killed, "");
    hub_job_end(job, "cancelled");
    hub_until("complete", 1);
    cr_assert_str_eq(hub_killed, "");
}

/* ---- the authority that the service moves to ---- */

static const struct hub_options newer = {.newer = true};

Test(github_queue, the_newer_authoritys_token_goes_to_the_newer_services)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE(ACKNOWLEDGED)});
    hub_open(&newer);
    struct job *job = hub_until_job();

    static const char *const calls[] = {"open", "poll", "acknowledge", "acquire"};
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        has(hub_last(calls[i]), "\r\nAuthorization: Bearer RUNNER2\r\n");
    cr_assert_eq(hub_count("token"), 0);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue, a_session_that_it_gets_refused_is_opened_with_the_older_one)
{
    HUB_START({"open", 1, 1, 403, NULL});
    hub_open(&newer);
    hub_until("poll", 1);
    has(hub_last("open"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    has(hub_notes, "left alone for an hour");
    hub_until("told", 1);
    has(hub_last("told"), "currentState=RefreshConfig&");
    has(hub_last("told"), "\r\nAuthorization: Bearer RUNNER1\r\n");
}

Test(github_queue, a_token_that_the_newer_authority_refuses_is_had_from_the_older_one)
{
    HUB_START({"token2", 1, HUB_FOREVER, 400, "{\"error\":\"invalid_client\"}"});
    hub_open(&newer);
    hub_until("poll", 1);
    has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
}

Test(github_queue, a_poll_that_fails_goes_back_to_the_older_one_for_its_time)
{
    static const struct github_waits quick = {.session = 20,
                                              .pause = 10,
                                              .retry = 5,
                                              .floor = 5,
                                              .floor_most = 10,
                                              .broker_poll = 20000,
                                              .leave = 3000,
                                              .defer = 100};
    static const struct hub_options back = {.newer = true, .waits = &quick};

    HUB_START({"poll", 1, 1, 404, BROKER_ERROR("RunnerNotFound")}, {"poll", 2, 30, 202, NULL});
    hub_open(&back);
    hub_until("poll", 2);
    has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    hub_until("poll", 31); /* by then the time is over */
    has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER2\r\n");
    cr_assert_eq(hub_count("open"), 1);
}

/* ---- a registration that the service replaces ---- */

/* base64 of {"agentId":7,"agentName":"t1","poolId":1,"useV2Flow":true,"serverUrlV2":"http://127.0.0.1:9/","serverUrl":""} */
#define NOWHERE                                                                                    \
    "\"eyJhZ2VudElkIjo3LCJhZ2VudE5hbWUiOiJ0MSIsInBvb2xJZCI6MSwidXNlVjJGbG93Ijp0cnVlLCJzZXJ2ZXJVcm" \
    "x"                                                                                            \
    "WMiI6Imh0dHA6Ly8xMjcuMC4wLjE6OS8iLCJzZXJ2ZXJVcmwiOiIifQ==\""
#define REFRESH(kind)                                                                              \
    MESSAGE("4", "RunnerRefreshConfig",                                                            \
            "{\\\"runnerQualifiedId\\\":\\\"a/b/c/7\\\",\\\"configType\\\":\\\"" kind              \
            "\\\",\\\"serviceType\\\":\\\"pipelines\\\",\\\"configRefreshURL\\\":\\\"x\\\"}")

Test(github_queue, settings_that_the_service_replaces_are_tried_and_given_up_when_they_do_not_work)
{
    CLEANUP(loose_freep) json_t *written = NULL;
    struct err err = ERR_INIT;

    HUB_START({"poll", 1, 1, 200, REFRESH("runner")}, {"refresh", 1, 1, 200, NOWHERE});
    hub_open(&newer);
    hub_until("open", 2); /* three in vain at the new place, then here again */
    hub_until("poll", 2);
    has(hub_last("refresh"), "runnerconfigrefresh/runner HTTP");
    has(hub_last("refresh"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    has(hub_notes, "'.runner' was replaced by the service");
    has(hub_notes, "going on with the old one");
    has(strstr(hub_transcript(), " told "), " close ");
    cr_assert_eq(registration_read(hub_registration(), ".runner_migrated", &written, &err), ERR_OK);
    cr_assert_str_eq(loose_text(written, "serverUrlV2"), "http://127.0.0.1:9/");
}

Test(github_queue, what_is_not_to_be_changed_or_does_not_fit_changes_nothing)
{
    static const struct hub_rule answers[][2] = {
        {{"poll", 1, 1, 200, REFRESH("runner")}, {"refresh", 1, 1, 200, "\"\""}},
        {{"poll", 1, 1, 200, REFRESH("runner")}, {"refresh", 1, 1, 200, "\"e30=\""}},
        {{"poll", 1, 1, 200, REFRESH("credentials")}, {"refresh", 1, 1, 200, "\"e30=\""}},
        {{"poll", 1, 1, 200, REFRESH("credentials")}, {"refresh", 1, 1, 200, "{}"}},
        {{"poll", 1, 1, 200, REFRESH("runner")}, {"refresh", 1, 1, 500, NULL}},
        {{"poll", 1, 1, 200, REFRESH("labels")}, {"refresh", 1, 1, 500, NULL}},
    };

    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        CLEANUP(loose_freep) json_t *written = NULL;
        struct err err = ERR_INIT;

        hub_start(answers[i], COUNT_OF(answers[i]));
        hub_open(&newer);
        hub_until("poll", 2);
        cr_expect_eq(hub_count("open"), 1);
        cr_expect_eq(strstr(hub_notes, "stays as it is") != NULL, i > 0, "%zu: %s", i, hub_notes);
        cr_expect(registration_read(hub_registration(), ".runner_migrated", &written, &err) < 0);
        cr_expect(registration_read(hub_registration(), ".credentials_migrated", &written, &err) <
                  0);
        hub_leave();
        hub_enter();
    }
}

Test(github_queue, a_file_that_is_replaced_while_a_job_runs_waits_for_its_end)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 2, 200, REFRESH("runner")},
              {"refresh", 1, 1, 200, NOWHERE});
    hub_open(&newer);
    struct job *job = hub_until_job();

    hub_until("told", 1);
    hub_until("renew", hub_count("renew") + 2);
    cr_assert_eq(hub_count("open"), 1);
    cr_assert_eq(hub_count("close"), 0);
    hub_job_end(job, "success");
    hub_until("close", 1);
    has(strstr(hub_transcript(), " complete "), " close ");
}

Test(github_queue, a_shutdown_makes_it_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_queue->ops->cancel(hub_queue, false);
    has(hub_stopped, "shutdown signal");
    hub_job_end(job, "cancelled");
    cr_assert_eq(hub_until_done().exit_code, 0);
    has(hub_last("complete"), "\"conclusion\":\"failed\"");
    has(strstr(hub_transcript(), " complete "), " close ");
}

Test(github_queue, a_worker_that_died_makes_it_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    hub_job_end(hub_until_job(), NULL);
    hub_until("complete", 1);
    has(hub_last("complete"), "\"conclusion\":\"failed\"");
}

Test(github_queue, completing_is_tried_on_while_the_lease_is_renewed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"complete", 1, 6, 500, NULL},
              {"complete", 7, 7, HUB_CUT, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_job_end(job, "success");
    hub_until("complete", 8);
    hub_until("poll", 3);
    cr_assert_eq(hub_count("complete"), 8);
}

Test(github_queue, completing_ends_where_there_is_nobody_to_hear_it)
{
    static const int statuses[] = {401, 404};

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        hub_leave();
        hub_enter();
        static struct hub_rule rules[2];
        rules[0] = (struct hub_rule){"poll", 1, 1, 200, REFERENCE("")};
        rules[1] = (struct hub_rule){"complete", 1, HUB_FOREVER, statuses[i], ""};
        hub_start(rules, 2);
        hub_open(&broker);
        hub_job_end(hub_until_job(), "success");
        hub_until("poll", 3);
        cr_assert_eq(hub_count("complete"), 1);
        has(hub_notes, "could not be told");
    }
}

Test(github_queue, the_plan_that_is_gone_is_told_once)
{
    HUB_START({"poll", 1, 1, 200, JOB}, {"complete", 1, HUB_FOREVER, 404,
                                         TENANT_ERROR("TaskOrchestrationPlanNotFoundException")});
    hub_open(&legacy);
    hub_job_end(hub_until_job(), "success");
    hub_until("poll", 3);
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue, a_registration_deleted_under_a_job_lets_it_end)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")},
              {"poll", 2, 2, 404, BROKER_ERROR("RunnerNotFound")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until("poll", 2);
    hub_turn(50);
    cr_assert(!hub_queue->ops->done(hub_queue));
    hub_job_end(job, "success");
    cr_assert_eq(hub_until_done().exit_code, 0);
    cr_assert_eq(hub_count("complete"), 1);
}

/* ---- leaving ---- */

Test(github_queue, leaving_has_its_time_limit)
{
    struct github_waits waits = hub_waits;

    waits.leave = 100;
    HUB_START({"close", 1, 1, HUB_HANG, NULL});
    hub_open(&(struct hub_options){.waits = &waits});
    hub_until("poll", 1);
    hub_queue->ops->close(hub_queue);
    cr_assert_eq(hub_until_done().exit_code, 0);
}

Test(github_queue, closed_while_it_tries_for_a_session_it_is_done)
{
    HUB_START({"open", 1, HUB_FOREVER, 503, NULL});
    hub_open(&broker);
    hub_until("open", 2);
    hub_queue->ops->close(hub_queue);
    cr_assert_eq(hub_until_done().exit_code, 0);
    cr_assert_eq(hub_count("close"), 0);
}

Test(github_queue, a_job_on_its_way_when_it_is_closed_is_handed_out_still)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    hub_until("acquire", 1);
    hub_queue->ops->close(hub_queue);
    hub_job_end(hub_until_job(), "success");
    cr_assert_eq(hub_until_done().exit_code, 0);
    has(hub_last("complete"), "\"conclusion\":\"succeeded\"");
}

Test(github_queue, a_job_on_its_way_when_it_is_cancelled_has_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 1, HUB_FOREVER, HUB_HANG, NULL});
    hub_open(&broker);
    hub_until("renew", 1);
    hub_queue->ops->cancel(hub_queue, true);
    cr_assert_eq(hub_until_done().exit_code, 0);
    has(hub_last("complete"), "\"conclusion\":\"failed\"");
}

/* ---- after a crash ---- */

Test(github_queue, what_another_process_left_is_told_as_failed)
{
    static const bool ways[] = {false, true};

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        static struct hub_rule rules[1];
        const struct hub_options options = {.legacy = ways[i]};

        hub_leave();
        hub_enter();
        rules[0] = (struct hub_rule){"poll", 1, 1, 200, ways[i] ? JOB : REFERENCE("")};
        hub_start(rules, 1);
        hub_open(&options);
        struct job *job = hub_until_job();
        json_t *lease = hub_queue->ops->lease(hub_queue, job->key);
        cr_assert_not_null(lease);
        job_deinit(job);
        free(job);
        hub_queue->ops->detach(hub_queue); /* the process is gone */
        hub_queue->ops->free(hub_queue);
        hub_queue = NULL;

        hub_reopen(&options);
        hub_queue->ops->recover(hub_queue, lease);
        hub_until("complete", 1);
        has(hub_last("complete"), ways[i] ? "\"result\":\"failed\"" : "\"conclusion\":\"failed\"");
        has(hub_last("complete"), "Bearer JOB1");
        json_decref(lease);
        hub_queue->ops->close(hub_queue);
        hub_until_done();
        cr_assert_eq(hub_count("complete"), 1);
    }
}

/* A lease as a process that is gone left it; the hub answers its end by RULES. */
static void recover_one(const struct hub_options *o)
{
    CLEANUP(loose_freep)
    json_t *lease = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "github", "url", "", "token",
                              "JOB1", "plan_id", PLAN, "job_id", JOB_ID);

    hub_reopen(o);
    json_object_set_new(lease, "url", json_sprintf("%s/run/", hub_address));
    hub_queue->ops->recover(hub_queue, lease);
    hub_queue->ops->want(hub_queue, 1);
}

Test(github_queue, nobody_is_free_before_the_server_has_heard_of_a_lost_job)
{
    HUB_START({"complete", 1, 1, HUB_ON_CUE, NULL});
    recover_one(&broker);
    hub_until("poll", 1);
    has(hub_last("poll"), "status=Busy");
    hub_until("complete", 1);
    hub_cue();
    hub_until("poll", 2);
    has(hub_last("poll"), "status=Online");
    has(hub_notes, "a job was lost: it failed");
}

Test(github_queue, a_server_that_cannot_be_told_of_a_lost_job_is_not_waited_for_for_ever)
{
    struct github_waits waits = hub_waits;
    const struct hub_options brief = {.waits = &waits};

    waits.recover = 50;
    HUB_START({"complete", 1, HUB_FOREVER, HUB_HANG, NULL});
    recover_one(&brief);
    hub_until("poll", 1);
    for (int turns = 0; !strstr(hub_last("poll"), "status=Online"); turns++) {
        cr_assert_lt(turns, 3000, "%s", hub_last("poll"));
        hub_turn(10);
    }
    has(hub_notes, "let go of the job by itself");
    hub_queue->ops->close(hub_queue);
    cr_assert_eq(hub_until_done().exit_code, 0);
}

Test(github_queue, a_lease_that_is_none_is_passed_over)
{
    CLEANUP(loose_freep) json_t *lease = json_pack("{s:s}", "kind", "github");

    HUB_START();
    hub_open(&broker);
    hub_queue->ops->recover(hub_queue, lease);
    hub_until("poll", 1);
    cr_assert_eq(hub_count("complete"), 0);
}
