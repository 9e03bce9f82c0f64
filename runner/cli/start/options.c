#include "cli/start/options.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/utf8.h"
#include "cli/limit.h"
#include "cli/plugin_policy.h"
#include "cli/settings.h"
#include "cli/wrong_option.h"
#include "lang/cron.h"
#include "plugin/plugin.h"
#include "store/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { VALUE_MAX = 1 << 20, FILE_MAX = 4 << 20, SLOTS_MAX = 256, NEXT_MAX = 1000 };

enum option_id {
    OPT_CONFIG = 256,
    OPT_EVENT,
    OPT_EVENT_FILE,
    OPT_REF,
    OPT_BASE,
    OPT_ACTOR,
    OPT_BEFORE,
    OPT_TYPE,
    OPT_CHANGED,
    OPT_CHANGED_FILE,
    OPT_AT,
    OPT_NO_FILTER,
    OPT_JOB,
    OPT_MATRIX,
    OPT_INPUT,
    OPT_SECRET,
    OPT_SECRET_FILE,
    OPT_VAR,
    OPT_ENV,
    OPT_JOBS,
    OPT_ISOLATION,
    OPT_REPOSITORY,
    OPT_ACTION_SOURCE,
    OPT_PLUGINS,
    OPT_POLICY,
    OPT_NODE,
    OPT_IGNORED,
    OPT_DEBUG,
    OPT_KEEP,
    OPT_OFFLINE,
    OPT_CACHE_SIZE,
    OPT_PULL,
    OPT_STORE_SIZE,
    OPT_LIMIT,
    OPT_JSON,
    OPT_PLAN,
    OPT_GRAPH,
    OPT_NEXT,
};

const struct option run_options_table[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"event", required_argument, NULL, OPT_EVENT},
    {"event-file", required_argument, NULL, OPT_EVENT_FILE},
    {"ref", required_argument, NULL, OPT_REF},
    {"base", required_argument, NULL, OPT_BASE},
    {"actor", required_argument, NULL, OPT_ACTOR},
    {"before", required_argument, NULL, OPT_BEFORE},
    {"type", required_argument, NULL, OPT_TYPE},
    {"changed", required_argument, NULL, OPT_CHANGED},
    {"changed-file", required_argument, NULL, OPT_CHANGED_FILE},
    {"at", required_argument, NULL, OPT_AT},
    {"no-filter", no_argument, NULL, OPT_NO_FILTER},
    {"job", required_argument, NULL, OPT_JOB},
    {"matrix", required_argument, NULL, OPT_MATRIX},
    {"input", required_argument, NULL, OPT_INPUT},
    {"secret", required_argument, NULL, OPT_SECRET},
    {"secret-file", required_argument, NULL, OPT_SECRET_FILE},
    {"var", required_argument, NULL, OPT_VAR},
    {"env", required_argument, NULL, OPT_ENV},
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"isolation", required_argument, NULL, OPT_ISOLATION},
    {"local-repository", required_argument, NULL, OPT_REPOSITORY},
    {"action-source", required_argument, NULL, OPT_ACTION_SOURCE},
    {"plugins", required_argument, NULL, OPT_PLUGINS},
    {"plugin-policy", required_argument, NULL, OPT_POLICY},
    {"node", required_argument, NULL, OPT_NODE},
    {"with-ignored", no_argument, NULL, OPT_IGNORED},
    {"debug", no_argument, NULL, OPT_DEBUG},
    {"keep", no_argument, NULL, OPT_KEEP},
    {"offline", no_argument, NULL, OPT_OFFLINE},
    {"cache-size", required_argument, NULL, OPT_CACHE_SIZE},
    {"pull", no_argument, NULL, OPT_PULL},
    {"store-size", required_argument, NULL, OPT_STORE_SIZE},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"json", no_argument, NULL, OPT_JSON},
    {"plan", no_argument, NULL, OPT_PLAN},
    {"dry-run", no_argument, NULL, OPT_PLAN},
    {"graph", required_argument, NULL, OPT_GRAPH},
    {"next", required_argument, NULL, OPT_NEXT},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

