#include "job/lanes.h"

#include "job/contexts.h"
#include "job/effects.h"
#include "job/kinds/handlers.h"
#include "job/steps.h"

#include <strings.h>

/* ---- lanes ---- */

static void start_queued(struct run *run);
static void look_around(struct frame *f);

struct lane *lane_of(const struct step_run *s)
{
    return s->seq->lane;
}

static void on_done(void *ctx)
{
    struct lane *lane = ctx;
    struct run *run = lane->run;

    lane->state = LANE_OVER;
    run->n_lanes--;
    start_queued(run);
    look_around(lane->instance->frame);
}

static void run_lane(struct lane *lane)
{
    lane->state = LANE_RUNNING;
    lane->run->n_lanes++;
    sequence_go(&lane->seq);
}

/* In the order in which they were asked for, frame by frame. */
static void start_queued(struct run *run)
{
    for (struct frame *f = run->frames; f; f = f->next)
        for (size_t i = 0; i < f->lanes.len && run->n_lanes < LANES_MAX; i++)
            if (f->lanes.ptr[i]->state == LANE_QUEUED)
                run_lane(f->lanes.ptr[i]);
}

void lane_start(struct sequence *outer, struct instance *instance)
{
    struct lane *lane = mem_new(sizeof *lane);

    *lane = (struct lane){.run = outer->run,
                          .instance = instance,
                          .around = outer->lane,
                          .seq = {.run = outer->run,
                                  .frame = instance->frame,
                                  .owner = outer->owner,
                                  .lane = lane,
                                  .is_lane = true,
                                  .done = on_done,
                                  .ctx = lane}};
    vec_push(&lane->seq.items, (struct sequence_item){instance, STAGE_MAIN});
    vec_push(&instance->frame->lanes, lane);
    start_queued(outer->run);
}

bool lanes_go_on(const struct frame *f)
{
    for (size_t i = 0; i < f->lanes.len; i++)
        if (f->lanes.ptr[i]->state != LANE_OVER)
            return true;
    return false;
}

/* Into the job, or into the lane that the whole frame runs in. */
static void take_env(struct lane *lane)
{
    struct run *run = lane->run;

    if (lane->around)
        strmap_merge(&lane->around->env, &lane->env);
    else
        strmap_merge(&run->env, &lane->env);
    VEC_EACH (path, &lane->paths)
        effects_put_path(run, lane->around, slice_of(*path));
}

/* False: it has failed, and nobody forgave that. */
static bool take(struct lane *lane)
{
    const char *id = lane->instance->def->id;

    if (!lane->taken) {
        lane->taken = true;
        take_env(lane);
        if (lane->entry)
            json_object_set(lane->instance->frame->steps, id, lane->entry);
    }
    return lane->conclusion != RESULT_FAILURE || lane->cancelled;
}

bool lanes_take(struct frame *f)
{
    bool good = true;

    for (size_t i = 0; i < f->lanes.len; i++)
        if (f->lanes.ptr[i]->state == LANE_OVER && !f->lanes.ptr[i]->taken)
            good = take(f->lanes.ptr[i]) && good;
    return good;
}

void lanes_cancel(struct frame *f)
{
    for (size_t i = 0; i < f->lanes.len; i++)
        if (f->lanes.ptr[i]->state == LANE_RUNNING)
            sequence_cancel(&f->lanes.ptr[i]->seq);
}

/* It never begins. */
static void drop(struct lane *lane)
{
    lane->state = LANE_OVER;
    lane->conclusion = RESULT_CANCELLED;
    lane->entry =
        json_pack("{s:{}, s:s, s:s}", "outputs", "outcome", "cancelled", "conclusion", "cancelled");
}

void lanes_stop(struct frame *f, bool now)
{
    for (size_t i = 0; i < f->lanes.len; i++) {
        if (f->lanes.ptr[i]->state == LANE_QUEUED)
            drop(f->lanes.ptr[i]);
        else if (f->lanes.ptr[i]->state == LANE_RUNNING)
            sequence_stop(&f->lanes.ptr[i]->seq, now);
    }
}

