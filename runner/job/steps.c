#include "job/steps.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "job/contexts.h"
#include "job/effects.h"
#include "job/kinds/handlers.h"
#include "job/lanes.h"
#include "job/limits.h"
#include "job/payload.h"
#include "lang/expr/explain.h"
#include "sandbox/engine.h"

enum {
    NAME_MAX_SIZE = 4096, /* bytes of a step's name as shown */
    NAME_MASKED_MAX =
        64 << 20, /* of one that is masked and not cut yet: an expression's value can be long */
    REASON_MAX = 2000,
};

/* ---- frames ---- */

static size_t count_instances(const struct step *steps, size_t n)
{
    size_t count = n;

    for (size_t i = 0; i < n; i++)
        count += steps[i].n_steps;
    return count;
}

static void add_instances(struct frame *f, const struct step *steps, size_t n, bool members)
{
    for (size_t i = 0; i < n; i++) {
        struct instance *one = &f->instances[f->n_instances++];

        *one = (struct instance){.def = &steps[i],
                                 .frame = f,
                                 .state = STRMAP_INIT_NOCASE,
                                 .plugin_object = -1,
                                 .is_member = members};
        one->members = steps[i].n_steps ? one + 1 : NULL;
        add_instances(f, steps[i].steps, steps[i].n_steps, true);
    }
}

struct frame *frame_new(struct run *run, struct frame *parent, const struct step *steps, size_t n)
{
    struct frame *f = mem_new(sizeof *f);

    *f = (struct frame){
        .next = run->frames,
        .parent = parent,
        .steps = json_object(),
        .instances = mem_new(count_instances(steps, n) * sizeof *f->instances),
        .depth = parent ? parent->depth + 1 : 0,
    };
    run->frames = f;
    add_instances(f, steps, n, false);
    return f;
}

static void instance_deinit(struct instance *i)
{
    strmap_deinit(&i->state);
    free(i->action_dir);
    free(i->action_source);
    free(i->image);
    if (i->action)
        action_deinit(i->action);
    free(i->action);
    plugin_free(i->plugin);
    fd_closep(&i->plugin_object);
}

void frames_free(struct run *run)
{
    while (run->frames) {
        struct frame *f = run->frames;

        run->frames = f->next;
        for (size_t i = 0; i < f->n_instances; i++)
            instance_deinit(&f->instances[i]);
        free(f->instances);
        lanes_free(f);
        json_decref(f->steps);
        json_decref(f->inputs);
        strmap_deinit(&f->env);
        vec_deinit(&f->posts);
        free(f->action_path);
        free(f);
    }
    run->root = NULL;
}

/* ---- names ---- */

/* The name as shown: evaluated, masked, "Post " in front where it applies. */
static void set_name(struct step_run *s, struct eval *e)
{
    static const char *const prefix[] = {
        [STAGE_PRE] = "Pre ", [STAGE_MAIN] = "", [STAGE_POST] = "Post "};
    CLEANUP(buf_deinit) struct buf masked = BUF_INIT(NAME_MASKED_MAX);
    struct err ignored = ERR_INIT; /* a name that cannot be evaluated yet shows as it was written */
    struct slice name = SLICE("");

    if (s->def->name && template_string(&e->template, s->def->name, &name, &ignored) < 0)
        name = s->def->name->source;
    name = step_first_line(name);
    if (slice_trim(name).len == 0 && s->def->run) {
        struct slice script = SLICE("");

        if (template_string(&e->template, s->def->run, &script, &ignored) == ERR_OK)
            name =
                slice_of(arena_printf(&s->arena, "Run %.*s", SLICE_ARG(step_first_line(script))));
    }
    if (slice_trim(name).len == 0)
        name = slice_of(step_default_name(&s->arena, s->def));
    mask_apply(s->run->mask, name, &masked); /* before it is cut: half a secret is one, too */
    struct buf full = BUF_INIT(NAME_MAX_SIZE + 16);
    buf_printf(&full, "%s%.*s", s->instance->hook ? "" : prefix[s->stage],
               SLICE_ARG(utf8_head(buf_slice(&masked), NAME_MAX_SIZE)));
    free(s->name);
    s->name = buf_take(&full);
}

