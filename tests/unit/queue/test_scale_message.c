#include "queue/github/scale/admin.h"
#include "queue/github/scale/message.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena arena;
static struct scale_message m;

static void forget(void)
{
    arena_deinit(&arena);
    m = (struct scale_message){0};
}

TestSuite(scale_message, .fini = forget);

#define MESSAGE(more) "{\"messageId\":4,\"messageType\":\"RunnerScaleSetJobMessages\"" more "}"

static void parse(const char *text)
{
    struct err err = ERR_INIT;

    forget();
    cr_assert_eq(scale_message_parse(&arena, slice_of(text), &m, &err), ERR_OK, "%s", err.text);
}

Test(scale_message, figures_and_jobs_come_out_of_it)
{
    parse(MESSAGE(
        ",\"statistics\":{\"totalAvailableJobs\":1,\"totalAssignedJobs\":3,\"totalRunningJobs\":2,"
        "\"totalRegisteredRunners\":4,\"totalBusyRunners\":2,\"totalIdleRunners\":2},\"body\":\"["
        "{\\\"messageType\\\":\\\"JobAvailable\\\",\\\"runnerRequestId\\\":4711},"
        "{\\\"messageType\\\":\\\"NeverHeardOf\\\"},"
        "{\\\"messageType\\\":\\\"JobStarted\\\",\\\"runnerName\\\":\\\"w-1\\\",\\\"ownerName\\\":"
        "\\\"acme\\\",\\\"repositoryName\\\":\\\"widgets\\\",\\\"jobDisplayName\\\":\\\"build\\\","
        "\\\"eventName\\\":\\\"push\\\",\\\"scaleSetAssignTime\\\":\\\"2026-01-01T00:00:01.5Z\\\","
        "\\\"runnerAssignTime\\\":\\\"2026-01-01T00:00:08Z\\\"},"
        "{\\\"messageType\\\":\\\"JobCompleted\\\",\\\"result\\\":\\\"failed\\\","
        "\\\"runnerAssignTime\\\":\\\"0001-01-01T00:00:00\\\"}]\""));
    cr_assert_eq(m.id, 4);
    cr_assert_null(m.odd);
    cr_assert(m.counted);
    cr_assert_eq(m.statistics.assigned, 3);
    cr_assert_eq(m.statistics.registered, 4);
    cr_assert_eq(m.n_jobs, 3, "%zu", m.n_jobs);
    cr_assert_eq(m.jobs[0].event, SCALE_AVAILABLE);
    cr_assert_eq(m.jobs[0].request_id, 4711);
    cr_assert_eq(m.jobs[0].waited_s, -1);
    cr_assert_eq(m.jobs[1].event, SCALE_STARTED);
    cr_assert_str_eq(m.jobs[1].runner, "w-1");
    cr_assert_str_eq(m.jobs[1].repository, "widgets");
    cr_assert_eq(m.jobs[1].waited_s, 7);
    cr_assert_eq(m.jobs[2].event, SCALE_COMPLETED);
    cr_assert_str_eq(m.jobs[2].result, "failed");
    cr_assert_eq(m.jobs[2].waited_s, -1);
}

Test(scale_message, what_makes_no_sense_is_passed_over_and_said)
{
    static const char *const odd[] = {
        "{\"messageId\":1,\"messageType\":\"Other\",\"body\":\"[]\"}",
        MESSAGE(",\"body\":\"{}\""),
        MESSAGE(",\"body\":\"[\""),
    };

    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        parse(odd[i]);
        cr_expect_not_null(m.odd, "%s", odd[i]);
        cr_expect_eq(m.n_jobs, 0, "%s", odd[i]);
    }
    parse(MESSAGE(",\"statistics\":{\"totalAssignedJobs\":-1,\"totalIdleRunners\":99999999999}"));
    cr_assert_null(m.odd);
    cr_assert_eq(m.statistics.assigned, 0);
    cr_assert_eq(m.statistics.idle, SCALE_COUNT_MAX);
}

Test(scale_message, one_without_a_number_is_none)
{
    static const char *const none[] = {"", "[]", "{}", "{\"messageId\":0}", "{\"messageId\":-3}"};

    for (size_t i = 0; i < COUNT_OF(none); i++) {
        struct err err = ERR_INIT;
        cr_expect_eq(scale_message_parse(&arena, slice_of(none[i]), &m, &err), ERR_INVALID, "%s",
                     none[i]);
        cr_expect_eq(m.id, 0);
    }
}

Test(scale_message, no_more_jobs_than_there_may_be)
{
    struct buf text = BUF_INIT(4 << 20);

    buf_add_str(&text,
                "{\"messageId\":4,\"messageType\":\"RunnerScaleSetJobMessages\",\"body\":\"[");
    for (int i = 0; i < SCALE_JOBS_MAX + 5; i++)
        buf_printf(&text, "%s{\\\"messageType\\\":\\\"JobAssigned\\\"}", i ? "," : "");
    buf_add_str(&text, "]\"}");
    parse(text.ptr);
    cr_assert_eq(m.n_jobs, SCALE_JOBS_MAX);
    cr_assert_not_null(m.odd);
    buf_deinit(&text);
}

Test(scale_message, a_token_says_how_long_it_is_good)
{
    /* {"nbf":1000,"exp":4600}, {"iat":1000,"exp":1060}, {"nbf":9,"exp":5} */
    cr_assert_eq(scale_token_life("h.eyJuYmYiOjEwMDAsImV4cCI6NDYwMH0.s"), 3600);
    cr_assert_eq(scale_token_life("h.eyJpYXQiOjEwMDAsImV4cCI6MTA2MH0.s"), 60);
    cr_assert_eq(scale_token_life("h.eyJuYmYiOjksImV4cCI6NX0.s"), 0);
    cr_assert_eq(scale_token_life("plain"), 0);
    cr_assert_eq(scale_token_life("h.e30.s"), 0);
    cr_assert_eq(scale_token_life("h.%%%.s"), 0);
}
