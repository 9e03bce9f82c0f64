#include "health.h"
#include "script.h"

#include <ostler/ext.h>

#include <poll.h>
#include <string.h>

bool health_is_asked_for(const struct settings *s)
{
    return s->health.containers || *s->health.url || *s->health.command;
}

const char *health_url(struct ost_step *step, const struct settings *s, const struct server *server)
{
    static const char place[] = "{host}";
    const char *url = s->health.url, *at = strstr(url, place);

    if (!at)
        return url;
    return ost_fmt(step, "%.*s%s%s", (int)(at - url), url, server->name, at + sizeof place - 1);
}

/* How one look ended. */
enum look { LOOK_WELL, LOOK_AGAIN, LOOK_DEAD };

/* What the runner sees of the URL; a redirection is an answer, too. */
static ost_status look_from_here(struct remote *r, enum look *ret)
{
    const struct ost_http_v1 *http = r->step->host->extension(r->step, OST_EXT_HTTP);
    const char *url = health_url(r->step, r->settings, r->server);
    const struct ost_http_request ask = {.struct_size = sizeof ask,
                                         .method = "GET",
                                         .url = url,
                                         .timeout_ms = r->settings->health.timeout_ms};
    struct ost_http_response answer = {.struct_size = sizeof answer};

    *ret = LOOK_AGAIN;
    if (!http)
        return remote_fail(r, OST_E_UNSUPPORTED,
                           "this runner makes no requests for plugins: set health-from to server");
    ost_status e = http->fetch(r->step, &ask, &answer);
    if (e == OST_E_CANCELLED)
        return e;
    if (e < 0)
        (void)remote_fail(r, e, "%s: %s", url, r->step->host->last_error(r->step));
    else if (answer.status < 200 || answer.status >= 400)
        (void)remote_fail(r, e, "%s answers %d", url, answer.status);
    else
        *ret = LOOK_WELL;
    return OST_OK;
}

static ost_status look_from_there(struct remote *r, enum look *ret)
{
    const struct health *c = &r->settings->health;
    struct sink values = {.step = r->step};
    struct told told;

    script_value(&values, "url", c->from_server ? health_url(r->step, r->settings, r->server) : "");
    script_number(&values, "seconds", (c->timeout_ms + 999) / 1000);
    script_value(&values, "script", c->command);
    script_bool(&values, "look", c->containers);
    ost_status e = remote_run(r,
                              &(struct op){.body = sh_health,
                                           .values = sink_text(&values),
                                           .timeout_ms = r->settings->command_ms},
                              &told);
    if (e < 0)
        return e;
    const char *health = told_get(&told, "health");
    *ret = strcmp(health, "ok") == 0     ? LOOK_WELL
           : strcmp(health, "dead") == 0 ? LOOK_DEAD
                                         : LOOK_AGAIN;
    if (*ret != LOOK_WELL)
        (void)remote_fail(r, OST_OK, "%s", told_get(&told, "why"));
    return OST_OK;
}

/* Waits for news, never blindly. */
static ost_status wait_a_while(struct remote *r)
{
    struct pollfd fd = {.fd = r->step->host->cancel_fd(r->step), .events = POLLIN};

    (void)!poll(&fd, 1, (int)r->settings->health.interval_ms);
    return r->step->host->cancelled(r->step) ? remote_fail(r, OST_E_CANCELLED, "cancelled")
                                             : OST_OK;
}

ost_status health_wait(struct remote *r, const char *release)
{
    const struct health *c = &r->settings->health;
    const char *deployed = r->release, *before = "";
    bool there = c->containers || *c->command || c->from_server, here = *c->url && !c->from_server;
    enum look look = LOOK_WELL;
    ost_status e = OST_OK;

    if (!health_is_asked_for(r->settings))
        return OST_OK;
    r->release = release;
    for (uint32_t n = 0; e == OST_OK; n++) {
        if (there)
            e = look_from_there(r, &look);
        if (e == OST_OK && look == LOOK_WELL && here)
            e = look_from_here(r, &look);
        if (e < 0 || look != LOOK_AGAIN || n == c->retries)
            break;
        if (strcmp(before, r->why) != 0)
            ost_log(r->step, OST_INFO, "%snot healthy yet: %s", r->prefix, r->why);
        before = r->why;
        e = wait_a_while(r);
    }
    r->release = deployed;
    if (e == OST_OK && look != LOOK_WELL)
        e = remote_fail(r, OST_E_FAILED, "the health check failed: %s", r->why);
    if (e == OST_OK)
        ost_log(r->step, OST_INFO, "%srelease %s is healthy", r->prefix, release);
    return e;
}
