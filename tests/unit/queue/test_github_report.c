#include "queue/github/report/report.h"

#include "base/fd.h"

#include "kit/scratch.h"
#include "kit/server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST "57e90001-0000-4000-8000-000000000001"
#define SECOND "57e90002-0000-4000-8000-000000000002"
#define JOB "10b00000-1111-5222-8333-444444444444"
#define PLAN "91a40000-aaaa-4bbb-8ccc-dddddddddddd"
#define T "2026-07-08T20:12:39.6251234Z "
#define BOM "\xef\xbb\xbf"

/* ---- a service: what it got lies in files, one a kind; blobs and pages under their names ---- */

enum fault_kind {
    FAULT_STATUS, /* answers SAYS instead */
    FAULT_CUT,    /* says nothing */
    FAULT_DONE    /* does what it is told, and says nothing */
};

static struct {
    const char *where; /* in the request line; NULL: none */
    enum fault_kind kind;
    const char *status, *body;
    int times, after; /* so often, once that many were let through */
} fault;

static struct {
    int faults, met, pages, order;
} * shared; /* with the server's processes */

static const char *storage_type = "BLOB_STORAGE_TYPE_AZURE", *summary_limit = "1048576";
static bool other_routes;

static void keep(const char *name, const char *bytes, size_t size, bool anew)
{
    int fd = open(name, O_WRONLY | O_CREAT | (anew ? O_TRUNC : O_APPEND), 0600);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    close(fd);
}

static void keep_line(const char *name, const struct server_request *q)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(64 << 20);

    buf_add(&line, slice_make(q->body, q->body_size));
    buf_add_char(&line, '\n');
    keep(name, line.ptr, line.len, false);
}

static void answer(int fd, const char *status, const char *body)
{
    server_answer(fd, status, "X-GitHub-Request-Id: R1\r\n", body, strlen(body));
}

static bool has(const char *head, const char *what)
{
    return strstr(head, what);
}

/* Signs an address for what the body names. */
static void sign(int fd, const struct server_request *q, const char *member)
{
    json_error_t error;
    json_t *j = json_loadb(q->body, q->body_size, 0, &error);
    const char *step = json_string_value(json_object_get(j, "step_backend_id"));
    const char *host = strstr(q->head, "Host: ");
    char text[600];

    snprintf(text, sizeof text,
             "{\"%s\":\"http://%.*s/blob/%s%s?sig=x\",\"blob_storage_type\":\"%s\","
             "\"soft_size_limit\":\"%s\"}",
             member, (int)strcspn(host + 6, "\r"), host + 6,
             strcmp(member, "summary_url") == 0 ? "summary-" : "", step ? step : "job",
             storage_type, summary_limit);
    answer(fd, "200 OK", text);
    json_decref(j);
}

static int64_t size_of(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? st.st_size : -1;
}

/* Strict: what is not of the protocol is refused. */
static void store(int fd, const struct server_request *q)
{
    char name[100];
    const char *at = strstr(q->head, "/blob/") + 6, *pos = strstr(q->head, "appendpos: ");
    size_t n = strcspn(at, "?");

    snprintf(name, sizeof name, "blob-%.*s", (int)n, at);
    keep("storage", q->head, strlen(q->head), false);
    if (has(q->head, "Authorization")) {
        answer(fd, "403 Forbidden", "");
    } else if (has(q->head, "comp=appendblock")) {
        if (pos && strtoll(pos + 11, NULL, 10) != size_of(name)) {
            answer(fd, "412 Precondition Failed", "");
            return;
        }
        keep(name, q->body, q->body_size, false);
        answer(fd, size_of(name) < 0 ? "404 Not Found" : "201 Created", "");
    } else {
        keep(name, q->body, q->body_size, true);
        answer(fd, "201 Created", "");
    }
}

