#include "queue/gitea/display.h"

#include "base/num.h"
#include "queue/gitea/connect.h"

enum { NUMBERS_MAX = 100000 /* steps that events count, those of the runner's own included */ };

const char *display_result(enum queue_result r)
{
    static const char *const names[QUEUE_RESULTS] = {
        [QUEUE_SUCCESS] = "RESULT_SUCCESS",
        [QUEUE_FAILURE] = "RESULT_FAILURE",
        [QUEUE_CANCELLED] = "RESULT_CANCELLED",
        [QUEUE_SKIPPED] = "RESULT_SKIPPED",
    };

    return names[r];
}

void display_init(struct display *d, size_t n_steps, const char *folder)
{
    *d = (struct display){.n_steps = n_steps};
    d->steps = mem_new((n_steps + 1) * sizeof *d->steps);
    for (size_t i = 0; i < COUNT_OF(d->files); i++)
        rows_file_init(&d->files[i], folder);
    rows_init(&d->rows, &d->files[0], 0);
    rows_init(&d->tail, &d->files[1], 0);
    for (size_t i = 0; i < n_steps; i++)
        rows_init(&d->steps[i].held, &d->files[1], i + 1);
}

void display_deinit(struct display *d)
{
    for (size_t i = 0; i < COUNT_OF(d->files); i++)
        rows_file_deinit(&d->files[i]);
    VEC_EACH (s, &d->summaries)
        json_decref(s->markdown);
    vec_deinit(&d->summaries);
    vec_deinit(&d->numbers);
    json_decref(d->outputs);
    free(d->steps);
    *d = (struct display){0};
}

/* ---- where rows go ---- */

static void place(struct display *d, struct shown_step *s)
{
    if (!s->placed)
        s->log_index = d->total;
    s->placed = true;
}

static void add_to_step(struct display *d, size_t nth, const char *time, struct slice line)
{
    struct shown_step *s = &d->steps[nth];

    if (nth > d->current) {
        (void)rows_add(&s->held, time, line);
        return;
    }
    place(d, s);
    int64_t n = rows_add(&d->rows, time, line);
    s->log_length += n;
    d->total += n;
}

static bool has_begun(const struct display *d)
{
    return d->current > 0 || (d->n_steps && d->steps[0].placed);
}

static void add_own(struct display *d, const char *time, struct slice line)
{
    if (has_begun(d) && d->current < d->n_steps)
        (void)rows_add(&d->tail, time, line);
    else
        d->total += rows_add(&d->rows, time, line);
}

void display_say(struct display *d, const char *text)
{
    add_own(d, NULL, slice_of(text));
}

/* What is over is behind us: the next step's rows may follow. */
static void advance(struct display *d)
{
    while (d->current < d->n_steps && d->steps[d->current].over) {
        place(d, &d->steps[d->current]);
        if (++d->current == d->n_steps)
            break;
        struct shown_step *next = &d->steps[d->current];
        if (!next->held.count)
            continue;
        place(d, next);
        int64_t n = rows_move(&d->rows, &next->held);
        next->log_length += n;
        d->total += n;
    }
    if (d->current == d->n_steps && d->tail.count)
        d->total += rows_move(&d->rows, &d->tail);
}

/* ---- events ---- */

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));

    return text ? text : "";
}

static enum queue_result result_of(const json_t *event, const char *key)
{
    const char *text = text_of(event, key);

    for (int r = 0; r < QUEUE_RESULTS; r++)
        if (strcmp(queue_result_name((enum queue_result)r), text) == 0)
            return (enum queue_result)r;
    return QUEUE_FAILURE;
}

/* The step that EVENT is about; -1: one of the runner's own, or a stage before or after the step itself. */
static int step_of(const struct display *d, const json_t *event)
{
    json_int_t number = json_integer_value(json_object_get(event, "step"));

    return number >= 0 && (size_t)number < d->numbers.len ? d->numbers.ptr[number] : -1;
}

static void copy_stamp(char to[CLOCK_STAMP_SIZE], const char *time)
{
    if (strlen(time) + 1 == CLOCK_STAMP_SIZE)
        memcpy(to, time, CLOCK_STAMP_SIZE);
    else
        clock_stamp(to);
}

static void step_started(struct display *d, const json_t *event)
{
    json_int_t number = json_integer_value(json_object_get(event, "step"));
    struct slice record = slice_of(text_of(event, "record"));
    struct err ignored = ERR_INIT;
    int64_t nth = -1;

    if (number < 0 || number > NUMBERS_MAX)
        return;
    if (strcmp(text_of(event, "stage"), "main") != 0 || !d->n_steps ||
        num_parse_i64(record, 0, (int64_t)d->n_steps - 1, &nth, &ignored) != ERR_OK)
        nth = -1;
    while ((size_t)number >= d->numbers.len)
        vec_push(&d->numbers, -1);
    d->numbers.ptr[number] = (int)nth;
    if (nth < 0 || d->steps[nth].started)
        return;
    d->steps[nth].started = true;
    copy_stamp(d->steps[nth].started_at, text_of(event, "time"));
    d->changed = true;
}

