/* docker - Docker actions and `docker://` steps: a container for one stage of one action (runtime contract 9.7).
 *
 * An action of the workspace is built when its step runs, all others were before the job's first step. The
 * engine's program runs beside the job and not in it: what a job sets never steers it. */
#include "base/path.h"
#include "job/container/box_hook.h"
#include "job/container/container_policy.h"
#include "job/container/docker_entry.h"
#include "job/container/docker_image.h"
#include "job/container/job_engine.h"
#include "job/container/reach.h"
#include "job/container/shared.h"
#include "job/contexts.h"
#include "job/header.h"
#include "job/kinds/handlers.h"
#include "job/shell.h"
#include "job/steps.h"

enum {
    ENGINE_FAILED = 125, /* what `docker run` ends with when nothing was run */
    BUILDS_MAX = 3,
};

struct docker {
    struct engine *engine;
    struct engine_call *call; /* what goes on at the moment */
    const char *name;         /* of the container */
    struct box_hook *hook;    /* who runs it instead */
    struct strmap values;     /* its environment */
    struct engine_env env;    /* the same for the engine */
    struct slice entrypoint;  /* empty: the image's */
    const char **args;        /* NULL-terminated */
    const char *image;
    struct reach *reach;        /* how it comes to the services; NULL: no need */
    const char *const *program; /* with REACH: all that the container runs */
    bool pulled;
    struct buf said;          /* by a command whose words are not for the log */
    const char *const *build; /* the arguments of `build` */
    bool vanished;            /* a layer went under it */
    int builds;
    int code;
};

/* ---- what it is given ---- */

/* `runs.args` and `runs.env` see the inputs alone. */
static int evaluate_runs(struct step_run *s, struct docker *d, struct strmap *ret_env,
                         struct err *err)
{
    const struct action *action = s->instance->action;
    json_t *inputs = json_object(), *args = NULL, *item;
    struct frame frame = {.parent = s->frame, .inputs = inputs};
    struct eval e;
    size_t at;
    int r;

    STRMAP_EACH (i, &s->inputs)
        json_object_set_new(inputs, i->name, json_stringn(i->value, i->value_len));
    eval_init(&e, s->run, &frame, NULL, &s->arena);
    r = template_map(&e.template, action->env, ret_env, err);
    if (r == ERR_OK && action->args)
        r = template_json(&e.template, action->args, &args, err);
    if (json_is_array(args)) {
        d->args = arena_array(&s->arena, json_array_size(args) + 1, sizeof *d->args);
        json_array_foreach (args, at, item) {
            const char *text = json_string_value(item);
            d->args[at] = arena_str(&s->arena, slice_of(text ? text : ""));
        }
    }
    json_decref(args);
    eval_deinit(&e);
    json_decref(inputs);
    return r;
}

/* Of this stage: the action's own, else what the step gives. */
static struct slice entrypoint_of(const struct step_run *s)
{
    const struct action *action = s->instance->action;
    const char *own = !action                  ? NULL
                      : s->stage == STAGE_PRE  ? action->pre
                      : s->stage == STAGE_POST ? action->post
                                               : action->main;

    return slice_of(own ? own : strmap_get(&s->inputs, "entrypoint"));
}

static void map_folders(struct run *run, struct arena *a, struct path_map *m)
{
    path_map_add(m, run->workspace, "/github/workspace");
    path_map_add(m, run->files_path, "/github/file_commands");
    path_map_add(m, arena_printf(a, "%s/_github_workflow", run->temp), "/github/workflow");
    path_map_add(m, arena_printf(a, "%s/_github_home", run->temp), "/github/home");
    path_map_add(m, run->temp, "/github/runner_temp");
}

static void make_env(struct step_run *s, const struct strmap *runs_env, const struct path_map *m,
                     struct strmap *env)
{
    contexts_added(s, true, env);
    strmap_unset(env, SLICE("ACTIONS_CACHE_SERVICE_V2")); /* row 5 of the contract's list */
    STRMAP_EACH (i, runs_env)
        if (!strmap_get(env, i->name))
            strmap_set(env, strmap_name(i), strmap_value(i));
    strmap_set(env, SLICE("HOME"), SLICE("/github/home"));
    if (!strmap_get(env, "CI"))
        strmap_set(env, SLICE("CI"), SLICE("true"));
    path_map_env(m, env);
}

