#include "queue/github/message/message.h"

#include "base/buf.h"
#include "lang/action_ref.h"
#include "queue/github/message/context_data.h"
#include "queue/github/message/members.h"
#include "queue/github/message/steps.h"

struct reader {
    const json_t *json; /* the message */
    const struct github_origin *place;
    struct job *job;
    struct github_job *github;
    struct err *err;
};

/* In the queue's own arena; NULL: missing or empty. */
static const char *kept(struct reader *r, const char *text)
{
    return text ? arena_str(&r->github->arena, slice_of(text)) : NULL;
}

static const char *text(struct reader *r, const json_t *from, const char *name)
{
    return kept(r, member_text(from, name));
}

/* ---- who it is ---- */

/* What stands in addresses must not lead elsewhere. */
static bool is_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] ==
           '\0';
}

static int read_guid(struct reader *r, const json_t *from, const char *name, const char **ret)
{
    *ret = message_guid(&r->github->arena, member_text(from, name));
    return *ret ? ERR_OK : err_set(r->err, ERR_INVALID, "%s: must be a GUID", name);
}

static int read_plan(struct reader *r)
{
    struct github_job *g = r->github;
    const json_t *timeline = loose_find(r->json, "timeline");
    json_t *plan;

    if (member_object(r->json, "plan", &plan, r->err) < 0)
        return r->err->code;
    if (read_guid(r, plan, "planId", &g->plan_id) < 0)
        return err_in(r->err, "plan");
    g->plan_type = text(r, plan, "planType");
    if (!g->plan_type)
        g->plan_type = "actions";
    if (!is_word(g->plan_type))
        return err_set(r->err, ERR_INVALID, "plan: planType: '%.60s' is none", g->plan_type);
    g->scope_id = message_guid(&g->arena, member_text(plan, "scopeIdentifier"));
    g->plan_version = loose_int(plan, "version", 0);
    g->timeline_id = message_guid(&g->arena, member_text(timeline, "id"));
    if (!g->timeline_id)
        g->timeline_id = g->plan_id;
    return ERR_OK;
}

static int read_identity(struct reader *r)
{
    struct github_job *g = r->github;
    const char *type = member_text(r->json, "messageType");

    g->results_only = type && slice_eq_nocase(slice_of(type), SLICE("RunnerJobRequest"));
    g->request_id = loose_int(r->json, "requestId", 0);
    g->billing_owner = text(r, r->json, "billingOwnerId");
    g->name = text(r, r->json, "jobDisplayName");
    if (!g->name)
        g->name = text(r, r->json, "jobName");
    if (!g->name)
        g->name = "job";
    int r1 = read_guid(r, r->json, "jobId", &g->job_id);
    struct err first = *r->err;
    int r2 = read_plan(r); /* also then: as much as can be is known afterwards */
    if (r1 < 0) {
        *r->err = first;
        return r1;
    }
    return r2;
}

/* ---- its connection ---- */

static const json_t *find_connection(const json_t *endpoints)
{
    json_t *one;
    size_t i;

    json_array_foreach (endpoints, i, one) {
        const char *name = member_text(one, "name");

        if (name && slice_eq_nocase(slice_of(name), SLICE("SystemVssConnection")))
            return one;
    }
    return NULL;
}

/* Whatever proves something to a service is kept out of sight. */
static void mask_endpoints(struct reader *r, const json_t *endpoints)
{
    const char *name;
    json_t *one, *value;
    size_t i;

    json_array_foreach (endpoints, i, one) {
        json_t *all = loose_find(loose_find(one, "authorization"), "parameters");

        if (!json_is_object(all))
            continue;
        json_object_foreach (all, name, value)
            if (json_string_length(value)) {
                const char *label = arena_printf(&r->job->arena, "endpoint %zu %s", i, name);

                strmap_set(&r->job->masks, slice_of(label),
                           slice_make(json_string_value(value), json_string_length(value)));
            }
    }
}

static void set_runtime(struct reader *r, const char *name, const char *value)
{
    if (value)
        strmap_set(&r->job->runtime, slice_of(name), slice_of(value));
}

