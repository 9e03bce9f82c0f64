/* choose - a verdict on each workflow: whether the event of the command line starts it, and why not. */
#pragma once

#include "cli/start/options.h"
#include "cli/start/zones.h"
#include "io/git.h"
#include "lang/trigger.h"

/* All borrowed, for the call. */
struct choose_spec {
    const struct run_options *options;
    const struct git_facts *git; /* with the commit's data */
    const struct git_env *env;   /* NULL: git is not asked which files changed */
    const char *source;          /* the working tree: changed paths are relative to it */
    const json_t *github;        /* the context of the event; has to outlive the facts */
    const struct workflow *const *workflows;
    size_t n;
};

struct choice {
    struct arena arena;
    struct zones zones;
    struct trigger_facts facts;       /* with the changed files if a filter asked for them */
    struct trigger_verdict *verdicts; /* one for each workflow */
    const char *note;                 /* which files changed, since when; NULL: nobody asked */
};

/* RET is zeroed storage; choice_deinit() ends it, also after an error. A schedule with a zone that there is not is
 * ERR_NOT_FOUND, one whose zone this machine has no data of ERR_UNSUPPORTED; both name the place. */
MUST_CHECK int choose(const struct choose_spec *spec, struct choice *ret, struct err *err);
void choice_deinit(struct choice *c);

/* True if the options say what changed, or when it is: then the filters of a file that was named count too. */
bool choose_is_stated(const struct run_options *o);
