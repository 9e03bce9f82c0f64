/* When something is said, and when not; plans, ends, faults. */
#include <criterion/criterion.h>
#include <ostler/test.h>
#include <string.h>

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *job;

static void enter(void)
{
    job = ost_test_new(&ostler_plugin_v1);
    ost_test_scratch(job);
    ost_test_context(job, "job.status", "success");
    ost_test_context(job, "github.workflow", "CI");
    ost_test_context(job, "github.ref", "refs/heads/main");
    ost_test_with(job, "webhook-url", "https://api.test/hook");
    ost_test_exec_for_real(job, NULL);
}

static void leave(void)
{
    ost_test_free(job);
}

TestSuite(notify, .init = enter, .fini = leave);

static void expect_says(int phase, size_t n)
{
    ost_status r = ost_test_run(job, phase);

    cr_expect_eq(r, OST_OK, "%d: %s", r, ost_test_failure(job));
    cr_expect_eq(ost_test_requests(job, "*"), n, "%zu requests, not %zu\n%s",
                 ost_test_requests(job, "*"), n, ost_test_log(job));
}

static void expect_skipped(const char *why)
{
    const char *got = ost_test_output(job, "skipped");

    cr_expect(got && strcmp(got, why) == 0, "skipped is '%s'", got ? got : "(none)");
}

Test(notify, says_it_when_it_is_asked_to)
{
    static const struct {
        const char *when, *status;
        size_t n;
    } rows[] = {
        {"always", "success", 1},  {"always", "failure", 1},  {"always", "cancelled", 1},
        {"success", "success", 1}, {"success", "failure", 0}, {"success", "cancelled", 0},
        {"failure", "success", 0}, {"failure", "failure", 1}, {"failure", "cancelled", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(job, "when", rows[i].when);
        ost_test_context(job, "job.status", rows[i].status);
        expect_says(OST_PHASE_MAIN, rows[i].n);
        expect_skipped(rows[i].n ? "" : "when");
    }
}

Test(notify, says_only_what_has_changed)
{
    static const struct {
        const char *status, *ref;
        size_t n;
    } rows[] = {
        {"success", "refs/heads/main", 1}, {"success", "refs/heads/main", 0},
        {"failure", "refs/heads/main", 1}, {"failure", "refs/heads/main", 0},
        {"failure", "refs/heads/dev", 1},
    };

    ost_test_with(job, "when", "change");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_context(job, "job.status", rows[i].status);
        ost_test_context(job, "github.ref", rows[i].ref);
        expect_says(OST_PHASE_MAIN, rows[i].n);
        expect_skipped(rows[i].n ? "" : "when");
    }
}

Test(notify, says_the_same_once_in_a_while)
{
    ost_test_with(job, "every", "1h");
    expect_says(OST_PHASE_MAIN, 1);
    ost_test_context(job, "github.run_number",
                     "2"); /* a number in a message makes it no other one */
    expect_says(OST_PHASE_MAIN, 0);
    expect_skipped("every");
    ost_test_said(job, "info: nothing to say: it was said less than 1h ago");
    ost_test_context(job, "job.status", "failure");
    expect_says(OST_PHASE_MAIN, 1);
    ost_test_with(job, "every", "0s");
    expect_says(OST_PHASE_MAIN, 1);
}

Test(notify, what_was_not_heard_is_said_again)
{
    ost_test_with(job, "every", "1h");
    ost_test_on_http(job, "*", .status = 404);
    expect_says(OST_PHASE_MAIN, 1);
    expect_says(OST_PHASE_MAIN, 1);
}

Test(notify, without_a_memory_it_speaks_and_says_why)
{
    ost_test_with(job, "when", "change");
    ost_test_with(job, "every", "1h");
    ost_test_without(job, OST_EXT_CACHE);
    expect_says(OST_PHASE_MAIN, 1);
    ost_test_said(job, "warning: this job has no cache*");
    leave();
    enter();
    ost_test_with(job, "when", "change");
    ost_test_on_service(job, "cache.restore", OST_E_IO, "the service is down");
    ost_test_on_service(job, "cache.save", OST_E_IO, "the service is down");
    expect_says(OST_PHASE_MAIN, 1);
    ost_test_said(job, "warning: cannot look up what was said before: the service is down");
    ost_test_said(job, "warning: cannot remember what was said: the service is down");
}

