/* plugin_step - `uses:` served by an installed plugin: its phases run beside the job, its effects go
 * through the same doors as those of any action. */
#include "base/clock.h"
#include "base/fd.h"
#include "job/container/job_container.h"
#include "job/contexts.h"
#include "job/effects.h"
#include "job/header.h"
#include "job/kinds/handlers.h"
#include "job/kinds/mirror.h"
#include "job/kinds/source.h"
#include "job/log/progress.h"
#include "job/steps.h"
#include "job/switches.h"
#include "plugin/trust.h"

struct plugin_stream {
    struct step_run *step;
    struct log *log;
    bool own; /* a log without commands, made for this stream */
};

struct state {
    struct plugin_run *run;
    struct blobs_service service;
    struct strmap inputs;
    json_t *hosts;   /* of its policy; NULL: nothing is said */
    int64_t said_ms; /* when its log had the last line on its progress */
};

/* ---- services ---- */

static void on_log(void *ctx, int level, struct slice text)
{
    struct step_run *s = ctx;

    log_write(s->log, level == OST_DEBUG ? LOG_DEBUG : LOG_PLAIN, text);
    step_flush(s);
}

static void on_annotate(void *ctx, const struct plugin_note *n)
{
    struct step_run *s = ctx;
    struct annotation a = {
        .level = n->level == OST_ERROR     ? ANNOTATION_ERROR
                 : n->level == OST_WARNING ? ANNOTATION_WARNING
                                           : ANNOTATION_NOTICE,
        .message = slice_of(n->message),
        .title = slice_of(n->title),
        .file = slice_of(n->file),
        .line = n->line,
        .end_line = n->end_line,
        .col = n->col,
        .end_col = n->end_col,
    };

    log_annotate(s->log, &a);
    step_flush(s);
}

static void on_group(void *ctx, const char *title)
{
    struct step_run *s = ctx;

    log_write(s->log, title ? LOG_GROUP : LOG_ENDGROUP, slice_of(title));
}

static void on_command(void *ctx, struct slice line)
{
    struct step_run *s = ctx;

    log_write(s->log, LOG_COMMAND, line);
}

static void on_note(void *ctx, const char *text)
{
    struct step_run *s = ctx;

    run_emit(s->run, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text)));
}

static void on_mask(void *ctx, struct slice secret)
{
    struct step_run *s = ctx;

    mask_add(s->run->mask, secret);
}

static void on_masked(void *ctx, struct slice text, struct buf *ret)
{
    const struct step_run *s = ctx;

    mask_apply(s->run->mask, text, ret);
}

/* Output that may hold workflow commands goes into the step's own log, all other into one that knows
 * none: nothing in it is obeyed. Problem matchers see both. */
static struct plugin_stream *on_stream_open(void *ctx, bool commands)
{
    struct step_run *s = ctx;
    struct plugin_stream *st = mem_new(sizeof *st);

    *st = (struct plugin_stream){.step = s, .log = s->log};
    if (!commands) {
        struct step_run *outer = s->outer ? s->outer : s;
        struct log_spec spec = {
            .events = &s->run->events,
            .step = s->number,
            .mask = s->run->mask,
            .counts = &outer->counts,
            .matchers = s->run->matchers,
            .debug = s->run->debug,
            .no_commands = true,
        };
        st->log = log_new(&spec);
        st->own = true;
    }
    return st;
}

static void on_stream_feed(struct plugin_stream *st, struct slice bytes)
{
    struct err err = ERR_INIT;

    step_flush(st->step);
    if (log_feed(st->log, LOG_STDOUT, bytes, &err) < 0)
        run_lose(st->step->run);
}

static void on_stream_close(struct plugin_stream *st)
{
    struct err err = ERR_INIT;

    if (log_end(st->log, LOG_STDOUT, &err) < 0 || log_flush(st->log, &err) < 0)
        run_lose(st->step->run);
    if (st->own)
        log_free(st->log);
    free(st);
}

static int on_output(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    step_set_output(ctx, slice_of(name), value);
    return ERR_OK;
}

