#include "deploy.h"
#include "health.h"
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    FILE_MAX = 512 << 10, /* of a compose file; they are texts that people write */
    FILES_MAX = 2 << 20,  /* of all of them: a command's input is 4 MiB at most */
};

/* ---- all servers ---- */

struct task {
    struct deploy *deploy;
    struct remote *remote;
    deploy_part *part;
    ost_status end;
};

static void *work(void *ctx)
{
    struct task *t = ctx;

    t->end = t->part(t->deploy, t->remote);
    return NULL;
}

/* Does PART on N servers from the one AT, side by side. The first failure of them counts. */
static ost_status each(struct deploy *d, size_t at, size_t n, deploy_part *part)
{
    struct task tasks[HOSTS_MAX];
    pthread_t threads[HOSTS_MAX];
    bool started[HOSTS_MAX] = {false};
    ost_status end = OST_OK;

    for (size_t i = 0; i < n; i++) {
        tasks[i] = (struct task){d, &d->remotes[at + i], part, OST_OK};
        started[i] = i + 1 < n && pthread_create(&threads[i], NULL, work, &tasks[i]) == 0;
        if (!started[i])
            work(&tasks[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (started[i])
            pthread_join(threads[i], NULL);
        if (end == OST_OK && tasks[i].end < 0) {
            end = tasks[i].end;
            d->failed = tasks[i].remote;
        }
    }
    return end;
}

static ost_status all(struct deploy *d, deploy_part *part)
{
    return each(d, 0, d->n, part);
}

/* Records why all came to nothing. */
static ost_status record(struct deploy *d, ost_status code)
{
    if (code == OST_OK || code == OST_E_CANCELLED)
        return code;
    return ost_fail(d->step, code, "%s: %s", d->failed->server->label, d->failed->why);
}

/* ---- the beginning ---- */

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);
    char *line = (char *)(uintptr_t)span_dup(step, span_of(value ? value : ""));

    for (char *c = line; *c; c++) /* it becomes a line of a record */
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    return line;
}

static int by_address(const void *a, const void *b)
{
    struct remote *const *x = a, *const *y = b;

    return strcmp((*x)->server->label, (*y)->server->label);
}

ost_status deploy_open(struct ost_step *step, struct deploy *ret)
{
    uint64_t chance = 0;
    ost_status r;

    (void)!getrandom(&chance, sizeof chance,
                     0); /* two deploys at once, with 0 each, are unlikely */
    *ret = (struct deploy){
        .step = step,
        .id = ost_fmt(step, "%016llx", (unsigned long long)chance),
        .release = "",
        .commit = context(step, "github.sha"),
        .who = ost_fmt(step, "%s, run %s of %s", context(step, "github.repository"),
                       context(step, "github.run_id"), context(step, "github.actor")),
    };
    r = settings_read(step, &ret->settings);
    if (r < 0)
        return r;
    ret->n = ret->settings.n_servers;
    ret->remotes = step->host->alloc(step, ret->n * sizeof *ret->remotes);
    for (size_t i = 0; i < ret->n; i++) {
        remote_init(&ret->remotes[i], step, &ret->settings, &ret->access, i);
        ret->remotes[i].deploy = ret->id;
    }
    return OST_OK;
}

/* The release that is meant: to go back from one that is half live, or from the one that is the last good. */
static const char *before_live(const struct remote *r, bool rollback)
{
    return rollback && !r->switched ? r->previous : r->current;
}

static ost_status inspect(struct deploy *d, struct remote *r)
{
    struct sink values = {.step = d->step};
    struct told told;

    script_bool(&values, "needs_rsync",
                !d->settings.rollback &&
                    (d->settings.strategy == STRATEGY_RELEASE || *d->settings.files));
    ost_status e =
        remote_run(r, &(struct op){.body = sh_inspect, .values = sink_text(&values)}, &told);
    if (e < 0)
        return e;
    r->current = told_get(&told, "current");
    r->previous = told_get(&told, "previous");
    r->last = told_get(&told, "last");
    r->pending = told_get(&told, "pending");
    r->step_of = told_get(&told, "step");
    r->by = told_get(&told, "by");
    r->compose = told_get(&told, "compose");
    /* Somebody else's release may be half live; then our failure has to bring back the one before it. */
    r->switched = strcmp(r->step_of, "switching") == 0 || strcmp(r->step_of, "switched") == 0;
    const char *target = before_live(r, d->settings.rollback);
    const char *was = told_get(&told, ost_fmt(d->step, "strategy_%s", target));
    if (*was && strcmp(was, strategy_names[d->settings.strategy]) != 0)
        return remote_fail(
            r, OST_E_INVALID,
            "release %s in '%s' was deployed with the strategy '%s', not '%s': use that, or "
            "another folder",
            target, r->folder, was, strategy_names[d->settings.strategy]);
    if (!*r->pending || d->step->host->phase(d->step) == OST_PHASE_POST)
        return OST_OK;
    ost_log(d->step, OST_WARNING,
            "%sfound release %s unfinished (%s), begun by %s; the last good release is %s",
            r->prefix, r->pending, r->step_of, told_get(&told, "pending_who"),
            *r->current ? r->current : "none");
    return OST_OK;
}

