#include "job/contexts.h"

#include "base/path.h"
#include "job/container/container_policy.h"
#include "job/lanes.h"
#include "lang/action_ref.h"
#include "sandbox/hash.h"

#include <math.h>
#include <unistd.h>

/* The keys of the github context that become GITHUB_* (runtime contract 2.2); all others never do. */
static const char *const exported[] = {
    "action",
    "action_path",
    "action_ref",
    "action_repository",
    "actor",
    "actor_id",
    "api_url",
    "artifacts",
    "artifacts_list",
    "base_ref",
    "env",
    "event_name",
    "event_path",
    "graphql_url",
    "head_ref",
    "job",
    "output",
    "path",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "retention_days",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "state",
    "step_summary",
    "triggering_actor",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "workspace",
};

/* ---- the contexts that change from step to step ---- */

static void put(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value ? value : ""));
}

static void split_reference(const char *uses, json_t *github)
{
    struct slice text = slice_of(uses);
    ssize_t at = uses[0] == '.' ? -1 : slice_find_char(text, '@');
    struct slice repository = slice_head(text, at < 0 ? 0 : (size_t)at);
    ssize_t slash = slice_find_char(repository, '/');
    ssize_t second =
        slash < 0 ? -1 : slice_find_char(slice_from(repository, (size_t)slash + 1), '/');

    if (second >= 0) /* owner/repo/path: the path is no part of the repository */
        repository = slice_head(repository, (size_t)(slash + 1 + second));
    struct slice ref = at < 0 ? SLICE("") : slice_from(text, (size_t)at + 1);
    json_object_set_new(github, "action_repository", json_stringn(repository.ptr, repository.len));
    json_object_set_new(github, "action_ref", json_stringn(ref.ptr, ref.len));
}

static json_t *github_context(struct run *run, struct frame *frame, struct step_run *s)
{
    json_t *github = json_copy(run->github); /* shallow: the event is shared */

    if (!s)
        return github;
    const struct step_run *named = s->outer ? s->outer : s;
    put(github, "action", named->def->id);
    /* Authors of composites write `env: {REF: "${{ github.action_ref }}"}` (runtime contract 9.6). */
    const char *uses = s->has_env || !frame->uses ? s->def->uses : frame->uses;
    split_reference(uses && uses_kind(slice_of(uses)) != USES_IMAGE ? uses : "", github);
    if (frame->action_path)
        put(github, "action_path", frame->action_path);
    if (frame->parent)
        put(github, "action_status", result_name(frame->status));
    for (enum file_kind k = 0; s->files && k < FILE_KINDS; k++) {
        CLEANUP(free_ptr) char *path = path_join(run->files_path, files_name(s->files, k));

        put(github, file_info(k)->context, path);
    }
    return github;
}

static json_t *map_json(const struct strmap *m, json_t *into)
{
    STRMAP_EACH (i, m)
        json_object_set_new(into, i->name, json_stringn(i->value, i->value_len));
    return into;
}

static json_t *env_context(struct run *run, struct frame *frame, struct step_run *s)
{
    json_t *env = map_json(&run->env, json_object());

    if (s && lane_of(s))
        map_json(&lane_of(s)->env, env);
    map_json(&frame->env, env);
    return s ? map_json(&s->env, env) : env;
}

static json_t *job_context(struct run *run)
{
    json_t *job = json_pack("{s:s}", "status", result_name(run->status));

    json_object_update_missing(job, run->job_ctx);
    json_object_update_missing(job, json_object_get(run->job->contexts, "job"));
    return job;
}

/* ---- callbacks of the expression engine ---- */

/* True for "github", and for what else the job's queue calls it: a context of such a name is there then, and true. */
static bool is_github(const struct run *run, const char *key)
{
    return !strcmp(key, "github") || json_is_true(json_object_get(run->job->contexts, key));
}

bool run_is_forge(const struct run *run)
{
    return json_is_true(json_object_get(run->job->contexts, "forge"));
}

/* Keeps NEW in an empty slot: the engine only borrows, and wants the same pointer each time. */
static const json_t *keep(json_t **slot, json_t *new)
{
    return *slot = new;
}

