#include "listen/listener.h"

#include "base/clock.h"
#include "listen/listener_state.h"

#include <signal.h>
#include <string.h>

/* ---- what queues ask for ---- */

static void tell_assigned(const struct member *m, const json_t *event)
{
    const struct listener_hooks *hooks = &m->listener->spec.hooks;
    const struct listener_job job = {
        .registration = m->name,
        .kind = m->kind,
        .repository = json_string_value(json_object_get(event, "repository")),
        .name = json_string_value(json_object_get(event, "name")),
        .event = json_string_value(json_object_get(event, "event_name"))};

    if (hooks->assigned)
        hooks->assigned(hooks->ctx, &job, json_integer_value(json_object_get(event, "waited_ms")));
}

static enum listener_level level_of(const json_t *note)
{
    const char *level = json_string_value(json_object_get(note, "level"));

    return level && strcmp(level, "warning") == 0 ? LISTENER_WARNING : LISTENER_INFO;
}

static int on_queue_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    const struct member *m = ctx;
    const char *name = json_string_value(json_object_get(event, "event"));
    const char *text = json_string_value(json_object_get(event, "text"));

    (void)log;
    (void)err;
    if (name && strcmp(name, "note") == 0 && text)
        listener_say(m->listener, level_of(event), m,
                     json_string_value(json_object_get(event, "job")), "%s", text);
    else if (name && strcmp(name, "job.assigned") == 0)
        tell_assigned(m, event);
    return ERR_OK;
}

static void on_ready(void *ctx)
{
    const struct member *m = ctx;
    m->listener->due = true;
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    const struct member *m = ctx;
    struct listener *l = m->listener;
    struct task *t = listener_task(l, key);

    if (!t)
        return;
    if (!t->stopping)
        listener_say(l, LISTENER_INFO, m, key, "the job is cancelled%s%s", why ? ": " : "",
                     why ? why : "");
    t->stopping = true;
    pool_stop(l->pool, key, l->phase < PHASE_STOPPING ? POOL_CANCEL : POOL_SHUTDOWN);
}

static void on_kill(void *ctx, const char *key, const char *why)
{
    const struct member *m = ctx;
    struct listener *l = m->listener;

    if (!listener_task(l, key))
        return;
    listener_say(l, LISTENER_WARNING, m, key, "the job is killed: %s", why);
    pool_stop(l->pool, key, POOL_KILL);
}

/* ---- its parts ---- */

int listener_new(const struct listener_spec *spec, struct listener **ret, struct err *err)
{
    struct listener *l = mem_new(sizeof *l);

    *l = (struct listener){.spec = *spec, .pass_ms = LISTENER_PASS_MS, .started_ms = clock_ms()};
    struct pool_spec pool = {.loop = spec->loop,
                             .program = spec->program,
                             .env = spec->env,
                             .minute_ms = spec->minute_ms,
                             .event = listener_on_event,
                             .ended = listener_on_end,
                             .trouble = listener_on_trouble,
                             .ctx = l};
    int r = pool_new(&pool, &l->pool, err);
    if (r < 0) {
        free(l);
        return r;
    }
    *ret = l;
    return ERR_OK;
}