/* An action that could not be foreseen: its step has command files already, and where the engine does not see them. */
static int share(struct step_run *s, struct err *err)
{
    if (shared_is_so(s->run))
        return ERR_OK;
    int r = shared_begin(s->run, err);
    if (r < 0)
        return err_in(err, "the container engine has to see the workspace");
    s->files = files_free(s->files);
    contexts_drop(s);
    r = files_new(s->run->files_dir, &s->files, err);
    return r < 0 ? r : files_share(s->files, err);
}

/* ---- the container ---- */

static void on_output(void *ctx, bool error, struct slice bytes)
{
    struct step_run *s = ctx;
    struct err err = ERR_INIT;

    if (log_feed(s->log, error ? LOG_STDERR : LOG_STDOUT, bytes, &err) < 0)
        run_lose(s->run);
}

static void end_output(struct step_run *s)
{
    struct err err = ERR_INIT;

    if (log_end(s->log, LOG_STDOUT, &err) < 0 || log_end(s->log, LOG_STDERR, &err) < 0)
        run_lose(s->run);
}

static int call(struct step_run *s, const struct engine_command *command, engine_output_fn *output,
                engine_end_fn *end, struct err *err)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(1 << 20);
    struct docker *d = s->state;

    engine_command_line(d->engine, command->args, &line);
    log_write(s->log, LOG_COMMAND, buf_slice(&line));
    step_flush(s);
    return engine_start(d->engine, command, output, end, s, &d->call, err);
}

static void on_said(void *ctx, bool error, struct slice bytes)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;

    (void)error;
    buf_add(&d->said, bytes);
}

static void finish(struct step_run *s)
{
    struct docker *d = s->state;
    int code = d->code;

    s->exit_code = code;
    if (code == ENGINE_FAILED && !s->stopping)
        step_error(s, "the container could not be started; the engine's own words are above");
    step_end(s, code == 0 ? RESULT_SUCCESS : RESULT_FAILURE);
}

/* Most often it is gone already, by `--rm`: that is an error for some engines. */
static void on_removed(void *ctx, int code)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;
    bool gone = code == 0 || strcasestr(d->said.ptr, "no such container") ||
                strcasestr(d->said.ptr, "already in progress");

    d->call = engine_call_free(d->call);
    if (!gone)
        s->run->left_behind = true;
    finish(s);
}

/* The engine's program has ended. When it was killed its container may run on. */
static void on_run_end(void *ctx, int code)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;
    const char *args[ENGINE_REMOVAL_WORDS];
    struct engine_command rm = {.args = args};
    struct err err = ERR_INIT;

    engine_removal(d->engine, d->name, args);

    d->call = engine_call_free(d->call);
    d->code = code;
    d->reach = reach_free(d->reach);
    buf_clear(&d->said);
    end_output(s);
    if (!s->stopping) {
        finish(s);
    } else if (engine_start(d->engine, &rm, on_said, on_removed, s, &d->call, &err) < 0) {
        s->run->left_behind = true;
        step_fail(s, err.text);
    }
}

static void add_mounts(struct step_run *s, struct args *args, const struct path_map *m)
{
    struct arena *a = &s->arena;

    if (job_engine_socket(s->run))
        args_add(args, "-v", arena_printf(a, "%s:/var/run/docker.sock", job_engine_socket(s->run)));
    for (size_t i = m->n; i-- > 0;)
        args_add(args, "-v",
                 arena_printf(a, "%s:%s", shared_path(s->run, a, m->pairs[i].outside),
                              m->pairs[i].inside));
}

static int add_reach(struct step_run *s, struct args *args, struct err *err)
{
    struct docker *d = s->state;
    const char *const *mounts = NULL;
    int r = reach_open(s->run, &d->reach, err);

    if (r == ERR_OK)
        r = reach_mounts(d->reach, &s->arena, &mounts, err);
    for (size_t i = 0; r == ERR_OK && mounts[i]; i++)
        args_add(args, "-v", mounts[i]);
    return r;
}

static void add_words(struct args *args, const char *const *words)
{
    for (; words && *words; words++)
        args_add(args, NULL, *words);
}