/* ---- telling ---- */

void run_emit(struct run *run, json_t *event)
{
    struct err err = ERR_INIT;

    if (event_emit(&run->events, event, &err) < 0)
        run_lose(run);
}

void run_lose(struct run *run)
{
    if (run->engine && !run->lost &&
        !run->tidying) /* only once: what is cleaned up afterwards has to go on */
        engine_interrupt(run->engine);
    run->lost = true;
    run->reader = watch_free(run->reader);
    loop_quit(run->loop);
}

void step_flush(struct step_run *s)
{
    struct err err = ERR_INIT;

    if (s->log && log_flush(s->log, &err) < 0)
        run_lose(s->run);
}

void step_error(struct step_run *s, const char *text)
{
    log_issue(s->log, ANNOTATION_ERROR, "%s", text);
}

static void tell_started(struct step_run *s)
{
    static const char *const stages[] = {"pre", "main", "post"};
    const struct sequence *seq = s->seq;
    char now[CLOCK_STAMP_SIZE];

    if (s->outer)
        return;
    clock_stamp(now);
    json_t *event = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s*}", "event", "step.started", "step",
                              s->number, "name", s->name, "stage", stages[s->stage], "time", now,
                              "record", s->def->record);
    if (s->stage == STAGE_POST)
        json_object_set_new(
            event, "left",
            json_integer((json_int_t)(seq->items.len - seq->next) + s->run->own_posts));
    run_emit(s->run, event);
}

static void tell_finished(struct step_run *s)
{
    if (s->outer)
        return;
    json_t *event = json_pack("{s:s, s:i, s:s, s:s, s:s, s:I}", "event", "step.finished", "step",
                              s->number, "name", s->name, "outcome", result_name(s->outcome),
                              "conclusion", result_name(s->conclusion), "elapsed_ms",
                              (json_int_t)(clock_ms() - s->started_ms));
    if (s->exit_code >= 0)
        json_object_set_new(event, "exit_code", json_integer(s->exit_code));
    if (s->reason)
        json_object_set_new(event, "reason", json_string(s->reason));
    if (s->handler)
        json_object_set_new(event, "kind", json_string(s->handler->kind));
    if (s->by) {
        CLEANUP(buf_deinit) struct buf masked = BUF_INIT(NAME_MASKED_MAX);

        mask_apply(s->run->mask, slice_of(s->by),
                   &masked); /* a shell may be an expression's value */
        json_object_set_new(event, "by", event_text_new(masked.ptr));
    }
    run_emit(s->run, event);
}

/* ---- the steps context ---- */

/* Generated ids have no entry (workflow language 11.2). */
static json_t *context_entry(struct step_run *s)
{
    if (strncmp(s->def->id, "__", 2) == 0 || s->stage != STAGE_MAIN)
        return NULL;
    struct lane *lane = lane_of(s);
    if (lane && lane->instance == s->instance) { /* seen once it was waited for */
        lane->entry = lane->entry ? lane->entry : json_pack("{s:{}}", "outputs");
        return lane->entry;
    }
    json_t *entry = json_object_get(s->frame->steps, s->def->id);
    if (!entry) {
        entry = json_pack("{s:{}}", "outputs");
        json_object_set_new(s->frame->steps, s->def->id, entry);
    }
    return entry;
}

void step_set_output(struct step_run *s, struct slice name, struct slice value)
{
    json_t *entry = context_entry(s);
    CLEANUP(free_ptr) char *key = mem_dup(name.ptr, name.len);

    if (entry)
        json_object_set_new(json_object_get(entry, "outputs"), key,
                            json_stringn(value.ptr, value.len));
}

/* ---- ending ---- */

