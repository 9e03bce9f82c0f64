#include "report/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

static const char *const glyph_utf8[BOARD_STATES] = {
    [BOARD_QUEUED] = "·",  [BOARD_RUNNING] = "●",   [BOARD_SUCCESS] = "✓",
    [BOARD_FAILURE] = "✗", [BOARD_CANCELLED] = "■", [BOARD_SKIPPED] = "-",
};
static const char *const glyph_ascii[BOARD_STATES] = {
    [BOARD_QUEUED] = "..",      [BOARD_RUNNING] = ">",           [BOARD_SUCCESS] = "ok",
    [BOARD_FAILURE] = "FAILED", [BOARD_CANCELLED] = "CANCELLED", [BOARD_SKIPPED] = "-",
};
static const enum lines_sgr glyph_sgr[BOARD_STATES] = {
    [BOARD_QUEUED] = SGR_DIM,  [BOARD_RUNNING] = SGR_CYAN,     [BOARD_SUCCESS] = SGR_GREEN,
    [BOARD_FAILURE] = SGR_RED, [BOARD_CANCELLED] = SGR_YELLOW, [BOARD_SKIPPED] = SGR_DIM,
};

void lines_init(struct lines *l, const struct report_screen *screen, bool live)
{
    *l = (struct lines){
        .screen = *screen,
        .style = {.color = screen->color, .utf8 = screen->utf8},
        .live = live,
        .out = BUF_INIT(LINES_BUF_MAX),
    };
    board_init(&l->board);
}

void lines_deinit(struct lines *l)
{
    board_deinit(&l->board);
    buf_deinit(&l->out);
}

int lines_write(int fd, struct slice text, struct err *err)
{
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);

        /* The flag belongs to the open file, which other programs on this terminal share. */
        if (n < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return err_sys(err, "cannot write");
        else if (n > 0)
            text = slice_from(text, (size_t)n);
    }
    return ERR_OK;
}

/* ---- pieces ---- */

void lines_sgr(struct lines *l, enum lines_sgr sgr)
{
    static const char *const code[] = {
        [SGR_OFF] = "\033[0m",   [SGR_BOLD] = "\033[1m",   [SGR_DIM] = "\033[2m",
        [SGR_RED] = "\033[31m",  [SGR_GREEN] = "\033[32m", [SGR_YELLOW] = "\033[33m",
        [SGR_BLUE] = "\033[34m", [SGR_CYAN] = "\033[36m",
    };

    if (l->style.color)
        buf_add_str(&l->out, code[sgr]);
}

void lines_say(struct lines *l, enum lines_sgr sgr, struct slice text)
{
    struct text_style style = {.utf8 = l->style.utf8}; /* one colour: ours */
    struct slice line;

    if (sgr != SGR_OFF)
        lines_sgr(l, sgr);
    for (bool first = true; slice_line(&text, &line); first = false) {
        if (!first)
            buf_add_char(&l->out, ' ');
        text_clean(&l->out, line, style);
    }
    if (sgr != SGR_OFF)
        lines_sgr(l, SGR_OFF);
}

void lines_glyph(struct lines *l, enum board_state state)
{
    lines_sgr(l, glyph_sgr[state]);
    buf_add_str(&l->out, (l->style.utf8 ? glyph_utf8 : glyph_ascii)[state]);
    lines_sgr(l, SGR_OFF);
}

void lines_duration(struct lines *l, int64_t ms)
{
    int64_t tenths = (ms + 50) / 100, s = (ms + 500) / 1000;

    if (ms < 100) /* most steps that are no build */
        buf_printf(&l->out, "%" PRId64 "ms", ms);
    else if (tenths < 600)
        buf_printf(&l->out, "%" PRId64 ".%" PRId64 "s", tenths / 10, tenths % 10);
    else if (s < 3600)
        buf_printf(&l->out, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    else
        buf_printf(&l->out, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
}

int lines_name(struct lines *l, const struct board_job *j, int width)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(4096);

    text_clean(&clean, slice_of(j->name), (struct text_style){.utf8 = l->style.utf8});
    lines_sgr(l, SGR_CYAN);
    int used = text_cut(&l->out, buf_slice(&clean), width, l->style);
    lines_sgr(l, SGR_OFF);
    return used;
}

void lines_job_name(struct lines *l, const struct board_job *j)
{
    for (int n = lines_name(l, j, LINES_PREFIX_MAX); n < l->prefix_width; n++)
        buf_add_char(&l->out, ' ');
}

void lines_end(struct lines *l)
{
    buf_add_char(&l->out, '\n');
    l->n_lines++;
}

void lines_end_folded(struct lines *l, int indent)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(LINES_BUF_MAX);
    size_t at = l->out.len;

    if (l->live && l->columns > 0) {
        while (at > 0 && l->out.ptr[at - 1] != '\n')
            at--;
        buf_add(&line, slice_from(buf_slice(&l->out), at));
        buf_cut(&l->out, at);
        text_fold(&l->out, buf_slice(&line), l->columns, indent);
    }
    lines_end(l);
}