static void results(int fd, const struct server_request *q)
{
    if (!has(q->head, "Authorization: Bearer JOB1\r\n"))
        answer(fd, "401 Unauthorized", "");
    else if (has(q->head, "WorkflowStepsUpdate")) {
        keep_line("updates", q);
        answer(fd, "200 OK", "{}");
    } else if (has(q->head, "LogsSignedBlobURL"))
        sign(fd, q, "logs_url");
    else if (has(q->head, "GetStepSummarySignedBlobURL"))
        sign(fd, q, "summary_url");
    else if (has(q->head, "Metadata ")) {
        keep_line("told", q);
        answer(fd, "200 OK", "{\"ok\":true}");
    } else
        answer(fd, "404 Not Found", "{\"code\":\"bad_route\",\"msg\":\"no such thing\"}");
}

static const char routes[] =
    "{\"locationServiceData\":{\"serviceDefinitions\":[{\"serviceType\":\"distributedtask\","
    "\"identifier\":\"8893bc5b-35b2-4be7-83cb-99e683551db4\",\"displayName\":\"records\","
    "\"relativePath\":\"_apis/v1/Timeline/{timelineId}\",\"resourceVersion\":1,\"minVersion\":"
    "\"1.0\",\"maxVersion\":\"6.0\",\"releasedVersion\":\"5.1\"}]}}";

static void tenant(int fd, const struct server_request *q)
{
    char name[64], text[64];

    keep("tenant", q->head, strcspn(q->head, "\r"), false);
    keep("tenant", "\n", 1, false);
    if (has(q->head, "connectionData")) {
        answer(fd, "200 OK", other_routes ? routes : "{}");
    } else if (has(q->head, "/records ") || has(q->head, "/_apis/v1/Timeline/")) {
        keep_line("records", q);
        answer(fd, "200 OK", "{\"count\":0,\"value\":[]}");
    } else if (has(q->head, "/attachments/")) {
        keep("attachment", q->body, q->body_size, true);
        answer(fd, "200 OK", "{}");
    } else if (has(q->head, "/feed ")) {
        keep_line("feed", q);
        answer(fd, "200 OK", "");
    } else if (has(q->head, "/logs ")) {
        keep_line("pages", q);
        snprintf(text, sizeof text, "{\"id\":%d}",
                 __atomic_add_fetch(&shared->pages, 1, __ATOMIC_SEQ_CST));
        answer(fd, "200 OK", text);
    } else if (has(q->head, "/logs/")) {
        snprintf(name, sizeof name, "page-%ld", strtol(strstr(q->head, "/logs/") + 6, NULL, 10));
        keep(name, q->body, q->body_size, false);
        answer(fd, "200 OK", "{}");
    } else
        answer(fd, "404 Not Found", "{}");
}

static void serve(int fd, const struct server_request *q)
{
    char line[400];
    bool meant;

    snprintf(line, sizeof line, "%.*s", (int)strcspn(q->head, "\r"), q->head);
    meant = fault.where && strstr(line, fault.where) &&
            __atomic_add_fetch(&shared->met, 1, __ATOMIC_SEQ_CST) > fault.after &&
            __atomic_add_fetch(&shared->faults, 1, __ATOMIC_SEQ_CST) <= fault.times;
    if (meant && fault.kind == FAULT_CUT)
        return;
    if (meant && fault.kind == FAULT_STATUS) {
        answer(fd, fault.status, fault.body ? fault.body : "");
        return;
    }
    if (meant) /* the answer goes nowhere */
        fd = open("/dev/null", O_WRONLY);
    if (has(line, "/blob/"))
        store(fd, q);
    else if (has(line, "/results/"))
        results(fd, q);
    else
        tenant(fd, q);
}

/* ---- a job ---- */

static struct loop *loop;
static struct http *http;
static struct github_report *report;
static int dir, notes;
static bool done;
static char noted[1000];

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    notes++;
    snprintf(noted + strlen(noted), sizeof noted - strlen(noted), "%s\n", text);
}

