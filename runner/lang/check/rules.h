/* rules - what the rules of a check have in common. Only for the files of check. */
#pragma once

#include "base/buf.h"
#include "lang/action.h"
#include "lang/check/check.h"
#include "lang/expr/type.h"
#include "lang/near.h"
#include "lang/template.h"
#include "lang/workflow/workflow.h"

/* What expressions can see at a place. */
struct scope {
    const struct type *github, *env, *vars, *secrets, *inputs, *needs, *matrix, *strategy, *job,
        *runner, *steps, *jobs; /* NULL: not looked at */
};

struct check {
    const struct check_options *options;
    struct diags *diags;
    struct arena arena; /* for the time of the check */
    struct slice text;  /* of the file */
    const char *file;
    const size_t *lines; /* offset of each line in TEXT */
    size_t n_lines;
    const struct workflow *workflow; /* NULL: a manifest is looked at */
    const struct token *passed; /* `secrets` that a caller gives; NULL: there are others, too */
    struct scope scope;
    const struct workflow_job *job; /* NULL: outside */
    struct local *locals;           /* the files that were asked for */
    size_t n_locals;
};

/* A finding of RULE at a place; NULL when the rule is switched off, as for all of these. */
struct diag *check_report(struct check *c, enum check_rule rule, enum diag_level level, int line,
                          int col, const char *message);
struct diag *check_report_at(struct check *c, enum check_rule rule, enum diag_level level,
                             const struct token *at, const char *fmt, ...) PRINTF_LIKE(5, 6);
void check_hint(struct diag *d, const char *hint); /* D may be NULL */

/* ---- places ---- */

void check_lines(struct check *c); /* fills in lines */

/* Where byte OFFSET of the scalar TOK's value stands in the file. */
struct check_place check_place_of(const struct check *c, const struct token *tok, size_t offset);

/* The place of each line of a scalar; *RET_N of them. */
struct check_place *check_line_places(struct check *c, const struct token *tok, size_t *ret_n);

/* LIST has no items, and had none when it was read: the reader leaves out what it refuses. */
bool check_is_empty_list(const struct check *c, const struct token *list);

/* ---- expressions ---- */

/* A scalar as it was written, ${{ }} included. */
struct slice check_written(const struct token *tok);

/* What a value is used as. */
enum use { USE_ANY, USE_TEXT };

/* Looks at all expressions in TOK (which may be NULL), and below it. */
void check_value(struct check *c, const struct token *tok, enum use use);

/* A mapping of texts, or an expression that gives one. */
void check_map(struct check *c, const struct token *tok);

/* The type of what TOK holds, without a word about what is wrong in it. */
const struct type *check_type_of(struct check *c, const struct token *tok);

/* An `if`; true in *RET_NEVER when it is constant and false. TOK may be NULL. */
void check_condition(struct check *c, const struct token *tok, bool *ret_never);

/* ---- parts ---- */

void check_make_scope(struct check *c);     /* of the whole workflow */
void check_make_job_scope(struct check *c); /* of c->job; no steps yet */
void check_make_action_scope(struct check *c, const struct action *a);

/* The members of `steps` once S has run. */
const struct type *check_step_type(struct check *c, const struct step *s);

/* `jobs`, as the outputs of a called workflow see it. */
const struct type *check_jobs_type(struct check *c);

void check_jobs(struct check *c);
void check_on(struct check *c);

/* Says so when LIST is one without items. WHAT: "labels". */
void check_empty_list(struct check *c, const struct token *list, const char *what);
void check_steps(struct check *c, const struct step *steps, size_t n, struct type *seen);
void check_job_values(struct check *c); /* runner labels, matrix */
void check_env_names(struct check *c, const struct token *env);
/* A `shell` of c->job, or of no job in particular; NULL: none. */
void check_shell_name(struct check *c, const struct token *shell);
void check_call(struct check *c, const struct workflow_job *job);
/* What only shows when all that W calls has been read; W has nothing else wrong. */
void check_tree(struct check *c, struct workflow *w);

/* The manifest of a local action ("./path"), of what a plugin serves or the disk has of another repository, read
 * once; NULL: unknown. */
const struct action *check_local_action(struct check *c, const char *uses);
/* The commit that this disk knows for the action of another repository; NULL: none. */
const char *check_stored_commit(struct check *c, const char *uses);
/* An installed plugin serves it. */
bool check_is_served(struct check *c, const char *uses);
/* The text of a local workflow, as often as it is asked for; false: there is none. */
bool check_local_text(struct check *c, const char *path, struct slice *ret);
/* The workflow behind "./.github/workflows/x.yml"; NULL: unknown. */
const struct workflow *check_local_workflow(struct check *c, const char *uses);
/* What is wrong first with a local action's manifest; NULL: nothing, or it is unknown. *RET_WORKS: it is
 * used all the same. */
const char *check_local_fault(struct check *c, const char *uses, bool *ret_works);
/* There is nothing in that folder that could be an action. */
bool check_local_is_missing(struct check *c, const char *uses);
/* A manifest's `using` that is not what it will be run with. */
void check_using(struct check *c, const struct action *a, const struct token *at);
void check_locals_deinit(struct check *c);