/* What actions get to reach their services (github-protocol.md 8). */
static void equip(struct reader *r, const json_t *data)
{
    const char *pipelines = member_text(data, "PipelinesServiceUrl");
    const char *id_tokens = member_text(data, "GenerateIdTokenUrl");

    set_runtime(r, "ACTIONS_RUNTIME_URL", pipelines ? pipelines : r->github->url);
    set_runtime(r, "ACTIONS_RUNTIME_TOKEN", r->github->token);
    set_runtime(r, "ACTIONS_CACHE_URL", member_text(data, "CacheServerUrl"));
    set_runtime(r, "ACTIONS_RESULTS_URL", member_text(data, "ResultsServiceUrl"));
    if (id_tokens) {
        set_runtime(r, "ACTIONS_ID_TOKEN_REQUEST_URL", id_tokens);
        set_runtime(r, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", r->github->token);
        r->job->id_token = r->github->has_id_tokens = true;
    }
}

static bool is_address(const char *url)
{
    return url && (slice_starts(slice_of(url), SLICE("https://")) ||
                   slice_starts(slice_of(url), SLICE("http://")));
}

/* The variable's presence is what says that there is such a service beside the timeline; a job that has no timeline has
 * nothing else. Read with the connection, so that a job whose variables cannot be read is reported, too. */
static void read_results(struct reader *r, const json_t *data)
{
    const json_t *said =
        loose_find(loose_find(r->json, "variables"), "system.github.results_endpoint");

    r->github->results_url = text(r, said, "value");
    if (!r->github->results_url && r->github->results_only)
        r->github->results_url = text(r, data, "ResultsServiceUrl");
}

static int read_connection(struct reader *r)
{
    struct github_job *g = r->github;
    json_t *endpoints;

    if (member_list(loose_find(r->json, "resources"), "endpoints", &endpoints, r->err) < 0)
        return err_in(r->err, "resources");
    mask_endpoints(r, endpoints);
    const json_t *own = find_connection(endpoints);
    const json_t *data = loose_find(own, "data");
    const char *token =
        member_text(loose_find(loose_find(own, "authorization"), "parameters"), "AccessToken");
    if (!own)
        return err_set(r->err, ERR_INVALID,
                       "resources: endpoints: there is none named SystemVssConnection");
    if (!is_address(member_text(own, "url")))
        return err_set(r->err, ERR_INVALID,
                       "resources: endpoints: SystemVssConnection: url: must be an address");
    if (!token)
        return err_set(r->err, ERR_INVALID,
                       "resources: endpoints: SystemVssConnection: authorization: parameters: "
                       "AccessToken: is missing");
    g->url = text(r, own, "url");
    g->token = mem_dup(token, strlen(token));
    g->feed_url = text(r, data, "FeedStreamUrl");
    read_results(r, data);
    equip(r, data);
    return ERR_OK;
}

/* ---- contexts ---- */

/* These are the runner's own, whatever the message has under their names. */
static bool is_own(const char *name)
{
    static const char *const names[] = {"env", "runner", "secrets", "steps"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_nocase(slice_of(name), slice_of(names[i])))
            return true;
    return false;
}

static int read_contexts(struct reader *r)
{
    const char *name;
    json_t *data, *value;

    r->job->contexts = json_object();
    if (member_object(r->json, "contextData", &data, r->err) < 0)
        return r->err->code;
    if (data)
        json_object_foreach (data, name, value) {
            json_t *made = NULL;

            if (is_own(name))
                continue;
            if (context_data_json(value, &made, r->err) < 0) {
                (void)err_in(r->err, "%.60s", name);
                return err_in(r->err, "contextData");
            }
            if (json_is_object(made) ||
                json_is_null(made)) /* a true would mean something else there */
                json_object_set_new(r->job->contexts, name, made);
            else
                json_decref(made);
        }
    if (!json_is_object(json_object_get(r->job->contexts, "github")))
        json_object_set_new(r->job->contexts, "github", json_object());
    return ERR_OK;
}

/* Enterprise servers of old leave out where they are: it is where the runner was registered. */
static void complete_addresses(struct reader *r, json_t *github)
{
    struct slice url = slice_of(r->place->url);
    ssize_t scheme = slice_find(url, SLICE("://"));

    if (scheme < 0 || member_text(github, "server_url"))
        return;
    struct slice host = slice_from(url, (size_t)scheme + 3);
    size_t length = (size_t)scheme + 3 + strcspn(host.ptr, "/?#");
    json_object_set_new(github, "server_url", json_sprintf("%.*s", (int)length, url.ptr));
    json_object_set_new(github, "api_url", json_sprintf("%.*s/api/v3", (int)length, url.ptr));
    json_object_set_new(github, "graphql_url",
                        json_sprintf("%.*s/api/graphql", (int)length, url.ptr));
}

/* ---- variables ---- */

static struct slice value_of(const json_t *variable)
{
    const json_t *value = loose_find(variable, "value");

    return json_is_string(value) ? slice_make(json_string_value(value), json_string_length(value))
                                 : SLICE("");
}

/* The tokens of the system, and what the workflow knows as secrets. */
static void read_secret(struct reader *r, const char *name, struct slice value)
{
    static const char *const system[] = {"system.github.token", "system.accessToken"};
    struct slice had;

    for (size_t i = 0; i < COUNT_OF(system); i++)
        if (slice_eq_nocase(slice_of(name), slice_of(system[i]))) {
            strmap_set(&r->job->masks, slice_of(name), value);
            if (i == 0 && !strmap_find(&r->job->secrets, SLICE("GITHUB_TOKEN"), &had))
                strmap_set(&r->job->secrets, SLICE("GITHUB_TOKEN"), value);
            return;
        }
    strmap_set(&r->job->secrets, slice_of(name), value);
}

static int read_variables(struct reader *r)
{
    const char *name;
    json_t *variables, *one;

    if (member_object(r->json, "variables", &variables, r->err) < 0)
        return r->err->code;
    if (variables)
        json_object_foreach (variables, name, one) {
            if (!json_is_object(one))
                continue; /* null: it has no value */
            if (loose_bool(one, "isSecret", false))
                read_secret(r, name, value_of(one));
            else
                strmap_set(&r->job->variables, slice_of(name), value_of(one));
        }
    return ERR_OK;
}

static const char *variable(const struct reader *r, const char *name)
{
    const char *value = strmap_get(&r->job->variables, name);

    return value && *value ? value : NULL;
}

static bool flag(const struct reader *r, const char *name)
{
    const char *value = variable(r, name);

    return value && slice_eq_nocase(slice_of(value), SLICE("true"));
}

/* {"Contents":"read"} as lines; what is no such object is not shown. */
static const char *permission_lines(struct reader *r, const char *json)
{
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(64 << 10);
    json_t *all = json ? json_loads(json, 0, NULL) : NULL, *value;
    const char *name;

    json_object_foreach (all, name, value)
        if (json_is_string(value))
            buf_printf(&lines, "%s%s: %s", lines.len ? "\n" : "", name, json_string_value(value));
    json_decref(all);
    return lines.len ? arena_str(&r->job->arena, buf_slice(&lines)) : NULL;
}

static const char *in_job(struct reader *r, const char *text)
{
    return text ? arena_str(&r->job->arena, slice_of(text)) : NULL;
}

static void use_variables(struct reader *r)
{
    struct github_job *g = r->github;
    struct job *j = r->job;

    g->send_job_annotations = flag(r, "actions_send_job_level_annotations");
    g->follow_redirects = !r->place->no_redirects && flag(r, "Actions.EnableHttpRedirects");
    g->orchestration_id = kept(r, variable(r, "system.orchestrationId"));
    j->runner_group = in_job(r, variable(r, "system.runnerGroupName"));
    j->permissions = permission_lines(r, variable(r, "system.github.token.permissions"));
    j->codeload_bearer = flag(r, "actions_use_bearer_token_for_codeload");
    if (flag(r, "actions_uses_cache_service_v2"))
        set_runtime(r, "ACTIONS_CACHE_SERVICE_V2", "True");
    set_runtime(r, "ACTIONS_CACHE_MODE", variable(r, "actions_cache_mode"));
    if (flag(r, "actions_set_orchestration_id_env_for_actions"))
        set_runtime(r, "ACTIONS_ORCHESTRATION_ID", g->orchestration_id);
}

/* ---- what must not show ---- */

static int read_masks(struct reader *r)
{
    json_t *list, *one;
    size_t i;

    if (member_list(r->json, "mask", &list, r->err) < 0)
        return r->err->code;
    json_array_foreach (list, i, one) {
        const json_t *type = loose_find(one, "type");
        struct slice kind = slice_of(json_string_value(type)), value = value_of(one);
        const char *label = arena_printf(&r->job->arena, "mask %zu", i);

        if (!value.len)
            continue;
        if (slice_eq_nocase(kind, SLICE("regex")) || json_integer_value(type) == 2)
            strmap_set(&r->job->mask_patterns, slice_of(label), value);
        else if (slice_eq_nocase(kind, SLICE("value")))
            strmap_set(&r->job->masks, slice_of(label), value);
    }
    return ERR_OK;
}

/* ---- templates ---- */

static int read_token(struct reader *r, const json_t *from, const char *name,
                      const struct token **ret)
{
    return message_token(&r->job->arena, from, name, ret, r->err);
}

static int read_env(struct reader *r)
{
    json_t *list, *one;
    size_t i;

    if (member_list(r->json, "environmentVariables", &list, r->err) < 0)
        return r->err->code;
    r->job->env = arena_array(&r->job->arena, json_array_size(list), sizeof *r->job->env);
    json_array_foreach (list, i, one) {
        struct token *tok = NULL;

        if (token_from_json(&r->job->arena, one, &tok, r->err) < 0)
            return err_in(r->err, "environmentVariables[%zu]", i);
        if (tok && tok->kind != TOKEN_NULL)
            r->job->env[r->job->n_env++] = tok;
    }
    return ERR_OK;
}

/* Workflow level first; the job's come later and win. */
static int read_defaults(struct reader *r)
{
    json_t *list, *one;
    size_t i;

    if (member_list(r->json, "defaults", &list, r->err) < 0)
        return r->err->code;
    json_array_foreach (list, i, one) {
        struct token *tok = NULL;

        if (token_from_json(&r->job->arena, one, &tok, r->err) < 0)
            return err_in(r->err, "defaults[%zu]", i);
        const struct token *run = token_find(tok, "run");
        const struct token *shell = token_find(run, "shell");
        const struct token *folder = token_find(run, "working-directory");
        if (shell && shell->kind != TOKEN_NULL)
            r->job->default_shell = shell;
        if (folder && folder->kind != TOKEN_NULL)
            r->job->default_working_directory = folder;
    }
    return ERR_OK;
}

static int read_environment(struct reader *r)
{
    json_t *environment, *name;

    if (member_object(r->json, "actionsEnvironment", &environment, r->err) < 0)
        return r->err->code;
    name = loose_find(environment, "name");
    r->job->environment = in_job(r, json_is_object(name) ? member_text(name, "lit")
                                                         : member_text(environment, "name"));
    if (read_token(r, environment, "url", &r->job->environment_url) < 0)
        return err_in(r->err, "actionsEnvironment");
    return ERR_OK;
}

static int read_templates(struct reader *r)
{
    if (read_env(r) < 0 || read_defaults(r) < 0 || read_environment(r) < 0 ||
        read_token(r, r->json, "jobContainer", &r->job->container) < 0 ||
        read_token(r, r->json, "jobServiceContainers", &r->job->services) < 0 ||
        read_token(r, r->json, "jobOutputs", &r->job->outputs) < 0)
        return r->err->code;
    return message_steps(r->json, r->job, r->github, r->err);
}

/* ---- who says which commits its actions are ---- */

static void read_pins(struct reader *r)
{
    const json_t *list = loose_find(r->json, "dependencies");
    const char **pins = arena_array(&r->job->arena, json_array_size(list) + 1, sizeof *pins);
    json_t *one;
    size_t i, n = 0;

    json_array_foreach (list, i, one)
        if (json_string_length(one))
            pins[n++] = arena_str(&r->job->arena, slice_of(json_string_value(one)));
    r->job->resolver_pins = pins;
}

/* The launch service is another host's own: of what is told about it just the host counts. The legacy address is that of
 * appendix A; a session that was told another one puts it here. */
static void choose_resolver(struct reader *r)
{
    const struct github_job *g = r->github;
    struct job *j = r->job;
    const char *launch = variable(r, "system.github.launch_endpoint");
    struct slice base = slice_of(g->results_only ? launch : g->url);

    read_pins(r);
    if (!is_address(base.ptr))
        return;
    if (g->results_only) {
        struct slice host = slice_from(base, (size_t)slice_find(base, SLICE("://")) + 3);
        int length = (int)(base.len - host.len + strcspn(host.ptr, "/?#"));

        j->resolver = "launch";
        j->resolver_url =
            arena_printf(&j->arena, "%.*s/actions/build/%s/jobs/%s/runnerresolve/actions", length,
                         base.ptr, g->plan_id, g->job_id);
        return;
    }
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    j->resolver = "legacy";
    j->resolver_redirects = g->follow_redirects;
    j->resolver_url = arena_printf(
        &j->arena, "%.*s%s%s/_apis/distributedtask/hubs/%s/plans/%s/actiondownloadinfo?jobId=%s",
        SLICE_ARG(base), g->scope_id ? "/" : "", g->scope_id ? g->scope_id : "", g->plan_type,
        g->plan_id, g->job_id);
}

/* ---- the job's names ---- */

/* "acme/widgets" gives "widgets/widgets". */
static const char *work_root(struct reader *r, const json_t *github)
{
    struct slice rest = slice_of(member_text(github, "repository")), name = SLICE("");

    while (slice_split(&rest, '/', &name))
        ;
    if (!action_ref_is_name(name))
        name = SLICE("work");
    return arena_printf(&r->job->arena, "%.*s/%.*s", SLICE_ARG(name), SLICE_ARG(name));
}

static void name_job(struct reader *r)
{
    json_t *github = json_object_get(r->job->contexts, "github");
    const json_t *files = loose_find(r->json, "fileTable");
    const char *id = member_text(github, "job"), *given = variable(r, "system.github.job");
    const char *file = json_string_value(json_array_get(files, 0));
    struct job *j = r->job;

    id = id ? id : given ? given : member_text(r->json, "jobName");
    j->id = in_job(r, id ? id : "job");
    j->key = arena_printf(&j->arena, "%s/%s", r->place->registration, r->github->job_id);
    j->name = in_job(r, r->github->name);
    j->file = in_job(r, file ? file : "");
    j->runner_name = in_job(r, r->place->runner);
    j->work_root = work_root(r, github);
    j->cancel_timeout_ms = GITHUB_CANCEL_MS;
    complete_addresses(r, github);
}

/* ---- the whole ---- */

/* The parser recurses: what is deeper than anything the service sends is refused before it. */
static bool is_too_deep(struct slice json)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i];

        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > GITHUB_MESSAGE_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static int too_large(size_t size, struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "the job message has %zu bytes, and at most %d are taken: the job's matrix, "
                   "inputs or the outputs of jobs before it are too large",
                   size, (int)GITHUB_MESSAGE_MAX);
}

