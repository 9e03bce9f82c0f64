#include "queue/gitea/gitea.h"

#include "queue/gitea/called.h"
#include "queue/gitea/connect.h"
#include "queue/gitea/poll.h"
#include "queue/gitea/report.h"
#include "queue/gitea/settings.h"
#include "queue/gitea/task.h"
#include "queue/loose.h"

#include <inttypes.h>

enum {
    LEAVE_MS = 30000, /* an answer that is under way is waited for that long at the end */
    DECLARE_FIRST_MS = 1000,
    DECLARE_MOST_MS = 60000,
    CAPABILITIES_MAX = 200, /* bytes */
    REMEMBERED = 64, /* tasks that are over, and may be told again by an answer that comes late */
    EXIT_TERMINATED = 1, /* as the official runner's listener says it */
};

static const char shutting_down[] = "##[error]The runner is being shut down";

enum stage {
    STAGE_NEW,
    STAGE_DECLARING,
    STAGE_UP,
    STAGE_CLOSING, /* nothing is taken any more */
    STAGE_ENDED,   /* nor could it be */
};

/* A task that is ours until the server has its end. */
struct held {
    struct held *next;
    struct gitea *queue;
    struct task task; /* its job is NULL once it was handed out */
    struct gitea_report *report;
    struct called *called; /* its jobs are those of a workflow that it calls; else NULL */
    unsigned n_called;     /* so many of them were handed out */
    const char *key;       /* of the job that was handed out last; the task's, unless it calls */
    bool handed;           /* ended() is still to come */
};

struct gitea {
    struct queue base; /* first */
    struct gitea_queue_spec spec;
    struct gitea_settings settings;
    struct connect connect;
    enum stage stage;
    int want;
    struct poll poll;
    struct held *held;
    json_t *recover; /* array of leases for when we are declared */
    struct connect_call *declaring;
    struct timer *timer; /* to declare again; or until we leave */
    struct backoff backoff;
    int64_t over[REMEMBERED];
    size_t n_over; /* so many have been, the last ones are in there */
    char capabilities[CAPABILITIES_MAX + 1];
    char trouble[400];
    bool flooded;   /* the last answer had more tasks than could be taken */
    bool served;    /* an ephemeral runner had its one task */
    bool cancelled; /* nothing is begun any more, and what runs is to end */
    bool connected;
    int exit_code;
};

static struct gitea *gitea_of(struct queue *q)
{
    return (struct gitea *)q;
}

static const struct gitea *gitea_of_const(const struct queue *q)
{
    return (const struct gitea *)q;
}

static struct held *find(const struct gitea *g, const char *key)
{
    for (struct held *h = g->held; h; h = h->next)
        if (h->key && strcmp(h->key, key) == 0)
            return h;
    return NULL;
}

/* ---- the end of all ---- */

