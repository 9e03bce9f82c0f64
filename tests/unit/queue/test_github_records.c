#include "queue/github/report/records.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define FIRST "57e90001-0000-4000-8000-000000000001"
#define SECOND "57e90002-0000-4000-8000-000000000002"
#define JOB "10b00000-1111-5222-8333-444444444444"
#define NOW "2026-07-08T20:12:39.6251234Z"
#define NOW_MS "2026-07-08T20:12:39.625Z"

static struct records records;

static void enter(void)
{
    static const struct records_step steps[] = {
        {FIRST, "Run actions/setup-node@v4", "repository", "actions/setup-node", "v4", NULL},
        {SECOND, "Test", "run", "bash", NULL, "test"},
    };

    records_init(&records, &(struct records_spec){.job_id = JOB,
                                                  .name = "build (22)",
                                                  .ref_name = "_2",
                                                  .worker_name = "t1",
                                                  .steps = steps,
                                                  .n_steps = 2});
}

static void leave(void)
{
    records_deinit(&records);
}

TestSuite(github_records, .init = enter, .fini = leave);

static struct record *feed_at(const char *event, int64_t n_lines)
{
    json_error_t error;
    json_t *j = json_loads(event, 0, &error);

    cr_assert(j, "%s: %s", event, error.text);
    struct record *one = records_event(&records, j, n_lines, NOW);
    json_decref(j);
    return one;
}

static struct record *feed(const char *event)
{
    return feed_at(event, 0);
}

/* J (taken over) as one line, to be compared. */
static void same(json_t *j, const char *wanted)
{
    json_error_t error;
    json_t *w = json_loads(wanted, JSON_DECODE_ANY, &error);
    char *text = json_dumps(j, JSON_SORT_KEYS | JSON_ENCODE_ANY);

    cr_assert(w, "%s: %s", wanted, error.text);
    cr_assert(json_equal(j, w), "wanted %s\ncame %s", wanted, text);
    free(text);
    json_decref(w);
    json_decref(j);
}

/* Starts and ends a step. */
static void run(int step, const char *stage, const char *name, const char *record)
{
    json_t *j = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s*}", "event", "step.started", "step", step,
                          "stage", stage, "name", name, "time", NOW, "record", record);

    (void)records_event(&records, j, 0, NOW);
    json_decref(j);
    bool action = record && strcmp(record, FIRST) == 0;
    j = json_pack("{s:s, s:i, s:s, s:s, s:s}", "event", "step.finished", "step", step, "conclusion",
                  "success", "kind", action ? "plugin" : "run", "by", "sh");
    (void)records_event(&records, j, 0, NOW);
    json_decref(j);
}

/* A post step that LEFT others follow. */
static void run_post(int step, const char *name, const char *record, int left)
{
    json_t *j =
        json_pack("{s:s, s:i, s:s, s:s, s:s, s:s*, s:i}", "event", "step.started", "step", step,
                  "name", name, "stage", "post", "time", NOW, "record", record, "left", left);

    (void)records_event(&records, j, 0, NOW);
    json_decref(j);
}

static void orders(const char *wanted)
{
    char text[400] = "";
    size_t n = 0;

    VEC_EACH (s, &records.steps)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d %s; ", (*s)->order, (*s)->name);
    cr_assert_str_eq(text, wanted);
}

/* ---- order ---- */

Test(github_records, the_steps_of_the_message_are_there_from_the_beginning)
{
    orders("2 Run actions/setup-node@v4; 3 Test; ");
    same(record_step_update(records.steps.ptr[1]),
         "{\"external_id\":\"" SECOND "\",\"number\":3,\"name\":\"Test\",\"status\":5,"
         "\"started_at\":null,\"completed_at\":null,\"conclusion\":0}");
}

Test(github_records, what_begins_before_them_pushes_them_on)
{
    run(1, "setup", "Set up job", NULL);
    orders("1 Set up job; 2 Run actions/setup-node@v4; 3 Test; ");
    records.steps.ptr[2]->changed = 0;
    run(2, "setup", "Initialize containers", NULL);
    run(3, "pre", "Pre Run actions/setup-node@v4", FIRST);
    orders("1 Set up job; 2 Initialize containers; 3 Pre Run actions/setup-node@v4; "
           "4 Run actions/setup-node@v4; 5 Test; ");
    cr_assert_eq(records.steps.ptr[4]->changed, (unsigned)RECORDS_FOR_ALL);
}

