/* ostler-serve - the server of one run: artifacts, caches, id tokens. Started by the front program when the
 * first client calls (services.c), and gone with it: the front holds the other end of a socket. */
#include "base/base64.h"
#include "base/clock.h"
#include "base/document.h"
#include "base/fd.h"
#include "base/path.h"
#include "serve/server/http.h"
#include "serve/services.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

enum { ORDERS_MAX = 4 << 20, NEWS_SIZE = 256 };

struct server {
    struct site *site;
    struct http *http;
    bool over;
};

static int open_folder(const char *path, int *ret, struct err *err)
{
    int r = path_mkdirs(AT_FDCWD, path, 0700, err);

    if (r < 0)
        return r;
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_sys(err, "cannot open '%s'", path) : ERR_OK;
}

/* The folder of the repository's caches: the first place where it can be. */
static int open_caches(const json_t *orders, int *ret, struct err *err)
{
    const json_t *places = json_object_get(orders, "caches");
    const char *repository = document_text(orders, "repository");
    struct err first = ERR_INIT;

    for (size_t i = 0; i < json_array_size(places); i++) {
        CLEANUP(free_ptr)
        char *path = path_join(json_string_value(json_array_get(places, i)), repository);
        struct err one = ERR_INIT;

        if (open_folder(path, ret, &one) == ERR_OK) {
            if (first.code)
                fprintf(stderr, "ostler: %s: caches are kept in '%s'\n", first.text, path);
            return ERR_OK;
        }
        if (!first.code)
            first = one;
    }
    if (!first.code)
        return err_set(err, ERR_INVALID, "the orders name no place for caches");
    *err = first;
    return err->code;
}

static int open_site(const json_t *orders, struct site **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf key = BUF_INIT(TOKEN_KEY_SIZE);
    struct site_spec spec = {
        .run = document_text(orders, "run"),
        .run_dir = -1,
        .cache_dir = -1,
        .budget = json_integer_value(json_object_get(orders, "budget")),
    };
    int r = base64_decode(slice_of(document_text(orders, "key")), &key, err);

    if (r == ERR_OK && key.len != TOKEN_KEY_SIZE)
        r = err_set(err, ERR_INVALID, "the key has %zu bytes", key.len);
    if (r == ERR_OK)
        r = open_folder(document_text(orders, "run_dir"), &spec.run_dir, err);
    if (r == ERR_OK)
        r = open_caches(orders, &spec.cache_dir, err);
    if (r == ERR_OK) {
        memcpy(spec.key.bytes, key.ptr, TOKEN_KEY_SIZE);
        r = site_new(&spec, ret, err);
    } else {
        fd_closep(&spec.run_dir);
    }
    explicit_bzero(&spec.key, sizeof spec.key);
    explicit_bzero(key.ptr, key.len);
    return r;
}

/* The end of the socket is the end of the run, however the front program went. What comes over it is the id of a job
 * that is over, or a connection from a container. */
static void on_news(void *ctx, uint32_t events)
{
    struct server *s = ctx;
    char text[NEWS_SIZE];
    int fds[FD_PASS_MAX];
    size_t len = 0, n = 0;
    struct err ignored = ERR_INIT; /* of another version, then: nothing that it says is of use */

    (void)events;
    if (fd_recv(SERVE_FRONT_FD, text, sizeof text - 1, &len, fds, &n, &ignored) < 0 || len == 0) {
        s->over = true;
        return;
    }
    text[len] = '\0';
    if (n == 0)
        site_end_job(s->site, text);
    for (size_t i = 0; i < n; i++)
        http_add(s->http, fds[i]);
}

static void end_jobs(struct site *site, const json_t *orders)
{
    const json_t *ended = json_object_get(orders, "ended");

    for (size_t i = 0; i < json_array_size(ended); i++)
        site_end_job(site, json_string_value(json_array_get(ended, i)));
}

static int serve(const json_t *orders, struct err *err)
{
    struct server s = {0};
    struct loop *loop = NULL;
    struct watch *front = NULL;
    int r = open_site(orders, &s.site, err);

    if (r == ERR_OK)
        end_jobs(s.site, orders);
    if (r == ERR_OK)
        r = loop_new(&loop, err);
    if (r == ERR_OK)
        r = loop_watch(loop, SERVE_FRONT_FD, EPOLLIN, on_news, &s, &front, err);
    if (r == ERR_OK)
        r = http_start(SERVE_LISTENER_FD, s.site, loop, &s.http, err);
    while (r == ERR_OK && !s.over)
        r = loop_turn(loop, http_work(s.http), err);
    http_free(s.http);
    watch_free(front);
    loop_free(loop);
    site_free(s.site, s.over);
    return r;
}

/* Each upload and each connection is a descriptor. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* else there are fewer at once */
    }
}

int main(void)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ORDERS_MAX);
    struct err err = ERR_INIT;

    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    int r = fd_read_all(SERVE_ORDERS_FD, &text, &err);
    json_t *orders = r == ERR_OK ? json_loadb(text.ptr, text.len, 0, NULL) : NULL;
    explicit_bzero(text.ptr, text.len);
    if (r == ERR_OK)
        r = serve(orders, &err);
    json_decref(orders);
    if (r < 0)
        fprintf(stderr, "ostler-serve: %s\n", err.text);
    return r < 0;
}
