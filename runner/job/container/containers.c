#include "job/container/containers.h"

#include "base/path.h"
#include "job/container/container_policy.h"
#include "job/container/job_container.h"
#include "job/container/job_engine.h"
#include "job/container/shared.h"
#include "job/contexts.h"
#include "job/notice.h"
#include "job/steps.h"
#include "job/switches.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEALTH_MS = 500, /* the first wait between two looks at a service's health; each doubles it */
    HEALTH_MAX_MS = 8000, /* up to this */
    REMOVE_MS = 60000,    /* until the engine must have removed something */
    ID_MAX = 4096,        /* what the engine says of a container */
};

struct container {
    struct container_def def;
    char *id; /* NULL: it was not made */
    char *name;
};

struct containers {
    struct arena arena;
    VEC(struct container) list; /* the job's own, then services in the order of the file */
    char *network;              /* its name; NULL: there is none yet */
    bool network_made;          /* by us: it goes with the job */
};

/* ---- asking ---- */

/* The first line of what a command prints, in the arena. */
static int ask(struct engine *e, struct arena *a, const char *const *args, const char **ret,
               struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(ID_MAX);
    struct engine_command command = {.args = args, .capture = &out};
    int r = engine_must(e, &command, err);

    if (r < 0)
        return r;
    *ret = arena_str(a, slice_trim(buf_slice(&out)));
    return ERR_OK;
}

/* ---- what the workflow says ---- */

bool containers_wanted(const struct run *run)
{
    const struct token *services = run->job->services;

    return job_container_wanted(run) ||
           (services && services->kind != TOKEN_NULL &&
            !(services->kind == TOKEN_MAPPING && services->n_pairs == 0));
}

static int read_own(struct run *run, struct containers *c, struct eval *e, struct err *err)
{
    struct container one = {0};
    json_t *value = NULL;
    int r = template_json(&e->template, run->job->container, &value, err);

    if (r < 0)
        return err_in(err, "container");
    r = container_def_read(&c->arena, NULL, value, &one.def, err);
    json_decref(value);
    if (r < 0)
        return r;
    if (!*one.def.image) {
        run->box_missing = false; /* so the workflow wants it: none */
        container_def_deinit(&one.def);
        return ERR_OK;
    }
    vec_push(&c->list, one);
    return ERR_OK;
}

static int read_services(struct run *run, struct containers *c, struct eval *e, struct err *err)
{
    json_t *services = NULL, *value;
    const char *alias;
    int r = template_json(&e->template, run->job->services, &services, err);

    if (r < 0)
        return err_in(err, "services");
    if (!json_is_object(services) && !json_is_null(services))
        r = err_set(err, ERR_INVALID, "`services` has to be a mapping of names to containers");
    json_object_foreach (services, alias, value) {
        struct container one = {0};

        if (r < 0)
            break;
        r = container_def_read(&c->arena, arena_str(&c->arena, slice_of(alias)), value, &one.def,
                               err);
        if (r == ERR_OK)
            vec_push(&c->list, one);
    }
    json_decref(services);
    return r;
}

static bool is_own(void *ctx, const char *path)
{
    const struct run *run = ctx;

    return path_below(path, sandbox_work(run->sandbox)) != NULL;
}

/* What it asks of this machine is held against the word of whoever runs it; then it gets what all get. */
static int admit(struct run *run, struct containers *c, struct container_def *d, struct err *err)
{
    const json_t *policies = run->job->container_policies;
    const struct container_policy_own own = {is_own, run};
    int r = *d->image ? container_policy_check(&c->arena, policies, &own, d, err) : ERR_OK;
    const char *added = container_policy_added(&c->arena, policies);

    if (*added)
        d->options = arena_printf(&c->arena, "%s %s", added, d->options);
    return r;
}

static int read_defs(struct run *run, struct containers *c, struct err *err)
{
    CLEANUP(eval_deinit) struct eval e;

    eval_init(&e, run, run->root, NULL, &c->arena);
    int r = job_container_wanted(run) ? read_own(run, c, &e, err) : ERR_OK;
    if (r == ERR_OK)
        r = read_services(run, c, &e, err);
    VEC_EACH (one, &c->list) {
        if (one->def.password)
            mask_add(run->mask, slice_of(one->def.password));
        if (r == ERR_OK)
            r = admit(run, c, &one->def, err);
    }
    return r;
}

/* ---- one container ---- */

