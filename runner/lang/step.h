/* step - one step as written, in a workflow's job or in a composite action. */
#pragma once

#include "lang/token.h"

struct step {
    const char *id; /* as written, or generated: "__run", "__run_2", "__actions_checkout" */
    const struct token *name; /* NULL: made from what it does */
    const char *condition;    /* complete: "success() && (x)" */
    const struct token *run;  /* the script; NULL: a `uses` step */
    const char *uses; /* "./path", "owner/repo/path@ref", "docker://image"; NULL: a `run` step */
    const struct token *shell, *working_directory;
    const struct token *with, *env;
    const struct token *continue_on_error, *timeout_minutes;
    int line; /* in its file, 0: unknown */
};

json_t *step_to_json(const struct step *s); /* new reference */
MUST_CHECK int step_from_json(struct arena *a, const json_t *json, struct step *ret,
                              struct err *err);
