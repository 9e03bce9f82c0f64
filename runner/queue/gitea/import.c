#include "queue/gitea/import.h"

#include "base/buf.h"
#include "base/num.h"
#include "job/container/container_policy.h"
#include "lang/yaml.h"
#include "queue/gitea/env_file.h"
#include "queue/gitea/settings.h"

struct importing {
    struct gitea_import *to;
    const char *file;
};

/* ---- values ---- */

/* "1h30m", "500ms", "5s": a duration as Go writes it. */
static bool duration_ms(struct slice text, int64_t *ret)
{
    static const struct {
        struct slice unit;
        int64_t us;
    } units[] = {{SLICE_INIT("h"), 3600000000}, {SLICE_INIT("ms"), 1000},
                 {SLICE_INIT("m"), 60000000},   {SLICE_INIT("s"), 1000000},
                 {SLICE_INIT("us"), 1},         {SLICE_INIT("ns"), 0}};
    struct err ignored = ERR_INIT;
    int64_t total = 0, n, part;

    if (slice_eq(text, SLICE("0"))) {
        *ret = 0;
        return true;
    }
    for (size_t at, u; text.len; text = slice_from(text, at + units[u].unit.len)) {
        for (at = 0; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
            ;
        for (u = 0; u < COUNT_OF(units); u++)
            if (slice_starts(slice_from(text, at), units[u].unit))
                break;
        if (u == COUNT_OF(units) ||
            num_parse_i64(slice_head(text, at), 0, INT32_MAX, &n, &ignored) != ERR_OK ||
            __builtin_mul_overflow(n, units[u].us, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
    }
    *ret = total / 1000;
    return true;
}

static int wrong(struct importing *im, const struct token *at, const char *path, const char *want,
                 struct err *err)
{
    return err_set(err, ERR_INVALID, "%s:%d:%d: '%s' is no %s", im->file, at->line, at->col, path,
                   want);
}

static void set(struct importing *im, const char *key, json_t *take)
{
    json_object_set_new(im->to->extras, key, take);
}

static json_t *text_json(struct slice text)
{
    return json_stringn(text.ptr, text.len);
}

/* ---- options that have an equivalent ---- */

typedef int take_fn(struct importing *im, const char *path, const struct token *v, struct err *err);

static int take_file(struct importing *im, const char *path, const struct token *v, struct err *err)
{
    struct slice text = token_text(&im->to->arena, v);

    if (!text.ptr)
        return wrong(im, v, path, "file", err);
    if (text.len)
        im->to->runner_file = arena_str(&im->to->arena, text);
    return ERR_OK;
}

static int take_capacity(struct importing *im, const char *path, const struct token *v,
                         struct err *err)
{
    if (v->kind != TOKEN_NUMBER || v->number < 1 || v->number > SETTINGS_CAPACITY_MAX)
        return wrong(im, v, path, "number of jobs from 1 to 1000", err);
    set(im, "capacity", json_integer((json_int_t)v->number));
    return ERR_OK;
}

static int take_duration(struct importing *im, const char *path, const struct token *v,
                         const char *key, int64_t min, int64_t max, struct err *err)
{
    int64_t ms;

    if (!duration_ms(token_text(&im->to->arena, v), &ms))
        return wrong(im, v, path, "duration, as in 3h or 500ms", err);
    set(im, key, json_integer((json_int_t)(ms < min ? min : ms > max ? max : ms)));
    return ERR_OK;
}

static int take_timeout(struct importing *im, const char *path, const struct token *v,
                        struct err *err)
{
    return take_duration(im, path, v, "timeout_ms", 0, (int64_t)366 * 86400000, err);
}

static int take_interval(struct importing *im, const char *path, const struct token *v,
                         struct err *err)
{
    return take_duration(im, path, v, "fetch_interval_ms", SETTINGS_FETCH_MIN_MS,
                         SETTINGS_FETCH_MAX_MS, err);
}

static int take_image(struct importing *im, const char *path, const struct token *v,
                      struct err *err)
{
    struct slice text = token_text(&im->to->arena, v);

    if (!text.ptr)
        return wrong(im, v, path, "image", err);
    if (text.len)
        set(im, "default_image", text_json(text));
    return ERR_OK;
}

/* The object KEY of the extras, which is made when it is first asked for. */
static json_t *member_of(struct gitea_import *to, const char *key)
{
    json_t *member = json_object_get(to->extras, key);

    if (!member)
        json_object_set_new(to->extras, key, member = json_object());
    return member;
}

static int take_envs(struct importing *im, const char *path, const struct token *v, struct err *err)
{
    if (v->kind == TOKEN_NULL)
        return ERR_OK;
    if (v->kind != TOKEN_MAPPING)
        return wrong(im, v, path, "mapping of names to texts", err);
    for (size_t i = 0; i < v->n_pairs && i < SETTINGS_ENV_MAX; i++) {
        struct slice value = token_text(&im->to->arena, v->pairs[i].value);
        struct slice name = token_text(&im->to->arena, v->pairs[i].key);

        if (!value.ptr || !name.len)
            return wrong(im, v->pairs[i].key, path, "mapping of names to texts", err);
        json_object_set_new(member_of(im->to, "env"), arena_str(&im->to->arena, name),
                            text_json(value));
    }
    return ERR_OK;
}

static int take_env_file(struct importing *im, const char *path, const struct token *v,
                         struct err *err)
{
    struct slice text = token_text(&im->to->arena, v);

    if (!text.ptr)
        return wrong(im, v, path, "file", err);
    im->to->env_file = text.len ? arena_str(&im->to->arena, text) : NULL;
    return ERR_OK;
}

/* ---- containers ---- */

static int take_flag(struct importing *im, const char *path, const struct token *v, bool *ret,
                     struct err *err)
{
    if (v->kind != TOKEN_BOOL && v->kind != TOKEN_NULL)
        return wrong(im, v, path, "true or false", err);
    *ret = v->kind == TOKEN_BOOL && v->boolean;
    return ERR_OK;
}

/* What KEY of our own policy is; it is to be a right one. */
static int put(struct importing *im, const char *path, const struct token *v, const char *key,
               json_t *take_value, struct err *err)
{
    json_object_set_new(member_of(im->to, "containers"), key, take_value);
    if (container_policy_member(key, take_value, err) != ERR_OK)
        return err_in(err, "%s:%d:%d: '%s'", im->file, v->line, v->col, path);
    return ERR_OK;
}

/* Adds OPTIONS to those that each container gets. */
static int put_added(struct importing *im, const char *path, const struct token *v,
                     struct slice options, struct err *err)
{
    const char *before = json_string_value(json_object_get(member_of(im->to, "containers"), "add"));

    return put(im, path, v, "add",
               json_string(arena_printf(&im->to->arena, "%s%s%.*s", before ? before : "",
                                        before ? " " : "", SLICE_ARG(options))),
               err);
}

static int take_privileged(struct importing *im, const char *path, const struct token *v,
                           struct err *err)
{
    bool on;
    int r = take_flag(im, path, v, &on, err);

    if (r < 0 || !on)
        return r;
    r = put(im, path, v, "options", json_pack("[s]", "--privileged"), err);
    return r < 0 ? r : put_added(im, path, v, SLICE("--privileged"), err);
}

static int take_container_options(struct importing *im, const char *path, const struct token *v,
                                  struct err *err)
{
    struct slice text = slice_trim(token_text(&im->to->arena, v));

    return text.len ? put_added(im, path, v, text, err) : ERR_OK;
}

static int take_network(struct importing *im, const char *path, const struct token *v,
                        struct err *err)
{
    struct slice text = token_text(&im->to->arena, v);
    bool old_way = slice_ends(slice_of(path), SLICE("_mode")); /* where "bridge" meant one's own */

    if (!text.len || (old_way && slice_eq(text, SLICE("bridge"))))
        return ERR_OK;
    return put(im, path, v, "network", text_json(text), err);
}

/* "*" of theirs is any run of characters, slashes too (gobwas/glob without separators). */
static const char *volume_pattern(struct arena *a, struct slice text)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(2 * IMPORT_SIZE_MAX);

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '*')
            buf_add_char(&out, text.ptr[i]);
        else if (i == 0 || text.ptr[i - 1] != '*')
            buf_add_str(&out, "**");
    }
    return arena_str(a, buf_slice(&out));
}

