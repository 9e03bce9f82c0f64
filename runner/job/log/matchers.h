/* matchers - the problem matchers of a job, newest first, and what they make of the lines of its steps.
 *
 * A matcher is known from the moment a step adds it until one removes it, to all streams of all steps;
 * how far it came (patterns over several lines) belongs to one stream of one step: a struct scan. The
 * file formats and rules are those of GitHub's runner (runtime contract 7). */
#pragma once

#include "job/log/annotation.h"
#include "job/log/matcher.h"

enum {
    MATCHERS_FILE_MAX = 1 << 20,
    MATCHERS_MAX = 100,
    MATCHERS_TIMEOUT_MS = 1000, /* for one line and matcher, unless the job says otherwise */
    MATCHERS_ATTEMPTS = 3,      /* time-outs in a line after which a matcher is removed */
};

struct matchers;

/* What a line says, borrowed until the next one. Its file is as the line has it: see matchers_place(). */
struct finding {
    struct annotation annotation;
    struct slice from_path;
};

/* Writes where the file of F is, relative to the repository of the workflow, to RET. An error: it is not
 * to be found there, and why. */
typedef int matchers_locate_fn(void *ctx, const struct finding *f, struct buf *ret,
                               struct err *err);

struct matchers_spec {
    int64_t timeout_ms;         /* 0: MATCHERS_TIMEOUT_MS */
    matchers_locate_fn *locate; /* NULL: files stay as lines have them */
    void *ctx;                  /* of locate; both outlive the matchers */
};

struct matchers *matchers_new(const struct matchers_spec *spec);
struct matchers *matchers_free(struct matchers *m); /* NULL is fine; returns NULL */

/* False while there is nothing to show lines to; NULL: false. */
bool matchers_any(const struct matchers *m);

/* Adds those in the text of a configuration file, in front of what is there; a matcher of the same owner
 * (in any case) is replaced. All or none: ERR_INVALID and ERR_LIMIT say what is wrong with which. OWNERS
 * gets "'a', 'b'" for people; nothing for a file without matchers, which is no error. */
MUST_CHECK int matchers_add(struct matchers *m, struct slice json, struct buf *owners,
                            struct err *err);

/* Removes the one of OWNER, in any case; none is fine. */
void matchers_remove(struct matchers *m, struct slice owner);

/* Removes those whose owners the text of a configuration file has. */
MUST_CHECK int matchers_remove_all(struct matchers *m, struct slice json, struct buf *owners,
                                   struct err *err);

/* "00:00:02", ".NET's way to write a time span, in ms; 0 for what is none, or not above zero. */
int64_t matchers_timeout(struct slice text);

/* LINE without colours (and what erases the rest of a line, which compilers write with them). Borrowed
 * from LINE, or from OUT. */
struct slice matchers_plain(struct slice line, struct buf *out);

/* ---- one stream of a step ---- */

struct scan;
struct scan *scan_new(struct matchers *m); /* M must outlive it */
struct scan *scan_free(struct scan *s);    /* NULL is fine; returns NULL */

/* What there is to say on the way: a warning, or something for those who debug a step. */
typedef void scan_note_fn(void *ctx, bool warning, const char *text);

/* Shows LINE (plain, valid UTF-8, no line end) to the matchers. True: it is an issue, and *RET is filled. */
bool scan_line(struct scan *s, struct slice line, scan_note_fn *note, void *ctx,
               struct finding *ret);

/* Replaces the file of F by its place in the repository, kept in OUT, or drops it and says why. */
void matchers_place(const struct matchers *m, struct finding *f, struct buf *out,
                    scan_note_fn *note, void *ctx);
