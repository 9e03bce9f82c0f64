/* Resolving in a process of its own, and who waits for it: as child.c has it for fetching. */
#include "store/resolve.h"

#include <jansson.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "io/errand.h"
#include "store/child.h"

enum { SWEEP_MS = 5000 }; /* for what a killed child had started to end */

/* ---- the messages ---- */

static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : NULL; /* NULL for what is no UTF-8, too */

    return json ? json : json_null();
}

static json_t *list_json(const char *const *list)
{
    json_t *json = json_array();

    for (; list && *list; list++)
        json_array_append_new(json, text_json(*list));
    return json;
}

/* In the arena; NULL: there is none. */
static const char *member(struct arena *a, const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return json_is_string(value) ? arena_str(a, slice_of(json_string_value(value))) : NULL;
}

static const char *const *list_member(struct arena *a, const json_t *json, const char *name)
{
    const json_t *list = json_object_get(json, name);
    const char **ret = arena_array(a, json_array_size(list) + 1, sizeof *ret);
    size_t i, n = 0;
    json_t *item;

    json_array_foreach (list, i, item)
        if (json_is_string(item))
            ret[n++] = arena_str(a, slice_of(json_string_value(item)));
    return ret;
}

char *resolve_request_format(const struct resolve_ask *ask)
{
    json_t *json = json_object(), *refs = json_array();

    for (size_t i = 0; i < ask->n; i++) {
        const struct action_ref *ref = &ask->refs[i];

        json_array_append_new(refs, json_sprintf("%s%s%s@%s", ref->repository,
                                                 *ref->path ? "/" : "", ref->path, ref->ref));
    }
    json_object_set_new(json, "service", json_integer(ask->service));
    json_object_set_new(json, "url", text_json(ask->url));
    json_object_set_new(json, "token", text_json(ask->token));
    json_object_set_new(json, "archive_token", text_json(ask->archive_token));
    json_object_set_new(json, "pins", list_json(ask->pins));
    json_object_set_new(json, "codeload_bearer", json_boolean(ask->codeload_bearer));
    json_object_set_new(json, "retry", json_integer(ask->retry_ms));
    json_object_set_new(json, "env", list_json(ask->env));
    json_object_set_new(json, "refs", refs);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static int read_refs(const json_t *json, struct arena *a, struct resolve_ask *ret, struct err *err)
{
    const json_t *list = json_object_get(json, "refs");
    struct action_ref *refs = arena_array(a, json_array_size(list), sizeof *refs);
    json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (action_ref_parse(a, slice_of(json_string_value(one)), &refs[i], err) < 0)
            return err->code;
    ret->refs = refs;
    ret->n = json_array_size(list);
    return ERR_OK;
}

static int read_request(const json_t *json, struct arena *a, struct resolve_ask *ret,
                        struct err *err)
{
    json_int_t service = json_integer_value(json_object_get(json, "service"));

    *ret = (struct resolve_ask){
        .service = service == RESOLVE_LEGACY ? RESOLVE_LEGACY : RESOLVE_LAUNCH,
        .url = member(a, json, "url"),
        .token = member(a, json, "token"),
        .archive_token = member(a, json, "archive_token"),
        .pins = list_member(a, json, "pins"),
        .codeload_bearer = json_is_true(json_object_get(json, "codeload_bearer")),
        .retry_ms = json_integer_value(json_object_get(json, "retry")),
        .env = list_member(a, json, "env"),
    };
    if (!ret->url || !ret->token)
        return err_set(err, ERR_INVALID, "that is no request to resolve actions");
    return read_refs(json, a, ret, err);
}

int resolve_request_parse(struct slice text, struct arena *a, struct resolve_ask *ret,
                          struct err *err)
{
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, 0, NULL);
    int r = read_request(json, a, ret, err);

    json_decref(json);
    return r;
}

static json_t *resolved_json(const struct resolved *one)
{
    json_t *json = json_object();

    json_object_set_new(json, "repository", text_json(one->given.repository));
    json_object_set_new(json, "sha", text_json(one->given.sha));
    json_object_set_new(json, "url", text_json(one->given.url));
    json_object_set_new(json, "header", text_json(one->given.header));
    json_object_set_new(json, "token", text_json(one->token));
    json_object_set_new(json, "version", text_json(one->version));
    json_object_set_new(json, "digest", text_json(one->digest));
    return json;
}