static const json_t *context(void *ctx, struct slice name)
{
    struct eval *e = ctx;
    struct run *run = e->run;
    char key[16];

    if (name.len >= sizeof key)
        return NULL;
    for (size_t i = 0; i <= name.len; i++)
        key[i] = i == name.len
                     ? '\0'
                     : (char)(name.ptr[i] | (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? 32 : 0));

    json_t **github = e->step ? &e->step->github : &e->own_github;
    json_t **env = e->step ? &e->step->env_ctx : &e->own_env;

    if (is_github(run, key))
        return *github ? *github : keep(github, github_context(run, e->frame, e->step));
    if (!strcmp(key, "env"))
        return *env ? *env : keep(env, env_context(run, e->frame, e->step));
    if (!strcmp(key, "steps"))
        return e->frame->steps;
    if (!strcmp(key, "job"))
        return e->job_ctx ? e->job_ctx : keep(&e->job_ctx, job_context(run));
    if (!strcmp(key, "runner"))
        return run->runner_ctx;
    if (!strcmp(key, "inputs") && e->frame->inputs)
        return e->frame->inputs;
    if (!strcmp(key, "secrets"))
        return e->frame->parent ? NULL : run->secrets;
    return json_object_get(run->job->contexts, key);
}

/* success() and failure() of a composite's main stage ask the composite; all else asks the job. */
static bool status(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    struct eval *e = ctx;
    bool inner = e->frame->parent && e->step && e->step->stage == STAGE_MAIN;
    enum result job = e->run->status;
    enum result near = inner ? e->frame->status : job;

    (void)args;
    (void)n_args; /* only jobs name others in them, and those are judged by the queue */
    if (slice_eq_nocase(name, SLICE("always")))
        return true;
    if (slice_eq_nocase(name, SLICE("cancelled")))
        return job == RESULT_CANCELLED;
    if (slice_eq_nocase(name, SLICE("failure")))
        return near == RESULT_FAILURE;
    return near == RESULT_NONE || near == RESULT_SUCCESS;
}

static int hash_files(void *ctx, struct arena *a, const struct slice *patterns, size_t n_patterns,
                      struct slice *ret, struct err *err)
{
    struct eval *e = ctx;

    return hash_job_files(sandbox_root(e->run->sandbox), e->run->workspace,
                          sandbox_home(e->run->sandbox), patterns, n_patterns, a, ret, err);
}

static void log_trace(void *ctx, const struct expr_trace *trace)
{
    struct step_run *s = ctx;

    if (!s->log) /* its environment decides how that is made, so it comes before */
        return;
    log_printf(s->log, LOG_DEBUG, "Evaluating: %.*s", SLICE_ARG(trace->expression));
    if (trace->expanded.len)
        log_printf(s->log, LOG_DEBUG, "Expanded: %.*s", SLICE_ARG(trace->expanded));
    log_printf(s->log, LOG_DEBUG, "Result: %.*s", SLICE_ARG(trace->result));
}

void eval_init(struct eval *e, struct run *run, struct frame *frame, struct step_run *step,
               struct arena *arena)
{
    *e = (struct eval){
        .run = run,
        .frame = frame,
        .step = step,
        .scope = {.context = context,
                  .status = status,
                  .hash_files = hash_files,
                  .ctx = e,
                  .env_case = true},
        .template = {.arena = arena},
    };
    e->template.scope = &e->scope;
    if (run->debug && step) {
        e->template.trace = log_trace;
        e->template.trace_ctx = step;
    }
}

void eval_deinit(struct eval *e)
{
    json_decref(e->own_github);
    json_decref(e->own_env);
    json_decref(e->job_ctx);
}

void contexts_drop(struct step_run *s)
{
    json_decref(s->github);
    json_decref(s->env_ctx);
    s->github = s->env_ctx = NULL;
}

/* ---- the environment of a process ---- */

static void set(struct strmap *env, const char *name, const char *value)
{
    strmap_set(env, slice_of(name), slice_of(value));
}