void run_options_init(struct run_options *o)
{
    *o = (struct run_options){
        .event_name = "push",
        .inputs = STRMAP_INIT_NOCASE,
        .secrets = STRMAP_INIT_NOCASE,
        .vars = STRMAP_INIT_NOCASE,
        .repositories = STRMAP_INIT_NOCASE,
        .plugins = STRMAP_INIT_NOCASE,
    };
}

void run_options_deinit(struct run_options *o)
{
    strmap_deinit(&o->inputs);
    strmap_deinit(&o->secrets);
    strmap_deinit(&o->vars);
    strmap_deinit(&o->env);
    strmap_deinit(&o->variables);
    strmap_deinit(&o->repositories);
    strmap_deinit(&o->plugins);
    config_deinit(&o->config);
    vec_deinit(&o->files);
    vec_deinit(&o->changed);
    vec_deinit(&o->jobs);
    vec_deinit(&o->matrix);
    vec_deinit(&o->keep_env);
    json_decref(o->event_file);
    arena_deinit(&o->arena);
}

static int split(const char *option, const char *text, struct slice *ret_name,
                 struct slice *ret_value, struct err *err)
{
    struct slice all = slice_of(text);
    ssize_t at = slice_find_char(all, '=');

    if (at <= 0)
        return err_set(err, ERR_INVALID, "--%s wants NAME=VALUE, not '%.80s'", option, text);
    *ret_name = slice_head(all, (size_t)at);
    *ret_value = slice_from(all, (size_t)at + 1);
    return ERR_OK;
}

static int add_pair(struct strmap *to, const char *option, const char *text, struct err *err)
{
    struct slice name, value;
    int r = split(option, text, &name, &value, err);

    if (r == ERR_OK)
        strmap_set(to, name, value);
    return r;
}

/* NAME=VALUE, or NAME with the value from our environment: a secret in argv can be read by all users. */
static int add_secret(struct run_options *o, const char *text, struct err *err)
{
    if (strchr(text, '=') || !*text)
        return add_pair(&o->secrets, "secret", text, err);
    const char *value = settings_env(text);
    if (!value)
        return err_set(err, ERR_INVALID,
                       "--secret %s: there is no such environment variable (or write %s=VALUE)",
                       text, text);
    strmap_set(&o->secrets, slice_of(text), slice_of(value));
    return ERR_OK;
}

/* ---- files of secrets: NAME=VALUE lines, # comments, values in quotes may span lines ---- */

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", s.ptr[i]))
            return false;
    return s.len && !(s.ptr[0] >= '0' && s.ptr[0] <= '9');
}

static int parse_secrets(struct run_options *o, const char *path, struct slice text,
                         struct err *err)
{
    struct slice line;

    for (int number = 1; slice_line(&text, &line); number++) {
        struct slice trimmed = slice_trim(line), name, value;
        ssize_t at = slice_find_char(trimmed, '=');

        if (!trimmed.len || trimmed.ptr[0] == '#')
            continue;
        if (slice_starts(trimmed, SLICE("export ")))
            trimmed = slice_trim(slice_from(trimmed, 7)), at = slice_find_char(trimmed, '=');
        name = slice_trim(slice_head(trimmed, at < 0 ? 0 : (size_t)at));
        if (at < 0 || !is_name(name)) /* the line itself may be a secret: never shown */
            return err_set(err, ERR_INVALID, "%s:%d: not of the form NAME=VALUE", path, number);
        value = slice_trim(slice_from(trimmed, (size_t)at + 1));
        if (value.len && (value.ptr[0] == '"' || value.ptr[0] == '\'')) {
            const char *start = value.ptr + 1, *end = text.ptr + text.len;
            const char *close = memchr(start, value.ptr[0], (size_t)(end - start));

            if (!close)
                return err_set(err, ERR_INVALID, "%s:%d: the value's quote is never closed", path,
                               number);
            value = slice_make(start, (size_t)(close - start));
            for (size_t i = 0; i < value.len; i++)
                number += value.ptr[i] == '\n';
            const char *rest = memchr(close, '\n', (size_t)(end - close));
            text = rest ? slice_make(rest + 1, (size_t)(end - rest - 1)) : slice_make(end, 0);
        }
        strmap_set(&o->secrets, name, value);
    }
    return ERR_OK;
}

