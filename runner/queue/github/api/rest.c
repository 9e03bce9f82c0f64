#include "queue/github/api/rest.h"

#include "base/base64.h"
#include "base/wipe.h"
#include "queue/github/api/answer.h"
#include "queue/github/settings.h"
#include "queue/github/api/tenant.h"
#include "queue/loose.h"

enum { URL_MAX = 2000, SEGMENTS_MAX = 3 };

/* ---- places ---- */

static int no_place(const char *url, struct err *err)
{
    if (strchr(url, '@'))
        return err_set(err, ERR_INVALID,
                       "an address with '@' is none to register with: leave user and password "
                       "out of it, the token says who you are");
    return err_set(err, ERR_INVALID,
                   "'%.58s' is not what runners are registered with: an organisation "
                   "(https://github.com/ORG), a repository (https://github.com/OWNER/REPO) or an "
                   "enterprise (https://github.com/enterprises/NAME)",
                   url);
}

/* Splits "https://host:1/a/b/" into scheme, authority and the parts of the path. */
static bool split_url(struct slice url, struct slice *scheme, struct slice *authority,
                      struct slice segments[SEGMENTS_MAX], size_t *n)
{
    ssize_t colon = slice_find(url, SLICE("://"));
    struct slice rest, one;

    if (colon < 0 || url.len > URL_MAX)
        return false;
    *scheme = slice_head(url, (size_t)colon);
    rest = slice_from(url, (size_t)colon + 3);
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || strchr("?#@\\%\x7f", url.ptr[i]))
            return false; /* a password among them would end up in a file */
    if (!slice_split(&rest, '/', authority) || authority->len == 0)
        return false;
    for (*n = 0; slice_split(&rest, '/', &one);) {
        if (one.len == 0 && !rest.ptr)
            break; /* a slash at the end */
        if (one.len == 0 || *n == SEGMENTS_MAX)
            return false;
        segments[(*n)++] = one;
    }
    return slice_eq_nocase(*scheme, SLICE("https")) || slice_eq_nocase(*scheme, SLICE("http"));
}

static bool take_entity(const struct slice segments[SEGMENTS_MAX], size_t n, enum github_scope *ret,
                        struct buf *entity)
{
    if (n == 1) {
        *ret = GITHUB_ORGANISATION;
        buf_printf(entity, "orgs/%.*s", SLICE_ARG(segments[0]));
        return true;
    }
    if (n != 2)
        return false;
    if (slice_eq_nocase(segments[0], SLICE("enterprises"))) {
        *ret = GITHUB_ENTERPRISE;
        buf_printf(entity, "enterprises/%.*s", SLICE_ARG(segments[1]));
        return true;
    }
    *ret = GITHUB_REPOSITORY;
    buf_printf(entity, "repos/%.*s/%.*s", SLICE_ARG(segments[0]), SLICE_ARG(segments[1]));
    return true;
}

/* A port stays where it is, so that a server on another one can be had; www.github.com has no interface of its own. */
static void put_base(struct slice scheme, struct slice authority, bool hosted, struct buf *to)
{
    if (hosted && slice_starts(authority, SLICE("www.")))
        authority = slice_from(authority, 4);
    if (hosted)
        buf_printf(to, "%.*s://api.%.*s", SLICE_ARG(scheme), SLICE_ARG(authority));
    else
        buf_printf(to, "%.*s://%.*s/api/v3", SLICE_ARG(scheme), SLICE_ARG(authority));
}

int github_place_parse(const char *url, bool force_ghes, struct github_place *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf entity = BUF_INIT(URL_MAX + 20);
    CLEANUP(buf_deinit) struct buf rest = BUF_INIT(URL_MAX + 20);
    struct slice whole = slice_trim(slice_of(url)), scheme, authority, segments[SEGMENTS_MAX];
    struct github_place p = {.hosted = !force_ghes && github_is_hosted(whole)};
    size_t n;

    if (!split_url(whole, &scheme, &authority, segments, &n) ||
        !take_entity(segments, n, &p.scope, &entity))
        return no_place(url, err);
    if (slice_ends(segments[n - 1], SLICE(".git")))
        return err_set(err, ERR_INVALID, "'%.120s' is for git: leave out the '.git' at its end",
                       url);
    put_base(scheme, authority, p.hosted, &rest);
    struct slice end = segments[n - 1];
    p.url = mem_dup(whole.ptr, (size_t)(end.ptr + end.len - whole.ptr));
    p.rest = buf_take(&rest);
    p.entity = buf_take(&entity);
    *ret = p;
    return ERR_OK;
}

