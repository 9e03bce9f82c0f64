/* log_state - what log.c (bytes to lines to events), log_commands.c (what lines ask for) and log_match.c
 * (what problem matchers find in them) share. */
#pragma once

#include "base/utf8.h"
#include "job/log/log.h"

/* One pipe of the step. */
struct channel {
    struct utf8 utf8;
    struct buf line; /* the line without an end yet; while STREAMING the begin of a marker */
    bool skip_lf;    /* the last line ended in CR: a LF right behind belongs to it */
    bool streaming;  /* the line is long, and goes out in parts */
    struct mask_stream parts;
    struct scan *scan; /* how far the problem matchers came; NULL: none saw a line yet */
};

struct log {
    struct log_spec spec;
    struct annotation_counts counts; /* used when the spec has none */
    struct channel channels[LOG_STREAMS];
    const struct channel *open; /* whose part is the last thing that went out; NULL: a whole line */
    struct buf batch;           /* masked lines on their way out */
    struct buf decoded, scratch;
    struct buf plain, masked; /* the line that matchers see: without colours, and masked */
    struct command command;   /* the one that is being obeyed... */
    struct slice line;        /* ...and its raw line */
    bool failed, echo;
    bool stopped; /* by stop-commands, until TOKEN comes */
    struct buf token;
    struct err err; /* the first error of writing; nothing is written after it */
};

/* Masks LINE (any length, without its end) and adds it to what goes out. */
void log_put_line(struct log *l, struct slice line);

/* Logs TEXT with the tag of A's level, and emits A as log_annotate() does. */
void log_put_issue(struct log *l, const struct annotation *a, struct slice text);

/* Puts LINE as an issue, if a problem matcher makes one of it. False: it is for the caller to put. */
bool log_match(struct log *l, enum log_stream from, struct slice line);

/* Obeys LINE if it is a command. False: it is ordinary output, which is for the caller to put. */
bool log_obey(struct log *l, struct slice line);

/* True if LINE, of which more will come, is a command that would be obeyed. */
bool log_would_obey(struct log *l, struct slice line);