static void open_report(const char *address, bool legacy, bool with_results)
{
    static const struct records_step steps[] = {{FIRST, "One", "run", "bash", NULL, NULL},
                                                {SECOND, "Two", "run", "bash", NULL, NULL}};
    char url[100], results_url[100];
    struct err err = ERR_INIT;

    snprintf(url, sizeof url, "%s/tenant", address);
    snprintf(results_url, sizeof results_url, "%s/results/", address);
    struct github_report_spec spec = {
        .records = {.job_id = JOB, .name = "build", .steps = steps, .n_steps = 2},
        .results_only = !legacy,
        .plan_id = PLAN,
        .url = url,
        .token = "JOB1",
        .results_url = with_results ? results_url : NULL,
        .timeline_id = "71000000-0000-4000-8000-000000000000",
        .scope = "5c000000-0000-4000-8000-000000000000",
        .plan_type = "actions",
        .request_id = 4711,
        .environment = "staging",
        .spool = dir,
        .batch_ms = 10,
        .pause_ms = 10,
        .drain_ms = 60000,
        .note = on_note};
    cr_assert_eq(github_report_new(&spec, http, loop, &report, &err), ERR_OK, "%s", err.text);
}

static void enter(void)
{
    const struct http_spec spec = {.retry_ms = 10};
    struct err err = ERR_INIT;

    scratch_enter();
    dir = open(".", O_DIRECTORY | O_CLOEXEC);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared, MAP_FAILED);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&spec, loop, &http, &err), ERR_OK);
}

static void leave(void)
{
    report = github_report_free(report);
    http_free(http);
    loop_free(loop);
    server_stop();
    close(dir);
    scratch_leave();
}

TestSuite(github_report, .init = enter, .fini = leave, .timeout = 120);

static void feed(const char *event)
{
    json_error_t error;
    json_t *j = json_loads(event, 0, &error);

    cr_assert(j, "%s: %s", event, error.text);
    github_report_event(report, j, (struct slice){0});
    json_decref(j);
}

static void start(int step, const char *stage, const char *record)
{
    char event[300];

    snprintf(event, sizeof event,
             "{\"event\":\"step.started\",\"step\":%d,\"stage\":\"%s\",\"name\":\"Step %d\","
             "\"record\":\"%s\"}",
             step, stage, step, record);
    feed(event);
}

static void end(int step)
{
    char event[200];

    snprintf(event, sizeof event,
             "{\"event\":\"step.finished\",\"step\":%d,\"conclusion\":\"success\"}", step);
    feed(event);
}

static void say_all(int step, struct slice text)
{
    json_t *j =
        json_pack("{s:s, s:i, s:s%}", "event", "log", "step", step, "time", T, sizeof T - 2);

    github_report_event(report, j, text);
    json_decref(j);
}

static void say(int step, const char *text)
{
    say_all(step, slice_of(text));
}

static void on_done(void *ctx)
{
    (void)ctx;
    done = true;
}

static void turn(void)
{
    struct err err = ERR_INIT;

    cr_assert_eq(loop_turn(loop, CLOCK_NEVER, &err), ERR_OK, "%s", err.text);
}

static void finish(void)
{
    github_report_finish(report, RECORDS_NO_RESULT, on_done, NULL);
    cr_assert(!done, "it is told from the loop");
    while (!done)
        turn();
}

static char *content(const char *name)
{
    struct buf text = BUF_INIT(256 << 20);
    struct err err = ERR_INIT;
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        cr_assert_eq(fd_read_all(fd, &text, &err), ERR_OK, "%s", err.text);
        close(fd);
    }
    return buf_take(&text);
}

static void holds(const char *name, const char *wanted)
{
    CLEANUP(free_ptr) char *text = content(name);

    cr_assert_str_eq(text, wanted, "%s", name);
}