Test(github_records, services_hear_of_numbers_that_stay)
{
    const struct record *last = records.steps.ptr[1];

    run(1, "setup", "Set up job", NULL);
    cr_assert(records_is_news(&records, records.steps.ptr[0], RECORDS_FOR_RESULTS));
    cr_assert(!records_is_news(&records, last, RECORDS_FOR_RESULTS));
    cr_assert(!records_is_news(&records, last, RECORDS_FOR_TIMELINE));
    run(2, "main", "One", FIRST);
    cr_assert(records_is_news(&records, last, RECORDS_FOR_RESULTS));
    run(3, "setup", "Too late", NULL);
    orders("1 Set up job; 2 One; 3 Test; 4 Too late; ");
}

Test(github_records, post_steps_have_the_numbers_that_are_reserved_for_them)
{
    run(1, "setup", "Set up job", NULL);
    run(2, "main", "Run actions/setup-node@v4", FIRST);
    run(3, "main", "Test on node 22", SECOND);
    run_post(4, "Post Run actions/setup-node@v4", FIRST, 1);
    run_post(5, "Stop containers", NULL, 0);
    run(6, "complete", "Complete job", NULL);
    orders("1 Set up job; 2 Run actions/setup-node@v4; 3 Test on node 22; "
           "5 Post Run actions/setup-node@v4; 6 Stop containers; 7 Complete job; ");
}

Test(github_records, without_post_steps_there_is_no_gap)
{
    run(1, "setup", "Set up job", NULL);
    run(2, "main", "Run actions/setup-node@v4", FIRST);
    run(3, "main", "Test", SECOND);
    run(4, "complete", "Complete job", NULL);
    orders("1 Set up job; 2 Run actions/setup-node@v4; 3 Test; 4 Complete job; ");
}

/* ---- who is who ---- */

Test(github_records, main_steps_have_the_ids_of_the_message_and_others_their_own)
{
    run(1, "setup", "Set up job", NULL);
    const struct record *pre = feed("{\"event\":\"step.started\",\"step\":2,\"stage\":\"pre\","
                                    "\"name\":\"Pre x\",\"record\":\"" FIRST "\"}");
    cr_assert_str_neq(pre->id, FIRST);
    cr_assert_eq(strlen(pre->id), 36u);
    cr_assert_str_eq(pre->action, "actions/setup-node");
    const struct record *one = feed("{\"event\":\"step.started\",\"step\":3,\"stage\":\"main\","
                                    "\"name\":\"Run it\",\"record\":\"" FIRST "\"}");
    cr_assert_str_eq(one->id, FIRST);
    cr_assert_str_eq(one->name, "Run it");
    cr_assert_eq(records_find(&records, 3), one);
    cr_assert_null(records_find(&records, 99));
}