static int load_secrets(struct run_options *o, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FILE_MAX);
    struct stat st;
    int r = path_open_named(path, &fd, err);

    if (r < 0)
        return err_in(err, "--secret-file");
    if (fstat(fd, &st) < 0)
        return err_sys(err, "--secret-file: cannot look at '%s'", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "--secret-file: '%s' is a folder", path);
    if (S_ISREG(st.st_mode) && (st.st_mode & 077))
        fprintf(stderr,
                "ostler: warning: the secrets in '%s' can be read by other users: chmod 600 '%s'\n",
                path, path);
    r = fd_read_all(fd, &text, err);
    if (r == ERR_OK)
        r = parse_secrets(o, path, buf_slice(&text), err);
    else
        (void)err_in(err, "--secret-file '%s'", path);
    explicit_bzero(text.ptr, text.len);
    return r;
}

static int load_event(struct run_options *o, const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FILE_MAX);
    json_error_t problem;
    int r = path_read_named(path, &text, err);

    if (r < 0)
        return err_in(err, "--event-file");
    json_decref(o->event_file);
    o->event_file = json_loadb(text.ptr, text.len, 0, &problem);
    if (!o->event_file)
        return err_set(err, ERR_INVALID, "%s:%d:%d: %s", path, problem.line, problem.column,
                       problem.text);
    if (!json_is_object(o->event_file))
        return err_set(err, ERR_INVALID, "%s: an event is a JSON object", path);
    return ERR_OK;
}

static int set_isolation(struct run_options *o, const char *text, struct err *err)
{
    if (strcmp(text, "sandbox") != 0 && strcmp(text, "host") != 0)
        return err_set(err, ERR_INVALID, "--isolation is 'sandbox' or 'host', not '%.40s'", text);
    o->isolation = text;
    o->isolation_required = true; /* who asks for it by name wants no fallback */
    return ERR_OK;
}

static int add_env(struct run_options *o, const char *text, struct err *err)
{
    if (strchr(text, '=') || !*text)
        return add_pair(&o->env, "env", text, err);
    if (!settings_env(text))
        return err_set(err, ERR_INVALID,
                       "--env %s: there is no such environment variable (or write %s=VALUE)", text,
                       text);
    vec_push(&o->keep_env, text);
    return ERR_OK;
}

static int add_matrix(struct run_options *o, const char *text, struct err *err)
{
    struct slice name, value;
    int r = split("matrix", text, &name, &value, err);

    if (r == ERR_OK)
        vec_push(&o->matrix,
                 (struct local_pair){arena_str(&o->arena, name), arena_str(&o->arena, value)});
    return r;
}

static int add_repository(struct run_options *o, const char *text, struct err *err)
{
    struct slice name, value;
    int r = split("local-repository", text, &name, &value, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) char *path = realpath(value.ptr, NULL);
    if (!path)
        return err_sys(err, "--local-repository: cannot use '%s'", value.ptr);
    strmap_set(&o->repositories, name, slice_of(path));
    return ERR_OK;
}

/* "never", or "actions/cache=never" for one of them. */
static int add_preference(struct run_options *o, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    struct slice id = equals ? slice_head(slice_of(text), (size_t)(equals - text)) : SLICE("*");
    const char *what = equals ? equals + 1 : text;

    if (!plugin_is_preference(what))
        return err_set(err, ERR_INVALID, "--plugins is 'installed', 'never' or 'only', not '%.40s'",
                       what);
    if (equals && (slice_find_char(id, '/') <= 0 || slice_find_char(id, '@') >= 0))
        return err_set(err, ERR_INVALID,
                       "--plugins wants the name of an action before the '=', without a version: "
                       "'actions/cache=%s'",
                       what);
    strmap_set(&o->plugins, id, slice_of(what));
    return ERR_OK;
}

