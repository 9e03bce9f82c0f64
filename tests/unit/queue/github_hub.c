#include "unit/queue/github_hub.h"

#include "base/clock.h"
#include "kit/scratch.h"
#include "kit/server.h"
#include "queue/github/settings.h"
#include "queue/loose.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRANSCRIPT_MAX = 256 << 10, LAST_MAX = 16 << 10, PATIENCE_MS = 30000, HUGE_SIZE = 81 << 20 };

/* Each call of the services: where it goes to, and what it is answered without a rule. */
static const struct {
    const char *name, *line;
    int status;
    const char *body;
} calls[] = {
    {"token", "POST /oauth", 200, "{\"access_token\":\"RUNNER1\",\"expires_in\":2999}"},
    {"token2", "POST /newer", 200, "{\"access_token\":\"RUNNER2\",\"expires_in\":2999}"},
    {"connection", "GET /tenant/_apis/connectionData", 404, ""},
    {"open", "POST /broker/session", 201, "{\"sessionId\":\"5e55\",\"ownerName\":\"t\"}"},
    {"open", "POST /tenant/_apis/distributedtask/pools/1/sessions", 200,
     "{\"sessionId\":\"5e55\"}"},
    {"close", "DELETE /broker/session", 204, ""},
    {"close", "DELETE /tenant/_apis/distributedtask/pools/1/sessions/5e55", 200, ""},
    {"poll", "GET /broker/message?", 0, ""},
    {"poll", "GET /tenant/_apis/distributedtask/pools/1/messages?", 0, ""},
    {"broker", "GET /other/message?", 0, ""},
    {"delete", "DELETE /tenant/_apis/distributedtask/pools/1/messages/", 200, ""},
    {"acknowledge", "POST /broker/acknowledge?", 200, ""},
    {"acquire", "POST /run/acquirejob", 200, NULL},
    {"message", "GET /tenant/_apis/distributedtask/runnermessages/", 200, NULL},
    {"renew", "POST /run/renewjob", 200, "{\"lockedUntil\":\"2099-01-01T00:00:00.123456789Z\"}"},
    {"told", "PUT /tenant/_apis/distributedtask/pools/1/agents/7/updates?", 200, "{}"},
    {"refresh", "POST /tenant/_apis/distributedtask/agents/7/runnerconfigrefresh/", 200, "\"\""},
    {"lock", "PATCH /tenant/_apis/distributedtask/pools/1/jobrequests/4711?", 200,
     "{\"requestId\":4711}"},
    {"complete", "POST /run/completejob", 204, ""},
    {"complete", "POST /tenant/5c0be000", 200, ""},
    {"report", "", 200, "{\"count\":0,\"value\":[]}"},
};

/* What an acquired job is, where no rule says another. */
static const char job_message[] =
    "{\"messageType\":\"RunnerJobRequest\",\"plan\":{\"planId\":\"91a40000-aaaa-4bbb-8ccc-"
    "dddddddddddd\",\"planType\":\"actions\",\"version\":12,\"scopeIdentifier\":\"5c0be000-0000-"
    "4000-"
    "8000-000000000000\"},\"timeline\":{\"id\":\"71110000-0000-4000-8000-000000000000\"},\"jobId\":"
    "\"10b00000-1111-5222-8333-444444444444\",\"jobDisplayName\":\"build\",\"jobName\":\"__"
    "default\","
    "\"requestId\":4711,\"resources\":{\"endpoints\":[{\"name\":\"SystemVssConnection\",\"url\":"
    "\"@H/run/"
    "\",\"authorization\":{\"scheme\":\"OAuth\",\"parameters\":{\"AccessToken\":\"JOB1\"}},"
    "\"data\":{}}]},\"contextData\":{},\"variables\":{},\"steps\":[{\"type\":\"action\",\"id\":"
    "\"57e90002-0000-4000-8000-000000000002\",\"name\":\"test\",\"contextName\":\"test\","
    "\"reference\":{\"type\":\"script\"},\"condition\":\"success()\",\"inputs\":{\"type\":2,"
    "\"map\":[{"
    "\"Key\":\"script\",\"Value\":\"true\"}]}}]}";

