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
#include "store/fields.h"

enum { SWEEP_MS = 5000 }; /* for what a killed child had started to end */

/* ---- the messages ---- */

char *resolve_request_format(const struct resolve_ask *ask)
{
    json_t *json = json_object(), *refs = json_array();

    for (size_t i = 0; i < ask->n; i++) {
        const struct action_ref *ref = &ask->refs[i];

        json_array_append_new(refs, json_sprintf("%s%s%s@%s", ref->repository,
                                                 *ref->path ? "/" : "", ref->path, ref->ref));
    }
    json_object_set_new(json, "service", json_integer(ask->service));
    json_object_set_new(json, "url", field_text(ask->url));
    json_object_set_new(json, "token", field_text(ask->token));
    json_object_set_new(json, "archive_token", field_text(ask->archive_token));
    json_object_set_new(json, "pins", field_list(ask->pins));
    json_object_set_new(json, "codeload_bearer", json_boolean(ask->codeload_bearer));
    json_object_set_new(json, "follow_once", json_boolean(ask->follow_once));
    json_object_set_new(json, "retry", json_integer(ask->retry_ms));
    json_object_set_new(json, "env", field_list(ask->env));
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
        .url = field_get_text(a, json, "url"),
        .token = field_get_text(a, json, "token"),
        .archive_token = field_get_text(a, json, "archive_token"),
        .pins = field_get_list(a, json, "pins"),
        .codeload_bearer = json_is_true(json_object_get(json, "codeload_bearer")),
        .follow_once = json_is_true(json_object_get(json, "follow_once")),
        .retry_ms = json_integer_value(json_object_get(json, "retry")),
        .env = field_get_list(a, json, "env"),
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

    json_object_set_new(json, "repository", field_text(one->given.repository));
    json_object_set_new(json, "sha", field_text(one->given.sha));
    json_object_set_new(json, "url", field_text(one->given.url));
    json_object_set_new(json, "header", field_text(one->given.header));
    json_object_set_new(json, "token", field_text(one->token));
    json_object_set_new(json, "version", field_text(one->version));
    json_object_set_new(json, "digest", field_text(one->digest));
    return json;
}

char *resolve_answer_format(int r, const struct resolve_answer *answer, const struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *json = json_object(), *list = json_array();

    if (r < 0) { /* servers' words are in it */
        json_object_set_new(json, "code", json_integer(r));
        json_object_set_new(json, "error",
                            field_text(utf8_text(&a, arena_str(&a, slice_of(err->text)))));
    }
    for (size_t i = 0; r == ERR_OK && i < answer->n; i++)
        json_array_append_new(list, resolved_json(&answer->list[i]));
    json_object_set_new(json, "list", list);
    json_object_set_new(json, "failures", field_list(r == ERR_OK ? answer->failures : NULL));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static int read_answer(const json_t *json, struct arena *a, struct resolve_answer *ret,
                       struct err *err)
{
    json_int_t code = json_integer_value(json_object_get(json, "code"));
    const char *why = field_get_text(a, json, "error");
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
            .given = {.repository = field_get_text(a, one, "repository"),
                      .sha = field_get_text(a, one, "sha"),
                      .url = field_get_text(a, one, "url"),
                      .header = field_get_text(a, one, "header")},
            .token = field_get_text(a, one, "token"),
            .version = field_get_text(a, one, "version"),
            .digest = field_get_text(a, one, "digest"),
        };
        if (store_given_check(&all[i].given, err) < 0)
            return err->code;
    }
    *ret = (struct resolve_answer){all, i, field_get_list(a, json, "failures")};
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