static int count_in(const char *name, const char *what)
{
    CLEANUP(free_ptr) char *text = content(name);
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* The JSON in line NR of a file, from 0 on; -1: the last. The caller's. */
static json_t *line_of(const char *name, int nr)
{
    CLEANUP(free_ptr) char *text = content(name);
    struct slice rest = slice_of(text), line, found = {0};
    json_error_t error;

    for (int i = 0; slice_line(&rest, &line); i++)
        if (nr < 0 || i == nr)
            found = line;
    json_t *j = json_loadb(found.ptr, found.len, 0, &error);
    cr_assert(j, "%s: line %d: %s", name, nr, error.text);
    return j;
}

static json_int_t number(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

/* A whole short job. */
static void run_job(void)
{
    feed("{\"event\":\"job.started\"}");
    start(1, "setup", "");
    say(1, "setting up\n");
    end(1);
    start(2, "main", FIRST);
    say(2, "hello\n\nworld\n");
    end(2);
    start(3, "main", SECOND);
    say(3, "bye\n");
    feed("{\"event\":\"annotation\",\"step\":3,\"level\":\"error\",\"message\":\"bad\"}");
    feed("{\"event\":\"step.finished\",\"step\":3,\"conclusion\":\"failure\"}");
    feed("{\"event\":\"job.finished\",\"result\":\"failure\",\"outputs\":{\"v\":\"1\"},"
         "\"environment_url\":\"https://s\"}");
    finish();
}

/* ---- the results service alone ---- */

Test(github_report, the_results_service_gets_states_and_logs)
{
    open_report(server_start(serve), false, true);
    run_job();
    holds("blob-" FIRST, BOM T "hello\n" T "\n" T "world\n");
    holds("blob-" SECOND, BOM T "bye\n");
    holds("blob-job", BOM T "setting up\n" T "hello\n" T "\n" T "world\n" T "bye\n");
    cr_assert_eq(count_in("storage", "x-ms-blob-type: BlockBlob\r\n"), 4);
    cr_assert_eq(count_in("storage", "Content-Type: text/plain\r\n"), 4);
    cr_assert_eq(count_in("told", "\"line_count\":3"), 1);
    cr_assert_eq(count_in("told", "\"line_count\":5"), 1);
    json_t *last = line_of("updates", -1), *first = line_of("updates", 0);
    json_t *steps = json_object_get(last, "steps");
    cr_assert_eq(number(first, "change_order"), 1);
    cr_assert_eq(number(last, "change_order"), count_in("updates", "change_order"));
    cr_assert_str_eq(json_string_value(json_object_get(last, "workflow_run_backend_id")), PLAN);
    cr_assert_str_eq(json_string_value(json_object_get(last, "workflow_job_run_backend_id")), JOB);
    cr_assert_eq(json_array_size(steps), 3u);
    cr_assert_eq(number(json_array_get(steps, 2), "status"), 6);
    cr_assert_eq(number(json_array_get(steps, 2), "conclusion"), 3);
    json_decref(first);
    json_decref(last);
    cr_assert_eq(notes, 0, "%s", noted);
    cr_assert_eq(github_report_result(report), RECORDS_FAILED);
}

Test(github_report, what_completes_the_job_has_steps_outputs_and_annotations)
{
    open_report(server_start(serve), false, true);
    run_job();
    json_t *j = github_report_completion(report);
    json_t *steps = json_object_get(j, "stepResults");
    cr_assert_str_eq(json_string_value(json_object_get(j, "conclusion")), "failed");
    cr_assert_str_eq(json_string_value(json_object_get(j, "environmentUrl")), "https://s");
    cr_assert_eq(json_array_size(steps), 3u);
    cr_assert_eq(json_array_size(json_object_get(json_array_get(steps, 2), "annotations")), 1u);
    cr_assert_eq(json_array_size(json_object_get(j, "annotations")), 0u);
    cr_assert(json_object_get(json_object_get(j, "outputs"), "v"));
    json_decref(j);
}

/* Lines until the log has SIZE bytes or a bit more. */
static int say_much(int step, size_t size)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    int n = 0;

    for (size_t all = 0; all < size; all += text.len + 29 * 1000) {
        buf_clear(&text);
        for (int i = 0; i < 1000; i++)
            buf_printf(&text, "line %09d of a long log\n", n++);
        say_all(step, buf_slice(&text));
    }
    return n;
}

/* NAME has N lines with their numbers, in their order, each once. */
static void holds_lines(const char *name, int n)
{
    CLEANUP(free_ptr) char *text = content(name);
    struct slice rest = slice_of(text), line;
    int i = 0;

    cr_assert(slice_starts(rest, SLICE(BOM)), "%s", name);
    rest = slice_from(rest, 3);
    while (slice_line(&rest, &line)) {
        char wanted[100];

        snprintf(wanted, sizeof wanted, T "line %09d of a long log", i++);
        cr_assert(slice_eq(line, slice_of(wanted)), "%s: line %d is '%.*s'", name, i,
                  SLICE_ARG(line));
    }
    cr_assert_eq(i, n, "%s has %d lines instead of %d", name, i, n);
}

static int run_long_job(void)
{
    feed("{\"event\":\"job.started\"}");
    start(1, "main", FIRST);
    int n = say_much(1, 5u << 20);
    end(1);
    feed("{\"event\":\"job.finished\",\"result\":\"success\"}");
    finish();
    return n;
}

Test(github_report, a_long_log_is_appended_block_by_block)
{
    open_report(server_start(serve), false, true);
    int n = run_long_job();
    holds_lines("blob-" FIRST, n);
    holds_lines("blob-job", n);
    cr_assert_eq(count_in("storage", "x-ms-blob-type: AppendBlob\r\n"), 2);
    cr_assert_eq(count_in("storage", "x-ms-blob-sealed: False\r\n"), 4);
    cr_assert_eq(count_in("storage", "x-ms-blob-sealed: True\r\n"), 2);
    cr_assert_eq(count_in("storage", "&comp=appendblock&seal=true "), 2);
    cr_assert_eq(count_in("storage", "appendpos"), 0);
    cr_assert_eq(count_in("told", "line_count"), 2);
}

Test(github_report, a_block_whose_answer_got_lost_is_not_there_twice)
{
    fault = (__typeof__(fault)){
        .where = "comp=appendblock", .kind = FAULT_DONE, .times = 2, .after = 1};
    open_report(server_start(serve), false, true);
    int n = run_long_job();
    holds_lines("blob-" FIRST, n);
    holds_lines("blob-job", n);
    cr_assert_geq(count_in("storage", "x-ms-blob-condition-appendpos: "), 1);
    cr_assert_eq(notes, 0, "%s", noted);
}

Test(github_report, storage_of_another_kind_gets_no_headers_of_azure)
{
    storage_type = "BLOB_STORAGE_TYPE_UNSPECIFIED";
    open_report(server_start(serve), false, true);
    int n = run_long_job();
    holds_lines("blob-" FIRST, n);
    cr_assert_eq(count_in("storage", "x-ms-"), 0);
    cr_assert_eq(count_in("storage", "&comp=appendblock&seal=true "), 2);
}

/* Each call once refused, once cut off: all is there in the end, and nothing is noted. */
Test(github_report, faults_that_pass_are_nobodys_business)
{
    static const char *const calls[] = {"WorkflowStepsUpdate",     "GetStepLogsSignedBlobURL",
                                        "GetJobLogsSignedBlobURL", "CreateStepLogsMetadata",
                                        "CreateJobLogsMetadata",   "PUT /blob/job"};

    for (size_t i = 0; i < 2 * COUNT_OF(calls); i++) {
        memset(shared, 0, sizeof *shared);
        fault = (__typeof__(fault)){.where = calls[i / 2],
                                    .kind = i % 2 ? FAULT_CUT : FAULT_STATUS,
                                    .status = "503 Service Unavailable",
                                    .times = 5};
        done = false;
        open_report(server_start(serve), false, true);
        run_job();
        holds("blob-job", BOM T "setting up\n" T "hello\n" T "\n" T "world\n" T "bye\n");
        cr_assert_eq(count_in("told", "line_count"), 4, "%s", calls[i / 2]);
        cr_assert_eq(shared->faults > 0, true, "%s was never called", calls[i / 2]);
        cr_assert_eq(notes, 0, "%s: %s", calls[i / 2], noted);
        report = github_report_free(report);
        server_stop();
        (void)unlink("told");
        (void)unlink("updates");
    }
}

Test(github_report, the_first_update_may_come_too_early)
{
    fault =
        (__typeof__(fault)){.where = "WorkflowStepsUpdate",
                            .kind = FAULT_STATUS,
                            .status = "404 Not Found",
                            .body = "{\"code\":\"not_found\",\"msg\":\"workflow run not found\"}",
                            .times = 1};
    open_report(server_start(serve), false, true);
    feed("{\"event\":\"job.started\"}");
    start(1, "main", FIRST);
    while (count_in("updates", "\n") < 1)
        turn();
    json_t *j = line_of("updates", 0);
    cr_assert_eq(number(j, "change_order"), 2);
    cr_assert_eq(json_array_size(json_object_get(j, "steps")), 2u);
    json_decref(j);
}

Test(github_report, while_the_job_runs_its_log_waits_for_a_service_that_is_down)
{
    fault = (__typeof__(fault)){
        .where = "GetStepLogsSignedBlobURL", .kind = FAULT_STATUS, .status = "500 Oh", .times = 30};
    open_report(server_start(serve), false, true);
    start(1, "main", FIRST);
    say(1, "kept\n");
    end(1);
    while (shared->faults < 30)
        turn();
    finish();
    holds("blob-" FIRST, BOM T "kept\n");
    cr_assert_eq(notes, 0, "%s", noted);
}

Test(github_report, a_service_that_is_gone_costs_the_job_its_report_and_nothing_else)
{
    open_report("http://127.0.0.1:1", false, true);
    run_job();
    cr_assert_eq(notes, 1, "%s", noted);
    cr_assert(strstr(noted, "the results service did not get all logs and states of the job"), "%s",
              noted);
    cr_assert_null(strstr(noted, "JOB1"));
    cr_assert_eq(github_report_result(report), RECORDS_FAILED);
}

Test(github_report, what_the_service_refuses_is_told_with_its_words)
{
    fault = (__typeof__(fault)){.where = "CreateStepLogsMetadata",
                                .kind = FAULT_STATUS,
                                .status = "400 Bad Request",
                                .body = "{\"code\":\"invalid_argument\",\"msg\":\"no\\u001b[2J\"}",
                                .times = 1000};
    open_report(server_start(serve), false, true);
    run_job();
    cr_assert_eq(notes, 1);
    cr_assert(strstr(noted, "the service answered 400 (invalid_argument: no?[2J, request R1)"),
              "%s", noted);
    holds("blob-job", BOM T "setting up\n" T "hello\n" T "\n" T "world\n" T "bye\n");
}

Test(github_report, not_ok_is_a_failure_too)
{
    fault = (__typeof__(fault)){.where = "CreateJobLogsMetadata",
                                .kind = FAULT_STATUS,
                                .status = "200 OK",
                                .body = "{\"ok\":false}",
                                .times = 1000};
    open_report(server_start(serve), false, true);
    run_job();
    cr_assert(strstr(noted, "did not accept that a log is complete"), "%s", noted);
}

Test(github_report, summaries_are_stored_each_under_an_id_of_its_own)
{
    open_report(server_start(serve), false, true);
    start(1, "main", FIRST);
    feed("{\"event\":\"summary\",\"step\":1,\"markdown\":\"# one\\n\"}");
    feed("{\"event\":\"summary\",\"step\":1,\"markdown\":\"# two\\n\"}");
    end(1);
    finish();
    holds("blob-summary-" FIRST, "# one\n");
    cr_assert_eq(count_in("told", "\"size\":6"), 2);
    cr_assert_eq(count_in("told", FIRST), 1);
    cr_assert_eq(count_in("storage", "Content-Type"), 0);
    cr_assert_eq(count_in("storage", "x-ms-blob-type: BlockBlob"), 2);
}

Test(github_report, a_summary_over_the_services_limit_is_not_sent)
{
    summary_limit = "5";
    open_report(server_start(serve), false, true);
    start(1, "main", FIRST);
    feed("{\"event\":\"summary\",\"step\":1,\"markdown\":\"# one\\n\"}");
    end(1);
    finish();
    cr_assert_eq(size_of("blob-summary-" FIRST), -1);
    cr_assert(strstr(noted, "a summary of 6 bytes is more than the service takes"), "%s", noted);
}

Test(github_report, a_report_that_takes_too_long_is_given_up)
{
    fault = (__typeof__(fault)){
        .where = "SignedBlobURL", .kind = FAULT_STATUS, .status = "503 No", .times = 1000000};
    const struct http_spec spec = {.retry_ms = 20000};
    struct err err = ERR_INIT;

    http = http_free(http);
    cr_assert_eq(http_new(&spec, loop, &http, &err), ERR_OK);
    static const struct records_step steps[] = {{FIRST, "One", "run", "bash", NULL, NULL}};
    char url[100];
    snprintf(url, sizeof url, "%s/results/", server_start(serve));
    struct github_report_spec one = {
        .records = {.job_id = JOB, .name = "build", .steps = steps, .n_steps = 1},
        .results_only = true,
        .plan_id = PLAN,
        .url = url,
        .token = "JOB1",
        .results_url = url,
        .spool = -1,
        .drain_ms = 50,
        .note = on_note};
    cr_assert_eq(github_report_new(&one, http, loop, &report, &err), ERR_OK);
    start(1, "main", FIRST);
    say(1, "x\n");
    finish();
    cr_assert_eq(notes, 1, "%s", noted);
}

/* ---- the timeline ---- */

Test(github_report, the_timeline_gets_records_and_pages)
{
    open_report(server_start(serve), true, false);
    run_job();
    holds("page-1", BOM T "setting up\n");
    cr_assert_eq(count_in("pages", "{\"path\":\"logs\\\\" FIRST "\"}"), 1);
    cr_assert_eq(count_in("pages", "{\"path\":\"logs\\\\" JOB "\"}"), 1);
    json_t *first = line_of("records", 0), *value = json_object_get(first, "value");
    cr_assert_eq(number(first, "count"), (json_int_t)json_array_size(value));
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(value, 0), "type")), "Job");
    json_decref(first);
    cr_assert_eq(count_in("records", "\"log\":{\"id\":4}"), 1);
    cr_assert_eq(count_in("tenant", "PATCH /tenant/5c000000-0000-4000-8000-000000000000/_apis/"
                                    "distributedtask/hubs/actions/plans/" PLAN "/timelines/"
                                    "71000000-0000-4000-8000-000000000000/records "),
                 count_in("records", "\"count\""));
    cr_assert_eq(count_in("tenant", "connectionData"), 1);
    cr_assert_eq(notes, 0, "%s", noted);
    json_t *j = github_report_plan_event(report);
    cr_assert_str_eq(json_string_value(json_object_get(j, "name")), "JobCompleted");
    cr_assert_str_eq(json_string_value(json_object_get(j, "result")), "failed");
    cr_assert_eq(number(j, "requestId"), 4711);
    cr_assert_str_eq(
        json_string_value(json_object_get(json_object_get(j, "actionsEnvironment"), "url")),
        "https://s");
    json_decref(j);
}

