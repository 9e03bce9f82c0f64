#include "store/web.h"

#include "base/fd.h"
#include "store/source.h"

enum { TRIES = 3 }; /* as GitHub's runner has them */

/* ---- addresses ---- */

static bool is_api(const char *source)
{
    struct slice s = slice_of(source), rest;

    if (!slice_starts(s, SLICE("https://")) && !slice_starts(s, SLICE("http://")))
        return false;
    while (s.len && s.ptr[s.len - 1] == '/')
        s.len--;
    if (slice_ends(s, SLICE("/api/v3")))
        return true;
    rest = slice_from(s, (size_t)slice_find(s, SLICE("//")) + 2);
    ssize_t user = slice_find_char(rest, '@');
    return slice_eq(user < 0 ? rest : slice_from(rest, (size_t)user + 1), SLICE("api.github.com"));
}

bool web_is(const char *source)
{
    return is_api(source) || strstr(source, "{sha}");
}

bool web_knows_names(const char *source)
{
    return is_api(source);
}

/* What stands in a path as it is; all else is %XX. '/' is left to PATHS. */
static void add_escaped(struct buf *to, const char *text, bool path)
{
    for (const char *c = text; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-._~", *c) || (path && *c == '/');

        if (plain)
            buf_add_char(to, *c);
        else
            buf_printf(to, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

static const char *api_address(struct arena *a, const char *source, const struct action_ref *ref,
                               const char *what, const char *name)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8192);
    struct slice base = slice_of(source);

    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    buf_printf(&text, "%.*s/repos/", SLICE_ARG(base));
    add_escaped(&text, ref->repository, true);
    buf_printf(&text, "/%s/", what);
    add_escaped(&text, name, true);
    return arena_str(a, buf_slice(&text));
}

const char *web_name_address(struct arena *a, const char *source, const struct action_ref *ref)
{
    return api_address(a, source, ref, "commits", ref->ref);
}

static const char *filled_in(struct arena *a, const char *form, const struct action_ref *ref,
                             const char *sha)
{
    const struct {
        struct slice name;
        const char *value;
    } parts[] = {
        {SLICE("{owner}"), ref->owner}, {SLICE("{repo}"), ref->repo}, {SLICE("{sha}"), sha}};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8192);

    for (struct slice rest = slice_of(form); rest.len;) {
        size_t i = 0;

        while (i < COUNT_OF(parts) && !slice_starts(rest, parts[i].name))
            i++;
        if (i == COUNT_OF(parts)) {
            buf_add_char(&text, rest.ptr[0]);
            rest = slice_from(rest, 1);
            continue;
        }
        add_escaped(&text, parts[i].value, false);
        rest = slice_from(rest, parts[i].name.len);
    }
    return arena_str(a, buf_slice(&text));
}

const char *web_archive_address(struct arena *a, const char *source, const struct action_ref *ref,
                                const char *sha)
{
    return is_api(source) ? api_address(a, source, ref, "tarball", sha)
                          : filled_in(a, source, ref, sha);
}

/* ---- requests ---- */

