/* annotation - a notice, warning or error that points at a place in a file. */
#pragma once

#include "job/log/commands.h"

#include <jansson.h>
#include <stdint.h>

enum annotation_level {
    ANNOTATION_NOTICE,
    ANNOTATION_WARNING,
    ANNOTATION_ERROR,
    ANNOTATION_LEVELS
};

enum {
    ANNOTATION_KEPT_MAX = 10,      /* of each level, for one step; all are still logged */
    ANNOTATION_MESSAGE_MAX = 4096, /* characters as .NET counts them, cut after masking */
};

/* Borrowed texts; 0 stands for a position that is not known. */
struct annotation {
    enum annotation_level level;
    struct slice message, title, file;
    struct slice code; /* what the tool calls the problem: "TS2304"; only matchers know it */
    int64_t line, end_line, col, end_col;
};

/* How many of each level a step has had. Embedded steps count into the step that they are part of. */
struct annotation_counts {
    unsigned n[ANNOTATION_LEVELS];
};

/* "notice", "warning", "error". */
const char *annotation_name(enum annotation_level level);

/* Says why a position was dropped or changed; only shown when a step is debugged. */
typedef void annotation_note_fn(void *ctx, const char *text);

/* Fills *RET from a notice, warning or error command: a lone end becomes the start, positions that
 * contradict each other are dropped (runtime contract 5.3). NOTE may be NULL. */
void annotation_of(const struct command *c, enum annotation_level level, annotation_note_fn *note,
                   void *ctx, struct annotation *ret);

/* FILE relative to WORKSPACE (normal, absolute, as the step sees it) when it lies below, else as it
 * is. Borrowed from FILE. */
struct slice annotation_file(struct slice file, const char *workspace);

/* As an "annotation" event of STEP; the texts must be masked. Cuts the message. New reference. */
json_t *annotation_event(const struct annotation *a, int step);