Test(github_report, without_a_websocket_live_lines_go_to_the_timeline)
{
    open_report(server_start(serve), true, false);
    run_job();
    cr_assert_eq(count_in("feed", "{\"count\":2,\"value\":[\"hello\",\"world\"],\"stepId\":\"" FIRST
                                  "\",\"startLine\":1}"),
                 1);
    cr_assert_eq(count_in("feed", "\n"), 3);
}

Test(github_report, routes_are_where_the_server_says)
{
    other_routes = true;
    open_report(server_start(serve), true, false);
    run_job();
    cr_assert_geq(count_in("tenant", "PATCH /tenant/_apis/v1/Timeline/"
                                     "71000000-0000-4000-8000-000000000000 "),
                  1);
    cr_assert_eq(notes, 0, "%s", noted);
}

Test(github_report, pages_have_eight_mebibytes)
{
    open_report(server_start(serve), true, false);
    feed("{\"event\":\"job.started\"}");
    start(1, "main", FIRST);
    (void)say_much(1, 10u << 20);
    end(1);
    finish();
    cr_assert_eq(count_in("pages", FIRST), 2);
    cr_assert_eq(count_in("pages", JOB), 2);
    cr_assert_leq(size_of("page-1"), 8 << 20);
    cr_assert_gt(size_of("page-1"), (8 << 20) - 200);
}