static bool has_name(const struct strmap *m, const char *name)
{
    STRMAP_EACH (i, m)
        if (slice_eq_nocase(strmap_name(i), slice_of(name)))
            return true;
    return false;
}

/* The workflow's, then this site's proxies unless the workflow has its own. */
static int fill_env(const struct container_def *d, struct engine_env *env, struct err *err)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "no_proxy",
                                          "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};
    int r = ERR_OK;

    STRMAP_EACH (i, &d->env) {
        r = engine_env_add(env, strmap_name(i), strmap_value(i), err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < COUNT_OF(proxies) && r == ERR_OK; i++)
        if (switch_text(proxies[i]) && !has_name(&d->env, proxies[i]))
            r = engine_env_add(env, slice_of(proxies[i]), slice_of(switch_text(proxies[i])), err);
    if (r == ERR_OK && !d->alias)
        r = engine_env_add(env, SLICE("HOME"), SLICE("/github/home"), err);
    if (r == ERR_OK)
        r = engine_env_add(env, SLICE("GITHUB_ACTIONS"), SLICE("true"), err);
    if (r == ERR_OK && !has_name(&d->env, "CI"))
        r = engine_env_add(env, SLICE("CI"), SLICE("true"), err);
    return r;
}

/* What the workflow mounts from the job's work folder lies elsewhere for the engine. */
static void translate_volumes(const struct run *run, struct container_def *d, struct arena *a)
{
    for (const char **v = d->volumes; *v; v++) {
        size_t len = strcspn(*v, ":");
        const char *source = arena_str(a, slice_make(*v, len));
        CLEANUP(free_ptr) char *normal = path_normal(source);
        const char *there = source[0] == '/' ? shared_path(run, a, normal) : NULL;

        if (there)
            *v = arena_printf(a, "%s%s", there, *v + len);
    }
}

static int create(struct run *run, struct engine *e, struct container *one, struct err *err)
{
    struct containers *c = run->containers;
    struct arena *a = &c->arena;
    struct engine_env env = ENGINE_ENV_INIT;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(ID_MAX);
    char before[33], after[7];

    job_engine_random(before, 32);
    job_engine_random(after, 6);
    translate_volumes(run, &one->def, a);
    struct container_setting setting = {
        .name = container_name(a, before, one->def.image, after),
        .label = engine_label(e),
        .network = c->network,
        .env_file = ENGINE_ENV_FILE,
    };
    int r = one->def.alias ? ERR_OK : job_container_setting(run, a, &setting, err);
    if (r == ERR_OK)
        r = fill_env(&one->def, &env, err);
    if (r == ERR_OK)
        r = engine_must(e,
                        &(struct engine_command){
                            .args = container_create_args(a, &one->def, &setting),
                            .env = &env,
                            .capture = &out,
                        },
                        err);
    engine_env_deinit(&env);
    if (r < 0)
        return r;
    struct slice id = slice_trim(buf_slice(&out));
    one->id = mem_dup(id.ptr, id.len);
    one->name = mem_dup(setting.name, strlen(setting.name));
    return ERR_OK;
}

/* One that ended although nobody asked it to shows its log; the job goes on, as on GitHub. */
static int tell_ended(struct engine *e, struct arena *a, struct log *log,
                      const struct container *one)
{
    const char *filter = arena_printf(a, "id=%s", one->id);
    struct err ignored = ERR_INIT; /* said in the log */

    (void)!ENGINE_DO(e, &ignored, "ps", "--all", "--filter", filter, "--no-trunc", "--format",
                     "{{.ID}} {{.Status}}");
    (void)!ENGINE_DO(e, &ignored, "logs", "--details", one->id);
    log_issue(log, ANNOTATION_WARNING, "The container of '%s' has ended already; its log is above",
              one->def.alias ? one->def.alias : one->def.image);
    return ERR_OK;
}

static void tell_context(struct run *run, const struct container *one, json_t *take_ports)
{
    json_t *services = json_object_get(run->job_ctx, "services");

    json_object_set_new(services, one->def.alias,
                        json_pack("{s:s, s:s, s:o}", "id", one->id, "network",
                                  run->containers->network, "ports", take_ports));
}

static int start_own(struct run *run, struct engine *e, struct log *log, struct container *one,
                     struct err *err)
{
    struct arena *a = &run->containers->arena;
    struct err ignored = ERR_INIT; /* the first error counts */
    int r = job_engine_provide(run, e, log, &one->def, a, err);