static void say_trouble(struct gitea *g, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say_trouble(struct gitea *g, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(g->trouble, sizeof g->trouble, fmt, ap);
    va_end(ap);
}

/* What may pass. Of a server that cannot even be reached the fault has all to say. */
static void say_fault(struct gitea *g, const char *what, const struct connect_fault *fault)
{
    if (fault->status)
        say_trouble(g, "'%s' %s: %s; it is asked again", g->settings.address, what, fault->text);
    else
        say_trouble(g, "%s; it is asked again", fault->text);
}

static void wake_caller(struct gitea *g)
{
    if (g->base.client.ready)
        g->base.client.ready(g->base.client.ctx);
}

/* Nothing is asked for any more; jobs that run are run to their end. */
static void end_queue(struct gitea *g, int exit_code)
{
    if (g->stage >= STAGE_UP)
        poll_stop(&g->poll);
    g->stage = STAGE_ENDED;
    g->exit_code = exit_code;
    wake_caller(g);
}

static void end_unregistered(struct gitea *g)
{
    g->connected = false;
    say_trouble(g,
                "'%s' does not know the runner '%s' any more: it was removed there, or its token "
                "was changed; 'ostler unregister --dir %s', then register anew",
                g->settings.address, g->settings.name, g->spec.registration->path);
    end_queue(g, EXIT_TERMINATED);
}

/* ---- tasks ---- */

static void held_free(struct held *h)
{
    struct held **at = &h->queue->held;

    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    gitea_report_free(h->report);
    called_free(h->called);
    task_deinit(&h->task);
    free(h);
}

/* Its job is not going to be run. */
static void drop(struct held *h, const char *why)
{
    task_drop_job(&h->task);
    gitea_report_end(h->report, QUEUE_CANCELLED, why);
}

static void on_stop(void *ctx, const char *why)
{
    struct held *h = ctx;
    struct gitea *g = h->queue;

    if (h->called)
        called_cancel(h->called, false);
    else if (h->handed)
        g->base.client.stop(g->base.client.ctx, h->key, why);
    else if (h->task.job) /* nobody has begun it: it is over */
        drop(h, why);
}

/* A task that calls is ours between its jobs, too, and while its files are fetched. */
static void owe(struct held *h, bool so)
{
    const struct queue_client *client = &h->queue->base.client;
    json_t *lease = so ? gitea_report_lease(h->report) : NULL;

    if (client->owe)
        client->owe(client->ctx, h->task.key, lease);
    json_decref(lease);
}

static void on_over(void *ctx, enum gitea_report_end how)
{
    struct held *h = ctx;
    struct gitea *g = h->queue;
    bool recovered = !h->task.key;

    g->over[g->n_over++ % REMEMBERED] = h->task.id;
    if (h->called)
        owe(h, false);
    held_free(h);
    if (how == REPORT_UNREGISTERED && !g->settings.ephemeral && g->stage != STAGE_ENDED)
        end_unregistered(g);
    else if (g->settings.ephemeral && g->served && !recovered && g->stage != STAGE_ENDED)
        end_queue(g, 0);
    if (g->stage == STAGE_UP) {
        poll_force(&g->poll);
        poll_wake(&g->poll);
    }
    wake_caller(g);
}

static struct gitea_report *new_report(struct gitea *g, struct held *h, const json_t *recovered,
                                       const char *hello)
{
    struct gitea_report_spec spec = {
        .connect = &g->connect,
        .task = h->task.id,
        .n_steps = recovered ? 0 : h->task.n_steps,
        .scratch = g->spec.scratch,
        .hello = hello,
        .summary = h->task.summary,
        .runtime_token = h->task.runtime_token,
        .summary_call = h->task.forgejo,
        .stop = on_stop,
        .over = on_over,
        .ctx = h,
        .recovered = recovered,
    };

    return gitea_report_new(&spec);
}

static struct held *held_new(struct gitea *g)
{
    struct held *h = mem_new(sizeof *h), **last = &g->held;

    while (*last)
        last = &(*last)->next;
    *last = h;
    h->queue = g;
    return h;
}

/* Ids are never used again. */
static bool knows(const struct gitea *g, int64_t id)
{
    for (const struct held *h = g->held; h; h = h->next)
        if (h->task.id == id)
            return true;
    for (size_t i = 0; i < REMEMBERED && i < g->n_over; i++)
        if (g->over[i] == id)
            return true;
    return false;
}

/* ---- what a called workflow comes to ---- */

static void on_called_ready(void *ctx)
{
    wake_caller(((struct held *)ctx)->queue);
}

static void on_called_say(void *ctx, const char *text)
{
    struct held *h = ctx;
    json_t *note = json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text));

    gitea_report_event(h->report, note, SLICE(""));
    json_decref(note);
}

static void on_called_stop(void *ctx, const char *why)
{
    struct held *h = ctx;

    if (h->handed)
        h->queue->base.client.stop(h->queue->base.client.ctx, h->key, why);
}

static void on_called_over(void *ctx, enum queue_result result, const json_t *outputs)
{
    struct held *h = ctx;
    json_t *finished =
        json_pack("{s:s, s:s, s:o}", "event", "job.finished", "result", queue_result_name(result),
                  "outputs", outputs ? json_deep_copy(outputs) : json_object());

    gitea_report_event(h->report, finished, SLICE(""));
    json_decref(finished);
    gitea_report_end(h->report, result, NULL);
}

static void begin_call(struct gitea *g, struct held *h)
{
    const struct called_spec spec = {
        .settings = &g->settings,
        .store = g->spec.store,
        .loop = g->connect.loop,
        .ready = on_called_ready,
        .say = on_called_say,
        .stop = on_called_stop,
        .over = on_called_over,
        .ctx = h,
    };

    owe(h, true);
    h->called = called_new(&spec, &h->task);
}

