#include "job/kinds/actions.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/wipe.h"
#include "io/spawn.h"
#include "job/contexts.h"
#include "job/kinds/handlers.h"
#include "job/kinds/manifest.h"
#include "job/steps.h"
#include "job/switches.h"
#include "store/resolve.h"
#include "store/room.h"
#include "store/source.h"

#include <unistd.h>

struct actions_get {
    struct run *run;
    struct log *log;
    actions_fn *fn;
    void *ctx;
    struct arena arena;
    struct timer *kick;
    struct resolve_run *asking;   /* who says which commits they are; NULL: nobody is asked now */
    VEC(struct action_ref) asked; /* what for */
    struct resolved
        *resolved; /* of this level's references; without an address for those that nobody
                                  was asked for; NULL: for none */
    struct store_fetch *fetch;
    VEC(struct frame *) level;     /* those that are looked at now */
    VEC(struct frame *) below;     /* the next ones */
    VEC(struct action_ref) refs;   /* what this level fetches */
    VEC(struct instance *) askers; /* of the same number: who asked first */
    size_t n_steps;
    struct err failed; /* to show what was had; told when the level is over */
    size_t failed_at;
};

bool actions_wanted(const struct frame *frame)
{
    for (size_t i = 0; i < frame->n_instances; i++)
        if (frame->instances[i].remote)
            return true;
    return false;
}

void actions_deinit(struct run *run)
{
    VEC_EACH (a, &run->actions) {
        free(a->key);
        free(a->dir);
        free(a->source);
        fd_closep(&a->hold);
    }
    vec_deinit(&run->actions);
}

struct actions_get *actions_get_free(struct actions_get *g)
{
    if (!g)
        return NULL;
    g->kick = timer_free(g->kick);
    g->asking = resolve_run_free(g->asking);
    g->fetch = store_fetch_free(g->fetch);
    vec_deinit(&g->level);
    vec_deinit(&g->below);
    vec_deinit(&g->refs);
    vec_deinit(&g->asked);
    vec_deinit(&g->askers);
    arena_deinit(&g->arena);
    free(g);
    return NULL;
}

/* Last of all: FN may free G. */
static void finish(struct actions_get *g, const struct err *err)
{
    g->fetch = store_fetch_free(g->fetch);
    g->fn(g->ctx, err);
}

/* Who wants it, in front of why it is not to be had. */
static int blame(struct actions_get *g, const struct instance *i, struct err *err)
{
    const struct frame *f = i->frame;
    const char *within = f->parent ? arena_printf(&g->arena, "%s, ", f->action_path) : "";
    const char *line = i->def->line ? arena_printf(&g->arena, "line %d: ", i->def->line) : "";

    return err_in(err, "%s%s'%s'", within, line, i->def->uses);
}

/* ---- the places ---- */

/* Gitea and Forgejo let a step say which server its action is from. */
static int parse_ref(struct actions_get *g, const struct instance *i, struct action_ref *ret,
                     struct err *err)
{
    struct slice uses = slice_of(i->def->uses);

    return run_is_forge(g->run) ? action_ref_parse_from(&g->arena, uses, ret, err)
                                : action_ref_parse(&g->arena, uses, ret, err);
}

/* "owner/repo@ref", as people know it. */
static const char *shown_ref(struct actions_get *g, const struct action_ref *ref)
{
    const char *at = ref->source ? ref->source : "";

    return arena_printf(&g->arena, "%s%s%s@%s", at, *at ? "/" : "", ref->repository, ref->ref);
}

static const struct run_action *find(struct actions_get *g, const struct action_ref *ref)
{
    const char *key = shown_ref(g, ref);

    VEC_EACH (a, &g->run->actions)
        if (strcmp(a->key, key) == 0)
            return a;
    return NULL;
}

/* Below _actions; no owner begins with '@'. */
static int place_of(struct actions_get *g, const struct action_ref *ref, const char **ret,
                    struct err *err)
{
    const char *host = "";

