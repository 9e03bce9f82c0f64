/* composite - steps inside a step: a frame of their own, one record and one log with the caller
 * (runtime contract 9.6). */
#include "base/clock.h"
#include "job/contexts.h"
#include "job/effects.h"
#include "job/header.h"
#include "job/kinds/actions.h"
#include "job/kinds/handlers.h"
#include "job/lanes.h"
#include "job/steps.h"

struct composite {
    struct sequence seq;
    struct actions_get *fetch; /* what a local action uses is had when its step starts */
    struct timer *stopped;     /* stopped meanwhile: it ends from the loop */
};

static int set_outputs(struct step_run *s, struct err *err)
{
    const struct action *action = s->instance->action;
    CLEANUP(eval_deinit) struct eval e;

    eval_init(&e, s->run, s->instance->inner, NULL, &s->arena);
    for (size_t i = 0; i < action->n_outputs; i++) {
        struct slice value;
        int r;

        if (!action->outputs[i].value)
            continue;
        r = template_string(&e.template, action->outputs[i].value, &value, err);
        if (r < 0)
            return err_in(err, "output '%s'", action->outputs[i].id);
        step_set_output(s, slice_of(action->outputs[i].id), value);
    }
    return ERR_OK;
}

static void on_done(void *ctx)
{
    struct step_run *s = ctx;
    enum result result = s->instance->inner->status;
    struct err err = ERR_INIT;

    s->instance->inner->owner = NULL;
    if (s->stage != STAGE_MAIN)
        result = s->inner_failed ? RESULT_FAILURE : RESULT_SUCCESS;
    else if (set_outputs(s, &err) < 0) {
        step_error(s, err.text);
        result = result_merge(result, RESULT_FAILURE);
    }
    step_end(s, result == RESULT_NONE ? RESULT_SUCCESS : result);
}

static json_t *inputs_json(const struct strmap *inputs)
{
    json_t *json = json_object();

    STRMAP_EACH (i, inputs)
        json_object_set_new(json, i->name, json_stringn(i->value, i->value_len));
    return json;
}

/* The inner frame lives as long as the job: its post stages need its state. */
static int open_frame(struct step_run *s, struct err *err)
{
    const struct action *action = s->instance->action;
    struct frame *f = s->instance->inner;

    if (!f) {
        f = frame_new(s->run, s->frame, action->steps, action->n_steps);
        f->action_path = mem_dup(s->instance->action_dir, strlen(s->instance->action_dir));
        f->uses = s->def->uses;
        s->instance->inner = f;
        int r = frame_prepare(s->run, f, err);
        if (r < 0)
            return r;
    }
    json_decref(f->inputs);
    f->inputs = inputs_json(&s->inputs);
    strmap_deinit(&f->env);
    strmap_merge(&f->env, &s->frame->env);
    strmap_merge(&f->env, &s->env);
    f->status = RESULT_NONE;
    f->owner = s;
    return ERR_OK;
}

static void go(struct step_run *s)
{
    struct composite *c = s->state;
    struct frame *f = s->instance->inner;

    step_flush(s); /* its header, before what the steps inside say */
    if (s->stage == STAGE_POST)
        for (size_t i = f->posts.len; i-- > 0;)
            vec_push(&c->seq.items, (struct sequence_item){f->posts.ptr[i], STAGE_POST});
    for (size_t i = 0; i < f->n_instances && s->stage != STAGE_POST; i++)
        if (s->stage == STAGE_MAIN ? !f->instances[i].is_member
                                   : instance_has_pre(&f->instances[i]))
            vec_push(&c->seq.items, (struct sequence_item){&f->instances[i], s->stage});
    sequence_go(&c->seq);
}

static void on_fetched(void *ctx, const struct err *err)
{
    struct step_run *s = ctx;
    struct composite *c = s->state;

    if (err)
        step_error(s, err->text);
    c->fetch = actions_get_free(c->fetch);
    if (err)
        step_end(s, RESULT_FAILURE);
    else
        go(s);
}

static void on_stopped(void *ctx)
{
    struct step_run *s = ctx;
    struct composite *c = s->state;

    c->stopped = NULL;
    step_end(s, RESULT_FAILURE);
}

static int composite_start(struct step_run *s, struct err *err)
{
    const struct action *action = s->instance->action;
    int r = inputs_evaluate(s, action->inputs, action->n_inputs, err);

    if (r == ERR_OK)
        r = open_frame(s, err);
    if (r < 0)
        return r;
    header_action(s);

    struct composite *c = mem_new(sizeof *c);
    struct frame *f = s->instance->inner;
    s->state = c;
    c->seq = (struct sequence){
        .run = s->run, .frame = f, .owner = s, .lane = lane_of(s), .done = on_done, .ctx = s};
    f->seq = s->stage == STAGE_MAIN ? &c->seq : NULL;
    if (!s->instance->remote && s->stage == STAGE_MAIN && actions_wanted(f))
        c->fetch = actions_get_start(s->run, f, s->log, on_fetched, s);
    else
        go(s);
    return ERR_OK;
}

static void composite_stop(struct step_run *s, bool now)
{
    struct composite *c = s->state;

    if (!c || c->stopped)
        return;
    if (c->fetch) {
        c->fetch = actions_get_free(c->fetch);
        c->stopped = loop_timer(s->run->loop, clock_ms(), on_stopped, s);
        return;
    }
    if (now || s->timed_out) {
        c->seq.next = c->seq.items.len; /* a time limit ends the whole action */
        sequence_stop(&c->seq, now);
        return;
    }
    /* Its success() is what the steps inside ask, so it has to know: else the one that runs would go on. */
    s->instance->inner->status = result_merge(s->instance->inner->status, RESULT_CANCELLED);
    sequence_cancel(&c->seq);
}

static void composite_release(struct step_run *s)
{
    struct composite *c = s->state;

    if (!c)
        return;
    s->state = NULL;
    c->fetch = actions_get_free(c->fetch);
    c->stopped = timer_free(c->stopped);
    vec_deinit(&c->seq.items);
    free(c);
}

const struct handler handler_composite = {"composite", composite_start, composite_stop,
                                          composite_release};