static void step_free(struct step_run *s)
{
    if (s->handler && s->handler->release)
        s->handler->release(s);
    timer_free(s->timeout);
    log_free(s->log);
    files_free(s->files);
    contexts_drop(s);
    strmap_deinit(&s->env);
    strmap_deinit(&s->inputs);
    free(s->name);
    free(s->reason);
    arena_deinit(&s->arena);
    free(s);
}

/* Where the result of a step counts: the job, or the composite around it. */
static void merge_up(struct step_run *s)
{
    struct frame *f = s->frame;
    struct lane *lane = lane_of(s);

    if (lane && lane->instance == s->instance) { /* counts once it was waited for */
        lane->conclusion = s->conclusion;
        return;
    }
    if (f->parent && s->stage == STAGE_MAIN) {
        if (s->conclusion == RESULT_FAILURE || s->conclusion == RESULT_CANCELLED)
            f->status = result_merge(f->status, s->conclusion);
        return;
    }
    if (f->parent) { /* embedded pre and post: judged by the enclosing step */
        if (s->conclusion == RESULT_FAILURE)
            s->seq->owner->inner_failed = true;
        return;
    }
    if (s->conclusion == RESULT_FAILURE)
        s->run->status = result_merge(s->run->status, RESULT_FAILURE);
}

static void close_step(struct step_run *s, enum result outcome, enum result conclusion)
{
    struct sequence *seq = s->seq;
    json_t *entry;

    s->outcome = outcome;
    s->conclusion = conclusion;
    step_flush(s);
    entry = context_entry(s);
    if (entry) {
        json_object_set_new(entry, "outcome", json_string(result_name(outcome)));
        json_object_set_new(entry, "conclusion", json_string(result_name(conclusion)));
    }
    merge_up(s);
    tell_finished(s);
    seq->current = NULL;
    step_free(s);
    sequence_go(seq);
}

/* continue-on-error is looked at only after a failure; failing to evaluate it leaves the failure. */
static enum result conclude(struct step_run *s, enum result outcome)
{
    struct err err = ERR_INIT;
    bool forgiven = false;
    struct eval e;

    if (outcome != RESULT_FAILURE)
        return outcome;
    eval_init(&e, s->run, s->frame, s, &s->arena);
    if (template_bool(&e.template, s->def->continue_on_error, false, &forgiven, &err) < 0) {
        step_error(s, "The step failed and an error occurred when attempting to determine whether "
                      "to continue on error.");
        step_error(s, err.text);
    }
    eval_deinit(&e);
    return forgiven ? RESULT_SUCCESS : RESULT_FAILURE;
}

/* S, or a composite around it. */
static bool is_out_of_time(const struct step_run *s)
{
    for (; s; s = s->seq->owner)
        if (s->timed_out)
            return true;
    return false;
}

void step_end(struct step_run *s, enum result result)
{
    s->timeout = timer_free(s->timeout);
    step_flush(s);
    if (s->files && effects_apply_files(s) < 0)
        result = result_merge(result, RESULT_FAILURE);
    limits_tell(s, result);
    if (s->timed_out) {
        log_issue(s->log, ANNOTATION_ERROR, "The action '%s' has timed out after %lld minutes.",
                  s->name, (long long)s->timeout_minutes);
        result = RESULT_FAILURE;
    } else if (s->cancelled) {
        log_issue(s->log, ANNOTATION_ERROR, "The operation was canceled.");
        result = RESULT_CANCELLED;
    } else if (s->stopping && is_out_of_time(s->seq->owner)) {
        log_issue(s->log, ANNOTATION_ERROR, "The action has timed out.");
        result = RESULT_FAILURE;
    } else if (s->broken) {
        result = RESULT_FAILURE;
    } else if (log_failed(s->log) || s->env_failed) { /* a workflow command was refused */
        result = result_merge(result, RESULT_FAILURE);
    }
    enum result conclusion = conclude(s, result);
    log_printf(s->log, LOG_DEBUG, "Finishing: %s", s->name);
    close_step(s, result, conclusion);
}

void step_fail(struct step_run *s, const char *text)
{
    step_error(s, text);
    step_end(s, RESULT_FAILURE);
}

