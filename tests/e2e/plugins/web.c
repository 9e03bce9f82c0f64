/* test/web - a plugin that asks a server through the runner, for the end-to-end tests. */
#include <ostler/ext.h>

#include <string.h>

static const struct ost_input inputs[] = {
    {.name = "server", .flags = OST_REQUIRED, .description = "http://127.0.0.1:PORT"},
};

static const struct ost_http_v1 *http;

static void ask(struct ost_step *s, struct ost_http_request q, const char *path)
{
    struct ost_http_response a = {.struct_size = sizeof a};

    q.struct_size = sizeof q;
    q.url = *path == '/' ? ost_fmt(s, "%s%s", s->host->input(s, "server"), path) : path;
    ost_status r = http->fetch(s, &q, &a);
    if (r == OST_OK)
        ost_log(s, OST_INFO, "%s: %d, %zu bytes: %.60s%s", path, (int)a.status, a.body_size, a.body,
                strstr(a.headers, "\nContent-Length: ") ? ", its length said" : "");
    else
        ost_log(s, OST_INFO, "%s: failed %d: %s", path, (int)r, s->host->last_error(s));
}

static ost_status web(struct ost_step *s)
{
    const char *const headers[] = {"X-Mine: mine", NULL};

    http = s->host->extension(s, OST_EXT_HTTP);
    if (!http)
        return ost_fail(s, OST_E_UNSUPPORTED, "there is no http");
    ask(s, (struct ost_http_request){.headers = headers}, "/header");
    ask(s, (struct ost_http_request){.method = "POST", .body = "b\0dy", .body_size = 4}, "/mirror");
    ask(s, (struct ost_http_request){0}, "/missing");
    ask(s, (struct ost_http_request){.retries = 2}, "/busy");
    ask(s, (struct ost_http_request){.timeout_ms = 400}, "/slow");
    ask(s, (struct ost_http_request){0}, "/huge");
    ask(s, (struct ost_http_request){.save_to = "below/huge"}, "/huge");
    ask(s, (struct ost_http_request){0}, "file:///etc/passwd");
    return OST_OK;
}

OST_PLUGIN(.id = "test/web", .version = "1.0.0", OST_INPUTS(inputs), .needs = OST_NEED_NETWORK,
           .traits = OST_EFFECTS_VIA_HOST, .main = web);
