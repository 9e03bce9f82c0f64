/* A job of a queue of GitHub's: how it is had, kept and ended, and what becomes of it after a crash. */
#include "queue/github/queue.h"

#include "base/attr.h"
#include "queue/loose.h"
#include "unit/queue/github_hub.h"
#include "unit/queue/github_words.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(github_queue_job, .init = hub_enter, .fini = hub_leave);

static const struct hub_options broker, legacy = {.legacy = true}, ephemeral = {.ephemeral = true};

/* ---- getting a job ---- */

Test(github_queue_job, a_job_that_is_somebody_elses_is_let_go)
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

Test(github_queue_job, acquiring_is_tried_five_times)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"acquire", 1, HUB_FOREVER, 503, NULL});
    hub_open(&broker);
    hub_until("poll", 2);
    cr_assert_eq(hub_count("acquire"), 5);
    hub_has(hub_last("poll"), "status=Online");
    hub_has(hub_notes, "a job could not be had");
}

Test(github_queue_job, an_acknowledgement_that_fails_stops_nothing)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE(ACKNOWLEDGED)}, {"acknowledge", 1, 1, HUB_HANG, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue_job, an_ephemeral_runner_whose_job_is_gone_is_gone)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE(ACKNOWLEDGED)},
              {"acknowledge", 1, 1, 404, BROKER_ERROR("AcknowledgeJobNotFound")});
    hub_open(&ephemeral);
    cr_assert_eq(hub_until_done().exit_code, 0);
    cr_assert_eq(hub_count("acquire"), 0);
}

Test(github_queue_job, a_job_without_a_service_is_the_tenants)
{
    HUB_START({"poll", 1, 1, 200,
               MESSAGE("1", "RunnerJobRequest", "{\\\"runner_request_id\\\":\\\"" JOB_ID "\\\"}")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_has(hub_last("message"), "/runnermessages/" JOB_ID);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue_job, what_a_server_repeats_of_a_token_shows_nowhere)
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
    hub_has(h.trouble ? h.trouble : "", "what is ***");
    hub_until("acquire", 5);
    hub_until("poll", 3);
    hub_has(hub_notes, "what is ***");
    hub_has_not(hub_notes, "RUNNER1");
}

Test(github_queue_job, a_job_that_cannot_be_read_is_told_as_failed)
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
    hub_has(hub_last("complete"), "\"conclusion\":\"failed\"");
    hub_has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    hub_has(hub_last("complete"), "\"annotations\":[{\"level\":\"failure\"");
    hub_has(hub_last("complete"), "steps: must be a list");
    hub_has(hub_notes, "warning: the job is not run: ");
    hub_has(hub_last("complete"), "\"startLine\":1,\"endLine\":1,\"stepNumber\":1");
    hub_until("poll", 3);
    cr_assert_gt(hub_count("renew"), 0);
}

Test(github_queue_job, one_that_is_not_run_fails_as_it_is_set_up)
{
    struct err err = ERR_INIT;

    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    struct job *job = hub_until_job();
    cr_assert_eq(hub_queue->ops->ended(hub_queue, job->key, "it may not run here", &err), ERR_OK);
    job_deinit(job);
    free(job);
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"failed\"");
    hub_has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    hub_has(hub_last("complete"), "\"message\":\"it may not run here\"");
    hub_has_not(hub_last("complete"), "57e90002-0000-4000-8000-000000000002");
}

Test(github_queue_job, a_job_that_says_nothing_of_itself_is_noted)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"acquire", 1, 1, 200, "{}"});
    hub_open(&broker);
    hub_until("poll", 2);
    hub_has(hub_notes, "warning: a job came that cannot be read");
    cr_assert_eq(hub_count("complete"), 0);
}

Test(github_queue_job, an_answer_that_is_no_job_is_asked_for_again)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"acquire", 1, 1, 200, "<html>Log in</html>"},
              {"acquire", 2, 2, 200, "{\"plan\": {\"pla"});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_eq(hub_count("acquire"), 3);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue_job, a_page_for_people_is_no_word_that_the_end_was_heard)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"complete", 1, 2, 200, "<!DOCTYPE html><html>"});
    hub_open(&broker);
    hub_job_end(hub_until_job(), "success");
    hub_until("complete", 3);
}

/* ---- keeping it ---- */

Test(github_queue_job, the_job_waits_for_its_first_renewal)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 1, 4, 500, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    cr_assert_geq(hub_count("renew"), 5);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue_job, renewals_that_fail_are_tried_on)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 2, 8, 503, NULL},
              {"renew", 9, 9, 401, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until("renew", 11);
    cr_assert_str_eq(hub_stopped, "");
    hub_job_end(job, "success");
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "succeeded");
}

Test(github_queue_job, a_lease_that_was_taken_away_ends_the_job_and_nothing_is_told)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"renew", 2, 2, 404, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until_stopped();
    hub_has(hub_stopped, "taken the job away");
    cr_assert_null(hub_queue->ops->lease(hub_queue, job->key));
    hub_job_end(job, "cancelled");
    hub_until("poll", 3);
    hub_has(hub_last("poll"), "status=Online");
    cr_assert_eq(hub_count("complete"), 0);
}