static int set_node(struct run_options *o, const char *text, struct err *err)
{
    CLEANUP(free_ptr) char *path = realpath(text, NULL);

    if (!path || access(path, X_OK) < 0)
        return err_sys(err, "--node: cannot use '%s'", text);
    o->node = arena_str(&o->arena, slice_of(path));
    return ERR_OK;
}

/* ---- what changed, and when ---- */

enum { CHANGED_MAX = 100000 };

static int add_changed(struct run_options *o, struct slice path, struct err *err)
{
    while (slice_starts(path, SLICE("./")))
        path = slice_from(path, 2);
    struct slice rest = path, part;
    bool up = false;

    while (slice_split(&rest, '/', &part))
        up |= slice_eq(part, SLICE(".."));
    if (path.len == 0 || path.ptr[0] == '/' || up)
        return err_set(err, ERR_INVALID,
                       "'%.*s' is no path of a changed file: they start at the repository's root, "
                       "as 'docs/index.md'",
                       SLICE_ARG(slice_head(path, 100)));
    if (o->changed.len == CHANGED_MAX)
        return err_set(err, ERR_LIMIT, "more than %d changed files", CHANGED_MAX);
    vec_push(&o->changed, arena_dup(&o->arena, path));
    return ERR_OK;
}

/* A path a line; where there are NUL bytes, as in "git diff -z", they end the paths. */
static int load_changed(struct run_options *o, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FILE_MAX);
    bool from_stdin = strcmp(path, "-") == 0;
    struct slice rest, one;
    int r = from_stdin ? ERR_OK : path_open_named(path, &fd, err);

    if (r == ERR_OK)
        r = fd_read_all(from_stdin ? STDIN_FILENO : fd, &text, err);
    if (r < 0)
        return err_in(err, "--changed-file '%s'", path);
    rest = buf_slice(&text);
    bool zero = slice_find_char(rest, '\0') >= 0;
    while (r == ERR_OK && (zero ? slice_split(&rest, '\0', &one) : slice_line(&rest, &one)))
        if (one.len)
            r = add_changed(o, one, err);
    return r < 0 ? err_in(err, "--changed-file '%s'", path) : r;
}

