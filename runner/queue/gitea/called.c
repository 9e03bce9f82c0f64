#include "queue/gitea/called.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "lang/workflow/calls.h"
#include "queue/local/local.h"
#include "store/child.h"

#include <fcntl.h>

enum { LOGIN_MAX = 64 << 10 };

struct called {
    struct called_spec spec;
    struct arena arena;
    struct job *like; /* what all jobs inside share */
    struct task_call *call;
    char *login;         /* of HTTP, a secret; NULL: nobody is told */
    struct strmap trees; /* "owner/name@ref": where its files are; with its commit behind a NUL */
    const char *lacks;   /* the first of those that are not there yet; NULL: all are */
    struct action_ref wanted;
    struct store_fetch *fetch;
    struct queue *inner; /* once all is read */
    char *running;       /* the inner key; NULL: none runs */
    struct timer *timer; /* the next turn */
    bool stopped, hard;
    enum queue_result result; /* without an inner queue */
};

static void turn(void *ctx);

static void turn_soon(struct called *c)
{
    if (!c->timer)
        c->timer = loop_timer(c->spec.loop, clock_ms(), turn, c);
}

/* It cannot be run: WHY is the reason. */
static void fail(struct called *c, const char *why)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);

    buf_printf(&text, "##[error]%.3000s", why);
    c->spec.say(c->spec.ctx, text.ptr);
    c->spec.over(c->spec.ctx, QUEUE_FAILURE, NULL);
}

/* ---- the files that are called ---- */

static const char *github(const struct called *c, const char *key)
{
    const char *text = json_string_value(json_object_get(c->call->github, key));

    return text ? text : "";
}

/* "owner/name@ref" of REF, as action_ref_parse_from() takes it. */
static const char *name_of(const struct called *c, const struct call_ref *ref, struct arena *a)
{
    return arena_printf(a, "%s@%s", ref->repository ? ref->repository : github(c, "repository"),
                        ref->repository ? ref->ref : github(c, "sha"));
}

static int read_called(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                       const char **ret_sha, struct err *err)
{
    struct called *c = ctx;
    CLEANUP(fd_closep) int root = -1;
    const char *name = name_of(c, ref, a);
    struct err why = ERR_INIT;
    struct slice tree;

    if (!strmap_find(&c->trees, slice_of(name), &tree)) {
        c->lacks = arena_str(&c->arena, slice_of(name));
        return err_set(err, ERR_NOT_FOUND, "'%.200s' is not here yet", name);
    }
    if (path_open(AT_FDCWD, tree.ptr, O_PATH | O_DIRECTORY, 0, &root, err) < 0)
        return err->code;
    if (path_read(root, ref->path, to, &why) < 0)
        return err_set(err, why.code, "there is no '%s' at '%s'", ref->path, name);
    *ret_sha = arena_str(a, slice_of(path_base(tree.ptr))); /* the store calls trees so */
    return ERR_OK;
}

static void on_got(void *ctx, size_t i, const struct store_entry *entry)
{
    struct called *c = ctx;

    (void)i;
    strmap_set(&c->trees, slice_of(c->lacks), slice_of(entry->path));
}

static void on_fetched(void *ctx, size_t i, const struct err *err)
{
    struct called *c = ctx;

    (void)i;
    if (err)
        fail(c, arena_printf(&c->arena, "the workflow of '%s' cannot be had: %s", c->lacks,
                             err->text));
    else
        turn_soon(c);
}

static void fetch(struct called *c)
{
    const struct store_client client = {on_got, on_fetched, c};
    struct err err = ERR_INIT;

    if (!c->spec.store) {
        fail(c, "there is no action store, so no workflow can be called");
        return;
    }
    if (action_ref_parse_from(&c->arena, slice_of(c->lacks), &c->wanted, &err) < 0) {
        fail(c, err.text);
        return;
    }
    struct store_spec spec = *c->spec.store;
    spec.source = c->spec.settings->address;
    spec.since = store_now();
    spec.login = c->login ? spec.source : NULL;
    spec.login_header = c->login;
    c->fetch = store_fetch_free(c->fetch);
    c->fetch = store_fetch_start(&spec, &c->wanted, 1, c->spec.loop, &client);
}

/* ---- the run inside ---- */

static int on_inner_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct called *c = ctx;
    const char *name = json_string_value(json_object_get(event, "event"));
    const char *reason = json_string_value(json_object_get(event, "reason"));
    const char *job = json_string_value(json_object_get(event, "name"));
    const char *result = json_string_value(json_object_get(event, "result"));
    const char *text = json_string_value(json_object_get(event, "text"));

    (void)log;
    (void)err;
    if (name && strcmp(name, "note") == 0 && text)
        c->spec.say(c->spec.ctx, text);
    else if (name && strcmp(name, "job.finished") == 0 && reason && job && result)
        c->spec.say(c->spec.ctx, arena_printf(&c->arena, "Job '%s': %s: %s", job, result, reason));
    return ERR_OK;
}

static void on_inner_stop(void *ctx, const char *key, const char *why)
{
    struct called *c = ctx;

    (void)key; /* only one runs */
    c->spec.stop(c->spec.ctx, why);
}

