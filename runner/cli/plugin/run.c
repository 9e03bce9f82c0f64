#include "cli/plugin/run.h"

#include "base/clock.h"
#include "base/mask.h"
#include "cli/exit.h"
#include "cli/plugin/place.h"
#include "cli/plugin/record.h"
#include "job/log/progress.h"

#include <signal.h>
#include <stdio.h>

struct alone { /* one "plugin run" */
    const struct plugin *plugin;
    const struct plugin_run_options *options;
    int object;

    struct loop *loop;
    struct plugin_place place;

    struct mask *mask;
    struct plugin_run *run; /* the phase that runs */
    struct timer *timer;
    bool done, cancelled, failed;
    struct plugin_record record; /* of that phase */
    int64_t said_ms;             /* the last line on its progress */
};

static void alone_deinit(struct alone *a)
{
    plugin_run_free(a->run);
    timer_free(a->timer);
    plugin_place_close(&a->place);
    loop_free(a->loop);
    plugin_record_deinit(&a->record);
    mask_free(a->mask);
}

/* ---- saying: all that goes out is masked here ---- */

enum { OUT_MAX = 8 << 20 };

static void put_masked(const struct alone *a, FILE *to, struct slice text)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(OUT_MAX);

    mask_apply(a->mask, text, &out);
    fwrite(out.ptr, 1, out.len, to);
}

static void say(const struct alone *a, const char *prefix, struct slice text)
{
    fputs(prefix, stderr);
    put_masked(a, stderr, text);
    if (!slice_ends(text, SLICE("\n")))
        fputc('\n', stderr);
}

static void on_log(void *ctx, int level, struct slice text)
{
    const struct alone *a = ctx;

    if (level != OST_DEBUG || a->options->debug)
        say(a, level == OST_DEBUG ? "##[debug]" : "", text);
}

static void on_annotate(void *ctx, const struct plugin_note *n)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(OUT_MAX);

    if (*n->file)
        buf_printf(&text, "%s:%u:%u: ", n->file, n->line, n->col);
    if (*n->title)
        buf_printf(&text, "%s: ", n->title);
    buf_add_str(&text, n->message);
    say(ctx,
        n->level == OST_ERROR     ? "##[error]"
        : n->level == OST_WARNING ? "##[warning]"
                                  : "##[notice]",
        buf_slice(&text));
}

static void on_group(void *ctx, const char *title)
{
    say(ctx, title ? "##[group]" : "##[endgroup]", slice_of(title));
}

static void on_command(void *ctx, struct slice line)
{
    say(ctx, "##[command]", line);
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "note: %s\n", text);
}

static void on_mask(void *ctx, struct slice secret)
{
    mask_add(((struct alone *)ctx)->mask, secret);
}

struct plugin_stream {
    struct alone *alone;
    struct mask_stream mask;
};

static struct plugin_stream *on_stream_open(void *ctx, bool commands)
{
    struct alone *a = ctx;
    struct plugin_stream *s = mem_new(sizeof *s);

    (void)commands; /* there is no job that could obey them */
    s->alone = a;
    mask_stream_init(&s->mask, a->mask);
    return s;
}

static void on_stream_feed(struct plugin_stream *s, struct slice bytes)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(OUT_MAX);

    mask_stream_feed(&s->mask, bytes, &out);
    fwrite(out.ptr, 1, out.len, stderr);
}

static void on_stream_close(struct plugin_stream *s)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(OUT_MAX);

    mask_stream_flush(&s->mask, &out);
    fwrite(out.ptr, 1, out.len, stderr);
    mask_stream_deinit(&s->mask);
    free(s);
}

/* ---- effects: shown ---- */

static void show(struct alone *a, FILE *to, const char *head, const char *name, struct slice value)
{
    fprintf(to, "%s%s=", head, name);
    put_masked(a, to, value);
    fputc('\n', to);
    (void)fflush(to); /* in its place among the lines of the log */
}

static int on_output(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    show(ctx, stdout, "", name, value);
    return ERR_OK;
}

static int on_env(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    show(ctx, stderr, "env: ", name, value);
    return ERR_OK;
}

static int on_path(void *ctx, const char *dir, struct err *err)
{
    (void)err;
    say(ctx, "path: ", slice_of(dir));
    return ERR_OK;
}

static int on_summary(void *ctx, struct slice markdown, struct err *err)
{
    (void)err;
    say(ctx, "summary:\n", markdown);
    return ERR_OK;
}

static int on_save(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    strmap_set(&((struct alone *)ctx)->place.saved, slice_of(name), value);
    return ERR_OK;
}

static bool on_saved(void *ctx, const char *name, struct slice *ret)
{
    return strmap_find(&((struct alone *)ctx)->place.saved, slice_of(name), ret);
}

static bool on_context(void *ctx, const char *name, struct buf *ret)
{
    const struct alone *a = ctx;

    return plugin_place_context(&a->place,
                                a->cancelled ? "cancelled"
                                : a->failed  ? "failure"
                                             : "success",
                                name, ret);
}

static void on_plan(void *ctx, const char *verb, const char *object, const char *detail)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(OUT_MAX);

    buf_printf(&line, "%-8s %s", verb, object);
    if (*detail)
        buf_printf(&line, "  (%s)", detail);
    buf_add_char(&line, '\n');
    put_masked(ctx, stdout, buf_slice(&line));
    (void)fflush(stdout);
}

static void on_progress(void *ctx, const char *label, int64_t done, int64_t total)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(OUT_MAX);
    struct alone *a = ctx;

    if (!progress_due(&a->said_ms, clock_ms()))
        return;
    progress_text(&line, slice_of(label), done, total);
    say(a, "", buf_slice(&line));
}