    if (ref->source && source_host(&g->arena, ref->source, &host, err) < 0)
        return err->code;
    *ret = arena_printf(&g->arena, "_actions/%s%s%s%s/%s", *host ? "@" : "", host, *host ? "/" : "",
                        ref->repository, ref->ref);
    return ERR_OK;
}

static int show(struct actions_get *g, const struct action_ref *ref,
                const struct store_entry *entry, struct err *err)
{
    struct run *run = g->run;
    const char *key = shown_ref(g, ref), *place;
    int hold = -1;
    int r = place_of(g, ref, &place, err);

    if (r < 0)
        return r;
    char *dir = path_join(sandbox_work(run->sandbox), place);
    r = store_hold(entry->path, &hold, err);

    vec_push(&run->actions, (struct run_action){
                                .key = mem_dup(key, strlen(key)),
                                .dir = dir,
                                .source = mem_dup(entry->path, strlen(entry->path)),
                                .hold = hold,
                            });
    if (r < 0)
        return r;
    if (run->shared) /* a container of the job's is to see it */
        return sandbox_copy_tree(run->sandbox, entry->path, dir, NULL, err);
    return sandbox_show_tree(run->sandbox, entry->path, dir, NULL, err);
}

static void tell_got(struct actions_get *g, size_t i, const char *sha)
{
    const struct action_ref *ref = &g->refs.ptr[i];
    const struct resolved *package = g->resolved ? &g->resolved[i] : NULL;

    if (!package || !package->version) {
        log_printf(g->log, LOG_PLAIN, "Download action repository '%s' (SHA:%s)", shown_ref(g, ref),
                   sha);
        return;
    }
    log_printf(g->log, LOG_GROUP, "Download immutable action package '%s@%s'", ref->repository,
               ref->ref);
    log_printf(g->log, LOG_PLAIN, "Version: %s", package->version);
    log_printf(g->log, LOG_PLAIN, "Digest: %s", package->digest ? package->digest : "");
    log_printf(g->log, LOG_PLAIN, "Source commit SHA: %s", sha);
    log_write(g->log, LOG_ENDGROUP, SLICE(""));
}

static void on_got(void *ctx, size_t i, const struct store_entry *entry)
{
    struct actions_get *g = ctx;
    const struct action_ref *ref = &g->refs.ptr[i];
    struct err err = ERR_INIT;

    tell_got(g, i, entry->sha);
    if (entry->note)
        log_issue(g->log, ANNOTATION_WARNING, "%s: %s", shown_ref(g, ref), entry->note);
    if (show(g, ref, entry, &err) < 0 && !g->failed.code) {
        g->failed = err;
        g->failed_at = i;
    }
    if (log_flush(g->log, &err) < 0)
        run_lose(g->run);
}

/* ---- what they are ---- */

static int open_composite(struct actions_get *g, struct instance *i, struct err *err)
{
    const struct action *action = i->action;

    g->n_steps += action->n_steps;
    if (g->n_steps > ACTIONS_STEPS_MAX)
        return err_set(err, ERR_LIMIT, "the composite actions of this job have more than %d steps",
                       ACTIONS_STEPS_MAX);
    i->inner = frame_new(g->run, i->frame, action->steps, action->n_steps);
    i->inner->action_path = mem_dup(i->action_dir, strlen(i->action_dir));
    i->inner->uses = i->def->uses;
    vec_push(&g->below, i->inner);
    return frame_prepare(g->run, i->inner, err);
}

static char *within(const char *dir, const char *path)
{
    return *path ? path_join(dir, path) : mem_dup(dir, strlen(dir));
}

static int take(struct actions_get *g, struct instance *i, struct err *err)
{
    struct action_ref ref;
    int r = parse_ref(g, i, &ref, err);

    if (r < 0)
        return r;
    const struct run_action *had = find(g, &ref);
    if (!had)
        BUG("'%s' was never fetched", i->def->uses);
    free(i->action_dir);
    i->action_dir = within(had->dir, ref.path);
    free(i->action_source);
    i->action_source = within(had->source, ref.path);
    r = manifest_load(g->run, i->action_dir, g->log, &i->action, err);
    if (r == ERR_OK && !handler_of_action(i, err))
        r = err->code;
    if (r == ERR_OK && i->action->kind == ACTION_COMPOSITE)
        r = open_composite(g, i, err);
    return r;
}

