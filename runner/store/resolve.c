#include "store/resolve.h"

#include <jansson.h>

#include "base/base64.h"
#include "io/http.h"
#include "store/web.h"

/* Both services say the same in other words. */
static const struct names {
    const char *service; /* as a job has it */
    const char *name, *ref, *pins;
    const char *resolved, *sha, *url;
    const char *accept, *content;
} names[RESOLVE_SERVICES] = {
    [RESOLVE_LAUNCH] = {"launch", "action", "version", "actions_dependencies", "resolved_name",
                        "resolved_sha", "tar_url", "Accept: application/json",
                        "Content-Type: application/json; charset=utf-8"},
    [RESOLVE_LEGACY] = {"legacy", "nameWithOwner", "ref", NULL, "resolvedNameWithOwner",
                        "resolvedSha", "tarballUrl",
                        "Accept: application/json; api-version=6.0-preview.1",
                        "Content-Type: application/json; charset=utf-8; "
                        "api-version=6.0-preview.1"},
};

bool resolve_service_parse(const char *name, enum resolve_service *ret)
{
    for (size_t i = 0; i < RESOLVE_SERVICES; i++)
        if (name && strcmp(name, names[i].service) == 0) {
            *ret = (enum resolve_service)i;
            return true;
        }
    return false;
}

/* ---- what is asked ---- */

char *resolve_body(const struct resolve_ask *ask)
{
    const struct names *n = &names[ask->service];
    json_t *actions = json_array(), *pins = json_array();

    for (size_t i = 0; i < ask->n; i++)
        json_array_append_new(actions,
                              json_pack("{s:s, s:s, s:s}", n->name, ask->refs[i].repository, n->ref,
                                        ask->refs[i].ref, "path", ask->refs[i].path));
    for (const char *const *pin = ask->pins; pin && *pin; pin++)
        json_array_append_new(pins, json_string(*pin));
    json_t *json = json_pack("{s:o}", "actions", actions);
    if (n->pins && json_array_size(pins))
        json_object_set(json, n->pins, pins);
    json_decref(pins);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* ---- what is answered ---- */

/* A member, whose name ignores case; NULL: none. */
static const json_t *find(const json_t *object, const char *name)
{
    const json_t *exact = json_object_get(object, name);
    /* Iterating takes a document that is not const, and does not change it. */
    json_t *all = (json_t *)(uintptr_t)object;

    if (exact)
        return exact;
    for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at))
        if (slice_eq_nocase(slice_of(json_object_iter_key(at)), slice_of(name)))
            return json_object_iter_value(at);
    return NULL;
}

/* In the arena; NULL: there is none, or an empty one. */
static const char *text(struct arena *a, const json_t *object, const char *name)
{
    const json_t *value = find(object, name);

    return json_string_length(value) ? arena_str(a, slice_of(json_string_value(value))) : NULL;
}

/* Servers that hand out archives themselves can be told the token as it is. */
static bool takes_bearer(const char *url)
{
    const char *begin = strstr(url, "://");
    struct slice host = slice_of(begin ? begin + 3 : "");
    ssize_t path = slice_find_char(host, '/');

    return slice_eq_nocase(slice_head(host, 9), SLICE("codeload.")) ||
           (path >= 0 &&
            slice_eq_nocase(slice_head(slice_from(host, (size_t)path), 11), SLICE("/_codeload/")));
}

static const char *header(const struct resolve_ask *ask, struct arena *a, const char *url,
                          const char *token)
{
    CLEANUP(buf_deinit) struct buf basic = BUF_INIT(1 << 20);

    if (!token || !*token)
        return NULL;
    if (ask->codeload_bearer && takes_bearer(url))
        return arena_printf(a, "Authorization: Bearer %s", token);
    const char *plain = arena_printf(a, "x-access-token:%s", token);
    base64_add(&basic, slice_of(plain));
    const char *made = arena_printf(a, "Authorization: Basic %s", basic.ptr);
    explicit_bzero(basic.ptr, basic.len);
    return made;
}

static int read_one(const struct resolve_ask *ask, const struct action_ref *ref,
                    const json_t *actions, struct arena *a, struct resolved *ret, struct err *err)
{
    const struct names *n = &names[ask->service];
    const char *key = arena_printf(a, "%s@%s", ref->repository, ref->ref);
    const json_t *one = find(actions, key), *package = find(one, "package_details");
    const char *repository = text(a, one, n->resolved);

    if (!json_is_object(one))
        return err_set(err, ERR_FAILED, "Missing download info for %s", key);
    *ret = (struct resolved){
        .given = {.repository = repository ? repository : ref->repository,
                  .sha = text(a, one, n->sha),
                  .url = text(a, one, n->url)},
        .token = text(a, find(one, "authentication"), "token"),
        .version = text(a, package, "version"),
        .digest = text(a, package, "manifest_digest"),
    };
    if (store_given_check(&ret->given, err) < 0)
        return err_in(err, "the download info for %s is no good", key);
    ret->given.header =
        header(ask, a, ret->given.url, ret->token ? ret->token : ask->archive_token);
    return store_given_check(&ret->given, err); /* with the token in it */
}

