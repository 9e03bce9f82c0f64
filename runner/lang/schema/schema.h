/* schema - what may stand where in a workflow or an action's manifest, as data, and its reader.
 *
 * The tables (workflow.c, events.c, action.c) are written in the manner of GitHub's
 * workflow-v1.0.json: named definitions that refer to each other, each adding the contexts that
 * expressions may use below it. The reader walks a raw tree against one definition, compiles what is
 * in ${{ }}, and reports everything that does not fit, in GitHub's words and at GitHub's places. */
#pragma once

#include "lang/diag.h"
#include "lang/expr/expr.h"
#include "lang/token.h"

/* Contexts and special functions of a place (expressions.md 9). */
enum schema_context {
    CTX_GITHUB = 1 << 0,
    CTX_INPUTS = 1 << 1,
    CTX_VARS = 1 << 2,
    CTX_NEEDS = 1 << 3,
    CTX_STRATEGY = 1 << 4,
    CTX_MATRIX = 1 << 5,
    CTX_SECRETS = 1 << 6,
    CTX_STEPS = 1 << 7,
    CTX_JOB = 1 << 8,
    CTX_RUNNER = 1 << 9,
    CTX_ENV = 1 << 10,
    CTX_JOBS = 1 << 11,
    CTX_STATUS = 1 << 12,     /* always(), success(), failure(), cancelled() */
    CTX_JOB_STATUS = 1 << 13, /* the same, with any number of arguments */
    CTX_HASHFILES = 1 << 14,
    CTX_FORGE = 1 << 15, /* github also goes by the names that Gitea and Forgejo have for it */
};
/* The sets that several places share. */
enum {
    CTX_G = CTX_GITHUB | CTX_INPUTS | CTX_VARS,
    CTX_PLAN = CTX_G | CTX_NEEDS | CTX_STRATEGY | CTX_MATRIX,
    CTX_RUN = CTX_PLAN | CTX_STEPS | CTX_JOB | CTX_RUNNER | CTX_ENV,
    CTX_JOB_IF = CTX_G | CTX_NEEDS | CTX_JOB_STATUS,
    CTX_STEP_IF = CTX_RUN | CTX_STATUS | CTX_HASHFILES,
    CTX_STEP = CTX_RUN | CTX_SECRETS | CTX_HASHFILES,
    CTX_COMPOSITE = CTX_GITHUB | CTX_INPUTS | CTX_STRATEGY | CTX_MATRIX | CTX_STEPS | CTX_JOB |
                    CTX_RUNNER | CTX_ENV | CTX_HASHFILES,
    CTX_COMPOSITE_IF = CTX_COMPOSITE | CTX_STATUS,
    CTX_ACTION_IF = CTX_COMPOSITE_IF & ~CTX_STEPS,
};

enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOL,
    SCHEMA_NUMBER,
    SCHEMA_STRING, /* other scalars are turned into text */
    SCHEMA_SEQUENCE,
    SCHEMA_MAPPING,
    SCHEMA_ONE_OF,
};

enum {
    KEY_REQUIRED = 1 << 0,
    KEY_BACKGROUND = 1 << 1, /* known only where background steps are switched on */
};
struct schema_key {
    struct slice name; /* matched with case */
    const struct schema *value;
    unsigned flags;
};

struct schema {
    enum schema_kind kind;
    unsigned contexts;                   /* added to those of the place above */
    bool non_empty;                      /* STRING */
    const char *const *values;           /* STRING: the only ones, NULL-terminated; NULL: any */
    const struct schema *item;           /* SEQUENCE */
    const struct schema_key *keys;       /* MAPPING: the known ones */
    size_t n_keys;                       /* */
    const struct schema *loose_key;      /* MAPPING: other keys; NULL: there are none */
    const struct schema *loose;          /* MAPPING: their values */
    const struct schema *const *choices; /* ONE_OF: NULL-terminated; may be ONE_OF themselves */
};

extern const struct schema schema_workflow; /* a workflow file */
extern const struct schema schema_on;       /* its `on`, in events.c */

/* The manifest of an action that says "using: USING": as the runner reads it, or with STRICT as GitHub's
 * editor and marketplace want it. */
const struct schema *schema_action(struct slice using, bool strict);

/* Parts that several tables use. */
extern const struct schema schema_string, schema_text, schema_bool, schema_number, schema_null;
extern const struct schema schema_any;   /* everything */
extern const struct schema schema_texts; /* a sequence of non-empty strings */
extern const struct schema schema_text_or_texts;

struct schema_options {
    size_t size;        /* estimated bytes of the result; 0: 10 MiB */
    size_t *spent;      /* of SIZE by other files before; added to. NULL: nothing */
    bool no_background; /* background steps are switched off: their keys are unexpected */
    bool prune;         /* the tree holds nothing that was refused: what is left fits */
    /* Written by Gitea or Forgejo, which have read the file as they do: keys that are not known are left out, numbers
     * and booleans may stand in quotes, empty texts are no values, and CTX_FORGE holds (gitea-protocol.md 3.1). */
    bool forge;
};

/* Reads RAW (see yaml_limits.any_keys) as DEF says. Findings are added to DIAGS; *RET is the typed tree
 * in A even when there are some, with the text itself where an expression was wrong. ERR_LIMIT:
 * reading stopped, *RET is untouched. */
MUST_CHECK int schema_read(struct arena *a, const struct token *raw, const struct schema *def,
                           const char *file, const struct schema_options *options,
                           struct token **ret, struct diags *diags);

/* The place that knows just CONTEXTS (enum schema_context), in the arena. */
struct expr_place *schema_place(struct arena *a, unsigned contexts);

/* A hint for an expression that PLACE (from schema_place) does not take: what was meant, or what is known there. NULL:
 * nothing to say. */
char *schema_expr_hint(struct arena *a, const struct expr_place *place, struct slice message);
