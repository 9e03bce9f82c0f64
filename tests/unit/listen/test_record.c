#include "listen/record.h"

#include "kit/scratch.h"
#include "report/report.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static struct job job;
static char told[4000]; /* what a record says when it is read again */

static void enter(void)
{
    scratch_enter();
    job_init(&job);
    job.id = "build";
    job.name = "build (22)";
    job.key = "r1/77";
    job.contexts = json_pack("{s:{s:s, s:s}}", "github", "workflow", "ci", "repository", "a/b");
    told[0] = '\0';
}

static void leave(void)
{
    job_deinit(&job);
    scratch_leave();
}

TestSuite(record, .init = enter, .fini = leave);

static void begin(int keep, int64_t log_max, struct job_record **ret)
{
    const struct record_spec spec = {.state = scratch_path, .keep = keep, .log_max = log_max};
    struct err err = ERR_INIT;

    cr_assert_eq(job_record_new(&spec, &job, ret, &err), ERR_OK, "%s", err.text);
}

static void say(struct job_record *r, json_t *take_event, const char *log)
{
    struct err err = ERR_INIT;

    cr_assert_eq(job_record_event(r, take_event, slice_of(log), &err), ERR_OK, "%s", err.text);
    json_decref(take_event);
}

static void say_log(struct job_record *r, const char *log)
{
    say(r, json_pack("{s:s, s:i}", "event", "log", "step", 1), log);
}

static int on_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    static const char *const members[] = {"event", "job", "workflow", "result", "reason", "text"};
    size_t len = strlen(told);

    (void)r;
    (void)err;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const char *text = json_string_value(json_object_get(event, members[i]));

        if (text)
            len += (size_t)snprintf(told + len, sizeof told - len, "%s ", text);
    }
    snprintf(told + len, sizeof told - len, "%.*s|", SLICE_ARG(log));
    return ERR_OK;
}

static int on_close(struct report *r, struct err *err)
{
    (void)r;
    (void)err;
    return ERR_OK;
}

static void read_again(const char *id)
{
    static const struct report_ops ops = {.event = on_event, .close = on_close};
    struct report reader = {.ops = &ops};
    struct err err = ERR_INIT;

    told[0] = '\0';
    cr_assert_eq(report_replay(scratch_path, id, &reader, &err), ERR_OK, "%s", err.text);
}

Test(record, is_a_run_that_can_be_read_again)
{
    struct job_record *r;

    begin(5, 0, &r);
    cr_assert(strstr(job_record_path(r), "/runs/1"), "%s", job_record_path(r));
    say(r, json_pack("{s:s, s:s}", "event", "job.started", "name", "build (22)"), "");
    say_log(r, "hello\n");
    say(r, json_pack("{s:s, s:s, s:{}}", "event", "job.finished", "result", "success", "outputs"),
        "");
    job_record_close(r, NULL);
    read_again("latest");
    cr_assert_str_eq(
        told, "run.started ci |job.queued build (22) |job.started build (22) |"
              "log build (22) hello\n|job.finished build (22) success |run.finished success |");
}

Test(record, of_a_lost_job_says_why)
{
    struct job_record *r;

    begin(5, 0, &r);
    job_record_close(r, "its worker was killed by signal 9");
    read_again("1");
    cr_assert(strstr(told, "job.finished build (22) failure its worker was killed by signal 9 |"
                           "run.finished failure |"),
              "%s", told);
    job_record_close(NULL, NULL);
}

Test(record, holds_no_more_of_a_log_than_it_may)
{
    struct job_record *r;

    begin(5, 20, &r);
    say_log(r, "twelve bytes\n");
    say_log(r, "too much by now\n");
    say_log(r, "and this, too\n");
    say(r, json_pack("{s:s, s:s, s:{}}", "event", "job.finished", "result", "success", "outputs"),
        "");
    job_record_close(r, NULL);
    read_again("1");
    cr_assert(strstr(told, "twelve bytes"), "%s", told);
    cr_assert(!strstr(told, "too much") && !strstr(told, "and this"), "%s", told);
    cr_assert(strstr(told, "note build (22) the log is too large"), "%s", told);
    cr_assert(strstr(told, "run.finished success"), "%s", told);
}

Test(record, makes_room_for_newer_ones)
{
    for (int i = 0; i < 5; i++) {
        struct job_record *r;

        begin(2, 0, &r);
        say(r, json_pack("{s:s, s:s}", "event", "job.started", "name", "build"), "");
        job_record_close(r, NULL);
    }
    for (int i = 1; i <= 3; i++) {
        char path[40];

        snprintf(path, sizeof path, "runs/%d", i);
        cr_expect(access(path, F_OK) < 0, "'%s' is still there", path);
    }
    read_again("4");
    read_again("5");
}