static void begin_task(struct gitea *g, struct held *h)
{
    CLEANUP(buf_deinit) struct buf hello = BUF_INIT(1000);
    struct task *t = &h->task;

    buf_printf(&hello, "%.255s, of ostler %s, received task %" PRId64, g->settings.name,
               g->spec.version, t->id);
    h->report = new_report(g, h, NULL, hello.ptr);
    g->served = true;
    if (t->fate == TASK_SKIP)
        gitea_report_end(h->report, QUEUE_SKIPPED, t->reason.ptr);
    else if (t->fate == TASK_REFUSE)
        gitea_report_end(h->report, QUEUE_FAILURE,
                         arena_printf(&t->arena, "##[error]%.*s", SLICE_ARG(t->reason)));
    else if (g->cancelled)
        drop(h, shutting_down);
    else if (t->fate == TASK_CALL)
        begin_call(g, h);
    else
        wake_caller(g);
}

static int count_held(const struct gitea *g)
{
    int n = 0;

    for (const struct held *h = g->held; h; h = h->next)
        n += h->task.key != NULL; /* those of another process were not handed out now */
    return n;
}

static void on_task(void *ctx, const json_t *json)
{
    struct gitea *g = ctx;
    struct held *h;
    const struct task_spec spec = {
        .settings = &g->settings,
        .registration = g->spec.registration->id,
        .version = g->spec.version,
        .capabilities = g->capabilities,
    };
    struct err err = ERR_INIT;
    struct task task;

    if (count_held(g) >= g->settings.capacity + GITEA_TASKS_OVER) {
        g->flooded = true;
        return;
    }
    if (task_read(json, &spec, &task, &err) != ERR_OK) {
        say_trouble(g, "%s", err.text);
        return;
    }
    if (knows(g, task.id)) { /* an answer that was told twice */
        task_deinit(&task);
        return;
    }
    h = held_new(g);
    h->task = task;
    h->key = task.key;
    begin_task(g, h);
}

static int room(void *ctx)
{
    const struct gitea *g = ctx;
    int waiting = 0;

    for (const struct held *h = g->held; h; h = h->next)
        waiting += h->task.job != NULL;
    int most = g->settings.capacity - count_held(g), wanted = g->want - waiting;
    if (g->stage != STAGE_UP || (g->settings.ephemeral && g->served))
        return 0;
    most = most < wanted ? most : wanted;
    return g->settings.ephemeral && most > 1 ? 1 : most;
}

/* ---- how the server is ---- */

static void on_fetched(void *ctx, const struct connect_fault *fault)
{
    struct gitea *g = ctx;

    g->connected = !fault;
    if (!fault && g->flooded) {
        say_trouble(g, "'%s' hands out more tasks than it is asked for: some are left to it",
                    g->settings.address);
    } else if (!fault) {
        g->trouble[0] = '\0';
    } else if (g->stage == STAGE_CLOSING) {
        ; /* we are leaving anyway */
    } else if (connect_is_unregistered(fault)) {
        end_unregistered(g);
    } else if (fault->said && strstr(fault->text, "runner has been removed")) {
        end_queue(g, 0); /* how an older Gitea says that an ephemeral runner had its task */
    } else {
        say_fault(g, "does not hand out jobs now", fault);
    }
    g->flooded = false;
    wake_caller(g);
}

static void declare(struct gitea *g);

static void declare_again(void *ctx)
{
    struct gitea *g = ctx;

    g->timer = NULL;
    declare(g);
}

static void begin_recovered(struct gitea *g)
{
    size_t i;
    json_t *lease;

    json_array_foreach (g->recover, i, lease) {
        struct err ignored = ERR_INIT;
        int64_t id;

        if (connect_int(lease, "task", &id, &ignored) != ERR_OK || id <= 0 || knows(g, id))
            continue;
        struct held *h = held_new(g);
        h->task.id = id;
        h->report = new_report(g, h, lease,
                               "##[error]The runner was restarted while this job ran, and the job "
                               "did not survive that");
    }
    json_array_clear(g->recover);
}

static void take_capabilities(struct gitea *g, const struct http_answer *raw)
{
    struct slice stated = http_header(raw, "X-Gitea-Actions-Capabilities");

    g->capabilities[0] = '\0';
    if (stated.len && stated.len <= CAPABILITIES_MAX)
        snprintf(g->capabilities, sizeof g->capabilities, "%.*s", SLICE_ARG(stated));
}