char *resolve_answer_format(int r, const struct resolve_answer *answer, const struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *json = json_object(), *list = json_array();

    if (r < 0) { /* servers' words are in it */
        json_object_set_new(json, "code", json_integer(r));
        json_object_set_new(json, "error",
                            text_json(utf8_text(&a, arena_str(&a, slice_of(err->text)))));
    }
    for (size_t i = 0; r == ERR_OK && i < answer->n; i++)
        json_array_append_new(list, resolved_json(&answer->list[i]));
    json_object_set_new(json, "list", list);
    json_object_set_new(json, "failures", list_json(r == ERR_OK ? answer->failures : NULL));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static int read_answer(const json_t *json, struct arena *a, struct resolve_answer *ret,
                       struct err *err)
{
    json_int_t code = json_integer_value(json_object_get(json, "code"));
    const char *why = member(a, json, "error");
    const json_t *list = json_object_get(json, "list");
    struct resolved *all = arena_array(a, json_array_size(list), sizeof *all);
    json_t *one;
    size_t i;

    if (why)
        return err_set(err, code >= ERR_FAILED && code < 0 ? (int)code : ERR_FAILED, "%s", why);
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID,
                       "whoever resolves actions gave no answer that can be read");
    json_array_foreach (list, i, one) {
        all[i] = (struct resolved){
            .given = {.repository = member(a, one, "repository"),
                      .sha = member(a, one, "sha"),
                      .url = member(a, one, "url"),
                      .header = member(a, one, "header")},
            .token = member(a, one, "token"),
            .version = member(a, one, "version"),
            .digest = member(a, one, "digest"),
        };
        if (store_given_check(&all[i].given, err) < 0)
            return err->code;
    }
    *ret = (struct resolve_answer){all, i, list_member(a, json, "failures")};
    return ERR_OK;
}

int resolve_answer_parse(struct slice text, struct arena *a, struct resolve_answer *ret,
                         struct err *err)
{
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, 0, NULL);
    int r = read_answer(json, a, ret, err);

    json_decref(json);
    return r;
}

/* ---- the child ---- */

static int serve(struct arena *a, struct resolve_answer *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(RESOLVE_MESSAGE_MAX);
    struct resolve_ask ask = {0};
    int r = fd_read_all(STDIN_FILENO, &text, err);

    if (r == ERR_OK)
        r = resolve_request_parse(buf_slice(&text), a, &ask, err);
    return r == ERR_OK ? resolve(&ask, a, ret, err) : r;
}

int resolve_child_main(int argc, char **argv)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct resolve_answer answer = {0};
    struct err err = ERR_INIT, ignored = ERR_INIT; /* nobody is there to hear it */

    (void)argc;
    (void)argv;
    store_child_begin();
    int r = serve(&a, &answer, &err);
    CLEANUP(free_ptr) char *text = resolve_answer_format(r, &answer, &err);
    return fd_write_all(STDOUT_FILENO, slice_of(text), &ignored) < 0;
}

/* ---- who waits for it ---- */

struct resolve_run {
    struct arena arena;
    size_t n; /* references that were asked for */
    resolve_done_fn *done;
    void *ctx;
    struct errand *errand;
    struct timer *limit;
};

struct resolve_run *resolve_run_free(struct resolve_run *r)
{
    if (!r)
        return NULL;
    r->limit = timer_free(r->limit);
    r->errand = errand_free(r->errand);
    arena_deinit(&r->arena);
    free(r);
    return NULL;
}

/* Last of all: it may free RUN. */
static void on_end(void *ctx, struct proc_exit how, struct slice text)
{
    struct resolve_run *run = ctx;
    struct resolve_answer answer = {0};
    struct err err = ERR_INIT, ignored = ERR_INIT;
    int r;

    if (how.signal) /* what it had started is ours now */
        (void)!proc_sweep(SWEEP_MS, &ignored);
    r = how.signal ? err_set(&err, ERR_FAILED, "whoever resolves actions was killed by signal %d",
                             how.signal)
                   : resolve_answer_parse(text, &run->arena, &answer, &err);
    if (r == ERR_OK && answer.n != run->n)
        r = err_set(&err, ERR_INVALID, "whoever resolves actions answered something else");
    run->limit = timer_free(run->limit);
    run->done(run->ctx, r < 0 ? NULL : &answer, r < 0 ? &err : NULL);
}

static void on_limit(void *ctx)
{
    struct resolve_run *run = ctx;
    struct err err = ERR_INIT;

    run->limit = NULL;
    (void)err_set(&err, ERR_TIMEOUT, "resolving actions took longer than %d minutes",
                  RESOLVE_TIMEOUT_MS / 60000);
    run->done(run->ctx, NULL, &err);
}

/* In memory: tokens are in it. */
static int request_fd(const struct resolve_ask *ask, int *ret, struct err *err)
{
    char *text = resolve_request_format(ask);
    int r = fd_memory(slice_of(text), ret, err);

    explicit_bzero(text, strlen(text));
    free(text);
    return r;
}

int resolve_start(const struct resolve_ask *ask, struct loop *loop, resolve_done_fn *done,
                  void *ctx, struct resolve_run **ret, struct err *err)
{
    struct resolve_run *run = mem_new(sizeof *run);
    struct errand_client client = {NULL, on_end, run};
    struct errand_spec spec = {
        .name = "resolve-child", .flags = SPAWN_GROUP, .answer_max = RESOLVE_MESSAGE_MAX};
    CLEANUP(fd_closep) int in = -1;

    *run = (struct resolve_run){.n = ask->n, .done = done, .ctx = ctx};
    int r = request_fd(ask, &in, err);
    spec.request = in;
    if (r == ERR_OK)
        r = errand_start(&spec, loop, &client, &run->errand, err);
    if (r < 0) {
        resolve_run_free(run);
        return r;
    }
    run->limit = loop_timer(loop, clock_ms() + RESOLVE_TIMEOUT_MS, on_limit, run);
    *ret = run;
    return ERR_OK;
}
