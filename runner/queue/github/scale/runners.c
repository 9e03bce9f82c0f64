/* runners - those of a scale set: each made for one job, with a just-in-time configuration (actions/scaleset client.go,
 * GenerateJitRunnerConfig):
 *
 *   POST _apis/runtime/runnerscalesets/ID/generatejitconfig {"name", "workFolder"}
 *        {"runner": {"id", "name"}, "encodedJITConfig"}, which is what --jitconfig takes
 *
 * What is written down before it is asked for, and when it is struck out, says roster.h. */
#include "base/clock.h"
#include "base/random.h"
#include "queue/github/scale/state.h"
#include "queue/loose.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAKING_MAX = 8, /* asked for at once */
    SUFFIX = 9,     /* "-1234abcd" */
};

const char *scale_base(const struct scale_set *s)
{
    return scale_admin_url(s->admin);
}

/* ---- one of them ---- */

static void runner_free(struct scale_runner *r)
{
    struct scale_set *s = r->set;

    for (size_t i = 0; i < s->runners.len; i++) {
        if (s->runners.ptr[i] == r) {
            vec_remove(&s->runners, i);
            break;
        }
    }
    call_free(r->call);
    if (r->queue) {
        r->queue->ops->detach(r->queue);
        r->queue->ops->free(r->queue);
    }
    registration_free(r->registration);
    free(r->name);
    free(r);
}

static bool is_free(const struct scale_runner *r)
{
    return r->state == RUNNER_SERVING && !r->started && queue_github_is_free(r->queue);
}

bool scale_runner_is_busy(const struct scale_runner *r)
{
    return r->queue && (r->started || !queue_github_is_free(r->queue));
}

int scale_runners_busy(const struct scale_set *s)
{
    int n = 0;

    VEC_EACH (r, &s->runners)
        n += scale_runner_is_busy(*r);
    return n;
}

/* ---- what its queue says comes through as ours ---- */

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    const struct scale_runner *r = ctx;
    const struct queue_client *c = &r->set->base.client;

    return c->event ? c->event(c->ctx, event, log, err) : ERR_OK;
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    const struct scale_runner *r = ctx;
    const struct queue_client *c = &r->set->base.client;

    c->stop(c->ctx, key, why);
}

static void on_kill(void *ctx, const char *key, const char *why)
{
    const struct scale_runner *r = ctx;
    const struct queue_client *c = &r->set->base.client;

    c->kill(c->ctx, key, why);
}

static void on_ready(void *ctx)
{
    const struct scale_runner *r = ctx;
    const struct queue_client *c = &r->set->base.client;

    scale_look_soon(r->set);
    if (c->ready)
        c->ready(c->ctx);
}

/* ---- making one ---- */

