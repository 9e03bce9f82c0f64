/* workflow - a workflow file as a model: checked against the schema, ids made, conditions completed.
 *
 * Everything lives in the workflow's arena. Tokens are as read: expressions compiled, not evaluated. A
 * token that was not given is NULL. */
#pragma once

#include "base/strmap.h"
#include "lang/diag.h"
#include "lang/schema/schema.h"
#include "lang/step.h"
#include "lang/yaml.h"

struct workflow_event {
    const char *name;           /* "push" */
    const struct token *config; /* its mapping or sequence; NULL: none */
};

struct workflow_job {
    const char *id;
    int line, col; /* of the id */
    const struct token *name;
    const char **needs; /* spelled as the jobs are */
    size_t n_needs;
    const char *condition; /* complete, job level */
    const struct token *runs_on, *strategy;
    const struct token *permissions; /* the job's or the workflow's */
    const struct token *concurrency, *environment, *outputs, *env;
    const struct token *default_shell, *default_working_directory; /* the job's or the workflow's */
    const struct token *timeout_minutes, *cancel_timeout_minutes, *continue_on_error;
    const struct token *container, *services, *snapshot;
    const char *uses;        /* a calling job; NULL: a normal one */
    struct workflow *called; /* by a calling job, once calls.h has read it; the workflow owns it */
    const struct token *with, *secrets;
    struct step *steps;
    size_t n_steps;
    const struct token *node; /* the job's mapping, with places for findings */
};

struct workflow {
    struct arena arena;
    const char *file; /* as given */
    const char *name; /* `name`, else the file's path */
    const struct token *root;
    const struct token *run_name, *permissions, *env, *concurrency;
    struct workflow_event *events;
    size_t n_events;
    struct workflow_job *jobs; /* in file order */
    size_t n_jobs;
    size_t size; /* as the schema's reader estimates it */

    /* Where a called workflow is from; all NULL in the run's own repository. */
    const char *repository, *ref, *sha; /* sha: NULL when it is not known */
    const char *path;                   /* ".github/workflows/x.yml"; NULL: not called */
};

void workflow_init(struct workflow *w);
void workflow_deinit(struct workflow *w);     /* with all that it calls */
void workflow_drop_calls(struct workflow *w); /* only those */

/* Reads TEXT, the content of FILE (borrowed). Findings go to DIAGS (whose arena may be another);
 * ERR_INVALID when there is an error among them, W is then empty. All errors of a stage are reported at
 * once; the stages are YAML, schema, conversion and the graph of needs. */
MUST_CHECK int workflow_parse(struct workflow *w, struct slice text, const char *file,
                              struct diags *diags);

struct workflow_options {
    struct yaml_limits yaml;
    struct schema_options schema;
    bool
        reader_only; /* leave out what GitHub asks when it dispatches: filters, inputs, references */
    bool go_on;      /* for a checker: after findings all the same; W is then what could be read */
    int file_index;  /* of FILE in the run's file table, from 1; 0: 1 */
    size_t
        max_jobs; /* of all files that share N_JOBS; the first beyond it is an error. 0: no limit */
    size_t *n_jobs; /* counts on over several files; NULL: this one alone */
};
/* The same with other limits than GitHub's. OPTIONS may be NULL. */
MUST_CHECK int workflow_parse_as(struct workflow *w, struct slice text, const char *file,
                                 const struct workflow_options *options, struct diags *diags);

/* NULL: no such job. Ids ignore case. */
const struct workflow_job *workflow_job_find(const struct workflow *w, const char *id);
const struct workflow_event *workflow_event_find(const struct workflow *w, const char *name);