bool lines_place(struct lines *l, const json_t *annotation)
{
    struct slice file = event_text(annotation, "file");
    int64_t line = event_number(annotation, "line"), col = event_number(annotation, "col");

    if (!file.len)
        return false;
    lines_say(l, SGR_BOLD, file);
    if (line > 0)
        buf_printf(&l->out, ":%" PRId64, line);
    if (line > 0 && col > 0)
        buf_printf(&l->out, ":%" PRId64, col);
    return true;
}

/* "NAME | " in plain, "NAME  " in live manner. JOB may be NULL: no name. */
static void prefix(struct lines *l, const struct board_job *j)
{
    if (j)
        lines_job_name(l, j);
    else
        for (int i = 0; l->live && i < l->prefix_width; i++)
            buf_add_char(&l->out, ' ');
    if (l->live)
        buf_add_str(&l->out, "  ");
    else if (j)
        buf_add_str(&l->out, " | ");
}

static void add_clean(struct lines *l, struct slice line)
{
    text_clean(&l->out, line, l->style);
}

/* ---- log text ---- */

static const struct tag {
    struct slice mark;
    const char *label;
    enum lines_sgr sgr;
    bool finding; /* comes as an annotation event too */
} tags[] = {
    {SLICE_INIT("##[error]"), "error: ", SGR_RED, true},
    {SLICE_INIT("##[warning]"), "warning: ", SGR_YELLOW, true},
    {SLICE_INIT("##[notice]"), "notice: ", SGR_BLUE, true},
    {SLICE_INIT("##[debug]"), "debug: ", SGR_DIM, false},
    {SLICE_INIT("##[command]"), "$ ", SGR_BLUE, false},
    {SLICE_INIT("##[section]"), "", SGR_BOLD, false},
    {SLICE_INIT("[command]"), "$ ", SGR_BLUE, false},
};

static const struct tag *tag_of(struct slice line)
{
    if (!slice_starts(line, SLICE("##[")) && !slice_starts(line, SLICE("[command]")))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        if (slice_starts(line, tags[i].mark))
            return &tags[i];
    }
    return NULL;
}

/* The text of a line with its tag turned into words and colour. */
static void add_tagged(struct lines *l, struct slice line)
{
    const struct tag *t = tag_of(line);

    if (!t) {
        add_clean(l, line);
        return;
    }
    lines_sgr(l, t->sgr);
    buf_add_str(&l->out, t->label);
    add_clean(l, slice_from(line, t->mark.len));
    lines_sgr(l, SGR_OFF);
}

static bool was_said(const struct board_step *s, struct slice message)
{
    return s && s->tagged && slice_eq(slice_of(s->tagged), message);
}

static void remember(struct board_step *s, struct slice message)
{
    if (!s)
        return;
    free(s->tagged);
    s->tagged = mem_dup(message.len ? message.ptr : "", message.len);
}

static void log_line(struct lines *l, struct slice before, struct board_step *s, struct slice line)
{
    const struct tag *t = tag_of(line);

    if (slice_starts(line, SLICE("##[endgroup]"))) {
        s->group = 0;
        return;
    }
    if (t && t->finding) {
        struct slice message = slice_from(line, t->mark.len);

        if (was_said(s, message))
            return; /* the annotation came first */
        remember(s, message);
    }
    buf_add(&l->out, before);
    if (slice_starts(line, SLICE("##[group]"))) {
        s->group = 1;
        buf_add_str(&l->out, l->style.utf8 ? "▾ " : "- ");
        lines_say(l, SGR_BOLD, slice_from(line, sizeof "##[group]" - 1));
    } else {
        if (s->group)
            buf_add_str(&l->out, "  ");
        add_tagged(l, line);
    }
    lines_end(l);
}