/* So that it can be told from those of others: four random bytes; as much of the set's name as there is room for. */
static char *name_for(const struct scale_set *s)
{
    struct buf name = BUF_INIT(SCALE_SET_NAME_MAX + 1);
    unsigned char bytes[4];

    random_bytes(bytes, sizeof bytes);
    buf_add(&name, slice_head(slice_of(s->spec.name), SCALE_SET_NAME_MAX - SUFFIX));
    for (char *c = name.ptr; *c; c++) /* it names a file, and begins the keys of jobs */
        if (*c == '/' || (*c == '.' && c == name.ptr))
            *c = '-';
    buf_printf(&name, "-%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    return buf_take(&name);
}

static void on_make_again(void *ctx)
{
    struct scale_set *s = ctx;

    s->make_again = NULL;
    scale_look_soon(s);
}

/* One came to nothing: the next is not made at once. WHY: NULL if that was told. */
static void slow_down(struct scale_set *s, const char *why, int64_t least_ms)
{
    int64_t pause = backoff_next(&s->making);

    if (why)
        (void)snprintf(s->making_trouble, sizeof s->making_trouble, "%s", why);
    if (!s->make_again)
        s->make_again = loop_timer(
            s->caller.loop, clock_ms() + (pause > least_ms ? pause : least_ms), on_make_again, s);
}

static int begin_serving(struct scale_runner *r, const char *jit, struct err *err)
{
    struct scale_set *s = r->set;
    struct queue_github_spec spec = s->spec.runner;
    json_t *files;
    int result = github_jit_parse(slice_of(jit), &files, err);

    if (result == ERR_OK)
        result = registration_memory(r->name, files, &r->registration, err);
    spec.registration = r->registration;
    if (result == ERR_OK)
        result = queue_github_new(&spec, &r->queue, err);
    if (result < 0)
        return result;
    r->queue->client = (struct queue_client){.event = on_event,
                                             .stop = on_stop,
                                             .kill = s->base.client.kill ? on_kill : NULL,
                                             .ready = on_ready,
                                             .ctx = r,
                                             .loop = s->base.client.loop};
    r->state = RUNNER_SERVING;
    return ERR_OK;
}

static void on_made(void *ctx, const struct answer *a, struct slice body,
                    const struct http_answer *http)
{
    struct scale_runner *r = ctx;
    struct scale_set *s = r->set;
    CLEANUP(loose_wipep) json_t *json = NULL;
    struct err err = ERR_INIT;
    int result = ERR_OK;

    (void)http;
    r->call = NULL;
    if (a->kind != ANSWER_FINE)
        result = err_set(&err, ERR_FAILED, "no runner could be made: %s", a->text);
    if (result == ERR_OK && (result = loose_parse(body, &json, &err)) < 0)
        (void)err_in(&err, "no runner could be made");
    r->id = loose_int(loose_find(json, "runner"), "id", 0);
    if (result == ERR_OK)
        result = begin_serving(r, loose_text(json, "encodedJITConfig"), &err);
    if (result == ERR_OK) {
        backoff_reset(&s->making);
        s->making_trouble[0] = '\0';
    } else { /* it may be there all the same */
        scale_roster_forget(s->roster, r->name, r->id);
        slow_down(s, err.text, a->retry_ms);
        runner_free(r);
    }
    scale_look_soon(s);
}

static void make(struct scale_set *s)
{
    struct scale_runner *r = mem_new(sizeof *r);
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(SCALE_QUERY_MAX);
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(SCALE_URL_MAX);
    struct err err = ERR_INIT;

    *r = (struct scale_runner){.set = s, .state = RUNNER_MAKING, .name = name_for(s)};
    vec_push(&s->runners, r);
    if (scale_roster_add(s->roster, r->name, &err) < 0) {
        slow_down(s, err.text, 0);
        runner_free(r);
        return;
    }
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:s}", "name", r->name, "workFolder", "_work");
    buf_printf(&path, SCALE_SETS "/%" PRId64 "/generatejitconfig", s->id);
    scale_url(&url, scale_base(s), path.ptr, NULL);
    r->call =
        call_start(&s->caller, &(struct call_spec){.method = "POST", .url = url.ptr, .body = body},
                   on_made, r);
}

/* ---- removing one ---- */

static void on_removed(void *ctx, const struct answer *a, struct slice body,
                       const struct http_answer *http)
{
    struct scale_runner *r = ctx;
    struct scale_set *s = r->set;

    (void)body;
    (void)http;
    r->call = NULL;
    r->state = RUNNER_SERVING;
    if (scale_is_removed(a) && !scale_runner_is_busy(r)) {
        scale_roster_strike(s->roster, r->name);
        runner_free(r);
    } else { /* a job is on its way to it */
        r->until_ms = clock_ms() + s->waits.retry;
        scale_look_later(s, s->waits.retry);
    }
    scale_look_soon(s);
}

static void take_away(struct scale_runner *r)
{
    struct scale_set *s = r->set;

    r->state = RUNNER_REMOVING;
    r->call = scale_remove_runner(&s->caller, scale_base(s), r->id, on_removed, r);
}

/* The newest first. */
static void shrink(struct scale_set *s, int n)
{
    int64_t now = clock_ms();

    for (size_t i = s->runners.len; i-- > 0 && n > 0;) {
        struct scale_runner *r = s->runners.ptr[i];

        if (is_free(r) && now >= r->until_ms) {
            take_away(r);
            n--;
        }
    }
}

