/* lint_check - one linter in one folder: what is to be run there, what came of it.
 *
 *   lint_project  finds them          project_checks()
 *   lint_tool     knows each linter   its configuration files, its command, its reader
 *   lint_run      runs them           run_checks(), several at a time
 *   lint_read     understands them    from printed text to findings */
#pragma once

#include "../lib/findings.h"
#include "../lib/quiet.h"

struct tool;

struct check {
    const struct tool *tool;
    const char *root;            /* where it runs, clean and relative to the workspace; "": there */
    bool named;                  /* the user asked for this linter by name */
    const char *const *targets;  /* what to look at, as seen from root; NULL-terminated */
    const char *const *programs; /* where the program may be, best first; NULL-terminated */
    const char *const *argv;     /* its command; argv[0] is filled in from PROGRAMS */
    const char *trouble;         /* why it could not be run or understood; NULL: nothing */

    /* what came of running it */
    ost_status status; /* OST_E_NOT_FOUND: none of PROGRAMS is there */
    const char *error; /* what the host said when STATUS is below 0 */
    int32_t exit_code, signal;
    struct output out, err;
    int64_t took_ms;
    struct findings findings;
};

struct checks {
    struct check *list;
    size_t n, room;
};

struct check *checks_add(struct ost_step *step, struct checks *to, const struct check *check);

/* True if it could not even be started: it has no command, or its program is not there. */
bool check_is_left_out(const struct check *c);

/* "eslint" or "eslint in frontend". */
const char *check_title(struct ost_step *step, const struct check *c);
