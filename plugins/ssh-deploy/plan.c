/* plan - what a deploy would do, server by server. A plan runs nothing and asks nobody, so what is there now is not
 * in it. */
#include "deploy.h"
#include "health.h"

#include <string.h>

static const char *list(struct ost_step *step, const char *const *words, const char *none)
{
    struct sink k = {.step = step};

    for (const char *const *w = words; *w; w++)
        sink_addf(&k, "%s%s", w == words ? "" : ", ", *w);
    return *words ? sink_text(&k) : none;
}

static const char *what(struct ost_step *step, const struct settings *s)
{
    if (s->rollback)
        return "the release before";
    switch (s->strategy) {
    case STRATEGY_COMPOSE:
        return ost_fmt(step, "%s with compose (services: %s)",
                       list(step, s->compose_files, "the compose file"),
                       list(step, s->services, "all"));
    case STRATEGY_RELEASE:
        return ost_fmt(step, "the folder %s, shared: %s", s->source,
                       list(step, s->shared, "nothing"));
    default:
        return "by a script";
    }
}

static ost_status plan_server(struct ost_step *step, const struct settings *s,
                              const struct server *server)
{
    const char *place = ost_fmt(step, "%s%s%s:%u:%s", server->user, *server->user ? "@" : "",
                                server->name, server->port, s->folder);
    ost_status r =
        step->host->plan(step, s->rollback ? "roll back" : "deploy", place, what(step, s));

    if (r == OST_OK && s->strategy == STRATEGY_COMPOSE && s->pull && !s->rollback)
        r = step->host->plan(step, "pull", place, *s->username ? "with a login for that time" : "");
    if (r == OST_OK && *s->pre && !s->rollback)
        r = step->host->plan(step, "run pre-commands", place,
                             s->commands_once ? "on the first server" : "");
    if (r == OST_OK && *s->post && !s->rollback)
        r = step->host->plan(step, "run post-commands", place,
                             s->commands_once ? "on the first server" : "");
    if (r == OST_OK && health_is_asked_for(s))
        r = step->host->plan(step, "check", place,
                             ost_fmt(step, "%s%s%s, %u looks; else back to the release before",
                                     s->health.containers ? "containers " : "",
                                     health_url(step, s, server),
                                     *s->health.command ? " command" : "", s->health.retries + 1));
    return r;
}

ost_status deploy_plan(struct ost_step *step)
{
    struct settings s;
    ost_status r = settings_read(step, &s);

    for (size_t i = 0; i < s.n_servers && r == OST_OK; i++)
        r = plan_server(step, &s, &s.servers[i]);
    return r;
}
