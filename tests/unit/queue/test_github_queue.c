/* A queue of GitHub's from its session to its end, over both ways, against services that play a script. */
#include "queue/github/queue.h"

#include "base/attr.h"
#include "base/clock.h"
#include "unit/queue/github_hub.h"
#include "unit/queue/github_words.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(github_queue, .init = hub_enter, .fini = hub_leave);

static const struct hub_options broker, legacy = {.legacy = true}, ephemeral = {.ephemeral = true};

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
        hub_has(hub_last("poll"), wanted.ptr);
    }
}

Test(github_queue, a_job_of_the_broker_from_its_session_to_its_completion)
{
    HUB_START({"poll", 1, 1, 202, NULL}, {"poll", 2, 2, 200, REFERENCE(ACKNOWLEDGED)});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_str_eq(job->key, "r1/" JOB_ID);
    hub_has(hub_transcript(), " open poll poll acknowledge acquire ");
    hub_until("renew", 3);
    hub_until("poll", 3);
    hub_has(hub_last("poll"),
            "sessionId=5e55&status=Busy&runnerVersion=2.336.0&os=Linux&architecture=");
    hub_has(hub_last("poll"), "&disableUpdate=true HTTP");
    hub_has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    hub_has(hub_last("acknowledge"), "status=Online");
    hub_has(hub_last("acknowledge"), "{\"runnerRequestId\":\"" JOB_ID "\"}");
    hub_has(hub_last("acquire"),
            "{\"jobMessageId\":\"" JOB_ID "\",\"runnerOS\":\"Linux\",\"billingOwnerId\":\"O_1\"}");
    hub_has(hub_last("acquire"), "\r\nAccept: application/json\r\n");
    hub_has(hub_last("acquire"), "User-Agent: GitHubActionsRunner-linux-");
    hub_has(hub_last("renew"), "{\"planId\":\"" PLAN "\",\"jobId\":\"" JOB_ID "\"}");
    hub_has(hub_last("renew"), "\r\nAuthorization: Bearer JOB1\r\n");
    hub_job_end(job, "success");
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"succeeded\"");
    hub_has(hub_last("complete"), "\"billingOwnerId\":\"O_1\"");
    hub_has(hub_last("complete"), "\r\nAuthorization: Bearer JOB1\r\n");
    hub_until("poll", 4);
    hub_has(hub_last("poll"), "status=Online");
    hub_queue->ops->close(hub_queue);
    struct queue_health h = hub_until_done();
    cr_assert_eq(h.exit_code, 0);
    cr_assert_null(h.trouble);
    hub_has(strstr(strstr(hub_transcript(), " complete "), " poll "), " close ");
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue, a_job_of_the_legacy_queue_from_its_session_to_its_completion)
{
    HUB_START({"poll", 1, 1, 204, NULL}, {"poll", 2, 2, 200, JOB});
    hub_open(&legacy);
    struct job *job = hub_until_job();

    hub_has(hub_last("open"), "\"sessionId\":\"00000000-0000-0000-0000-000000000000\"");
    hub_has(hub_last("open"), "\"version\":\"2.336.0\"");
    hub_until("lock", 2);
    hub_until("poll", 3);
    hub_has(hub_transcript(), " connection open poll poll ");
    hub_has(hub_last("delete"), "/messages/1?sessionId=5e55");
    hub_has(hub_last("delete"), "Accept: application/json; api-version=5.1-preview.1");
    hub_has(hub_last("lock"), "lockToken=00000000-0000-0000-0000-000000000000");
    hub_has(hub_last("lock"), "{\"requestId\":4711}");
    hub_has(hub_last("poll"), "lastMessageId=1");
    hub_has(hub_last("poll"), "status=Busy");
    hub_job_end(job, "failure");
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "/_apis/distributedtask/hubs/actions/plans/" PLAN "/events");
    hub_has(hub_last("complete"), "\"result\":\"failed\"");
    hub_has(hub_last("complete"), "\r\nAuthorization: Bearer JOB1\r\n");
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
    hub_has(hub_last("poll"), "status=Busy");
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
    hub_has(hub_last("poll"), "status=Online");
    hub_queue->ops->want(hub_queue, 0);
    hub_until("poll", 2);
    hub_has(hub_last("poll"), "status=Busy");
    hub_queue->ops->want(hub_queue, 3);
    hub_until("poll", 3);
    hub_has(hub_last("poll"), "status=Online");
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
    hub_has(hub_last("poll"), "status=Busy");
    hub_cue();
    hub_until("poll", 4);
    hub_has(hub_last("poll"), "status=Online");
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
    hub_has(hub_notes, "9.9.9");
    cr_assert_null(strstr(strstr(hub_notes, "9.9.9") + 1, "9.9.9"), "%s", hub_notes);
    hub_has(hub_notes, "Surprise");
    hub_has(hub_notes, "meant for another runner");
    hub_until("told", 2);
    hub_has(hub_last("told"), "updateTrace=");
    hub_has(hub_notes, "without saying which");
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
    hub_has(hub_last("delete"), "/messages/77?");
}

