/* The terminal report: finished things scroll, what runs lives in an area at the bottom.
 *
 * A frame is one write: back to the area's first line, the new scrolling lines over it, the area anew
 * below them. The cursor is hidden and line wrapping is off only within that write, so that a process
 * killed at any moment leaves a terminal as it should be: no signal handler has to put it right. */
#include "report/lines.h"

#include <sys/ioctl.h>

enum {
    FRAME_MS = 50,           /* at most 20 frames a second */
    SPIN_MS = 100,           /* and this often when nothing but time passes */
    PENDING_MAX = 256 << 10, /* scrolling text that may wait for the next frame */
    AREA_ROWS_MAX = 64,
    JOB_LINES_MAX = 3 /* last lines of a step's log below its job */
};

struct terminal {
    struct report base;
    struct lines lines;
    int width, height;
    int area_width[AREA_ROWS_MAX]; /* columns of each row that is drawn now */
    int area_rows;
    int64_t drawn_ms; /* 0: never */
    bool dirty, started, ended;
    struct buf frame;
};

static struct terminal *terminal_of(struct report *r)
{
    return (struct terminal *)(void *)r;
}

static void measure(struct terminal *t)
{
    struct winsize w = {0};
    bool known = ioctl(t->lines.screen.fd, TIOCGWINSZ, &w) == 0;

    t->width = t->lines.screen.width;
    t->height = t->lines.screen.height;
    if (t->width <= 0)
        t->width = known && w.ws_col > 0 ? w.ws_col : 80;
    if (t->height <= 0)
        t->height = known && w.ws_row > 0 ? w.ws_row : 24;
    t->lines.columns = t->width;
}

/* ---- the area ---- */

static int row_budget(const struct terminal *t)
{
    int rows = t->height - 2;

    return rows < 1 ? 1 : rows > AREA_ROWS_MAX ? AREA_ROWS_MAX : rows;
}

/* Takes what was added to `out` since FROM as one row of the area, cut to the terminal. */
static void row_end(struct terminal *t, size_t from)
{
    struct buf *out = &t->lines.out;
    struct slice text = slice_from(buf_slice(out), from);

    if (t->area_rows > 0)
        buf_add_str(&t->frame, "\n");
    t->area_width[t->area_rows++] = text_cut(&t->frame, text, t->width - 1, t->lines.style);
    buf_add_str(&t->frame, "\033[K");
    buf_cut(out, from);
}