/* ---- starting ---- */

static void on_timeout(void *ctx)
{
    struct step_run *s = ctx;

    s->timeout = NULL;
    s->timed_out = true;
    s->stopping = true;
    s->handler->stop(s, false);
}

int64_t step_deadline(const struct step_run *s)
{
    if (!s->timeout_minutes)
        return CLOCK_NEVER;
    return s->started_ms + s->timeout_minutes * s->run->minute_ms;
}

static void limit_time(struct step_run *s, struct eval *e)
{
    struct err err = ERR_INIT;
    double minutes = 0;

    if (template_number(&e->template, s->def->timeout_minutes, 0, &minutes, &err) < 0) {
        step_error(s, "An error occurred when attempting to determine the step timeout.");
        step_error(s, err.text); /* and it runs without a limit, as on GitHub */
        return;
    }
    if (minutes >= 1 && minutes < 1e9) { /* whole minutes, as on GitHub: half of one is no limit */
        s->timeout_minutes = (int64_t)minutes;
        s->timeout = loop_timer(s->run->loop, step_deadline(s), on_timeout, s);
    }
}

/* Why it is skipped, for people; masked, as values of contexts are in it. */
static void set_reason(struct step_run *s, struct eval *e, struct slice condition)
{
    CLEANUP(buf_deinit) struct buf masked = BUF_INIT(NAME_MASKED_MAX);
    bool failed = s->run->status > RESULT_SUCCESS || s->frame->status > RESULT_SUCCESS, wrapped;
    const char *why = NULL;

    (void)explain_written(condition, &wrapped);
    if (wrapped && failed)
        why = s->run->cancelled ? "the job was cancelled" : "an earlier step failed";
    else
        why = explain_condition(&s->arena, condition, &e->scope);
    mask_apply(s->run->mask, slice_of(why), &masked);
    struct slice shown = utf8_head(buf_slice(&masked), REASON_MAX);
    free(s->reason);
    s->reason = mem_dup(shown.ptr ? shown.ptr : "", shown.len);
}

static bool condition_holds(struct step_run *s, struct eval *e, bool *ret_failed)
{
    struct instance *i = s->instance;
    const char *condition = s->def->condition;
    struct err err = ERR_INIT;
    bool holds = false;

    if (s->stage == STAGE_PRE)
        condition = instance_pre_if(i);
    else if (s->stage == STAGE_POST)
        condition = instance_post_if(i);
    log_printf(s->log, LOG_DEBUG, "Evaluating condition for step: '%s'", s->name);
    if (template_test(&e->template, slice_of(condition), &holds, &err) == ERR_OK) {
        if (!holds)
            set_reason(s, e, slice_of(condition));
        return holds;
    }
    step_error(s, err.text);
    *ret_failed = true;
    return false;
}

static struct step_run *step_new(struct sequence *seq, struct sequence_item item)
{
    struct step_run *s = mem_new(sizeof *s);
    struct step_run *outer =
        seq->owner ? (seq->owner->outer ? seq->owner->outer : seq->owner) : NULL;

    *s = (struct step_run){
        .run = seq->run,
        .seq = seq,
        .frame = item.instance->frame,
        .instance = item.instance,
        .def = item.instance->def,
        .stage = item.stage,
        .outer = outer,
        .number = outer ? outer->number : ++seq->run->step_count,
        .started_ms = clock_ms(),
        .inputs = STRMAP_INIT_NOCASE,
        .exit_code = -1,
    };
    return s;
}

/* What keeps S from running; RESULT_NONE: nothing. As on GitHub, a step in a composite runs with what there is of its
 * env, and fails; and a condition there that cannot be evaluated is the end of the composite's steps. */
static enum result before_running(struct step_run *s, struct eval *e, const struct err *env)
{
    bool inside = s->frame->parent && s->stage == STAGE_MAIN, failed = false;