/* Behind it others wait, which are asked for at once. */
Test(github_queue, a_message_that_is_too_large_is_thrown_away_unread_and_told_once)
{
    HUB_START({"poll", 1, 2, HUB_HUGE, "{\"messageType\":\"x\",\"messageId\":78,\"body\":\""},
              {"poll", 3, 3, 200, MESSAGE("79", "Surprise", "{}")});
    hub_open(&legacy);
    hub_until("poll", 4);
    cr_assert_eq(hub_count("delete"), 3, "%s", hub_transcript());
    cr_assert_eq(hub_count("open"), 1, "%s", hub_transcript());
    const char *told =
        strstr(hub_notes, "warning: a message of more than 80 MB came: it is deleted");
    cr_assert(told, "%s", hub_notes);
    cr_assert_null(strstr(told + 1, "warning:"), "%s", hub_notes);
}

Test(github_queue, one_that_is_too_large_to_say_which_it_is_is_asked_for_after_a_pause)
{
    struct github_waits waits = hub_waits;
    struct hub_options o = legacy;
    struct queue_health h;

    waits.pause = 500;
    o.waits = &waits;
    HUB_START({"poll", 1, HUB_FOREVER, HUB_HUGE, "{\"body\":\""});
    hub_open(&o);
    hub_until("poll", 1);
    int64_t begun = clock_ms();
    hub_until("poll", 2);
    cr_assert_geq(clock_ms() - begun, waits.pause);
    hub_queue->ops->health(hub_queue, &h);
    hub_has(h.trouble,
            "a message of more than 80 MB came, which is not read, and does not say which");
    cr_assert_eq(hub_count("delete"), 0);
}

Test(github_queue, a_broker_that_says_too_much_is_asked_again_after_a_pause)
{
    struct github_waits waits = hub_waits;
    struct hub_options o = broker;

    waits.pause = 500;
    o.waits = &waits;
    HUB_START({"poll", 1, 1, HUB_HUGE, MESSAGE("80", "Surprise", "{}")});
    hub_open(&o);
    hub_until("poll", 1);
    int64_t begun = clock_ms();
    hub_until("poll", 2);
    cr_assert_geq(clock_ms() - begun, waits.pause);
    cr_assert_eq(hub_count("delete"), 0);
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

    hub_has(hub_transcript(), " poll broker poll broker acquire ");
    hub_has(hub_last("broker"), "sessionId=5e55");
    hub_has_not(hub_last("broker"), "lastMessageId");
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
    hub_has(hub_transcript(), " open broker poll ");
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
    hub_has(hub_last("complete"), "\"conclusion\":\"succeeded\"");
}

Test(github_queue, a_job_on_its_way_when_it_is_cancelled_has_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 1, HUB_FOREVER, HUB_HANG, NULL});
    hub_open(&broker);
    hub_until("renew", 1);
    hub_queue->ops->cancel(hub_queue, true);
    cr_assert_eq(hub_until_done().exit_code, 0);
    hub_has(hub_last("complete"), "\"conclusion\":\"failed\"");
}
