/* renew - a registration that changes while it is served: what the service puts in its place, the authority that it moves
 * to, and what the service is told of it (github-protocol.md 2.7, 3.1, 3.7, 9.5). */
#include "base/clock.h"
#include "queue/github/refresh.h"
#include "queue/github/state.h"
#include "queue/loose.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- telling the service ---- */

struct telling { /* one that is under way */
    struct telling *next;
    struct github *github;
    struct call *call;
};

static void on_told(void *ctx, const struct answer *a, struct slice body,
                    const struct http_answer *http)
{
    struct telling *t = ctx;
    struct github *g = t->github;
    struct telling **at = &g->tellings;

    (void)a; /* nothing depends on it */
    (void)body;
    (void)http;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    free(t);
    if (g->renew_due)
        github_settle(g);
}

void github_tell_state(struct github *g, const char *state, const char *text)
{
    const struct github_settings *s = g->settings;
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(TENANT_URL_MAX);
    char pool[24], agent[24];
    struct tenant_query q = {.resource = TENANT_UPDATES,
                             .values = {{"poolId", pool}, {"agentId", agent}}};
    struct call_spec spec = {.method = "PUT", .tenant = &q, .total_ms = g->waits.leave};

    if (!g->tenant)
        return;
    snprintf(pool, sizeof pool, "%" PRId64, s->pool_id);
    snprintf(agent, sizeof agent, "%" PRIu64, s->agent_id);
    buf_add_str(&query, "currentState=");
    github_url_escape(&query, slice_of(state));
    buf_add_str(&query, "&updateTrace=");
    github_url_escape(&query, slice_of(text));
    q.query = query.ptr;
    struct telling *t = mem_new(sizeof *t);
    t->github = g;
    t->next = g->tellings;
    g->tellings = t;
    t->call = call_start(&g->caller, &spec, on_told, t);
}

void github_tellings_free(struct github *g)
{
    while (g->tellings) {
        struct telling *t = g->tellings;

        g->tellings = t->next;
        call_free(t->call);
        free(t);
    }
}

static void say(struct github *g, const char *text)
{
    github_note(g, text);
    github_tell_state(g, "RefreshConfig", text);
}

void github_deferred(void *ctx, const char *why)
{
    struct github *g = ctx;
    char text[2 * ERR_TEXT_SIZE];

    snprintf(text, sizeof text,
             "the authority that the service moves to is left alone for an hour: %s", why);
    say(g, text);
}

/* People rename runners on the server's pages (4.4). Known by its number, it goes on with the old name until the next
 * start. */
void github_renamed(void *github, const char *name)
{
    struct github *g = github;
    CLEANUP(loose_freep) json_t *runner = NULL;
    struct err err = ERR_INIT;
    char shown[80], text[2 * ERR_TEXT_SIZE];

    if (g->renamed || registration_read(g->registration, ".runner", &runner, &err) < 0)
        return;
    g->renamed = true;
    json_object_set_new(runner, "agentName", json_string(name));
    answer_line(slice_of(name), shown, sizeof shown);
    snprintf(text, sizeof text, "the server calls this runner '%s' now", shown);
    github_note(g,
                registration_write(g->registration, ".runner", runner, &err) < 0 ? err.text : text);
}

/* ---- in the place of what was ---- */

/* With the settings that are there now; MIGRATED as for github_settings_load(). False: they cannot be read, and all
 * stays as it is. */
static bool reload(struct github *g, bool migrated)
{
    struct github_settings *fresh = NULL;
    struct err err = ERR_INIT;

    if (github_settings_load(g->registration, migrated, &fresh, &err) < 0) {
        github_note(g, err.text);
        return false;
    }
    github_put_down(g);
    github_settings_free(g->settings);
    g->settings = fresh;
    github_set_up(g);
    github_show(g); /* the poll is another one */
    return true;
}

