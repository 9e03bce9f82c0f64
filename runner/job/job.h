/* job - one job, ready to run: what every queue hands out and the worker takes in.
 *
 * From here on nobody knows where it came from. Templates are unevaluated tokens; contexts are plain
 * JSON. A job is one arena, filled by a queue or by job_parse(), and not changed afterwards. */
#pragma once

#include "base/strmap.h"
#include "lang/step.h"

enum { JOB_MESSAGE_MAX = 50 << 20 };

/* Of all processes of a job together; 0: no limit. */
struct job_limits {
    int64_t memory_bytes, processes;
    int64_t disk_bytes; /* of the job's folder; see disk.h */
    int64_t cpu_milli;  /* thousandths of a core */
};

struct job {
    struct arena arena; /* owns all of this but the JSON and the maps */

    const char *id;   /* github.job: the YAML key */
    const char *key;  /* unique in the run: the id, with the configuration for matrix jobs */
    const char *name; /* as shown */
    const char *file; /* the workflow's path, for messages; may be "" */

    json_t *contexts;      /* object: github, vars, needs, strategy, matrix, inputs, and of the job
                         context what the queue knows; owned. A name with the value true: the
                         expressions may call github so ("gitea") */
    struct strmap secrets; /* names ignore case; GITHUB_TOKEN among them */
    struct strmap variables; /* job variables: "ACTIONS_STEP_DEBUG" and the like */

    const char *environment; /* the name of what it deploys to; NULL: nothing */
    bool id_token;           /* its permissions let it ask for id tokens */
    struct strmap runtime; /* ACTIONS_*: how actions reach their run's services, with tokens; other
                                names: what every process finds in its environment */

    /* What must not show besides: values, and expressions (log/mask_patterns.h). Names only tell them apart. */
    struct strmap masks, mask_patterns;
    /* For "Set up job"; NULL: nothing is said. The runner's name is runner.name, too. */
    const char *runner_name, *runner_group;
    const char *permissions; /* of its token: lines "Contents: read" */

    const struct token **env; /* workflow level, then job level; evaluated one after the other */
    size_t n_env;
    const struct token *default_shell, *default_working_directory; /* of defaults.run */
    const struct token *outputs, *environment_url;
    const struct token *container, *services;

    struct step *steps;
    size_t n_steps;

    int64_t timeout_ms;        /* the whole job; 0: none */
    int64_t cancel_timeout_ms; /* from a cancel to the kill */

    /* How to run it here. */
    const char *isolation; /* "sandbox", "host"; see sandbox.h */
    bool isolation_required;
    struct job_limits limits;
    const char *dir;       /* absolute: the job's own folder, created and removed by the worker */
    const char *work_root; /* folder name pair <repo>/<repo> lies below <work>: "app/app" */
    const char *source;    /* working tree that a local checkout shows; NULL: none */
    bool source_ignored;   /* show what git ignores there, too */
    struct strmap repositories; /* "owner/name": folder of a local clone; names ignore case */
    const char *const *hidden;  /* host folders and files that it must not see, NULL-terminated */
    const char *const *plugin_path; /* folders searched for plugins, NULL-terminated */
    struct strmap plugin_prefer;    /* plugin_preference(); names ignore case */
    json_t *plugin_policies;        /* see plugin/policy.h; owned; NULL: none */
    json_t *
        container_policies; /* see container_policy.h; owned; NULL: containers get what they ask for */
    const char *
        engine; /* where the container engine is, as DOCKER_HOST says it; NULL: as the environment says */
    const char *node;       /* that runs JavaScript actions; NULL: one is looked for */
    const char *tool_cache; /* host folder shown at RUNNER_TOOL_CACHE; NULL: a private one */
    bool keep;              /* leave the folder behind for a look */
    bool offline;
    bool pull; /* images, although they are here */

    /* Actions of other repositories: store/store.h. */
    const char *store;        /* folder of the store; NULL: none, and nothing can be fetched */
    const char *store_source; /* where repositories are had */
    const char *store_login;  /* a source whose server is told that GITHUB_TOKEN asks; NULL: none */
    int64_t store_budget;     /* bytes; 0: the store's own */
    int64_t store_since;      /* names asked for before are asked for again */
    struct strmap store_locks;
    /* Who says which commits references stand for, and where these are had: store/resolve.h. It is asked with
     * ACTIONS_RUNTIME_TOKEN, unless the source is one of the administrator's own. */
    const char *resolver, *resolver_url; /* "launch", "legacy"; NULL: the source is asked */
    const char *const *resolver_pins;    /* the workflow's lock file, passed on */
    bool resolver_redirects;             /* one of its is followed, with that token */
    bool codeload_bearer;                /* servers named codeload.* get the token as it is */
    const char *const
        *fetch_env; /* what git gets to reach servers, "NAME=value", NULL-terminated */
};

void job_init(struct job *j);
void job_deinit(struct job *j); /* wipes the secrets */

/* The job as one JSON document, and back. job_format() never fails; the caller frees the text, which
 * holds secrets (explicit_bzero first). job_parse() fills a job that job_init() made. */
char *job_format(const struct job *j, size_t *ret_size);
MUST_CHECK int job_parse(struct job *j, struct slice text, struct err *err);

/* This machine as runner.arch names it: "X64", "ARM64". */
const char *job_arch(void);