    if (r == ERR_OK)
        r = create(run, e, one, err);
    if (r == ERR_OK)
        r = ENGINE_DO(e, err, "start", one->id);
    if (r < 0)
        return r;
    json_object_set_new(json_object_get(run->job_ctx, "container"), "id", json_string(one->id));
    r = job_container_enter(run, err);
    if (r < 0 && r != ERR_CANCELLED) {
        (void)!ENGINE_DO(e, &ignored, "logs", "--details", one->id);
        (void)err_in(err, "the container has started, but ostler-init in it has not");
    }
    return r;
}

static int start_service(struct run *run, struct engine *e, struct log *log, struct container *one,
                         struct err *err)
{
    struct arena *a = &run->containers->arena;
    CLEANUP(buf_deinit) struct buf ports = BUF_INIT(1 << 20);
    int r = job_engine_provide(run, e, log, &one->def, a, err);

    if (r == ERR_OK)
        r = create(run, e, one, err);
    if (r == ERR_OK)
        r = ENGINE_DO(e, err, "start", one->id);
    if (r == ERR_OK)
        r = engine_must(e,
                        &(struct engine_command){
                            .args = (const char *const[]){"port", one->id, NULL},
                            .capture = &ports,
                        },
                        err);
    if (r == ERR_OK)
        tell_context(run, one, container_ports_read(buf_slice(&ports)));
    return r;
}

/* ---- health ---- */

/* Until the engine has its verdict; only the job's time limit ends that. */
static int await_health(struct engine *e, struct arena *a, struct log *log,
                        const struct container *one, bool *ret_healthy, struct err *err)
{
    static const char format[] = "--format={{.State.Status}} {{if "
                                 ".Config.Healthcheck}}{{print .State.Health.Status}}{{end}}";

    for (int64_t wait = HEALTH_MS;; wait = wait * 2 < HEALTH_MAX_MS ? wait * 2 : HEALTH_MAX_MS) {
        const char *status = "";
        int r = ask(e, a, (const char *const[]){"inspect", format, one->id, NULL}, &status, err);

        if (r < 0)
            return r;
        bool runs = strncmp(status, "running", 7) == 0;
        const char *health = strchr(status, ' ') ? strchr(status, ' ') + 1 : "";
        if (!runs && !*health)
            return tell_ended(e, a, log, one);
        if (!runs || strcmp(health, "starting") != 0) {
            *ret_healthy = runs && (!*health || strcmp(health, "healthy") == 0);
            if (*ret_healthy)
                log_printf(log, LOG_PLAIN, "%s service is healthy.", one->def.alias);
            return ERR_OK;
        }
        log_printf(log, LOG_PLAIN,
                   "%s service is starting, waiting %g seconds before checking again.",
                   one->def.alias, (double)wait / 1000);
        r = engine_pause(e, wait, err);
        if (r < 0)
            return r;
    }
}

static void tell_failed(struct engine *e, struct log *log, const struct container *one)
{
    struct err ignored = ERR_INIT; /* said in the log */

    job_engine_group(log, "Service container %s failed.", one->def.alias);
    (void)!ENGINE_DO(e, &ignored, "logs", "--details", one->id);
    log_issue(log, ANNOTATION_ERROR, "Failed to initialize container %s", one->def.image);
    job_engine_end_group(log);
}

static int await_services(struct run *run, struct engine *e, struct log *log, struct err *err)
{
    struct containers *c = run->containers;
    CLEANUP(free_ptr) bool *healthy = mem_new((c->list.len + 1) * sizeof *healthy);
    int r = ERR_OK;
    bool all = true;

    if (c->list.len == 0 || (c->list.len == 1 && !c->list.ptr[0].def.alias))
        return ERR_OK;
    job_engine_group(log, "Waiting for all services to be ready");
    for (size_t i = 0; i < c->list.len && r == ERR_OK; i++) {
        healthy[i] = true;
        if (c->list.ptr[i].id && c->list.ptr[i].def.alias)
            r = await_health(e, &c->arena, log, &c->list.ptr[i], &healthy[i], err);
        all &= healthy[i];
    }
    job_engine_end_group(log);
    for (size_t i = 0; i < c->list.len && r == ERR_OK; i++)
        if (!healthy[i])
            tell_failed(e, log, &c->list.ptr[i]);
    if (r == ERR_OK && !all)
        r = err_set(err, ERR_FAILED, "One or more containers failed to start.");
    return r;
}

