/* log - the log of one step: bytes of its processes in, commands obeyed, masked lines out as events.
 *
 *   bytes -> UTF-8 -> lines (LF, CRLF, lone CR) -> commands -> matchers -> masker -> batch -> "log" event
 *
 * What a command asks for is done here where it concerns the log (masking, echo, groups, annotations,
 * stop-commands) and handed to the engine through struct log_handlers where it does not. Lines of any
 * length pass with bounded memory: over LOG_LINE_MAX they go out in parts, which no problem matcher
 * sees. Nothing here reads; the owner of the pipes feeds what came, the stderr of a round first. */
#pragma once

#include "base/mask.h"
#include "job/event.h"
#include "job/log/annotation.h"
#include "job/log/matchers.h"

enum {
    LOG_LINE_MAX = 64 << 10, /* a longer line comes out in parts */
    /* A line that began as a command is collected up to COMMAND_LINE_MAX; what is longer than that is
     * plain output. A command that begins after the first LOG_LINE_MAX bytes is not seen as one. */
};

struct log;

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAMS };

/* The marks that viewers know at the start of a line: "", "##[group]", "##[endgroup]", ... */
enum log_tag {
    LOG_PLAIN,
    LOG_GROUP,
    LOG_ENDGROUP,
    LOG_COMMAND,
    LOG_SECTION,
    LOG_ERROR,
    LOG_WARNING,
    LOG_NOTICE,
    LOG_DEBUG,
    LOG_TAGS
};

/* What the engine does for commands. Slices are borrowed for the call. A handler that fails sets ERR:
 * the log shows it and marks the step as failed. A NULL member fails with "not available here". A
 * handler may write to the log, but not free it or feed it. */
struct log_handlers {
    int (*set_output)(void *ctx, struct slice name, struct slice value, struct err *err);
    int (*save_state)(void *ctx, struct slice name, struct slice value, struct err *err);
    int (*set_env)(void *ctx, struct slice name, struct slice value, struct err *err);
    int (*add_path)(void *ctx, struct slice path, struct err *err);
    int (*add_matcher)(void *ctx, struct slice path, struct err *err);
    /* Exactly one of OWNER and PATH is given. */
    int (*remove_matcher)(void *ctx, struct slice owner, struct slice path, struct err *err);
};

/* All pointers are borrowed and must outlive the log. */
struct log_spec {
    struct event_writer *events;
    int step; /* the number in the events: of the enclosing step for embedded ones */
    struct mask *mask;
    const struct log_handlers *handlers; /* NULL: no member is there */
    void *ctx;                           /* theirs */
    struct annotation_counts *counts;    /* shared with embedded steps; NULL: its own */
    struct matchers *matchers; /* shown each line that is no command; while it has none they cost
                                  nothing; NULL: never any */
    const char *workspace; /* as the step sees it, for annotations; NULL: files stay as they are */
    bool no_commands;      /* nothing in the bytes is obeyed: every line is plain output */
    bool debug;            /* step debug: ##[debug] lines are shown */
    bool echo;             /* commands are echoed from the start */
    bool allow_insecure_commands; /* ACTIONS_ALLOW_UNSECURE_COMMANDS */
    bool allow_insecure_tokens;   /* ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS */
};

/* The state of stop-commands belongs to one log: make a new one for each step and embedded step. */
struct log *log_new(const struct log_spec *spec);
/* What was not flushed is lost. Returns NULL; log_free(NULL) does nothing. */
struct log *log_free(struct log *l);

/* Takes BYTES that one read of a pipe gave and emits what is complete. Errors are those of
 * event_emit_log(): the reader of the events is gone. */
MUST_CHECK int log_feed(struct log *l, enum log_stream from, struct slice bytes, struct err *err);

/* The pipe is at its end: the line without a terminator counts as complete. May be called again. */
MUST_CHECK int log_end(struct log *l, enum log_stream from, struct err *err);

/* The runner's own lines, masked too; with several lines in TEXT only the first carries the tag, as on
 * GitHub. LOG_DEBUG lines appear with step debug only, and each carries its tag. Kept until the next
 * log_feed(), log_end() or log_flush(), which report an error of writing. */
void log_write(struct log *l, enum log_tag tag, struct slice text);
void log_printf(struct log *l, enum log_tag tag, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Logs A's message with the tag of its level, and emits it as an annotation (masked, cut, at most
 * ANNOTATION_KEPT_MAX of a level). */
void log_annotate(struct log *l, const struct annotation *a);
/* The same for a message without a place. */
void log_issue(struct log *l, enum annotation_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Emits the lines that are waiting: before any other event of this step. */
MUST_CHECK int log_flush(struct log *l, struct err *err);

/* True once a command failed: the step has failed then, whatever its exit code. */
bool log_failed(const struct log *l);

/* Whether commands are echoed now; embedded steps start with the value of their parent. */
bool log_echo(const struct log *l);