static char *copy_of(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

void listener_add(struct listener *l, const struct listener_member *member)
{
    struct member *m = mem_new(sizeof *m);

    *m = (struct member){.listener = l,
                         .name = copy_of(member->name),
                         .kind = copy_of(member->kind),
                         .url = copy_of(member->url),
                         .labels = copy_of(member->labels),
                         .capacity = member->capacity,
                         .env = member->env,
                         .queue = member->take_queue,
                         .journal = member->take_journal,
                         .turn = ++l->turns,
                         .offered = -1};
    m->queue->client = (struct queue_client){.event = on_queue_event,
                                             .stop = on_stop,
                                             .kill = on_kill,
                                             .ready = on_ready,
                                             .owe = listener_on_owe,
                                             .ctx = m,
                                             .loop = l->spec.loop};
    vec_push(&l->members, m);
}

static void member_free(struct member *m)
{
    if (m->queue->ops->detach)
        m->queue->ops->detach(m->queue);
    m->queue->ops->free(m->queue);
    listener_leave_debts(m);
    journal_close(m->journal);
    char *const texts[] = {m->name, m->kind, m->url, m->labels, m->trouble};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(m);
}

struct listener *listener_free(struct listener *l)
{
    if (!l)
        return NULL;
    timer_free(l->look);
    timer_free(l->grace);
    timer_free(l->pass_on);
    l->pool = pool_free(l->pool);
    VEC_EACH (t, &l->tasks)
        task_free(*t, false);
    VEC_EACH (m, &l->members)
        member_free(*m);
    vec_deinit(&l->tasks);
    vec_deinit(&l->members);
    free(l);
    return NULL;
}

/* ---- stopping ---- */

void listener_drain(struct listener *l)
{
    if (l->phase != PHASE_SERVING)
        return;
    l->phase = PHASE_DRAINING;
    l->due = true;
    VEC_EACH (one, &l->members) {
        struct member *m = *one;

        if (!m->ended)
            m->queue->ops->close(m->queue);
        m->closed = true;
    }
    if (l->spec.hooks.draining)
        l->spec.hooks.draining(l->spec.hooks.ctx);
}

/* As a machine that is shut down: what runs fails, and its server is told. */
static void stop_jobs(struct listener *l)
{
    l->phase = PHASE_STOPPING;
    listener_say(l, LISTENER_WARNING, NULL, NULL, "jobs are told to end: %d run",
                 listener_running(l));
    pool_stop_all(l->pool, POOL_SHUTDOWN);
    VEC_EACH (t, &l->tasks)
        (*t)->stopping = true;
    VEC_EACH (m, &l->members)
        if (!(*m)->ended)
            (*m)->queue->ops->cancel((*m)->queue, true);
}

static void on_grace(void *ctx)
{
    struct listener *l = ctx;

    l->grace = NULL;
    if (l->phase == PHASE_DRAINING)
        stop_jobs(l); /* if it was not done by a second signal */
}

static void drain_to_leave(struct listener *l)
{
    listener_say(l, LISTENER_INFO, NULL, NULL,
                 "no more jobs are taken; %d run: they come to their end (again: they are told to "
                 "end)",
                 listener_running(l));
    l->leaving = true;
    l->renewing = false;
    if (l->spec.drain_ms)
        l->grace = loop_timer(l->spec.loop, clock_ms() + l->spec.drain_ms, on_grace, l);
    listener_drain(l);
}

/* Jobs have what time they want: who is in a hurry says SIGTERM. */
static void drain_to_renew(struct listener *l)
{
    const struct listener_hooks *hooks = &l->spec.hooks;
    struct err err = ERR_INIT;

    if (l->phase != PHASE_SERVING)
        (void)err_set(&err, ERR_DENIED, "no more jobs are taken already");
    else if (!hooks->renew)
        (void)err_set(&err, ERR_DENIED, "this listener cannot begin anew");
    if (err.code || hooks->renew(hooks->ctx, &err) < 0) {
        listener_say(l, LISTENER_WARNING, NULL, NULL, "SIGHUP changes nothing: %s", err.text);
        return;
    }
    listener_say(l, LISTENER_INFO, NULL, NULL,
                 "no more jobs are taken until the listener has begun anew, which it does when "
                 "those that run have ended: %d run",
                 listener_running(l));
    l->renewing = true;
    listener_drain(l);
}

static void on_signal(void *ctx, int signo)
{
    struct listener *l = ctx;

    if (signo == SIGHUP) {
        drain_to_renew(l);
    } else if (!l->leaving) { /* the one job of --once may be under way */
        drain_to_leave(l);
    } else if (l->phase == PHASE_DRAINING) {
        stop_jobs(l);
    } else {
        listener_say(l, LISTENER_WARNING, NULL, NULL, "jobs are killed: %d run",
                     listener_running(l));
        l->phase = PHASE_LEAVING;
        pool_give_up_clearing(l->pool); /* the next listener does it, out of the journal */
        pool_stop_all(l->pool, POOL_KILL);
    }
}

/* ---- serving ---- */

static bool is_over(const struct member *m)
{
    return (m->ended || m->closed) && m->queue->ops->done(m->queue);
}

static bool all_over(const struct listener *l)
{
    if (pool_len(l->pool))
        return false;
    for (size_t i = 0; i < l->members.len; i++)
        if (l->phase != PHASE_LEAVING && !is_over(l->members.ptr[i]))
            return false;
    return true;
}

/* What has become of the last turn: queues only say that something has. */
static void follow_up(struct listener *l)
{
    listener_look_at_health(l);
    listener_settle(l, false);
    while (l->due) {
        l->due = false;
        listener_hand_out(l);
        listener_offer(l);
    }
}

int listener_run(struct listener *l, int *ret_code, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    int r = loop_signals(l->spec.loop, signals, on_signal, l, err);

    if (r == ERR_OK)
        listener_recover(l);
    l->due = true;
    while (r == ERR_OK) {
        follow_up(l);
        if (all_over(l))
            break;
        r = loop_turn(l->spec.loop, CLOCK_NEVER, err);
    }
    if (r == ERR_OK && l->phase != PHASE_LEAVING)
        listener_settle(l, true);
    *ret_code = l->exit_code;
    return r;
}

bool listener_is_renewed(const struct listener *l)
{
    return l->renewing;
}