static void set_upper(struct strmap *env, const char *prefix, const char *name, struct slice value)
{
    CLEANUP(buf_deinit) struct buf key = BUF_INIT(1024);

    buf_add_str(&key, prefix);
    for (; *name; name++)
        buf_add_char(&key, *name == ' '                   ? '_'
                           : *name >= 'a' && *name <= 'z' ? (char)(*name - 32)
                                                          : *name);
    strmap_set(env, buf_slice(&key), value);
}

static void export_context(struct strmap *env, const char *prefix, const char *key,
                           const json_t *value)
{
    if (json_is_string(value))
        set_upper(env, prefix, key,
                  slice_make(json_string_value(value), json_string_length(value)));
    else if (json_is_boolean(value))
        set_upper(env, prefix, key, json_is_true(value) ? SLICE("true") : SLICE("false"));
}

/* Newest first; those of the step's lane come before the job's. */
static void add_paths(const struct step_run *s, struct strmap *env)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(1 << 20);
    const struct run *run = s->run;
    const struct lane *lane = lane_of(s);
    struct slice base = SLICE("");

    if (run->paths.len == 0 && !(lane && lane->paths.len))
        return;
    strmap_find(env, SLICE("PATH"), &base);
    for (size_t i = lane ? lane->paths.len : 0; i-- > 0;)
        buf_printf(&path, "%s%s", path.len ? ":" : "", lane->paths.ptr[i]);
    for (size_t i = run->paths.len; i-- > 0;)
        buf_printf(&path, "%s%s", path.len ? ":" : "", run->paths.ptr[i]);
    if (slice_starts(base, buf_slice(&path)) && base.len > path.len && base.ptr[path.len] == ':')
        return;
    if (base.len) {
        buf_add_char(&path, ':');
        buf_add(&path, base);
    }
    strmap_set(env, SLICE("PATH"), buf_slice(&path));
}

/* Which of the variables that lead to the run's services a step gets: scripts never get the token that they
 * are reached with (runtime contract 2.4). */
static bool gets_service(const char *name, bool action)
{
    if (strncmp(name, "OSTLER_", 7) == 0)
        return false; /* what only we need */
    if (strncmp(name, "ACTIONS_", 8) != 0)
        return true; /* who the server is */
    return action || strncmp(name, "ACTIONS_ID_TOKEN_REQUEST_", 25) == 0 ||
           strcmp(name, "ACTIONS_ORCHESTRATION_ID") == 0;
}

/* The host of "http://127.0.0.1:7870/". */
static struct slice host_of(const char *url)
{
    struct slice rest = slice_of(url);
    ssize_t at = slice_find(rest, SLICE("://"));

    rest = slice_from(rest, at < 0 ? 0 : (size_t)at + 3);
    return slice_head(rest, strcspn(rest.ptr ? rest.ptr : "", ":/"));
}

/* Services of ours are here; those of a server are where a proxy may be the only way to. */
static bool is_here(struct slice host)
{
    return slice_starts(host, SLICE("127.")) || slice_eq(host, SLICE("localhost"));
}

/* Clients take a proxy for all hosts but those that are listed, this machine not excepted. */
static void exempt_from_proxies(struct strmap *env, struct slice host)
{
    static const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *const lists[] = {"no_proxy", "NO_PROXY"};
    bool used = false;

    for (size_t i = 0; i < COUNT_OF(proxies); i++)
        used |= strmap_get(env, proxies[i]) != NULL;
    for (size_t i = 0; used && i < COUNT_OF(lists); i++) {
        CLEANUP(buf_deinit) struct buf list = BUF_INIT(1 << 16);
        struct slice old = SLICE("");

        strmap_find(env, slice_of(lists[i]), &old);
        if (slice_find(old, host) >= 0)
            continue;
        buf_add(&list, old);
        if (old.len)
            buf_add_char(&list, ',');
        buf_add(&list, host);
        strmap_set(env, slice_of(lists[i]), buf_slice(&list));
    }
}

