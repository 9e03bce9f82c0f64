#include "queue/github/report/states.h"

#include <stdlib.h>

enum { PAUSE_MAX_MS = 30000 };

struct states {
    struct states_spec spec;
    VEC(struct record *) batch; /* that are being told */
    struct delivery *call;
    struct timer *timer;
    unsigned rounds; /* that failed one after the other */
    bool finishing, stopped, lost;
};

static bool is_wanted(const struct states *s, const struct record *one)
{
    return records_is_news(s->spec.records, one, s->spec.reader);
}

static bool any_changed(const struct states *s)
{
    if (s->spec.with_job && is_wanted(s, &s->spec.records->job))
        return true;
    VEC_EACH (one, &s->spec.records->steps)
        if (is_wanted(s, *one))
            return true;
    return false;
}

bool states_idle(const struct states *s)
{
    return s->stopped || (!s->call && !s->timer && !any_changed(s));
}

bool states_lost(const struct states *s)
{
    return s->lost;
}

static void tell(struct states *s);

static void on_timer(void *ctx)
{
    struct states *s = ctx;

    s->timer = NULL;
    tell(s);
}

static void plan(struct states *s, int64_t wait_ms)
{
    if (!s->timer && !s->call && !s->stopped && any_changed(s))
        s->timer = loop_timer(s->spec.loop, clock_ms() + wait_ms, on_timer, s);
}

static int64_t pause_after(const struct states *s)
{
    int64_t ms = s->spec.pause_ms;

    for (unsigned i = 1; i < s->rounds && ms < PAUSE_MAX_MS; i++)
        ms *= 2;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

static void on_told(void *ctx, int status, const json_t *answer, const struct err *err)
{
    struct states *s = ctx;
    int64_t wait = s->finishing ? 0 : s->spec.batch_ms;

    s->rounds = err ? s->rounds + 1 : 0;
    VEC_EACH (one, &s->batch)
        (*one)->told |= err ? 0u : (unsigned)s->spec.reader;
    if (err) {
        VEC_EACH (one, &s->batch)
            (*one)->changed |= (unsigned)s->spec.reader;
        s->spec.failed(s->spec.ctx, status, answer, err);
        wait = pause_after(s);
        if (s->finishing && s->rounds >= STATES_ROUNDS)
            states_stop(s);
    }
    plan(s, wait);
    s->spec.progress(s->spec.ctx);
}

static void add(struct states *s, json_t *list, struct record *one)
{
    if (!is_wanted(s, one) || (s->spec.most && s->batch.len == s->spec.most))
        return;
    one->changed &= ~(unsigned)s->spec.reader;
    json_array_append_new(list, s->spec.one(s->spec.ctx, one));
    vec_push(&s->batch, one);
}

static void tell(struct states *s)
{
    json_t *list = json_array();

    s->batch.len = 0;
    if (s->spec.with_job)
        add(s, list, &s->spec.records->job);
    VEC_EACH (one, &s->spec.records->steps)
        add(s, list, *one);
    s->spec.send(s->spec.ctx, list, &s->call, on_told, s);
}

void states_changed(struct states *s)
{
    plan(s, s->finishing ? 0 : s->spec.batch_ms);
}

void states_hurry(struct states *s)
{
    s->timer = timer_free(s->timer);
    plan(s, 0);
}

void states_finish(struct states *s)
{
    s->finishing = true;
    s->rounds = 0;
    if (s->spec.all_at_end)
        VEC_EACH (one, &s->spec.records->steps)
            (*one)->changed |= (unsigned)s->spec.reader;
    s->timer = timer_free(s->timer);
    plan(s, 0);
}

void states_stop(struct states *s)
{
    s->lost = s->lost || !states_idle(s);
    s->stopped = true;
    s->timer = timer_free(s->timer);
}

struct states *states_new(const struct states_spec *spec)
{
    struct states *s = mem_new(sizeof *s);

    s->spec = *spec;
    return s;
}

struct states *states_free(struct states *s)
{
    if (!s)
        return NULL;
    delivery_free(s->call);
    timer_free(s->timer);
    vec_deinit(&s->batch);
    free(s);
    return NULL;
}
