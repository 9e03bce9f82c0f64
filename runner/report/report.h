/* report - readers of the event stream: what a run looks like on a terminal, in a pipe, on disk.
 *
 * Each kind is made by its own function and then used through the four calls below. A report only
 * shows what events tell it; masked text comes in, and nothing else ever goes out. */
#pragma once

#include "base/clock.h"
#include "job/event.h"

struct report;

struct report_ops {
    int (*event)(struct report *r, json_t *event, struct slice log, struct err *err);
    void (*resize)(struct report *r);
    int64_t (*tick)(struct report *r, int64_t now_ms);
    int (*close)(struct report *r, struct err *err);
};
struct report {
    const struct report_ops *ops;
    bool awaited; /* somebody reads it: that it was lost is an error, see report_all_new() */
};

/* EVENT and LOG are borrowed for the call. An error means that the report could not keep up its
 * promise (disk full, closed pipe); the run can go on without it. Fits event_fn. */
MUST_CHECK int report_event(struct report *r, json_t *event, struct slice log, struct err *err);

/* The terminal's size changed (SIGWINCH). */
void report_resize(struct report *r);

/* Draws what is due at NOW_MS (clock_ms()); returns when it wants to be called next, CLOCK_NEVER: not
 * before another event. Call it once a turn of the loop: loop_turn(l, report_tick(r, clock_ms())). */
int64_t report_tick(struct report *r, int64_t now_ms);

/* Ends the report (a live area is taken down, files are completed) and frees it, error or not. NULL is
 * fine. A run without run.finished is shown as interrupted. */
MUST_CHECK int report_close(struct report *r, struct err *err);

/* ---- many at once ---- */

enum { REPORT_ALL_MAX = 8 };

/* Hands everything on to N reports, which it then owns. One that fails is closed and left out from
 * then on, the others go on; its error is said once through the others as a "note". An error is
 * returned only when the last one failed; and by closing all of it, when one that is awaited did, unless its reader has
 * gone away by himself. */
struct report *report_all_new(struct report *const *reports, size_t n);

/* ---- where text goes ---- */

/* What the command line and the environment say; NULL: not set. */
struct report_env {
    const char *no_color, *clicolor, *clicolor_force, *term, *columns;
    const char *lc_all, *lc_ctype, *lang;
};

struct report_screen {
    int fd;           /* borrowed; must outlive the report */
    bool tty;         /* FD is a terminal that can move its cursor: a live area is possible */
    bool color;       /* SGR sequences may be written */
    bool utf8;        /* glyphs beyond ASCII may be written */
    bool verbose;     /* -v: the log of all steps on a terminal, not only of those that failed */
    int width;        /* columns; 0: ask the terminal, else no limit */
    int height;       /* 0: ask the terminal, else 24 */
    const char *hint; /* "/state/runs/12": where the record is, borrowed; NULL: say nothing */
};

/* Fills in *RET for FD: NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM=dumb, COLUMNS and the locale count. */
void report_screen_init(struct report_screen *ret, int fd, const struct report_env *env);

/* ---- the kinds ---- */

/* Prefixed lines, "job | text": for pipes and files. */
struct report *report_plain_new(const struct report_screen *screen);

/* Lines that scroll, and below them a live area with one line per running job. */
struct report *report_terminal_new(const struct report_screen *screen);

/* Events as JSON lines on FD (borrowed), see events.md. Log events carry their text. */
struct report *report_json_new(int fd);

/* ---- the run folder: <state>/runs/<id>/, layout in events.md ---- */

enum { RUNS_KEEP_DEFAULT = 50 };

struct report_folder_spec {
    const char *state; /* absolute path, created when missing */
    int keep; /* newest runs left after this one was added; 0: RUNS_KEEP_DEFAULT; -1: all */
};

/* Creates the folder with the next free number as its id. Once a job is at work runs beyond `keep` are removed,
 * never one that still runs. The first event points `latest` at it; a run that never had one is removed at the close. */
MUST_CHECK int report_folder_new(const struct report_folder_spec *spec, struct report **ret,
                                 struct err *err);
int64_t report_folder_id(const struct report *r);       /* R made by report_folder_new() */
const char *report_folder_path(const struct report *r); /* absolute; valid until close */

/* Reads a recorded run again and feeds it to TO: ID is a number as text, or "latest". What a crash cut
 * off is left out. ERR_NOT_FOUND: no such run. */
MUST_CHECK int report_replay(const char *state, const char *id, struct report *to, struct err *err);
