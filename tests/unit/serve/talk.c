#include "talk.h"

#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

const struct token_key talk_key = {"a key"};

static int folder(const char *name)
{
    struct err err = ERR_INIT;

    cr_assert_eq(path_mkdirs(scratch_dir, name, 0700, &err), ERR_OK);
    return openat(scratch_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct site *talk_open(int64_t budget)
{
    struct site_spec spec = {.key = talk_key,
                             .run = "7",
                             .run_dir = folder("run"),
                             .cache_dir = folder("cache"),
                             .budget = budget ? budget : 1 << 30};
    struct err err = ERR_INIT;
    struct site *s = NULL;

    cr_assert_eq(site_new(&spec, &s, &err), ERR_OK, "%s", err.text);
    return s;
}

void talk_close(struct site *s)
{
    site_free(s, false);
}

char *talk_token(const char *job, const char *ref)
{
    json_t *scopes = json_pack("[{s:s, s:i}, {s:s, s:i}]", "Scope", ref, "Permission", 3, "Scope",
                               "refs/heads/main", "Permission", 1);
    CLEANUP(free_ptr) char *ac = json_dumps(scopes, JSON_COMPACT);
    json_t *claims = json_pack("{s:s, s:s, s:s, s:I}", "run", "r1", "job", job, "ac", ac, "exp",
                               (json_int_t)time(NULL) + 100);
    char *token = token_make(&talk_key, claims);

    json_decref(claims);
    json_decref(scopes);
    return token;
}

static void on_ready(void *ctx)
{
    *(bool *)ctx = true;
}

/* "/path?a=b&c=d" into its parts. What the site hands out needs no decoding. */
static void split_target(const char *target, char **ret_path, struct strmap *query)
{
    struct slice rest = slice_of(target), path, pair;

    if (slice_starts(rest, SLICE("http://127.0.0.1:1")))
        rest = slice_from(rest, 18);
    cr_assert(slice_split(&rest, '?', &path));
    *ret_path = mem_dup(path.ptr, path.len);
    while (slice_split(&rest, '&', &pair)) {
        ssize_t at = slice_find_char(pair, '=');

        strmap_set(query, slice_head(pair, (size_t)at), slice_from(pair, (size_t)at + 1));
    }
}

static void take_answer(struct reply *r, struct answer *a)
{
    a->status = r->status;
    a->type = r->type ? mem_dup(r->type, strlen(r->type)) : NULL;
    strmap_merge(&a->headers, &r->headers);
    if (r->file >= 0) {
        a->size = (size_t)r->size;
        a->text = mem_new(a->size + 1);
        cr_assert_eq(pread(r->file, a->text, a->size, r->start), (ssize_t)a->size);
    } else {
        a->size = r->text.len;
        a->text = mem_dup(r->text.ptr, r->text.len);
    }
    a->json = json_loadb(a->text, a->size, 0, NULL);
}

struct answer talk(struct site *s, const char *token, const char *method, const char *target,
                   const char *header, const char *body)
{
    CLEANUP(strmap_deinit) struct strmap query = STRMAP_INIT;
    CLEANUP(strmap_deinit) struct strmap headers = STRMAP_INIT_NOCASE;
    CLEANUP(free_ptr) char *path = NULL;
    struct answer a = {0};
    bool ready = false;

    split_target(target, &path, &query);
    if (token) {
        struct buf bearer = BUF_INIT(TOKEN_SIZE_MAX + 10);

        buf_printf(&bearer, "Bearer %s", token);
        strmap_set(&headers, SLICE("authorization"), buf_slice(&bearer));
        buf_deinit(&bearer);
    }
    if (header) {
        ssize_t colon = slice_find_char(slice_of(header), ':');

        strmap_set(&headers, slice_make(header, (size_t)colon), slice_of(header + colon + 2));
    }
    struct request request = {.method = method,
                              .path = path,
                              .query = &query,
                              .headers = &headers,
                              .base = "http://127.0.0.1:1"};
    struct exchange *x = exchange_new(s, &request, on_ready, &ready);
    for (struct slice rest = slice_of(body); rest.len;) { /* in two parts */
        struct slice part = slice_head(rest, rest.len / 2 + 1);

        exchange_body(x, part);
        rest = slice_from(rest, part.len);
    }
    exchange_end(x);
    for (int i = 0; i < 10000 && !ready; i++)
        site_work(s);
    cr_assert(ready, "no answer to %s %s", method, target);
    take_answer(exchange_reply(x), &a);
    exchange_free(x);
    return a;
}

void answer_free(struct answer *a)
{
    free(a->type);
    free(a->text);
    json_decref(a->json);
    strmap_deinit(&a->headers);
    *a = (struct answer){0};
}

struct answer twirp(struct site *s, const char *token, const char *method, const char *json)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(200);

    buf_printf(&path, "/twirp/github.actions.results.api.v1.%s", method);
    return talk(s, token, "POST", path.ptr, NULL, json);
}

const char *answer_text(const struct answer *a, const char *name)
{
    const char *text = json_string_value(json_object_get(a->json, name));

    return text ? text : "";
}
