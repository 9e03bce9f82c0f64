#include "report/board.h"

#include "job/log/progress.h"

struct slice event_text(const json_t *event, const char *key)
{
    const json_t *v = json_object_get(event, key);

    return slice_make(json_string_value(v), json_string_length(v));
}

int64_t event_number(const json_t *event, const char *key)
{
    return json_integer_value(json_object_get(event, key));
}

static char *text_dup(struct slice s)
{
    return mem_dup(s.len ? s.ptr : "", s.len);
}

static void text_set(char **to, struct slice s)
{
    free(*to);
    *to = text_dup(s);
}

enum board_state board_state_parse(struct slice name)
{
    if (slice_eq(name, SLICE("success")))
        return BOARD_SUCCESS;
    if (slice_eq(name, SLICE("skipped")))
        return BOARD_SKIPPED;
    return slice_eq(name, SLICE("cancelled")) ? BOARD_CANCELLED : BOARD_FAILURE;
}

/* ---- tails ---- */

static void tail_init(struct board_tail *t)
{
    for (size_t i = 0; i < BOARD_TAIL_LINES; i++)
        t->line[i] = (struct buf)BUF_INIT(BOARD_TAIL_LINE_MAX);
}

static void tail_deinit(struct board_tail *t)
{
    for (size_t i = 0; i < BOARD_TAIL_LINES; i++)
        buf_deinit(&t->line[i]);
}

size_t board_tail_count(const struct board_tail *t)
{
    return t->n_lines < BOARD_TAIL_LINES ? t->n_lines : BOARD_TAIL_LINES;
}

bool board_tail_line(const struct board_tail *t, size_t i, struct slice *ret)
{
    size_t count = board_tail_count(t);

    if (i >= count)
        return false;
    *ret = buf_slice(&t->line[(t->n_lines - count + i) % BOARD_TAIL_LINES]);
    return true;
}

/* Its beginning is what is kept of a line that is too long. */
static void tail_add(struct board_tail *t, struct slice line)
{
    if (!t->open)
        buf_clear(&t->line[t->n_lines++ % BOARD_TAIL_LINES]);
    struct buf *b = &t->line[(t->n_lines - 1) % BOARD_TAIL_LINES];

    buf_add(b, slice_head(line, b->max - b->len));
}

static size_t count_lines(struct slice s)
{
    size_t n = 0;

    for (const char *p = s.ptr; s.len && (p = memchr(p, '\n', (size_t)(s.ptr + s.len - p))); p++)
        n++;
    return n;
}

/* A log of many megabytes passes here: all but the last lines are only counted. */
static void tail_log(struct board_tail *t, struct slice log, bool part)
{
    size_t lines = count_lines(log), skip = 0;
    struct slice line;

    if (lines > BOARD_TAIL_LINES) {
        const char *end = log.ptr + log.len - 1; /* the last line end */

        for (int i = 0; i < BOARD_TAIL_LINES; i++)
            end = memrchr(log.ptr, '\n', (size_t)(end - log.ptr));
        skip = lines - BOARD_TAIL_LINES;
        log = slice_from(log, (size_t)(end + 1 - log.ptr));
        t->n_lines += skip - (t->open ? 1 : 0);
        t->open = false;
    }
    while (slice_line(&log, &line)) {
        tail_add(t, line);
        t->open = false;
    }
    t->open = part;
}

/* ---- jobs and steps ---- */

static struct board_step *step_free(struct board_step *s)
{
    if (!s)
        return NULL;
    tail_deinit(&s->tail);
    free(s->name);
    free(s->stage);
    free(s->tagged);
    free(s->progress);
    free(s);
    return NULL;
}

static void job_free(struct board_job *j)
{
    VEC_EACH (s, &j->steps)
        step_free(*s);
    vec_deinit(&j->steps);
    step_free(j->failed);
    free(j->key);
    free(j->name);
    free(j->reason);
    free(j);
}

void board_init(struct board *b)
{
    *b = (struct board){.result = BOARD_RUNNING};
}

void board_deinit(struct board *b)
{
    VEC_EACH (a, &b->annotations)
        json_decref(a->event);
    vec_deinit(&b->annotations);
    VEC_EACH (j, &b->jobs)
        job_free(*j);
    vec_deinit(&b->jobs);
}

struct board_job *board_job_of(const struct board *b, const json_t *event)
{
    struct slice key = event_text(event, "job");

    if (!key.ptr)
        return NULL;
    for (size_t i = b->jobs.len; i-- > 0;) { /* events are mostly about late jobs */
        if (slice_eq(slice_of(b->jobs.ptr[i]->key), key))
            return b->jobs.ptr[i];
    }
    return NULL;
}

struct board_step *board_step_of(const struct board_job *j, const json_t *event)
{
    int64_t number = event_number(event, "step");

    for (size_t i = j ? j->steps.len : 0; i-- > 0;) {
        if (j->steps.ptr[i]->number == number)
            return j->steps.ptr[i];
    }
    return NULL;
}

static struct board_job *job_get(struct board *b, const json_t *event)
{
    struct board_job *j = board_job_of(b, event);

    if (j || !event_text(event, "job").ptr)
        return j;
    j = mem_new(sizeof *j);
    j->key = text_dup(event_text(event, "job"));
    j->name = text_dup(event_text(event, "job"));
    vec_push(&b->jobs, j);
    b->n_state[BOARD_QUEUED]++;
    return j;
}