struct shared { /* with the server's processes */
    int lock, cue;
    char transcript[TRANSCRIPT_MAX];
    char last[sizeof calls / sizeof calls[0]][LAST_MAX];
};

static struct shared *shared;
static const struct hub_rule *rules;
static size_t n_rules;
const char *hub_address;
static struct registration *registration;

struct loop *hub_loop;
struct http *hub_http;
struct queue *hub_queue;
int hub_readies;
char hub_stopped[300], hub_killed[300], hub_notes[4000];

const struct github_waits hub_waits = {.session = 20,
                                       .conflict_most = 150,
                                       .skew_most = 150,
                                       .legacy_poll = 20000,
                                       .broker_poll = 20000,
                                       .pause = 10,
                                       .aside = 20000,
                                       .floor = 20,
                                       .floor_most = 40,
                                       .retry = 5,
                                       .request = 20000,
                                       .acknowledge = 500,
                                       .throttle = 20,
                                       .throttle_most = 40,
                                       .hold = 300,
                                       .renew = 50,
                                       .renew_grace = 100,
                                       .leave = 3000,
                                       .defer = 600000,
                                       .cancel_least = 60,
                                       .cancel_margin = 20,
                                       .batch = 5};

/* ---- the services, each request in a process of its own ---- */

static void lock(void)
{
    while (__atomic_exchange_n(&shared->lock, 1, __ATOMIC_SEQ_CST))
        usleep(100);
}

static void unlock(void)
{
    __atomic_store_n(&shared->lock, 0, __ATOMIC_SEQ_CST);
}

static int count_of(const char *name)
{
    char word[40];
    int n = 0;
    int size = snprintf(word, sizeof word, " %s ", name);

    for (const char *at = shared->transcript; (at = strstr(at, word)); at += size - 1)
        n++;
    return n;
}

static void write_down(size_t i, const struct server_request *q, int *ret_nth)
{
    size_t len;

    lock();
    len = strlen(shared->transcript);
    snprintf(shared->transcript + len, TRANSCRIPT_MAX - len, "%s%s ", len ? "" : " ",
             calls[i].name);
    snprintf(shared->last[i], LAST_MAX, "%s\n\n%.*s", q->head, (int)q->body_size, q->body);
    *ret_nth = count_of(calls[i].name);
    unlock();
}

static void send_text(int fd, int status, const char *text, const char *head)
{
    const char *host = strstr(head, "Host: ");
    struct buf all = BUF_INIT(LAST_MAX * 4);
    char line[40];

    host = host ? host + 6 : "";
    for (const char *c = text; *c; c++) {
        if (strncmp(c, "@H", 2) == 0)
            buf_printf(&all, "http://%.*s", (int)strcspn(host, "\r\n"), host);
        else if (c == text || strncmp(c - 1, "@H", 2) != 0)
            buf_add_char(&all, *c);
    }
    snprintf(line, sizeof line, "%d Said", status);
    server_answer(fd, line, "", all.ptr, all.len);
    buf_deinit(&all);
}

static void send_huge(int fd, const char *head)
{
    static const char more[1 << 20] = {0};

    server_cut_off(fd, "200 OK", "", head, HUGE_SIZE, strlen(head));
    for (size_t sent = strlen(head); sent < HUGE_SIZE; sent += sizeof more)
        if (send(fd, more, sizeof more, MSG_NOSIGNAL) < 0)
            return;
}