static void spinner(struct terminal *t, int64_t now)
{
    static const char *const utf8[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    static const char *const ascii[] = {"|", "/", "-", "\\"};
    size_t n = (size_t)(now / SPIN_MS);

    lines_say(
        &t->lines, SGR_CYAN,
        slice_of(t->lines.style.utf8 ? utf8[n % COUNT_OF(utf8)] : ascii[n % COUNT_OF(ascii)]));
}

/* Whole seconds: tenths would only flicker. */
static void since(struct terminal *t, int64_t start, int64_t now)
{
    int64_t s = now > start ? (now - start) / 1000 : 0;

    if (s < 60)
        buf_printf(&t->lines.out, "%ds", (int)s);
    else
        lines_duration(&t->lines, s * 1000);
}

static void job_row(struct terminal *t, const struct board_job *j, int64_t now)
{
    struct lines *l = &t->lines;
    const struct board_step *s = j->steps.len ? j->steps.ptr[j->steps.len - 1] : NULL;
    size_t from = l->out.len;

    spinner(t, now);
    buf_add_char(&l->out, ' ');
    lines_job_name(l, j);
    buf_add_str(&l->out, "  ");
    if (s && s->main_nr && j->n_steps)
        buf_printf(&l->out, "%d/%d ", s->main_nr, j->n_steps);
    lines_say(l, SGR_OFF,
              s            ? slice_of(s->name)
              : j->main_nr ? SLICE("going on")
                           : SLICE("starting"));
    if (j->steps.len > 1)
        buf_printf(&l->out, " (+%zu)", j->steps.len - 1);
    if (s && s->progress) {
        buf_add_str(&l->out, "  ");
        lines_say(l, SGR_CYAN, slice_of(s->progress));
    }
    lines_sgr(l, SGR_DIM);
    buf_add_str(&l->out, "  ");
    since(t, s ? s->started_ms : j->started_ms, now);
    lines_sgr(l, SGR_OFF);
    row_end(t, from);
}

/* The last N lines that say something, in their order. */
static void log_rows(struct terminal *t, const struct board_job *j, size_t n)
{
    const struct board_step *s = j->steps.len ? j->steps.ptr[j->steps.len - 1] : NULL;
    struct lines *l = &t->lines;
    size_t from = s ? board_tail_count(&s->tail) : 0;
    struct slice line;

    for (size_t found = 0; found < n && from > 0; from--)
        found += board_tail_line(&s->tail, from - 1, &line) && slice_trim(line).len > 0;
    for (; s && board_tail_line(&s->tail, from, &line); from++) {
        size_t start = l->out.len;

        if (!slice_trim(line).len || slice_starts(line, SLICE("##[endgroup]")))
            continue;
        lines_say(l, SGR_DIM, l->style.utf8 ? SLICE("  │ ") : SLICE("  | "));
        if (slice_starts(line, SLICE("##[")) && slice_find_char(line, ']') > 0)
            line = slice_from(line, (size_t)slice_find_char(line, ']') + 1);
        lines_say(l, SGR_DIM, line);
        row_end(t, start);
    }
}

static void footer(struct terminal *t, size_t hidden, int64_t now)
{
    const struct board *b = &t->lines.board;
    struct lines *l = &t->lines;
    size_t from = l->out.len;
    size_t over = b->n_state[BOARD_SUCCESS] + b->n_state[BOARD_FAILURE] +
                  b->n_state[BOARD_CANCELLED] + b->n_state[BOARD_SKIPPED];
    size_t all = b->n_planned > b->jobs.len ? b->n_planned : b->jobs.len;

    lines_sgr(l, SGR_DIM);
    buf_add_str(&l->out, "  ");
    since(t, b->started_ms, now);
    buf_printf(&l->out, ", %zu of %zu jobs done", over, all);
    if (b->n_state[BOARD_FAILURE]) {
        lines_sgr(l, SGR_OFF);
        lines_sgr(l, SGR_RED);
        buf_printf(&l->out, ", %zu failed", b->n_state[BOARD_FAILURE]);
    }
    if (hidden)
        buf_printf(&l->out, ", %zu more running", hidden);
    lines_sgr(l, SGR_OFF);
    row_end(t, from);
}

/* Jobs that run, as many as fit; log lines below them only when every job has room for them. */
static void area(struct terminal *t, int64_t now)
{
    const struct board *b = &t->lines.board;
    int running = (int)b->n_state[BOARD_RUNNING], budget = row_budget(t);
    int rows = budget - 1, log_lines = running ? rows / 2 / running : 0;
    size_t hidden = 0;

    t->area_rows = 0;
    if (!t->started || t->ended)
        return;
    log_lines = t->lines.screen.verbose ? 0 : log_lines > JOB_LINES_MAX ? JOB_LINES_MAX : log_lines;
    VEC_EACH (j, &b->jobs) {
        if ((*j)->state != BOARD_RUNNING)
            continue;
        if (t->area_rows >= rows) {
            hidden++;
            continue;
        }
        job_row(t, *j, now);
        log_rows(t, *j, (size_t)log_lines);
    }
    footer(t, hidden, now);
}

/* ---- frames ---- */

/* Rows that the area drawn before takes now: a terminal that became narrower has wrapped its lines. */
static int rows_drawn(const struct terminal *t)
{
    int rows = 0;

    for (int i = 0; i < t->area_rows; i++)
        rows += t->area_width[i] > t->width ? (t->area_width[i] + t->width - 1) / t->width : 1;
    return rows;
}

/* Scrolling lines may be longer than the terminal: they wrap, so wrapping is on for them. Each is
 * cleared to its end first, as the old area shows through otherwise. */
static void add_scrolled(struct buf *frame, struct slice text)
{
    struct slice line;

    while (slice_line(&text, &line)) {
        buf_add_str(frame, "\033[K");
        buf_add(frame, line);
        buf_add_str(frame, "\n");
    }
}

static int draw(struct terminal *t, int64_t now, struct err *err)
{
    struct buf scrolled = t->lines.out; /* moved: the area's rows are put together in `out` too */
    int rows = rows_drawn(t);

    t->lines.out = (struct buf)BUF_INIT(LINES_BUF_MAX);
    buf_clear(&t->frame);
    buf_add_str(&t->frame, "\033[?25l\r");
    if (rows > 1)
        buf_printf(&t->frame, "\033[%dA", rows - 1);
    if (scrolled.len && rows > 0)
        buf_add_str(&t->frame, "\033[J"); /* long lines wrap over more than one old row */
    add_scrolled(&t->frame, buf_slice(&scrolled));
    buf_add_str(&t->frame, "\033[?7l");
    area(t, now);
    buf_add_str(&t->frame, "\033[J\033[?7h\033[?25h");
    buf_deinit(&t->lines.out);
    buf_clear(&scrolled);
    t->lines.out = scrolled;
    t->drawn_ms = now;
    t->dirty = false;
    return lines_write(t->lines.screen.fd, buf_slice(&t->frame), err);
}

static int terminal_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    struct terminal *t = terminal_of(r);
    struct slice name = event_text(event, "event");
    int64_t now = clock_ms();

    t->started = t->started || slice_eq(name, SLICE("run.started"));
    lines_event(&t->lines, event, log, now);
    t->dirty = true;
    if (slice_eq(name, SLICE("run.finished"))) {
        t->ended = true;
        lines_ending(&t->lines);
        return draw(t, now, err);
    }
    return t->lines.out.len > PENDING_MAX ? draw(t, now, err) : ERR_OK;
}