Test(github_report, summaries_are_attached_to_the_job)
{
    open_report(server_start(serve), true, false);
    start(1, "main", FIRST);
    feed("{\"event\":\"summary\",\"step\":1,\"markdown\":\"# one\\n\"}");
    end(1);
    finish();
    holds("attachment", "# one\n");
    cr_assert_eq(count_in("tenant", "PUT /tenant/5c000000-0000-4000-8000-000000000000/_apis/"
                                    "distributedtask/hubs/actions/plans/" PLAN "/timelines/"
                                    "71000000-0000-4000-8000-000000000000/records/" JOB
                                    "/attachments/Checks.Step.Summary/" FIRST " "),
                 1);
}

Test(github_report, a_page_that_failed_is_made_anew)
{
    fault = (__typeof__(fault)){
        .where = "/logs/1", .kind = FAULT_STATUS, .status = "400 No", .times = 1};
    open_report(server_start(serve), true, false);
    run_job();
    holds("page-2", BOM T "setting up\n");
    cr_assert_eq(notes, 0, "%s", noted);
}

Test(github_report, a_results_service_beside_the_timeline_is_left_alone_once_it_failed_too_often)
{
    fault = (__typeof__(fault)){
        .where = "/results/", .kind = FAULT_STATUS, .status = "400 No", .times = 1000};
    open_report(server_start(serve), true, true);
    run_job();
    cr_assert_geq(shared->faults, 4);
    cr_assert_leq(shared->faults, 5); /* another may have been under way */
    cr_assert_eq(notes, 1, "%s", noted);
    cr_assert_eq(count_in("records", "\"log\":{\"id\":4}"), 1);
}

Test(github_report, both_services_get_the_same_log)
{
    open_report(server_start(serve), true, true);
    run_job();
    holds("blob-" FIRST, BOM T "hello\n" T "\n" T "world\n");
    holds("page-2", BOM T "hello\n" T "\n" T "world\n");
    holds("page-4", BOM T "setting up\n" T "hello\n" T "\n" T "world\n" T "bye\n");
    cr_assert_eq(notes, 0, "%s", noted);
}

Test(github_report, a_run_that_is_gone_is_told_no_more)
{
    fault = (__typeof__(fault)){.where = "/records ",
                                .kind = FAULT_STATUS,
                                .status = "404 Not Found",
                                .body = "{\"typeKey\":\"TaskOrchestrationPlanNotFoundException\","
                                        "\"message\":\"no plan\"}",
                                .times = 1000};
    open_report(server_start(serve), true, false);
    feed("{\"event\":\"job.started\"}");
    while (!shared->faults)
        turn();
    run_job();
    cr_assert_eq(shared->faults, 1);
    cr_assert(strstr(noted, "TaskOrchestrationPlanNotFoundException: no plan"), "%s", noted);
}
