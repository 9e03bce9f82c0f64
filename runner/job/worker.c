#include "job/worker.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/random.h"
#include "io/git.h"
#include "io/proc.h"
#include "job/complete.h"
#include "job/container/box_hook.h"
#include "job/container/container_policy.h"
#include "job/container/containers.h"
#include "job/container/docker_image.h"
#include "job/container/foreign.h"
#include "job/container/job_container.h"
#include "job/container/shared.h"
#include "job/contexts.h"
#include "job/effects.h"
#include "job/hooks.h"
#include "job/kinds/actions.h"
#include "job/kinds/handlers.h"
#include "job/kinds/mirror.h"
#include "job/limits.h"
#include "job/log/mask_patterns.h"
#include "job/notice.h"
#include "job/payload.h"
#include "job/place.h"
#include "job/steps.h"
#include "job/switches.h"
#include "plugin/policy.h"
#include "sandbox/engine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

#define WORK_PATH "/home/runner/work"
/* Scripts detect the official runner's version by this first line of "Set up job". */
#define COMPATIBLE_VERSION "2.336.0"
#define RUNNER_NAME "ostler"

enum { HARD_STOP_MS = 15000 }; /* what is left for the end after the cancel time limit */

/* ---- cancelling ---- */

static void hard_stop(void *ctx)
{
    struct run *run = ctx;

    run->cancel_deadline = NULL;
    run->shutdown = true; /* no further step starts */
    if (run->seq.frame)   /* its steps have begun */
        sequence_stop(&run->seq, true);
}

static void run_cancel(struct run *run, bool shutdown, const char *reason)
{
    if (shutdown)
        run->shutdown = true;
    if (!run->cancelled) {
        run->cancelled = true;
        run->cancel_reason = reason;
        run->status = result_merge(run->status, shutdown ? RESULT_FAILURE : RESULT_CANCELLED);
        int64_t limit = run->job->cancel_timeout_ms;
        run->cancel_deadline = loop_timer(
            run->loop, clock_ms() + (limit > HARD_STOP_MS ? limit : HARD_STOP_MS), hard_stop, run);
    }
    if (run->engine && !run->tidying)
        engine_interrupt(run->engine); /* what waits for containers; a step's own is the step's */
    if (run->setup_fetch)
        loop_quit(run->loop); /* wait_for_actions() sees why */
    if (run->seq.frame)
        sequence_cancel(&run->seq);
}

static void on_signal(void *ctx, int signo)
{
    struct run *run = ctx;

    if (signo == SIGQUIT) {
        run_cancel(run, true, "killed");
        run->cancel_deadline = timer_free(run->cancel_deadline);
        hard_stop(run);
    } else {
        run->told_to_end |= signo == SIGTERM;
        run_cancel(run, signo == SIGTERM, signo == SIGTERM ? "the runner is shutting down" : NULL);
    }
}

static void on_deadline(void *ctx)
{
    struct run *run = ctx;

    run->deadline = NULL;
    run->timed_out = true;
    run_cancel(run, false, "time limit");
}

static void on_reader_gone(void *ctx, uint32_t events)
{
    (void)events;
    run_lose(ctx);
}

static void on_note(void *ctx, const char *text)
{
    struct run *run = ctx;

    run_emit(run, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text)));
}

/* Commands have ended with it; what runs outside, as plugins do, has nothing left to work on. */
static void on_place_lost(void *ctx)
{
    struct run *run = ctx;

    run->place_lost = true;
    if (run->setup_fetch)
        loop_quit(run->loop); /* wait_for_actions() sees why */
    if (run->seq.frame)
        sequence_break(&run->seq);
    else if (run->engine && !run->tidying)
        engine_interrupt(run->engine); /* containers of a job that cannot begin */
}

/* ---- setting up ---- */