ost_status deploy_connect(struct deploy *d, int64_t patience_ms)
{
    ost_status r = access_make(d->step, &d->settings, &d->access);
    struct remote *order[HOSTS_MAX];

    if (r < 0)
        return r;
    for (size_t i = 0; i < d->n; i++)
        order[i] = &d->remotes[i];
    /* Whoever locks several locks them in the same order, so no two deploys wait for each other. */
    qsort(order, d->n, sizeof *order, by_address);
    for (size_t i = 0; i < d->n && r == OST_OK; i++) {
        d->failed = order[i];
        r = remote_connect(order[i], d->who, patience_ms);
    }
    return record(d, r == OST_OK ? all(d, inspect) : r);
}

void deploy_close(struct deploy *d)
{
    for (size_t i = 0; i < d->n; i++)
        remote_close(&d->remotes[i]);
    access_remove(d->step, d->access.dir);
}

/* ---- the release ---- */

/* A number that no server has used: theirs would differ once one was out of order for a while. */
static ost_status choose(struct deploy *d)
{
    uint32_t last = 0;

    for (size_t i = 0; i < d->n; i++) {
        struct span s = span_of(d->remotes[i].last);
        uint32_t n = 0;

        if (span_eat_number(&s, &n) && n > last)
            last = n;
    }
    for (size_t i = 0; i < d->n; i++) {
        struct remote *r = &d->remotes[i];

        r->release = d->settings.rollback ? before_live(r, true) : ost_fmt(d->step, "%u", last + 1);
        if (!*r->release)
            return ost_fail(d->step, OST_E_NOT_FOUND,
                            "%s: there is no release before %s to go back to", r->server->label,
                            *r->current ? r->current : "the first");
    }
    d->release = d->remotes[0].release;
    return OST_OK;
}

static ost_status read_compose_file(struct deploy *d, const char *path, size_t *total,
                                    const char **ret)
{
    const char *full = ost_fmt(d->step, "%s/%s", d->settings.workspace, path);
    size_t size = 0;
    const char *text = file_read(d->step, full, FILE_MAX, &size);

    if (!text)
        return ost_fail(
            d->step, OST_E_NOT_FOUND,
            "cannot read the compose file '%s': it has to be a file of the workspace of at most "
            "%d bytes",
            path, FILE_MAX);
    *total += size;
    if (strlen(text) != size || *total > FILES_MAX)
        return ost_fail(d->step, OST_E_INVALID,
                        "the compose file '%s' is no text, or all are too large", path);
    *ret = text;
    return OST_OK;
}

static void list_words(struct sink *k, const char *kind, const char *const *words)
{
    for (; *words; words++)
        sink_addf(k, "%s %s\n", kind, *words);
}

/* The calls behind the script prepare: the files that make the release. */
static ost_status describe(struct deploy *d, const char **ret)
{
    const struct settings *s = &d->settings;
    struct sink calls = {.step = d->step}, list = {.step = d->step};
    size_t total = 0;
    ost_status r = OST_OK;

    for (const char *const *file = s->compose_files;
         s->strategy == STRATEGY_COMPOSE && *file && r == OST_OK; file++) {
        const char *text = "";

        r = read_compose_file(d, *file, &total, &text);
        script_call(&calls, "put", ost_fmt(d->step, "files/%s", *file), text);
    }
    list_words(&list, "file", s->compose_files);
    list_words(&list, "profile", s->profiles);
    list_words(&list, "service", s->services);
    if (*s->project)
        sink_addf(&list, "project %s\n", s->project);
    script_call(&calls, "put", "compose", sink_text(&list));
    for (const char *const *pair = s->env; *pair; pair += 2) {
        struct sink quoted = {.step = d->step};

        script_quote(&quoted, pair[1]); /* the file is read by a shell */
        script_call(&calls, "put_env", pair[0], sink_text(&quoted));
    }
    script_call(&calls, "prepared", NULL, NULL);
    *ret = sink_text(&calls);
    return r;
}

