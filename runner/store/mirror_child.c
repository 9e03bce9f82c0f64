/* The mirror's work in a process of its own, and who waits for it: as child.c has it for the action store. */
#include "store/mirror.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "io/proc.h"
#include "store/store.h"

enum { SWEEP_MS = 5000 }; /* for what a killed child had started to end */

/* ---- the messages ---- */

/* NULL: a text in it is no UTF-8. The caller frees it. */
static char *format_request(const struct mirror_ask *ask)
{
    json_t *env = json_array();

    for (const char *const *one = ask->env; one && *one; one++)
        json_array_append_new(env, json_string(*one));
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:b, s:I, s:s, s:o}", "folder", ask->folder, "url", ask->url,
                  "header", ask->header, "make", ask->make, "budget", (json_int_t)ask->budget,
                  "path", ask->path ? ask->path : "", "env", env);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

/* The texts live in *RET_JSON. */
static int parse_request(struct slice text, struct arena *a, struct mirror_ask *ret,
                         json_t **ret_json, struct err *err)
{
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL), *env = NULL, *item;
    json_int_t budget;
    int make;
    size_t i;

    *ret_json = json;
    if (json_unpack(json, "{s:s, s:s, s:s, s:b, s:I, s:s, s:o}", "folder", &ret->folder, "url",
                    &ret->url, "header", &ret->header, "make", &make, "budget", &budget, "path",
                    &ret->path, "env", &env) < 0 ||
        ret->folder[0] != '/')
        return err_set(err, ERR_INVALID, "that is no request for a mirror");
    const char **list = arena_array(a, json_array_size(env) + 1, sizeof *list);
    json_array_foreach (env, i, item)
        list[i] = json_is_string(item) ? json_string_value(item) : "";
    if (!*ret->path)
        ret->path = NULL;
    ret->env = list;
    ret->make = make;
    ret->budget = budget;
    return ERR_OK;
}

static char *format_answer(int r, const char *path, const struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *json = r < 0 ? json_pack("{s:i, s:s}", "code", r, "error",
                                     utf8_text(&a, arena_str(&a, slice_of(err->text))))
                         : json_pack("{s:s}", "path", path);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

static int parse_answer(struct slice text, struct arena *a, const char **ret, struct err *err)
{
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    const char *path = json_string_value(json_object_get(json, "path"));
    const char *why = json_string_value(json_object_get(json, "error"));
    json_int_t code = json_integer_value(json_object_get(json, "code"));
    int r = ERR_OK;

    if (why)
        r = err_set(err, code >= ERR_FAILED && code < 0 ? (int)code : ERR_FAILED, "%s", why);
    else if (!path || path[0] != '/')
        r = err_set(err, ERR_INVALID, "no answer that can be read");
    else
        *ret = arena_str(a, slice_of(path));
    json_decref(json);
    return r;
}

/* ---- the child ---- */

static int serve(struct arena *a, const char **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MIRROR_MESSAGE_MAX);
    struct mirror_ask ask = {0};
    json_t *json = NULL;
    int r = fd_read_all(STDIN_FILENO, &text, err);

    if (r == ERR_OK)
        r = parse_request(buf_slice(&text), a, &ask, &json, err);
    if (r == ERR_OK)
        r = mirror_get(&ask, a, ret, err);
    json_decref(json);
    return r;
}

/* Our own group: git, and what git started. */
static void end_all(int signo)
{
    (void)signo;
    kill(0, SIGKILL);
}

int mirror_child_main(int argc, char **argv)
{
    static const struct rlimit size = {STORE_TREE_MAX, STORE_TREE_MAX};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT, ignored = ERR_INIT; /* nobody is there to hear it */
    const char *path = NULL;

    (void)argc;
    (void)argv;
    if (getpgrp() == getpid())
        signal(SIGTERM, end_all);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody waits for the answer then */
    (void)setrlimit(RLIMIT_FSIZE, &size);   /* of git's packs; without it the server decides */
    signal(SIGXFSZ, SIG_IGN);
    umask(022); /* jobs, that may be others, read it; the folders above let nobody in */
    int r = serve(&a, &path, &err);
    CLEANUP(free_ptr) char *text = format_answer(r, path, &err);
    return fd_write_all(STDOUT_FILENO, slice_of(text ? text : ""), &ignored) < 0;
}

/* ---- who waits for it ---- */

struct mirror_fetch {
    struct arena arena;
    struct loop *loop;
    mirror_done_fn *done;
    void *ctx;
    struct proc *proc;
    struct watch *watch;
    struct timer *limit;
    int out; /* -1: closed */
    bool exited;
    struct proc_exit how;
    struct buf text;
};