/* ---- level by level ---- */

static void start_level(struct actions_get *g);

static int take_level(struct actions_get *g, struct err *err)
{
    VEC_EACH (f, &g->level)
        for (size_t k = 0; k < (*f)->n_instances; k++) {
            struct instance *i = &(*f)->instances[k];

            if (i->remote && !i->action && take(g, i, err) < 0)
                return blame(g, i, err);
        }
    return ERR_OK;
}

static void on_level(void *ctx, size_t at, const struct err *why)
{
    struct actions_get *g = ctx;
    struct err err = why ? *why : g->failed;

    if (err.code) {
        (void)blame(g, g->askers.ptr[why ? at : g->failed_at], &err);
        finish(g, &err);
        return;
    }
    g->fetch = store_fetch_free(g->fetch);
    if (take_level(g, &err) < 0) {
        finish(g, &err);
        return;
    }
    g->level.len = 0;
    VEC_EACH (f, &g->below)
        vec_push(&g->level, *f);
    g->below.len = 0;
    if (g->level.len)
        start_level(g);
    else
        finish(g, NULL);
}

static bool is_listed(struct actions_get *g, const struct action_ref *ref)
{
    VEC_EACH (r, &g->refs)
        if (strcmp(shown_ref(g, r), shown_ref(g, ref)) == 0)
            return true;
    return false;
}

static int list_level(struct actions_get *g, struct err *err)
{
    g->refs.len = g->askers.len = 0;
    VEC_EACH (f, &g->level)
        for (size_t k = 0; k < (*f)->n_instances; k++) {
            struct instance *i = &(*f)->instances[k];
            struct action_ref ref;

            if (!i->remote || i->action)
                continue;
            if (parse_ref(g, i, &ref, err) < 0)
                return blame(g, i, err);
            if (find(g, &ref) || is_listed(g, &ref))
                continue;
            vec_push(&g->refs, ref);
            vec_push(&g->askers, i);
        }
    if (g->refs.len + g->run->actions.len > ACTIONS_MAX)
        return err_set(err, ERR_LIMIT, "this job uses more than %d actions of other repositories",
                       ACTIONS_MAX);
    return ERR_OK;
}

/* ---- asking and fetching ---- */

static int64_t retry_ms(void)
{
    return switch_text("_GITHUB_ACTION_DOWNLOAD_NO_BACKOFF") ? 1 : 0;
}

/* NULL: no server is to know who asks. */
static const char *login_header(const struct job *j, struct buf *to)
{
    const char *token = strmap_get(&j->secrets, "GITHUB_TOKEN");

    if (!j->store_login || !token || !*token)
        return NULL;
    store_login_header(slice_of(token), to);
    return to->ptr;
}

static void start_fetch(struct actions_get *g)
{
    const struct job *j = g->run->job;
    CLEANUP(wipe_buf) struct buf login = BUF_INIT(64 << 10);
    const char *header = login_header(j, &login);
    const struct store_client client = {on_got, on_level, g};
    struct store_given *given = NULL;

    if (g->resolved) {
        given = arena_array(&g->arena, g->refs.len, sizeof *given);
        for (size_t i = 0; i < g->refs.len; i++)
            given[i] = g->resolved[i].given;
    }
    const struct store_spec spec = {
        .folder = j->store,
        .source = j->store_source,
        .offline = j->offline,
        .budget = j->store_budget,
        .since = j->store_since,
        .locks = &j->store_locks,
        .clones = &j->repositories,
        .git = {.path = spawn_env_path((const char *const *)environ),
                .home = g->run->home,
                .more = j->fetch_env},
        .given = given,
        .retry_ms = retry_ms(),
        .login = header ? j->store_login : NULL,
        .login_header = header,
    };
    g->fetch = store_fetch_start(&spec, g->refs.ptr, g->refs.len, g->run->loop, &client);
}