static int run_container(struct step_run *s, struct err *err)
{
    struct run *run = s->run;
    struct arena *a = &s->arena;
    struct docker *d = s->state;
    const char *network =
        json_string_value(json_object_get(json_object_get(run->job_ctx, "container"), "network"));
    struct path_map m = {0};
    struct args args = {0};
    size_t n;
    char id[7];
    int r = ERR_OK;

    if (!network)
        network = container_policy_network(run->job->container_policies);

    map_folders(run, a, &m);
    job_engine_random(id, 6);
    d->name = container_name(a, NULL, d->image, id);
    args_add(&args, NULL, "run");
    args_add(&args, "--name", d->name);
    args_add(&args, "--label", engine_label(d->engine));
    args_add(&args, "--workdir", "/github/workspace");
    args_add(&args, "--rm", NULL);
    if (run->job->offline)
        args_add(&args, "--pull", "never");
    add_words(&args, (const char *const *)shell_split(
                         a, slice_of(container_policy_added(a, run->job->container_policies)), &n));
    add_words(&args, job_engine_limits(run, a));
    args_add(&args, "--env-file", ENGINE_ENV_FILE);
    if (d->program)
        args_add(&args, "--entrypoint", REACH_INIT);
    else if (d->entrypoint.len)
        args_add(&args, "--entrypoint", arena_str(a, d->entrypoint));
    if (network)
        args_add(&args, "--network", network);
    add_mounts(s, &args, &m);
    if (d->program)
        r = add_reach(s, &args, err);
    args_add(&args, NULL, d->image);
    if (d->program && r == ERR_OK)
        add_words(&args, reach_program(d->reach, a));
    add_words(&args, d->program ? d->program : (const char *const *)d->args);
    vec_push(&args.list, NULL);
    if (r == ERR_OK)
        r = call(s, &(struct engine_command){.args = args.list.ptr, .env = &d->env}, on_output,
                 on_run_end, err);
    vec_deinit(&args.list);
    if (r == ERR_OK && !run->tidy_image)
        run->tidy_image = mem_dup(d->image, strlen(d->image));
    return r;
}

/* ---- the image ---- */

static int look_at_image(struct step_run *s, struct err *err);

static void on_pulled(void *ctx, int code)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;
    struct err err = ERR_INIT;

    d->call = engine_call_free(d->call);
    end_output(s);
    log_write(s->log, LOG_ENDGROUP, SLICE(""));
    if (code == 0 && !s->stopping) {
        if (look_at_image(s, &err) < 0)
            step_fail(s, err.text);
        return;
    }
    if (!s->stopping)
        step_error(s, "the image could not be pulled; the engine's own words are above");
    step_end(s, RESULT_FAILURE);
}

/* An action that was not known before the steps: one that a step has written, or of a composite action of the
 * workspace. */
static int pull(struct step_run *s, struct err *err)
{
    struct docker *d = s->state;
    const char *const args[] = {"pull", d->image, NULL};

    if (d->pulled)
        return err_set(err, ERR_FAILED, "the container engine has pulled '%s' and does not know it",
                       d->image);
    if (s->run->job->offline)
        return err_set(
            err, ERR_NOT_FOUND,
            "the image '%s' is not on this machine, and '--offline' forbids to fetch it: "
            "'docker pull %s'",
            d->image, d->image);
    d->pulled = true;
    job_engine_group(s->log, "Pull %s", d->image);
    return call(s, &(struct engine_command){.args = args}, on_output, on_pulled, err);
}

static void on_looked(void *ctx, int code)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;
    const char *const *program = NULL;
    struct err err = ERR_INIT;
    int r = ERR_OK;

    d->call = engine_call_free(d->call);
    if (s->stopping) {
        step_end(s, RESULT_FAILURE);
        return;
    }
    if (code == 0 && reach_port(s->run)) {
        r = docker_entry(&s->arena, buf_slice(&d->said), d->entrypoint,
                         (const char *const *)d->args, &program, &err);
        if (r == ERR_OK && *program)
            d->program = program;
    }
    if (r == ERR_OK)
        r = code ? pull(s, &err) : run_container(s, &err);
    if (r < 0)
        step_fail(s, err.text);
}

static void on_look_output(void *ctx, bool error, struct slice bytes)
{
    if (!error) /* there: that there is no such image; we shall say so */
        on_said(ctx, error, bytes);
}

