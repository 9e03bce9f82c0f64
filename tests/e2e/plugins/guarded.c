/* test/guarded - a plugin that needs the network and tells how far it is, for the end-to-end tests. */
#include <ostler/ext.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct ost_input inputs[] = {
    {.name = "urls", .type = OST_LIST, .description = "To ask for"},
    {.name = "token", .flags = OST_SECRET, .description = "Said in a label"},
    {.name = "progress", .type = OST_INT, .fallback = "0", .description = "Rounds of 50 ms"},
};

static void ask(struct ost_step *s, const struct ost_http_v1 *http, const char *url)
{
    struct ost_http_request q = {.struct_size = sizeof q, .url = url, .timeout_ms = 5000};
    struct ost_http_response a = {.struct_size = sizeof a};
    ost_status r = http->fetch(s, &q, &a);

    if (r == OST_OK)
        ost_log(s, OST_INFO, "%s: %d %.60s", url, (int)a.status, a.body);
    else
        ost_log(s, OST_INFO, "%s: failed %d: %s", url, (int)r, s->host->last_error(s));
}

static ost_status guarded(struct ost_step *s)
{
    const struct ost_http_v1 *http = s->host->extension(s, OST_EXT_HTTP);
    const struct ost_progress_v1 *progress = s->host->extension(s, OST_EXT_PROGRESS);
    const char *const *urls;
    size_t n = s->host->input_list(s, "urls", &urls);
    int rounds = (int)strtol(s->host->input(s, "progress"), NULL, 10);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ost_log(s, OST_INFO, "socket: %s", fd >= 0 ? "there is a network" : strerror(errno));
    ost_log(s, OST_INFO, "http: %s", http ? "yes" : "no");
    for (size_t i = 0; http && i < n; i++)
        ask(s, http, urls[i]);
    for (int i = 0; i < rounds; i++) {
        for (int k = 0; k < 1000; k++)
            progress->update(s, ost_fmt(s, "moving %s", s->host->input(s, "token")), i * 1000 + k,
                             rounds * 1000);
        poll(NULL, 0, 50);
    }
    return OST_OK;
}

OST_PLUGIN(.id = "test/guarded", .version = "1.2.0", OST_INPUTS(inputs), .needs = OST_NEED_NETWORK,
           .main = guarded);
