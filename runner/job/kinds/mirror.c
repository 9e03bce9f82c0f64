#include "job/kinds/mirror.h"

#include "base/fd.h"
#include "base/path.h"
#include "io/spawn.h"
#include "job/container/job_container.h"
#include "store/mirror.h"
#include "store/room.h"

#include <unistd.h>

struct plugin_mirror {
    struct step_run *step;
    struct mirror_fetch *fetch;
    plugin_mirror_fn *done;
    void *ctx;
};

/* Each time at a new place: what changed below an overlay need not be seen through it. */
static int show(struct step_run *s, const char *path, const char **ret, struct err *err)
{
    struct run *run = s->run;
    const char *place = arena_printf(&s->arena, "%s/_mirrors/%zu", sandbox_work(run->sandbox),
                                     run->mirrors.len + 1);
    int hold = -1;
    int r = store_hold(path, &hold, err);

    if (r < 0)
        return r;
    vec_push(&run->mirrors, hold); /* nobody removes it before the job ends */
    r = sandbox_lay_tree(run->sandbox, path, place, err);
    if (r == ERR_OK)
        *ret = place;
    return r;
}

static void on_done(void *ctx, const char *path, const struct err *why)
{
    struct plugin_mirror *m = ctx;
    struct err err = ERR_INIT;
    const char *place = NULL;

    if (why)
        err = *why;
    else if (show(m->step, path, &place, &err) < 0)
        place = NULL;
    m->done(m->ctx, place, place ? NULL : &err);
}

/* Where a job could change it, or its commands would not see it, there is none. */
static int check_place(const struct run *run, struct err *err)
{
    if (!run->job->store)
        return err_set(err, ERR_UNSUPPORTED, "this runner keeps none");
    if (run->job->offline)
        return err_set(err, ERR_DENIED, "nothing is fetched with --offline");
    if (sandbox_level(run->sandbox) == SANDBOX_HOST)
        return err_set(err, ERR_UNSUPPORTED, "that needs the level 'sandbox'");
    if (job_container_wanted(run))
        return err_set(err, ERR_UNSUPPORTED, "the job runs in a container");
    return ERR_OK;
}

/* Of what git gets to reach servers which way requests take, and not who the user of this machine is to them: that
 * is no answer to whether the job may read the repository. */
static const char *const *ways(struct arena *a, const char *const *env)
{
    static const char *const names[] = {
        "http_proxy",     "https_proxy",    "no_proxy",       "all_proxy",     "HTTP_PROXY",
        "HTTPS_PROXY",    "NO_PROXY",       "ALL_PROXY",      "SSL_CERT_FILE", "SSL_CERT_DIR",
        "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
    };
    const char **list = arena_array(a, COUNT_OF(names) + 1, sizeof *list);
    size_t n = 0;

    for (; env && *env && n < COUNT_OF(names); env++)
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (slice_eq(slice_head(slice_of(*env), strcspn(*env, "=")), slice_of(names[i])))
                list[n++] = *env;
    return list;
}

int mirror_begin(void *ctx, const struct plugin_mirror_query *query, plugin_mirror_fn *done,
                 void *done_ctx, struct plugin_mirror **ret, struct err *err)
{
    struct step_run *s = ctx;
    struct job *j = s->run->job;
    int r = check_place(s->run, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) char *beside = path_join(j->store, "../git");
    CLEANUP(free_ptr) char *folder = path_normal(beside);
    const struct mirror_ask ask = {
        .folder = folder,
        .url = query->url,
        .header = query->header,
        .make = query->make,
        .budget = j->store_budget,
        .path = spawn_env_path((const char *const *)environ),
        .env = ways(&s->arena, j->fetch_env),
    };
    struct plugin_mirror *m = mem_new(sizeof *m);
    *m = (struct plugin_mirror){.step = s, .done = done, .ctx = done_ctx};
    r = mirror_fetch_start(&ask, s->run->loop, on_done, m, &m->fetch, err);
    if (r < 0) {
        free(m);
        return r;
    }
    *ret = m;
    return ERR_OK;
}

struct plugin_mirror *mirror_end(struct plugin_mirror *m)
{
    if (m)
        mirror_fetch_free(m->fetch);
    free(m);
    return NULL;
}

void mirror_let_go(struct run *run)
{
    VEC_EACH (hold, &run->mirrors)
        fd_closep(hold);
    vec_deinit(&run->mirrors);
}
