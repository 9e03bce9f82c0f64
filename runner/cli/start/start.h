/* start - from a command line to the workflows that start: the files are read, the event is made, its filters
 * are asked, and what the workflows call is read. The front half of `ostler run` and of `ostler plan`. */
#pragma once

#include "base/strmap.h"
#include "cli/start/choose.h"
#include "cli/start/options.h"
#include "io/git.h"
#include "store/store.h"

/* Everything it found; one stage after the other fills it in. Zeroed, then start_init(). */
struct start {
    const struct run_options *options; /* borrowed */
    struct arena arena;
    const char *source;               /* absolute: the working tree */
    VEC(struct workflow *) workflows; /* all that were read; owned */
    VEC(const char *) paths;          /* of the same number: as the user calls them */
    struct git_facts git;
    json_t *github, *notes; /* the context of the event; texts to be said out loud. Owned */
    struct choice choice;   /* the verdicts, one for each of `workflows` */

    /* Set by the caller: what is called may be fetched, unless --offline. Else it comes from what is here. */
    bool may_fetch;
    int stop;                /* once it can be read, nothing more is fetched; -1: none. Owned */
    struct store_spec store; /* filled in by start_calls() */
    struct strmap locks;     /* of the tree: actions.lock */

    VEC(struct workflow *) started; /* of `workflows`; one twice if two of its schedules fired */
    VEC(const char *) schedules;    /* of the same number: what fired; NULL: no schedule */
    bool nothing_listens;           /* nothing was started, as none of them knows the event */
};

void start_init(struct start *s, const struct run_options *options);
void start_deinit(struct start *s);

/* ---- the stages, in this order; each goes on from the one before. An error names file and cure; findings in
 * workflows have been printed on stderr then. ---- */

/* Reads the files that were named, else all of .github/workflows in the order of their names. */
MUST_CHECK int start_read(struct start *s, struct err *err);

struct start_run {
    int64_t number; /* of the run: github.run_id and run_number; 0: not known */
    bool no_git;    /* the git program is not asked, for what it alone knows */
};

/* Makes the event, and a verdict on each workflow. */
MUST_CHECK int start_event(struct start *s, const struct start_run *run, struct err *err);

/* Adds to the notes what was decided about each workflow, and why. */
void start_tell(struct start *s);

/* Reads what the started workflows call. ERR_CANCELLED: `stop` could be read. */
MUST_CHECK int start_calls(struct start *s, struct err *err);

/* Somebody wants it to end: `stop` can be read. */
bool start_is_stopped(const struct start *s);

/* What a queue has to know that is found here or said on the command line; the rest is zero. */
struct local_spec start_spec(const struct start *s);