/* What the administrator has here, or gets elsewhere, is nothing to ask the job's service for. */
static bool is_asked(const struct actions_get *g, const struct action_ref *ref)
{
    const struct job *j = g->run->job;
    bool own = j->store_source && strcmp(j->store_source, SOURCE_DEFAULT) != 0;

    return j->resolver && !own && !j->offline && !strmap_get(&j->repositories, ref->repository);
}

/* Tokens that came with the answer are secrets from now on. */
static void on_resolved(void *ctx, const struct resolve_answer *answer, const struct err *why)
{
    struct actions_get *g = ctx;
    struct err err = ERR_INIT;

    if (why) {
        finish(g, why);
        return;
    }
    for (size_t i = 0; i < answer->n; i++) {
        const char *token = answer->list[i].token;

        if (!token)
            continue;
        mask_add(g->run->mask, slice_of(token));
        mask_add(g->run->mask, slice_of(arena_printf(&g->arena, "x-access-token:%s", token)));
    }
    for (const char *const *one = answer->failures; one && *one; one++)
        log_write(g->log, LOG_PLAIN, slice_of(*one));
    if (log_flush(g->log, &err) < 0)
        run_lose(g->run);
    g->resolved = arena_array(&g->arena, g->refs.len, sizeof *g->resolved);
    for (size_t i = 0, next = 0; i < g->refs.len; i++)
        if (is_asked(g, &g->refs.ptr[i]))
            g->resolved[i] = answer->list[next++];
    start_fetch(g);
}

static int start_asking(struct actions_get *g, struct err *err)
{
    const struct job *j = g->run->job;
    const char *token = strmap_get(&j->runtime, "ACTIONS_RUNTIME_TOKEN");
    const char *own = strmap_get(&j->secrets, "GITHUB_TOKEN");
    struct resolve_ask ask = {
        .url = j->resolver_url,
        .token = token ? token : "",
        .archive_token = own ? own : "",
        .pins = j->resolver_pins,
        .codeload_bearer = j->codeload_bearer,
        .follow_once = j->resolver_redirects,
        .retry_ms = retry_ms(),
        .env = j->fetch_env,
        .refs = g->asked.ptr,
        .n = g->asked.len,
    };

    if (!resolve_service_parse(j->resolver, &ask.service) || !j->resolver_url)
        return err_set(err, ERR_INVALID, "nobody here knows a service '%s'", j->resolver);
    g->asking = resolve_run_free(g->asking);
    return resolve_start(&ask, g->run->loop, on_resolved, g, &g->asking, err);
}

static void start_level(struct actions_get *g)
{
    struct err err = ERR_INIT;

    g->resolved = NULL;
    if (list_level(g, &err) < 0) {
        finish(g, &err);
        return;
    }
    if (!g->refs.len) {
        on_level(g, 0, NULL);
        return;
    }
    g->asked.len = 0;
    VEC_EACH (ref, &g->refs)
        if (is_asked(g, ref))
            vec_push(&g->asked, *ref);
    if (!g->asked.len)
        start_fetch(g);
    else if (start_asking(g, &err) < 0)
        finish(g, &err);
}

static void on_kick(void *ctx)
{
    struct actions_get *g = ctx;

    g->kick = NULL;
    start_level(g);
}

struct actions_get *actions_get_start(struct run *run, struct frame *frame, struct log *log,
                                      actions_fn *fn, void *ctx)
{
    struct actions_get *g = mem_new(sizeof *g);

    *g = (struct actions_get){.run = run, .log = log, .fn = fn, .ctx = ctx};
    vec_push(&g->level, frame);
    log_write(log, LOG_PLAIN, SLICE("Getting action download info"));
    g->kick = loop_timer(run->loop, clock_ms(), on_kick, g);
    return g;
}
