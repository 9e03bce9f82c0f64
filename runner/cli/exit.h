/* exit - the exit codes of all subcommands, documented and stable. */
#pragma once

enum exit_code {
    EXIT_OK = 0,
    EXIT_RUN_FAILED = 1, /* the work was done and its result is a failure */
    EXIT_USAGE = 2,      /* a wrong command line or bad input; nothing was started */
    EXIT_CANCELLED = 3,  /* stopped by a signal */
    EXIT_LACKING = 4,    /* this machine lacks what is needed; the message names it */
    EXIT_BUG = 70,       /* our mistake */
};