/* A step of which nothing is shown while it goes well. */
static bool is_frame(const struct lines *l, const json_t *event, const struct board_step *s)
{
    struct slice stage = s ? slice_of(s->stage) : event_text(event, "stage");

    return !l->screen.verbose &&
           (slice_eq(stage, SLICE("setup")) || slice_eq(stage, SLICE("complete")));
}

static void on_log(struct lines *l, const struct board_job *j, struct board_step *s, json_t *event,
                   struct slice log)
{
    CLEANUP(buf_deinit) struct buf before = BUF_INIT(4096);
    struct slice line;
    size_t at = l->out.len;

    if (!s || (l->live && !l->screen.verbose) || is_frame(l, event, s))
        return;
    prefix(l, j); /* once for all lines of the batch */
    buf_add(&before, slice_from(buf_slice(&l->out), at));
    buf_cut(&l->out, at);
    while (slice_line(&log, &line))
        log_line(l, buf_slice(&before), s, line);
}

void lines_tail(struct lines *l, const struct board_step *s, const char *before, size_t n)
{
    size_t count = board_tail_count(&s->tail), first = count > n ? count - n : 0;
    struct slice line;

    for (size_t i = first; board_tail_line(&s->tail, i, &line); i++) {
        if (slice_starts(line, SLICE("##[endgroup]")))
            continue;
        if (slice_starts(line, SLICE("##[group]")))
            line = slice_from(line, sizeof "##[group]" - 1);
        lines_sgr(l, SGR_DIM);
        buf_add_str(&l->out, before);
        buf_add_str(&l->out, l->style.utf8 ? "│ " : "| ");
        lines_sgr(l, SGR_OFF);
        add_tagged(l, line);
        lines_end(l);
    }
}

/* ---- events ---- */

static void on_run_started(struct lines *l, const struct board_job *j, struct board_step *s,
                           json_t *event, struct slice log)
{
    struct slice sha = slice_head(event_text(event, "sha"), 7), ref = event_text(event, "ref");

    (void)j;
    (void)s;
    (void)log;
    lines_say(l, SGR_BOLD, event_text(event, "workflow"));
    buf_add_str(&l->out, ": ");
    lines_say(l, SGR_OFF, event_text(event, "event_name"));
    if (ref.len) {
        buf_add_str(&l->out, " on ");
        lines_say(l, SGR_OFF, ref);
    }
    if (sha.len && !slice_eq(sha, SLICE("0000000"))) {
        buf_add_str(&l->out, " at ");
        lines_say(l, SGR_OFF, sha);
    }
    if (!slice_eq(event_text(event, "workflow"), event_text(event, "file")) &&
        event_text(event, "file").len) {
        buf_add_str(&l->out, ", ");
        lines_say(l, SGR_DIM, event_text(event, "file"));
    }
    lines_end_folded(l, 2);
}

static void learn_width(struct lines *l, const struct board_job *j)
{
    int w = text_width(slice_of(j->name));

    w = w < LINES_PREFIX_MAX ? w : LINES_PREFIX_MAX;
    l->prefix_width = w > l->prefix_width ? w : l->prefix_width;
}

static void on_job_queued(struct lines *l, const struct board_job *j, struct board_step *s,
                          json_t *event, struct slice log)
{
    (void)s;
    (void)event;
    (void)log;
    learn_width(l, j);
}

static void on_job_started(struct lines *l, const struct board_job *j, struct board_step *s,
                           json_t *event, struct slice log)
{
    struct slice isolation = event_text(event, "isolation");

    on_job_queued(l, j, s, event, log);
    if (l->live)
        return;
    prefix(l, j);
    buf_add_str(&l->out, "job started");
    if (isolation.len) {
        buf_add_str(&l->out, ", isolation: ");
        lines_say(l, SGR_OFF, isolation);
    }
    lines_end(l);
}

