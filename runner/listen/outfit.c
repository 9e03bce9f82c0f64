#include "listen/outfit.h"

#include "base/path.h"
#include "store/store.h"

#include <fcntl.h>

void outfit_apply(const struct outfit *o, const char *dir, struct job *job)
{
    job->dir = arena_str(&job->arena, slice_of(dir));
    job->isolation = o->isolation;
    job->isolation_required = o->isolation_required;
    job->limits = o->limits;
    job->plugin_path = o->plugin_path;
    if (o->plugin_prefer)
        strmap_merge(&job->plugin_prefer, o->plugin_prefer);
    json_decref(job->plugin_policies);
    job->plugin_policies = json_incref(o->plugin_policies);
    if (!job->container_policies)
        job->container_policies = json_array(); /* and if nobody says anything, they get nothing */
    json_array_extend(job->container_policies, o->containers);
    job->node = o->node;
    job->tool_cache = o->tool_cache;
    job->offline = o->offline;
    job->pull |= o->pull;
    job->keep = o->keep;
    job->hidden = o->hidden;
    job->store = o->store;
    if (!job->store_source)
        job->store_source = o->store_source;
    job->store_budget = o->store_budget;
    job->store_since = store_now();
    job->fetch_env = o->fetch_env;
}

int outfit_serve(const struct outfit *o, const char *dir, struct loop *loop, struct job *job,
                 struct services **ret, struct err *err)
{
    *ret = NULL;
    if (!services_can_serve(job) || strmap_get(&job->runtime, "ACTIONS_CACHE_URL") ||
        strmap_get(&job->runtime, "ACTIONS_CACHE_SERVICE_V2"))
        return ERR_OK;
    int r = path_mkdirs(AT_FDCWD, dir, 0700, err);
    if (r < 0)
        return r;
    struct services_spec spec = {.run = path_base(dir),
                                 .run_dir = dir,
                                 .caches = o->caches,
                                 .state = o->state,
                                 .cache_size = o->cache_size};
    struct services *s = services_new(&spec);
    services_attach(s, loop);
    /* A token of the queue's leads to its own services, and is not to be lost: they are asked with it for more. */
    r = strmap_get(&job->runtime, "ACTIONS_RUNTIME_TOKEN") ? services_equip_caches(s, job, err)
                                                           : services_equip(s, job, err);
    if (r < 0)
        s = services_free(s);
    *ret = s;
    return r;
}