static int on_env(void *ctx, const char *name, struct slice value, struct err *err)
{
    return effects_set_env(ctx, slice_of(name), value, err);
}

static int on_path(void *ctx, const char *dir, struct err *err)
{
    (void)err;
    effects_add_path(ctx, slice_of(dir));
    return ERR_OK;
}

static int on_summary(void *ctx, struct slice markdown, struct err *err)
{
    (void)err;
    effects_add_summary(ctx, markdown);
    return ERR_OK;
}

static int on_save(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    effects_save_state(ctx, slice_of(name), value);
    return ERR_OK;
}

static bool on_saved(void *ctx, const char *name, struct slice *ret)
{
    struct step_run *s = ctx;

    return strmap_find(&s->instance->state, slice_of(name), ret);
}

/* A path into the contexts, never a call; the token is in github, and in all of it. */
static bool is_open(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (strchr("()'[]!&|=<> ,*", name.ptr[i]))
            return false;
    return !slice_eq_nocase(name, SLICE("github.token")) && !slice_eq_nocase(name, SLICE("github"));
}

/* "github.sha": any path into the contexts that hold no secrets. */
static bool on_context(void *ctx, const char *name, struct buf *ret)
{
    static const char *const open[] = {"github", "job",    "runner", "matrix", "strategy", "needs",
                                       "vars",   "inputs", "steps",  "env",    NULL};
    struct step_run *s = ctx;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(eval_deinit) struct eval e;
    struct expr_place place = {.contexts = open};
    struct slice text = slice_of(name);
    const struct expr *expr;
    struct expr_error error;
    struct expr_value value;

    eval_init(&e, s->run, s->frame, s, &a);
    if (!is_open(text) || expr_parse(&a, text, &place, &expr, &error) < 0 ||
        expr_eval(expr, &e.scope, &a, &value, &error) < 0 || value.kind == EXPR_NULL)
        return false;
    buf_add(ret, value.kind >= EXPR_ARRAY ? expr_json_text(&a, &value) : expr_string(&a, &value));
    return true;
}

static void on_plan(void *ctx, const char *verb, const char *object, const char *detail)
{
    struct step_run *s = ctx;

    log_printf(s->log, LOG_PLAIN, "%s %s %s", verb, object, detail);
}

/* Told to whoever watches, and now and then to the log. */
static void on_progress(void *ctx, const char *label, int64_t done, int64_t total)
{
    struct step_run *s = ctx;
    struct state *st = s->state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(1 << 20);

    mask_apply(s->run->mask, slice_of(label), &text);
    if (progress_due(&st->said_ms, clock_ms())) {
        progress_text(&line, buf_slice(&text), done, total);
        log_write(s->log, LOG_PLAIN, buf_slice(&line));
    }
    step_flush(s);
    run_emit(s->run, json_pack("{s:s, s:i, s:o, s:I, s:I}", "event", "progress", "step", s->number,
                               "label", event_text_new(text.ptr ? text.ptr : ""), "done",
                               (json_int_t)done, "total", (json_int_t)total));
}

static int on_source(void *ctx, const struct plugin_source_query *query, struct plugin_source *ret,
                     struct err *err)
{
    return source_find(ctx, query, ret, err);
}

static const struct plugin_services services = {
    .log = on_log,
    .annotate = on_annotate,
    .group = on_group,
    .command = on_command,
    .note = on_note,
    .mask = on_mask,
    .masked = on_masked,
    .stream_open = on_stream_open,
    .stream_feed = on_stream_feed,
    .stream_close = on_stream_close,
    .output = on_output,
    .env = on_env,
    .path = on_path,
    .summary = on_summary,
    .save = on_save,
    .saved = on_saved,
    .context = on_context,
    .plan = on_plan,
    .progress = on_progress,
    .source = on_source,
    .mirror = mirror_begin,
    .mirror_end = mirror_end,
};

/* ---- the phase ---- */

static void on_end(void *ctx, const struct plugin_end *end)
{
    struct step_run *s = ctx;
    struct state *st = s->state;
    bool good = end->kind == PLUGIN_RETURNED && end->status == OST_OK;

    if (!good && !s->timed_out && !s->cancelled)
        step_error(s, end->text);
    st->run = plugin_run_free(st->run);
    step_end(s, good ? RESULT_SUCCESS : RESULT_FAILURE);
}