static void note(struct importing *im, const char *path, const char *text);

static int take_volumes(struct importing *im, const char *path, const struct token *v,
                        struct err *err)
{
    json_t *list = json_array();

    if (v->kind != TOKEN_SEQUENCE && v->kind != TOKEN_NULL) {
        json_decref(list);
        return wrong(im, v, path, "list of volumes", err);
    }
    for (size_t i = 0; v->kind == TOKEN_SEQUENCE && i < v->n_items; i++) {
        struct slice text = token_text(&im->to->arena, v->items[i]);
        const char *pattern = volume_pattern(&im->to->arena, text);
        bool more = strpbrk(pattern, "?[]{}\\!") || (strchr(pattern, '/') && *pattern != '/');

        if (more)
            note(im, path,
                 arena_printf(&im->to->arena,
                              "'%s' is left out: volumes here are names and whole paths, in which "
                              "only '*' and '**' mean something: say it anew in 'containers: "
                              "{volumes}' of .runner",
                              pattern));
        else if (*pattern)
            json_array_append_new(list, json_string(pattern));
    }
    return put(im, path, v, "volumes", list, err);
}

static int take_pull(struct importing *im, const char *path, const struct token *v, struct err *err)
{
    bool on = false;
    int r = take_flag(im, path, v, &on, err);

    if (on)
        set(im, "pull", json_true());
    return r;
}