struct mirror_fetch *mirror_fetch_free(struct mirror_fetch *f)
{
    if (!f)
        return NULL;
    f->limit = timer_free(f->limit);
    f->watch = watch_free(f->watch);
    fd_closep(&f->out);
    f->proc = proc_free(f->proc);
    buf_deinit(&f->text);
    arena_deinit(&f->arena);
    free(f);
    return NULL;
}

/* Last of all: it may free F. */
static void on_end(struct mirror_fetch *f)
{
    struct err err = ERR_INIT, ignored = ERR_INIT;
    const char *path = NULL;

    if (!f->exited || f->out >= 0)
        return;
    if (f->how.signal) /* what it had started is ours now */
        (void)!proc_sweep(SWEEP_MS, &ignored);
    int r = f->how.signal ? err_set(&err, ERR_FAILED, "whoever fetched it was killed by signal %d",
                                    f->how.signal)
                          : parse_answer(buf_slice(&f->text), &f->arena, &path, &err);
    f->limit = timer_free(f->limit);
    f->done(f->ctx, r < 0 ? NULL : path, r < 0 ? &err : NULL);
}

static void on_readable(void *ctx, uint32_t events)
{
    struct mirror_fetch *f = ctx;

    (void)events;
    ssize_t n = fd_read_some(f->out, &f->text, MIRROR_MESSAGE_MAX - f->text.len);
    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    f->watch = watch_free(f->watch);
    fd_closep(&f->out);
    on_end(f);
}

static void on_exit_of_child(void *ctx, struct proc_exit how)
{
    struct mirror_fetch *f = ctx;

    f->exited = true;
    f->how = how;
    on_end(f);
}

static void on_limit(void *ctx)
{
    struct mirror_fetch *f = ctx;
    struct err err = ERR_INIT;

    f->limit = NULL;
    (void)err_set(&err, ERR_TIMEOUT, "fetching took longer than %d minutes",
                  MIRROR_TIMEOUT_MS / 60000);
    f->done(f->ctx, NULL, &err);
}

/* In memory: a token is in it. */
static int request_fd(const struct mirror_ask *ask, int *ret, struct err *err)
{
    CLEANUP(free_ptr) char *text = format_request(ask);
    CLEANUP(fd_closep) int fd = memfd_create("request", MFD_CLOEXEC);

    if (!text)
        return err_set(err, ERR_INVALID, "an address that is no UTF-8");
    if (fd < 0)
        return err_sys(err, "cannot make a request");
    if (fd_write_all(fd, slice_of(text), err) < 0)
        return err->code;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind a request");
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

static int start_child(struct mirror_fetch *f, const struct mirror_ask *ask, struct err *err)
{
    static const char *const argv[] = {"/proc/self/exe", "mirror-child", NULL};
    CLEANUP(fd_closep) int in = -1;
    CLEANUP(fd_closep) int end = -1;
    struct proc_spec spec = PROC_SPEC_INIT;
    int r = request_fd(ask, &in, err);

    if (r == ERR_OK)
        r = fd_pipe(&f->out, &end, err);
    if (r < 0)
        return r;
    spec.argv = argv;
    spec.in = in;
    spec.out = end;
    spec.err = STDERR_FILENO;
    spec.flags = SPAWN_GROUP;
    r = proc_start(&spec, &f->proc, err);
    if (r == ERR_OK)
        r = fd_set_nonblock(f->out, true, err);
    if (r == ERR_OK)
        r = loop_watch(f->loop, f->out, EPOLLIN, on_readable, f, &f->watch, err);
    return r == ERR_OK ? proc_watch(f->proc, f->loop, on_exit_of_child, f, err) : r;
}

int mirror_fetch_start(const struct mirror_ask *ask, struct loop *loop, mirror_done_fn *done,
                       void *ctx, struct mirror_fetch **ret, struct err *err)
{
    struct mirror_fetch *f = mem_new(sizeof *f);

    *f = (struct mirror_fetch){
        .loop = loop, .done = done, .ctx = ctx, .out = -1, .text = BUF_INIT(MIRROR_MESSAGE_MAX)};
    int r = start_child(f, ask, err);
    if (r < 0) {
        mirror_fetch_free(f);
        return r;
    }
    f->limit = loop_timer(loop, clock_ms() + MIRROR_TIMEOUT_MS, on_limit, f);
    *ret = f;
    return ERR_OK;
}