static int set_time(struct run_options *o, const char *text, struct err *err)
{
    int r = ERR_OK;

    o->has_at = true;
    o->at = time(NULL);
    if (strcmp(text, "now") != 0)
        r = cron_stamp_parse(slice_of(text), &o->at, err);
    return r < 0 ? err_in(err, "--at") : r;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* What is said of another event would be lost without a word. */
static int check_event(struct run_options *o, struct err *err)
{
    bool push = strcmp(o->event_name, "push") == 0;
    bool pull = strcmp(o->event_name, "pull_request") == 0 ||
                strcmp(o->event_name, "pull_request_target") == 0;

    if (o->before && !push)
        return err_set(err, ERR_INVALID, "--before goes with '--event push' only");
    if (o->knows_changed && !push && !pull)
        return err_set(err, ERR_INVALID,
                       "the event '%s' has no changed files: --changed goes with push and "
                       "pull_request",
                       o->event_name);
    if (o->has_at && strcmp(o->event_name, "schedule") != 0 && !o->next)
        return err_set(err, ERR_INVALID, "--at goes with '--event schedule' only");
    if (o->changed.len)
        qsort(o->changed.ptr, o->changed.len, sizeof *o->changed.ptr, by_bytes);
    return ERR_OK;
}

static int set_graph(struct run_options *o, const char *text, struct err *err)
{
    if (strcmp(text, "mermaid") != 0 && strcmp(text, "dot") != 0 && strcmp(text, "ascii") != 0)
        return err_set(err, ERR_INVALID, "--graph is 'mermaid', 'dot' or 'ascii', not '%.40s'",
                       text);
    o->graph = text;
    return ERR_OK;
}

static int check_plan(const struct run_options *o, struct err *err)
{
    if (o->pull && o->offline)
        return err_set(err, ERR_INVALID, "'--pull' fetches images, which '--offline' forbids");
    if ((o->graph || o->next) && !o->plan)
        return err_set(err, ERR_INVALID, "--%s goes with 'ostler plan'",
                       o->graph ? "graph" : "next");
    if (o->graph && o->json)
        return err_set(err, ERR_INVALID, "--graph and --json: one of them");
    if (o->graph && o->next)
        return err_set(err, ERR_INVALID, "--graph and --next: one of them");
    return ERR_OK;
}

static int take(struct run_options *o, int option, const char *text, struct err *err)
{
    int64_t n = 0;
    int r = ERR_OK;

    if (text && strlen(text) > VALUE_MAX)
        return err_set(err, ERR_LIMIT, "an option's value is larger than %d bytes", VALUE_MAX);
    switch (option) {
    case OPT_CONFIG:
        break; /* read before all others: take_configuration() */
    case OPT_EVENT:
        o->event_name = text;
        break;
    case OPT_EVENT_FILE:
        return load_event(o, text, err);
    case OPT_REF:
        o->ref = text;
        break;
    case OPT_BASE:
        o->base = text;
        break;
    case OPT_ACTOR:
        o->actor = text;
        break;
    case OPT_BEFORE:
        o->before = text;
        break;
    case OPT_TYPE:
        o->activity = text;
        break;
    case OPT_CHANGED:
        o->knows_changed = true;
        r = add_changed(o, slice_of(text), err);
        return r < 0 ? err_in(err, "--changed") : r;
    case OPT_CHANGED_FILE:
        o->knows_changed = true;
        return load_changed(o, text, err);
    case OPT_AT:
        return set_time(o, text, err);
    case OPT_NO_FILTER:
        o->no_filter = true;
        break;
    case OPT_JOB:
        vec_push(&o->jobs, text);
        break;
    case OPT_MATRIX:
        return add_matrix(o, text, err);
    case OPT_INPUT:
        return add_pair(&o->inputs, "input", text, err);
    case OPT_SECRET:
        return add_secret(o, text, err);
    case OPT_SECRET_FILE:
        return load_secrets(o, text, err);
    case OPT_VAR:
        return add_pair(&o->vars, "var", text, err);
    case OPT_ENV:
        return add_env(o, text, err);
    case OPT_JOBS:
        r = num_parse_i64(slice_of(text), 1, SLOTS_MAX, &n, err);
        o->slots = (int)n;
        return r < 0 ? err_in(err, "--jobs") : r;
    case OPT_ISOLATION:
        return set_isolation(o, text, err);
    case OPT_REPOSITORY:
        return add_repository(o, text, err);
    case OPT_ACTION_SOURCE:
        r = source_parse(&o->arena, text, &o->action_source, err);
        return r < 0 ? err_in(err, "--action-source") : r;
    case OPT_PLUGINS:
        return add_preference(o, text, err);
    case OPT_POLICY:
        r = plugin_policy_read(&o->arena, text, &o->config, err);
        return r < 0 ? err_in(err, "--plugin-policy") : r;
    case OPT_NODE:
        return set_node(o, text, err);
    case OPT_IGNORED:
        o->ignored = true;
        break;
    case OPT_DEBUG:
        strmap_set(&o->variables, SLICE("ACTIONS_STEP_DEBUG"), SLICE("true"));
        break;
    case OPT_KEEP:
        o->keep = true;
        break;
    case OPT_OFFLINE:
        o->offline = true;
        break;
    case OPT_CACHE_SIZE:
        r = limit_parse_size(slice_of(text), &o->cache_size, err);
        return r < 0 ? err_in(err, "--cache-size") : r;
    case OPT_PULL:
        o->pull = true;
        break;
    case OPT_STORE_SIZE:
        r = limit_parse_size(slice_of(text), &o->store_size, err);
        return r < 0 ? err_in(err, "--store-size") : r;
    case OPT_LIMIT:
        r = limit_parse(slice_of(text), &o->limits, err);
        return r < 0 ? err_in(err, "--limit") : r;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_PLAN:
        o->plan = true;
        break;
    case OPT_GRAPH:
        return set_graph(o, text, err);
    case OPT_NEXT:
        r = num_parse_i64(slice_of(text), 1, NEXT_MAX, &n, err);
        o->next = (int)n;
        return r < 0 ? err_in(err, "--next") : r;
    case 'v':
        o->verbose = true;
        break;
    case 'h':
        o->help = true;
        break;
    default:
        BUG("option %d", option);
    }
    return ERR_OK;
}

/* What jobs are given travels as JSON and is read by expressions: bytes that are no text have no place there. */
static int check_text(const char *what, const struct strmap *values, struct err *err)
{
    STRMAP_EACH (v, values)
        if (utf8_valid(slice_make(v->value, v->value_len)) != v->value_len)
            return err_set(err, ERR_INVALID, "the %s '%s' is not UTF-8 text (base64 is)", what,
                           v->name);
    return ERR_OK;
}

static int check_texts(const struct run_options *o, struct err *err)
{
    if (check_text("secret", &o->secrets, err) < 0 || check_text("variable", &o->vars, err) < 0 ||
        check_text("input", &o->inputs, err) < 0 ||
        check_text("environment variable", &o->env, err) < 0)
        return err->code;
    return ERR_OK;
}

/* ---- where options come from: the configuration, then the command line ---- */

int run_options_set(struct run_options *o, const char *name, const char *value, struct err *err)
{
    const struct option *known = run_options_table;

    while (strcmp(known->name, name) != 0)
        known++;
    return take(o, known->val, value, err);
}

static int take_file(struct run_options *o, const char *path, bool (*wanted)(const char *name),
                     struct err *err)
{
    size_t from = o->config.options.len;
    int r = config_read(&o->arena, path, &o->config, err);

    for (size_t i = from; r == ERR_OK && i < o->config.options.len; i++) {
        const struct config_option *set = &o->config.options.ptr[i];

        if (wanted && !wanted(set->name))
            continue;
        r = run_options_set(o, set->name, set->value, err);
        if (r < 0)
            r = err_in(err, "%s:%d:%d", set->file, set->line, set->col);
    }
    return r;
}

/* A file that is named has to be there. */
int run_options_configure(struct run_options *o, const char *named,
                          bool (*wanted)(const char *name), struct err *err)
{
    const char *const one[] = {named, NULL};
    const char *const *files = named ? one : settings_config_files(&o->arena);

    for (; *files; files++) {
        int r = take_file(o, *files, wanted, err);

        if (r < 0 && (named || r != ERR_NOT_FOUND))
            return r;
        *err = (struct err)ERR_INIT;
    }
    return ERR_OK;
}

const char *run_options_named(int argc, char **argv, const char *shorts, const struct option *known,
                              int wanted)
{
    CLEANUP(free_ptr) char **copy = mem_new(((size_t)argc + 1) * sizeof *copy);
    const char *named = NULL;
    int option;

    memcpy(copy, argv, ((size_t)argc + 1) * sizeof *copy); /* it is put into another order */
    optind = 1;
    while ((option = getopt_long(argc, copy, shorts, known, NULL)) != -1)
        if (option == wanted)
            named = optarg;
    return named;
}

int run_options_parse(struct run_options *o, int argc, char **argv, struct err *err)
{
    int option;

    opterr = 0;
    int r = run_options_configure(
        o, run_options_named(argc, argv, ":vh", run_options_table, OPT_CONFIG), NULL, err);
    if (r < 0)
        return r;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":vh", run_options_table, NULL)) != -1) {
        if (option == '?' || option == ':')
            return wrong_option(option, argv, argv[0], run_options_table, err);
        r = take(o, option, optarg, err);
        if (r < 0)
            return r;
    }
    for (; optind < argc; optind++)
        vec_push(&o->files, argv[optind]);
    vec_push(&o->jobs, NULL);
    vec_push(&o->keep_env, NULL);
    if (!o->slots) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        o->slots = cores < 1 ? 1 : cores > SLOTS_MAX ? SLOTS_MAX : (int)cores;
    }
    r = check_texts(o, err);
    if (r == ERR_OK)
        r = check_plan(o, err);
    return r < 0 ? r : check_event(o, err);
}
