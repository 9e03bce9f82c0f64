/* lines - what a plugin that speaks JSON lines (sdk/json-lines.md) asks for, and what it is told: a line in, the service of
 * the host called, a line out. Nothing here reads or writes. */
#pragma once

#include "base/buf.h"
#include "plugin/child/child.h"

#include <jansson.h>

enum {
    LINES_VERSION = 1,
    LINES_MAX = 8 << 20, /* bytes of a line, either way */
};

struct lines {
    struct ost_step *step;
    struct buf out;    /* lines for the plugin; the owner sends and clears it */
    bool done;         /* the phase is over: */
    ost_status status; /* so it went; fail() has been told why */
};

#define LINES_INIT(of)                                                                             \
    {                                                                                              \
        .step = (of), .out = BUF_INIT(2 * LINES_MAX)                                               \
    }

/* Adds the first line: the phase, the inputs with their types, the folders. */
void lines_begin(struct lines *l, const struct child_start *start);

/* Serves LINE, without its end. What is no request ends the phase. */
void lines_serve(struct lines *l, struct slice line);

/* Adds the word that the job was cancelled. */
void lines_cancel(struct lines *l);

/* Ends the phase as a failure of the plugin. */
void lines_break(struct lines *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- between lines.c and lines_ext.c ---- */

/* A request under way: what is taken from it is checked, and the first thing wrong with it is the answer. */
struct lines_call {
    struct lines *lines;
    const json_t *ask;
    json_t *answer;   /* gets members */
    char wrong[200];  /* ""; else the request is refused with it */
    void *memory[64]; /* freed after the call */
    size_t n_memory;
};

typedef ost_status lines_fn(struct lines_call *c);

const char *lines_text(struct lines_call *c, const char *name);  /* required; "" when it is wrong */
const char *lines_maybe(struct lines_call *c, const char *name); /* NULL: absent, or null */
bool lines_flag(struct lines_call *c, const char *name);         /* absent: false */
int64_t lines_number(struct lines_call *c, const char *name, int64_t fallback);
/* A list of texts, NULL-terminated; a single text is one of one. NULL: absent. */
const char *const *lines_list(struct lines_call *c, const char *name);
/* The table of extension ID; NULL: there is none, and the request is refused for that. */
const void *lines_extension(struct lines_call *c, const char *id);
void lines_put(struct lines_call *c, const char *name, json_t *take_value);    /* of the answer */
void lines_put_text(struct lines_call *c, const char *name, const char *text); /* NULL: null */

/* The requests for extensions, NULL-terminated by name. */
struct lines_op {
    const char *name;
    lines_fn *fn;
};
extern const struct lines_op lines_ext_ops[];
