#include "cli/register/kind.h"

#include "base/num.h"
#include "queue/github/settings.h"
#include "queue/github/api/tenant.h"
#include "queue/loose.h"

enum { PATIENCE_MS = 20000 };

/* *RET_ANSWER, and the document in it; NULL: it is none. */
static json_t *ask(struct http *http, const char *method, const char *base, const char *path,
                   const char *body, struct http_answer *ret_answer, struct err *err)
{
    static const char *const headers[] = {
        "Content-Type: application/json", "Connect-Protocol-Version: 1", "Accept: application/json",
        "User-Agent: ostler/" OSTLER_VERSION, NULL}; /* nobody's runner yet */
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(TENANT_URL_MAX);
    struct err ignored = ERR_INIT;
    json_t *json = NULL;

    github_url_join(&url, base, path);
    struct http_request q = {.method = method,
                             .url = url.ptr,
                             .headers = headers,
                             .body = slice_of(body),
                             .total_ms = PATIENCE_MS};
    if (http_do(http, &q, ret_answer, err) < 0 ||
        loose_parse(buf_slice(&ret_answer->body), &json, &ignored) < 0)
        return NULL;
    return json;
}

static bool is_gitea(struct http *http, const char *base, struct err *err)
{
    CLEANUP(http_answer_deinit)
    struct http_answer a = {.headers = BUF_INIT(0), .body = BUF_INIT(0)};
    CLEANUP(loose_freep)
    json_t *json = ask(http, "POST", base, "api/actions/ping.v1.PingService/Ping",
                       "{\"data\":\"ostler\"}", &a, err);

    return a.status == 200 && *loose_text(json, "data") != '\0';
}

/* An Enterprise Server in private mode tells nobody anything without a token, but who it is. */
static bool is_github(struct http *http, const char *base, struct err *err)
{
    static const char *const marks[] = {"X-GitHub-Enterprise-Version", "X-GitHub-Request-Id",
                                        "X-GitHub-Media-Type"};
    CLEANUP(http_answer_deinit)
    struct http_answer a = {.headers = BUF_INIT(0), .body = BUF_INIT(0)};
    CLEANUP(loose_freep) json_t *json = ask(http, "GET", base, "api/v3/meta", NULL, &a, err);

    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (http_header(&a, marks[i]).len)
            return true;
    return a.status == 200 && json_is_object(json);
}

/* "https://host:1" of "https://host:1/a/b". */
static char *server_of(const char *url)
{
    struct slice all = slice_of(url);
    ssize_t at = slice_find(all, SLICE("://"));
    size_t n = at < 0 ? 0 : (size_t)at + 3;

    while (n < all.len && all.ptr[n] != '/')
        n++;
    return mem_dup(url, n);
}

/* A scheme, a host, and a number for a port: what can be asked at all. */
static bool is_address(const char *url, const char *server)
{
    struct slice all = slice_of(url), host = slice_of(server);
    struct err ignored = ERR_INIT;
    int64_t port;

    for (size_t i = 0; i < all.len; i++)
        if ((unsigned char)all.ptr[i] <= ' ' || all.ptr[i] == '@' || all.ptr[i] == 0x7f)
            return false;
    if (!slice_starts(host, SLICE("http://")) && !slice_starts(host, SLICE("https://")))
        return false;
    host = slice_from(host, (size_t)slice_find(host, SLICE("://")) + 3);
    ssize_t colon = host.len && host.ptr[host.len - 1] != ']' ? slice_find_char(host, ':') : -1;
    return host.len && colon != 0 &&
           (colon < 0 || host.ptr[0] == '[' ||
            num_parse_i64(slice_from(host, (size_t)colon + 1), 1, 65535, &port, &ignored) ==
                ERR_OK);
}

static int no_address(const char *url, struct err *err)
{
    if (strchr(url, '@'))
        return err_set(err, ERR_INVALID,
                       "an address with '@' is none to register with: leave user and password "
                       "out of it, the token says who you are");
    return err_set(err, ERR_INVALID,
                   "'%.80s' is no address to register with: that is https://github.com/OWNER/REPO, "
                   "https://github.com/ORG, or https://HOST of a Gitea or Forgejo server",
                   url);
}

/* Whether URL may be a page of GitHub's: those have one, two names behind the server. */
static bool has_path(const char *url, const char *server)
{
    const char *rest = url + strlen(server);

    return rest[strspn(rest, "/")] != '\0';
}

int register_kind_find(struct http *http, const char *url, enum registration_kind *ret,
                       struct err *err)
{
    CLEANUP(free_ptr) char *server = server_of(url);
    struct err why = ERR_INIT; /* of those that could not even be asked */

    if (!is_address(url, server))
        return no_address(url, err);
    if (github_is_hosted(slice_of(url))) {
        *ret = REGISTRATION_GITHUB;
        return ERR_OK;
    }
    if (has_path(url, server) && is_github(http, server, &why)) {
        *ret = REGISTRATION_GITHUB;
        return ERR_OK;
    }
    if (!why.code && is_gitea(http, url, &why)) {
        *ret = REGISTRATION_GITEA;
        return ERR_OK;
    }
    if (why.code) {
        *err = why;
        return why.code;
    }
    if (is_gitea(http, server, &why))
        return err_set(
            err, ERR_INVALID,
            "'%.80s' is a page of a Gitea or Forgejo server: register with the server's own "
            "address, as in --url '%.60s'",
            url, server);
    if (!has_path(url, server) && is_github(http, server, &why))
        return err_set(err, ERR_INVALID,
                       "'%.80s' is GitHub's server: register with a repository or an organisation "
                       "of its, as in --url '%.60s/OWNER/REPO'",
                       url, server);
    return err_set(err, ERR_INVALID,
                   "neither GitHub nor Gitea or Forgejo answers at '%.100s': check the address, or "
                   "name the kind of server with --type github or --type gitea",
                   url);
}