static void declared(void *ctx, json_t *answer, const struct connect_fault *fault,
                     const struct http_answer *raw)
{
    struct gitea *g = ctx;

    (void)answer;
    g->declaring = NULL;
    g->connected = !fault;
    if (!fault) {
        g->trouble[0] = '\0';
        take_capabilities(g, raw);
        if (g->stage == STAGE_DECLARING)
            g->stage = STAGE_UP;
        begin_recovered(g);
        poll_wake(&g->poll);
    } else if (connect_is_unregistered(fault)) {
        end_unregistered(g);
    } else if (fault->code == CONNECT_UNIMPLEMENTED) {
        say_trouble(g, "'%s' is too old: runners need Gitea or Forgejo 1.21", g->settings.address);
        end_queue(g, EXIT_TERMINATED);
    } else {
        say_fault(g, "does not take this runner in now", fault);
        g->timer =
            loop_timer(g->connect.loop, connect_again_at(fault, &g->backoff), declare_again, g);
    }
    wake_caller(g);
}

static void declare(struct gitea *g)
{
    json_t *labels = json_array();

    for (size_t i = 0; i < g->settings.n_labels; i++)
        json_array_append_new(labels, json_string(g->settings.labels[i].name));
    g->declaring = connect_start(&g->connect, "Declare",
                                 json_pack("{s:o, s:o, s:[s]}", "version",
                                           json_sprintf("ostler/%s", g->spec.version), "labels",
                                           labels, "capabilities", "cancelling"),
                                 NULL, declared, g);
}

static void connect_first(struct gitea *g)
{
    const struct poll_spec spec = {
        .connect = &g->connect,
        .interval_ms = connect_pause(&g->connect, g->settings.fetch_interval_ms),
        .room = room,
        .task = on_task,
        .answered = on_fetched,
        .ctx = g,
    };

    if (g->stage != STAGE_NEW)
        return;
    g->connect.loop = g->base.client.loop;
    poll_init(&g->poll, &spec);
    g->stage = STAGE_DECLARING;
    declare(g);
}

/* ---- the operations ---- */

static void want(struct queue *q, int n)
{
    struct gitea *g = gitea_of(q);

    g->want = n;
    connect_first(g);
    if (g->stage == STAGE_UP)
        poll_wake(&g->poll);
}

/* Of a called workflow they have the task's key with a number behind it. */
static struct job *take_job(struct held *h)
{
    struct job *job = h->task.job;

    h->task.job = NULL;
    if (!h->called || h->handed)
        return job;
    const char *key = arena_printf(&h->task.arena, "%s/%u", h->task.key, h->n_called + 1);
    job = called_next(h->called, key);
    if (job) {
        h->key = key;
        h->n_called++;
    }
    return job;
}

static int next(struct queue *q, struct job **ret, struct err *err)
{
    struct gitea *g = gitea_of(q);

    (void)err;
    for (struct held *h = g->held; h; h = h->next) {
        struct job *job = g->cancelled ? NULL : take_job(h);

        if (!job)
            continue;
        *ret = job;
        h->handed = true;
        g->want -= g->want > 0;
        return 1;
    }
    return 0;
}

static int event(struct queue *q, const char *key, json_t *json, struct slice log, struct err *err)
{
    struct held *h = find(gitea_of(q), key);

    (void)err;
    if (h && (!h->called || called_event(h->called, json, log)))
        gitea_report_event(h->report, json, log);
    return ERR_OK;
}

static int ended(struct queue *q, const char *key, const char *why, struct err *err)
{
    struct gitea *g = gitea_of(q);
    struct held *h = find(g, key);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1000);

    (void)err;
    if (!h)
        return ERR_OK;
    h->handed = false;
    if (h->called) {
        called_ended(h->called, why);
        if (g->cancelled)
            called_cancel(h->called, true);
        return ERR_OK;
    }
    buf_printf(&text, "##[error]The job's process ended: %s", why ? why : "");
    gitea_report_end(h->report, QUEUE_FAILURE, why ? text.ptr : NULL);
    return ERR_OK;
}

static void leave(void *ctx)
{
    struct gitea *g = ctx;

    g->timer = NULL;
    poll_deinit(&g->poll);
    g->declaring = connect_call_free(g->declaring);
    wake_caller(g);
}

/* Tasks that nobody has begun are told to be cancelled. */
static void drop_waiting(struct gitea *g)
{
    for (struct held *h = g->held; h; h = h->next) {
        if (h->task.job)
            drop(h, shutting_down);
        else if (h->called && !h->handed)
            called_cancel(h->called, true);
    }
}

