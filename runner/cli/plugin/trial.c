#include "cli/plugin/trial.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "cli/plugin/place.h"
#include "plugin/host/deaf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct trial {
    const struct plugin *plugin;
    int object;
    int64_t timeout_ms;
    struct loop *loop;
    struct plugin_place place;
    bool stopped; /* by a signal */
    struct plugin_services services;

    const struct trial_order *order; /* of the run under way */
    struct plugin_run *run;
    bool done;
    struct trial_result result;
    struct buf text, fault, left;
};

struct trial *trial_close(struct trial *t)
{
    if (!t)
        return NULL;
    plugin_run_free(t->run);
    plugin_place_close(&t->place);
    loop_free(t->loop);
    buf_deinit(&t->text);
    buf_deinit(&t->fault);
    buf_deinit(&t->left);
    free(t);
    return NULL;
}

/* ---- what is heard of it ---- */

static void on_text(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static int on_save(void *ctx, const char *name, struct slice value, struct err *err)
{
    struct trial *t = ctx;

    (void)err;
    if (!t->order->fault && !t->order->cancel)
        strmap_set(&t->place.saved, slice_of(name), value);
    return ERR_OK;
}

static bool on_saved(void *ctx, const char *name, struct slice *ret)
{
    return strmap_find(&((struct trial *)ctx)->place.saved, slice_of(name), ret);
}

static bool on_context(void *ctx, const char *name, struct buf *ret)
{
    const struct trial *t = ctx;

    return plugin_place_context(&t->place, t->order->cancel ? "cancelled" : "success", name, ret);
}

/* Where a fault is made: here, before the service itself is asked for. */
static ost_status on_call(void *ctx, unsigned nth, const char *name)
{
    struct trial *t = ctx;
    const struct trial_order *o = t->order;

    t->result.n_calls = nth;
    if (nth != o->fault && nth != o->cancel)
        return OST_OK;
    buf_clear(&t->fault);
    buf_add(&t->fault, slice_head(slice_of(name), 60));
    t->result.fault = t->fault.ptr;
    if (nth == o->fault)
        return OST_E_IO;
    plugin_cancel(t->run);
    return OST_OK;
}

static void on_left(void *ctx, int fd, const char *what)
{
    struct trial *t = ctx;

    if (!t->result.left)
        buf_printf(&t->left, "%d%s%s", fd, *what ? ", " : "", what);
    t->result.left = t->left.ptr;
}

/* ---- the place ---- */

static void on_signal(void *ctx, int signo)
{
    (void)signo;
    ((struct trial *)ctx)->stopped = true;
}

static const char *made_up(const struct plugin_input *in)
{
    switch (in->type) {
    case OST_BOOL:
        return "false";
    case OST_INT:
        return "1";
    case OST_CHOICE:
        return in->choices[0];
    case OST_PATH:
        return ".";
    default:
        return "check";
    }
}

/* A default with an expression in it is likely nothing where there is no job. */
static bool has_value(const struct plugin_input *in)
{
    return in->fallback && !strstr(in->fallback, "${{");
}

static void complete(const struct plugin *p, const struct strmap *with, struct strmap *ret)
{
    strmap_merge(ret, with);
    for (size_t i = 0; i < p->n_inputs; i++)
        if (p->inputs[i].flags & OST_REQUIRED && !has_value(&p->inputs[i]) &&
            !strmap_get(ret, p->inputs[i].name))
            strmap_set(ret, slice_of(p->inputs[i].name), slice_of(made_up(&p->inputs[i])));
}

static int open_folder(const struct trial *t, const char *path, int *ret, struct err *err)
{
    return path_open_in(sandbox_root(t->place.sandbox), path, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

/* Something to change for a plan that changes things. */
static int fill_workspace(const struct trial *t, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    int r = open_folder(t, t->place.workspace, &dir, err);

    if (r == ERR_OK)
        r = path_write(dir, "README.md", SLICE("A workspace to be checked in.\n"), 0666, err);
    return r;
}

int trial_open(const struct plugin *p, int object, const struct strmap *with, int64_t timeout_ms,
               struct trial **ret, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    CLEANUP(strmap_deinit) struct strmap given = STRMAP_INIT_NOCASE;
    CLEANUP(strmap_deinit) struct strmap no_env = STRMAP_INIT;
    struct trial *t = mem_new(sizeof *t);
    int r;

    t->plugin = p;
    t->object = object;
    t->timeout_ms = timeout_ms;
    t->services = plugin_deaf;
    t->services.save = on_save;
    t->services.saved = on_saved;
    t->services.context = on_context;
    t->services.call = on_call;
    t->services.left = on_left;
    t->place = (struct plugin_place)PLUGIN_PLACE_INIT;
    t->text = t->fault = t->left = (struct buf)BUF_INIT(PLUGIN_TEXT_MAX + 1024);
    complete(p, with, &given);
    r = loop_new(&t->loop, err);
    t->place.loop = t->loop;
    if (r < 0 || (r = loop_signals(t->loop, signals, on_signal, t, err)) < 0 ||
        (r = plugin_place_open(&t->place, p, &no_env, on_text, t, err)) < 0 ||
        (r = fill_workspace(t, err)) < 0 ||
        (r = plugin_place_inputs(&t->place, p, &given, err)) < 0) {
        trial_close(t);
        return r;
    }
    *ret = t;
    return ERR_OK;
}

/* ---- a run ---- */

static void on_end(void *ctx, const struct plugin_end *end)
{
    struct trial *t = ctx;

    t->done = true;
    t->result.end = end->kind == PLUGIN_RETURNED ? TRIAL_RETURNED : TRIAL_BROKE;
    t->result.failed = end->status < 0;
    buf_add(&t->text, slice_head(slice_of(end->text), PLUGIN_TEXT_MAX));
}

static void on_timeout(void *ctx)
{
    struct trial *t = ctx;

    t->done = true;
    t->result.end = TRIAL_HUNG;
}

int trial_run(struct trial *t, const struct trial_order *order, struct trial_result *ret,
              struct err *err)
{
    struct plugin_spec spec = plugin_place_spec(&t->place, t->plugin, t->object);

    spec.phase = order->phase;
    spec.rehearsal = true;
    spec.services = &t->services;
    spec.end = on_end;
    spec.ctx = t;
    t->order = order;
    t->done = false;
    t->result = (struct trial_result){0};
    buf_clear(&t->text);
    buf_clear(&t->left);
    int r = plugin_start(&spec, t->loop, &t->run, err);
    struct timer *timer =
        r == ERR_OK ? loop_timer(t->loop, clock_ms() + t->timeout_ms, on_timeout, t) : NULL;
    while (r == ERR_OK && !t->done && !t->stopped)
        r = loop_turn(t->loop, CLOCK_NEVER, err);
    if (timer && t->result.end != TRIAL_HUNG)
        timer_free(timer); /* one that has struck is gone */
    t->run = plugin_run_free(t->run);
    if (r == ERR_OK && t->stopped)
        r = err_set(err, ERR_CANCELLED, "the check was stopped");
    t->result.text = t->text.ptr;
    *ret = t->result;
    return r;
}

/* ---- what lies there ---- */

enum { DEPTH_MAX = 64, CONTENT_MAX = 1 << 20 };

static int note_folder(int dir, const char *path, int depth, struct strmap *ret, struct err *err);

/* The content is part of what is noted: the clock of a file system may not tick between two writes. */
static int note_entry(int dir, const char *path, const char *name, int depth, struct strmap *ret,
                      struct err *err)
{
    CLEANUP(free_ptr) char *below = path_join(path, name);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONTENT_MAX + 200);
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "cannot look at '%s'", below);
    buf_printf(&text, "%o %lld %lld.%ld ", st.st_mode, (long long)st.st_size,
               (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if (S_ISREG(st.st_mode) && st.st_size < CONTENT_MAX) {
        int r = path_read(dir, name, &text, err);

        if (r < 0)
            return r;
    }
    strmap_set(ret, slice_of(below), buf_slice(&text));
    if (!S_ISDIR(st.st_mode))
        return ERR_OK;
    int r = path_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err);
    return r < 0 ? r : note_folder(fd, below, depth + 1, ret, err);
}

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int note_folder(int dir, const char *path, int depth, struct strmap *ret, struct err *err)
{
    CLEANUP(closedirp) DIR *list = path_list(dir);
    struct dirent *entry;
    int r = ERR_OK;

    if (!list)
        return err_sys(err, "cannot read '%s'", path);
    if (depth == DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "'%s' lies more than %d folders deep", path, DEPTH_MAX);
    while (r == ERR_OK && (entry = readdir(list)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = note_entry(dir, path, entry->d_name, depth, ret, err);
    return r;
}

/* From outside, where what the sandbox shows of this machine in HOME (tools, caches) is not in the way. */
int trial_files(const struct trial *t, struct strmap *ret, struct err *err)
{
    const struct {
        const char *outside, *inside;
    } places[] = {
        {"work/plugin/plugin", t->place.workspace},
        {"work/_tool", t->place.tools},
        {"home", sandbox_home(t->place.sandbox)},
    };
    int r = ERR_OK;

    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(places); i++) {
        CLEANUP(fd_closep) int fd = -1;

        r = path_open(t->place.job_dir, places[i].outside, O_RDONLY | O_DIRECTORY, 0, &fd, err);
        if (r == ERR_OK)
            r = note_folder(fd, places[i].inside, 0, ret, err);
    }
    return r;
}