Test(github_records, steps_of_the_runner_are_called_by_their_names)
{
    static const struct {
        const char *stage, *name, *action;
    } rows[] = {{"setup", "Set up job", "setup_job"},
                {"setup", "Initialize containers", "initialize_containers"},
                {"pre", "Set up runner", "Pre Job Hook"},
                {"setup", "Pull busybox:1", "pull_busybox:1"},
                {"post", "Stop containers", "stop_containers"},
                {"post", "Complete runner", "Post Job Hook"},
                {"complete", "Complete job", "complete_job"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        run((int)i + 1, rows[i].stage, rows[i].name, NULL);
        const struct record *one = records_find(&records, (int)i + 1);
        cr_assert_str_eq(one->type, "runner");
        cr_assert_str_eq(one->action, rows[i].action);
    }
}

/* Lets step STEP end, run by KIND and BY, and says what its result has of it. */
static void ran(int step, const char *kind, const char *by, const char *type, const char *action)
{
    json_t *j = json_pack("{s:s, s:i, s:s, s:s*, s:s*}", "event", "step.finished", "step", step,
                          "conclusion", kind ? "success" : "skipped", "kind", kind, "by", by);
    const struct record *s = records_event(&records, j, 0, NOW);

    json_decref(j);
    cr_assert_str_eq(s->type ? s->type : "none", type, "%s: %s", kind, s->type);
    cr_assert_str_eq(s->action ? s->action : "none", action, "%s: %s", kind, s->action);
}

Test(github_records, what_ran_a_step_is_known_at_its_end)
{
    static const struct {
        const char *record, *kind, *by, *type, *action;
    } rows[] = {{SECOND, "run", "sh", "run", "sh"},
                {FIRST, "node", "node24", "node24", "actions/setup-node"},
                {FIRST, "composite", NULL, "composite", "actions/setup-node"},
                {FIRST, "plugin", NULL, "plugin", "actions/setup-node"},
                {FIRST, "docker", NULL, "Dockerfile", "actions/setup-node"},
                {FIRST, NULL, NULL, "none", "none"},
                {NULL, "hook", NULL, "runner", "x"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int step = (int)i + 1;
        json_t *j = json_pack("{s:s, s:i, s:s, s:s, s:s*}", "event", "step.started", "step", step,
                              "name", "x", "stage", "main", "record", rows[i].record);

        (void)records_event(&records, j, 0, NOW);
        json_decref(j);
        ran(step, rows[i].kind, rows[i].by, rows[i].type, rows[i].action);
    }
}

Test(github_records, the_plan_hears_what_ran_and_for_how_long)
{
    feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"Test\","
         "\"time\":\"" NOW "\",\"record\":\"" SECOND "\"}");
    feed("{\"event\":\"annotation\",\"step\":1,\"level\":\"notice\",\"message\":\"so\"}");
    feed("{\"event\":\"annotation\",\"step\":1,\"level\":\"error\",\"message\":\"bad\"}");
    feed("{\"event\":\"step.finished\",\"step\":1,\"conclusion\":\"failure\",\"kind\":\"run\","
         "\"by\":\"bash\",\"elapsed_ms\":1001}");
    feed("{\"event\":\"step.started\",\"step\":2,\"stage\":\"main\",\"name\":\"x\",\"record\":"
         "\"" FIRST "\"}");
    feed("{\"event\":\"step.finished\",\"step\":2,\"conclusion\":\"skipped\"}"); /* nothing did */
    same(records_telemetry(&records),
         "[{\"type\":\"run\",\"action\":\"bash\",\"stage\":\"Main\",\"stepContextName\":\"test\","
         "\"stepId\":\"" SECOND "\","
         "\"startTime\":\"" NOW "\",\"finishTime\":\"" NOW "\",\"result\":\"failed\","
         "\"executionTimeInSeconds\":2,\"errorMessages\":[\"bad\"]}]");
}

/* ---- states and results ---- */

Test(github_records, a_step_goes_from_pending_to_its_end)
{
    const struct record *s;

    s = feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"Test\","
             "\"time\":\"" NOW "\",\"record\":\"" SECOND "\"}");
    same(record_step_update(s),
         "{\"external_id\":\"" SECOND "\",\"number\":3,\"name\":\"Test\","
         "\"status\":3,\"started_at\":\"" NOW_MS "\",\"completed_at\":null,\"conclusion\":0}");
    s = feed("{\"event\":\"step.finished\",\"step\":1,\"outcome\":\"failure\","
             "\"conclusion\":\"success\"}"); /* continue-on-error */
    same(record_step_update(s), "{\"external_id\":\"" SECOND "\",\"number\":3,\"name\":\"Test\","
                                "\"status\":6,\"started_at\":\"" NOW_MS
                                "\",\"completed_at\":\"" NOW_MS "\",\"conclusion\":2}");
}

Test(github_records, each_result_has_its_number_and_its_name)
{
    static const struct {
        const char *from, *name;
        int number;
    } rows[] = {{"success", "succeeded", 2},
                {"failure", "failed", 3},
                {"cancelled", "canceled", 4},
                {"skipped", "skipped", 7},
                {"nonsense", "failed", 3}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[] = "n";
        struct record one = {.result = records_result_of(rows[i].from), .name = name};
        json_t *j = record_step_update(&one);

        cr_assert_str_eq(records_result_name(one.result), rows[i].name);
        cr_assert_eq(json_integer_value(json_object_get(j, "conclusion")), rows[i].number);
        json_decref(j);
    }
    cr_assert_null(records_result_name(RECORDS_NO_RESULT));
}