/* `with`, then the defaults of what the plugin declares, as for any action. */
static int evaluate_inputs(struct step_run *s, struct err *err)
{
    const struct plugin *p = s->instance->plugin;
    struct action_input *declared = arena_array(&s->arena, p->n_inputs, sizeof *declared);

    for (size_t i = 0; i < p->n_inputs; i++) {
        const struct plugin_input *in = &p->inputs[i];
        struct token *fallback = NULL;

        if (in->fallback) {
            struct expr_error error;
            struct slice literal, expr;

            if (template_compile(&s->arena, slice_of(in->fallback), NULL, &literal, &expr, &error) <
                0)
                return err_set(err, ERR_INVALID, "default of input '%s': %.*s", in->name,
                               SLICE_ARG(error.message));
            fallback = ARENA_NEW(&s->arena, struct token);
            *fallback = (struct token){.kind = expr.ptr ? TOKEN_EXPR : TOKEN_STRING,
                                       .source = slice_of(in->fallback),
                                       .text = expr.ptr ? expr : literal};
        }
        declared[i] = (struct action_input){
            .id = in->name, .fallback = fallback, .deprecation = in->deprecation};
    }
    return inputs_evaluate(s, declared, p->n_inputs, err);
}

/* Values that are a folder of the job are the container's name for it, as its environment has them. */
static void translate_inputs(struct step_run *s)
{
    path_map_env(&s->run->box_map, &s->inputs);
}

/* The first of NAMES that ENV has; NULL: none. */
static const char *first_of(const struct strmap *env, const char *const *names)
{
    for (; *names; names++) {
        const char *value = strmap_get(env, *names);

        if (value && *value)
            return value;
    }
    return NULL;
}

/* Where the job's artifacts and caches go, as its actions are told, if anywhere; and which way requests take (runtime
 * contract 11.3). The texts live in the step's arena. */
static void find_service(struct step_run *s, struct blobs_service *ret)
{
    static const char *const http[] = {"http_proxy", "HTTP_PROXY", NULL};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", NULL};
    static const char *const none[] = {"no_proxy", "NO_PROXY", NULL};
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    struct arena *a = &s->arena;

    contexts_environ(s, true, &env); /* with NO_PROXY lengthened by the services' host */
    const char *url = strmap_get(&env, "ACTIONS_RESULTS_URL");
    const char *token = strmap_get(&s->run->job->runtime, "ACTIONS_RUNTIME_TOKEN");
    bool has = url && *url && token && *token;
    *ret = (struct blobs_service){
        .url = has ? arena_str(a, slice_of(url)) : NULL,
        .token = has ? token : NULL,
        .cache_url = strmap_get(&s->run->job->runtime, "OSTLER_CACHE_URL"),
        .cache_token = strmap_get(&s->run->job->runtime, "OSTLER_CACHE_TOKEN"),
        .http_proxy = arena_str(a, slice_of(first_of(&env, http))),
        .https_proxy = arena_str(a, slice_of(first_of(&env, https))),
        .no_proxy = arena_str(a, slice_of(first_of(&env, none))),
        .ca_file = switch_text("SSL_CERT_FILE"),
    };
}

/* The checkout of a run that has the source itself: that lies beside the container, on this machine, and the image may
 * be without git. What it makes in the work folder is the container's as well. */
static bool runs_beside(const struct step_run *s)
{
    return s->run->job->source && strcmp(s->instance->plugin->id, "actions/checkout") == 0;
}

static const char *folder_name(struct step_run *s, bool inside, const char *path)
{
    return inside ? job_container_path(s->run, &s->arena, path) : path;
}

/* One of the workspace was looked at when its step began, and is what it was then. */
static int open_plugin(struct step_run *s, int *ret, struct err *err)
{
    const struct instance *i = s->instance;

    if (!i->plugin->in_workspace)
        return trust_open(s->run->policy, i->plugin, ret, err);
    *ret = fd_dup(i->plugin_object, 0);
    return *ret < 0 ? err_sys(err, "cannot copy a descriptor") : ERR_OK;
}