static void on_inner_ready(void *ctx)
{
    turn_soon(ctx);
}

static int place(void *ctx, const struct workflow_job *def, const struct template_eval *t,
                 struct job *j, struct err *err)
{
    struct called *c = ctx;

    task_adopt(c->spec.settings, c->like, j);
    return task_place(c->spec.settings, t, def->runs_on, j, err);
}

static int start_inner(struct called *c, struct err *err)
{
    const struct workflow *workflow = &c->call->workflow;
    const struct local_spec spec = {
        .workflows = &workflow,
        .n_workflows = 1,
        .github = c->call->github,
        .secrets = &c->like->secrets,
        .vars = &c->call->vars,
        .inputs = &c->call->inputs,
        .needs = c->call->needs,
        .forge = true,
        .place = place,
        .ctx = c,
    };

    if (queue_local_new(&spec, &c->inner, err) < 0)
        return err->code;
    c->inner->client = (struct queue_client){.event = on_inner_event,
                                             .stop = on_inner_stop,
                                             .ready = on_inner_ready,
                                             .ctx = c,
                                             .loop = c->spec.loop};
    c->spec.ready(c->spec.ctx);
    return ERR_OK;
}

/* Reads what is called, again from the start whenever another file has come. */
static void load(struct called *c)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    const struct calls_options options = {
        .source = {.read = read_called, .ctx = c},
        .repository = github(c, "repository"),
        .reader = {.reader_only = true, .schema = {.forge = true}},
    };
    struct err err = ERR_INIT;

    c->lacks = NULL;
    if (workflow_load_calls(&c->call->workflow, &options, &diags) == ERR_OK) {
        if (start_inner(c, &err) < 0)
            fail(c, err.text);
    } else if (c->lacks) {
        fetch(c);
    } else {
        fail(c, diags.list.len ? diag_text(&a, &diags.list.ptr[0])
                               : "the called workflow cannot be read");
    }
}

static void finish(struct called *c)
{
    json_t *outputs = queue_local_outputs(c->inner);

    c->spec.over(c->spec.ctx, queue_local_result(c->inner), outputs);
    json_decref(outputs);
}

static void turn(void *ctx)
{
    struct called *c = ctx;

    c->timer = NULL;
    if (!c->inner && c->stopped)
        c->spec.over(c->spec.ctx, QUEUE_CANCELLED, NULL);
    else if (!c->inner)
        load(c);
    else if (c->inner->ops->done(c->inner))
        finish(c);
    else if (!c->running)
        c->spec.ready(c->spec.ctx);
}

/* ---- the outside ---- */

struct called *called_new(const struct called_spec *spec, struct task *task)
{
    struct called *c = mem_new(sizeof *c);
    const char *token = strmap_get(&task->job->secrets, "GITHUB_TOKEN");

    *c = (struct called){.spec = *spec, .like = task->job, .call = task->call};
    task->job = NULL;
    task->call = NULL;
    if (token && *token) {
        struct buf login = BUF_INIT(LOGIN_MAX);

        store_login_header(slice_of(token), &login);
        c->login = buf_take(&login);
    }
    turn_soon(c);
    return c;
}

struct called *called_free(struct called *c)
{
    if (!c)
        return NULL;
    c->fetch = store_fetch_free(c->fetch);
    c->timer = timer_free(c->timer);
    if (c->inner) {
        c->inner->ops->detach(c->inner);
        c->inner->ops->free(c->inner);
    }
    if (c->login)
        explicit_bzero(c->login, strlen(c->login));
    free(c->login);
    free(c->running);
    job_deinit(c->like);
    free(c->like);
    task_call_free(c->call);
    strmap_deinit(&c->trees);
    arena_deinit(&c->arena);
    free(c);
    return NULL;
}

struct job *called_next(struct called *c, const char *key)
{
    struct err err = ERR_INIT;
    struct job *j = NULL;

    if (!c->inner || c->running)
        return NULL;
    int r = c->inner->ops->next(c->inner, &j, &err);
    if (r != 1) {
        if (r < 0 || c->inner->ops->done(c->inner))
            turn_soon(c);
        return NULL;
    }
    c->running = mem_dup(j->key, strlen(j->key));
    j->key = arena_str(&j->arena, slice_of(key));
    c->spec.say(c->spec.ctx, arena_printf(&c->arena, "Job '%s'", j->name));
    return j;
}

bool called_event(struct called *c, json_t *event, struct slice log)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    struct err ignored = ERR_INIT;

    if (c->running)
        (void)!c->inner->ops->event(c->inner, c->running, event, log, &ignored);
    return name && strcmp(name, "job.finished") != 0;
}

void called_ended(struct called *c, const char *why)
{
    struct err ignored = ERR_INIT;
    char *key = c->running;

    c->running = NULL;
    if (key)
        (void)!c->inner->ops->ended(c->inner, key, why, &ignored);
    free(key);
    turn_soon(c);
}

void called_cancel(struct called *c, bool hard)
{
    c->stopped = true;
    if (c->inner)
        c->inner->ops->cancel(c->inner, hard);
    else
        c->fetch = store_fetch_free(c->fetch);
    turn_soon(c);
}
