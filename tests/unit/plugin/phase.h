/* phase - one phase of a test plugin, run by the real host in a real sandbox; all that it did as text. */
#pragma once

#include "unit/sandbox/place.h"
#include "plugin/host/host.h"

/* The object tests/kit/plugins/NAME.c was made into. */
const char *phase_object(const char *name);
extern const char *const phase_child; /* the program with the subcommand plugin-child */

struct phase {
    struct plugin *plugin; /* of phase_look() */
    int object;
    struct strmap with, saved;
    int number;            /* OST_PHASE_...; main by default */
    int64_t deadline_ms;   /* CLOCK_NEVER by default */
    const char *cancel_at; /* cancelled when this text appears in the log */
    int64_t cancel_ms;     /* cancelled that long after the start; 0: not */

    struct plugin_run *run;
    bool ended;
    struct plugin_end end;
    struct buf end_text;
    struct buf log;   /* a line for each service call: "info: x", "output: name=value", "1: raw" */
    size_t log_bytes; /* all that came, kept or not */
    bool cancelled;
};

/* In an open place: the plugin NAME, described and ready. */
void phase_open(struct phase *p, const char *name);
void phase_close(struct phase *p);
void phase_with(struct phase *p, const char *name, const char *value);

/* Runs it to its end; the outcome is in p->end, the text of it in p->end.text. */
void phase_run(struct phase *p);

/* Fails the test unless the log has the line TEXT (fnmatch pattern). */
void phase_said(const struct phase *p, const char *text);
void phase_not_said(const struct phase *p, const char *text);

/* Runs acme/many with `do` WHAT in its own place and fails unless it ended with STATUS. */
void phase_do(struct phase *p, const char *what, ost_status status);

#define PHASE_INIT                                                                                 \
    {                                                                                              \
        .object = -1, .with = STRMAP_INIT_NOCASE, .saved = STRMAP_INIT, .number = OST_PHASE_MAIN,  \
        .deadline_ms = INT64_MAX, .log = BUF_INIT(64 << 20), .end_text = BUF_INIT(1 << 20)         \
    }