/* ---- the end of one ---- */

/* True: R is gone. */
static bool reap(struct scale_runner *r)
{
    struct scale_set *s = r->set;
    struct queue_health h = {0};

    if (r->state == RUNNER_SERVED && (r->completed || clock_ms() >= r->until_ms)) {
        runner_free(r);
        return true;
    }
    if (!r->queue || r->state == RUNNER_REMOVING || !r->queue->ops->done(r->queue))
        return false;
    r->queue->ops->health(r->queue, &h);
    s->requests += h.requests;
    s->failures += h.failures;
    if (r->had_job) {
        scale_roster_strike(s->roster, r->name);
    } else { /* it never had one, and cannot get one any more */
        scale_roster_forget(s->roster, r->name, r->id);
        slow_down(s, h.trouble, 0);
    }
    r->queue->ops->detach(r->queue);
    r->queue->ops->free(r->queue);
    r->queue = NULL;
    r->state = RUNNER_SERVED;
    r->until_ms = clock_ms() + s->waits.session;
    scale_look_later(s, s->waits.session);
    if (r->had_job && !r->completed)
        return false;
    runner_free(r);
    return true;
}

/* ---- all of them ---- */

int scale_runners_desired(const struct scale_set *s)
{
    int64_t n = s->statistics.assigned - s->recoveries.n;

    VEC_EACH (r, &s->runners)
        n -= (*r)->state == RUNNER_SERVED;
    n = s->spec.least + (n > 0 ? n : 0);
    return n < s->spec.most ? (int)n : s->spec.most;
}

/* Those whose jobs we run, and as many as could have one now. A job that was lost has its runner yet, as long as the
 * service has not heard of it. */
int scale_runners_room(const struct scale_set *s)
{
    int n = s->want, most = s->spec.most - s->recoveries.n;

    VEC_EACH (r, &s->runners)
        n += (*r)->queue && (*r)->had_job;
    n = n < most ? n : most;
    return n > 0 ? n : 0;
}

static void fit(struct scale_set *s)
{
    int wanted = scale_runners_desired(s), room = scale_runners_room(s), live = 0, making = 0;

    VEC_EACH (r, &s->runners) {
        live += (*r)->state == RUNNER_MAKING || (*r)->state == RUNNER_SERVING;
        making += (*r)->state == RUNNER_MAKING;
    }
    shrink(s, live - wanted);
    for (int most = wanted < room ? wanted : room;
         live < most && making < MAKING_MAX && !s->make_again; live++, making++)
        make(s);
}

/* Those that are BUSY, or not, and have not had their job yet: LEFT of them may have it now. */
static int offer(struct scale_set *s, bool busy, int left)
{
    for (size_t i = 0; i < s->runners.len; i++) {
        const struct scale_runner *r = s->runners.ptr[i];

        if (r->state != RUNNER_SERVING || r->had_job || scale_runner_is_busy(r) != busy)
            continue;
        r->queue->ops->want(r->queue, left > 0);
        left -= left > 0;
    }
    return left;
}

void scale_runners_look(struct scale_set *s)
{
    for (size_t i = 0; i < s->runners.len;)
        i += !reap(s->runners.ptr[i]);
    if (s->state == SCALE_LISTENING && s->counted)
        fit(s);
    else if (s->state == SCALE_LEAVING)
        shrink(s, (int)s->runners.len);
    /* On our way out, what was given to one just now is done. */
    int left = s->state == SCALE_LEAVING ? s->spec.most : s->want;
    left = offer(s, true, left);
    (void)offer(s, false, left);
}

void scale_runners_told(struct scale_set *s, const struct scale_job *job)
{
    VEC_EACH (one, &s->runners) {
        struct scale_runner *r = *one;

        if (strcmp(r->name, job->runner) != 0)
            continue;
        r->started |= job->event == SCALE_STARTED;
        r->completed |= job->event == SCALE_COMPLETED;
    }
}

void scale_runners_free(struct scale_set *s)
{
    while (s->runners.len)
        runner_free(s->runners.ptr[s->runners.len - 1]);
    vec_deinit(&s->runners);
}
