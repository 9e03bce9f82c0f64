#include "blobs/carrier.h"

#include "base/fd.h"
#include "blobs/blobs.h"
#include "blobs/message.h"
#include "blobs/service.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* A line for the job's log. */
static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8 << 10);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    json_t *line = json_pack("{s:s}", "say", text.ptr);
    if (line) /* else it is no UTF-8: a server's words */
        message_send(STDOUT_FILENO, line);
}

void carrier_say_retry(void *ctx, unsigned tries, const char *why, int64_t wait_ms)
{
    (void)ctx;
    say("Attempt %u failed with error: %s. Retrying request in %lld ms...", tries, why,
        (long long)wait_ms);
}

static const struct {
    const char *name;
    carrier_op *fn;
} ops[] = {
    {"artifact.list", artifact_list},
    {"artifact.upload", artifact_upload},
    {"artifact.download", artifact_download},
    {"artifact.remove", artifact_remove},
    {"cache.restore", cache_restore},
    {"cache.save", cache_save},
    {"http.fetch", http_fetch},
};

static carrier_op *find_op(const char *name)
{
    for (size_t i = 0; name && i < COUNT_OF(ops); i++)
        if (strcmp(ops[i].name, name) == 0)
            return ops[i].fn;
    return NULL;
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int open_http(struct carrier *c, const json_t *service, struct err *err)
{
    const struct http_spec spec = {
        .agent = "ostler",
        .http_proxy = text(service, "http_proxy"),
        .https_proxy = text(service, "https_proxy"),
        .no_proxy = text(service, "no_proxy"),
        .ca_file = text(service, "ca_file"),
        .retry_ms = json_integer_value(json_object_get(service, "retry_ms")),
    };

    return http_new(&spec, c->loop, &c->http, err);
}

static int work(struct carrier *c, json_t **ret, struct err *err)
{
    int r = message_read(STDIN_FILENO, &c->request, err);

    if (r < 0)
        return r;
    const json_t *service = json_object_get(c->request, "service");
    carrier_op *op = find_op(text(c->request, "op"));
    c->ask = json_object_get(c->request, "ask");
    c->workspace = text(c->request, "workspace");
    c->home = text(c->request, "home");
    c->hosts = json_object_get(c->request, "hosts");
    c->zstd = json_is_true(json_object_get(c->request, "zstd"));
    c->has_place = json_is_true(json_object_get(c->request, "place"));
    if (!op || !json_is_object(c->ask))
        return err_set(err, ERR_UNSUPPORTED, "this version has no such transfer");
    if (op != http_fetch) /* which has nothing to do with the job's services or its token */
        r = service_open(c, service, err);
    if (r == ERR_OK)
        r = loop_new(&c->loop, err);
    if (r == ERR_OK)
        r = open_http(c, service, err);
    return r == ERR_OK ? op(c, ret, err) : r;
}

int blobs_carrier_main(int argc, char **argv)
{
    static const struct rlimit none = {0, 0};
    struct carrier c = {0};
    struct err err = ERR_INIT;
    json_t *answer = NULL;

    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_CORE, &none); /* a token would be in it */
    int r = work(&c, &answer, &err);
    message_send(STDOUT_FILENO, message_end(r, answer, &err));
    http_free(c.http);
    loop_free(c.loop);
    service_close(&c);
    json_decref(c.request);
    return 0;
}