static void play(int fd, const struct server_request *q)
{
    size_t i = 0;
    int nth;

    while (strncmp(q->head, calls[i].line, strlen(calls[i].line)) != 0)
        i++;
    write_down(i, q, &nth);
    int status = calls[i].status;
    const char *body = calls[i].body ? calls[i].body : job_message;
    for (size_t k = 0; k < n_rules; k++) {
        if (strcmp(rules[k].call, calls[i].name) == 0 && nth >= rules[k].from &&
            nth <= rules[k].to) {
            status = rules[k].status;
            body = rules[k].body ? rules[k].body : "";
            break;
        }
    }
    if (status == HUB_ON_CUE) {
        while (!__atomic_load_n(&shared->cue, __ATOMIC_SEQ_CST))
            usleep(1000);
        status = 200;
    }
    if (status == HUB_HUGE)
        send_huge(fd, body);
    else if (status == 0 ||
             status == HUB_HANG) /* a poll that finds nothing; it is given up before */
        sleep(60);
    else if (status != HUB_CUT)
        send_text(fd, status, body, q->head);
}

/* ---- the caller ---- */

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    size_t len = strlen(hub_notes);

    (void)ctx;
    (void)log;
    (void)err;
    snprintf(hub_notes + len, sizeof hub_notes - len, "%s%s%s\n", loose_text(event, "level"),
             *loose_text(event, "level") ? ": " : "", loose_text(event, "text"));
    return ERR_OK;
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    (void)ctx;
    snprintf(hub_stopped, sizeof hub_stopped, "%s: %s", key, why);
}

static void on_kill(void *ctx, const char *key, const char *why)
{
    (void)ctx;
    snprintf(hub_killed, sizeof hub_killed, "%s: %s", key, why);
}

static void on_ready(void *ctx)
{
    (void)ctx;
    hub_readies++;
}

/* ---- for the tests ---- */

void hub_enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    hub_readies = 0;
    hub_stopped[0] = hub_killed[0] = hub_notes[0] = '\0';
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared, MAP_FAILED);
    cr_assert_eq(loop_new(&hub_loop, &err), ERR_OK);
    cr_assert_eq(http_new(&(struct http_spec){.retry_ms = 5}, hub_loop, &hub_http, &err), ERR_OK);
}

void hub_leave(void)
{
    if (hub_queue)
        hub_queue->ops->free(hub_queue);
    hub_queue = NULL;
    registration = registration_free(registration);
    http_free(hub_http);
    loop_free(hub_loop);
    server_stop();
    munmap(shared, sizeof *shared);
    scratch_leave();
}

void hub_start(const struct hub_rule *said, size_t n)
{
    rules = said;
    n_rules = n;
    hub_address = server_start(play);
}

static json_t *files(const struct hub_options *o)
{
    json_t *runner =
        json_pack("{s:i, s:s, s:i, s:b, s:b, s:b, s:s}", "agentId", 7, "agentName", "t1", "poolId",
                  1, "useV2Flow", !o->legacy, "ephemeral", (int)o->ephemeral, "disableUpdate", 1,
                  "gitHubUrl", "https://github.com/acme/widgets");
    json_object_set_new(runner, "serverUrl", json_sprintf("%s/tenant/", hub_address));
    json_object_set_new(runner, "serverUrlV2", json_sprintf("%s/broker/", hub_address));
    if (!o->newer)
        return json_pack("{s:o, s:{s:s, s:{s:s}}}", ".runner", runner, ".credentials", "scheme",
                         "OAuthAccessToken", "data", "token", o->token ? o->token : "RUNNER1");
    struct rsa_key *key = rsa_key_new();
    json_t *documents = json_pack(
        "{s:o, s:{s:s, s:{s:s, s:o, s:o, s:s}}, s:o}", ".runner", runner, ".credentials", "scheme",
        "OAuth", "data", "clientId", "11111111-2222-4333-8444-555555555555", "authorizationUrl",
        json_sprintf("%s/oauth/token", hub_address), "authorizationUrlV2",
        json_sprintf("%s/newer/token", hub_address), "enableAuthMigrationByDefault", "true",
        ".credentials_rsaparams", github_settings_key(key));
    rsa_key_free(key);
    return documents;
}

void hub_open(const struct hub_options *o)
{
    hub_reopen(o);
    hub_queue->ops->want(hub_queue, 1);
}

