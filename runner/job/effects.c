#include "job/effects.h"

#include "base/path.h"
#include "job/container/job_container.h"
#include "job/contexts.h"
#include "job/lanes.h"
#include "job/log/work_tree.h"
#include "job/place.h"
#include "job/steps.h"
#include "job/switches.h"

#include <unistd.h>

/* ---- the effects ---- */

int effects_set_env(struct step_run *s, struct slice name, struct slice value, struct err *err)
{
    if (slice_eq_nocase(name, SLICE("NODE_OPTIONS")))
        return err_set(err, ERR_DENIED,
                       "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' "
                       "command.");
    struct lane *lane = lane_of(s);

    strmap_set(lane ? &lane->env : &s->run->env, name, value);
    strmap_set(&s->env, name, value);
    contexts_drop(s);
    return ERR_OK;
}

/* A path that is there already moves to the end, which is the front once they are joined. */
#define PUT_PATH(list, path)                                                                       \
    do {                                                                                           \
        for (size_t i_ = 0; i_ < (list)->len; i_++) {                                              \
            if (!slice_eq(slice_of((list)->ptr[i_]), (path)))                                      \
                continue;                                                                          \
            free((list)->ptr[i_]);                                                                 \
            vec_remove((list), i_);                                                                \
            break;                                                                                 \
        }                                                                                          \
        vec_push((list), mem_dup((path).ptr, (path).len));                                         \
    } while (0)

void effects_put_path(struct run *run, struct lane *lane, struct slice path)
{
    if (lane)
        PUT_PATH(&lane->paths, path);
    else
        PUT_PATH(&run->paths, path);
}

void effects_add_path(struct step_run *s, struct slice path)
{
    effects_put_path(s->run, lane_of(s), path);
}

void effects_save_state(struct step_run *s, struct slice name, struct slice value)
{
    strmap_set(&s->instance->state, name, value);
}

void effects_add_summary(struct step_run *s, struct slice markdown)
{
    CLEANUP(buf_deinit) struct buf shown = BUF_INIT(8 << 20);

    if (slice_trim(markdown).len == 0)
        return;
    files_scrub(markdown, s->run->mask, &shown);
    step_flush(s);
    run_emit(s->run, json_pack("{s:s, s:i, s:o}", "event", "summary", "step", s->number, "markdown",
                               json_stringn(shown.ptr, shown.len)));
}

/* ---- workflow commands ---- */

static int on_output(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)err;
    step_set_output(ctx, name, value);
    return ERR_OK;
}

static int on_state(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)err;
    effects_save_state(ctx, name, value);
    return ERR_OK;
}

static int on_env(void *ctx, struct slice name, struct slice value, struct err *err)
{
    return effects_set_env(ctx, name, value, err);
}

static int on_path(void *ctx, struct slice path, struct err *err)
{
    (void)err;
    effects_add_path(ctx, path);
    return ERR_OK;
}

/* ---- problem matchers ---- */

/* Reads the configuration file PATH, relative to the workspace. The caller frees *RET_FULL. */
static int read_matchers(struct step_run *s, struct slice path, struct buf *text, char **ret_full,
                         struct err *err)
{
    struct slice ours = path_map_out(&s->run->box_map, &s->arena, path);
    CLEANUP(free_ptr) char *name = mem_dup(ours.ptr, ours.len);

    *ret_full = path_join(s->run->workspace, name);
    return place_read(s->run, *ret_full, text, err);
}

static int on_add_matcher(void *ctx, struct slice path, struct err *err)
{
    struct step_run *s = ctx;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MATCHERS_FILE_MAX);
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(64 << 10);
    CLEANUP(free_ptr) char *full = NULL;
    int r = read_matchers(s, path, &text, &full, err);

    if (r < 0)
        return r;
    r = matchers_add(s->run->matchers, buf_slice(&text), &owners, err);
    if (r < 0)
        return err_in(err, "'%s'", full);
    if (owners.len == 0)
        log_issue(s->log, ANNOTATION_WARNING, "'%s' holds no problem matchers: nothing was added",
                  full);
    else
        log_printf(s->log, LOG_DEBUG,
                   "Added matchers: %s. Problem matchers scan action output for known warning or "
                   "error strings and report these inline.",
                   owners.ptr);
    return ERR_OK;
}

static int on_remove_matcher(void *ctx, struct slice owner, struct slice path, struct err *err)
{
    struct step_run *s = ctx;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MATCHERS_FILE_MAX);
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(64 << 10);
    CLEANUP(free_ptr) char *full = NULL;

    if (owner.len) {
        matchers_remove(s->run->matchers, owner);
        buf_printf(&owners, "'%.*s'", SLICE_ARG(owner));
    } else {
        int r = read_matchers(s, path, &text, &full, err);

        if (r < 0)
            return r;
        r = matchers_remove_all(s->run->matchers, buf_slice(&text), &owners, err);
        if (r < 0)
            return err_in(err, "'%s'", full);
    }
    log_printf(s->log, LOG_DEBUG, "Removed matchers: %s", owners.ptr);
    return ERR_OK;
}

static struct slice github_text(const struct run *run, const char *key)
{
    const json_t *value = json_object_get(run->github, key);

    return slice_make(json_string_value(value), json_string_length(value));
}