Test(github_queue_job, a_lease_that_ran_out_unheard_ends_the_job_as_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")},
              {"renew", 1, 1, 200, "{\"lockedUntil\":\"2001-01-01T00:00:00Z\"}"},
              {"renew", 2, HUB_FOREVER, 503, NULL});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_until_stopped();
    hub_has(hub_stopped, "cannot be reached");
    hub_job_end(job, "cancelled");
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"failed\"");
}

Test(github_queue_job, a_runner_that_was_renamed_there_is_renamed_here)
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

Test(github_queue_job, the_legacy_lock_goes_with_the_job)
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

Test(github_queue_job, a_cancellation_by_the_service_makes_it_canceled)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 3, HUB_ON_CUE, CANCEL(JOB_ID)});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_cue();
    hub_until_stopped();
    hub_has(hub_stopped, "r1/" JOB_ID ": ");
    hub_job_end(job, "cancelled");
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"canceled\"");
}

Test(github_queue_job, a_cancellation_before_the_job_was_handed_out_needs_no_worker)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 2, 200, CANCEL(JOB_ID)},
              {"renew", 1, 1, HUB_HANG, NULL});
    hub_open(&broker);
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"canceled\",");
    hub_has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    hub_has(hub_last("complete"), "\"message\":\"The operation was canceled.\"");
    hub_has_not(hub_last("complete"), "skipped");
    cr_assert_str_eq(hub_stopped, "");
    hub_until("poll", 4);
}

Test(github_queue_job, one_that_comes_when_the_job_is_ready_tells_that_it_was_set_up)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")}, {"poll", 2, 3, HUB_ON_CUE, CANCEL(JOB_ID)});
    hub_open(&broker);
    hub_until("renew", 2); /* it is ours, and nobody took it yet */
    hub_cue();
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"canceled\",");
    hub_has(hub_last("complete"), "\"action_name\":\"setup_job\"");
    hub_has_not(hub_last("complete"), "skipped");
    cr_assert_str_eq(hub_stopped, "");
}

Test(github_queue_job, a_job_that_does_not_end_in_its_time_is_killed)
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
    hub_has(hub_killed, "r1/" JOB_ID ": ");
    hub_job_end(job, NULL);
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"canceled\"");
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue_job, a_job_that_ends_in_its_time_is_left_alone)
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

Test(github_queue_job, a_shutdown_makes_it_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    struct job *job = hub_until_job();

    hub_queue->ops->cancel(hub_queue, false);
    hub_has(hub_stopped, "shutdown signal");
    hub_job_end(job, "cancelled");
    cr_assert_eq(hub_until_done().exit_code, 0);
    hub_has(hub_last("complete"), "\"conclusion\":\"failed\"");
    hub_has(strstr(hub_transcript(), " complete "), " close ");
}

Test(github_queue_job, a_worker_that_died_makes_it_failed)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE("")});
    hub_open(&broker);
    hub_job_end(hub_until_job(), NULL);
    hub_until("complete", 1);
    hub_has(hub_last("complete"), "\"conclusion\":\"failed\"");
}

Test(github_queue_job, completing_is_tried_on_while_the_lease_is_renewed)
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

Test(github_queue_job, completing_ends_where_there_is_nobody_to_hear_it)
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
        hub_has(hub_notes, "could not be told");
    }
}

Test(github_queue_job, the_plan_that_is_gone_is_told_once)
{
    HUB_START({"poll", 1, 1, 200, JOB}, {"complete", 1, HUB_FOREVER, 404,
                                         TENANT_ERROR("TaskOrchestrationPlanNotFoundException")});
    hub_open(&legacy);
    hub_job_end(hub_until_job(), "success");
    hub_until("poll", 3);
    cr_assert_eq(hub_count("complete"), 1);
}

Test(github_queue_job, a_registration_deleted_under_a_job_lets_it_end)
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

/* ---- after a crash ---- */

Test(github_queue_job, what_another_process_left_is_told_as_failed)
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
        hub_has(hub_last("complete"),
                ways[i] ? "\"result\":\"failed\"" : "\"conclusion\":\"failed\"");
        hub_has(hub_last("complete"), "Bearer JOB1");
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

Test(github_queue_job, nobody_is_free_before_the_server_has_heard_of_a_lost_job)
{
    HUB_START({"complete", 1, 1, HUB_ON_CUE, NULL});
    recover_one(&broker);
    hub_until("poll", 1);
    hub_has(hub_last("poll"), "status=Busy");
    hub_until("complete", 1);
    hub_cue();
    hub_until("poll", 2);
    hub_has(hub_last("poll"), "status=Online");
    hub_has(hub_notes, "a job was lost: it failed");
}

Test(github_queue_job, a_server_that_cannot_be_told_of_a_lost_job_is_not_waited_for_for_ever)
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
    hub_has(hub_notes, "let go of the job by itself");
    hub_queue->ops->close(hub_queue);
    cr_assert_eq(hub_until_done().exit_code, 0);
}

Test(github_queue_job, a_lease_that_is_none_is_passed_over)
{
    CLEANUP(loose_freep) json_t *lease = json_pack("{s:s}", "kind", "github");

    HUB_START();
    hub_open(&broker);
    hub_queue->ops->recover(hub_queue, lease);
    hub_until("poll", 1);
    cr_assert_eq(hub_count("complete"), 0);
}
