/* diag - what is wrong with a document: all findings of a reading, each at its place. */
#pragma once

#include "base/arena.h"
#include "base/vec.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_INFO };

enum {
    DIAG_MAX = 200,          /* findings kept; what comes after is counted, not kept */
    DIAG_MESSAGE_SIZE = 500, /* characters of a message; longer ones end in "[...]" */
};

struct diag {
    enum diag_level level;
    const char *file;   /* path as given, or owner/repo/path@ref */
    int line, col;      /* from 1; 0: the whole file */
    bool bare;          /* GitHub's text names only the file; line and col are ours to show */
    bool unplaced;      /* GitHub's text names nothing at all */
    const char *caller; /* FILE is a workflow called from here; NULL: it is not called */
    int caller_line, caller_col;
    struct slice message;  /* GitHub's wording where GitHub has one */
    const char *hint;      /* the cure: "did you mean 'runs-on'?"; NULL: none */
    const char *rule;      /* of `ostler check`, a literal; NULL: the language itself */
    struct slice misspelt; /* the word at line, col that FIX may stand for; empty: no safe cure */
    struct slice fix;      /* both in the arena */
    struct slice
        remark; /* goes with FIX as a comment, where the line has nothing behind it; empty: none */
};

struct diags {
    struct arena *arena; /* everything a finding points to is in it */
    VEC(struct diag) list;
    size_t n_errors; /* all of them, also those that were not kept */
};

void diags_deinit(struct diags *d); /* the arena is the caller's */

/* Adds a finding and returns it, for its hint (which lives in the same arena or for ever); valid until
 * the next one is added. FILE is copied. diag_add_text takes the message as bytes, NULs included. */
struct diag *diag_add(struct diags *d, enum diag_level level, const char *file, int line, int col,
                      const char *fmt, ...) PRINTF_LIKE(6, 7);
struct diag *diag_add_text(struct diags *d, enum diag_level level, const char *file, int line,
                           int col, struct slice message);

/* No further finding will be kept: a hint for one is not worth the work. */
bool diags_is_full(const struct diags *d);

/* "FILE (Line: L, Col: C): MESSAGE" as GitHub writes it, DIAG_MESSAGE_SIZE characters at most and then "[...]";
 * of a called workflow with its caller. */
char *diag_text(struct arena *a, const struct diag *d);