static bool is_shown(void *ctx, const char *folder)
{
    struct run *run = ctx;

    VEC_EACH (tree, &run->trees)
        if (strcmp(*tree, folder) == 0)
            return true;
    return false;
}

static int locate(void *ctx, const struct finding *f, struct buf *ret, struct err *err)
{
    struct run *run = ctx;
    struct work_tree_spec spec = {
        .root = sandbox_root(run->sandbox),
        .workspace = run->workspace,
        .server = github_text(run, "server_url"),
        .repository = github_text(run, "repository"),
        .is_shown = is_shown,
        .ctx = run,
    };

    if (spec.server.len == 0)
        spec.server = SLICE("https://github.com");
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice file = path_map_out(&run->box_map, &a, f->annotation.file);
    struct slice from = path_map_out(&run->box_map, &a, f->from_path);
    return work_tree_locate(&spec, file, from, ret, err);
}

/* The job's variable comes before the worker's own; what is no time span counts as not given. */
static int64_t matcher_timeout(const struct run *run)
{
    static const char name[] = "GITHUB_ACTIONS_RUNNER_ISSUE_MATCHER_TIMEOUT";
    int64_t ms = matchers_timeout(slice_of(strmap_get(&run->job->variables, name)));

    return ms ? ms : matchers_timeout(slice_of(switch_text(name)));
}

struct matchers *effects_matchers_new(struct run *run)
{
    struct matchers_spec spec = {.timeout_ms = matcher_timeout(run), .locate = locate, .ctx = run};

    return matchers_new(&spec);
}

/* ---- the log ---- */

static const struct log_handlers handlers = {
    .set_output = on_output,
    .save_state = on_state,
    .set_env = on_env,
    .add_path = on_path,
    .add_matcher = on_add_matcher,
    .remove_matcher = on_remove_matcher,
};

/* A switch in the workflow's environment, else in the runner's own. */
static bool is_on(const struct step_run *s, const char *name, bool loose)
{
    const char *value = strmap_get(&s->env, name);

    if (!value && lane_of(s))
        value = strmap_get(&lane_of(s)->env, name);
    if (!value)
        value = strmap_get(&s->run->env, name);
    if (!value)
        value = switch_text(name);
    return switch_means_on(value, loose);
}

struct log *effects_log_new(struct step_run *s)
{
    struct run *run = s->run;
    struct step_run *outer = s->outer ? s->outer : s;
    struct log_spec spec = {
        .events = &run->events,
        .step = s->number,
        .mask = run->mask,
        .handlers = &handlers,
        .ctx = s,
        .counts = &outer->counts,
        .matchers = run->matchers,
        .workspace = s->instance->hook /* it is never in the container */
                         ? run->workspace
                         : job_container_path(run, &s->arena, run->workspace),
        .debug = run->debug,
        .echo = s->seq->owner ? log_echo(s->seq->owner->log) : run->debug,
        .allow_insecure_commands = is_on(s, "ACTIONS_ALLOW_UNSECURE_COMMANDS", false),
        .allow_insecure_tokens = is_on(s, "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS", true),
    };

    return log_new(&spec);
}

/* ---- command files ---- */

static int file_env(void *ctx, struct slice name, struct slice value, struct err *err)
{
    struct step_run *s = ctx;
    struct err refused = ERR_INIT;

    (void)err;
    if (effects_set_env(s, name, value, &refused) < 0) /* told, but the step does not fail for it */
        step_error(s, refused.text);
    return ERR_OK;
}

static int file_path(void *ctx, struct slice path, struct err *err)
{
    return on_path(ctx, path, err);
}

/* Applies the file KIND; what it could not take is in ERR. */
static int apply(struct step_run *s, enum file_kind kind, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(FILES_SIZE_MAX * 2);
    int r = files_read(s->files, kind, &text, err);

    if (r == ERR_LIMIT && kind == FILE_SUMMARY) {
        step_error(s, err->text); /* not kept, and the step does not fail */
        return ERR_OK;
    }
    if (r < 0 || text.len == 0)
        return r;
    switch (kind) {
    case FILE_PATH:
        return files_parse_paths(buf_slice(&text), file_path, s, err);
    case FILE_ENV:
        return files_parse_pairs(buf_slice(&text), file_env, s, err);
    case FILE_STATE:
        return files_parse_pairs(buf_slice(&text), on_state, s, err);
    case FILE_OUTPUT:
        return files_parse_pairs(buf_slice(&text), on_output, s, err);
    case FILE_SUMMARY:
        effects_add_summary(s, buf_slice(&text));
        return ERR_OK;
    default:
        return ERR_OK; /* artifact declarations are off unless a service asks for them */
    }
}

int effects_apply_files(struct step_run *s)
{
    int worst = ERR_OK;

    for (enum file_kind kind = 0; kind < FILE_KINDS; kind++) {
        struct err err = ERR_INIT;

        if (apply(s, kind, &err) == ERR_OK)
            continue;
        log_issue(s->log, ANNOTATION_ERROR, "Unable to process file command '%s' successfully.",
                  file_info(kind)->context);
        step_error(s, err.text);
        worst = ERR_INVALID;
    }
    contexts_drop(s);
    return worst;
}