/* Whether it is there, and what it runs. */
static int look_at_image(struct step_run *s, struct err *err)
{
    struct docker *d = s->state;
    const char *const args[] = {"image",  "inspect", "--format", DOCKER_ENTRY_FORMAT,
                                d->image, NULL};

    buf_clear(&d->said);
    return engine_start(d->engine, &(struct engine_command){.args = args, .quiet = true},
                        on_look_output, on_looked, s, &d->call, err);
}

static int use_image(struct step_run *s, const char *image, struct err *err)
{
    struct docker *d = s->state;

    d->image = image;
    if (s->run->job->pull && !s->instance->image_ready && docker_image_named(s->instance))
        return pull(s, err);
    return reach_port(s->run) || !s->instance->image_ready ? look_at_image(s, err)
                                                           : run_container(s, err);
}

/* ---- building an action of the workspace ---- */

static void on_built(void *ctx, int code);

/* Another job may have removed the image that this build found in the engine's cache. */
static void on_build_output(void *ctx, bool error, struct slice bytes)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;

    if (slice_find(bytes, SLICE("failed to get digest")) >= 0 ||
        slice_find(bytes, SLICE("o such image")) >= 0)
        d->vanished = true;
    on_output(ctx, error, bytes);
}

static int build_once(struct step_run *s, struct err *err)
{
    struct docker *d = s->state;

    d->vanished = false;
    d->builds++;
    return call(s, &(struct engine_command){.args = d->build}, on_build_output, on_built, err);
}

static void on_built(void *ctx, int code)
{
    struct step_run *s = ctx;
    struct docker *d = s->state;
    struct err err = ERR_INIT;

    d->call = engine_call_free(d->call);
    end_output(s);
    if (code != 0 && d->vanished && d->builds < BUILDS_MAX && !s->stopping) {
        if (build_once(s, &err) < 0)
            step_fail(s, err.text);
        return;
    }
    log_write(s->log, LOG_ENDGROUP, SLICE(""));
    if (code == 0 && !s->stopping) {
        if (use_image(s, s->instance->image, &err) < 0)
            step_fail(s, err.text);
        return;
    }
    free(s->instance->image);
    s->instance->image = NULL;
    d->code = code ? code : 1;
    if (!s->stopping)
        step_error(s, "the action's image could not be built; the engine's own words are above");
    step_end(s, RESULT_FAILURE);
}

static int build(struct step_run *s, struct err *err)
{
    struct instance *i = s->instance;
    const char *dir =
        i->action_source ? i->action_source : shared_path(s->run, &s->arena, i->action_dir);
    struct docker *d = s->state;

    if (!dir)
        return err_set(err, ERR_DENIED,
                       "the folder '%s' of a Docker action is not in the workspace", i->action_dir);
    int r = docker_image_build_args(s->run, i, dir, &s->arena, &d->build, err);
    if (r < 0)
        return r;
    log_write(s->log, LOG_GROUP, SLICE("Building docker image"));
    log_printf(s->log, LOG_PLAIN, "Dockerfile for action: '%s/%s'.", i->action_dir,
               i->action->image);
    return build_once(s, err);
}

/* ---- the step ---- */

static int prepare(struct step_run *s, struct docker *d, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap runs_env = STRMAP_INIT;
    const struct action *action = s->instance->action;
    const char *home = arena_printf(&s->arena, "%s/_github_home", s->run->temp);
    const char *const open[] = {s->run->temp, s->run->files_path, home};
    struct path_map m = {0};
    int r = inputs_evaluate(s, action ? action->inputs : NULL, action ? action->n_inputs : 0, err);

    if (r == ERR_OK)
        r = share(s, err);
    if (r == ERR_OK)
        r = box_hook_path() ? ERR_OK : job_engine_get(s->run, &d->engine, err);
    for (size_t i = 0; i < COUNT_OF(open) && r == ERR_OK; i++)
        r = shared_open_up(s->run, open[i], err);
    if (r == ERR_OK && action)
        r = evaluate_runs(s, d, &runs_env, err);
    if (r < 0)
        return r;
    d->entrypoint = slice_trim(entrypoint_of(s));
    if (!d->args) {
        size_t n;
        d->args = shell_split(&s->arena, slice_of(strmap_get(&s->inputs, "args")), &n);
    }
    map_folders(s->run, &s->arena, &m);
    make_env(s, &runs_env, &m, &d->values);
    STRMAP_EACH (i, &d->values) {
        if (r == ERR_OK && !box_hook_path())
            r = engine_env_add(&d->env, strmap_name(i), strmap_value(i), err);
    }
    return r;
}

