/* The mirror's work in a process of its own, and who waits for it: as child.c has it for the action store. */
#include "store/mirror.h"

#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "io/errand.h"
#include "store/child.h"

enum { SWEEP_MS = 5000 }; /* for what a killed child had started to end */

/* ---- the messages ---- */

char *mirror_request_format(const struct mirror_ask *ask)
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

static const char *keep(struct arena *a, const char *text)
{
    return arena_str(a, slice_of(text));
}

static int read_request(json_t *json, struct arena *a, struct mirror_ask *ret, struct err *err)
{
    json_t *env = NULL, *item;
    json_int_t budget;
    int make;
    size_t i;

    if (json_unpack(json, "{s:s, s:s, s:s, s:b, s:I, s:s, s:o}", "folder", &ret->folder, "url",
                    &ret->url, "header", &ret->header, "make", &make, "budget", &budget, "path",
                    &ret->path, "env", &env) < 0 ||
        ret->folder[0] != '/')
        return err_set(err, ERR_INVALID, "that is no request for a mirror");
    const char **list = arena_array(a, json_array_size(env) + 1, sizeof *list);
    json_array_foreach (env, i, item)
        list[i] = json_is_string(item) ? keep(a, json_string_value(item)) : "";
    ret->folder = keep(a, ret->folder);
    ret->url = keep(a, ret->url);
    ret->header = keep(a, ret->header);
    ret->path = *ret->path ? keep(a, ret->path) : NULL;
    ret->env = list;
    ret->make = make;
    ret->budget = budget;
    return ERR_OK;
}

int mirror_request_parse(struct slice text, struct arena *a, struct mirror_ask *ret,
                         struct err *err)
{
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    int r = read_request(json, a, ret, err);

    json_decref(json);
    return r;
}

char *mirror_answer_format(int r, const char *path, const struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *json = r < 0 ? json_pack("{s:i, s:s}", "code", r, "error",
                                     utf8_text(&a, arena_str(&a, slice_of(err->text))))
                         : json_pack("{s:s}", "path", path);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

int mirror_answer_parse(struct slice text, struct arena *a, const char **ret, struct err *err)
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
    int r = fd_read_all(STDIN_FILENO, &text, err);

    if (r == ERR_OK)
        r = mirror_request_parse(buf_slice(&text), a, &ask, err);
    return r == ERR_OK ? mirror_get(&ask, a, ret, err) : r;
}

int mirror_child_main(int argc, char **argv)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT, ignored = ERR_INIT; /* nobody is there to hear it */
    const char *path = NULL;

    (void)argc;
    (void)argv;
    store_child_begin();
    umask(022); /* jobs, that may be others, read it; the folders above let nobody in */
    int r = serve(&a, &path, &err);
    CLEANUP(free_ptr) char *text = mirror_answer_format(r, path, &err);
    return fd_write_all(STDOUT_FILENO, slice_of(text ? text : ""), &ignored) < 0;
}

/* ---- who waits for it ---- */

struct mirror_fetch {
    struct arena arena;
    mirror_done_fn *done;
    void *ctx;
    struct errand *errand;
    struct timer *limit;
};

struct mirror_fetch *mirror_fetch_free(struct mirror_fetch *f)
{
    if (!f)
        return NULL;
    f->limit = timer_free(f->limit);
    f->errand = errand_free(f->errand);
    arena_deinit(&f->arena);
    free(f);
    return NULL;
}

/* Last of all: it may free F. */
static void on_end(void *ctx, struct proc_exit how, struct slice answer)
{
    struct mirror_fetch *f = ctx;
    struct err err = ERR_INIT, ignored = ERR_INIT;
    const char *path = NULL;

    if (how.signal) /* what it had started is ours now */
        (void)!proc_sweep(SWEEP_MS, &ignored);
    int r = how.signal ? err_set(&err, ERR_FAILED, "whoever fetched it was killed by signal %d",
                                 how.signal)
                       : mirror_answer_parse(answer, &f->arena, &path, &err);
    f->limit = timer_free(f->limit);
    f->done(f->ctx, r < 0 ? NULL : path, r < 0 ? &err : NULL);
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
    char *text = mirror_request_format(ask);

    if (!text)
        return err_set(err, ERR_INVALID, "an address that is no UTF-8");
    int r = fd_memory(slice_of(text), ret, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return r;
}

int mirror_fetch_start(const struct mirror_ask *ask, struct loop *loop, mirror_done_fn *done,
                       void *ctx, struct mirror_fetch **ret, struct err *err)
{
    struct mirror_fetch *f = mem_new(sizeof *f);
    struct errand_client client = {NULL, on_end, f};
    struct errand_spec spec = {
        .name = "mirror-child", .flags = SPAWN_GROUP, .answer_max = MIRROR_MESSAGE_MAX};
    CLEANUP(fd_closep) int in = -1;

    *f = (struct mirror_fetch){.done = done, .ctx = ctx};
    int r = request_fd(ask, &in, err);
    spec.request = in;
    if (r == ERR_OK)
        r = errand_start(&spec, loop, &client, &f->errand, err);
    if (r < 0) {
        mirror_fetch_free(f);
        return r;
    }
    f->limit = loop_timer(loop, clock_ms() + MIRROR_TIMEOUT_MS, on_limit, f);
    *ret = f;
    return ERR_OK;
}
