#include "queue/gitea/gitea.h"

#include "base/clock.h"
#include "kit/scratch.h"
#include "kit/server.h"
#include "queue/gitea/connect.h"
#include "queue/loose.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

/* ---- a small Gitea: its processes share what it knows ---- */

enum { TEXT = 200000, TASKS_MAX = 3, ROWS_AT_MOST = 100 };

struct forge {
    /* What a test wants of it. */
    char tasks[TASKS_MAX][4000]; /* messages to be handed out, "" for none */
    int lose_fetch;              /* answers that get lost */
    int flood_fetch;             /* that are too much */
    int log_faults;              /* answers to UpdateLog that are `fault` */
    int state_faults;
    int withheld; /* confirmations of outputs */
    char fault_status[40], fault[200];
    char declare_status[40], declare_body[200];
    char result[40]; /* what UpdateTask answers while it has no result of ours */
    size_t most;     /* bytes of an UpdateLog; 0: any */
    /* What it was told. */
    int declared, fetched, stated, logged, ended, final, summaries;
    char keys[400], rows[TEXT], outputs[400], last_state[4000], final_state[4000];
    int n_rows;
};
static struct forge *forge;

static void answer(int fd, const char *status, const char *text)
{
    server_answer(fd, status, "X-Gitea-Actions-Capabilities: job-summary\r\n", text, strlen(text));
}

static void add(char *to, size_t size, const char *text)
{
    size_t len = strlen(to);

    snprintf(to + len, size - len, "%s|", text);
}

/* JSON of more values than are read. */
static void answer_flood(int fd)
{
    static char flood[2 * LOOSE_VALUES_MAX + 100];
    size_t len = (size_t)snprintf(flood, sizeof flood, "{\"tasks\":[1");

    while (len + 5 < sizeof flood) {
        flood[len++] = ',';
        flood[len++] = '1';
    }
    memcpy(flood + len, "]}", 3);
    answer(fd, "200 OK", flood);
}

static void fetch(int fd, const struct server_request *q)
{
    const char *key = strstr(q->head, "x-runner-request-key: ");
    char text[9000] = "", short_key[9] = "";
    size_t len;

    memcpy(short_key, key + 22, 8);
    add(forge->keys, sizeof forge->keys, short_key);
    forge->fetched++;
    if (forge->lose_fetch > 0) {
        forge->lose_fetch--;
        return;
    }
    if (forge->flood_fetch > 0) {
        forge->flood_fetch--;
        answer_flood(fd);
        return;
    }
    len = (size_t)snprintf(text, sizeof text, "{\"tasksVersion\":\"%d\"", forge->fetched);
    if (forge->tasks[0][0]) {
        len += (size_t)snprintf(text + len, sizeof text - len, ",\"task\":%s", forge->tasks[0]);
        if (forge->tasks[1][0])
            len += (size_t)snprintf(text + len, sizeof text - len, ",\"additionalTasks\":[%s]",
                                    forge->tasks[1]);
        memset(forge->tasks, 0, sizeof forge->tasks);
    }
    snprintf(text + len, sizeof text - len, "}");
    answer(fd, "200 OK", text);
}

static void update_log(int fd, const struct server_request *q, json_t *in)
{
    json_t *rows = json_object_get(in, "rows"), *one;
    const char *at = json_string_value(json_object_get(in, "index"));
    int index = at ? (int)strtol(at, NULL, 10) : 0;
    char text[60];
    size_t i;

    forge->logged++;
    if (forge->log_faults > 0) {
        forge->log_faults--;
        answer(fd, forge->fault_status, forge->fault);
        return;
    }
    if (forge->most && q->body_size > forge->most) {
        answer(fd, "413 Too Large", "<html>");
        return;
    }
    json_array_foreach (rows, i, one) {
        if (index + (int)i != forge->n_rows)
            continue;
        add(forge->rows, sizeof forge->rows, json_string_value(json_object_get(one, "content")));
        forge->n_rows++;
        if (json_is_true(json_object_get(in, "noMore")))
            forge->ended = 1;
    }
    snprintf(text, sizeof text, "{\"ackIndex\":\"%d\"}", forge->n_rows);
    answer(fd, "200 OK", text);
}