/* ---- by a hook ---- */

static void on_hook_end(void *ctx, int code, const struct err *why)
{
    struct step_run *s = ctx;

    s->exit_code = code;
    if (why->code)
        step_error(s, why->text);
    step_end(s, code == 0 && !why->code ? RESULT_SUCCESS : RESULT_FAILURE);
}

static json_t *mounts_json(struct step_run *s)
{
    struct arena *a = &s->arena;
    struct path_map m = {0};
    json_t *list = json_array();

    map_folders(s->run, a, &m);
    if (job_engine_socket(s->run))
        json_array_append_new(list, container_volume_json(arena_printf(a, "%s:/var/run/docker.sock",
                                                                       job_engine_socket(s->run))));
    for (size_t i = m.n; i-- > 0;)
        json_array_append_new(
            list, container_volume_json(arena_printf(
                      a, "%s:%s", shared_path(s->run, a, m.pairs[i].outside), m.pairs[i].inside)));
    return list;
}

/* Where the Dockerfile of S's action lies for the engine; NULL: its image has a name. */
static const char *dockerfile_of(struct step_run *s)
{
    struct instance *i = s->instance;

    if (docker_image_named(i))
        return NULL;
    const char *dir =
        i->action_source ? i->action_source : shared_path(s->run, &s->arena, i->action_dir);
    return arena_printf(&s->arena, "%s/%s", dir ? dir : i->action_dir, i->action->image);
}

static int start_by_hook(struct step_run *s, struct err *err)
{
    struct docker *d = s->state;
    json_t *args = json_array(), *values = json_object();
    const char *entry = d->entrypoint.len ? arena_str(&s->arena, d->entrypoint) : NULL;

    for (const char **word = d->args; word && *word; word++)
        json_array_append_new(args, json_string(*word));
    STRMAP_EACH (i, &d->values)
        json_object_set_new(values, i->name, json_stringn(i->value, i->value_len));
    return box_hook_start(
        s, "run_container_step",
        json_pack("{s:s?, s:s?, s:s?, s:o, s:o, s:s, s:s, s:n, s:[], s:o, s:[]}", "image",
                  docker_image_named(s->instance), "dockerfile", dockerfile_of(s), "entryPoint",
                  entry, "entryPointArgs", args, "environmentVariables", values, "workingDirectory",
                  "/github/workspace", "createOptions",
                  container_policy_added(&s->arena, s->run->job->container_policies), "registry",
                  "portMappings", "systemMountVolumes", mounts_json(s), "userMountVolumes"),
        on_hook_end, s, &d->hook, err);
}

static int docker_start(struct step_run *s, struct err *err)
{
    struct docker *d = mem_new(sizeof *d);
    const char *image = docker_image_named(s->instance);

    *d = (struct docker){.env = ENGINE_ENV_INIT, .said = BUF_INIT(1 << 20)};
    s->state = d;
    int r = prepare(s, d, err);
    if (r < 0)
        return r;
    header_action(s);
    handler_register_post(s);
    if (box_hook_path())
        return start_by_hook(s, err);
    if (!image)
        image = s->instance->image;
    return image ? use_image(s, image, err) : build(s, err);
}

static void docker_stop(struct step_run *s, bool now)
{
    struct docker *d = s->state;

    if (d && d->call)
        engine_call_stop(d->call, now);
    else if (d)
        box_hook_stop(d->hook, now);
}

static void docker_release(struct step_run *s)
{
    struct docker *d = s->state;

    if (!d)
        return;
    s->state = NULL;
    engine_call_free(d->call);
    reach_free(d->reach);
    box_hook_free(d->hook);
    strmap_deinit(&d->values);
    engine_env_deinit(&d->env);
    buf_deinit(&d->said);
    free(d);
}

const struct handler handler_docker = {"docker", docker_start, docker_stop, docker_release};