static void on_step_started(struct lines *l, const struct board_job *j, struct board_step *s,
                            json_t *event, struct slice log)
{
    (void)log;
    if ((l->live && !l->screen.verbose) || is_frame(l, event, s))
        return;
    prefix(l, j);
    lines_sgr(l, SGR_CYAN);
    buf_add_str(&l->out, l->style.utf8 ? "▶ " : "> ");
    lines_sgr(l, SGR_OFF);
    lines_say(l, SGR_BOLD, event_text(event, "name"));
    lines_end(l);
}

/* "(exit code 1, 0.3s)", "(its `if` is false: ...)". */
static void step_details(struct lines *l, const json_t *event, enum board_state outcome)
{
    struct slice reason = event_text(event, "reason");
    const json_t *code = json_object_get(event, "exit_code");

    lines_sgr(l, SGR_DIM);
    buf_add_str(&l->out, " (");
    if (outcome == BOARD_SKIPPED) {
        buf_add_str(&l->out, reason.len ? "skipped: " : "skipped");
        lines_say(l, SGR_OFF, reason);
    } else {
        if (json_is_integer(code) && json_integer_value(code) != 0)
            buf_printf(&l->out, "exit code %" JSON_INTEGER_FORMAT ", ", json_integer_value(code));
        else if (reason.len) {
            lines_say(l, SGR_OFF, reason);
            buf_add_str(&l->out, ", ");
        }
        lines_duration(l, event_number(event, "elapsed_ms"));
    }
    buf_add_str(&l->out, ")");
    lines_sgr(l, SGR_OFF);
}

static void on_step_finished(struct lines *l, const struct board_job *j, struct board_step *s,
                             json_t *event, struct slice log)
{
    enum board_state outcome = board_state_parse(event_text(event, "outcome"));
    enum board_state conclusion = board_state_parse(event_text(event, "conclusion"));
    bool bad = outcome == BOARD_FAILURE || outcome == BOARD_CANCELLED;
    struct slice name = s ? slice_of(s->name) : event_text(event, "name");

    (void)log;
    if (!bad && is_frame(l, event, s))
        return;
    prefix(l, j);
    lines_glyph(l, outcome);
    buf_add_char(&l->out, ' ');
    lines_say(l, outcome == BOARD_SKIPPED ? SGR_DIM : SGR_OFF, name);
    step_details(l, event, outcome);
    if (outcome == BOARD_FAILURE && conclusion == BOARD_SUCCESS)
        lines_say(l, SGR_YELLOW, SLICE(" continue-on-error: the job goes on"));
    lines_end_folded(l, l->prefix_width + 4); /* below the name of the step */
    if (((l->live && !l->screen.verbose) || is_frame(l, event, s)) && outcome == BOARD_FAILURE && s)
        lines_tail(l, s, "  ", BOARD_TAIL_LINES);
    if (conclusion == BOARD_FAILURE && !l->board.first_failed)
        l->failed_at = l->n_lines;
}

static void on_annotation(struct lines *l, const struct board_job *j, struct board_step *s,
                          json_t *event, struct slice log)
{
    static const struct {
        struct slice level;
        const char *utf8, *ascii;
        enum lines_sgr sgr;
    } looks[] = {
        {SLICE_INIT("error"), "✗", "error:", SGR_RED},
        {SLICE_INIT("warning"), "⚠", "warning:", SGR_YELLOW},
        {SLICE_INIT("notice"), "ℹ", "notice:", SGR_BLUE},
    };
    struct slice message = event_text(event, "message"), title = event_text(event, "title");
    bool logged = was_said(s, message), has_file = event_text(event, "file").len > 0;
    size_t k = 0;

    (void)log;
    if (board_is_exit_code(event) || (!has_file && logged))
        return; /* the log line says it already */
    if (!l->live || l->screen.verbose)
        remember(s, message);
    while (k + 1 < COUNT_OF(looks) && !slice_eq(looks[k].level, event_text(event, "level")))
        k++;
    prefix(l, j);
    lines_say(l, looks[k].sgr, slice_of(l->style.utf8 ? looks[k].utf8 : looks[k].ascii));
    buf_add_char(&l->out, ' ');
    if (lines_place(l, event) && !logged)
        buf_add_str(&l->out, ": ");
    if (!logged) {
        if (title.len) {
            lines_say(l, SGR_BOLD, title);
            buf_add_str(&l->out, ": ");
        }
        lines_say(l, SGR_OFF, message);
    }
    lines_end_folded(l, l->prefix_width + 4);
}