Test(github_records, a_skipped_step_has_both_times)
{
    feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"Test\",\"record\":"
         "\"" SECOND "\"}");
    feed("{\"event\":\"step.finished\",\"step\":1,\"conclusion\":\"skipped\"}");
    json_t *all = records_step_results(&records), *one = json_array_get(all, 0);
    cr_assert_str_eq(json_string_value(json_object_get(one, "started_at")), NOW_MS);
    cr_assert_str_eq(json_string_value(json_object_get(one, "completed_at")), NOW_MS);
    cr_assert_str_eq(json_string_value(json_object_get(one, "conclusion")), "skipped");
    json_decref(all);
}

Test(github_records, what_a_dead_worker_left_open_is_closed)
{
    feed("{\"event\":\"job.started\"}");
    feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"x\",\"record\":"
         "\"" FIRST "\"}");
    records_end(&records, RECORDS_NO_RESULT, NOW);
    cr_assert_eq(records.job.result, RECORDS_FAILED);
    cr_assert_eq(records.steps.ptr[0]->result, RECORDS_FAILED);
    cr_assert_eq(records.steps.ptr[1]->result, RECORDS_SKIPPED);
    cr_assert_eq(records.ended.len, 2u);
    cr_assert_str_eq(records.steps.ptr[1]->started, NOW);
    cr_assert_eq(records.job.state, RECORDS_COMPLETED);
}

Test(github_records, the_end_may_be_another_than_the_job_said)
{
    feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"x\",\"record\":"
         "\"" FIRST "\"}");
    feed("{\"event\":\"job.finished\",\"result\":\"cancelled\"}");
    cr_assert_eq(records.job.result, RECORDS_CANCELED);
    records_end(&records, RECORDS_FAILED, NOW);
    cr_assert_str_eq(records_result_name(records.job.result), "failed");
}

Test(github_records, step_results_come_in_the_order_of_their_ends)
{
    feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"a\",\"record\":"
         "\"" FIRST "\"}");
    run(2, "main", "b", SECOND);
    feed("{\"event\":\"step.finished\",\"step\":1,\"conclusion\":\"failure\",\"kind\":\"plugin\"}");
    same(records_step_results(&records),
         "[{\"external_id\":\"" SECOND "\",\"number\":3,\"name\":\"b\",\"type\":\"run\","
         "\"action_name\":\"sh\",\"status\":\"completed\",\"conclusion\":\"succeeded\","
         "\"started_at\":\"" NOW_MS "\",\"completed_at\":\"" NOW_MS "\",\"annotations\":[]},"
         "{\"external_id\":\"" FIRST "\",\"number\":2,\"name\":\"a\",\"type\":\"plugin\","
         "\"action_name\":\"actions/setup-node\",\"ref\":\"v4\",\"status\":\"completed\","
         "\"conclusion\":\"failed\",\"started_at\":\"" NOW_MS "\",\"completed_at\":\"" NOW_MS
         "\",\"annotations\":[]}]");
}

/* ---- issues ---- */

