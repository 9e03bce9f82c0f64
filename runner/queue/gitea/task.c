#include "queue/gitea/task.h"

#include "base/base64.h"
#include "base/path.h"
#include "base/utf8.h"
#include "lang/action_ref.h"
#include "lang/matrix.h"
#include "lang/template.h"
#include "lang/workflow/workflow.h"
#include "queue/gitea/connect.h"
#include "store/source.h"

#include <inttypes.h>

enum {
    MINUTE_MS = 60000,
    TIMEOUT_MINUTES = 360,
    CANCEL_TIMEOUT_MINUTES = 5, /* what gitea-runner gives to what runs after a cancel, too */
    MINUTES_MAX = 525600,
    YAML_EVENTS_MAX = 500000,
    REASON_MAX = 2000, /* bytes */
};

struct reading {
    struct task *task;
    const struct task_spec *spec;
    const json_t *json, *context;
    struct workflow *workflow;
    const struct workflow_job *def;
    json_t *github, *needs, *vars, *inputs, *strategy, *matrix; /* owned */
    const char *source; /* where actions are from: "https://github.com"; NULL: not said */
};

static int refuse(struct reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Says why the task cannot be run; returns ERR_INVALID, to be handed up. */
static int refuse(struct reading *r, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(REASON_MAX);
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(3 * REASON_MAX);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    utf8_clean(buf_slice(&text), &clean);
    r->task->fate = TASK_REFUSE;
    r->task->reason = arena_dup(&r->task->arena, buf_slice(&clean));
    return ERR_INVALID;
}

static struct slice text_in(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return slice_make(json_string_value(value), json_string_length(value));
}

static const char *text_or_empty(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* The first of KEYS (NULL-terminated) that is a text in OBJECT and not empty. */
static struct slice first_in(const json_t *object, const char *const *keys)
{
    for (; *keys; keys++)
        if (text_in(object, *keys).len)
            return text_in(object, *keys);
    return SLICE("");
}

/* ---- contexts ---- */

/* "RESULT_SUCCESS" is "success"; a number is a state that the server should have kept to itself (3.3). */
static const char *result_of(const json_t *need)
{
    static const struct {
        const char *wire, *name;
    } results[] = {{"RESULT_SUCCESS", "success"},
                   {"RESULT_CANCELLED", "cancelled"},
                   {"RESULT_SKIPPED", "skipped"}};
    const char *wire = json_string_value(json_object_get(need, "result"));

    for (size_t i = 0; wire && i < COUNT_OF(results); i++)
        if (strcmp(wire, results[i].wire) == 0)
            return results[i].name;
    return "failure";
}

static void read_needs(struct reading *r)
{
    const char *id;
    json_t *need;

    r->needs = json_object();
    json_object_foreach (json_object_get(r->json, "needs"), id, need) {
        json_t *outputs = json_object_get(need, "outputs");

        json_object_set_new(
            r->needs, id,
            json_pack("{s:s, s:o}", "result", result_of(need), "outputs",
                      json_is_object(outputs) ? json_deep_copy(outputs) : json_object()));
    }
}

static void set_text(json_t *object, const char *key, struct slice value)
{
    json_object_set_new(object, key, json_stringn(value.len ? value.ptr : "", value.len));
}

/* The github context: the server's, but for what is secret in it and what only this machine knows. */
static void read_github(struct reading *r)
{
    static const char *const kept_elsewhere[] = {"gitea_runtime_token",
                                                 "forgejo_runtime_token",
                                                 "actions_id_token_request_url",
                                                 "actions_id_token_request_token",
                                                 "forgejo_actions_id_token_request_url",
                                                 "forgejo_actions_id_token_request_token",
                                                 "action",
                                                 "action_path",
                                                 "action_ref",
                                                 "action_repository",
                                                 "action_status",
                                                 "env",
                                                 "path",
                                                 "event_path",
                                                 "workspace",
                                                 "token"};
    const char *address = r->spec->settings->address;
    struct arena *a = &r->task->arena;

    r->github = json_is_object(r->context) ? json_deep_copy(r->context) : json_object();
    for (size_t i = 0; i < COUNT_OF(kept_elsewhere); i++)
        json_object_del(r->github, kept_elsewhere[i]);
    set_text(r->github, "server_url", slice_of(address));
    set_text(r->github, "api_url", slice_of(arena_printf(a, "%s/api/v1", address)));
    set_text(r->github, "graphql_url", SLICE(""));
    if (!json_is_object(json_object_get(r->github, "event")))
        json_object_set_new(r->github, "event", json_object());
}

static const json_t *context_of(void *ctx, struct slice name)
{
    const struct reading *r = ctx;
    const struct {
        struct slice name;
        const json_t *value;
    } known[] = {
        {SLICE("github"), r->github},  {SLICE("gitea"), r->github},
        {SLICE("forgejo"), r->github}, {SLICE("forge"), r->github},
        {SLICE("needs"), r->needs},    {SLICE("vars"), r->vars},
        {SLICE("inputs"), r->inputs},  {SLICE("strategy"), r->strategy},
        {SLICE("matrix"), r->matrix},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_eq_nocase(known[i].name, name))
            return known[i].value;
    return NULL;
}

/* Did all (or, not ALL, any) of the jobs that were needed end as RESULT? ARGS: those of them alone. */
static bool needed(const struct reading *r, const char *result, bool all, const struct slice *args,
                   size_t n_args)
{
    const char *id;
    json_t *need;

    json_object_foreach (r->needs, id, need) {
        bool asked = n_args == 0;

        for (size_t i = 0; i < n_args; i++)
            asked = asked || slice_eq_nocase(args[i], slice_of(id));
        bool is = strcmp(json_string_value(json_object_get(need, "result")), result) == 0;
        if (asked && is != all)
            return !all;
    }
    return all;
}

static bool status_of(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    if (slice_eq_nocase(name, SLICE("always")))
        return true;
    if (slice_eq_nocase(name, SLICE("cancelled")))
        return false;
    bool success = slice_eq_nocase(name, SLICE("success"));
    return needed(ctx, success ? "success" : "failure", success, args, n_args);
}

/* ---- inputs ---- */

static json_t *typed(struct slice type, json_t *given)
{
    struct slice text = slice_make(json_string_value(given), json_string_length(given));

    if (json_is_string(given) && slice_eq(type, SLICE("boolean")))
        return json_boolean(slice_eq(text, SLICE("true")));
    if (json_is_string(given) && slice_eq(type, SLICE("number")) && text.len)
        return json_real(expr_parse_number(text));
    return json_incref(given);
}

/* What the event was started with, as the workflow declares it. */
static void read_inputs(struct reading *r)
{
    struct arena *a = &r->task->arena;
    const char *event = json_string_value(json_object_get(r->github, "event_name"));
    json_t *given = json_object_get(json_object_get(r->github, "event"), "inputs");
    const struct workflow_event *e = event ? workflow_event_find(r->workflow, event) : NULL;
    const struct token *declared = e ? token_find(e->config, "inputs") : NULL;

    r->inputs = json_is_object(given) ? json_copy(given) : json_object();
    for (size_t i = 0; declared && declared->kind == TOKEN_MAPPING && i < declared->n_pairs; i++) {
        const struct token *about = declared->pairs[i].value, *type = token_find(about, "type");
        const char *id = arena_str(a, token_text(a, declared->pairs[i].key));
        struct slice fallback = SLICE("");
        json_t *value = json_object_get(r->inputs, id);

        if (token_find(about, "default"))
            fallback = token_text(a, token_find(about, "default"));
        value = value ? json_incref(value)
                      : json_stringn(fallback.len ? fallback.ptr : "", fallback.len);
        json_object_set_new(r->inputs, id, typed(type ? token_text(a, type) : SLICE(""), value));
        json_decref(value);
    }
}

/* ---- the payload ---- */

static int read_payload(struct reading *r)
{
    struct workflow_options options = {
        .reader_only = true,
        .yaml = {.size = TASK_PAYLOAD_MAX, .events = YAML_EVENTS_MAX},
        .schema = {.forge = true},
        .max_jobs = 0,
    };
    CLEANUP(buf_deinit) struct buf yaml = BUF_INIT(TASK_PAYLOAD_MAX);
    CLEANUP(diags_deinit) struct diags diags = {.arena = &r->task->arena};
    struct slice coded = text_in(r->json, "workflowPayload"),
                 file = text_in(r->context, "workflow");
    struct err err = ERR_INIT;
    const char *name = file.len ? arena_str(&r->task->arena, file) : "the workflow";

    if (base64_decode(coded, &yaml, &err) != ERR_OK)
        return refuse(r, "the server sent a workflow that is no Base64");
    if (buf_check(&yaml, "the workflow", &err) != ERR_OK)
        return refuse(r, "%s", err.text);
    if (workflow_parse_as(r->workflow, buf_slice(&yaml), name, &options, &diags) != ERR_OK)
        return refuse(r, "%s",
                      diags.list.len ? diag_text(&r->task->arena, &diags.list.ptr[0])
                                     : "the server sent a workflow that cannot be read");
    if (r->workflow->n_jobs != 1)
        return refuse(r, "the server sent a workflow of %zu jobs; a task is one",
                      r->workflow->n_jobs);
    r->def = &r->workflow->jobs[0];
    if (r->def->n_steps > TASK_STEPS_MAX)
        return refuse(r, "the job has more than %d steps", TASK_STEPS_MAX);
    r->task->n_steps = r->def->n_steps;
    return ERR_OK;
}

/* ---- parts of the job that are evaluated before it runs ---- */

static int evaluation(struct reading *r, const char *key, const struct err *err)
{
    return refuse(r, "cannot evaluate '%s' of job '%s': %s", key, r->def->id, err->text);
}

static int minutes(struct reading *r, const struct template_eval *t, const struct token *tok,
                   const char *key, int fallback, int64_t *ret)
{
    struct err err = ERR_INIT;
    double n;

    if (template_number(t, tok, fallback, &n, &err) != ERR_OK)
        return evaluation(r, key, &err);
    *ret = n > MINUTES_MAX ? (int64_t)MINUTES_MAX * MINUTE_MS : n >= 1 ? (int64_t)n * MINUTE_MS : 0;
    return ERR_OK;
}

/* The server has expanded the matrix: one value of each is left. */
static int read_matrix(struct reading *r, const struct template_eval *t)
{
    struct err err = ERR_INIT;
    struct matrix m = {0};
    json_t *strategy = NULL;

    if (template_json(t, r->def->strategy, &strategy, &err) != ERR_OK)
        return evaluation(r, "strategy", &err);
    int code = matrix_expand(strategy, r->def->id, &m, &err);
    json_decref(strategy);
    if (code != ERR_OK)
        return evaluation(r, "strategy", &err);
    r->matrix = json_incref(m.configs[0].matrix);
    r->strategy = json_pack("{s:b, s:i, s:i, s:i}", "fail-fast", m.fail_fast, "job-index", 0,
                            "job-total", 1, "max-parallel", 1);
    matrix_deinit(&m);
    return ERR_OK;
}

/* The names in `runs-on`: one, a list, or a mapping with its labels. */
static int read_runs_on(const struct template_eval *t, const struct token *runs_on, struct arena *a,
                        struct slice **ret, size_t *ret_n, struct err *err)
{
    json_t *json = NULL, *list;

    if (template_json(t, runs_on, &json, err) != ERR_OK)
        return err->code;
    list = json_is_object(json) ? json_object_get(json, "labels") : json;
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    struct slice *names = arena_array(a, n, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(list) ? json_array_get(list, i) : list;

        names[i] = arena_dup(a, slice_make(json_string_value(one), json_string_length(one)));
    }
    json_decref(json);
    *ret = names;
    *ret_n = n;
    return ERR_OK;
}

static struct token *literal(struct arena *a, struct slice text)
{
    struct token *t = ARENA_NEW(a, struct token);

    t->text = t->source = arena_dup(a, text);
    return t;
}

static struct token *literal_map(struct arena *a, const struct strmap *m)
{
    struct token *map = ARENA_NEW(a, struct token);

    map->kind = TOKEN_MAPPING;
    map->pairs = arena_array(a, m->len, sizeof *map->pairs);
    STRMAP_EACH (i, m)
        map->pairs[map->n_pairs++] =
            (struct token_pair){literal(a, strmap_name(i)), literal(a, strmap_value(i))};
    return map;
}

int task_place(const struct gitea_settings *s, const struct template_eval *t,
               const struct token *runs_on, struct job *j, struct err *err)
{
    struct slice *names;
    size_t n;

    if (read_runs_on(t, runs_on, &j->arena, &names, &n, err) != ERR_OK)
        return err->code;
    const struct label *label = labels_choose(s->labels, s->n_labels, names, n);
    const char *image = label ? label->image : s->default_image;
    if (!j->container && image)
        j->container = literal(&j->arena, slice_of(image));
    return ERR_OK;
}

static int place_job(struct reading *r, const struct template_eval *t, struct job *j)
{
    struct err err = ERR_INIT;

    j->container = r->def->container;
    return task_place(r->spec->settings, t, r->def->runs_on, j, &err) == ERR_OK
               ? ERR_OK
               : evaluation(r, "runs-on", &err);
}

/* ---- actions ---- */

/* "https://host/owner/repo@v1" where HOST is what all short ones are from becomes "owner/repo@v1", so that a plugin or a
 * mirror may serve it; other addresses stay, and say where their actions are had. */
static void shorten(const struct reading *r, const char **uses)
{
    struct slice text = slice_of(*uses), source = slice_of(r->source);

    if (source.len && text.len > source.len + 1 && text.ptr[source.len] == '/' &&
        slice_eq_nocase(slice_head(text, source.len), source))
        *uses = *uses + source.len + 1;
}

static void take_steps(struct reading *r, struct job *j)
{
    j->steps = r->def->steps;
    j->n_steps = r->def->n_steps;
    for (size_t i = 0; i < j->n_steps; i++) {
        j->steps[i].record = arena_printf(&j->arena, "%zu", i);
        if (j->steps[i].uses)
            shorten(r, &j->steps[i].uses);
    }
}

/* Where short names are had. A server that says "https://github.com" means just that unless somebody here has a mirror
 * of it. The job's token goes to its own server alone (5.6). */
static void take_source(struct reading *r, struct job *j)
{
    if (r->source && strcmp(r->source, SOURCE_DEFAULT) != 0)
        j->store_source = arena_str(&j->arena, slice_of(r->source));
    j->store_login = arena_str(&j->arena, slice_of(r->spec->settings->address));
}

/* ---- secrets and services ---- */

static void take_secrets(struct reading *r, struct job *j)
{
    static const char *const tokens[] = {"FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN", NULL};
    static const char *const own[] = {"token", NULL};
    json_t *secrets = json_object_get(r->json, "secrets"), *value;
    struct slice token = first_in(secrets, tokens);
    const char *name;

    json_object_foreach (secrets, name, value)
        if (json_is_string(value))
            strmap_set(&j->secrets, slice_of(name),
                       slice_make(json_string_value(value), json_string_length(value)));
    strmap_set(&j->secrets, SLICE("GITHUB_TOKEN"), token.len ? token : first_in(r->context, own));
}

static void set_runtime(struct job *j, const char *name, struct slice value)
{
    if (value.len)
        strmap_set(&j->runtime, slice_of(name), value);
}

/* How the job's actions reach the server's artifacts, and whoever proves who it is (5.1). */
static void take_services(struct reading *r, struct job *j)
{
    static const char *const tokens[] = {"forgejo_runtime_token", "gitea_runtime_token", "token",
                                         NULL};
    static const char *const oidc_urls[] = {"forgejo_actions_id_token_request_url",
                                            "actions_id_token_request_url", NULL};
    static const char *const oidc_tokens[] = {"forgejo_actions_id_token_request_token",
                                              "actions_id_token_request_token", NULL};
    const char *address = r->spec->settings->address;
    const char *caches = strmap_get(&r->spec->settings->env, "ACTIONS_CACHE_URL");
    struct arena *a = &r->task->arena;
    struct slice token = first_in(r->context, tokens);

    if (caches) /* others' than this machine's, or none */
        strmap_set(&j->runtime, SLICE("ACTIONS_CACHE_URL"), slice_of(caches));
    set_runtime(j, "ACTIONS_RUNTIME_URL",
                slice_of(arena_printf(a, "%s/api/actions_pipeline/", address)));
    set_runtime(j, "ACTIONS_RESULTS_URL", slice_of(address));
    set_runtime(j, "ACTIONS_RUNTIME_TOKEN", token);
    set_runtime(j, "ACTIONS_ID_TOKEN_REQUEST_URL", first_in(r->context, oidc_urls));
    set_runtime(j, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", first_in(r->context, oidc_tokens));
    j->id_token = strmap_get(&j->runtime, "ACTIONS_ID_TOKEN_REQUEST_URL") != NULL;
    r->task->runtime_token = arena_str(a, token);
}

/* The job's number in the server's database is in its token alone: the claim JobID, or the end of "scp" (3.2). */
static int64_t job_number(struct slice token)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(64 << 10);
    struct err ignored = ERR_INIT;
    struct slice rest = token, part = SLICE("");
    json_t *claims = NULL;
    int64_t id = 0;

    if (!slice_split(&rest, '.', &part) || !slice_split(&rest, '.', &part) ||
        base64_decode(part, &text, &ignored) != ERR_OK ||
        connect_json(buf_slice(&text), &claims, &ignored) != ERR_OK)
        return 0;
    if (connect_int(claims, "JobID", &id, &ignored) != ERR_OK)
        id = 0;
    json_decref(claims);
    return id > 0 ? id : 0;
}

/* Only servers that said "job-summary" take them (5.4). */
static void find_summary(struct reading *r)
{
    struct slice stated = slice_of(r->spec->capabilities), run = text_in(r->context, "run_id");
    int64_t job = job_number(slice_of(r->task->runtime_token));

    for (size_t i = 0; i < run.len; i++)
        if (run.ptr[i] < '0' || run.ptr[i] > '9')
            return;
    if (run.len && job && slice_find(stated, SLICE("job-summary")) >= 0)
        r->task->summary = arena_printf(
            &r->task->arena,
            "%s/api/actions_pipeline/_apis/pipelines/workflows/%.*s/jobs/%" PRId64 "/steps/",
            r->spec->settings->address, SLICE_ARG(run), job);
}

/* Who the server is, for scripts that run on more than one (5.1). */
static void tell_server(struct reading *r, struct job *j)
{
    const char *v = r->spec->version;

    set_runtime(j, "GITEA_ACTIONS", SLICE("true"));
    set_runtime(j, "GITEA_ACTIONS_RUNNER_VERSION", slice_of(v));
    if (r->task->forgejo) {
        set_runtime(j, "FORGEJO_ACTIONS", SLICE("true"));
        set_runtime(j, "FORGEJO_ACTIONS_RUNNER_VERSION", slice_of(v));
    }
    if (r->spec->capabilities && *r->spec->capabilities) {
        set_runtime(j, "GITEA_ACTIONS_CAPABILITIES", slice_of(r->spec->capabilities));
        set_runtime(j, "GITEA_RUN_ID", text_in(r->context, "run_id"));
    }
}

static void take_environment(struct reading *r, struct job *j)
{
    const struct strmap *own = &r->spec->settings->env;

    j->env = arena_array(&j->arena, 3, sizeof *j->env);
    if (own->len)
        j->env[j->n_env++] = literal_map(&j->arena, own);
    if (r->workflow->env)
        j->env[j->n_env++] = r->workflow->env;
    if (r->def->env)
        j->env[j->n_env++] = r->def->env;
}

/* ---- the job ---- */

/* "owner/app" gives "app/app". */
static const char *work_root(struct arena *a, const json_t *github)
{
    const char *repository = json_string_value(json_object_get(github, "repository"));
    const char *name = repository ? path_base(repository) : "";

    if (!action_ref_is_name(slice_of(name))) /* a ':' or ',' would mean something to an engine */
        name = "work";
    return arena_printf(a, "%s/%s", name, name);
}

static json_t *contexts(const struct reading *r)
{
    json_t *github = json_copy(r->github);

    json_object_set_new(github, "job", json_string(r->def->id));
    return json_pack("{s:o, s:O, s:O, s:O, s:O, s:O, s:{}, s:b, s:b, s:b}", "github", github,
                     "vars", r->vars, "needs", r->needs, "strategy", r->strategy, "matrix",
                     r->matrix, "inputs", r->inputs, "job", "gitea", 1, "forgejo", 1, "forge", 1);
}

/* What the registration says of how jobs are run. */
static void take_settings(const struct gitea_settings *s, struct job *j)
{
    if (s->containers)
        j->container_policies = json_pack("[O]", s->containers);
    j->engine = s->engine ? arena_str(&j->arena, slice_of(s->engine)) : NULL;
    j->pull = s->pull;
    if (s->timeout_ms && (!j->timeout_ms || j->timeout_ms > s->timeout_ms))
        j->timeout_ms = s->timeout_ms;
}

static int fill_job(struct reading *r, const struct template_eval *t, struct job *j)
{
    const struct workflow_job *d = r->def;
    const char *runner = r->spec->settings->name;
    struct slice name = {0};
    struct err err = ERR_INIT;

    if (template_string(t, d->name, &name, &err) != ERR_OK)
        return evaluation(r, "name", &err);
    if (minutes(r, t, d->timeout_minutes, "timeout-minutes", TIMEOUT_MINUTES, &j->timeout_ms) < 0 ||
        minutes(r, t, d->cancel_timeout_minutes, "cancel-timeout-minutes", CANCEL_TIMEOUT_MINUTES,
                &j->cancel_timeout_ms) < 0 ||
        (!d->uses && place_job(r, t, j) < 0))
        return ERR_INVALID;
    take_settings(r->spec->settings, j);
    j->id = d->id;
    j->key = arena_str(&j->arena, slice_of(r->task->key));
    j->name = name.len ? arena_str(&j->arena, name) : d->id;
    j->file = r->workflow->file;
    if (runner && *runner)
        j->runner_name = arena_str(&j->arena, slice_of(runner));
    j->contexts = contexts(r);
    j->default_shell = d->default_shell;
    j->default_working_directory = d->default_working_directory;
    j->outputs = d->outputs;
    j->services = d->services;
    j->work_root = work_root(&j->arena, r->github);
    take_steps(r, j);
    take_source(r, j);
    tell_server(r, j);
    take_environment(r, j);
    return ERR_OK;
}

/* `if` asks the jobs before, whose results the server has sent. */
static int judge(struct reading *r, const struct template_eval *t)
{
    struct err err = ERR_INIT;
    bool holds;

    if (template_test(t, slice_of(r->def->condition), &holds, &err) != ERR_OK)
        return evaluation(r, "if", &err);
    if (holds)
        return ERR_OK;
    r->task->fate = TASK_SKIP;
    r->task->reason = slice_of(
        arena_printf(&r->task->arena, "the job's `if` is false: %.1000s", r->def->condition));
    return ERR_INVALID;
}

static void read_source(struct reading *r)
{
    static const char *const keys[] = {"forgejo_default_actions_url", "gitea_default_actions_url",
                                       NULL};
    struct slice source = first_in(r->context, keys);

    while (source.len && source.ptr[source.len - 1] == '/')
        source.len--;
    if (source.len)
        r->source = arena_str(&r->task->arena, source);
}

static int read_job(struct reading *r, struct job *j)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct expr_scope scope = {.context = context_of, .status = status_of, .ctx = r};
    struct template_eval t = {.arena = &a, .scope = &scope};
    json_t *vars = json_object_get(r->json, "vars");

    take_secrets(r, j);
    take_services(r, j);
    find_summary(r);
    read_source(r);
    read_github(r);
    read_needs(r);
    r->vars = json_is_object(vars) ? json_deep_copy(vars) : json_object();
    if (read_payload(r) < 0)
        return ERR_INVALID;
    read_inputs(r);
    if (judge(r, &t) < 0 || read_matrix(r, &t) < 0)
        return ERR_INVALID;
    return fill_job(r, &t, j);
}

/* ---- a call ---- */

static void add_texts(struct strmap *to, const json_t *from)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)from, name, value)
        if (json_is_string(value))
            strmap_set(to, slice_of(name),
                       slice_make(json_string_value(value), json_string_length(value)));
}

