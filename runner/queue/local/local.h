/* local - the queue of `ostler run`: plans workflows of the working tree and hands out their jobs.
 *
 * A job's `if`, `strategy` and name are evaluated when its needs are met; each matrix configuration is
 * a job of its own. Results follow workflow-language.md 13.3 and expressions.md 7.5.
 *
 * Jobs are named by key, unique in the run: the id, "id (a, b)" for a configuration of a matrix,
 * "CALL/id" inside a called workflow, CALL being the key of the call, and with several workflows
 * "FILE/id", FILE without its folder and ending. */
#pragma once

#include "lang/template.h"
#include "lang/workflow/workflow.h"
#include "queue/queue.h"
#include "store/store.h"

enum { LOCAL_JOBS_MAX = 4096 }; /* configurations in a run */

struct local_pair {
    const char *name, *value;
};

/* All borrowed: the workflows, `plugin_path` and `source` for as long as the queue and its jobs live,
 * the rest for the call. What the workflows call has been read (lang/workflow/calls.h, files.h). NULL or zero
 * members mean none. */
struct local_spec {
    const struct workflow *const *workflows;
    size_t n_workflows;
    const char *const *schedules; /* `schedule`: what fired, for each workflow; NULL: its first */

    const char *run_id; /* of run.started: the run folder's id */
    json_t *github;     /* the context as event.h makes it: "event", "ref", "sha", ... */
    json_t *notes;      /* array of texts said out loud at the start: event.h makes some */

    const struct strmap *secrets;   /* the caller's; GITHUB_TOKEN also becomes github.token */
    const struct strmap *vars;      /* the vars context */
    const struct strmap *inputs;    /* of workflow_dispatch, as text; the workflow types them */
    const struct strmap *env;       /* set over workflow and job level */
    const struct strmap *variables; /* job variables: ACTIONS_STEP_DEBUG and the like */

    const char *const
        *jobs; /* NULL-terminated: "id" or "call / id", with all they need; NULL: all */
    const struct local_pair *matrix; /* only configurations with these values */
    size_t n_matrix;                 /* a name twice: either value */

    const char *isolation; /* see struct job */
    bool isolation_required;
    struct job_limits limits;
    const char *groups; /* absolute: where concurrency groups of all runs lie; NULL: those of other
                                          runs do not count */
    const char *work_dir;              /* absolute: each job gets a folder of its own below it */
    const char *source;                /* working tree that a checkout shows */
    bool source_ignored;               /* what git ignores is shown too */
    const struct strmap *repositories; /* "owner/name": folder of a local clone */
    const char *const *hidden; /* see struct job; NULL: nothing. Borrowed like plugin_path */
    const char *const *plugin_path;
    const struct strmap
        *plugin_prefer;      /* see struct job; NULL: nothing said. Borrowed like plugin_path */
    json_t *plugin_policies; /* the same; NULL: none */
    const char *node, *tool_cache;
    const struct store_spec
        *store; /* of the actions that jobs fetch; NULL: they fetch none. Borrowed like
                                       plugin_path */
    bool keep, offline, pull;

    /* Of a queue that takes a server's job apart which calls a workflow. */
    const json_t *needs; /* the needs context of the workflows' own jobs: those ended elsewhere */
    bool forge;          /* written by Gitea or Forgejo: see struct schema_options */
    /* Says of job J, once it is made of DEF, where it runs; T evaluates. An error: the job fails. NULL: nothing is said. */
    int (*place)(void *ctx, const struct workflow_job *def, const struct template_eval *t,
                 struct job *j, struct err *err);
    void *ctx;
};

/* Plans the run. On success *RET is the caller's: (*RET)->ops->free(*RET). ERR_INVALID for a wrong
 * choice (--job, --matrix, --input), ERR_UNSUPPORTED for what this version does not run yet; both name
 * file and line where there is one. Nothing has been started or emitted then. */
MUST_CHECK int queue_local_new(const struct local_spec *spec, struct queue **ret, struct err *err);

/* The run's result; final once done(). */
enum queue_result queue_local_result(const struct queue *q);

/* The outputs of the first job of its first workflow, once done(): a new reference. */
json_t *queue_local_outputs(const struct queue *q);