static void arm_masker(struct run *run)
{
    struct slice token = SLICE("");

    STRMAP_EACH (i, &run->job->secrets) {
        if (strcmp(i->name, "ACTIONS_STEP_DEBUG") != 0 &&
            strcmp(i->name, "ACTIONS_RUNNER_DEBUG") != 0)
            mask_add(run->mask, strmap_value(i));
    }
    STRMAP_EACH (i, &run->job->masks)
        mask_add(run->mask, strmap_value(i));
    STRMAP_EACH (i, &run->job->mask_patterns) /* some of them are secrets, escaped */
        mask_add(run->mask, strmap_value(i));
    switches_mask(run->mask);
    if (strmap_find(&run->job->runtime, SLICE("ACTIONS_RUNTIME_TOKEN"), &token))
        mask_add(run->mask, token);
    if (strmap_find(&run->job->runtime, SLICE("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), &token))
        mask_add(run->mask, token);
    if (strmap_find(&run->job->runtime, SLICE("OSTLER_CACHE_TOKEN"), &token))
        mask_add(run->mask, token);
    if (strmap_find(&run->job->secrets, SLICE("GITHUB_TOKEN"), &token) && token.len) {
        CLEANUP(buf_deinit) struct buf basic = BUF_INIT(2 << 20); /* as git sends it, in base64 */

        buf_printf(&basic, "x-access-token:%.*s", SLICE_ARG(token));
        mask_add(run->mask, buf_slice(&basic));
    }
}

static void on_refused(void *ctx, const char *name, const char *why)
{
    log_printf(ctx, LOG_DEBUG, "%s of the server's is left out: %s", name, why);
}

/* A secret comes before a variable of the queue's, and that before a configuration variable. */
static bool flag(const struct job *j, const char *name)
{
    const char *value = strmap_get(&j->secrets, name);

    if (!value)
        value = strmap_get(&j->variables, name);
    if (!value)
        value = json_string_value(json_object_get(json_object_get(j->contexts, "vars"), name));
    return value && strcmp(value, "true") == 0;
}

static void put(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static void make_tracking_id(struct run *run)
{
    char id[RANDOM_UUID_SIZE];

    random_uuid(id);
    snprintf(run->tracking_id, sizeof run->tracking_id, "github_%s", id);
}

static const char *runner_name(const struct run *run)
{
    return run->job->runner_name ? run->job->runner_name : RUNNER_NAME;
}

static void build_contexts(struct run *run)
{
    struct job *j = run->job;
    json_t *github = json_object_get(j->contexts, "github");
    CLEANUP(free_ptr) char *event = path_join(run->temp, "_github_workflow/event.json");
    CLEANUP(free_ptr) char *pipeline = path_normal(run->workspace);
    const char *token = strmap_get(&j->secrets, "GITHUB_TOKEN");
    const char *environment = strmap_get(&j->variables, "system.runnerEnvironment");

    run->github = github ? json_copy(github) : json_object();
    put(run->github, "workspace", run->workspace);
    put(run->github, "event_path", event);
    put(run->github, "job", j->id);
    put(run->github, "token", token ? token : "");

    *strrchr(pipeline, '/') = '\0';
    run->runner_ctx = json_object();
    put(run->runner_ctx, "name", runner_name(run));
    put(run->runner_ctx, "os", "Linux");
    put(run->runner_ctx, "arch", job_arch());
    put(run->runner_ctx, "environment", environment && *environment ? environment : "self-hosted");
    put(run->runner_ctx, "temp", run->temp);
    put(run->runner_ctx, "tool_cache", run->tools);
    put(run->runner_ctx, "workspace", pipeline);
    if (run->debug)
        put(run->runner_ctx, "debug", "1");

    run->secrets = json_object();
    STRMAP_EACH (i, &j->secrets)
        json_object_set_new(run->secrets, i->name, json_stringn(i->value, i->value_len));
}

/* What stays visible wherever it lies: repositories that a checkout may read, files of this site's that its
 * variables name. */
static const char *const *visible_paths(struct job *j, struct arena *a)
{
    static const char *const certificates[] = {"SSL_CERT_FILE",      "CURL_CA_BUNDLE",
                                               "GIT_SSL_CAINFO",     "NODE_EXTRA_CA_CERTS",
                                               "REQUESTS_CA_BUNDLE", "PIP_CERT"};
    const char **list =
        arena_array(a, 5 + j->repositories.len + HOOK_KINDS + COUNT_OF(certificates), sizeof *list);
    struct git_facts facts;
    struct git_env env = {0};
    struct err ignored = ERR_INIT; /* no repository: just the folder itself */
    size_t n = 0;

    if (j->source)
        list[n++] = j->source;
    git_facts_init(&facts);
    if (j->source && git_facts_read(&env, j->source, &facts, &ignored) == ERR_OK &&
        facts.common_dir)
        list[n++] = arena_str(a, slice_of(facts.common_dir));
    git_facts_deinit(&facts);
    STRMAP_EACH (i, &j->repositories)
        list[n++] = i->value;
    if (j->node) /* with what lies beside it */
        list[n++] =
            arena_str(a, slice_head(slice_of(j->node), (size_t)(path_base(j->node) - j->node)));
    for (size_t i = 0; i < COUNT_OF(certificates); i++)
        if (switch_text(certificates[i]) && switch_text(certificates[i])[0] == '/')
            list[n++] = switch_text(certificates[i]);
    for (enum hook_kind k = 0; k < HOOK_KINDS; k++)
        if (hook_path(k) && hook_path(k)[0] == '/')
            list[n++] = hook_path(k);
    if (box_hook_path() && box_hook_path()[0] == '/')
        list[n++] = box_hook_path();
    return list;
}

static int open_place(struct run *run, struct err *err)
{
    static const char *const docker[] = {"/var/run/docker.sock", NULL};
    struct job *j = run->job;
    bool shows_engine = container_policy_shows_socket(j->container_policies);
    struct sandbox_spec spec = {
        .level =
            j->isolation && strcmp(j->isolation, "host") == 0 ? SANDBOX_HOST : SANDBOX_NAMESPACES,
        .required = j->isolation_required,
        .memory_max = (uint64_t)j->limits.memory_bytes,
        .pids_max = (uint64_t)j->limits.processes,
        .cpu_max = (double)j->limits.cpu_milli / 1000,
        .job_path = j->dir,
        .work_path = WORK_PATH,
        .home_path = run->home,
        .env = (const char *const *)environ,
        .read_only = visible_paths(j, &j->arena),
        .writable = shows_engine && access(docker[0], F_OK) == 0 ? docker : NULL,
        .hidden = j->hidden,
    };

    if (!shows_engine && spec.level == SANDBOX_NAMESPACES && access(docker[0], R_OK | W_OK) == 0)
        on_note(run, "steps are not shown the container engine: the runner's configuration may, "
                     "with 'listen: {containers: {socket: true}}'");

    int r = path_mkdirs(AT_FDCWD, j->dir, 0700, err);
    if (r == ERR_OK)
        r = path_open(AT_FDCWD, j->dir, O_RDONLY | O_DIRECTORY, 0, &run->dir, err);
    if (r < 0)
        return r;
    spec.job_dir = run->dir;
    r = sandbox_open(&spec, run->loop, on_note, run, &run->sandbox, err);
    if (r == ERR_OK)
        sandbox_on_loss(run->sandbox, on_place_lost, run);
    return r;
}

static int make_folders(struct run *run, struct err *err)
{
    const char *work = sandbox_work(run->sandbox);

    run->workspace = path_join(work, run->job->work_root);
    run->temp = path_join(work, "_temp");
    run->tools = path_join(work, "_tool");
    run->files_path = path_join(run->temp, "_runner_file_commands");
    CLEANUP(free_ptr) char *actions = path_join(work, "_actions");
    const char *const all[] = {run->workspace, run->temp, run->tools, actions};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int r = place_mkdirs(run, all[i], err);
        if (r < 0)
            return r;
    }
    int r = shared_make_files(run, err);
    /* A container is shown it by the engine; then only plugins want it here, which see what they are shown. */
    bool shown = job_container_wanted(run) && sandbox_level(run->sandbox) == SANDBOX_HOST;
    if (r == ERR_OK && !shown && run->job->tool_cache &&
        access(run->job->tool_cache, R_OK | X_OK) == 0)
        r = sandbox_show_tree(run->sandbox, run->job->tool_cache, run->tools, NULL, err);
    return r;
}

/* Workflow level first; each level sees the one before it. */
static int evaluate_env(struct run *run, struct err *err)
{
    for (size_t i = 0; i < run->job->n_env; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        CLEANUP(eval_deinit) struct eval e;

        eval_init(&e, run, run->root, NULL, &a);
        int r = template_map(&e.template, run->job->env[i], &run->env, err);
        if (r < 0)
            return err_in(err, "env");
    }
    return ERR_OK;
}

/* Where what is not in a container runs. */
static const char *isolation_name(const struct run *run)
{
    return run->sandbox && sandbox_level(run->sandbox) == SANDBOX_HOST ? "host" : "sandbox";
}

/* What the job's token may do. */
static void tell_permissions(const char *lines, struct log *log)
{
    struct slice rest = slice_of(lines), line;

    if (!lines)
        return;
    log_write(log, LOG_GROUP, SLICE("GITHUB_TOKEN Permissions"));
    while (slice_line(&rest, &line))
        log_write(log, LOG_PLAIN, line);
    log_write(log, LOG_ENDGROUP, SLICE(""));
}

static void print_facts(struct run *run, struct log *log)
{
    static const char proxy[] = "Runner is running behind proxy server '%s' for all %s requests.";
    const json_t *github = json_object_get(run->job->contexts, "github");
    struct utsname u;

    log_write(log, LOG_PLAIN, SLICE("Current runner version: '" COMPATIBLE_VERSION "'"));
    log_printf(log, LOG_PLAIN, "Ostler version: '%s'", OSTLER_VERSION);
    log_printf(log, LOG_PLAIN, "Runner name: '%s'", runner_name(run));
    if (run->job->runner_group)
        log_printf(log, LOG_PLAIN, "Runner group name: '%s'", run->job->runner_group);
    if (uname(&u) == 0)
        log_printf(log, LOG_PLAIN, "Machine name: '%s'", u.nodename);
    log_printf(log, LOG_PLAIN, "Isolation: %s", isolation_name(run));
    tell_permissions(run->job->permissions, log);
    const char *source = json_string_value(json_object_get(github, "secret_source"));
    if (source && *source)
        log_printf(log, LOG_PLAIN, "Secret source: %s", source);
    const char *cache = strmap_get(&run->job->runtime, "ACTIONS_CACHE_MODE");
    if (cache)
        log_printf(log, LOG_PLAIN, "Cache mode: %s", cache);
    if (switch_text("http_proxy"))
        log_printf(log, LOG_PLAIN, proxy, switch_text("http_proxy"), "HTTP");
    if (switch_text("https_proxy"))
        log_printf(log, LOG_PLAIN, proxy, switch_text("https_proxy"), "HTTPS");
    if (run->job->resolver_pins && run->job->resolver_pins[0])
        log_write(log, LOG_PLAIN,
                  SLICE("Using locked action versions from the workflow's lockfile"));
    log_write(log, LOG_PLAIN, SLICE("Prepare workflow directory"));
    log_write(log, LOG_PLAIN, SLICE("Prepare all required actions"));
}

struct waiting {
    struct loop *loop;
    bool done;
    struct err err; /* why they are not there */
};

static void on_actions(void *ctx, const struct err *err)
{
    struct waiting *w = ctx;

    w->done = true;
    if (err)
        w->err = *err;
    loop_quit(w->loop);
}

/* The actions of other repositories that the job's steps lead to. */
static int wait_for_actions(struct run *run, struct log *log, struct err *err)
{
    struct waiting w = {.loop = run->loop};
    int r = ERR_OK;

    if (!actions_wanted(run->root))
        return ERR_OK;
    run->setup_fetch = actions_get_start(run, run->root, log, on_actions, &w);
    if (!run->lost)
        r = loop_run(run->loop, err);
    run->setup_fetch = actions_get_free(run->setup_fetch);
    if (r == ERR_OK && !w.done && run->place_lost)
        return err_set(err, ERR_FAILED, "ostler-init was killed: the job's place is gone");
    if (r == ERR_OK && !w.done)
        return err_set(err, ERR_CANCELLED, "The operation was canceled.");
    if (r == ERR_OK && w.err.code) {
        *err = w.err;
        r = err->code;
    }
    return r;
}

static bool has_docker_action(const struct run *run)
{
    for (const struct frame *f = run->frames; f; f = f->next)
        for (size_t i = 0; i < f->n_instances; i++)
            if (docker_is(&f->instances[i]))
                return true;
    return false;
}

/* The called workflow that the job is of, and what it was given. */
static void tell_called(const struct run *run, struct log *log)
{
    const json_t *job = json_object_get(run->job->contexts, "job");
    const char *own = json_string_value(json_object_get(job, "workflow_ref"));
    const char *first = json_string_value(json_object_get(run->github, "workflow_ref"));
    const char *sha = json_string_value(json_object_get(job, "workflow_sha")), *name;
    json_t *inputs = json_object_get(run->job->contexts, "inputs"), *value;

    if (!own || !first || strcmp(own, first) == 0)
        return;
    log_printf(log, LOG_PLAIN, "Uses: %s (%s)", own, sha ? sha : "");
    if (json_object_size(inputs) == 0)
        return;
    log_write(log, LOG_GROUP, SLICE(" Inputs"));
    json_object_foreach (inputs, name, value) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct expr_value v = expr_from_json(value);

        log_printf(log, LOG_PLAIN, "  %s: %.*s", name, SLICE_ARG(expr_string(&a, &v)));
    }
    log_write(log, LOG_ENDGROUP, SLICE(""));
}

/* Who serves what, each reference once. */
static void tell_plugins(const struct frame *root, struct log *log)
{
    for (size_t i = 0; i < root->n_instances; i++) {
        const struct instance *one = &root->instances[i];
        bool told = !one->plugin;

        for (size_t k = 0; k < i && !told; k++)
            told = root->instances[k].plugin &&
                   strcmp(root->instances[k].def->uses, one->def->uses) == 0;
        if (!told)
            log_printf(log, LOG_PLAIN, "%s is served by plugin %s %s", one->def->uses,
                       one->plugin->id, one->plugin->version);
    }
}

static int set_up(struct run *run, struct notice *n, struct err *err)
{
    struct job *j = run->job;

    if (switch_is_on("ACTIONS_RUNNER_REQUIRE_JOB_CONTAINER") && !job_container_wanted(run))
        return err_set(
            err, ERR_DENIED,
            "Jobs without a job container are forbidden on this runner, please add a "
            "'container:' to your job or contact your self-hosted runner administrator.");
    int r = make_folders(run, err);

    if (r < 0)
        return r;
    run->matchers = effects_matchers_new(run);
    print_facts(run, n->log);
    make_tracking_id(run);
    build_contexts(run);
    r = policy_read(&run->policy_arena, j->plugin_policies, &run->policy, err);
    if (r == ERR_OK)
        r = payload_write(run, err);
    if (r == ERR_OK)
        r = evaluate_env(run, err);
    if (r == ERR_OK)
        r = frame_prepare(run, run->root, err);
    if (r == ERR_OK)
        r = wait_for_actions(run, n->log, err);
    if (r == ERR_OK && has_docker_action(run))
        r = shared_begin(run, err);
    if (r < 0)
        return r;
    tell_plugins(run->root, n->log);
    tell_called(run, n->log);
    log_printf(n->log, LOG_PLAIN, "Complete job name: %s", j->name);
    return ERR_OK;
}

/* ---- the steps ---- */

/* Main steps are through: the post stages follow, last registered first. */
static void on_posts_done(void *ctx)
{
    struct run *run = ctx;

    loop_quit(run->loop);
}

static void on_steps_done(void *ctx)
{
    struct run *run = ctx;

    run->seq.items.len = run->seq.next = 0;
    for (size_t i = run->posts.len; i-- > 0;)
        vec_push(&run->seq.items, run->posts.ptr[i]);
    run->seq.done = on_posts_done;
    sequence_go(&run->seq);
}

/* ---- the whole ---- */

static void start_steps(struct run *run)
{
    struct frame *root = run->root;

    run->seq = (struct sequence){.run = run, .frame = root, .done = on_steps_done, .ctx = run};
    root->seq = &run->seq;
    for (size_t i = 0; i < root->n_instances; i++)
        if (instance_has_pre(&root->instances[i]))
            vec_push(&run->seq.items, (struct sequence_item){&root->instances[i], STAGE_PRE});
    for (size_t i = 0; i < root->n_instances; i++)
        if (!root->instances[i].is_member)
            vec_push(&run->seq.items, (struct sequence_item){&root->instances[i], STAGE_MAIN});
    sequence_go(&run->seq);
}

/* Everything between "Set up job" and "Complete job", these apart. */
static int run_steps(struct run *run, struct err *err)
{
    int r = ERR_OK;

    r = hook_run(run, HOOK_STARTED, err);
    if (r < 0 || run->lost)
        return r;
    bool scripted = box_hook_path();
    bool wanted = containers_wanted(run);
    if (!scripted)
        docker_images_prepare(run);
    if (wanted && !run->cancelled && run->status <= RESULT_SUCCESS) {
        if (!scripted)
            containers_start(run);
        else if ((r = box_hook_prepare(run, err)) < 0)
            return r;
    }
    run->own_posts = (scripted ? run->containers != NULL : containers_begun(run)) +
                     (hook_path(HOOK_COMPLETED) != NULL);
    if (!run->lost) {
        start_steps(run);
        r = loop_run(run->loop, err);
    }
    run->tidying = true;
    if (scripted && r == ERR_OK)
        r = box_hook_clean_up(run, err);
    containers_stop(run);
    if (r == ERR_OK)
        r = hook_run(run, HOOK_COMPLETED, err);
    if (r == ERR_OK && !run->lost)
        complete_job(run);
    return r;
}

static void tell_job_started(struct run *run)
{
    char now[CLOCK_STAMP_SIZE];

    clock_stamp(now);
    const char *where = job_container_wanted(run) ? "container" : isolation_name(run);
    run_emit(run, json_pack("{s:s, s:s, s:s, s:s}", "event", "job.started", "name", run->job->name,
                            "time", now, "isolation", where));
}

static void tell_job_finished(struct run *run, int64_t started_ms)
{
    json_t *event = json_pack("{s:s, s:s, s:s, s:I, s:o}", "event", "job.finished", "name",
                              run->job->name, "result", result_name(run->status), "elapsed_ms",
                              (json_int_t)(clock_ms() - started_ms), "outputs",
                              run->outputs ? run->outputs : json_object());

    run->outputs = NULL;
    if (run->environment_url)
        json_object_set_new(event, "environment_url", json_string(run->environment_url));
    if (run->cancel_reason)
        json_object_set_new(event, "reason", json_string(run->cancel_reason));
    run_emit(run, event);
}

static int run_job(struct run *run, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, 0};
    int64_t started_ms = clock_ms();
    struct notice n;

    int r = loop_signals(run->loop, signals, on_signal, run, err);
    if (r == ERR_OK)
        r = loop_watch(run->loop, run->events.fd, 0, on_reader_gone, run, &run->reader, err);
    if (r < 0)
        return r;
    if (run->job->engine)
        setenv("DOCKER_HOST", run->job->engine, true);
    arm_masker(run);
    run->shared = shared_is_needed(run);
    run->box_missing = job_container_wanted(run);
    r = open_place(run,
                   err); /* before the job is told to have started: with the level that was had */
    limits_begin(run);
    tell_job_started(run);
    if (run->job->timeout_ms > 0)
        run->deadline =
            loop_timer(run->loop, started_ms + run->job->timeout_ms / 60000 * run->minute_ms,
                       on_deadline, run);

    notice_begin(&n, run, "Set up job", "setup");
    run->patterns = mask_patterns_new(&run->job->mask_patterns, run->mask, on_refused, n.log);
    if (r == ERR_OK)
        r = set_up(run, &n, err);
    if (r < 0)
        log_issue(n.log, ANNOTATION_ERROR, "%s", err->text);
    notice_end(&n, r == ERR_CANCELLED ? RESULT_CANCELLED : r < 0 ? RESULT_FAILURE : RESULT_SUCCESS);
    if (r == ERR_OK && !run->lost)
        r = run_steps(run, err);
    run->deadline = timer_free(run->deadline);
    run->cancel_deadline = timer_free(run->cancel_deadline);
    limits_end(run);
    foreign_remove(run);
    docker_images_remove(run);
    if (run->engine && !run->left_behind)
        engine_unmark(run->dir);
    run->sandbox = sandbox_close(run->sandbox, run->job->keep);
    if (!run->job->keep)
        (void)rmdir(run->job->dir); /* what could not be removed from it was told already */
    if (!run->lost)
        tell_job_finished(run, started_ms);
    run->reader = watch_free(run->reader);
    return run->lost ? err_set(err, ERR_CANCELLED, "nobody reads the job's events") : ERR_OK;
}

static void run_free(struct run *run)
{
    frames_free(run);
    actions_deinit(run);
    mirror_let_go(run);
    vec_deinit(&run->seq.items);
    vec_deinit(&run->posts);
    for (size_t i = 0; i < run->paths.len; i++)
        free(run->paths.ptr[i]);
    vec_deinit(&run->paths);
    VEC_EACH (tree, &run->trees)
        free(*tree);
    vec_deinit(&run->trees);
    run->matchers = matchers_free(run->matchers);
    strmap_deinit(&run->env);
    strmap_deinit(&run->nodes);
    arena_deinit(&run->policy_arena);
    json_decref(run->github);
    json_decref(run->runner_ctx);
    json_decref(run->secrets);
    json_decref(run->outputs);
    free(run->environment_url);
    free(run->tidy_image);
    free(run->workspace);
    free(run->temp);
    free(run->tools);
    free(run->files_path);
    fd_closep(&run->files_dir);
    fd_closep(&run->files_before);
    fd_closep(&run->dir);
    json_decref(run->job_ctx);
    json_decref(run->box_state);
    run->engine = engine_close(run->engine);
    run->mask = mask_free(run->mask);
    run->patterns = mask_patterns_free(run->patterns);
    run->loop = loop_free(run->loop);
    event_writer_deinit(&run->events);
}

static int take_job(int job_fd, struct job *job, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(JOB_MESSAGE_MAX);
    int r = fd_read_all(job_fd, &text, err);

    if (r == ERR_OK)
        r = job_parse(job, buf_slice(&text), err);
    explicit_bzero(text.ptr, text.len);
    return r;
}

int worker_main(const struct worker_spec *spec)
{
    struct run run = {.dir = -1,
                      .files_dir = -1,
                      .files_before = -1,
                      .door = -1,
                      .services = spec->services_fd,
                      .home = spec->home,
                      .minute_ms = spec->minute_ms};
    struct err err = ERR_INIT;
    struct job job;

    job_init(&job);
    signal(SIGPIPE, SIG_IGN);
    int r = proc_become_reaper(&err);
    if (r == ERR_OK)
        r = take_job(spec->job_fd, &job, &err);
    if (r == ERR_OK)
        r = loop_new(&run.loop, &err);
    if (r == ERR_OK) {
        run.job = &job;
        run.mask = mask_new();
        run.debug = flag(&job, "ACTIONS_STEP_DEBUG");
        run.root = frame_new(&run, NULL, job.steps, job.n_steps);
        event_writer_init(&run.events, spec->event_fd, job.key);
        r = run_job(&run, &err);
        if (run.lost) { /* in the midst of its steps: what they hold in memory ends with the process */
            fprintf(stderr, "ostler: worker: %s\n", err.text);
            _exit(1);
        }
        run_free(&run);
    }
    job_deinit(&job);
    if (r < 0)
        fprintf(stderr, "ostler: worker: %s\n", err.text);
    return r < 0;
}