/* "-" and Forgejo's "" show jobs no socket; act_runner's "" does. Where it may be either, they get none. */
static int take_docker_host(struct importing *im, const char *path, const struct token *v,
                            struct err *err)
{
    struct slice text = token_text(&im->to->arena, v);

    if (slice_eq(text, SLICE("-")))
        return put(im, path, v, "socket", json_false(), err);
    if (slice_eq(text, SLICE("automount")))
        return put(im, path, v, "socket", json_true(), err);
    if (text.len)
        set(im, "engine", text_json(text));
    note(im, path,
         "jobs are not shown the engine's socket, as act_runner does: 'containers: {\"socket\": "
         "true}' in .runner shows it to them, and this machine with it");
    return ERR_OK;
}

/* ---- caches ---- */

static int take_caches(struct importing *im, const char *path, const struct token *v,
                       struct err *err)
{
    bool on = true;
    int r = take_flag(im, path, v, &on, err);

    if (!on && v->kind == TOKEN_BOOL)
        json_object_set_new(member_of(im->to, "env"), "ACTIONS_CACHE_URL", json_string(""));
    return r;
}

static int take_cache_server(struct importing *im, const char *path, const struct token *v,
                             struct err *err)
{
    struct slice text = token_text(&im->to->arena, v);

    if (!text.ptr && v->kind != TOKEN_NULL)
        return wrong(im, v, path, "address", err);
    if (text.len)
        json_object_set_new(member_of(im->to, "env"), "ACTIONS_CACHE_URL", text_json(text));
    return ERR_OK;
}

static int take_nothing(struct importing *im, const char *path, const struct token *v,
                        struct err *err)
{
    bool ignored; /* whatever it says: so it is here */

    return take_flag(im, path, v, &ignored, err);
}

static int take_labels(struct importing *im, const char *path, const struct token *v,
                       struct err *err)
{
    struct gitea_import *to = im->to;
    const char **list;

    if (v->kind == TOKEN_NULL)
        return ERR_OK;
    if (v->kind != TOKEN_SEQUENCE || v->n_items > LABELS_MAX)
        return wrong(im, v, path, "list of at most 100 labels", err);
    list = arena_array(&to->arena, v->n_items + 1, sizeof *list);
    for (size_t i = 0; i < v->n_items; i++) {
        struct slice text = token_text(&to->arena, v->items[i]);
        struct label ignored;

        if (!text.len)
            return wrong(im, v->items[i], path, "list of labels", err);
        list[i] = arena_str(&to->arena, text);
        if (label_parse(&to->arena, list[i], &ignored, err) != ERR_OK)
            return err_in(err, "%s:%d:%d", im->file, v->items[i]->line, v->items[i]->col);
    }
    if (v->n_items)
        to->labels = list;
    return ERR_OK;
}

/* ---- all options ---- */

