/* step - one step as written, in a workflow's job or in a composite action. */
#pragma once

#include "lang/token.h"

/* A step that steers background steps instead of doing something itself. */
enum step_control {
    CONTROL_NONE,
    CONTROL_WAIT,     /* until the targets are at their end */
    CONTROL_WAIT_ALL, /* until every background step so far is */
    CONTROL_CANCEL,   /* cancels the target and waits for it */
    CONTROL_PARALLEL, /* runs its own steps side by side and waits for them */
    CONTROLS
};

struct step {
    const char *id;     /* as written, or generated: "__run", "__run_2", "__actions_checkout" */
    const char *record; /* what the job's queue calls it, told with its events; NULL: nothing */
    const struct token *name; /* NULL: made from what it does */
    const char *condition;    /* complete: "success() && (x)" */
    const struct token *run;  /* the script; NULL: a `uses` or a control step */
    const char *uses; /* "./path", "$/path", "owner/repo/path@ref", "docker://image"; or NULL */
    const struct token *shell, *working_directory;
    const struct token *with, *env;
    const struct token *continue_on_error, *timeout_minutes;
    int line;        /* in its file, 0: unknown */
    bool background; /* the next step begins at once */
    enum step_control
        control;          /* CONTROL_NONE: run and uses; the others have the condition always() */
    const char **targets; /* wait, cancel: ids of steps before this one */
    size_t n_targets;
    struct step *steps; /* parallel: run and uses steps */
    size_t n_steps;
    const struct token
        *node; /* the step's mapping, with places for findings; not part of the JSON */
};

/* The first line of TEXT, a script or a name, that is not blank, without the white space before it (actions/runner,
 * ActionRunner.FormatStepName). */
struct slice step_first_line(struct slice text);

/* "Run actions/checkout@v4", "Run make", "Wait": what a step without a name is called before anything is
 * evaluated. In the arena, or for ever. */
const char *step_default_name(struct arena *a, const struct step *s);

/* "wait", "parallel": the key of a control step; NULL for CONTROL_NONE. */
const char *step_control_name(enum step_control control);

json_t *step_to_json(const struct step *s); /* new reference */
MUST_CHECK int step_from_json(struct arena *a, const json_t *json, struct step *ret,
                              struct err *err);
