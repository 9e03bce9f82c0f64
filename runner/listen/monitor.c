#include "listen/monitor.h"

#include "base/clock.h"
#include "listen/web.h"

struct monitor {
    struct snapshot_source source;
    const struct metrics *metrics;
    struct web *port, *socket;
};

static void healthz(const struct monitor *m, const struct snapshot *s, struct web_reply *ret)
{
    (void)m;
    (void)s;
    buf_add_str(&ret->body, "ok\n");
}

static void readyz(const struct monitor *m, const struct snapshot *s, struct web_reply *ret)
{
    (void)m;
    if (snapshot_is_ready(s, clock_ms(), &ret->body))
        buf_add_str(&ret->body, "ok");
    else
        ret->status = 503;
    buf_add_char(&ret->body, '\n');
}

static void metrics(const struct monitor *m, const struct snapshot *s, struct web_reply *ret)
{
    ret->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_format(m->metrics, s, clock_ms(), &ret->body);
}

static void status(const struct monitor *m, const struct snapshot *s, struct web_reply *ret)
{
    json_t *json = snapshot_json(s, clock_ms());
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_COMPACT);

    (void)m;
    ret->type = "application/json";
    buf_add_str(&ret->body, text);
    buf_add_char(&ret->body, '\n');
    json_decref(json);
}

static void on_request(void *ctx, const char *path, struct web_reply *ret)
{
    static const struct {
        const char *path;
        void (*fn)(const struct monitor *m, const struct snapshot *s, struct web_reply *ret);
    } pages[] = {
        {"/healthz", healthz}, {"/readyz", readyz}, {"/metrics", metrics}, {"/status", status}};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const struct monitor *m = ctx;
    struct snapshot s = {0};

    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (strcmp(pages[i].path, path) != 0)
            continue;
        m->source.take(m->source.ctx, &a, &s);
        pages[i].fn(m, &s, ret);
        return;
    }
    ret->status = 404;
    buf_add_str(&ret->body, "there are /healthz, /readyz, /metrics and /status\n");
}

int monitor_new(const struct monitor_spec *spec, struct loop *loop, struct monitor **ret,
                struct err *err)
{
    struct monitor *m = mem_new(sizeof *m);
    int r = ERR_OK;

    *m = (struct monitor){.source = spec->source, .metrics = spec->metrics};
    if (spec->address)
        r = web_new(spec->address, loop, on_request, m, &m->port, err);
    if (r == ERR_OK && spec->socket)
        r = web_new(spec->socket, loop, on_request, m, &m->socket, err);
    if (r < 0) {
        monitor_free(m);
        return r;
    }
    *ret = m;
    return ERR_OK;
}

struct monitor *monitor_free(struct monitor *m)
{
    if (!m)
        return NULL;
    web_free(m->port);
    web_free(m->socket);
    free(m);
    return NULL;
}

unsigned monitor_port(const struct monitor *m)
{
    return m->port ? web_port(m->port) : 0;
}
