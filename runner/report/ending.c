/* The end of a run in words: what failed first, what was found, every job, the result. */
#include "report/lines.h"

#include <inttypes.h>

static const char *const state_name[BOARD_STATES] = {
    [BOARD_QUEUED] = "not started", [BOARD_RUNNING] = "interrupted", [BOARD_SUCCESS] = "success",
    [BOARD_FAILURE] = "failure",    [BOARD_CANCELLED] = "cancelled", [BOARD_SKIPPED] = "skipped",
};

static void pad(struct lines *l, int used, int width)
{
    for (; used < width; used++)
        buf_add_char(&l->out, ' ');
}

/* Only when it has scrolled away since. */
static void first_failure(struct lines *l)
{
    const struct board_job *j = l->board.first_failed;
    const struct board_step *s = j ? j->failed : NULL;

    if (!s || l->n_lines - l->failed_at <= BOARD_TAIL_LINES)
        return;
    lines_end(l);
    lines_say(l, SGR_BOLD, SLICE("first failing step: "));
    lines_say(l, SGR_OFF, slice_of(j->name));
    buf_add_str(&l->out, ", ");
    lines_say(l, SGR_RED, slice_of(s->name));
    if (s->tail.n_lines > BOARD_TAIL_LINES)
        buf_printf(&l->out, ", the last %d of %zu lines", BOARD_TAIL_LINES, s->tail.n_lines);
    lines_end(l);
    lines_tail(l, s, "", BOARD_TAIL_LINES);
}

static void one_finding(struct lines *l, const struct board_annotation *a)
{
    static const struct {
        const char *word;
        enum lines_sgr sgr;
    } looks[BOARD_LEVELS] = {
        [BOARD_NOTICE] = {"notice ", SGR_BLUE},
        [BOARD_WARNING] = {"warning", SGR_YELLOW},
        [BOARD_ERROR] = {"error  ", SGR_RED},
    };
    struct slice message = event_text(a->event, "message"), title = event_text(a->event, "title");
    ssize_t nl = slice_find_char(message, '\n');

    buf_add_str(&l->out, "  ");
    lines_say(l, looks[a->level].sgr, slice_of(looks[a->level].word));
    buf_add_str(&l->out, "  ");
    if (lines_place(l, a->event))
        buf_add_str(&l->out, "  ");
    if (title.len) {
        lines_say(l, SGR_BOLD, title);
        buf_add_str(&l->out, ": ");
    }
    lines_say(l, SGR_OFF, nl < 0 ? message : slice_head(message, (size_t)nl));
    if (a->job) {
        buf_add_str(&l->out, "  ");
        lines_say(l, SGR_DIM, slice_of(a->job->name));
    }
    lines_end_folded(l, 11); /* below the file */
}

static void count_of(struct lines *l, const char *sep, size_t n, const char *word)
{
    if (n)
        buf_printf(&l->out, "%s%zu %s%s", sep, n, word, n == 1 ? "" : "s");
}

static void findings(struct lines *l)
{
    const size_t *n = l->board.n_annotations;
    size_t total = n[BOARD_ERROR] + n[BOARD_WARNING] + n[BOARD_NOTICE], shown = 0;

    if (!total)
        return;
    lines_end(l);
    lines_sgr(l, SGR_BOLD);
    buf_add_str(&l->out, "annotations:");
    lines_sgr(l, SGR_OFF);
    count_of(l, " ", n[BOARD_ERROR], "error");
    count_of(l, n[BOARD_ERROR] ? ", " : " ", n[BOARD_WARNING], "warning");
    count_of(l, n[BOARD_ERROR] + n[BOARD_WARNING] ? ", " : " ", n[BOARD_NOTICE], "notice");
    lines_end(l);
    for (int level = BOARD_ERROR; level >= BOARD_NOTICE; level--) {
        VEC_EACH (a, &l->board.annotations) {
            if ((int)a->level == level && shown < LINES_LIST_MAX) {
                one_finding(l, a);
                shown++;
            }
        }
    }
    if (total > shown) {
        buf_printf(&l->out, "  ... and %zu more", total - shown);
        lines_end(l);
    }
}

