/* glob - the file patterns of hashFiles() and of actions built on actions/toolkit packages/glob: text
 * only, no look at the disk. The walk is the caller's:
 *
 *     for each root of G->roots that exists, depth first, entries of a folder in byte order:
 *         kind = glob_match(g, path)
 *         a folder: take it if kind & GLOB_FOLDER; go into it if kind or glob_may_hold(g, path)
 *         a file:   take it if kind & GLOB_FILE
 *
 * Dialect: *, ?, [...] within a segment; ** as a whole segment; \ escapes; no braces. A leading "!"
 * takes out, later patterns override earlier ones; "~" is the home folder; a "/" at the end means
 * folders only; what matches brings everything below it, but for ALONE. Dot files are files like others. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

enum { GLOB_FOLDER = 1, GLOB_FILE = 2 };

struct glob_pattern;

struct glob {
    struct arena arena;
    VEC(struct glob_pattern *) patterns;
    VEC(const char *) roots; /* where to search, in pattern order; none lies in another */
    bool alone; /* set it before the first pattern: what matches does not bring what is below it */
};

#define GLOB_INIT                                                                                  \
    {                                                                                              \
        0                                                                                          \
    }

void glob_deinit(struct glob *g);

/* Adds the patterns of TEXT, one a line ("#" begins a comment). Relative ones start at FOLDER. Both
 * folders are absolute, without a "/" at the end; HOME may be NULL. ERR_INVALID: "." or ".." inside a
 * pattern, or no home for "~". ERR_LIMIT: more than 4,096 in all. */
MUST_CHECK int glob_add(struct glob *g, struct slice text, const char *folder, const char *home,
                        struct err *err);

/* What PATH (absolute, normal) matches as: 0, or GLOB_FOLDER and GLOB_FILE. */
unsigned glob_match(const struct glob *g, struct slice path);

/* True if something below the folder PATH may match. */
bool glob_may_hold(const struct glob *g, struct slice path);