static void update_task(int fd, json_t *in)
{
    json_t *state = json_object_get(in, "state"), *value;
    json_t *out = json_pack("{s:{s:s}}", "state", "id", "99");
    const char *result = json_string_value(json_object_get(state, "result")), *name;
    char *text = json_dumps(state, JSON_COMPACT);

    forge->stated++;
    snprintf(forge->last_state, sizeof forge->last_state, "%s", text);
    free(text);
    if (forge->state_faults > 0) {
        forge->state_faults--;
        answer(fd, forge->fault_status, forge->fault);
        return;
    }
    json_object_foreach (json_object_get(in, "outputs"), name, value) {
        json_t *sent = json_object_get(out, "sentOutputs");

        if (forge->withheld-- > 0)
            break;
        if (!sent)
            json_object_set_new(out, "sentOutputs", sent = json_array());
        json_array_append_new(sent, json_string(name));
        add(forge->outputs, sizeof forge->outputs, name);
        add(forge->outputs, sizeof forge->outputs, json_string_value(value));
    }
    if (result) {
        snprintf(forge->final_state, sizeof forge->final_state, "%s", forge->last_state);
        forge->final++;
        cr_assert(forge->ended || forge->fault[0]);
    }
    if (result || forge->result[0])
        json_object_set_new(json_object_get(out, "state"), "result",
                            json_string(result ? result : forge->result));
    text = json_dumps(out, 0);
    answer(fd, "200 OK", text);
}

static void serve(int fd, const struct server_request *q)
{
    json_t *in = json_loadb(q->body, q->body_size, 0, NULL);

    if (strstr(q->head, "/Declare ")) {
        forge->declared++;
        answer(fd, forge->declare_status[0] ? forge->declare_status : "200 OK",
               forge->declare_status[0] ? forge->declare_body : "{}");
    } else if (strstr(q->head, "/FetchTask ")) {
        fetch(fd, q);
    } else if (strstr(q->head, "/UpdateLog ")) {
        update_log(fd, q, in);
    } else if (strstr(q->head, "/UpdateTask ")) {
        update_task(fd, in);
    } else if (strstr(q->head, "PUT ") && strstr(q->head, "/jobs/55/steps/0/summary") &&
               strstr(q->head, "Bearer h.eyJKb2JJRCI6NTV9.s")) {
        forge->summaries++;
        answer(fd, "200 OK", "{}");
    } else {
        answer(fd, "404 Not Found", "404 page not found");
    }
}

/* ---- a listener ---- */

static struct loop *loop;
static struct http *client;
static struct registration *registration;
static struct queue *queue;
static char stopped[200], why_stopped[200];

static int no_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    (void)ctx;
    (void)event;
    (void)log;
    (void)err;
    return ERR_OK;
}

static void stop(void *ctx, const char *key, const char *why)
{
    (void)ctx;
    snprintf(stopped, sizeof stopped, "%s", key);
    snprintf(why_stopped, sizeof why_stopped, "%s", why);
}

static void enter(void)
{
    const struct http_spec spec = {.retry_ms = 20};
    struct err err = ERR_INIT;

    scratch_enter();
    forge = mmap(NULL, sizeof *forge, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(forge, MAP_FAILED);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&spec, loop, &client, &err), ERR_OK, "%s", err.text);
}

static void leave(void)
{
    if (queue)
        queue->ops->free(queue);
    registration_free(registration);
    http_free(client);
    loop_free(loop);
    server_stop();
    scratch_leave();
}

TestSuite(gitea_queue, .init = enter, .fini = leave);