/* ---- all of them ---- */

static int prepare_engine(struct engine *e, struct log *log, struct err *err)
{
    struct err ignored = ERR_INIT; /* said in the log; what is left over does not stop this job */

    job_engine_group(log, "Checking docker version");
    int r = engine_check(e, err);
    job_engine_end_group(log);
    if (r < 0)
        return r;
    job_engine_group(log, "Clean up resources from previous jobs");
    if (engine_sweep(e, &ignored) < 0)
        log_issue(log, ANNOTATION_WARNING, "%s", ignored.text);
    job_engine_end_group(log);
    return ERR_OK;
}

static int make_network(struct run *run, struct engine *e, struct log *log, struct err *err)
{
    const char *given = container_policy_network(run->job->container_policies), *name = given;
    char id[33];
    int r = ERR_OK;

    if (!given) {
        job_engine_random(id, 32);
        name = arena_printf(&run->containers->arena, "github_network_%s", id);
        job_engine_group(log, "Create local container network");
        r = ENGINE_DO(e, err, "network", "create", "--label", engine_label(e), name);
        job_engine_end_group(log);
    }
    if (r < 0)
        return r;
    run->containers->network = mem_dup(name, strlen(name));
    run->containers->network_made = !given;
    run->job_ctx = json_pack("{s:{s:s}, s:{}}", "container", "network", name, "services");
    return ERR_OK;
}

static int start_all(struct run *run, struct log *log, struct err *err)
{
    struct containers *c = run->containers;
    struct engine *e;
    int r = read_defs(run, c, err);

    if (r == ERR_OK)
        r = job_engine_get(run, &e, err);
    if (r < 0)
        return r;
    job_engine_tell(e, log);
    r = prepare_engine(e, log, err);
    if (r == ERR_OK)
        r = make_network(run, e, log, err);
    for (size_t i = 0; i < c->list.len && r == ERR_OK; i++) {
        struct container *one = &c->list.ptr[i];

        if (!*one->def.image) {
            log_printf(log, LOG_PLAIN,
                       "The service '%s' will not be started because the container definition has "
                       "an empty image.",
                       one->def.alias);
            continue;
        }
        if (one->def.alias) {
            job_engine_group(log, "Starting %s service container", one->def.alias);
            r = start_service(run, e, log, one, err);
        } else {
            job_engine_group(log, "Starting job container");
            r = start_own(run, e, log, one, err);
        }
        job_engine_end_group(log);
        if (r < 0 && one->def.alias)
            (void)err_in(err, "service '%s'", one->def.alias);
        else if (r < 0)
            (void)err_in(err, "container '%s'", one->def.image);
    }
    return r < 0 ? r : await_services(run, e, log, err);
}

void containers_start(struct run *run)
{
    struct err err = ERR_INIT;
    struct notice n;

    run->containers = mem_new(sizeof *run->containers);
    notice_begin(&n, run, "Initialize containers", "setup");
    int r = start_all(run, n.log, &err);
    if (r == ERR_CANCELLED && run->place_lost && !run->cancelled)
        r = err_set(&err, ERR_FAILED, "ostler-init was killed: the job's place is gone");
    if (r < 0)
        log_issue(n.log, ANNOTATION_ERROR, "%s", err.text);
    if (run->engine)
        job_engine_tell(run->engine, NULL);
    notice_end(&n, r == ERR_OK          ? RESULT_SUCCESS
                   : r == ERR_CANCELLED ? RESULT_CANCELLED
                                        : RESULT_FAILURE);
}

static void remove_one(struct run *run, struct log *log, const struct container *one)
{
    struct engine_command logs = {.args = (const char *const[]){"logs", "--details", one->id, NULL},
                                  .limit_ms = REMOVE_MS};
    struct engine *e = run->engine;
    const char *args[ENGINE_REMOVAL_WORDS];
    struct engine_command rm = {.args = args, .limit_ms = REMOVE_MS};
    struct err err = ERR_INIT;

    engine_removal(e, one->id, args);
    if (one->def.alias) {
        log_printf(log, LOG_PLAIN, "Print service container logs: %s", one->name);
        if (engine_must(e, &logs, &err) < 0)
            log_issue(log, ANNOTATION_WARNING, "%s", err.text);
    }
    log_printf(log, LOG_PLAIN, "Stop and remove container: %s", one->name);
    if (engine_must(e, &rm, &err) < 0) {
        log_issue(log, ANNOTATION_WARNING, "%s", err.text);
        run->left_behind = true;
    }
}