    if (env->code)
        step_error(s, env->text);
    s->env_failed = env->code && inside;
    if (env->code && !inside)
        return RESULT_FAILURE;
    if (!s->run->shutdown && condition_holds(s, e, &failed))
        return RESULT_NONE;
    if (failed && inside)
        s->seq->next = s->seq->items.len;
    return failed ? RESULT_FAILURE : RESULT_SKIPPED;
}

/* Returns with the step under way, or already ended. */
static void step_start(struct sequence *seq, struct sequence_item item)
{
    struct step_run *s = step_new(seq, item);
    struct run *run = s->run;
    struct err err = ERR_INIT;
    struct eval e;

    seq->current = s;
    eval_init(&e, run, s->frame, s, &s->arena);
    /* the log comes after env, which may allow unsecure commands in it */
    (void)!template_map(&e.template, s->def->env, &s->env, &err);
    s->has_env = true;
    contexts_drop(s);
    s->log = effects_log_new(s);
    set_name(s, &e);
    tell_started(s);
    enum result result = before_running(s, &e, &err);
    if (result == RESULT_NONE) {
        log_printf(s->log, LOG_DEBUG, "Starting: %s", s->name);
        limit_time(s, &e);
    }
    eval_deinit(&e);
    if (result != RESULT_NONE) { /* nothing ran that continue-on-error could forgive */
        close_step(s, result, result);
        return;
    }
    if (files_new(run->files_dir, &s->files, &err) < 0 ||
        (run->shared && files_share(s->files, &err) < 0)) {
        step_fail(s, err.text);
        return;
    }
    contexts_drop(s);
    payload_restore(run);
    s->handler = handler_for(s, &err);
    if (!s->handler || s->handler->start(s, &err) < 0)
        step_fail(s, err.text);
}

/* The main steps of a frame end with their lanes; what these came to counts from then on. */
static bool lanes_hold(struct sequence *seq)
{
    struct frame *f = seq->frame;

    if (f->seq != seq)
        return false;
    if (lanes_go_on(f))
        return true;
    if (!lanes_take(f)) {
        if (f->parent)
            f->status = result_merge(f->status, RESULT_FAILURE);
        else
            seq->run->status = result_merge(seq->run->status, RESULT_FAILURE);
    }
    f->seq = NULL;
    return false;
}

void sequence_go(struct sequence *seq)
{
    if (seq->going || seq->current)
        return;
    seq->going = true;
    while (!seq->current && seq->next < seq->items.len) {
        struct sequence_item item = seq->items.ptr[seq->next++];

        if (item.instance->def->background && item.stage == STAGE_MAIN && !seq->is_lane)
            lane_start(seq, item.instance);
        else
            step_start(seq, item);
    }
    seq->going = false;
    if (!seq->current && seq->next == seq->items.len && !lanes_hold(seq))
        seq->done(seq->ctx);
}

/* ---- stopping ---- */

void sequence_stop(struct sequence *seq, bool now)
{
    struct step_run *s;

    if (seq->frame && seq->frame->seq == seq) /* none: it was not begun yet */
        lanes_stop(seq->frame, now);
    s = seq->current; /* the last lane's end may have ended one and begun another */
    if (!s || !s->handler)
        return;
    s->stopping = true;
    s->broken = s->broken || s->run->breaking;
    s->handler->stop(s, now);
}

void sequence_break(struct sequence *seq)
{
    seq->run->breaking = true;
    sequence_stop(seq, true);
    seq->run->breaking = false;
}

void sequence_cancel(struct sequence *seq)
{
    struct step_run *s;
    bool failed = false;
    struct eval e;

    if (seq->frame && seq->frame->seq == seq) /* none: it was not begun yet */
        lanes_cancel(seq->frame);
    s = seq->current;
    if (!s || !s->handler || s->stopping)
        return;
    eval_init(&e, s->run, s->frame, s, &s->arena);
    contexts_drop(s);
    bool goes_on = condition_holds(s, &e, &failed);
    eval_deinit(&e);
    if (goes_on && !s->run->shutdown)
        return;
    s->stopping = true;
    s->cancelled = true;
    s->handler->stop(s, false);
}
