/* A queue of GitHub's whose service moves: to another authority, to another registration. */
#include "queue/github/queue.h"

#include "base/attr.h"
#include "queue/loose.h"
#include "unit/queue/github_hub.h"
#include "unit/queue/github_words.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(github_queue_moves, .init = hub_enter, .fini = hub_leave);

static const struct hub_options newer = {.newer = true};

/* ---- the authority that the service moves to ---- */

Test(github_queue_moves, the_newer_authoritys_token_goes_to_the_newer_services)
{
    HUB_START({"poll", 1, 1, 200, REFERENCE(ACKNOWLEDGED)});
    hub_open(&newer);
    struct job *job = hub_until_job();

    static const char *const calls[] = {"open", "poll", "acknowledge", "acquire"};
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        hub_has(hub_last(calls[i]), "\r\nAuthorization: Bearer RUNNER2\r\n");
    cr_assert_eq(hub_count("token"), 0);
    hub_job_end(job, "success");
    hub_until("complete", 1);
}

Test(github_queue_moves, a_session_that_it_gets_refused_is_opened_with_the_older_one)
{
    HUB_START({"open", 1, 1, 403, NULL});
    hub_open(&newer);
    hub_until("poll", 1);
    hub_has(hub_last("open"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    hub_has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    hub_has(hub_notes, "left alone for an hour");
    hub_until("told", 1);
    hub_has(hub_last("told"), "currentState=RefreshConfig&");
    hub_has(hub_last("told"), "\r\nAuthorization: Bearer RUNNER1\r\n");
}

Test(github_queue_moves, a_token_that_the_newer_authority_refuses_is_had_from_the_older_one)
{
    HUB_START({"token2", 1, HUB_FOREVER, 400, "{\"error\":\"invalid_client\"}"});
    hub_open(&newer);
    hub_until("poll", 1);
    hub_has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
}

Test(github_queue_moves, a_poll_that_fails_goes_back_to_the_older_one_for_its_time)
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
    hub_has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    hub_until("poll", 31); /* by then the time is over */
    hub_has(hub_last("poll"), "\r\nAuthorization: Bearer RUNNER2\r\n");
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

Test(github_queue_moves,
     settings_that_the_service_replaces_are_tried_and_given_up_when_they_do_not_work)
{
    CLEANUP(loose_freep) json_t *written = NULL;
    struct err err = ERR_INIT;

    HUB_START({"poll", 1, 1, 200, REFRESH("runner")}, {"refresh", 1, 1, 200, NOWHERE});
    hub_open(&newer);
    hub_until("open", 2); /* three in vain at the new place, then here again */
    hub_until("poll", 2);
    hub_has(hub_last("refresh"), "runnerconfigrefresh/runner HTTP");
    hub_has(hub_last("refresh"), "\r\nAuthorization: Bearer RUNNER1\r\n");
    hub_has(hub_notes, "'.runner' was replaced by the service");
    hub_has(hub_notes, "going on with the old one");
    hub_has(strstr(hub_transcript(), " told "), " close ");
    cr_assert_eq(registration_read(hub_registration(), ".runner_migrated", &written, &err), ERR_OK);
    cr_assert_str_eq(loose_text(written, "serverUrlV2"), "http://127.0.0.1:9/");
}

Test(github_queue_moves, what_is_not_to_be_changed_or_does_not_fit_changes_nothing)
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

Test(github_queue_moves, a_file_that_is_replaced_while_a_job_runs_waits_for_its_end)
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
    hub_has(strstr(hub_transcript(), " complete "), " close ");
}
