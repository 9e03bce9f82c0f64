#include "deploy.h"
#include "health.h"
#include "script.h"

#include <string.h>

enum {
    AGAIN_MS = 60000
}; /* how long a lock is waited for that our own broken connection may still hold */

static void show_logs(struct deploy *d, struct remote *r)
{
    if (d->settings.strategy != STRATEGY_COMPOSE)
        return;
    d->step->host->group(d->step, ost_fmt(d->step, "%sWhat the containers of release %s said",
                                          r->prefix, r->release));
    (void)remote_run(r, &(struct op){.body = sh_logs, .timeout_ms = AGAIN_MS},
                     NULL); /* a help, no more */
    d->step->host->group(d->step, NULL);
}

static ost_status back(struct deploy *d, struct remote *r)
{
    struct sink values = {.step = d->step};
    struct told told;

    script_value(&values, "script", d->settings.undo);
    ost_log(d->step, OST_INFO, "%srolling back to %s", r->prefix,
            *r->current ? ost_fmt(d->step, "release %s", r->current)
                        : "nothing: there was no release before");
    ost_status e = remote_run(r,
                              &(struct op){.body = sh_rollback,
                                           .values = sink_text(&values),
                                           .timeout_ms = d->settings.command_ms},
                              &told);
    if (e < 0)
        return e;
    r->current = told_get(&told, "target");
    if (!*r->current)
        return OST_OK;
    e = health_wait(r, r->current);
    if (e < 0 && e != OST_E_CANCELLED)
        (void)remote_fail(r, e, "release %s is back, but %s", r->current, r->why);
    return e;
}

static ost_status undo_one(struct deploy *d, struct remote *r)
{
    ost_status e = OST_OK;

    if (remote_is_lost(r)) { /* it may have been that very connection that failed */
        remote_close(r);
        e = remote_connect(r, d->who, AGAIN_MS);
    }
    if (e == OST_OK && r->switched) {
        show_logs(d, r);
        e = back(d, r);
        r->undone = e == OST_OK;
    } else if (e == OST_OK) {
        e = remote_run(r, &(struct op){.body = sh_drop}, NULL);
    }
    return e;
}

/* One after the other, the last first: those that still work go on doing so. */
ost_status undo_all(struct deploy *d, const char **ret)
{
    const struct remote *back_at = NULL;
    struct sink trouble = {.step = d->step};
    ost_status end = OST_OK;

    for (size_t i = d->n; i > 0; i--) {
        struct remote *r = &d->remotes[i - 1];

        if (!r->prepared || r->done)
            continue;
        ost_status e = undo_one(d, r);
        if (e == OST_E_CANCELLED)
            return e;
        if (e < 0) {
            sink_addf(&trouble, "%s%s: %s", end < 0 ? "; " : "", r->server->label, r->why);
            end = e;
        }
        if (r->undone)
            back_at = r;
    }
    if (end < 0)
        *ret = ost_fmt(
            d->step,
            "the way back failed as well, so look at the server yourself, or deploy once more (%s)",
            sink_text(&trouble));
    else if (!back_at)
        *ret = "nothing that runs was touched";
    else if (*back_at->current)
        *ret = ost_fmt(d->step, "release %s is back and works", back_at->current);
    else
        *ret = "there is no release before it, so it was stopped";
    return end;
}

/* ---- a deploy that was cut off ---- */

/* True if what is pending on R is the deploy with that id. */
static bool is_ours(const struct remote *r, struct span id)
{
    return *r->pending && span_is(id, r->by);
}

static ost_status settle(struct deploy *d, struct span id, bool live)
{
    const char *then = "nothing of it is left";
    size_t n = 0;
    ost_status e = OST_OK;

    d->id = span_dup(d->step, id);
    for (size_t i = 0; i < d->n; i++) {
        struct remote *r = &d->remotes[i];

        r->deploy = d->id;
        if (!is_ours(r, id))
            continue;
        n++;
        r->release = d->release = r->pending;
        r->prepared = true;
        if (!live || e < 0)
            continue;
        e = deploy_commit(d, r); /* all were healthy: what is left to do is to say so */
        if (e < 0)
            then = ost_fmt(d->step, "it is live, but cannot be put on record: %s", r->why);
    }
    if (e == OST_OK && n > 0 && !live)
        e = undo_all(d, &then);
    if (n > 0)
        ost_log(d->step, e < 0 ? OST_ERROR : OST_NOTICE, "the deploy of release %s was cut off: %s",
                d->release,
                e == OST_OK && live ? "it is live, and is now on record as such" : then);
    return e;
}

/* In a new process, after a cancel or a crash: takes back what the main phase could not. */
ost_status deploy_post(struct ost_step *step)
{
    const char *state = step->host->saved(step, "unsettled"),
               *dir = step->host->saved(step, "folder");
    struct span id = span_of(state ? state : ""), first;
    struct deploy d;
    bool live = span_eat_until(&id, ' ', &first);
    ost_status r;

    access_remove(step, dir);
    if (!state || !*state)
        return OST_OK;
    r = deploy_open(step, &d);
    if (r == OST_OK)
        r = deploy_connect(&d, AGAIN_MS);
    if (r == OST_OK)
        r = settle(&d, live ? first : id, live);
    else
        ost_log(step, OST_WARNING,
                "nobody could look what became of the deploy that was cut off: the next one will");
    if (d.access.dir)
        deploy_close(&d);
    return r;
}
