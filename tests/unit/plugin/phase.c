#include "phase.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "plugin/install.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

const char *const phase_child = OSTLER_BINARY_DIR "/tests/plugin_child";

enum { LOG_KEPT = 4 << 20 };

const char *phase_object(const char *name)
{
    static char path[4200];

    snprintf(path, sizeof path, "%s/tests/plugins/%s.so", OSTLER_BINARY_DIR, name);
    return path;
}

/* ---- services ---- */

static void put(struct phase *p, const char *kind, struct slice text)
{
    p->log_bytes += text.len;
    if (p->log.len < LOG_KEPT)
        buf_printf(&p->log, "%s: %.*s\n", kind, SLICE_ARG(text));
    if (p->cancel_at && !p->cancelled && slice_find(text, slice_of(p->cancel_at)) >= 0) {
        p->cancelled = true;
        plugin_cancel(p->run);
    }
}

static void on_log(void *ctx, int level, struct slice text)
{
    put(ctx, level == OST_DEBUG ? "debug" : "info", text);
}

static void on_annotate(void *ctx, const struct plugin_note *n)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);

    buf_printf(&text, "%d %s|%s|%s %u-%u %u-%u", n->level, n->message, n->title, n->file, n->line,
               n->end_line, n->col, n->end_col);
    put(ctx, "note", buf_slice(&text));
}

static void on_group(void *ctx, const char *title)
{
    put(ctx, title ? "group" : "endgroup", slice_of(title));
}

static void on_command(void *ctx, struct slice line)
{
    put(ctx, "command", line);
}

static void on_note(void *ctx, const char *text)
{
    put(ctx, "said", slice_of(text));
}

static void on_mask(void *ctx, struct slice secret)
{
    put(ctx, "mask", secret);
}

struct plugin_stream {
    struct phase *phase;
    bool commands;
};

static struct plugin_stream *on_stream_open(void *ctx, bool commands)
{
    struct plugin_stream *s = mem_new(sizeof *s);

    *s = (struct plugin_stream){ctx, commands};
    return s;
}

static void on_stream_feed(struct plugin_stream *s, struct slice bytes)
{
    put(s->phase, s->commands ? "obeyed" : "raw", bytes);
}

static void on_stream_close(struct plugin_stream *s)
{
    free(s);
}

static void put_pair(void *ctx, const char *kind, const char *name, struct slice value)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4 << 20);

    buf_printf(&text, "%s=%.*s", name, SLICE_ARG(slice_head(value, 100)));
    put(ctx, kind, buf_slice(&text));
}

static int on_output(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    put_pair(ctx, "output", name, value);
    return ERR_OK;
}

static int on_env(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    put_pair(ctx, "env", name, value);
    return ERR_OK;
}

static int on_path(void *ctx, const char *dir, struct err *err)
{
    (void)err;
    put(ctx, "path", slice_of(dir));
    return ERR_OK;
}

static int on_summary(void *ctx, struct slice markdown, struct err *err)
{
    (void)err;
    put(ctx, "summary", slice_head(markdown, 100));
    return ERR_OK;
}

static int on_save(void *ctx, const char *name, struct slice value, struct err *err)
{
    (void)err;
    strmap_set(&((struct phase *)ctx)->saved, slice_of(name), value);
    return ERR_OK;
}

static bool on_saved(void *ctx, const char *name, struct slice *ret)
{
    return strmap_find(&((struct phase *)ctx)->saved, slice_of(name), ret);
}

static bool on_context(void *ctx, const char *name, struct buf *ret)
{
    (void)ctx;
    if (strcmp(name, "github.sha") != 0)
        return false;
    buf_add_str(ret, "abc123");
    return true;
}

static void on_plan(void *ctx, const char *verb, const char *object, const char *detail)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);

    buf_printf(&text, "%s|%s|%s", verb, object, detail);
    put(ctx, "plan", buf_slice(&text));
}

static void on_progress(void *ctx, const char *label, int64_t done, int64_t total)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);

    buf_printf(&text, "%s %lld/%lld", label, (long long)done, (long long)total);
    put(ctx, "progress", buf_slice(&text));
}

/* Answers by the repository's name. */
static int on_source(void *ctx, const struct plugin_source_query *query, struct plugin_source *ret,
                     struct err *err)
{
    struct phase *p = ctx;
    const char *name = strrchr(query->repository, '/');

    buf_printf(&p->log, "source: %s %s %s%s\n", query->repository, query->ref, query->path,
               query->clean ? " clean" : "");
    if (strcmp(name, "/none") == 0)
        return err_set(err, ERR_NOT_FOUND, "not here");
    if (strcmp(name, "/denied") == 0)
        return err_set(err, ERR_DENIED, "nor there");
    *ret = (struct plugin_source){
        .shown = strcmp(name, "/shown") == 0,
        .folder = strcmp(name, "/clone") == 0   ? "/the \"clone\""
                  : strcmp(name, "/bytes") == 0 ? "/\xff"
                                                : "",
        .origin = "",
        .ref = "refs/heads/main",
        .commit = "abc",
    };
    return ERR_OK;
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
    .source = on_source,
};