static void job_state(struct board *b, struct board_job *j, enum board_state state)
{
    b->n_state[j->state]--;
    b->n_state[j->state = state]++;
}

static void job_named(struct board_job *j, const json_t *event)
{
    if (event_text(event, "name").len)
        text_set(&j->name, event_text(event, "name"));
    if (event_number(event, "steps") > 0)
        j->n_steps = (int)event_number(event, "steps");
}

static void on_run_started(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    (void)j;
    b->started_ms = now;
    b->n_planned = (size_t)event_number(e, "jobs");
}

static void on_job_queued(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    (void)b;
    (void)now;
    job_named(j, e);
}

static void on_job_started(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    job_named(j, e);
    job_state(b, j, BOARD_RUNNING);
    j->started_ms = now;
}

static void on_step_started(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    struct board_step *s = mem_new(sizeof *s);
    struct slice stage = event_text(e, "stage");

    (void)b;
    s->number = (int)event_number(e, "step");
    s->name = text_dup(event_text(e, "name"));
    s->stage = text_dup(stage);
    s->started_ms = now;
    if (slice_eq(stage, SLICE("main")))
        s->main_nr = ++j->main_nr;
    tail_init(&s->tail);
    vec_push(&j->steps, s);
}

static void on_progress(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    struct board_step *s = board_step_of(j, e);
    struct buf text = BUF_INIT(4096);

    (void)b;
    (void)now;
    if (!s)
        return;
    progress_text(&text, slice_head(event_text(e, "label"), 1024), event_number(e, "done"),
                  event_number(e, "total"));
    free(s->progress);
    s->progress = buf_take(&text);
}

static void on_step_finished(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    struct board_step *s = board_step_of(j, e);

    (void)now;
    if (!s)
        return;
    for (size_t i = 0; i < j->steps.len; i++) {
        if (j->steps.ptr[i] == s) {
            vec_remove(&j->steps, i);
            break;
        }
    }
    if (j->failed || board_state_parse(event_text(e, "conclusion")) != BOARD_FAILURE) {
        step_free(s);
        return;
    }
    j->failed = s;
    if (!b->first_failed)
        b->first_failed = j;
}

static void on_log(struct board *b, struct board_job *j, const json_t *e, struct slice log)
{
    struct board_step *s = board_step_of(j, e);

    (void)b;
    if (s)
        tail_log(&s->tail, log, json_is_true(json_object_get(e, "part")));
}

bool board_is_exit_code(const json_t *e)
{
    return !event_text(e, "file").len &&
           slice_starts(event_text(e, "message"), SLICE("Process completed with exit code"));
}

static void on_annotation(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    struct slice level = event_text(e, "level");
    struct board_annotation a = {.job = j, .level = BOARD_NOTICE};

    (void)now;
    if (board_is_exit_code(e))
        return;
    if (slice_eq(level, SLICE("error")))
        a.level = BOARD_ERROR;
    else if (slice_eq(level, SLICE("warning")))
        a.level = BOARD_WARNING;
    b->n_annotations[a.level]++;
    if (b->annotations.len >= BOARD_ANNOTATIONS_MAX)
        return;
    a.event = json_deep_copy(e);
    vec_push(&b->annotations, a);
}

static void on_job_finished(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    (void)now;
    job_named(j, e);
    job_state(b, j, board_state_parse(event_text(e, "result")));
    j->elapsed_ms = event_number(e, "elapsed_ms");
    if (event_text(e, "reason").len)
        text_set(&j->reason, event_text(e, "reason"));
    VEC_EACH (s, &j->steps) /* a worker that died left them open */
        step_free(*s);
    j->steps.len = 0;
}

static void on_run_finished(struct board *b, struct board_job *j, const json_t *e, int64_t now)
{
    (void)j;
    (void)now;
    b->result = board_state_parse(event_text(e, "result"));
    b->elapsed_ms = event_number(e, "elapsed_ms");
}

void board_event(struct board *b, const json_t *event, struct slice log, int64_t now_ms)
{
    static const struct {
        struct slice name;
        void (*fn)(struct board *b, struct board_job *j, const json_t *e, int64_t now);
        bool job; /* is about a job: nothing to do without one */
    } table[] = {
        {SLICE_INIT("run.started"), on_run_started, false},
        {SLICE_INIT("job.queued"), on_job_queued, true},
        {SLICE_INIT("job.started"), on_job_started, true},
        {SLICE_INIT("step.started"), on_step_started, true},
        {SLICE_INIT("annotation"), on_annotation, false},
        {SLICE_INIT("progress"), on_progress, true},
        {SLICE_INIT("step.finished"), on_step_finished, true},
        {SLICE_INIT("job.finished"), on_job_finished, true},
        {SLICE_INIT("run.finished"), on_run_finished, false},
    };
    struct slice name = event_text(event, "event");
    struct board_job *j = job_get(b, event);

    if (slice_eq(name, SLICE("log"))) {
        on_log(b, j, event, log);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (slice_eq(name, table[i].name) && (j || !table[i].job)) {
            table[i].fn(b, j, event, now_ms);
            return;
        }
    }
}