static void add_services(struct run *run, bool action, struct strmap *env)
{
    static const char *const urls[] = {"ACTIONS_RESULTS_URL", "OSTLER_CACHE_URL"};

    STRMAP_EACH (i, &run->job->runtime)
        if (gets_service(i->name, action))
            strmap_set(env, strmap_name(i), strmap_value(i));
    for (size_t i = 0; action && i < COUNT_OF(urls); i++) {
        const char *url = strmap_get(&run->job->runtime, urls[i]);

        if (url && is_here(host_of(url)))
            exempt_from_proxies(env, host_of(url));
    }
}

/* The workflow's, the job's, and what earlier steps set; then the step's own, and those of the composites around it. */
static void add_written(const struct step_run *s, struct strmap *env)
{
    strmap_merge(env, &s->run->env);
    if (lane_of(s))
        strmap_merge(env, &lane_of(s)->env);
    strmap_merge(env, &s->frame->env);
    strmap_merge(env, &s->env);
}

void contexts_added(struct step_run *s, bool inputs, struct strmap *ret)
{
    struct run *run = s->run;
    struct eval e;
    const char *key;
    json_t *value;

    if (!s->instance->hook)
        add_written(s, ret);
    STRMAP_EACH (i, &s->instance->state) {
        CLEANUP(buf_deinit) struct buf name = BUF_INIT(1 << 16);

        buf_printf(&name, "STATE_%s", i->name);
        strmap_set(ret, buf_slice(&name), strmap_value(i));
    }
    for (size_t i = 0; inputs && i < s->inputs.len; i++)
        set_upper(ret, "INPUT_", s->inputs.items[i].name, strmap_value(&s->inputs.items[i]));

    eval_init(&e, run, s->frame, s, &s->arena);
    const json_t *github = context(&e, SLICE("github"));
    for (size_t i = 0; i < COUNT_OF(exported); i++)
        export_context(ret, "GITHUB_", exported[i], json_object_get(github, exported[i]));
    json_object_foreach (run->runner_ctx, key, value)
        export_context(ret, "RUNNER_", key, value);
    eval_deinit(&e);
    add_services(run, inputs, ret);
    set(ret, "GITHUB_ACTIONS", "true");
}

void contexts_environ(struct step_run *s, bool inputs, struct strmap *ret)
{
    struct run *run = s->run;

    for (char **p = environ; *p; p++) {
        struct slice entry = slice_of(*p);
        ssize_t at = slice_find_char(entry, '=');

        if (at > 0)
            strmap_set(ret, slice_head(entry, (size_t)at), slice_from(entry, (size_t)at + 1));
    }
    if (sandbox_level(run->sandbox) != SANDBOX_HOST && /* there all is shown */
        !container_policy_shows_socket(run->job->container_policies))
        strmap_unset(ret, SLICE("DOCKER_HOST"));
    set(ret, "HOME", sandbox_home(run->sandbox));
    set(ret, "RUNNER_TRACKING_ID", run->tracking_id);
    if (sandbox_level(run->sandbox) == SANDBOX_HOST)
        set(ret, "TMPDIR", sandbox_tmp(run->sandbox));
    contexts_added(s, inputs, ret);
    add_paths(s, ret);
    if (!strmap_get(ret, "CI"))
        set(ret, "CI", "true");
}

const char *const *contexts_envp(struct arena *a, const struct strmap *env)
{
    const char **list = arena_array(a, env->len + 1, sizeof *list);
    size_t n = 0;

    STRMAP_EACH (i, env)
        if (!memchr(i->value, '\0', i->value_len)) /* the kernel cannot carry a NUL byte */
            list[n++] = arena_printf(a, "%s=%s", i->name, i->value);
    return list;
}

const char *contexts_path(const struct step_run *s, struct arena *a)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;

    for (char **p = environ; *p; p++)
        if (strncmp(*p, "PATH=", 5) == 0)
            set(&env, "PATH", *p + 5);
    add_paths(s, &env);
    const char *path = strmap_get(&env, "PATH");
    return arena_str(a, path ? slice_of(path) : SLICE("/usr/local/bin:/usr/bin:/bin"));
}