/* Everything that goes into one rsync, for the strategy. */
static ost_status copy_files(struct deploy *d, struct remote *r, const char *base)
{
    const struct settings *s = &d->settings;
    struct strings args = {0};

    if (s->strategy != STRATEGY_RELEASE && !*s->files)
        return OST_OK;
    if (s->strategy == STRATEGY_RELEASE) {
        if (*base) /* what did not change is neither sent nor stored again */
            strings_add(d->step, &args, ost_fmt(d->step, "--link-dest=../%s", base));
        for (const char *const *e = s->exclude; *e; e++)
            strings_add(d->step, &args, ost_fmt(d->step, "--exclude=%s", *e));
        strings_add(d->step, &args, "--");
        strings_add(d->step, &args, ost_fmt(d->step, "%s/", s->source));
        strings_add(d->step, &args, ost_fmt(d->step, "%%/releases/%s/", r->release));
    } else {
        strings_add(d->step, &args, "-R");
        strings_add(d->step, &args, "--");
        for (const char *const *f = s->files; *f; f++)
            strings_add(d->step, &args, ost_fmt(d->step, "./%s", *f));
        strings_add(d->step, &args, ost_fmt(d->step, "%%/.ostler/releases/%s/files/", r->release));
    }
    return remote_copy(r, strings_list(&args), s->workspace);
}

static ost_status prepare(struct deploy *d, struct remote *r)
{
    struct sink values = {.step = d->step};
    const char *calls = "";
    struct told told;
    ost_status e = OST_OK;

    if (d->settings.rollback) {
        r->prepared = true;
        return remote_run(r, &(struct op){.body = sh_take}, NULL);
    }
    script_value(&values, "who", d->who);
    script_value(&values, "commit", d->commit);
    e = describe(d, &calls);
    if (e < 0) /* it has been recorded; and looked at before anything was done */
        return remote_fail(r, e, "the compose files changed meanwhile");
    r->prepared = true;
    e = remote_run(
        r, &(struct op){.body = sh_prepare, .values = sink_text(&values), .calls = calls}, &told);
    return e == OST_OK ? copy_files(d, r, told_get(&told, "base")) : e;
}

static ost_status pull(struct deploy *d, struct remote *r)
{
    const struct settings *s = &d->settings;
    struct sink values = {.step = d->step};

    if (s->strategy != STRATEGY_COMPOSE || !s->pull || s->rollback)
        return OST_OK;
    script_value(&values, "registry", s->registry);
    script_value(&values, "username", s->username);
    script_value(&values, "password", s->password);
    ost_log(d->step, OST_INFO, "%spulling the images of release %s", r->prefix, r->release);
    return remote_run(
        r, &(struct op){.body = sh_pull, .values = sink_text(&values), .timeout_ms = s->command_ms},
        NULL);
}

static ost_status commands(struct deploy *d, struct remote *r, const char *what, const char *script)
{
    struct sink values = {.step = d->step};

    if (!*script || (d->settings.commands_once && r != d->remotes))
        return OST_OK;
    script_value(&values, "script", script);
    script_value(&values, "what", what);
    ost_log(d->step, OST_INFO, "%srunning the %s", r->prefix, what);
    return remote_run(r,
                      &(struct op){.body = sh_commands,
                                   .values = sink_text(&values),
                                   .timeout_ms = d->settings.command_ms},
                      NULL);
}

static ost_status before(struct deploy *d, struct remote *r)
{
    return d->settings.rollback ? OST_OK : commands(d, r, "pre-commands", d->settings.pre);
}

/* ---- live ---- */

static ost_status switch_over(struct deploy *d, struct remote *r)
{
    const struct settings *s = &d->settings;
    struct sink values = {.step = d->step}, calls = {.step = d->step};

    script_bool(&values, "remove_orphans", s->remove_orphans);
    script_value(&values, "script", s->rollback ? s->undo : s->script);
    for (const char *const *path = s->shared; s->strategy == STRATEGY_RELEASE && *path; path++)
        script_call(&calls, "share", *path, NULL);
    script_call(&calls, "go", NULL, NULL);
    ost_log(d->step, OST_INFO, "%srelease %s goes live", r->prefix, r->release);
    r->switched = true;
    return remote_run(r,
                      &(struct op){.body = sh_switch,
                                   .values = sink_text(&values),
                                   .calls = sink_text(&calls),
                                   .timeout_ms = s->command_ms},
                      NULL);
}

static ost_status after(struct deploy *d, struct remote *r)
{
    if (!d->settings.rollback)
        return commands(d, r, "post-commands", d->settings.post);
    return d->settings.strategy == STRATEGY_COMMAND
               ? OST_OK /* they were the switch */
               : commands(d, r, "rollback-commands", d->settings.undo);
}

/* Post-commands are first: a release often needs them (a restart) to be well. */
static ost_status go_live(struct deploy *d, struct remote *r)
{
    ost_status e = switch_over(d, r);

    if (e == OST_OK)
        e = after(d, r);
    return e == OST_OK ? health_wait(r, r->release) : e;
}