void github_place_deinit(struct github_place *p)
{
    free(p->url);
    free(p->rest);
    free(p->entity);
    *p = (struct github_place){0};
}

/* ---- questions ---- */

void rest_answer_deinit(struct rest_answer *a)
{
    loose_wipe(a->json); /* tokens come this way */
    a->json = NULL;
}

/* An error without JSON is one all the same: proxies make them. */
static int take_answer(const struct http_answer *a, const char *url, struct rest_answer *ret,
                       struct err *err)
{
    struct rest_answer got = {.status = a->status, .again = ret->again};
    struct slice body = slice_trim(buf_slice(&a->body));
    struct answer meaning;
    struct err ignored = ERR_INIT;

    if (body.len && loose_parse(body, &got.json, &ignored) < 0 && rest_is_good(&got))
        return err_set(err, ERR_FAILED,
                       "'%.100s' answers with a page for people instead of GitHub's interface: is "
                       "the address right, and is there a proxy or a log-in in between?",
                       url);
    if (a->status >= 300 && a->status <= 399) {
        struct slice to = http_header(a, "Location");

        rest_answer_deinit(&got);
        return err_set(err, ERR_FAILED,
                       "'%.80s' sends us on to '%.*s': use the address that it has now", url,
                       SLICE_ARG(slice_head(to, 80)));
    }
    answer_read(a->status, body, (struct slice){0}, &meaning);
    (void)snprintf(got.text, sizeof got.text, "%.*s", REST_TEXT_SIZE - 1, meaning.text);
    *ret = got;
    return ERR_OK;
}

static void wipe_answer(struct http_answer *a)
{
    explicit_bzero(a->body.ptr, a->body.len);
    http_answer_deinit(a);
}

static void on_retry(void *ctx, unsigned tries, const char *why, int64_t wait_ms)
{
    struct rest_answer *a = ctx;

    (void)tries;
    (void)why;
    (void)wait_ms;
    a->again = true;
}

int rest_do(struct http *http, struct http_request *q, const json_t *body, struct rest_answer *ret,
            struct err *err)
{
    CLEANUP(wipe_answer) struct http_answer a = {.headers = BUF_INIT(0), .body = BUF_INIT(0)};
    CLEANUP(free_ptr) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

    q->body = slice_of(text);
    q->tries = REST_TRIES;
    q->total_ms = REST_TOTAL_MS;
    /* On a kept connection that breaks libcurl would ask once more by itself, and nobody would know. */
    q->fresh = strcmp(q->method, "POST") == 0;
    q->retry = on_retry;
    q->ctx = ret;
    int r = http_do(http, q, &a, err);
    return r < 0 ? r : take_answer(&a, q->url, ret, err);
}

int rest_ask(struct http *http, const struct github_place *p, const char *method, const char *path,
             const char *scheme, const char *secret, const json_t *body, struct rest_answer *ret,
             struct err *err)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(2 * URL_MAX);
    CLEANUP(wipe_buf) struct buf authorization = BUF_INIT(HTTP_HEADERS_MAX);
    const char *headers[] = {NULL, "Accept: application/vnd.github.v3+json",
                             "Content-Type: application/json", NULL};

    github_url_join(&url, p->rest, path);
    buf_printf(&authorization, "Authorization: %s %s", scheme, secret);
    int r = buf_check(&url, "an address", err);
    if (r == ERR_OK)
        r = buf_check(&authorization, "the token", err);
    if (r < 0)
        return r;
    headers[0] = authorization.ptr;
    if (!body)
        headers[2] = NULL;
    struct http_request q = {.method = method, .url = url.ptr, .headers = headers};
    return rest_do(http, &q, body, ret, err);
}