static void open_queue(bool ephemeral, int capacity)
{
    struct gitea_queue_spec spec = {.http = client, .version = "1.0", .scratch = "/tmp"};
    struct err err = ERR_INIT;
    json_t *files =
        json_pack("{s:{s:s, s:s, s:s, s:s, s:[s], s:b, s:i, s:i}}", ".runner", "uuid", "u", "name",
                  "n", "token", "t", "address", server_start(serve), "labels", "metal:host",
                  "ephemeral", ephemeral, "capacity", capacity, "fetch_interval_ms", 100);

    cr_assert_eq(registration_memory("home", files, &registration, &err), ERR_OK, "%s", err.text);
    spec.registration = registration;
    cr_assert_eq(queue_gitea_new(&spec, &queue, &err), ERR_OK, "%s", err.text);
    queue->client = (struct queue_client){.event = no_event, .stop = stop, .loop = loop};
}

#define YAML                                                                                       \
    "b246IHB1c2gKam9iczoKICBidWlsZDoKICAgIHJ1bnMtb246IG1ldGFsCiAgICBzdGVwczoKICAgICAgLSBydW46IGEK" \
    "ICAgICAgLSBydW46IGIK"
#define TASK(id, yaml)                                                                             \
    "{\"id\":\"" id "\",\"workflowPayload\":\"" yaml                                               \
    "\",\"context\":{\"run_id\":\"12\",\"gitea_runtime_token\":\"h.eyJKb2JJRCI6NTV9.s\"}}"

static void offer(int nth, const char *task)
{
    snprintf(forge->tasks[nth], sizeof forge->tasks[nth], "%s", task);
}

/* Turns the loop until CONDITION holds; a minute is a failure. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        struct err err_ = ERR_INIT;                                                                \
        int64_t end_ = clock_ms() + 60000;                                                         \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_ms(), end_, "never: " #condition ": %s", forge->last_state);        \
            cr_assert_eq(loop_turn(loop, clock_ms() + 50, &err_), ERR_OK);                         \
        }                                                                                          \
    } while (0)

static struct job *take_job(void)
{
    struct err err = ERR_INIT;
    struct job *job = NULL;

    UNTIL(queue->ops->next(queue, &job, &err) == 1);
    return job;
}

static void drop_job(struct job *job)
{
    job_deinit(job);
    free(job);
}

static const char key[] = "home/99";

static void tell(json_t *event, const char *log)
{
    struct err err = ERR_INIT;

    cr_assert_eq(queue->ops->event(queue, key, event, slice_of(log), &err), ERR_OK);
    json_decref(event);
}

static void run_step(int step, const char *record, const char *log, const char *conclusion)
{
    tell(json_pack("{s:s, s:i, s:s, s:s}", "event", "step.started", "step", step, "stage", "main",
                   "record", record),
         NULL);
    tell(json_pack("{s:s, s:i}", "event", "log", "step", step), log);
    tell(json_pack("{s:s, s:i, s:s}", "event", "step.finished", "step", step, "conclusion",
                   conclusion),
         NULL);
}

static void end_job(const char *result)
{
    struct err err = ERR_INIT;

    tell(json_pack("{s:s, s:s, s:{s:s}}", "event", "job.finished", "result", result, "outputs", "v",
                   "1"),
         NULL);
    cr_assert_eq(queue->ops->ended(queue, key, NULL, &err), ERR_OK);
}

static struct queue_health health(void)
{
    struct queue_health h;

    queue->ops->health(queue, &h);
    return h;
}

/* ---- a job's way ---- */

