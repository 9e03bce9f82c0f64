#include "queue/github/scale/set.h"

#include "base/clock.h"
#include "base/path.h"
#include "queue/github/assignment.h"
#include "queue/github/enrol/register.h"
#include "queue/github/scale/state.h"
#include "queue/loose.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct scale_set *set_of(const struct queue *q)
{
    return (struct scale_set *)(uintptr_t)(const void *)q;
}

/* ---- telling ---- */

static void tell(struct scale_set *s, json_t *take_event)
{
    const struct queue_client *c = &s->base.client;
    struct err ignored = ERR_INIT; /* an event that finds no reader stops nothing */

    if (c->event)
        (void)!c->event(c->ctx, take_event, slice_make(NULL, 0), &ignored);
    json_decref(take_event);
}

void scale_note(struct scale_set *s, const char *text)
{
    tell(s, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text)));
}

void scale_trouble(struct scale_set *s, const char *why)
{
    s->connected = !why;
    if (!s->ended)
        (void)snprintf(s->trouble, sizeof s->trouble, "%s", why ? why : "");
}

static void tell_ready(struct scale_set *s)
{
    if (s->base.client.ready)
        s->base.client.ready(s->base.client.ctx);
}

/* ---- looking ---- */

static void settle(struct scale_set *s);

static void look(struct scale_set *s)
{
    scale_runners_look(s);
    settle(s);
}

static void on_look(void *ctx)
{
    struct scale_set *s = ctx;

    s->look = NULL;
    look(s);
}

static void on_look_later(void *ctx)
{
    struct scale_set *s = ctx;

    s->look_later = NULL;
    look(s);
}

void scale_look_soon(struct scale_set *s)
{
    if (!s->look && s->state != SCALE_OVER)
        s->look = loop_timer(s->caller.loop, clock_ms(), on_look, s);
}

/* One at a time is enough: what it is too early for then asks for another. */
void scale_look_later(struct scale_set *s, int64_t ms)
{
    if (!s->look_later && s->state != SCALE_OVER)
        s->look_later = loop_timer(s->caller.loop, clock_ms() + ms, on_look_later, s);
}

/* ---- the session ---- */

static void on_opened(void *ctx, const char *id, const struct scale_statistics *statistics)
{
    struct scale_set *s = ctx;
    struct err ignored = ERR_INIT; /* then the next listener waits for the session to end */

    if (s->spec.dir >= 0)
        (void)!path_write(s->spec.dir, SCALE_SESSION_FILE, slice_of(id), 0600, &ignored);
    if (statistics)
        s->statistics = *statistics;
    s->counted = true;
    scale_look_soon(s);
}

/* What the public listener counts when it is told that a job was started. */
static void tell_started(struct scale_set *s, const struct scale_job *job)
{
    CLEANUP(buf_deinit) struct buf repository = BUF_INIT(2048);

    if (job->waited_s < 0)
        return;
    buf_printf(&repository, "%.500s/%.500s", job->owner, job->repository);
    tell(s,
         json_pack("{s:s, s:o, s:o, s:o, s:I}", "event", "job.assigned", "repository",
                   event_text_new(repository.ptr), "name", event_text_new(job->name), "event_name",
                   event_text_new(job->trigger), "waited_ms", (json_int_t)job->waited_s * 1000));
}

static void on_message(void *ctx, const struct scale_message *m)
{
    struct scale_set *s = ctx;

    if (m && m->counted)
        s->statistics = m->statistics;
    for (size_t i = 0; m && i < m->n_jobs; i++) {
        if (*m->jobs[i].runner)
            scale_runners_told(s, &m->jobs[i]);
        if (m->jobs[i].event == SCALE_STARTED)
            tell_started(s, &m->jobs[i]);
    }
    scale_look_soon(s);
}