static void close_queue(struct queue *q)
{
    struct gitea *g = gitea_of(q);

    g->want = 0;
    if (g->stage == STAGE_CLOSING)
        return;
    if (g->stage == STAGE_UP)
        poll_stop(&g->poll);
    if (g->stage == STAGE_NEW || (g->stage == STAGE_DECLARING && !json_array_size(g->recover))) {
        g->declaring = connect_call_free(g->declaring);
        g->timer = timer_free(g->timer);
    }
    if (g->stage != STAGE_ENDED) {
        g->stage = STAGE_CLOSING;
        if (g->connect.loop) {
            timer_free(g->timer);
            g->timer = loop_timer(g->connect.loop, clock_ms() + LEAVE_MS, leave, g);
        }
    }
}

static void cancel(struct queue *q, bool hard)
{
    struct gitea *g = gitea_of(q);

    (void)hard; /* the worker ends its job either way */
    close_queue(q);
    g->cancelled = true;
    drop_waiting(g);
    for (struct held *h = g->held; h; h = h->next)
        if (h->handed)
            g->base.client.stop(g->base.client.ctx, h->key, "the runner is being shut down");
}

static bool done(const struct queue *q)
{
    const struct gitea *g = gitea_of_const(q);

    return g->stage >= STAGE_CLOSING && !g->held && !g->declaring && !poll_is_busy(&g->poll);
}

static void health(const struct queue *q, struct queue_health *ret)
{
    const struct gitea *g = gitea_of_const(q);

    *ret = (struct queue_health){
        .connected = g->connected,
        .contact_ms = g->connect.contact_ms,
        .trouble = g->trouble[0] ? g->trouble : NULL,
        .ended = g->stage == STAGE_ENDED,
        .exit_code = g->exit_code,
        .requests = g->connect.calls,
        .failures = g->connect.failures,
    };
}

static json_t *lease(const struct queue *q, const char *key)
{
    const struct held *h = find(gitea_of_const(q), key);

    return h ? gitea_report_lease(h->report) : NULL;
}

static void recover(struct queue *q, const json_t *one)
{
    struct gitea *g = gitea_of(q);

    json_array_append_new(g->recover, json_deep_copy(one));
    connect_first(g);
    if (g->stage == STAGE_UP || (g->stage == STAGE_CLOSING && !g->declaring))
        begin_recovered(g);
}

static void detach(struct queue *q)
{
    struct gitea *g = gitea_of(q);

    while (g->held)
        held_free(g->held);
    g->declaring = connect_call_free(g->declaring);
    g->timer = timer_free(g->timer);
    if (g->stage != STAGE_NEW)
        poll_deinit(&g->poll);
    g->stage = STAGE_ENDED;
}

static void queue_free(struct queue *q)
{
    struct gitea *g = gitea_of(q);

    detach(q);
    json_decref(g->recover);
    gitea_settings_deinit(&g->settings);
    free(g);
}

static const struct queue_ops ops = {
    .next = next,
    .event = event,
    .ended = ended,
    .cancel = cancel,
    .done = done,
    .detach = detach,
    .free = queue_free,
    .want = want,
    .close = close_queue,
    .health = health,
    .lease = lease,
    .recover = recover,
};

int queue_gitea_new(const struct gitea_queue_spec *spec, struct queue **ret, struct err *err)
{
    CLEANUP(loose_wipep) json_t *document = NULL;
    struct gitea_settings settings;

    if (registration_read(spec->registration, ".runner", &document, err) != ERR_OK)
        return err->code;
    if (gitea_settings_read(document, &settings, err) != ERR_OK)
        return err_in(err, "'%s/.runner'", spec->registration->path);
    struct gitea *g = mem_new(sizeof *g);
    g->base.ops = &ops;
    g->spec = *spec;
    g->settings = settings;
    g->recover = json_array();
    g->connect = (struct connect){
        .http = spec->http,
        .address = g->settings.address,
        .uuid = g->settings.uuid,
        .token = g->settings.token,
        .version = spec->version,
        .minute_ms = spec->minute_ms,
    };
    g->backoff = (struct backoff){connect_pause(&g->connect, DECLARE_FIRST_MS),
                                  connect_pause(&g->connect, DECLARE_MOST_MS), 0};
    *ret = &g->base;
    return ERR_OK;
}