/* ---- running ---- */

void phase_open(struct phase *p, const char *name)
{
    struct err err = ERR_INIT;

    cr_assert_eq(
        install_look(phase_object(name), phase_child, place_loop, &p->plugin, &p->object, &err),
        ERR_OK, "%s", err.text);
}

void phase_close(struct phase *p)
{
    plugin_run_free(p->run);
    plugin_free(p->plugin);
    fd_closep(&p->object);
    strmap_deinit(&p->with);
    strmap_deinit(&p->saved);
    buf_deinit(&p->log);
    buf_deinit(&p->end_text);
}

void phase_with(struct phase *p, const char *name, const char *value)
{
    strmap_set(&p->with, slice_of(name), slice_of(value));
}

static void on_end(void *ctx, const struct plugin_end *end)
{
    struct phase *p = ctx;

    cr_assert_not(p->ended, "the end was told twice");
    p->ended = true;
    p->end = *end;
    buf_clear(&p->end_text);
    buf_add_str(&p->end_text, end->text);
    p->end.text = p->end_text.ptr;
    p->run = plugin_run_free(p->run); /* what the job does */
}

static void make_temp(char *to, size_t size)
{
    CLEANUP(fd_closep) int root = -1;
    struct err err = ERR_INIT;

    snprintf(to, size, "%s/_temp", sandbox_work(place));
    cr_assert_eq(path_open_in(sandbox_root(place), "/", O_RDONLY | O_DIRECTORY, 0, &root, &err),
                 ERR_OK);
    cr_assert_eq(path_mkdirs(root, to + 1, 0777, &err), ERR_OK, "%s", err.text);
}

void phase_run(struct phase *p)
{
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE;
    struct err err = ERR_INIT;
    const char *env[16];
    size_t n = 0;
    char temp[4200];

    make_temp(temp, sizeof temp);
    for (; place_env[n]; n++)
        env[n] = place_env[n];
    env[n++] = "BASE=base";
    env[n++] = "OTHER=other";
    env[n] = NULL;
    struct plugin_places places = {.workspace = sandbox_work(place), .temp = temp};
    for (size_t i = 0; i < p->plugin->n_inputs; i++) {
        const struct plugin_input *in = &p->plugin->inputs[i];
        if (in->fallback && !strmap_get(&p->with, in->name))
            phase_with(p, in->name, in->fallback);
    }
    cr_assert_eq(plugin_check_inputs(p->plugin, &p->with, &places, &inputs, &err), ERR_OK, "%s",
                 err.text);
    struct plugin_spec spec = {
        .plugin = p->plugin,
        .object = p->object,
        .phase = p->number,
        .inputs = &inputs,
        .sandbox = place,
        .env = env,
        .cwd = sandbox_work(place),
        .workspace = sandbox_work(place),
        .temp = temp,
        .home = sandbox_home(place),
        .deadline_ms = p->deadline_ms,
        .child = phase_child,
        .services = &services,
        .end = on_end,
        .ctx = p,
    };
    p->ended = false;
    cr_assert_eq(plugin_start(&spec, place_loop, &p->run, &err), ERR_OK, "%s", err.text);
    int64_t start = clock_ms(), give_up = start + 60000;
    while (!p->ended && clock_ms() < give_up) {
        int64_t until = p->cancel_ms && !p->cancelled ? start + p->cancel_ms : give_up;

        cr_assert_eq(loop_turn(place_loop, until, &err), ERR_OK, "%s", err.text);
        if (p->cancel_ms && !p->cancelled && !p->ended && clock_ms() >= start + p->cancel_ms) {
            p->cancelled = true;
            plugin_cancel(p->run);
        }
    }
    cr_assert(p->ended, "the phase did not end; it said:\n%s", p->log.ptr);
}

static bool has_line(const struct phase *p, const char *text)
{
    CLEANUP(buf_deinit) struct buf pattern = BUF_INIT(4096);

    buf_printf(&pattern, "*%s*", text);
    return fnmatch(pattern.ptr, p->log.ptr, 0) == 0;
}

void phase_said(const struct phase *p, const char *text)
{
    cr_assert(has_line(p, text), "wanted '%s', but it said:\n%.4000s(ended: %s)", text, p->log.ptr,
              p->end.text);
}

void phase_not_said(const struct phase *p, const char *text)
{
    cr_assert_not(has_line(p, text), "'%s' is in:\n%.4000s", text, p->log.ptr);
}

void phase_do(struct phase *p, const char *what, ost_status status)
{
    if (!p->plugin)
        phase_open(p, "many");
    phase_with(p, "do", what);
    phase_run(p);
    cr_assert_eq(p->end.status, status, "%s: wanted status %d, got %d (%s); it said:\n%.4000s",
                 what, (int)status, (int)p->end.status, p->end.text, p->log.ptr);
}