static void on_failed(void *ctx, const struct answer *a)
{
    struct scale_set *s = ctx;
    struct err err = ERR_INIT;

    s->session = scale_session_free(s->session);
    switch (a->kind) {
    case ANSWER_CONFLICT:
        (void)err_set(
            &err, ERR_DENIED,
            "another listener has the session of the scale set '%.64s': stop that one, or "
            "take another name with --scale-set (%.60s)",
            s->spec.name, a->text);
        scale_end(s, 5, err.text);
        break;
    case ANSWER_NOT_FOUND: /* somebody deleted the set */
        scale_note(s, "the scale set is not there any more: looking for it, or making it anew");
        scale_find_start(s);
        break;
    default:
        (void)err_set(&err, ERR_DENIED, "no session of the scale set '%.64s': %.150s", s->spec.name,
                      a->text);
        scale_end(s, 1, err.text);
    }
}

static void on_health(void *ctx, const char *why)
{
    scale_trouble(ctx, why);
}

static void on_note(void *ctx, const char *text)
{
    scale_note(ctx, text);
}

static int capacity(void *ctx)
{
    return scale_runners_room(ctx);
}

void scale_listen(struct scale_set *s)
{
    const struct scale_session_spec spec = {.caller = &s->caller,
                                            .base = scale_base(s),
                                            .set = s->id,
                                            .owner = s->spec.owner,
                                            .client = {.opened = on_opened,
                                                       .message = on_message,
                                                       .failed = on_failed,
                                                       .health = on_health,
                                                       .note = on_note,
                                                       .capacity = capacity,
                                                       .ctx = s}};

    s->state = SCALE_LISTENING;
    s->session = scale_session_new(&spec);
}

/* ---- the end ---- */

/* Lets go of all; what the service should still have forgotten stays written down. */
static void halt(struct scale_set *s)
{
    scale_find_stop(s);
    s->session = scale_session_free(s->session);
    scale_runners_free(s);
    recoveries_stop(&s->recoveries);
    s->roster = scale_roster_free(s->roster);
    s->look = timer_free(s->look);
    s->look_later = timer_free(s->look_later);
    s->make_again = timer_free(s->make_again);
    s->leave = timer_free(s->leave);
    s->state = SCALE_OVER;
    s->connected = false;
}

static void on_leave_over(void *ctx)
{
    struct scale_set *s = ctx;

    s->leave = NULL;
    halt(s);
    tell_ready(s);
}

/* On our way out: the jobs first, as long as they take; then the rest, for a while. */
static void settle(struct scale_set *s)
{
    bool left = s->session || s->recoveries.open || (s->roster && scale_roster_left(s->roster));

    if (s->state != SCALE_LEAVING)
        return;
    VEC_EACH (r, &s->runners)
        left |= (*r)->state != RUNNER_SERVED; /* nobody will tell of those any more */
    if (!left) {
        halt(s);
        tell_ready(s);
    } else if (!s->leave && scale_runners_busy(s) == 0 && !s->recoveries.open) {
        s->leave = loop_timer(s->caller.loop, clock_ms() + s->waits.leave, on_leave_over, s);
    }
}

static void on_session_closed(void *ctx)
{
    struct scale_set *s = ctx;

    s->session = scale_session_free(s->session);
    if (s->spec.dir >= 0)
        (void)unlinkat(s->spec.dir, SCALE_SESSION_FILE, 0);
    scale_look_soon(s);
}

void scale_end(struct scale_set *s, int exit_code, const char *text)
{
    if (s->ended)
        return;
    s->ended = true;
    s->exit_code = exit_code;
    (void)snprintf(s->trouble, sizeof s->trouble, "%s", text);
    scale_find_stop(s);
    s->state = SCALE_LEAVING;
    if (s->session)
        scale_session_close(s->session, on_session_closed);
    if (!scale_base(s)) /* nobody can be asked to forget any: that is left to the next listener */
        s->roster = scale_roster_free(s->roster);
    scale_look_soon(s);
}

/* ---- setting up ---- */

static void on_roster(void *ctx)
{
    scale_look_soon(ctx);
}