static int plugin_step_start(struct step_run *s, struct err *err)
{
    static const int phases[] = {
        [STAGE_PRE] = OST_PHASE_PRE, [STAGE_MAIN] = OST_PHASE_MAIN, [STAGE_POST] = OST_PHASE_POST};
    struct run *run = s->run;
    const struct plugin *p = s->instance->plugin;
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    CLEANUP(fd_closep) int object = -1;
    struct state *st = mem_new(sizeof *st);
    struct sandbox *place = NULL;

    s->state = st;
    st->said_ms = clock_ms();
    st->inputs = (struct strmap)STRMAP_INIT_NOCASE;
    int r = evaluate_inputs(s, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < p->n_inputs; i++) { /* before the header shows them */
        struct slice value;

        if ((p->inputs[i].flags & OST_SECRET) &&
            strmap_find(&s->inputs, slice_of(p->inputs[i].name), &value))
            mask_add(run->mask, value);
    }
    header_action(s);
    if (s->stage == STAGE_POST && (p->traits & OST_POST_IF_SAVED) && !s->instance->state.len) {
        step_end(s, RESULT_SUCCESS); /* a process less */
        return ERR_OK;
    }
    st->hosts = trust_hosts(run->policy, p);
    log_printf(s->log, LOG_PLAIN, "%s → plugin %s (sha256:%.12s)%s", s->def->uses, p->version,
               p->sha256 ? p->sha256 : "",
               st->hosts && p->needs & OST_NEED_NETWORK ? ", its network limited by the policy"
                                                        : "");
    r = job_container_place(s, &place, err);
    if (r < 0)
        return r;
    bool inside = run->box && !runs_beside(s);
    if (inside)
        translate_inputs(s);
    else
        place = run->sandbox;
    struct plugin_places places = {
        .workspace = folder_name(s, inside, run->workspace),
        .temp = folder_name(s, inside, run->temp),
        .tools = folder_name(s, inside, run->tools),
        .home = sandbox_home(place),
    };
    r = plugin_check_inputs(p, &s->inputs, &places, &st->inputs, err);
    if (r == ERR_OK)
        r = open_plugin(s, &object, err);
    if (r < 0)
        return r;
    handler_register_post(s);
    if (inside)
        job_container_environ(s, false, &env);
    else
        contexts_environ(s, false, &env);
    find_service(s, &st->service);
    struct plugin_spec spec = {
        .plugin = p,
        .object = object,
        .phase = phases[s->stage],
        .inputs = &st->inputs,
        .sandbox = place,
        .env = contexts_envp(&s->arena, &env),
        .search_path = inside ? job_container_search(s, &s->arena) : NULL,
        .cwd = places.workspace,
        .workspace = places.workspace,
        .temp = places.temp,
        .tools = places.tools,
        .home = places.home,
        .service = &st->service,
        .hosts = st->hosts,
        .deadline_ms = step_deadline(s),
        .services = &services,
        .end = on_end,
        .ctx = s,
    };
    if (inside) {
        spec.own_side = run->sandbox;
        spec.shown = job_container_shown(run, &s->arena, &spec.n_shown);
    }
    step_flush(s);
    return plugin_start(&spec, run->loop, &st->run, err);
}

static void plugin_step_stop(struct step_run *s, bool now)
{
    struct state *st = s->state;

    if (!st || !st->run)
        return;
    if (!now) {
        plugin_cancel(st->run);
        return;
    }
    st->run = plugin_run_free(st->run);
    step_end(s, RESULT_CANCELLED);
}

static void plugin_step_release(struct step_run *s)
{
    struct state *st = s->state;

    if (!st)
        return;
    s->state = NULL;
    plugin_run_free(st->run);
    strmap_deinit(&st->inputs);
    json_decref(st->hosts);
    free(st);
}

const struct handler handler_plugin = {"plugin", plugin_step_start, plugin_step_stop,
                                       plugin_step_release};