/* The workflow W moves into the call. */
static struct task_call *take_call(struct reading *r, struct workflow *w)
{
    struct task_call *c = mem_new(sizeof *c);

    *c = (struct task_call){.workflow = *w, .vars = STRMAP_INIT, .inputs = STRMAP_INIT};
    workflow_init(w);
    c->workflow.jobs[0].condition = "success()";
    c->github = json_incref(r->github);
    c->needs = json_incref(r->needs);
    add_texts(&c->vars, r->vars);
    if (strcmp(text_or_empty(r->github, "event_name"), "workflow_dispatch") == 0)
        add_texts(&c->inputs, json_object_get(json_object_get(r->github, "event"), "inputs"));
    return c;
}

struct task_call *task_call_free(struct task_call *c)
{
    if (!c)
        return NULL;
    workflow_deinit(&c->workflow);
    json_decref(c->github);
    json_decref(c->needs);
    strmap_deinit(&c->vars);
    strmap_deinit(&c->inputs);
    free(c);
    return NULL;
}

void task_adopt(const struct gitea_settings *s, const struct job *like, struct job *j)
{
    struct arena *a = &j->arena;

    strmap_merge(&j->runtime, &like->runtime);
    j->id_token = like->id_token;
    j->work_root = arena_str(a, slice_of(like->work_root));
    j->runner_name = like->runner_name ? arena_str(a, slice_of(like->runner_name)) : NULL;
    j->store_source = like->store_source ? arena_str(a, slice_of(like->store_source)) : NULL;
    j->store_login = arena_str(a, slice_of(like->store_login));
    take_settings(s, j);
    if (!s->env.len)
        return;
    const struct token **env = arena_array(a, j->n_env + 1, sizeof *env);
    env[0] = literal_map(a, &s->env);
    for (size_t i = 0; i < j->n_env; i++)
        env[i + 1] = j->env[i];
    j->env = env;
    j->n_env++;
}

