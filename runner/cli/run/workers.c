#include "cli/run/workers.h"

#include "base/clock.h"
#include "listen/pool.h"

#include <signal.h>

struct workers {
    const struct workers_spec *spec;
    struct loop *loop;
    struct pool *pool;
    int interrupts; /* how often we were asked to stop */
    struct err first;
};

static void fail(struct workers *w, const struct err *err)
{
    if (w->first.code == ERR_OK)
        w->first = *err;
}

static void say(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "ostler: %s\n", text);
}

/* ---- what workers say ---- */

static int on_event(void *ctx, const char *key, json_t *event, struct slice log, struct err *err)
{
    struct workers *all = ctx;
    struct queue *q = all->spec->queue;
    int r = report_event(all->spec->report, event, log, err);

    return r < 0 ? r : q->ops->event(q, key, event, log, err);
}

static void fill_slots(struct workers *all);

static void on_end(void *ctx, const char *key, const char *why)
{
    struct workers *all = ctx;
    struct queue *q = all->spec->queue;
    struct err err = ERR_INIT;

    services_end_job(all->spec->services, key);
    if (q->ops->ended(q, key, why, &err) < 0)
        fail(all, &err);
    fill_slots(all);
}

/* ---- starting ---- */

/* Most actions get on without artifacts and caches, so a job is not given up for them. */
static void equip(struct workers *all, struct job *job)
{
    struct err err = ERR_INIT;

    if (services_equip(all->spec->services, job, &err) < 0)
        fprintf(stderr, "ostler: job '%s' has no artifacts and caches: %s\n", job->key, err.text);
}

static void start(struct workers *all, struct job *job)
{
    struct queue *q = all->spec->queue;
    struct err err = ERR_INIT;

    equip(all, job);
    if (pool_start(all->pool, job, NULL, all->spec->services, -1, &err) < 0 &&
        q->ops->ended(q, job->key, err.text, &err) < 0)
        fail(all, &err);
    job_deinit(job);
    free(job);
}

static void fill_slots(struct workers *all)
{
    struct queue *q = all->spec->queue;

    while (pool_len(all->pool) < (size_t)all->spec->slots && all->first.code == ERR_OK) {
        struct err err = ERR_INIT;
        struct job *job = NULL;
        int r = q->ops->next(q, &job, &err);

        if (r == 0)
            break;
        if (r < 0)
            fail(all, &err);
        else
            start(all, job);
    }
}

/* ---- what the queue and the user ask for ---- */

static int on_queue_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct workers *all = ctx;
    return report_event(all->spec->report, event, log, err);
}

static void on_queue_ready(void *ctx)
{
    fill_slots(ctx);
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    struct workers *all = ctx;

    (void)why; /* the queue tells it with the job's result */
    pool_stop(all->pool, key, POOL_CANCEL);
}

static void on_signal(void *ctx, int signo)
{
    struct workers *all = ctx;
    struct queue *q = all->spec->queue;

    if (signo == SIGWINCH) {
        report_resize(all->spec->report);
        return;
    }
    all->interrupts++;
    q->ops->cancel(q, all->interrupts > 1);
    if (all->interrupts > 1)
        pool_stop_all(all->pool, POOL_KILL);
    fill_slots(all);
}

/* ---- the whole ---- */

static int open_pool(struct workers *all, struct err *err)
{
    struct pool_spec spec = {.loop = all->loop,
                             .env = all->spec->env,
                             .minute_ms = all->spec->minute_ms,
                             .event = on_event,
                             .ended = on_end,
                             .trouble = say,
                             .ctx = all};

    return pool_new(&spec, &all->pool, err);
}

int workers_run(const struct workers_spec *spec, bool *ret_cancelled, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, 0};
    struct workers all = {.spec = spec};

    int r = loop_new(&all.loop, err);
    if (r == ERR_OK)
        r = open_pool(&all, err);
    if (r == ERR_OK)
        r = loop_signals(all.loop, signals, on_signal, &all, err);
    if (r == ERR_OK) {
        services_attach(spec->services, all.loop);
        spec->queue->client = (struct queue_client){.event = on_queue_event,
                                                    .stop = on_stop,
                                                    .ready = on_queue_ready,
                                                    .ctx = &all,
                                                    .loop = all.loop};
        fill_slots(&all);
    }
    while (r == ERR_OK && all.first.code == ERR_OK &&
           (pool_len(all.pool) || !spec->queue->ops->done(spec->queue)))
        r = loop_turn(all.loop, report_tick(spec->report, clock_ms()), err);
    all.pool = pool_free(all.pool); /* after an error of ours something may run */
    services_detach(spec->services);
    if (spec->queue->ops->detach)
        spec->queue->ops->detach(spec->queue);
    loop_free(all.loop);
    *ret_cancelled = all.interrupts > 0;
    if (r == ERR_OK && all.first.code != ERR_OK) {
        *err = all.first;
        r = err->code;
    }
    return r;
}