static void job_row(struct lines *l, const struct board_job *j, int width)
{
    size_t before;
    int used = lines_name(l, j, LINES_TABLE_NAME_MAX);

    if (used > width) { /* it has a line of its own */
        lines_end(l);
        used = 0;
    }
    pad(l, used, width);
    buf_add_str(&l->out, "  ");
    lines_say(l,
              j->state == BOARD_SUCCESS   ? SGR_GREEN
              : j->state == BOARD_FAILURE ? SGR_RED
              : j->state == BOARD_SKIPPED ? SGR_DIM
                                          : SGR_YELLOW,
              slice_of(state_name[j->state]));
    pad(l, (int)strlen(state_name[j->state]), 11);
    buf_add_str(&l->out, "  ");
    before = l->out.len;
    if (j->state == BOARD_QUEUED || j->state == BOARD_RUNNING || j->state == BOARD_SKIPPED)
        buf_add_char(&l->out, '-');
    else
        lines_duration(l, j->elapsed_ms);
    if (j->reason || j->failed) {
        pad(l, (int)(l->out.len - before), 8);
        if (j->reason) {
            lines_say(l, SGR_DIM, slice_of(j->reason));
        } else {
            lines_say(l, SGR_DIM, SLICE("at "));
            lines_say(l, SGR_DIM, slice_of(j->failed->name));
        }
    }
    lines_end_folded(l, width + 2 + 11 + 2 + 8); /* below the reason */
}

static void table(struct lines *l)
{
    int width = (int)strlen("JOB"), most = l->live ? LINES_PREFIX_MAX : LINES_TABLE_NAME_MAX;

    if (!l->board.jobs.len)
        return;
    VEC_EACH (j, &l->board.jobs) {
        int w = text_width(slice_of((*j)->name));

        width = w > width ? w : width;
    }
    width = width < most ? width : most;
    lines_end(l);
    lines_sgr(l, SGR_BOLD);
    buf_printf(&l->out, "%-*s  %-11s  TIME", width, "JOB", "RESULT");
    lines_sgr(l, SGR_OFF);
    lines_end(l);
    VEC_EACH (j, &l->board.jobs)
        job_row(l, *j, width);
}

static void verdict(struct lines *l)
{
    static const enum board_state order[] = {BOARD_SUCCESS, BOARD_FAILURE, BOARD_CANCELLED,
                                             BOARD_SKIPPED, BOARD_RUNNING, BOARD_QUEUED};
    const struct board *b = &l->board;
    const char *sep = "";

    lines_end(l);
    if (l->style.utf8) {
        lines_glyph(l, b->result);
        buf_add_char(&l->out, ' ');
    }
    lines_say(l, SGR_BOLD, slice_of(state_name[b->result]));
    if (b->result != BOARD_RUNNING) {
        buf_add_str(&l->out, " in ");
        lines_duration(l, b->elapsed_ms);
    }
    buf_printf(&l->out, ", %zu job%s", b->jobs.len, b->jobs.len == 1 ? "" : "s");
    for (size_t i = 0; i < COUNT_OF(order) && b->jobs.len > 1; i++) {
        if (b->n_state[order[i]]) {
            buf_printf(&l->out, "%s%zu %s", *sep ? sep : ": ", b->n_state[order[i]],
                       state_name[order[i]]);
            sep = ", ";
        }
    }
    lines_end(l);
    if (l->screen.hint) {
        lines_sgr(l, SGR_DIM);
        buf_add_str(&l->out, l->lost ? "recorded, but not to the end, in " : "recorded in ");
        buf_add_str(&l->out, l->screen.hint);
        lines_sgr(l, SGR_OFF);
        lines_end(l);
    }
}

void lines_ending(struct lines *l)
{
    first_failure(l);
    findings(l);
    table(l);
    verdict(l);
}