Test(gitea_queue, runs_a_job_and_tells_the_server_in_the_order_that_it_needs)
{
    offer(0, TASK("99", YAML));
    forge->withheld = 1;
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    struct job *job = take_job();
    cr_expect_str_eq(job->key, key);
    cr_expect_str_eq(job->steps[1].record, "1");
    drop_job(job);
    run_step(1, "0", "one\ntwo\n", "success");
    tell(json_pack("{s:s, s:i, s:s}", "event", "summary", "step", 1, "markdown", "# hi"), NULL);
    run_step(2, "1", "three\n", "success");
    end_job("success");
    UNTIL(forge->final);
    cr_expect_not(queue->ops->done(queue));
    queue->ops->want(queue, 1); /* the slot is free again */
    UNTIL(forge->fetched == 2);
    cr_expect_str_eq(forge->rows,
                     "n, of ostler 1.0, received task 99|one|two|three|Job succeeded|");
    cr_expect(forge->ended);
    cr_expect_str_eq(forge->outputs, "v|1|");
    cr_expect_eq(forge->summaries, 1);
    cr_expect(strstr(forge->final_state, "\"result\":\"RESULT_SUCCESS\",\"stoppedAt\":\""), "%s",
              forge->final_state);
    cr_expect(strstr(forge->final_state, "\"logIndex\":\"3\",\"logLength\":\"1\""), "%s",
              forge->final_state);
    cr_expect_eq(forge->final, 1);
    cr_expect(health().connected);
    cr_expect_null(health().trouble);
    queue->ops->close(queue);
    UNTIL(queue->ops->done(queue));
    cr_expect_eq(health().exit_code, 0);
}

Test(gitea_queue, stops_a_job_that_somebody_cancelled)
{
    offer(0, TASK("99", YAML));
    snprintf(forge->result, sizeof forge->result, "RESULT_CANCELLED");
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    run_step(1, "0", "one\n", "cancelled");
    UNTIL(stopped[0]);
    cr_expect_str_eq(stopped, key);
    cr_expect(strstr(why_stopped, "cancelled"), "%s", why_stopped);
    end_job("failure");
    UNTIL(forge->final);
    cr_expect(strstr(forge->final_state, "RESULT_CANCELLED"));
    cr_expect(strstr(forge->rows, "Job cancelled|"));
}

Test(gitea_queue, reports_what_it_does_not_run)
{
    offer(0, TASK("99", "!!"));
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    UNTIL(forge->final);
    cr_expect(strstr(forge->final_state, "RESULT_FAILURE"));
    cr_expect(strstr(forge->rows, "no Base64|Job failed|"), "%s", forge->rows);
}

Test(gitea_queue, says_so_when_a_worker_is_gone)
{
    struct err err = ERR_INIT;

    offer(0, TASK("99", YAML));
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    queue->ops->ended(queue, key, "killed by signal 9", &err);
    UNTIL(forge->final);
    cr_expect(strstr(forge->final_state, "RESULT_FAILURE"));
    cr_expect(strstr(forge->rows, "killed by signal 9|Job failed|"), "%s", forge->rows);
}

Test(gitea_queue, takes_all_that_it_is_given_and_no_task_twice)
{
    struct err err = ERR_INIT;
    struct job *job;

    offer(0, TASK("99", YAML));
    offer(1, TASK("100", YAML) "," TASK("99", YAML));
    open_queue(false, 2);
    queue->ops->want(queue, 2);
    drop_job(take_job());
    job = take_job();
    cr_expect_str_eq(job->key, "home/100");
    drop_job(job);
    cr_expect_eq(queue->ops->next(queue, &job, &err), 0);
}

/* What is handed out is ours, but a server that hands out without end would have us hold all of it. */
Test(gitea_queue, takes_no_more_tasks_than_it_could_ever_be_given)
{
    enum { OFFERED = 200 };
    char more[sizeof forge->tasks[1]] = "";
    size_t len = 0;

    for (int i = 0; i < OFFERED; i++)
        len += (size_t)snprintf(more + len, sizeof more - len, "%s{\"id\":\"%d\"}", i ? "," : "",
                                1000 + i);
    offer(0, "{\"id\":\"99\"}");
    offer(1, more);
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    UNTIL(health().trouble && strstr(health().trouble, "more tasks"));
    UNTIL(forge->fetched > 1);
    cr_expect_eq(forge->final, 1 + GITEA_TASKS_OVER);
}

