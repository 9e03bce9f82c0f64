/* outfit - how jobs are run on this machine: what a queue's job lacks to be started. */
#pragma once

#include "job/job.h"
#include "serve/services.h"

struct outfit { /* all is borrowed */
    const char *isolation;
    bool isolation_required;
    struct job_limits limits;
    const char *const *plugin_path;
    const struct strmap *plugin_prefer;
    json_t *plugin_policies; /* NULL: none */
    json_t *containers; /* what the configurations say of them: container_policy.h; NULL: nothing */
    const char *node, *tool_cache;
    bool offline, pull, keep;
    const char *const *hidden; /* see struct job: what is the listener's alone; NULL: nothing */

    /* Actions of other repositories: see struct job. */
    const char *store, *store_source;
    int64_t store_budget;
    const char *const *fetch_env;

    const char *caches, *state; /* see struct services_spec */
    int64_t cache_size;
};

/* Fills in how JOB is run, in DIR (absolute, its own, copied). Where actions are had is left as the queue says, if it does;
 * to what a registration says of containers the configurations' words are added. */
void outfit_apply(const struct outfit *o, const char *dir, struct job *job);

/* Services of the job's own (services.h) below the folder DIR, for what its queue gives it none: then *RET is the
 * caller's, services_free() it when the job is over. NULL: it needs none of ours. */
MUST_CHECK int outfit_serve(const struct outfit *o, const char *dir, struct loop *loop,
                            struct job *job, struct services **ret, struct err *err);