static void on_summary(struct lines *l, const struct board_job *j, struct board_step *s,
                       json_t *event, struct slice log)
{
    struct slice rest = event_text(event, "markdown"), line;
    size_t n = 0;

    (void)s;
    (void)log;
    if (!slice_trim(rest).len)
        return;
    prefix(l, j);
    lines_say(l, SGR_BOLD, SLICE("step summary"));
    lines_end(l);
    while (slice_line(&rest, &line)) {
        if (l->live && ++n > LINES_SUMMARY_MAX) {
            prefix(l, l->live ? NULL : j);
            lines_say(l, SGR_DIM, SLICE("... the rest is in the run folder"));
            lines_end(l);
            break;
        }
        prefix(l, l->live ? NULL : j);
        lines_say(l, SGR_DIM, l->style.utf8 ? SLICE("┃ ") : SLICE("| "));
        text_clean(&l->out, line, (struct text_style){.utf8 = l->style.utf8});
        lines_end(l);
    }
}

static void on_note(struct lines *l, const struct board_job *j, struct board_step *s, json_t *event,
                    struct slice log)
{
    (void)s;
    (void)log;
    l->lost |= json_is_true(json_object_get(event, "lost"));
    if (j)
        prefix(l, j);
    lines_say(l, SGR_YELLOW, SLICE("note: "));
    lines_say(l, SGR_OFF, event_text(event, "text"));
    lines_end_folded(l, (j ? l->prefix_width + 2 : 0) + 6);
}

static void on_job_finished(struct lines *l, const struct board_job *j, struct board_step *s,
                            json_t *event, struct slice log)
{
    struct slice reason = event_text(event, "reason");

    (void)s;
    (void)log;
    learn_width(l, j);
    prefix(l, j);
    if (l->style.utf8) { /* in ASCII the glyph would say it twice */
        lines_glyph(l, j->state);
        buf_add_char(&l->out, ' ');
    }
    lines_sgr(l, SGR_BOLD);
    buf_add_str(&l->out, "job ");
    lines_say(l, SGR_OFF, event_text(event, "result"));
    lines_sgr(l, SGR_OFF);
    if (reason.len) {
        buf_add_str(&l->out, ": ");
        lines_say(l, SGR_OFF, reason);
    }
    if (j->state != BOARD_SKIPPED) {
        lines_sgr(l, SGR_DIM);
        buf_add_str(&l->out, " (");
        lines_duration(l, j->elapsed_ms);
        buf_add_str(&l->out, ")");
        lines_sgr(l, SGR_OFF);
    }
    lines_end_folded(l, l->prefix_width + 4);
}

void lines_event(struct lines *l, json_t *event, struct slice log, int64_t now_ms)
{
    static const struct {
        struct slice name;
        void (*fn)(struct lines *l, const struct board_job *j, struct board_step *s, json_t *event,
                   struct slice log);
        bool job;   /* nothing to say without one */
        bool first; /* before the board forgets the step */
    } table[] = {
        {SLICE_INIT("log"), on_log, true, false},
        {SLICE_INIT("run.started"), on_run_started, false, false},
        {SLICE_INIT("job.queued"), on_job_queued, true, false},
        {SLICE_INIT("job.started"), on_job_started, true, false},
        {SLICE_INIT("step.started"), on_step_started, true, false},
        {SLICE_INIT("step.finished"), on_step_finished, true, true},
        {SLICE_INIT("annotation"), on_annotation, true, false},
        {SLICE_INIT("summary"), on_summary, true, false},
        {SLICE_INIT("note"), on_note, false, false},
        {SLICE_INIT("job.finished"), on_job_finished, true, false},
    };
    struct slice name = event_text(event, "event");
    size_t k = 0;

    while (k < COUNT_OF(table) && !slice_eq(name, table[k].name))
        k++;
    if (k < COUNT_OF(table) && table[k].first) {
        const struct board_job *j = board_job_of(&l->board, event);

        if (j)
            table[k].fn(l, j, board_step_of(j, event), event, log);
    }
    board_event(&l->board, event, log, now_ms);
    if (k < COUNT_OF(table) && !table[k].first) {
        const struct board_job *j = board_job_of(&l->board, event);

        if (j || !table[k].job)
            table[k].fn(l, j, board_step_of(j, event), event, log);
    }
}