Test(notify, waits_for_the_end_of_the_job)
{
    ost_test_with(job, "at", "end");
    ost_test_with(job, "message", "{{ status }} after {{ duration }}");
    expect_says(OST_PHASE_PRE, 0);
    cr_expect_neq(ost_test_kept(job, "started"), NULL);
    expect_says(OST_PHASE_MAIN, 0);
    ost_test_said(job, "info: 1 target will be told at the end of the job");
    cr_expect_str_eq(ost_test_kept(job, "later"), "yes");

    ost_test_saved(job, "started", "1000");
    ost_test_saved(job, "later", "yes");
    ost_test_context(job, "job.status", "failure");
    expect_says(OST_PHASE_POST, 1);
    cr_expect(strstr(ost_test_request(job, 0)->body, "\"text\":\"failure after "), "%s",
              (const char *)ost_test_request(job, 0)->body);
}

Test(notify, speaks_at_the_end_of_a_job_that_failed_before_its_turn)
{
    ost_test_with(job, "at", "end");
    ost_test_context(job, "job.status", "failure"); /* main was skipped: nothing was saved by it */
    expect_says(OST_PHASE_POST, 1);
    ost_test_context(job, "job.status", "success"); /* its own `if` has skipped it */
    expect_says(OST_PHASE_POST, 0);
    ost_test_with(job, "at", "now");
    ost_test_context(job, "job.status", "failure");
    expect_says(OST_PHASE_POST, 0);
}

Test(notify, a_mistake_in_a_message_for_the_end_is_found_in_its_turn)
{
    ost_test_with(job, "at", "end");
    ost_test_with(job, "message", "{{ nothing }}");
    cr_expect_eq(ost_test_run(job, OST_PHASE_MAIN), OST_E_INVALID);
}

Test(notify, plans_who_would_be_told_what)
{
    ost_test_with(job, "message", "{{ workflow }} is **done**");
    ost_test_with(job, "mail-to", "a@b.test\nc@d.test");
    ost_test_with(job, "mail-from", "ci@b.test");
    ost_test_with(job, "mail-server", "mail.test");
    ost_test_with(job, "when", "failure");
    expect_says(OST_PHASE_PLAN, 0);
    cr_expect_str_eq(ost_test_planned(job, 0), "tell webhook api.test: (when: failure) CI is done");
    cr_expect_str_eq(ost_test_planned(job, 1),
                     "tell mail to a@b.test and 1 more: (when: failure) CI is done");
    cr_expect_null(ost_test_planned(job, 2));
}

Test(notify, a_message_holds_no_secret_of_the_job)
{
    ost_test_with(job, "message", "the password is hunter2, {{ github.actor }}");
    ost_test_context(job, "github.actor", "hunter2");
    ost_test_secret(job, "hunter2");
    expect_says(OST_PHASE_MAIN, 1);
    cr_expect_null(strstr(ost_test_request(job, 0)->body, "hunter2"));
    cr_expect(strstr(ost_test_request(job, 0)->body, "the password is ***, ***"));
}

Test(notify, an_old_runner_is_told_to_be_updated)
{
    ost_test_without(job, OST_EXT_HTTP);
    expect_says(OST_PHASE_MAIN, 0);
    ost_test_said(job, "warning: *update it");
}

Test(notify, survives_every_fault)
{
    for (int phase = OST_PHASE_PLAN; phase <= OST_PHASE_POST; phase++) {
        ost_test_with(job, "at", phase == OST_PHASE_POST ? "end" : "now");
        ost_test_with(job, "when", "change");
        ost_test_with(job, "every", "1s");
        ost_test_with(job, "timeout", "1");
        ost_test_saved(job, "later", "yes");
        cr_expect_gt(ost_test_each_fault(job, .phase = phase), 0);
    }
}