/* USUAL: what the programs do when nothing is said, separated by '|'; such a value needs no note, as an empty one, false
 * and 0 do not. A note says what to do instead. */
static const struct option {
    const char *path;
    take_fn *take;
    const char *usual, *note;
} options[] = {
    {"log.level", NULL, "info",
     "each line has its level: 'journalctl -p warning' shows fewer; of a job the secret "
     "ACTIONS_STEP_DEBUG shows more"},
    {"log.job_level", NULL, "info", "the lines of the runner are always in a job's log"},
    {"log.job.dir", NULL, "", "every job is recorded: see 'ostler runs' and 'ostler logs'"},
    {"log.job.retention", NULL, "168h", "'ostler listen' keeps its records by their size"},
    {"log.job.max_size", NULL, "1GB", "'ostler listen' keeps its records by their size"},
    {"runner.file", take_file, NULL, NULL},
    {"runner.capacity", take_capacity, NULL, NULL},
    {"runner.envs", take_envs, NULL, NULL},
    {"runner.env_file", take_env_file, NULL, NULL},
    {"runner.timeout", take_timeout, NULL, NULL},
    {"runner.shutdown_timeout", NULL, "0s|3h",
     "say it in the configuration of ostler: 'listen: {drain-time: 3h}'"},
    {"runner.insecure", NULL, "false",
     "name the server's own authority in SSL_CERT_FILE; or GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY=1 "
     "in .env beside the configuration of ostler checks none"},
    {"runner.fetch_timeout", NULL, "5s",
     "a request for a job is never cut off before a minute: it could have been given one"},
    {"runner.fetch_interval", take_interval, NULL, NULL},
    {"runner.fetch_interval_max", NULL, "5s",
     "a server without jobs is asked less often by itself"},
    {"runner.report_interval", NULL, "1s", "reports are sent every second while there are any"},
    {"runner.report_retry.max_retries", NULL, "10", "results are sent again until they are stored"},
    {"runner.report_retry.initial_delay", NULL, "100ms", "results are sent until they are stored"},
    {"runner.report_retry.max_delay", NULL, "0s", "results are sent again until they are stored"},
    {"runner.log_report_interval", NULL, "5s", "logs are sent every second while there are any"},
    {"runner.log_report_max_latency", NULL, "3s", "logs are sent every second while there are any"},
    {"runner.log_report_batch_size", NULL, "100", "logs are sent every second while there are any"},
    {"runner.state_report_interval", NULL, "5s", "a job's state is sent every five seconds"},
    {"runner.report_close_timeout", NULL, "10s", "results are sent again until they are stored"},
    {"runner.github_mirror", NULL, "", "set 'action-source' in the configuration of ostler"},
    {"runner.labels", take_labels, NULL, NULL},
    {"runner.action_shallow_clone", NULL, "true",
     "actions are always fetched without their history"},
    {"runner.set_act_env", NULL, "true", "ACT is not set; write 'env: {ACT: \"true\"}' in .runner"},
    {"runner.patch_actions", NULL, "true",
     "actions run as they were written; those of artifacts want a server named *.localhost"},
    {"runner.allocate_pty", NULL, "false", "steps have no terminal"},
    {"runner.default_image", take_image, NULL, NULL},
    {"runner.tool_cache_mode", NULL, "none",
     "each job has a tool cache of its own, filled by its actions"},
    {"runner.workdir_cleanup_age", NULL, "24h", "a job's folder is removed when the job ends"},
    {"runner.idle_cleanup_interval", NULL, "10m", "a job's folder is removed when the job ends"},
    {"runner.post_task_script", NULL, "",
     "write a hook: ACTIONS_RUNNER_HOOK_JOB_COMPLETED names a script that ends each job"},
    {"runner.post_task_script_timeout", NULL, "5m", "a hook has the time that its job has"},
    {"runner.hooks.job_started", NULL, "", "name the script in ACTIONS_RUNNER_HOOK_JOB_STARTED"},
    {"runner.hooks.job_completed", NULL, "",
     "name the script in ACTIONS_RUNNER_HOOK_JOB_COMPLETED"},
    {"cache.enabled", take_caches, NULL, NULL},
    {"cache.dir", NULL, "",
     "caches lie below the cache folder of whoever runs 'ostler listen' (XDG_CACHE_HOME)"},
    {"cache.host", NULL, "", "caches are served to each job where the job is"},
    {"cache.port", NULL, "0", "caches are served to each job where the job is"},
    {"cache.external_server", take_cache_server, NULL, NULL},
    {"cache.external_secret", NULL, "",
     "jobs are not announced to a server of caches: one that wants that refuses them; without "
     "'external_server' this machine serves caches"},
    {"cache.external_secret_file", NULL, "",
     "jobs are not announced to a server of caches: one that wants that refuses them; without "
     "'external_server' this machine serves caches"},
    {"cache.offline_mode", NULL, "false", "set 'offline: true' in the configuration of ostler"},
    {"cache.v2", NULL, "true", "both versions are served"},
    {"cache.secret", NULL, "", "each job has a token of its own for its caches"},
    {"cache.proxy_port", NULL, "0", "caches are served to each job where the job is"},
    {"cache.actions_cache_url_override", take_cache_server, NULL, NULL},
    {"cache.retention", NULL, "168h", "caches are kept by their size: 'cache-size'"},
    {"cache.repo_size_limit", NULL, "10GB", "set 'cache-size' in the configuration of ostler"},
    {"cache.size_limit", NULL, "0", "set 'cache-size' in the configuration of ostler"},
    {"cache.sweep_interval", NULL, "1h", "caches are kept by their size: 'cache-size'"},
    {"container.network", take_network, NULL, NULL},
    {"container.network_mode", take_network, NULL, NULL},
    {"container.network_create_options.enable_ipv4", NULL, "true",
     "networks are the engine's usual"},
    {"container.network_create_options.enable_ipv6", NULL, "false",
     "networks are the engine's usual"},
    {"container.enable_ipv6", NULL, "false", "networks are the engine's usual"},
    {"container.privileged", take_privileged, NULL, NULL},
    {"container.options", take_container_options, NULL, NULL},
    {"container.workdir_parent", NULL, "/workspace|workspace",
     "the workspace is where GITHUB_WORKSPACE says, as on GitHub"},
    {"container.valid_volumes", take_volumes, NULL, NULL},
    {"container.docker_host", take_docker_host, NULL, NULL},
    {"container.force_pull", take_pull, NULL, NULL},
    {"container.force_rebuild", take_nothing, NULL, NULL},
    {"container.require_docker", NULL, "false", "'ostler doctor' says whether there is an engine"},
    {"container.docker_timeout", NULL, "0s", "'ostler doctor' says whether there is an engine"},
    {"container.bind_workdir", take_nothing, NULL, NULL},
    {"container.service_ready_timeout", NULL, "5m", "the health check of the service decides"},
    {"host.workdir_parent", NULL, "",
     "say it in the configuration of ostler: 'listen: {work: FOLDER}'"},
    {"health_check.enabled", NULL, "false", "see 'health' in the manual of 'ostler listen'"},
    {"health_check.min_free_disk_space_mb", NULL, "1024",
     "say it in the configuration of ostler: 'listen: {min-free: 1G}'"},
    {"health_check.script", NULL, "", "see 'health' in the manual of 'ostler listen'"},
    {"health_check.interval", NULL, "30s", "see 'health' in the manual of 'ostler listen'"},
    {"health_check.timeout", NULL, "10s", "see 'health' in the manual of 'ostler listen'"},
    {"metrics.enabled", NULL, "false",
     "say it in the configuration of ostler: 'listen: {address: 127.0.0.1:9101}'"},
    {"metrics.addr", NULL, "127.0.0.1:9101",
     "say it in the configuration of ostler: 'listen: {address: 127.0.0.1:9101}'"},
    {"metrics.readiness_grace", NULL, "30s", "readiness is what the server says of us"},
};