static void step_finished(struct display *d, const json_t *event)
{
    int nth = step_of(d, event);

    if (nth < 0 || d->steps[nth].over)
        return;
    d->steps[nth].over = true;
    d->steps[nth].result = result_of(event, "conclusion");
    clock_stamp(d->steps[nth].stopped_at);
    d->changed = true;
    advance(d);
}

static void take_log(struct display *d, const json_t *event, struct slice log)
{
    int nth = step_of(d, event);
    const char *time = text_of(event, "time");
    struct slice line;

    while (slice_line(&log, &line)) {
        if (nth >= 0 && !d->steps[nth].over)
            add_to_step(d, (size_t)nth, time, line);
        else
            add_own(d, time, line);
    }
}

static void take_summary(struct display *d, const json_t *event)
{
    int nth = step_of(d, event);
    json_t *markdown = json_object_get(event, "markdown");
    size_t size = json_string_length(markdown);

    if (nth < 0 || size == 0)
        return;
    if (size > DISPLAY_SUMMARY_MAX - d->summary_size) {
        display_say(d, "##[warning]A summary is left out: a job's summaries have 1 MiB together");
        return;
    }
    d->summary_size += size;
    vec_push(&d->summaries, (struct shown_summary){(size_t)nth, json_incref(markdown)});
}

/* What the server would neither keep nor confirm would be waited for without end. */
static void take_outputs(struct display *d, const json_t *event)
{
    json_t *outputs = json_object_get(event, "outputs"), *value;
    const char *name;

    json_decref(d->outputs);
    d->outputs = json_object();
    json_object_foreach (outputs, name, value) {
        bool fits =
            strlen(name) <= DISPLAY_KEY_MAX && json_string_length(value) <= DISPLAY_VALUE_MAX;

        if (json_is_string(value) && fits) {
            json_object_set(d->outputs, name, value);
            continue;
        }
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(500);
        buf_printf(&text,
                   "##[warning]The output '%.100s' is left out: the server keeps names of up to %d "
                   "bytes and values of up to %d",
                   name, DISPLAY_KEY_MAX, DISPLAY_VALUE_MAX);
        display_say(d, text.ptr);
    }
}

void display_event(struct display *d, const json_t *event, struct slice log)
{
    const char *name = text_of(event, "event");

    if (strcmp(name, "log") == 0) {
        take_log(d, event, log);
    } else if (strcmp(name, "step.started") == 0) {
        step_started(d, event);
    } else if (strcmp(name, "step.finished") == 0) {
        step_finished(d, event);
    } else if (strcmp(name, "summary") == 0) {
        take_summary(d, event);
    } else if (strcmp(name, "note") == 0) {
        display_say(d, text_of(event, "text"));
    } else if (strcmp(name, "job.finished") == 0) {
        d->result = result_of(event, "result");
        d->finished = true;
        take_outputs(d, event);
    }
}

void display_end(struct display *d, enum queue_result result)
{
    bool skipped = result == QUEUE_SKIPPED;

    for (size_t i = 0; i < d->n_steps; i++) {
        struct shown_step *s = &d->steps[i];

        if (s->over)
            continue;
        s->over = true;
        s->result = skipped ? QUEUE_SKIPPED : QUEUE_CANCELLED;
        clock_stamp(s->stopped_at);
    }
    advance(d);
}

/* ---- the steps for the server ---- */

static void set_count(json_t *to, const char *key, int64_t n)
{
    if (n)
        json_object_set_new(to, key, connect_int_new(n));
}

static void set_stamp(json_t *to, const char *key, const char *time)
{
    if (*time)
        json_object_set_new(to, key, json_string(time));
}

json_t *display_steps(const struct display *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->n_steps; i++) {
        const struct shown_step *s = &d->steps[i];
        json_t *one = json_object();

        json_object_set_new(one, "id", connect_int_new((int64_t)i));
        json_array_append_new(list, one);
        if (i > d->current) /* it may run beside that one, but is shown after it */
            continue;
        if (s->over)
            json_object_set_new(one, "result", json_string(display_result(s->result)));
        set_stamp(one, "startedAt", s->started_at);
        set_stamp(one, "stoppedAt", s->stopped_at);
        if (s->placed)
            set_count(one, "logIndex", s->log_index);
        set_count(one, "logLength", s->log_length);
    }
    return list;
}
