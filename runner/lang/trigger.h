/* trigger - whether an event starts a workflow, as GitHub decides it, and why not (workflow-language.md 6).
 *
 * Pure: the facts of the event come from the caller. A fact that is not known stops nothing; the
 * verdict says then which filter was not asked. */
#pragma once

#include "lang/cron.h"
#include "lang/workflow/workflow.h"

enum {
    TRIGGER_FILES_MAX = 300,    /* changed files that path filters look at */
    TRIGGER_COMMITS_MAX = 1000, /* with more in a push path filters are not asked */
};

/* What decided. The names of the filters are their keys: trigger_filter_name(). */
enum trigger_filter {
    TRIGGER_NOTHING,         /* it starts */
    TRIGGER_ON,              /* the event is not in `on` */
    TRIGGER_DELETED,         /* the push deleted its ref */
    TRIGGER_SKIP,            /* "[skip ci]" and the like in the commit's message */
    TRIGGER_TYPES,           /* the activity */
    TRIGGER_BRANCHES,        /* also: a branch was pushed, and only tags are listed */
    TRIGGER_BRANCHES_IGNORE, /* for what `branches` is held against see facts.branch */
    TRIGGER_TAGS,            /* also: a tag was pushed, and only branches are listed */
    TRIGGER_TAGS_IGNORE,
    TRIGGER_PATHS,
    TRIGGER_PATHS_IGNORE,
    TRIGGER_WORKFLOWS, /* workflow_run */
    TRIGGER_NAMES,     /* image_version */
    TRIGGER_VERSIONS,
    TRIGGER_SCHEDULE, /* no schedule fires at that time */
    TRIGGER_FILTERS
};

/* All borrowed. NULL or zero: not known. */
struct trigger_facts {
    const char *event;    /* "push" */
    const char *activity; /* event.action; repository_dispatch: what the client named it */
    const char *ref;      /* push: "refs/heads/main", "refs/tags/v1" */
    bool deleted;         /* push: the ref is gone */
    const char *message;  /* push, pull_request: of the commit at the head */

    /* Pull requests: the branch it goes into; merge_group: the target; workflow_run: the branch of the run
     * that was the cause. Without "refs/heads/". */
    const char *branch;
    const char *workflow;              /* workflow_run: the name of the workflow that ran */
    const char *image, *image_version; /* image_version */

    bool knows_changes;          /* false: path filters are not asked */
    const char *no_changes_why;  /* "the history is not there": goes into the note */
    const struct slice *changed; /* paths from the repository's root, in git's order */
    size_t n_changed;

    bool has_time; /* schedule: the minute is known; false: each schedule might have fired */
    int64_t time;
    cron_zone_fn *zone; /* needed with a time; see schedule.h */
    void *zone_ctx;
};

/* Texts live in the arena. */
struct trigger_verdict {
    bool starts;
    enum trigger_filter filter; /* what said no */
    int line, col;              /* of that filter's key, or of the event; 0: none in the file */
    const char *reason;     /* "paths: none of 3 changed files matches '*.js'"; NULL: it starts */
    const char *note;       /* which filter was not asked, and why; NULL: all were */
    const char **schedules; /* it starts by `schedule`: those that fired (unknown: the first), */
    size_t n_schedules;     /* each a run of its own on GitHub */
};

struct trigger_verdict trigger_decide(struct arena *a, const struct workflow *w,
                                      const struct trigger_facts *facts);

/* True if the verdict may depend on the changed files: finding them costs a start of git. */
bool trigger_wants_changes(const struct workflow *w, const struct trigger_facts *facts);

/* "paths-ignore"; "" for what has no key of its own. */
const char *trigger_filter_name(enum trigger_filter filter);

/* "push: paths: none of 3 changed files matches '*.js' (ci.yml:6:5)", FILE as the user calls it. NULL: the
 * workflow starts. */
char *trigger_text(struct arena *a, const struct trigger_facts *facts,
                   const struct trigger_verdict *verdict, const char *file);