static const struct option *find_option(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (strcmp(options[i].path, path) == 0)
            return &options[i];
    return NULL;
}

static bool is_section(const char *path)
{
    struct slice p = slice_of(path);

    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (slice_starts(slice_of(options[i].path), p) && options[i].path[p.len] == '.')
            return true;
    return false;
}

/* Does the value say nothing that the program would not do without it? */
static bool is_usual(struct arena *a, const struct option *o, const struct token *v)
{
    struct slice text = token_text(a, v), rest = slice_of(o->usual), one;

    if (v->kind == TOKEN_SEQUENCE || v->kind == TOKEN_MAPPING)
        return (v->kind == TOKEN_SEQUENCE ? v->n_items : v->n_pairs) == 0;
    if (text.len == 0)
        return true;
    while (slice_split(&rest, '|', &one))
        if (slice_eq(one, text))
            return true;
    return false;
}

static void note(struct importing *im, const char *path, const char *text)
{
    vec_push(&im->to->notes, arena_printf(&im->to->arena, "%s: %s", path, text));
}

static int take_option(struct importing *im, const char *path, const struct token *v,
                       struct err *err)
{
    const struct option *o = find_option(path);

    if (!o)
        note(im, path, "an option that is not known; it is left out");
    else if (o->take)
        return o->take(im, path, v, err);
    else if (!is_usual(&im->to->arena, o, v))
        note(im, path, arena_printf(&im->to->arena, "not taken over: %s", o->note));
    return ERR_OK;
}