static int parse(struct reader *r)
{
    int known = read_identity(r);
    struct err first = *r->err;
    int reached = read_connection(r); /* the worst message can still be answered */

    if (known < 0) {
        *r->err = first;
        return known;
    }
    if (reached < 0 || read_contexts(r) < 0 || read_variables(r) < 0 || read_masks(r) < 0)
        return r->err->code;
    use_variables(r);
    choose_resolver(r);
    name_job(r);
    return read_templates(r);
}

static void json_wipep(json_t **json)
{
    static const char *const secret[] = {"variables", "resources", "mask"};

    for (size_t i = 0; i < COUNT_OF(secret); i++)
        loose_wipe(json_incref(loose_find(*json, secret[i])));
    json_decref(*json);
}

int github_message_parse(struct slice text, const struct github_origin *place, struct job *ret_job,
                         struct github_job *ret, struct err *err)
{
    json_error_t where;

    job_init(ret_job);
    *ret = (struct github_job){0};
    if (text.len > GITHUB_MESSAGE_READ_MAX)
        return too_large(text.len, err);
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) /* decrypted ones begin with a mark */
        text = slice_from(text, 3);
    if (is_too_deep(text))
        return err_set(err, ERR_LIMIT, "the job message is nested more than %d deep",
                       (int)GITHUB_MESSAGE_DEPTH);
    if (loose_is_large(text))
        return err_set(err, ERR_LIMIT, "the job message has more than %d values", LOOSE_VALUES_MAX);
    CLEANUP(json_wipep)
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_ALLOW_NUL, &where);
    if (!json_is_object(json))
        return err_set(err, ERR_INVALID, "the job message is no JSON object: %s (line %d)",
                       json ? "it is another value" : where.text, json ? 1 : where.line);
    struct reader r = {json, place, ret_job, ret, err};
    if (text.len > GITHUB_MESSAGE_MAX) {
        (void)!read_identity(&r);
        (void)!read_connection(&r);
        return too_large(text.len, err);
    }
    return parse(&r) < 0 ? err_in(err, "the job message cannot be read") : ERR_OK;
}

bool github_job_can_be_told(const struct github_job *g)
{
    return g->plan_id && g->job_id && g->url && g->token;
}

const struct github_step *github_step_find(const struct github_job *g, const char *record)
{
    for (size_t i = 0; i < g->n_steps; i++)
        if (strcmp(g->steps[i].record, record) == 0)
            return &g->steps[i];
    return NULL;
}

void github_job_deinit(struct github_job *g)
{
    if (g->token)
        explicit_bzero(g->token, strlen(g->token));
    free(g->token);
    arena_deinit(&g->arena);
    *g = (struct github_job){0};
}