void hub_reopen(const struct hub_options *o)
{
    struct err err = ERR_INIT;

    registration = registration_free(registration);
    cr_assert_eq(registration_memory("r1", files(o), &registration, &err), ERR_OK, "%s", err.text);
    const struct queue_github_spec spec = {.registration = registration,
                                           .http = hub_http,
                                           .spool = -1,
                                           .extra_agent = o->extra_agent,
                                           .deprecated_exit = 7,
                                           .waits = o->waits ? o->waits : &hub_waits};
    cr_assert_eq(queue_github_new(&spec, &hub_queue, &err), ERR_OK, "%s", err.text);
    hub_queue->client = (struct queue_client){
        .event = on_event, .stop = on_stop, .kill = on_kill, .ready = on_ready, .loop = hub_loop};
}

void hub_turn(int64_t ms)
{
    struct err err = ERR_INIT;

    for (int64_t end = clock_ms() + ms; clock_ms() < end;)
        cr_assert_eq(loop_turn(hub_loop, end, &err), ERR_OK, "%s", err.text);
}

void hub_cue(void)
{
    __atomic_store_n(&shared->cue, 1, __ATOMIC_SEQ_CST);
}

int hub_count(const char *call)
{
    lock();
    int n = count_of(call);
    unlock();
    return n;
}

const char *hub_transcript(void)
{
    static char text[TRANSCRIPT_MAX];

    lock();
    snprintf(text, sizeof text, "%s", shared->transcript);
    unlock();
    return text;
}

const char *hub_last(const char *call)
{
    static char text[LAST_MAX];

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(calls[i].name, call) == 0 && shared->last[i][0]) {
            lock();
            snprintf(text, sizeof text, "%s", shared->last[i]);
            unlock();
            return text;
        }
    }
    return "";
}

#define UNTIL(condition, what)                                                                     \
    for (int64_t end = clock_ms() + PATIENCE_MS; !(condition); hub_turn(2))                        \
    cr_assert_lt(clock_ms(), end, "no %s:%s\n%s", what, hub_transcript(), hub_notes)

void hub_until(const char *call, int n)
{
    UNTIL(hub_count(call) >= n, call);
}

struct queue_health hub_until_done(void)
{
    struct queue_health health;

    UNTIL(hub_queue->ops->done(hub_queue), "end");
    hub_queue->ops->health(hub_queue, &health);
    cr_assert(health.ended);
    return health;
}

void hub_until_killed(void)
{
    UNTIL(hub_killed[0], "kill");
}

const struct registration *hub_registration(void)
{
    return registration;
}

void hub_until_stopped(void)
{
    UNTIL(hub_stopped[0], "stop");
}

struct job *hub_until_job(void)
{
    struct job *job = NULL;
    struct err err = ERR_INIT;

    UNTIL(hub_queue->ops->next(hub_queue, &job, &err) == 1, "job");
    cr_assert_gt(hub_readies, 0);
    return job;
}

void hub_job_end(struct job *job, const char *result)
{
    CLEANUP(loose_freep)
    json_t *event = json_pack("{s:s, s:s*, s:{}, s:i}", "event", "job.finished", "result", result,
                              "outputs", "elapsed_ms", 1);
    struct err err = ERR_INIT;

    if (result)
        cr_assert_eq(hub_queue->ops->event(hub_queue, job->key, event, SLICE(""), &err), ERR_OK);
    cr_assert_eq(
        hub_queue->ops->ended(hub_queue, job->key, result ? NULL : "the worker was killed", &err),
        ERR_OK);
    job_deinit(job);
    free(job);
}

void hub_has(const char *text, const char *wanted)
{
    cr_assert_not_null(strstr(text, wanted), "'%s' is not in: %s", wanted, text);
}

void hub_has_not(const char *text, const char *unwanted)
{
    cr_assert_null(strstr(text, unwanted), "'%s' is in: %s", unwanted, text);
}
