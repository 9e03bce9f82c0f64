/* run - runs the commands of a test run through the host, and reads what they leave: their reports, else their
 * output. Whatever ends them, what they told until then is there. */
#pragma once

#include "runner.h"

struct run_spec {
    const struct target *target;
    const char *const
        *reports; /* patterns of the user's, as seen from the root; empty: the runner's own */
};

struct run { /* what came of it */
    struct results results;
    ost_status status;         /* OST_OK: all of them have ended, however */
    const char *error;         /* the host's words when STATUS is below 0 */
    const char *program;       /* the last that was started, for messages */
    int32_t exit_code, signal; /* of the first that did not end well; 0: all did */
    const char *trouble;       /* why a report could not be understood; NULL: nothing */
    const char *tail;          /* the end of what was printed */
    size_t n_reports;          /* read, streams included */
    size_t n_stale;            /* files that were there before the run */
};

/* Runs COMMANDS one after the other; all of them, unless one cannot be started or the time is over. */
void run_commands(const struct run_spec *spec, const struct commands *commands, struct run *ret);

/* Reads the reports alone, however old they are. */
void run_read_only(const struct run_spec *spec, struct run *ret);

/* Runs COMMAND without a word in the log and keeps what it prints on stdout, at most 16 MiB of it. Below 0: it could
 * not be run, and "cannot WHAT: ..." has been recorded. *RET_FAILED: how it ended, if badly; else NULL. */
ost_status run_quietly(const struct target *t, const struct command *command, const char *what,
                       struct sink *out, const char **ret_failed);

int64_t now_ns(void);