/* No more than max-unavailable servers at a time. */
static ost_status roll(struct deploy *d)
{
    ost_status r = OST_OK;

    for (size_t at = 0; at < d->n && r == OST_OK; at += d->settings.max_unavailable) {
        size_t n =
            d->n - at < d->settings.max_unavailable ? d->n - at : d->settings.max_unavailable;

        r = each(d, at, n, go_live);
    }
    return r;
}

ost_status deploy_commit(struct deploy *d, struct remote *r)
{
    struct sink values = {.step = d->step};
    struct told told;

    script_number(&values, "keep", d->settings.keep);
    script_bool(&values, "prune", d->settings.prune);
    ost_status e =
        remote_run(r, &(struct op){.body = sh_commit, .values = sink_text(&values)}, &told);
    if (e == OST_OK) {
        r->done = true;
        r->previous = told_get(&told, "previous");
    }
    return e;
}

/* ---- the course ---- */

static ost_status report(struct deploy *d, bool rolled_back)
{
    const struct ost_host *h = d->step->host;
    const struct remote *first = d->remotes;
    const char *url =
        *d->settings.url ? d->settings.url : health_url(d->step, &d->settings, first->server);
    struct sink k = {.step = d->step};
    ost_status r = h->output(d->step, "release", d->release);

    if (r == OST_OK)
        r = h->output(d->step, "previous", first->done ? first->previous : first->current);
    if (r == OST_OK)
        r = h->output(d->step, "rolled-back", rolled_back ? "true" : "false");
    if (r == OST_OK)
        r = h->output(d->step, "url", url);
    sink_add(&k, SPAN("| server | release | now |\n|---|---|---|\n"));
    for (size_t i = 0; i < d->n; i++) {
        const struct remote *m = &d->remotes[i];

        sink_addf(&k, "| %s | %s | %s |\n", m->server->label, m->release,
                  m->done ? "live"
                  : m->undone
                      ? ost_fmt(d->step, "rolled back to %s", *m->current ? m->current : "nothing")
                  : m->switched ? "**unknown: look at it**"
                                : "untouched");
    }
    return r == OST_OK ? h->summary(d->step, sink_text(&k)) : r;
}

/* The first failure stays the reason; how it went on stands behind it. */
static ost_status undo(struct deploy *d, ost_status why)
{
    const char *reason = ost_fmt(d->step, "%s: %s", d->failed->server->label, d->failed->why),
               *then = "";
    bool touched = false;

    for (size_t i = 0; i < d->n; i++)
        touched |= d->remotes[i].switched;
    ost_status r = undo_all(d, &then);
    if (r == OST_E_CANCELLED)
        return r; /* the post phase goes on with it */
    if (d->step->host->save(d->step, "unsettled", r == OST_OK ? "" : d->id) < 0)
        ost_log(d->step, OST_WARNING,
                "cannot note that this is over: the end of the job looks at it again");
    (void)report(d, touched && r == OST_OK); /* the failure itself is the news */
    return ost_fail(d->step, why, "release %s did not go live: %s; %s", d->release, reason, then);
}

static ost_status steps(struct deploy *d)
{
    static deploy_part *const parts[] = {prepare, pull, before};
    ost_status r = OST_OK;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && r == OST_OK; i++)
        r = all(d, parts[i]);
    return r == OST_OK ? roll(d) : r;
}

static ost_status deploy(struct deploy *d)
{
    const struct ost_host *h = d->step->host;
    ost_status r = h->save(d->step, "unsettled", d->id);

    if (r < 0)
        return r;
    r = steps(d);
    if (r == OST_E_CANCELLED)
        return r; /* nothing runs any more in this phase: the post phase takes it back */
    if (r < 0)
        return undo(d, r);
    r = h->save(d->step, "unsettled", ost_fmt(d->step, "%s live", d->id));
    if (r == OST_OK)
        r = record(d, all(d, deploy_commit));
    if (r == OST_OK)
        r = h->save(d->step, "unsettled", "");
    if (r < 0)
        return r;
    ost_log(d->step, OST_INFO, "release %s is live%s%s", d->release,
            d->n > 1 ? " on all servers" : "", d->settings.rollback ? " again" : "");
    return report(d, d->settings.rollback);
}

ost_status deploy_main(struct ost_step *step)
{
    struct deploy d;
    const char *ignored;
    ost_status r = deploy_open(step, &d);

    if (r == OST_OK)
        r = describe(&d,
                     &ignored); /* what can be seen to fail here fails before any server is asked */
    if (r < 0)
        return r;
    r = deploy_connect(&d, d.settings.lock_ms);
    if (r == OST_OK)
        r = choose(&d);
    if (r == OST_OK)
        r = deploy(&d);
    deploy_close(&d);
    return r;
}