static const struct {
    const char *event; /* members of the annotation */
    int lines;
    const char *data, *annotation;
} findings[] = {
    {"\"level\":\"error\",\"message\":\"boom\"", 14,
     "{\"logFileLineNumber\":\"14\",\"stepNumber\":\"3\"}",
     "{\"level\":\"failure\",\"message\":\"boom\",\"startLine\":14,\"endLine\":14,\"stepNumber\":"
     "3}"},
    {"\"level\":\"warning\",\"message\":\"a\\nb\"", 14,
     "{\"logFileLineNumber\":\"13\",\"stepNumber\":\"3\"}",
     "{\"level\":\"warning\",\"message\":\"a\\nb\",\"startLine\":13,\"endLine\":13,\"stepNumber\":"
     "3}"},
    {"\"level\":\"notice\",\"message\":\"m\",\"title\":\"t\",\"file\":\"a.c\",\"line\":5,\"col\":2",
     1,
     "{\"file\":\"a.c\",\"title\":\"t\",\"line\":\"5\",\"col\":\"2\",\"logFileLineNumber\":\"1\","
     "\"stepNumber\":\"3\"}",
     "{\"level\":\"notice\",\"message\":\"m\",\"title\":\"t\",\"path\":\"a.c\",\"startLine\":5,"
     "\"endLine\":5,\"startColumn\":2,\"endColumn\":2,\"stepNumber\":3}"},
    {"\"level\":\"error\",\"message\":\"m\",\"file\":\"a.c\",\"line\":5,\"end_line\":7,\"code\":"
     "\"E1\"",
     1,
     "{\"file\":\"a.c\",\"code\":\"E1\",\"line\":\"5\",\"endLine\":\"7\",\"logFileLineNumber\":"
     "\"1\","
     "\"stepNumber\":\"3\"}",
     "{\"level\":\"failure\",\"message\":\"m\",\"path\":\"a.c\",\"startLine\":5,\"endLine\":7,"
     "\"stepNumber\":3}"},
    {"\"level\":\"error\",\"message\":\"m\",\"file\":\"a.c\"", 9,
     "{\"file\":\"a.c\",\"logFileLineNumber\":\"9\",\"stepNumber\":\"3\"}",
     "{\"level\":\"failure\",\"message\":\"m\",\"path\":\"a.c\",\"stepNumber\":3}"},
};

Test(github_records, findings_become_issues_and_annotations)
{
    for (size_t i = 0; i < COUNT_OF(findings); i++) {
        char event[400];

        feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"Test\","
             "\"record\":\"" SECOND "\"}");
        snprintf(event, sizeof event, "{\"event\":\"annotation\",\"step\":1,%s}",
                 findings[i].event);
        const struct record *s = feed_at(event, findings[i].lines);
        same(json_incref(json_object_get(json_array_get(s->issues, 0), "data")), findings[i].data);
        feed("{\"event\":\"step.finished\",\"step\":1,\"conclusion\":\"failure\"}");
        json_t *all = records_step_results(&records);
        same(json_incref(json_array_get(json_object_get(json_array_get(all, 0), "annotations"), 0)),
             findings[i].annotation);
        json_decref(all);
        leave();
        enter();
    }
}

Test(github_records, a_record_keeps_ten_issues_of_each_type_and_counts_all)
{
    feed("{\"event\":\"step.started\",\"step\":1,\"stage\":\"main\",\"name\":\"x\",\"record\":"
         "\"" FIRST "\"}");
    for (int i = 0; i < 12; i++) {
        feed("{\"event\":\"annotation\",\"step\":1,\"level\":\"error\",\"message\":\"e\"}");
        feed("{\"event\":\"annotation\",\"step\":1,\"level\":\"notice\",\"message\":\"n\"}");
    }
    json_t *j = record_timeline(&records, records.steps.ptr[0]);
    cr_assert_eq(json_integer_value(json_object_get(j, "errorCount")), 12);
    cr_assert_eq(json_integer_value(json_object_get(j, "warningCount")), 0);
    cr_assert_eq(json_integer_value(json_object_get(j, "noticeCount")), 12);
    cr_assert_eq(json_array_size(json_object_get(j, "issues")), 20u);
    json_decref(j);
}

Test(github_records, a_message_is_cut_as_dot_net_counts)
{
    char text[3 * 4096 + 1] = "", *at = text;

    for (int i = 0; i < 4095; i++)
        *at++ = 'a';
    memcpy(at, "\xf0\x9f\x98\x80tail", 9); /* takes two of them: one too many */
    records_job_issue(&records, RECORDS_ERROR, text);
    cr_assert_eq(
        json_string_length(json_object_get(json_array_get(records.job.issues, 0), "message")),
        4095u);
    memcpy(at, "\xc3\xa4tail", 7);
    records_job_issue(&records, RECORDS_ERROR, text);
    cr_assert_eq(
        json_string_length(json_object_get(json_array_get(records.job.issues, 1), "message")),
        4097u);
}