/* {"errors":{"owner/repo@ref":{"message":"..."}}} */
static int unresolvable(const json_t *answer, struct err *err)
{
    CLEANUP(buf_deinit) struct buf all = BUF_INIT(ERR_TEXT_SIZE);
    json_t *errors = (json_t *)(uintptr_t)find(answer, "errors");

    for (void *at = json_object_iter(errors); at; at = json_object_iter_next(errors, at)) {
        const char *message = json_string_value(find(json_object_iter_value(at), "message"));

        if (message)
            buf_printf(&all, "%s%.200s", all.len ? ". " : "", message);
    }
    return err_set(err, ERR_NOT_FOUND, "%s", all.len ? all.ptr : "Unprocessable Entity");
}

/* The tenant's errors say by a name what they are. */
static bool is_unresolvable(const struct resolve_ask *ask, int status, const json_t *answer)
{
    static const char name[] = "UnresolvableActionDownloadInfoException";
    const char *key = json_string_value(find(answer, "typeKey"));
    const char *type = json_string_value(find(answer, "typeName"));

    if (ask->service == RESOLVE_LAUNCH)
        return status == 422;
    return (key && strcmp(key, name) == 0) || (type && strstr(type, name));
}

static int read_failure(const struct resolve_ask *ask, int status, const json_t *answer,
                        struct err *err)
{
    const char *message = json_string_value(find(answer, "message"));

    if (is_unresolvable(ask, status, answer))
        return ask->service == RESOLVE_LEGACY && message
                   ? err_set(err, ERR_NOT_FOUND, "%s", message)
                   : unresolvable(answer, err);
    if (status == 429)
        return err_set(err, ERR_FAILED,
                       "Too Many Requests (GitHub has reached an internal rate limit, please try "
                       "again later)");
    return err_set(err, ERR_FAILED, "Failed to resolve action download info: HTTP %d%s%.100s",
                   status, message ? ", " : "", message ? message : "");
}

int resolve_read(const struct resolve_ask *ask, int status, struct slice body, struct arena *a,
                 struct resolve_answer *ret, struct err *err)
{
    json_t *answer = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
    const json_t *actions = find(answer, "actions");
    struct resolved *list = arena_array(a, ask->n, sizeof *list);
    int r = ERR_OK;

    if (status < 200 || status > 299)
        r = read_failure(ask, status, answer, err);
    else if (!json_is_object(actions))
        r = err_set(err, ERR_FAILED,
                    "Failed to resolve action download info: the answer has no actions");
    for (size_t i = 0; i < ask->n && r == ERR_OK; i++)
        r = read_one(ask, &ask->refs[i], actions, a, &list[i], err);
    json_decref(answer);
    if (r == ERR_OK)
        *ret = (struct resolve_answer){.list = list, .n = ask->n};
    return r;
}

/* ---- asking ---- */

struct asking {
    const struct resolve_ask *ask;
    struct arena *arena;
    const char **failures; /* room for all of them */
    size_t n_failures;
};

/* What the service says for good, and what is worth another try: also an answer that is none. */
static bool is_passing(void *ctx, const struct http_answer *answer)
{
    const struct asking *g = ctx;
    json_t *json = json_loadb(answer->body.ptr, answer->body.len, 0, NULL);
    bool well = answer->status >= 200 && answer->status < 300;
    bool final = well ? json_is_object(find(json, "actions"))
                      : answer->status == 429 || is_unresolvable(g->ask, answer->status, json);

    json_decref(json);
    return !final;
}

static void on_retry(void *ctx, unsigned tries, const char *why, int64_t wait_ms)
{
    struct asking *g = ctx;

    if (tries >= RESOLVE_TRIES)
        return;
    g->failures[g->n_failures++] =
        arena_printf(g->arena, "Failed to resolve action download info. Error: %.200s", why);
    g->failures[g->n_failures++] =
        arena_printf(g->arena, "Retrying in %.3g seconds", (double)wait_ms / 1000);
}

int resolve(const struct resolve_ask *ask, struct arena *a, struct resolve_answer *ret,
            struct err *err)
{
    const struct names *n = &names[ask->service];
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    CLEANUP(free_ptr) char *body = resolve_body(ask);
    struct asking g = {.ask = ask, .arena = a};
    const char *const headers[] = {arena_printf(a, "Authorization: Bearer %s", ask->token),
                                   n->accept, n->content, "X-TFS-FedAuthRedirect: Suppress", NULL};
    const struct http_request q = {.method = "POST",
                                   .url = ask->url,
                                   .headers = headers,
                                   .body = slice_of(body),
                                   .tries = RESOLVE_TRIES,
                                   .trust_429 = true,
                                   .follow_once = ask->follow_once,
                                   .judge = is_passing,
                                   .retry = on_retry,
                                   .ctx = &g};
    struct http *http = NULL;
    struct loop *loop = NULL;

    g.failures = arena_array(a, 2 * RESOLVE_TRIES + 1, sizeof *g.failures);
    int r = loop_new(&loop, err);
    if (r == ERR_OK)
        r = web_client(ask->env, ask->retry_ms, loop, &http, err);
    if (r == ERR_OK)
        r = http_do(http, &q, &answer, err);
    http_free(http);
    loop_free(loop);
    if (r < 0)
        return err_in(err, "Failed to resolve action download info");
    r = resolve_read(ask, answer.status, buf_slice(&answer.body), a, ret, err);
    if (r == ERR_OK)
        ret->failures = g.failures;
    return r;
}