static const char *variable(const char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

static const char *either(const char *const *env, const char *first, const char *second)
{
    const char *value = variable(env, first);

    return value ? value : variable(env, second);
}

int web_client(const char *const *env, int64_t retry_ms, struct loop *loop, struct http **ret,
               struct err *err)
{
    const char *all = either(env, "all_proxy", "ALL_PROXY");
    const char *plain = variable(env, "http_proxy"),
               *tls = either(env, "https_proxy", "HTTPS_PROXY"),
               *blind = variable(env, "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY");
    const struct http_spec spec = {
        .http_proxy = plain ? plain : all,
        .https_proxy = tls ? tls : all,
        .no_proxy = either(env, "no_proxy", "NO_PROXY"),
        .ca_file = either(env, "SSL_CERT_FILE", "CURL_CA_BUNDLE"),
        .trusts_all = blind && (strcmp(blind, "1") == 0 || strcasecmp(blind, "true") == 0),
        .retry_ms = retry_ms ? retry_ms : STORE_RETRY_MS,
    };

    return http_new(&spec, loop, ret, err);
}

static int ask(const struct http_request *q, const char *const *env, int64_t retry_ms,
               struct http_answer *ret, struct err *err)
{
    struct http *http = NULL;
    struct loop *loop = NULL;
    int r = loop_new(&loop, err);

    if (r == ERR_OK)
        r = web_client(env, retry_ms, loop, &http, err);
    if (r == ERR_OK)
        r = http_do(http, q, ret, err);
    http_free(http);
    loop_free(loop);
    return r;
}

static int get(const char *url, const char *const *headers, const char *const *env,
               http_sink_fn *sink, void *ctx, struct http_answer *ret, struct err *err)
{
    const struct http_request q = {
        .url = url, .headers = headers, .sink = sink, .ctx = ctx, .tries = TRIES, .follow = true};

    return ask(&q, env, 0, ret, err);
}

/* What an answer without success means; URL without user and password. */
static int refused(const struct http_answer *answer, const char *shown, struct err *err)
{
    if (answer->status == 404 || answer->status == 422)
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", shown);
    if (answer->status == 401 || answer->status == 403)
        return err_set(err, ERR_DENIED,
                       "'%s' is not for us (HTTP %d): the source can have a user and a password or "
                       "token, as in https://x-access-token:TOKEN@HOST",
                       shown, answer->status);
    return err_set(err, ERR_FAILED, "'%s' answers HTTP %d", shown, answer->status);
}

int web_resolve(const char *source, const struct action_ref *ref, const char *const *env,
                char ret_sha[GIT_SHA_SIZE], struct err *err)
{
    static const char *const headers[] = {"Accept: application/vnd.github.sha", NULL};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    const char *url = web_name_address(&a, source, ref);
    const char *shown = web_name_address(&a, source_without_user(&a, source), ref);
    int r = get(url, headers, env, NULL, NULL, &answer, err);

    if (r < 0)
        return r;
    if (answer.status != 200)
        return refused(&answer, shown, err);
    struct slice sha = slice_trim(buf_slice(&answer.body));
    if (!action_ref_is_commit(sha))
        return err_set(err, ERR_INVALID, "'%s' answers with something that is no commit", shown);
    memcpy(ret_sha, sha.ptr, sha.len);
    ret_sha[sha.len] = '\0';
    return ERR_OK;
}

struct writing {
    int to;
    uint64_t left;
};

static int write_some(void *ctx, struct slice bytes, struct err *err)
{
    struct writing *w = ctx;

    if (bytes.len > w->left)
        return err_set(err, ERR_LIMIT, "the archive is too large");
    w->left -= bytes.len;
    return fd_write_all(w->to, bytes, err);
}

int web_fetch(const char *source, const struct action_ref *ref, const char *sha,
              const char *const *env, uint64_t size_max, int to, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    struct writing w = {to, size_max};
    const char *url = web_archive_address(&a, source, ref, sha);
    const char *shown = web_archive_address(&a, source_without_user(&a, source), ref, sha);
    int r = get(url, NULL, env, write_some, &w, &answer, err);

    if (r < 0)
        return r;
    return answer.status == 200 ? ERR_OK : refused(&answer, shown, err);
}

/* ---- archives that were named for us ---- */

struct given_get {
    struct writing writing; /* first: the sink's */
    struct buf note;
    const char *shown;
};

static bool is_final(int status)
{
    return (status >= 200 && status < 300) || status == 403 || status == 404;
}

static bool judge_given(void *ctx, const struct http_answer *answer)
{
    (void)ctx;
    return !is_final(answer->status);
}

static void on_retry(void *ctx, unsigned tries, const char *why, int64_t wait_ms)
{
    struct given_get *g = ctx;

    (void)tries;
    buf_printf(&g->note,
               "%sFailed to download action '%s'. Error: %s. Back off %.3g seconds before retry.",
               g->note.len ? " " : "", g->shown, why, (double)wait_ms / 1000);
}

/* Of an address what may be shown: queries can be keys. */
static const char *shown_of(struct arena *a, const char *url)
{
    const char *plain = source_without_user(a, url);

    return arena_str(a, slice_make(plain, strcspn(plain, "?#")));
}

int web_fetch_given(const struct store_given *given, const char *const *env, int64_t retry_ms,
                    uint64_t size_max, int to, struct arena *a, const char **ret_note,
                    struct err *err)
{
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    struct given_get g = {
        .writing = {to, size_max}, .note = BUF_INIT(4096), .shown = shown_of(a, given->url)};
    const char *const headers[] = {given->header, NULL};
    const struct http_request q = {
        .url = given->url,
        .headers = headers,
        .sink = write_some,
        .ctx = &g,
        .tries = TRIES,
        .follow = true,
        .judge = judge_given,
        .retry = on_retry,
    };
    int r = ask(&q, env, retry_ms, &answer, err);

    if (g.note.len)
        *ret_note = arena_str(a, buf_slice(&g.note));
    buf_deinit(&g.note);
    if (r < 0)
        return err_in(err, "Failed to download archive '%.120s' after %d attempts", g.shown, TRIES);
    if (answer.status == 404)
        return err_set(err, ERR_NOT_FOUND, "An action could not be found at the URI '%s'", g.shown);
    if (answer.status == 403)
        return err_set(err, ERR_DENIED, "Access denied to '%s'", g.shown);
    if (answer.status < 200 || answer.status > 299)
        return err_set(err, ERR_FAILED,
                       "Failed to download archive '%.120s' after %d attempts: HTTP %d", g.shown,
                       TRIES, answer.status);
    return ERR_OK;
}