/* ---- faults ---- */

static void one_job_with_faults(const char *status, const char *body, int logs, int states)
{
    offer(0, TASK("99", YAML));
    snprintf(forge->fault_status, sizeof forge->fault_status, "%s", status);
    snprintf(forge->fault, sizeof forge->fault, "%s", body);
    forge->log_faults = logs;
    forge->state_faults = states;
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    run_step(1, "0", "one\n", "success");
    run_step(2, "1", "two\n", "failure");
    end_job("failure");
    UNTIL(forge->final);
    cr_expect(strstr(forge->final_state, "RESULT_FAILURE"));
    cr_expect_eq(strlen(stopped), 0);
}

Test(gitea_queue, tries_again_what_failed)
{
    one_job_with_faults("502 Bad Gateway", "<html>", 2, 2);
    cr_expect_str_eq(forge->rows, "n, of ostler 1.0, received task 99|one|two|Job failed|");
}

Test(gitea_queue, leaves_a_log_alone_that_the_server_has_closed)
{
    one_job_with_faults("500 Error",
                        "{\"code\":\"unknown\",\"message\":\"rpc error: code = AlreadyExists desc "
                        "= log file has been archived\"}",
                        100, 0);
    cr_expect_eq(forge->logged, 1);
}

Test(gitea_queue, sends_smaller_pieces_to_a_proxy_that_takes_no_large_ones)
{
    CLEANUP(free_ptr) char *log = mem_new(60001);

    for (int i = 0; i < 60000; i++)
        log[i] = i % 1000 == 999 ? '\n' : 'a';
    offer(0, TASK("99", YAML));
    forge->most = 20000;
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    run_step(1, "0", log, "success");
    end_job("success");
    UNTIL(forge->final);
    cr_expect_eq(forge->n_rows, 62);
    cr_expect(forge->ended);
}

Test(gitea_queue, asks_by_the_same_key_until_there_is_an_answer)
{
    offer(0, TASK("99", YAML));
    forge->lose_fetch = 2;
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    cr_expect_eq(strncmp(forge->keys, forge->keys + 9, 9), 0, "%s", forge->keys);
    cr_expect_eq(strncmp(forge->keys, forge->keys + 18, 9), 0, "%s", forge->keys);
}

Test(gitea_queue, asks_by_a_new_key_where_the_answer_is_more_than_can_be_read)
{
    offer(0, TASK("99", YAML));
    forge->flood_fetch = 1;
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    cr_expect_neq(strncmp(forge->keys, forge->keys + 9, 9), 0, "%s", forge->keys);
}

