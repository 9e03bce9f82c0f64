#include "queue/gitea/task.h"

#include "base/base64.h"
#include "base/path.h"
#include "base/utf8.h"
#include "lang/action_ref.h"
#include "lang/matrix.h"
#include "lang/template.h"
#include "lang/workflow/workflow.h"
#include "queue/gitea/connect.h"
#include "queue/gitea/task_reading.h"
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

static int refuse(struct task_reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Says why the task cannot be run; returns ERR_INVALID, to be handed up. */
static int refuse(struct task_reading *r, const char *fmt, ...)
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

struct slice task_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return slice_make(json_string_value(value), json_string_length(value));
}

struct slice task_first(const json_t *object, const char *const *keys)
{
    for (; *keys; keys++)
        if (task_text(object, *keys).len)
            return task_text(object, *keys);
    return SLICE("");
}

static const char *text_or_empty(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* ---- the payload ---- */

static int read_payload(struct task_reading *r)
{
    struct workflow_options options = {
        .reader_only = true,
        .yaml = {.size = TASK_PAYLOAD_MAX, .events = YAML_EVENTS_MAX},
        .schema = {.forge = true},
        .max_jobs = 0,
    };
    CLEANUP(buf_deinit) struct buf yaml = BUF_INIT(TASK_PAYLOAD_MAX);
    CLEANUP(diags_deinit) struct diags diags = {.arena = &r->task->arena};
    struct slice coded = task_text(r->json, "workflowPayload"),
                 file = task_text(r->context, "workflow");
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

static int evaluation(struct task_reading *r, const char *key, const struct err *err)
{
    return refuse(r, "cannot evaluate '%s' of job '%s': %s", key, r->def->id, err->text);
}

static int minutes(struct task_reading *r, const struct template_eval *t, const struct token *tok,
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
static int read_matrix(struct task_reading *r, const struct template_eval *t)
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

static int place_job(struct task_reading *r, const struct template_eval *t, struct job *j)
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
static void shorten(const struct task_reading *r, const char **uses)
{
    struct slice text = slice_of(*uses), source = slice_of(r->source);

    if (source.len && text.len > source.len + 1 && text.ptr[source.len] == '/' &&
        slice_eq_nocase(slice_head(text, source.len), source))
        *uses = *uses + source.len + 1;
}

static void take_steps(struct task_reading *r, struct job *j)
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
static void take_source(struct task_reading *r, struct job *j)
{
    if (r->source && strcmp(r->source, SOURCE_DEFAULT) != 0)
        j->store_source = arena_str(&j->arena, slice_of(r->source));
    j->store_login = arena_str(&j->arena, slice_of(r->spec->settings->address));
}

/* ---- the job ---- */

static void take_environment(struct task_reading *r, struct job *j)
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

/* "owner/app" gives "app/app". */
static const char *work_root(struct arena *a, const json_t *github)
{
    const char *repository = json_string_value(json_object_get(github, "repository"));
    const char *name = repository ? path_base(repository) : "";

    if (!action_ref_is_name(slice_of(name))) /* a ':' or ',' would mean something to an engine */
        name = "work";
    return arena_printf(a, "%s/%s", name, name);
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

static int fill_job(struct task_reading *r, const struct template_eval *t, struct job *j)
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
    j->contexts = task_contexts(r);
    j->default_shell = d->default_shell;
    j->default_working_directory = d->default_working_directory;
    j->outputs = d->outputs;
    j->services = d->services;
    j->work_root = work_root(&j->arena, r->github);
    take_steps(r, j);
    take_source(r, j);
    task_tell_server(r, j);
    take_environment(r, j);
    return ERR_OK;
}

/* `if` asks the jobs before, whose results the server has sent. */
static int judge(struct task_reading *r, const struct template_eval *t)
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

static void read_source(struct task_reading *r)
{
    static const char *const keys[] = {"forgejo_default_actions_url", "gitea_default_actions_url",
                                       NULL};
    struct slice source = task_first(r->context, keys);

    while (source.len && source.ptr[source.len - 1] == '/')
        source.len--;
    if (source.len)
        r->source = arena_str(&r->task->arena, source);
}

static int read_job(struct task_reading *r, struct job *j)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct expr_scope scope = {.context = task_context_of, .status = task_status_of, .ctx = r};
    struct template_eval t = {.arena = &a, .scope = &scope};
    json_t *vars = json_object_get(r->json, "vars");

    task_take_secrets(r, j);
    task_take_services(r, j);
    task_find_summary(r);
    read_source(r);
    task_read_github(r);
    task_read_needs(r);
    r->vars = json_is_object(vars) ? json_deep_copy(vars) : json_object();
    if (read_payload(r) < 0)
        return ERR_INVALID;
    task_read_inputs(r);
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
static struct task_call *take_call(struct task_reading *r, struct workflow *w)
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
    struct task_reading r = {.task = ret, .spec = spec, .json = json, .workflow = &w};

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
