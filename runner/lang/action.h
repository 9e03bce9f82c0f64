/* action - an action's manifest (action.yml) as a model. */
#pragma once

#include "lang/diag.h"
#include "lang/step.h"

enum action_kind {
    ACTION_COMPOSITE,
    ACTION_NODE,
    ACTION_DOCKER,
    ACTION_PLUGIN, /* `using` is "ostler/1", or NULL for what only GitHub's own runner has built in */
    ACTION_KINDS
};

struct action_input {
    const char *id;
    const struct token *fallback; /* `default`; may hold expressions; NULL: none */
    const char *deprecation;      /* NULL: not deprecated */
    bool required;
};

struct action_output {
    const char *id;
    const struct token *value; /* composite only, else NULL */
};

struct action {
    struct arena arena;
    const char *name, *description;
    enum action_kind kind;
    struct action_input *inputs;
    size_t n_inputs;
    struct action_output *outputs;
    size_t n_outputs;
    struct step *steps; /* composite */
    size_t n_steps;
    const char *using;              /* as written: "node20", "ostler/1"; NULL: see ACTION_PLUGIN */
    const char *main, *pre, *post;  /* node: scripts; docker: entrypoints; plugin: the object */
    const char *pre_if, *post_if;   /* conditions, to be taken as they are; "always()" by default */
    const char *image;              /* docker */
    const struct token *args, *env; /* docker */
};

void action_init(struct action *a);
void action_deinit(struct action *a);

/* Reads the text of an action.yml (FILE in findings). "using: ostler/1" is a plugin, see
 * plugin-sdk.md 6. ERR_INVALID: see DIAGS. */
MUST_CHECK int action_parse(struct action *a, struct slice text, const char *file,
                            struct diags *diags);

/* The same as Gitea and Forgejo have it: their names of the github context, and whole addresses in `uses`. */
MUST_CHECK int action_parse_forge(struct action *a, struct slice text, const char *file,
                                  struct diags *diags);

/* Says also what GitHub's editor and marketplace want of a manifest: unknown keys at the top, a missing
 * name or description, the branding. For checking, not for running. ERR_INVALID: see DIAGS. */
MUST_CHECK int action_check(struct slice text, const char *file, struct diags *diags);