Test(gitea_queue, ends_when_the_server_does_not_know_the_runner)
{
    static const char *const rows[][2] = {
        {"500 Error",
         "{\"code\":\"unknown\",\"message\":\"rpc error: code = Unauthenticated desc = "
         "unregistered runner\"}"},
        {"401 Unauthorized", "{\"code\":\"unauthenticated\",\"message\":\"unregistered runner\"}"},
        {"404 Not Found", "404 page not found"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(forge->declare_status, sizeof forge->declare_status, "%s", rows[i][0]);
        snprintf(forge->declare_body, sizeof forge->declare_body, "%s", rows[i][1]);
        open_queue(false, 1);
        queue->ops->want(queue, 1);
        UNTIL(health().ended);
        cr_expect_eq(health().exit_code, 1);
        cr_expect(strstr(health().trouble, i < 2 ? "register anew" : "too old"), "%s",
                  health().trouble);
        cr_expect(queue->ops->done(queue));
        queue->ops->free(queue);
        queue = NULL;
        registration = registration_free(registration);
        server_stop();
    }
}

Test(gitea_queue, waits_for_a_server_behind_a_proxy_that_refuses)
{
    snprintf(forge->declare_status, sizeof forge->declare_status, "401 Unauthorized");
    snprintf(forge->declare_body, sizeof forge->declare_body, "<html>login</html>");
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    UNTIL(forge->declared == 2);
    cr_expect_not(health().ended);
    cr_expect(strstr(health().trouble, "asked again"), "%s", health().trouble);
    forge->declare_status[0] = '\0';
    UNTIL(forge->fetched);
    UNTIL(!health().trouble);
}

/* ---- coming and going ---- */

Test(gitea_queue, ends_well_after_the_one_task_of_an_ephemeral_runner)
{
    offer(0, TASK("99", YAML));
    open_queue(true, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    end_job("success");
    UNTIL(health().ended);
    cr_expect_eq(health().exit_code, 0);
    cr_expect(queue->ops->done(queue));
    cr_expect_eq(forge->fetched, 1);
}

Test(gitea_queue, asks_for_nothing_while_there_is_no_room_and_takes_what_was_given)
{
    offer(0, TASK("99", YAML));
    open_queue(false, 1);
    queue->ops->want(queue, 0);
    UNTIL(forge->declared);
    queue->ops->want(queue, 1);
    UNTIL(forge->fetched == 1);
    queue->ops->close(queue); /* the answer is on its way, with a task */
    drop_job(take_job());
    end_job("success");
    UNTIL(queue->ops->done(queue));
    cr_expect(strstr(forge->final_state, "RESULT_SUCCESS"), "%s", forge->final_state);
    cr_expect_eq(forge->fetched, 1);
}

static bool has_lease(void)
{
    json_t *lease = queue->ops->lease(queue, key);
    bool has = lease;

    json_decref(lease);
    return has;
}

Test(gitea_queue, a_task_that_nobody_has_begun_when_all_is_cancelled_is_cancelled)
{
    struct err err = ERR_INIT;
    struct job *job = NULL;

    offer(0, TASK("99", YAML));
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    UNTIL(has_lease());
    queue->ops->cancel(queue, true);
    cr_expect_eq(queue->ops->next(queue, &job, &err), 0);
    UNTIL(queue->ops->done(queue));
    cr_expect(strstr(forge->final_state, "RESULT_CANCELLED"), "%s", forge->final_state);
}

Test(gitea_queue, tells_the_server_of_a_job_that_another_process_lost)
{
    json_t *lease;

    offer(0, TASK("99", YAML));
    open_queue(false, 1);
    queue->ops->want(queue, 1);
    drop_job(take_job());
    run_step(1, "0", "one\n", "success");
    UNTIL(forge->n_rows == 2);
    lease = queue->ops->lease(queue, key);
    queue->ops->free(queue);
    queue = NULL;
    registration = registration_free(registration);
    server_stop();

    open_queue(false, 1);
    queue->ops->recover(queue, lease);
    json_decref(lease);
    UNTIL(forge->final);
    cr_expect(strstr(forge->final_state, "RESULT_FAILURE"));
    cr_expect(strstr(forge->final_state, "\"id\":\"0\",\"result\":\"RESULT_SUCCESS\""), "%s",
              forge->final_state);
    cr_expect(strstr(forge->rows, "|one|##[error]The runner was restarted"), "%s", forge->rows);
    cr_expect(strstr(forge->rows, "|Job failed|"));
    queue->ops->close(queue);
    UNTIL(queue->ops->done(queue));
}

Test(gitea_queue, reads_no_registration_that_is_broken)
{
    struct gitea_queue_spec spec = {.http = client, .version = "1", .scratch = "/tmp"};
    struct err err = ERR_INIT;

    cr_assert_eq(registration_memory(
                     "x", json_pack("{s:{s:s, s:s}}", ".runner", "uuid", "u", "address", "nowhere"),
                     &registration, &err),
                 ERR_OK, "%s", err.text);
    spec.registration = registration;
    cr_expect_eq(queue_gitea_new(&spec, &queue, &err), ERR_INVALID);
    cr_expect(strstr(err.text, "nowhere"), "%s", err.text);
}