/* ---- all of it ---- */

/* The job is made first, so that what the workflow holds lies in its arena. */
static struct job *job_free(struct job *j)
{
    job_deinit(j);
    free(j);
    return NULL;
}

int task_read(const json_t *json, const struct task_spec *spec, struct task *ret, struct err *err)
{
    struct task t = {.arena = ARENA_INIT};
    struct job *j = mem_new(sizeof *j);
    struct workflow w;
    struct reading r = {.task = ret, .spec = spec, .json = json, .workflow = &w};

    if (connect_int(json, "id", &t.id, err) == ERR_OK && t.id <= 0)
        err_set(err, ERR_INVALID, "the server sent a task without an id");
    if (t.id <= 0) {
        free(j);
        return ERR_INVALID;
    }
    job_init(j);
    workflow_init(&w);
    t.key = arena_printf(&t.arena, "%s/%" PRId64, spec->registration, t.id);
    r.context = json_object_get(json, "context");
    t.forgejo = json_object_get(json_object_get(json, "secrets"), "FORGEJO_TOKEN") != NULL;
    *ret = t;
    if (read_job(&r, j) == ERR_OK)
        ret->job = j;
    else
        job_free(j);
    if (ret->job && r.def->uses) {
        ret->fate = TASK_CALL;
        ret->job->env = NULL; /* those of the workflow that calls are not for those inside */
        ret->job->n_env = 0;
        ret->call = take_call(&r, &w);
    } else if (ret->job) /* it takes over what its tokens and steps lie in */
        arena_adopt(&j->arena, &w.arena);
    workflow_deinit(&w);
    json_decref(r.github);
    json_decref(r.needs);
    json_decref(r.vars);
    json_decref(r.inputs);
    json_decref(r.strategy);
    json_decref(r.matrix);
    return ERR_OK;
}

void task_drop_job(struct task *t)
{
    if (t->job)
        t->job = job_free(t->job);
}

void task_deinit(struct task *t)
{
    task_drop_job(t);
    t->call = task_call_free(t->call);
    if (t->runtime_token) {
        char *token;

        memcpy(&token, &t->runtime_token, sizeof token);
        explicit_bzero(token, strlen(token));
    }
    arena_deinit(&t->arena);
    *t = (struct task){0};
}