static void remove_network(struct run *run, struct log *log, const char *network)
{
    struct engine_command rm = {.args = (const char *const[]){"network", "rm", network, NULL},
                                .limit_ms = REMOVE_MS};
    struct err err = ERR_INIT;

    log_printf(log, LOG_PLAIN, "Remove container network: %s", network);
    if (engine_must(run->engine, &rm, &err) < 0) {
        log_issue(log, ANNOTATION_WARNING, "%s", err.text);
        run->left_behind = true;
    }
}

bool containers_begun(const struct run *run)
{
    return run->containers && run->containers->network;
}

void containers_stop(struct run *run)
{
    struct containers *c = run->containers;
    struct engine *e = run->engine;
    struct notice n;

    if (!c)
        return;
    job_container_leave(run);
    if (c->network) { /* else nothing was begun */
        notice_begin(&n, run, "Stop containers", "post");
        engine_resume(e); /* the job may be cancelled; this is not */
        job_engine_tell(e, n.log);
        VEC_EACH (one, &c->list)
            if (one->id)
                remove_one(run, n.log, one);
        if (c->network_made)
            remove_network(run, n.log, c->network);
        job_engine_tell(e, NULL);
        notice_end(&n, RESULT_SUCCESS);
    }
    VEC_EACH (one, &c->list) {
        container_def_deinit(&one->def);
        free(one->id);
        free(one->name);
    }
    vec_deinit(&c->list);
    free(c->network);
    arena_deinit(&c->arena);
    free(c);
    run->containers = NULL;
}

/* ---- for hooks ---- */

static int own_json(struct run *run, struct container *one, json_t **ret, struct err *err)
{
    struct arena *a = &run->containers->arena;
    struct container_setting setting = {0};
    json_t *mounts = json_array();
    int r = job_container_setting(run, a, &setting, err);

    strmap_set(&one->def.env, SLICE("HOME"), SLICE("/github/home"));
    *ret = container_def_json(&one->def);
    for (const char *const *m = setting.mounts; r == ERR_OK && *m; m++)
        json_array_append_new(mounts, container_volume_json(*m));
    json_object_set_new(*ret, "systemMountVolumes", mounts);
    if (r == ERR_OK)
        json_object_set_new(*ret, "workingDirectory", json_string(setting.workdir));
    /* It picks what keeps its container alive itself. */
    json_object_set_new(*ret, "entryPoint", json_null());
    json_object_set_new(*ret, "entryPointArgs", json_array());
    return r;
}

int containers_hook_args(struct run *run, json_t **ret, struct err *err)
{
    json_t *services = json_array(), *own = json_null();

    run->containers = mem_new(sizeof *run->containers);
    int r = read_defs(run, run->containers, err);
    for (size_t i = 0; i < run->containers->list.len && r == ERR_OK; i++) {
        struct container *one = &run->containers->list.ptr[i];

        if (!*one->def.image)
            continue;
        translate_volumes(run, &one->def, &run->containers->arena);
        if (one->def.alias)
            json_array_append_new(services, container_def_json(&one->def));
        else
            r = own_json(run, one, &own, err);
    }
    *ret = json_pack("{s:o, s:o}", "container", own, "services", services);
    if (r == ERR_OK && !*ret)
        r = err_set(err, ERR_INVALID, "what containers are told is not UTF-8");
    if (r < 0)
        json_decref(*ret);
    return r;
}

int containers_hook_context(struct run *run, const json_t *context, struct err *err)
{
    json_t *told = json_object_get(context, "services");
    json_t *own = json_object_get(context, "container"), *services = json_object();
    size_t at = 0;

    if (!json_is_array(told)) {
        json_decref(services);
        return err_set(err, ERR_INVALID, "prepare_job has to answer `context.services`: an array");
    }
    VEC_EACH (one, &run->containers->list)
        if (one->def.alias && *one->def.image && json_array_get(told, at))
            json_object_set(services, one->def.alias, json_array_get(told, at++));
    run->job_ctx =
        json_pack("{s:o, s:o}", "container", json_is_object(own) ? json_incref(own) : json_object(),
                  "services", services);
    return ERR_OK;
}