/* The loop is known by now. */
static void set_up(struct scale_set *s)
{
    struct err ignored = ERR_INIT; /* then nothing is written down, and nothing was */

    if (s->admin)
        return;
    s->caller.loop = s->base.client.loop;
    s->caller.waits = &s->waits;
    s->caller.secure = slice_starts(slice_of(s->place.url), SLICE("https://"));
    s->admin = scale_admin_new(&(struct scale_admin_spec){
        .caller = &s->caller, .place = &s->place, .credential = &s->spec.credential});
    s->caller.token = scale_admin_token(s->admin);
    if (s->spec.dir >= 0 && path_mkdirs(s->spec.dir, SCALE_RUNNERS_DIR, 0700, &ignored) == ERR_OK)
        s->runners_dir = openat(s->spec.dir, SCALE_RUNNERS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->roster = scale_roster_new(&(struct scale_roster_spec){
        .caller = &s->caller, .dir = s->runners_dir, .changed = on_roster, .ctx = s});
}

/* ---- the queue's operations ---- */

static int next(struct queue *q, struct job **ret, struct err *err)
{
    struct scale_set *s = set_of(q);
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->runners.len; i++) {
        struct scale_runner *one = s->runners.ptr[i];

        if (one->queue)
            r = one->queue->ops->next(one->queue, ret, err);
        one->had_job |= r == 1;
    }
    return r;
}

/* Whose job KEY is; NULL: nobody's any more. */
static struct queue *runner_of(const struct scale_set *s, const char *key)
{
    VEC_EACH (r, &s->runners) {
        size_t len = strlen((*r)->name);

        if ((*r)->queue && strncmp(key, (*r)->name, len) == 0 && key[len] == '/')
            return (*r)->queue;
    }
    return NULL;
}

static int event(struct queue *q, const char *key, json_t *e, struct slice log, struct err *err)
{
    struct queue *runner = runner_of(set_of(q), key);

    return runner ? runner->ops->event(runner, key, e, log, err) : ERR_OK;
}

static int ended(struct queue *q, const char *key, const char *why, struct err *err)
{
    struct queue *runner = runner_of(set_of(q), key);

    return runner ? runner->ops->ended(runner, key, why, err) : ERR_OK;
}

static void want(struct queue *q, int n)
{
    struct scale_set *s = set_of(q);

    s->want = n;
    set_up(s);
    if (s->state == SCALE_IDLE)
        scale_find_start(s);
    scale_look_soon(s);
}

static void close_queue(struct queue *q)
{
    struct scale_set *s = set_of(q);

    if (s->admin)
        scale_end(s, 0, "");
    else
        s->state = SCALE_OVER;
}

static void cancel(struct queue *q, bool hard)
{
    struct scale_set *s = set_of(q);

    close_queue(q);
    for (size_t i = 0; i < s->runners.len; i++) {
        struct queue *runner = s->runners.ptr[i]->queue;

        if (runner && scale_runner_is_busy(s->runners.ptr[i]))
            runner->ops->cancel(runner, hard);
    }
}

static bool done(const struct queue *q)
{
    return set_of(q)->state == SCALE_OVER;
}

static void detach(struct queue *q)
{
    struct scale_set *s = set_of(q);

    if (s->admin)
        halt(s);
    s->admin = scale_admin_free(s->admin);
}

static void free_queue(struct queue *q)
{
    struct scale_set *s = set_of(q);

    detach(q);
    if (s->runners_dir >= 0)
        (void)close(s->runners_dir);
    github_place_deinit(&s->place);
    free(s);
}

static void health(const struct queue *q, struct queue_health *ret)
{
    struct scale_set *s = set_of(q);
    struct queue_health h = {.connected = s->connected,
                             .contact_ms = s->caller.contact_ms,
                             .ending = s->state >= SCALE_LEAVING,
                             .ended = s->state == SCALE_OVER,
                             .exit_code = s->exit_code,
                             .requests = s->requests + s->caller.requests,
                             .failures = s->failures + s->caller.failures,
                             .scale = &s->shown};

    VEC_EACH (r, &s->runners) {
        struct queue_health of_runner = {0};

        if (!(*r)->queue)
            continue;
        (*r)->queue->ops->health((*r)->queue, &of_runner);
        h.requests += of_runner.requests;
        h.failures += of_runner.failures;
        if (!h.trouble)
            h.trouble = of_runner.trouble;
    }
    if (s->making_trouble[0])
        h.trouble = s->making_trouble;
    if (s->trouble[0] || s->ended)
        h.trouble = s->trouble[0] ? s->trouble : NULL;
    s->shown = (struct queue_scale){.least = s->spec.least,
                                    .most = s->spec.most,
                                    .desired = scale_runners_desired(s),
                                    .assigned = s->statistics.assigned,
                                    .running = s->statistics.running,
                                    .registered = s->statistics.registered,
                                    .busy = s->statistics.busy,
                                    .idle = s->statistics.idle};
    *ret = h;
}