static void terminal_resize(struct report *r)
{
    measure(terminal_of(r));
    terminal_of(r)->dirty = true;
}

static int64_t terminal_tick(struct report *r, int64_t now)
{
    struct terminal *t = terminal_of(r);
    bool moving = t->started && !t->ended && t->lines.board.n_state[BOARD_RUNNING] > 0;
    int64_t due = t->dirty                ? t->drawn_ms + FRAME_MS
                  : moving && t->drawn_ms ? t->drawn_ms + SPIN_MS
                                          : CLOCK_NEVER;

    if (now >= due) {
        struct err ignored = ERR_INIT;

        (void)!draw(t, now, &ignored); /* a terminal that is gone fails the next event */
        due = moving ? now + SPIN_MS : CLOCK_NEVER;
    }
    return due;
}

static int terminal_close(struct report *r, struct err *err)
{
    struct terminal *t = terminal_of(r);
    int result = ERR_OK;

    if (t->started && !t->ended) {
        t->ended = true;
        lines_ending(&t->lines);
        t->dirty = true;
    }
    if (t->dirty)
        result = draw(t, clock_ms(), err);
    lines_deinit(&t->lines);
    buf_deinit(&t->frame);
    free(t);
    return result;
}

struct report *report_terminal_new(const struct report_screen *screen)
{
    static const struct report_ops ops = {terminal_event, terminal_resize, terminal_tick,
                                          terminal_close};
    struct terminal *t = mem_new(sizeof *t);

    t->base.ops = &ops;
    t->frame = (struct buf)BUF_INIT(2 * LINES_BUF_MAX);
    lines_init(&t->lines, screen, true);
    measure(t);
    return &t->base;
}