void lanes_free(struct frame *f)
{
    for (size_t i = 0; i < f->lanes.len; i++) {
        struct lane *lane = f->lanes.ptr[i];

        vec_deinit(&lane->seq.items);
        json_decref(lane->entry);
        strmap_deinit(&lane->env);
        VEC_EACH (path, &lane->paths)
            free(*path);
        vec_deinit(&lane->paths);
        free(lane);
    }
    vec_deinit(&f->lanes);
}

/* ---- control steps ---- */

/* The lanes that a control step waits for, in the order of the file. */
struct control {
    VEC(struct lane *) targets;
};

static bool is_target(const struct step *def, const struct lane *lane)
{
    if (def->control == CONTROL_WAIT_ALL)
        return !lane->taken;
    for (size_t i = 0; i < def->n_targets; i++)
        if (strcasecmp(lane->instance->def->id, def->targets[i]) == 0)
            return true;
    return false;
}

/* A step that was skipped before it began never had a lane: waiting for it is over at once. */
static void choose_targets(struct step_run *s, struct control *c)
{
    const struct frame *f = s->frame;

    for (size_t i = 0; i < f->lanes.len; i++)
        if (is_target(s->def, f->lanes.ptr[i]))
            vec_push(&c->targets, f->lanes.ptr[i]);
}

static void cancel_lane(struct lane *lane)
{
    struct step_run *s = lane->seq.current;

    lane->cancelled = true;
    if (lane->state == LANE_QUEUED)
        drop(lane);
    if (lane->state != LANE_RUNNING || !s || !s->handler || s->stopping)
        return;
    s->stopping = true;
    s->cancelled = true;
    s->handler->stop(s, false);
}

static void start_group(struct step_run *s, struct control *c)
{
    struct instance *group = s->instance;
    size_t first = s->frame->lanes.len;

    for (size_t i = 0; i < group->def->n_steps; i++)
        lane_start(s->seq, &group->members[i]);
    for (size_t i = first; i < s->frame->lanes.len; i++)
        vec_push(&c->targets, s->frame->lanes.ptr[i]);
}

static const char *lane_name(const struct lane *lane, struct arena *a)
{
    const struct step *def = lane->instance->def;

    return strncmp(def->id, "__", 2) == 0 ? step_default_name(a, def) : def->id;
}

/* All targets are over: takes them over and ends the step. */
static void finish(struct step_run *s, struct control *c)
{
    enum result result = RESULT_SUCCESS;

    s->frame->waiter = NULL;
    for (size_t i = 0; i < c->targets.len; i++) {
        struct lane *lane = c->targets.ptr[i];

        log_printf(s->log, LOG_PLAIN, "%s: %s", lane_name(lane, &s->arena),
                   result_name(lane->conclusion));
        if (!take(lane))
            result = RESULT_FAILURE;
    }
    if (result == RESULT_FAILURE)
        step_error(s, "a step that was waited for has failed");
    step_end(s, result);
}

static void check_control(struct step_run *s)
{
    struct control *c = s->state;

    for (size_t i = 0; i < c->targets.len; i++)
        if (c->targets.ptr[i]->state != LANE_OVER)
            return;
    finish(s, c);
}

static int control_start(struct step_run *s, struct err *err)
{
    struct control *c = mem_new(sizeof *c);

    (void)err;
    s->state = c;
    if (s->def->control == CONTROL_PARALLEL)
        start_group(s, c);
    else
        choose_targets(s, c);
    for (size_t i = 0; i < c->targets.len && s->def->control == CONTROL_CANCEL; i++)
        cancel_lane(c->targets.ptr[i]);
    s->frame->waiter = s;
    check_control(s);
    return ERR_OK;
}

/* It ends when those do that it waits for. */
static void control_stop(struct step_run *s, bool now)
{
    lanes_stop(s->frame, now);
}

static void control_release(struct step_run *s)
{
    struct control *c = s->state;

    if (!c)
        return;
    s->state = NULL;
    vec_deinit(&c->targets);
    free(c);
}

const struct handler handler_control = {"control", control_start, control_stop, control_release};

/* A lane of F is over: who waited for that? */
static void look_around(struct frame *f)
{
    if (f->waiter && f->waiter->state)
        check_control(f->waiter);
    else if (f->seq)
        sequence_go(f->seq);
}