static json_t *lease(const struct queue *q, const char *key)
{
    const struct queue *runner = runner_of(set_of(q), key);

    return runner ? runner->ops->lease(runner, key) : NULL;
}

/* ---- jobs of a process that is gone ---- */

static void on_recovered(void *ctx, const char *text)
{
    scale_note(ctx, text);
    scale_look_soon(ctx);
}

static void recover(struct queue *q, const json_t *its_lease)
{
    struct scale_set *s = set_of(q);

    set_up(s);
    recoveries_begin(&s->recoveries, its_lease);
}

static const struct queue_ops scale_ops = {
    .next = next,
    .event = event,
    .ended = ended,
    .cancel = cancel,
    .done = done,
    .detach = detach,
    .free = free_queue,
    .want = want,
    .close = close_queue,
    .health = health,
    .lease = lease,
    .recover = recover,
};

/* ---- making one ---- */

static int check(const struct scale_set_spec *spec, struct err *err)
{
    size_t n = 0;

    if (!github_is_clean(spec->name, SCALE_SET_NAME_MAX))
        return err_set(err, ERR_INVALID,
                       "a scale set's name has 1 to %d bytes and no control characters: choose one "
                       "with --scale-set",
                       SCALE_SET_NAME_MAX);
    for (const char *const *one = spec->labels; one && *one; one++, n++)
        if (!github_is_clean(*one, GITHUB_LABEL_MAX))
            return err_set(err, ERR_INVALID,
                           "'%.60s' is no label: one has 1 to %d bytes and no control characters",
                           *one, GITHUB_LABEL_MAX);
    if (n > SCALE_SET_LABELS_MAX)
        return err_set(err, ERR_LIMIT, "a scale set has at most %d labels", SCALE_SET_LABELS_MAX);
    if (spec->most < 1 || spec->most > SCALE_RUNNERS_MAX || spec->least < 0)
        return err_set(err, ERR_INVALID, "a scale set has 1 to %d runners at most: see --max",
                       SCALE_RUNNERS_MAX);
    if (spec->least > spec->most)
        return err_set(
            err, ERR_INVALID,
            "--min %d is more than --max %d: there cannot be fewer runners than the least",
            spec->least, spec->most);
    return ERR_OK;
}

int scale_set_new(const struct scale_set_spec *spec, struct queue **ret, struct err *err)
{
    struct github_place place;
    int r = check(spec, err);

    if (r == ERR_OK)
        r = github_place_parse(spec->url, spec->force_ghes, &place, err);
    if (r < 0)
        return r;
    struct scale_set *s = mem_new(sizeof *s);
    *s = (struct scale_set){.base = {.ops = &scale_ops},
                            .spec = *spec,
                            .place = place,
                            .runners_dir = -1,
                            .caller = {.http = spec->runner.http}};
    if (spec->runner.waits)
        s->waits = *spec->runner.waits;
    github_waits_fill(&s->waits, spec->runner.minute_ms ? spec->runner.minute_ms : 60000);
    s->spec.runner.waits = &s->waits;
    s->recoveries = (struct recoveries){.caller = &s->caller, .closed = on_recovered, .ctx = s};
    s->backoff = (struct backoff){.first_ms = s->waits.floor, .most_ms = s->waits.floor_most};
    s->making = s->backoff;
    *ret = &s->base;
    return ERR_OK;
}