enum { DEPTH_MAX = 4 };

static int take_section(struct importing *im, const char *above, const struct token *map, int depth,
                        struct err *err)
{
    for (size_t i = 0; i < map->n_pairs; i++) {
        struct slice key = token_text(&im->to->arena, map->pairs[i].key);
        const struct token *v = map->pairs[i].value;
        const char *path = arena_printf(&im->to->arena, "%s%s%.*s", above, *above ? "." : "",
                                        key.len > 100 ? 100 : (int)key.len, key.len ? key.ptr : "");
        int r = ERR_OK;

        if (strcmp(path, "server") == 0)
            note(im, path,
                 "its connections are registrations of their own: for each, 'ostler register --url "
                 "URL --uuid UUID --token-file FILE'");
        else if (!is_section(path))
            r = take_option(im, path, v, err);
        else if (v->kind == TOKEN_MAPPING && depth < DEPTH_MAX)
            r = take_section(im, path, v, depth + 1, err);
        else if (v->kind != TOKEN_NULL)
            r = wrong(im, v, path, "mapping of options", err);
        if (r != ERR_OK)
            return r;
    }
    return ERR_OK;
}

static int read_tree(struct importing *im, struct slice text, struct token **ret, struct err *err)
{
    CLEANUP(diags_deinit) struct diags diags = {.arena = &im->to->arena};
    const struct yaml_limits limits = {.size = IMPORT_SIZE_MAX};

    if (yaml_parse(&im->to->arena, text, im->file, 1, &limits, ret, &diags) == ERR_OK)
        return ERR_OK;
    if (diags.list.len == 0)
        return err_set(err, ERR_INVALID, "'%s' is no YAML", im->file);
    const struct diag *d = &diags.list.ptr[0];
    return err_set(err, ERR_INVALID, "%s:%d:%d: %.*s", im->file, d->line, d->col,
                   SLICE_ARG(d->message));
}

int gitea_import_read(struct slice text, const char *file, struct gitea_import *ret,
                      struct err *err)
{
    struct importing im = {.to = ret, .file = file};
    struct token *root;
    int r;

    *ret = (struct gitea_import){.runner_file = ".runner", .extras = json_object()};
    r = read_tree(&im, text, &root, err);
    if (r == ERR_OK && root->kind != TOKEN_MAPPING)
        r = wrong(&im, root, "the file", "configuration of act_runner or forgejo-runner", err);
    if (r == ERR_OK)
        r = take_section(&im, "", root, 0, err);
    if (r != ERR_OK)
        gitea_import_deinit(ret);
    return r;
}

int gitea_import_env(struct gitea_import *i, struct slice text, const char *file, struct err *err)
{
    json_t *env = member_of(i, "env");
    int r = env_file_read(text, file, env, err);

    if (r == ERR_OK && json_object_size(env) > SETTINGS_ENV_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d variables", file, SETTINGS_ENV_MAX);
    return r;
}

void gitea_import_deinit(struct gitea_import *i)
{
    json_decref(i->extras);
    vec_deinit(&i->notes);
    arena_deinit(&i->arena);
    *i = (struct gitea_import){0};
}
