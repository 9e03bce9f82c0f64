/* lines - events as lines of text, for the plain and the terminal report; the look is decided here.
 *
 * Two manners: plain shows everything as it comes, each line behind its job's name; live shows what is
 * worth keeping on a screen, as the rest is in the live area: finished steps, findings, and the last
 * lines of a step that failed. Neither shows the frame ("Set up job", "Complete job") while all is well,
 * unless it is asked to be verbose. */
#pragma once

#include "report/board.h"
#include "report/report.h"
#include "report/text.h"

enum {
    LINES_BUF_MAX = 64 << 20,
    LINES_PREFIX_MAX = 32,
    LINES_TABLE_NAME_MAX =
        72, /* configurations of a matrix often differ only at the end of their names */
    LINES_LIST_MAX = 20,
    LINES_SUMMARY_MAX = 40
};

struct lines {
    struct report_screen screen; /* a copy; `hint` is borrowed */
    struct text_style style;
    bool live;
    bool lost; /* a report could not go on */
    struct board board;
    struct buf out;   /* whole lines; the report writes and clears it */
    size_t n_lines;   /* added so far */
    size_t failed_at; /* n_lines behind the first failing step's log */
    int prefix_width; /* columns of the longest job name so far */
    int columns;      /* of the terminal, when live; 0: not known */
};

void lines_init(struct lines *l, const struct report_screen *screen, bool live);
void lines_deinit(struct lines *l);

/* Takes EVENT into the board and adds what it has to say to `out`. */
void lines_event(struct lines *l, json_t *event, struct slice log, int64_t now_ms);

/* Adds what stands at the end: the first failing step's last lines (unless they were the last thing
 * said), findings, the table of jobs, the result. */
void lines_ending(struct lines *l);

/* Writes TEXT, waiting for a slow reader also where somebody has made FD non-blocking. */
MUST_CHECK int lines_write(int fd, struct slice text, struct err *err);

/* ---- pieces, also for the live area ---- */

enum lines_sgr { SGR_OFF, SGR_BOLD, SGR_DIM, SGR_RED, SGR_GREEN, SGR_YELLOW, SGR_BLUE, SGR_CYAN };

/* Adds the sequence when there is colour, else nothing. */
void lines_sgr(struct lines *l, enum lines_sgr sgr);
/* Adds TEXT, cleaned, in a colour. */
void lines_say(struct lines *l, enum lines_sgr sgr, struct slice text);
/* Adds the glyph for STATE in its colour: "✓", or "ok" without UTF-8. */
void lines_glyph(struct lines *l, enum board_state state);
/* Adds "0.3s", "2m03s", "1h02m". */
void lines_duration(struct lines *l, int64_t ms);
/* Adds the job's name in the job's colour, cut to WIDTH columns. Returns the columns used. */
int lines_name(struct lines *l, const struct board_job *j, int width);
/* The same, filled up to the common width (at most LINES_PREFIX_MAX). */
void lines_job_name(struct lines *l, const struct board_job *j);
/* Ends the line. */
void lines_end(struct lines *l);
/* Ends a line of sentences: what a terminal has no room for goes on below, behind INDENT columns. */
void lines_end_folded(struct lines *l, int indent);
/* Adds "file:line:col" of an annotation; false: it names no file. */
bool lines_place(struct lines *l, const json_t *annotation);
/* Adds the last lines that were kept of step S, each behind PREFIX; at most N. */
void lines_tail(struct lines *l, const struct board_step *s, const char *prefix, size_t n);