/* Ten megabytes of a name, and thirty of titles, for each step would be the listener's, which serves others as well. */
Test(github_records, texts_of_a_job_have_a_limit)
{
    enum { LONG = 1 << 20 };
    CLEANUP(free_ptr) char *text = mem_new(LONG + 1);
    size_t i;
    json_t *issue, *data;

    for (size_t at = 0; at < LONG; at += 2)
        memcpy(text + at, "\xc3\xa4", 2);
    run(1, "setup", text, NULL);
    run(2, "main", text, FIRST);
    cr_expect_eq(strlen(records_find(&records, 1)->name), 2 * RECORDS_TEXT_MAX);
    cr_expect_eq(strlen(records_find(&records, 2)->name), 2 * RECORDS_TEXT_MAX);
    data = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "event", "annotation", "step", 2,
                     "level", "error", "message", text, "file", text, "title", text, "code", text);
    (void)records_event(&records, data, 0, NOW);
    json_decref(data);
    json_array_foreach (records_find(&records, 2)->issues, i, issue) {
        const char *key;
        json_t *value;

        cr_expect_leq(json_string_length(json_object_get(issue, "message")),
                      2 * RECORDS_MESSAGE_MAX);
        json_object_foreach (json_object_get(issue, "data"), key, value)
            cr_expect_leq(json_string_length(value), 2 * RECORDS_TEXT_MAX, "%s", key);
    }
    cr_expect_eq(i, 1);
}

Test(github_records, an_annotation_needs_a_message)
{
    records_job_issue(&records, RECORDS_ERROR, "  ");
    records_job_issue(&records, RECORDS_WARNING, "The runner has received a shutdown signal.");
    same(records_job_annotations(&records),
         "[{\"level\":\"warning\",\"message\":\"The runner has received a shutdown signal.\"}]");
}

/* ---- the timeline's way of saying it ---- */

Test(github_records, the_job_and_its_steps_as_the_timeline_has_them)
{
    feed("{\"event\":\"job.started\"}");
    same(record_timeline(&records, &records.job),
         "{\"id\":\"" JOB "\",\"type\":\"Job\",\"name\":\"build (22)\",\"refName\":\"_2\","
         "\"workerName\":\"t1\",\"state\":\"inProgress\",\"startTime\":\"" NOW "\","
         "\"errorCount\":0,\"warningCount\":0,\"noticeCount\":0,\"issues\":[]}");
    records.steps.ptr[1]->log_id = 7;
    run(1, "main", "Test", SECOND);
    same(record_timeline(&records, records.steps.ptr[1]),
         "{\"id\":\"" SECOND "\",\"parentId\":\"" JOB "\",\"type\":\"Task\",\"name\":\"Test\","
         "\"order\":3,\"workerName\":\"t1\",\"state\":\"completed\",\"result\":\"succeeded\","
         "\"startTime\":\"" NOW "\",\"finishTime\":\"" NOW "\",\"log\":{\"id\":7},"
         "\"errorCount\":0,\"warningCount\":0,\"noticeCount\":0,\"issues\":[]}");
}

Test(github_records, outputs_and_the_address_of_the_environment)
{
    feed("{\"event\":\"job.finished\",\"result\":\"success\",\"outputs\":{\"version\":\"1.2.3\"},"
         "\"environment_url\":\"https://s.example\"}");
    same(records_outputs(&records), "{\"version\":{\"value\":\"1.2.3\"}}");
    cr_assert_str_eq(records.environment_url, "https://s.example");
    leave();
    enter();
    same(records_outputs(&records), "{}");
}

Test(github_records, events_that_make_no_sense_change_nothing)
{
    static const char *const rows[] = {"{}", "{\"event\":7}",
                                       "{\"event\":\"step.finished\",\"step\":4}",
                                       "{\"event\":\"annotation\",\"step\":\"x\",\"message\":3}",
                                       "{\"event\":\"progress\",\"step\":1}"};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert_null(feed(rows[i]), "%s", rows[i]);
    orders("2 Run actions/setup-node@v4; 3 Test; ");
}