static void on_closed(void *ctx)
{
    struct github *g = ctx;

    (void)reload(g, true);
    session_open(&g->session);
}

void github_renew(struct github *g)
{
    g->renew_due = false;
    github_poll_stop(&g->poll);
    take_stop(g);
    g->state = GITHUB_OPENING;
    session_close(&g->session, true, on_closed, g);
}

bool github_fall_back(struct github *g, const struct answer *a)
{
    char text[2 * ERR_TEXT_SIZE];

    if (!g->settings->migrated || !reload(g, false))
        return false;
    snprintf(text, sizeof text,
             "what the service has put in the place of '.runner' does not work: going on with "
             "the old one (%s)",
             a->text);
    github_note(g, text);
    session_open(&g->session);
    return true;
}

/* ---- RunnerRefreshConfig ---- */

static int take_answer(struct github *g, struct slice body, bool *ret_changed, struct err *err)
{
    CLEANUP(loose_wipep) json_t *now = NULL;
    CLEANUP(loose_wipep) json_t *fresh = NULL;
    char name[32];
    int r = registration_read(g->registration, g->refresh.file, &now, err);

    if (r == ERR_OK)
        r = github_refresh_answer(body, g->refresh.file, now, &fresh, err);
    if (r < 0 || !fresh)
        return r;
    snprintf(name, sizeof name, "%s_migrated", g->refresh.file);
    r = registration_write(g->registration, name, fresh, err);
    if (r < 0)
        return r;
    *ret_changed = true;
    if (strcmp(g->refresh.file, ".credentials") == 0)
        g->migrates = *loose_text(loose_find(fresh, "data"), "authorizationUrlV2") != '\0';
    return ERR_OK;
}

static void on_answer(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http)
{
    struct github *g = ctx;
    struct err err = ERR_INIT;
    char text[2 * ERR_TEXT_SIZE];
    bool changed = false;

    (void)http;
    g->refreshing = NULL;
    if (a->kind != ANSWER_FINE)
        (void)err_set(&err, ERR_FAILED, "%s", a->text);
    else
        (void)!take_answer(g, body, &changed, &err);
    if (err.code)
        snprintf(text, sizeof text, "'%s' stays as it is: %s", g->refresh.file, err.text);
    else
        snprintf(text, sizeof text, "'%s' was replaced by the service", g->refresh.file);
    if (changed || err.code)
        say(g, text);
    g->renew_due |= changed;
    github_poll_next(&g->poll, GITHUB_POLL_TAKEN);
    github_settle(g);
}

void github_refresh(struct github *g, const json_t *message)
{
    CLEANUP(loose_wipep) json_t *now = NULL;
    CLEANUP(loose_wipep) json_t *body = NULL;
    char agent[24], text[2 * ERR_TEXT_SIZE];
    struct tenant_query q = {
        .resource = TENANT_CONFIG_REFRESH,
        .values = {{"agentId", agent}, {"configType", NULL}},
    };
    struct call_spec spec = {.method = "POST", .tenant = &q, .total_ms = g->waits.leave};
    struct err err = ERR_INIT;
    int r = github_refresh_read(message, g->settings->agent_id, &g->refresh, &err);

    if (r == ERR_OK)
        r = registration_read(g->registration, g->refresh.file, &now, &err);
    if (r == ERR_OK && *g->settings->access_token)
        r = err_set(&err, ERR_UNSUPPORTED, "the scheme of '.credentials' is not 'OAuth'");
    if (r < 0) {
        snprintf(text, sizeof text, "the registration stays as it is: %s", err.text);
        say(g, text);
        github_poll_next(&g->poll, GITHUB_POLL_USELESS);
        return;
    }
    body = github_refresh_question(now);
    snprintf(agent, sizeof agent, "%" PRIu64, g->settings->agent_id);
    q.values[1].text = g->refresh.kind;
    spec.body = body;
    g->refreshing = call_start(&g->caller, &spec, on_answer, g);
}
