/* What clients of artifacts and caches send: requests, ranges, lists of blocks, tokens. Each is answered, whatever it
 * says, and what is served is what was uploaded. */
#include "base/fd.h"
#include "base/path.h"
#include "serve/ranges.h"
#include "serve/site.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct token_key key = {"a key"};
static char *bearer;

static const char *const paths[] = {
    "/twirp/github.actions.results.api.v1.ArtifactService/CreateArtifact",
    "/twirp/github.actions.results.api.v1.ArtifactService/FinalizeArtifact",
    "/twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts",
    "/twirp/github.actions.results.api.v1.ArtifactService/GetSignedArtifactURL",
    "/twirp/github.actions.results.api.v1.ArtifactService/DeleteArtifact",
    "/twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL",
    "/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry",
    "/twirp/github.actions.results.api.v1.CacheService/FinalizeCacheEntryUpload",
    "/_apis/artifactcache/cache",
    "/_apis/artifactcache/caches",
    "/_apis/artifactcache/caches/1",
    "/ostler/artifacts/1",
    "/ostler/caches/1",
    "/_apis/pipelines/workflows/7/artifacts",
    "/_apis/resources/Containers/1",
    "/_apis/resources/Files/1",
};
/* All but the first of them write. */
static const char *const methods[] = {"GET", "PUT", "POST", "PATCH"};

static int folder(int dir, const char *name)
{
    (void)mkdirat(dir, name, 0700);
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void make_token(void)
{
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:I}", "run", "r1", "job", "j1", "ac",
                  "[{\"Scope\":\"refs/heads/main\",\"Permission\":3}]", "exp", (json_int_t)1 << 40);
    CLEANUP(free_ptr) char *token = token_make(&key, claims);
    struct buf text = BUF_INIT(TOKEN_SIZE_MAX);

    buf_printf(&text, "Bearer %s", token);
    bearer = buf_take(&text);
    json_decref(claims);
}

static void parse_alone(struct slice text)
{
    struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    int64_t start, length, total;
    struct slice *list;
    json_t *claims;
    size_t n;

    if (range_parse_content(text, &start, &length, &total, &err) == ERR_OK &&
        (start < 0 || length < 0 || (total >= 0 && start + length > total)))
        BUG("a range outside its file");
    if (range_parse(text, 1000, &start, &length) &&
        (start < 0 || length < 0 || start + length > 1000))
        BUG("a range outside its file");
    if (blocks_parse(&a, text, &list, &n, &err) == ERR_OK)
        for (size_t i = 0; i < n; i++)
            if (!list[i].len || list[i].ptr < text.ptr ||
                list[i].ptr + list[i].len > text.ptr + text.len)
                BUG("a block that is not in its list");
    if (token_read(&key, text, 0, &claims, &err) == ERR_OK)
        BUG("a token that was not made here");
    arena_deinit(&a);
}

static void on_ready(void *ctx)
{
    *(bool *)ctx = true;
}

/* One request is "<method><path>query\nheader\nbody": the first two are numbers. */
static void ask(struct site *s, struct slice text)
{
    CLEANUP(strmap_deinit) struct strmap query = STRMAP_INIT;
    CLEANUP(strmap_deinit) struct strmap headers = STRMAP_INIT_NOCASE;
    struct slice rest = slice_from(text, 2), line = SLICE(""), pair, name;
    char signature[TOKEN_SIGNATURE_SIZE];
    bool ready = false;

    if (text.len < 2)
        return;
    const char *path = paths[(unsigned char)text.ptr[1] % COUNT_OF(paths)];
    bool writes = (unsigned char)text.ptr[0] % COUNT_OF(methods) != 0;
    if (slice_split(&rest, '\n', &line))
        while (slice_split(&line, '&', &pair))
            if (slice_split(&pair, '=', &name) && !memchr(pair.ptr ? pair.ptr : "", 0, pair.len))
                strmap_set(&query, name, pair);
    token_sign(&key, writes ? "w" : "r", path, (int64_t)1 << 40, signature);
    strmap_set(&query, SLICE("sig"), slice_of(signature));
    strmap_set(&query, SLICE("se"), SLICE("1099511627776"));
    strmap_set(&headers, SLICE("Authorization"), slice_of(bearer));
    if (slice_split(&rest, '\n', &line) && !memchr(line.ptr ? line.ptr : "", 0, line.len)) {
        strmap_set(&headers, SLICE("Content-Range"), line);
        strmap_set(&headers, SLICE("Range"), line);
    }
    struct request request = {.method = methods[(unsigned char)text.ptr[0] % COUNT_OF(methods)],
                              .path = path,
                              .query = &query,
                              .headers = &headers,
                              .base = "http://127.0.0.1:1"};
    struct exchange *x = exchange_new(s, &request, on_ready, &ready);
    exchange_body(x, rest);
    exchange_end(x);
    for (int i = 0; i < 1000 && !ready; i++)
        site_work(s);
    struct reply *r = exchange_reply(x);
    if (!ready || r->status < 200 || r->status > 599)
        BUG("no answer to %s %s", request.method, path);
    if (r->status == 500)
        BUG("%s %s broke: %s", request.method, path, r->text.ptr);
    exchange_free(x);
}

/* Requests end with "\n--\n". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int dir = -1;
    static char scratch[] = "/tmp/fuzz-serve-XXXXXX";
    struct slice rest = slice_make((const char *)data, size);
    struct err err = ERR_INIT;
    struct site *s = NULL;

    if (dir < 0) {
        if (!mkdtemp(scratch))
            BUG("no folder to work in");
        dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_token();
    }
    parse_alone(rest);
    struct site_spec spec = {.key = key,
                             .run = "1",
                             .run_dir = folder(dir, "run"),
                             .cache_dir = folder(dir, "cache"),
                             .budget = 100};
    if (site_new(&spec, &s, &err) < 0)
        BUG("%s", err.text);
    for (int n = 0; rest.len && n < 30; n++) {
        ssize_t at = slice_find(rest, SLICE("\n--\n"));
        size_t end = at < 0 ? rest.len : (size_t)at;

        ask(s, slice_head(rest, end));
        rest = slice_from(rest, end + 4);
    }
    site_free(s, true);
    if (path_remove(dir, "run", &err) < 0 || path_remove(dir, "cache", &err) < 0)
        BUG("%s", err.text);
    return 0;
}