static const struct plugin_services services = {
    .log = on_log,
    .annotate = on_annotate,
    .group = on_group,
    .command = on_command,
    .note = on_note,
    .mask = on_mask,
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
};

static void on_record(void *ctx, struct slice line)
{
    plugin_record_line(&((struct alone *)ctx)->record, line);
}

/* ---- phases ---- */

static void on_end(void *ctx, const struct plugin_end *end)
{
    struct alone *a = ctx;

    a->done = true;
    if (end->kind == PLUGIN_RETURNED && end->status == OST_OK)
        return;
    a->failed = true;
    if (!a->cancelled || end->kind == PLUGIN_BROKE)
        say(a, "##[error]", slice_of(end->text));
}

static void cancel(struct alone *a, const char *why)
{
    if (a->cancelled)
        return;
    a->cancelled = true;
    fprintf(stderr, "##[error]%s\n", why);
    if (a->run)
        plugin_cancel(a->run);
}

static void on_signal(void *ctx, int signo)
{
    (void)signo;
    cancel(ctx, "The operation was canceled.");
}

static void on_timeout(void *ctx)
{
    struct alone *a = ctx;

    a->timer = NULL;
    cancel(a, "The time limit has passed.");
}

static void begin_record(struct alone *a, int phase)
{
    const struct plugin_spec spec = plugin_place_spec(&a->place, a->plugin, a->object);
    const struct plugin_record_places places = {
        .workspace = spec.workspace, .temp = spec.temp, .tools = spec.tools, .home = spec.home};

    plugin_record_begin(&a->record, a->plugin, phase, &a->place.inputs, &places);
}

static int run_phase(struct alone *a, int phase, struct err *err)
{
    const struct plugin_run_options *o = a->options;
    struct plugin_spec spec = plugin_place_spec(&a->place, a->plugin, a->object);
    struct plugin_services recording = services;

    recording.record = on_record;
    spec.phase = phase;
    spec.hosts = o->hosts;
    spec.deadline_ms = o->timeout_ms ? clock_ms() + o->timeout_ms : CLOCK_NEVER;
    spec.services = o->record ? &recording : &services;
    spec.end = on_end;
    spec.ctx = a;
    a->done = false;
    if (o->record)
        begin_record(a, phase);
    a->said_ms = clock_ms();
    int r = plugin_start(&spec, a->loop, &a->run, err);
    while (r == ERR_OK && !a->done)
        r = loop_turn(a->loop, CLOCK_NEVER, err);
    a->run = plugin_run_free(a->run);
    if (r == ERR_OK && o->record)
        r = plugin_record_end(&a->record, o->record, phase, a->mask, err);
    return r;
}

static int run_phases(struct alone *a, struct err *err)
{
    const bool *wanted = a->options->phases;
    int r = ERR_OK;

    if (wanted[OST_PHASE_PLAN])
        return run_phase(a, OST_PHASE_PLAN, err);
    for (int phase = OST_PHASE_PRE; r == ERR_OK && phase <= OST_PHASE_POST; phase++)
        if (wanted[phase] && (phase == OST_PHASE_POST || !a->failed)) /* post runs in any case */
            r = run_phase(a, phase, err);
    return r;
}

/* ---- all of it ---- */

static int show_workspace(struct alone *a, struct err *err)
{
    CLEANUP(free_ptr) char *source = realpath(a->options->workspace, NULL);

    if (!source)
        return err_sys(err, "cannot open '%s'", a->options->workspace);
    return sandbox_show_tree(a->place.sandbox, source, a->place.workspace, NULL, err);
}

static void warn_deprecated(const struct alone *a)
{
    for (size_t i = 0; i < a->plugin->n_inputs; i++) {
        const struct plugin_input *in = &a->plugin->inputs[i];

        if (in->deprecation && strmap_get(&a->options->with, in->name))
            fprintf(stderr, "##[warning]the input '%s' is deprecated: %s\n", in->name,
                    in->deprecation);
    }
}

static int prepare(struct alone *a, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    const struct plugin_run_options *o = a->options;
    int r = loop_new(&a->loop, err);

    if (r < 0 || (r = loop_signals(a->loop, signals, on_signal, a, err)) < 0)
        return r;
    a->place.loop = a->loop;
    if ((r = plugin_place_open(&a->place, a->plugin, &o->env, on_note, a, err)) < 0 ||
        (o->workspace && (r = show_workspace(a, err)) < 0))
        return r;
    if (o->timeout_ms)
        a->timer = loop_timer(a->loop, clock_ms() + o->timeout_ms, on_timeout, a);
    warn_deprecated(a);
    return plugin_place_inputs(&a->place, a->plugin, &o->with, err);
}

static int exit_code(const struct alone *a, int r, const struct err *err)
{
    if (r < 0) {
        fprintf(stderr, "ostler plugin: %s\n", err->text);
        return r == ERR_INVALID || r == ERR_UNSUPPORTED || r == ERR_NOT_FOUND ? EXIT_USAGE
                                                                              : EXIT_LACKING;
    }
    if (a->cancelled)
        return EXIT_CANCELLED;
    return a->failed ? EXIT_RUN_FAILED : EXIT_OK;
}

int plugin_run_alone(const struct plugin *p, int object, const struct plugin_run_options *options)
{
    CLEANUP(alone_deinit)
    struct alone a = {
        .plugin = p, .options = options, .object = object, .place = PLUGIN_PLACE_INIT};
    struct err err = ERR_INIT;

    a.mask = mask_new();
    int r = prepare(&a, &err);
    if (r == ERR_OK)
        r = run_phases(&a, &err);
    int code = exit_code(&a, r, &err);
    fflush(stdout);
    return code;
}
