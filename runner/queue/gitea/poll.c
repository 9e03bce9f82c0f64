#include "queue/gitea/poll.h"

#include "base/clock.h"

enum { AT_ONCE_MS = 50 /* and a quarter of the interval: more may wait, but nothing spins */ };

static void ask(struct poll *p);

void poll_init(struct poll *p, const struct poll_spec *spec)
{
    bool is_public =
        slice_eq_nocase(slice_of(spec->connect->address), SLICE("https://codeberg.org"));

    *p = (struct poll){.spec = *spec, .force = true};
    if (is_public && p->spec.interval_ms < POLL_PUBLIC_MS)
        p->spec.interval_ms = POLL_PUBLIC_MS;
    int64_t most = connect_pause(spec->connect, POLL_TROUBLE_MS);
    p->trouble = (struct backoff){p->spec.interval_ms,
                                  p->spec.interval_ms > most ? p->spec.interval_ms : most, 0};
}

void poll_deinit(struct poll *p)
{
    p->call = connect_call_free(p->call);
    p->timer = timer_free(p->timer);
    p->stopped = true;
}

/* ---- when ---- */

static int64_t idle_wait(const struct poll *p)
{
    int64_t most = connect_pause(p->spec.connect, POLL_MOST_MS);
    int64_t wait = p->spec.interval_ms;

    most = p->spec.interval_ms > most ? p->spec.interval_ms : most;
    for (unsigned i = 1; i < p->idle && wait < most; i++)
        wait *= 2;
    wait = wait > most ? most : wait;
    return random_between(wait - wait / 5, wait + wait / 5);
}

static void on_time(void *ctx)
{
    struct poll *p = ctx;

    p->timer = NULL;
    ask(p);
}

static void wait_until(struct poll *p, int64_t at)
{
    p->next_ms = at;
    timer_free(p->timer);
    p->timer = loop_timer(p->spec.connect->loop, at, on_time, p);
}

/* ---- asking ---- */

static void take_tasks(struct poll *p, const json_t *answer)
{
    const json_t *one = json_object_get(answer, "task");
    const json_t *more = json_object_get(answer, "additionalTasks");
    size_t n = json_array_size(more);

    p->idle = one || n ? 0 : p->idle + 1;
    p->force = one || n;
    if (one)
        p->spec.task(p->spec.ctx, one);
    for (size_t i = 0; i < n; i++)
        p->spec.task(p->spec.ctx, json_array_get(more, i));
}

static void take_version(struct poll *p, const json_t *answer)
{
    struct err ignored = ERR_INIT; /* a server with a counter that is none is always looked into */
    int64_t version;

    if (connect_int(answer, "tasksVersion", &version, &ignored) == ERR_OK && version > p->version)
        p->version = version;
}

static void answered(void *ctx, json_t *answer, const struct connect_fault *fault,
                     const struct http_answer *raw)
{
    struct poll *p = ctx;

    (void)raw;
    p->call = NULL;
    if (fault) {
        p->asked &= !fault->too_large; /* by the same key it would be handed out for ever */
        wait_until(p, connect_again_at(fault, &p->trouble));
    } else {
        p->asked = false;
        backoff_reset(&p->trouble);
        take_version(p, answer);
        take_tasks(p, answer);
        /* What was handed out was asked for at once: there may be more. */
        wait_until(p, clock_ms() + (p->idle ? idle_wait(p) : p->spec.interval_ms / 4 + AT_ONCE_MS));
    }
    p->spec.answered(p->spec.ctx, fault);
}

static void ask(struct poll *p)
{
    int room = p->stopped || p->call ? 0 : p->spec.room(p->spec.ctx);
    int64_t now = clock_ms();

    if (room <= 0)
        return; /* poll_wake() comes when there is */
    if (now < p->next_ms) {
        wait_until(p, p->next_ms);
        return;
    }
    if (!p->asked)
        random_uuid(p->key);
    p->asked = true;
    if (p->force || now - p->forced_ms >= connect_pause(p->spec.connect, POLL_FORCE_MS)) {
        p->force = true;
        p->forced_ms = now;
    }
    json_t *request =
        json_pack("{s:o}", "tasksVersion", connect_int_new(p->force ? 0 : p->version));
    if (room > 1)
        json_object_set_new(request, "taskCapacity", connect_int_new(room));
    p->call = connect_start(p->spec.connect, "FetchTask", request, p->key, answered, p);
}

void poll_wake(struct poll *p)
{
    ask(p);
}

void poll_force(struct poll *p)
{
    p->force = true;
}

void poll_stop(struct poll *p)
{
    p->stopped = true;
    p->timer = timer_free(p->timer);
}

bool poll_is_busy(const struct poll *p)
{
    return p->call != NULL;
}
