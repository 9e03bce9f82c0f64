/* Caches as both kinds of clients see them, through the site. */
#include "kit/scratch.h"
#include "talk.h"

#include "serve/caches.h"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

TestSuite(caches, .init = scratch_enter, .fini = scratch_leave);

static struct answer call(struct site *s, const char *token, const char *method, const char *key,
                          const char *version, const char *more)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(4000);
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(100);

    buf_printf(&json, "{\"key\":\"%s\",\"version\":\"%s\"%s}", key, version, more);
    buf_printf(&path, "CacheService/%s", method);
    return twirp(s, token, path.ptr, json.ptr);
}

static void status_is(struct answer a, int status)
{
    cr_assert_eq(a.status, status, "%d: %s", a.status, a.text);
    answer_free(&a);
}

static void save(struct site *s, const char *token, const char *key, const char *version,
                 const char *text)
{
    struct answer a = call(s, token, "CreateCacheEntry", key, version, "");
    char size[64];

    cr_assert(json_is_true(json_object_get(a.json, "ok")), "%s", a.text);
    status_is(talk(s, NULL, "PUT", answer_text(&a, "signed_upload_url"),
                   "x-ms-blob-type: BlockBlob", text),
              201);
    answer_free(&a);
    snprintf(size, sizeof size, ",\"size_bytes\":\"%zu\"", strlen(text));
    a = call(s, token, "FinalizeCacheEntryUpload", key, version, size);
    cr_assert(json_is_true(json_object_get(a.json, "ok")), "%s", a.text);
    answer_free(&a);
}

/* Saves at a moment of its own, so that it is known which one is newer. */
static void save_later(struct site *s, const char *token, const char *key, const char *text)
{
    struct timespec tick = {.tv_nsec = 2000000};

    nanosleep(&tick, NULL);
    save(s, token, key, "v1", text);
}

/* The content that is found; "": a miss. *RET_KEY, which may be NULL, is which. The caller frees both. */
static char *find(struct site *s, const char *token, const char *key, const char *restore)
{
    CLEANUP(buf_deinit) struct buf more = BUF_INIT(1000);

    if (restore)
        buf_printf(&more, ",\"restore_keys\":[%s]", restore);
    struct answer a = call(s, token, "GetCacheEntryDownloadURL", key, "v1", more.ptr);
    cr_assert_eq(a.status, 200, "%s", a.text);
    if (!json_is_true(json_object_get(a.json, "ok"))) {
        answer_free(&a);
        return mem_dup("", 0);
    }
    struct answer b = talk(s, NULL, "GET", answer_text(&a, "signed_download_url"), NULL, NULL);
    cr_assert_eq(b.status, 200, "%s", b.text);
    char *text = mem_dup(b.text, b.size);
    answer_free(&a);
    answer_free(&b);
    return text;
}

static void finds(struct site *s, const char *token, const char *key, const char *restore,
                  const char *want)
{
    CLEANUP(free_ptr) char *got = find(s, token, key, restore);

    cr_assert_str_eq(got, want, "%s %s: '%s', not '%s'", key, restore ? restore : "", got, want);
}

Test(caches, keys_are_tried_in_order_and_the_newest_prefix_wins)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);

    save_later(s, token, "npm-linux-1", "one");
    save_later(s, token, "npm-linux-2", "two");
    save_later(s, token, "npm-mac-3", "three");
    finds(s, token, "npm-linux-1", NULL, "one");
    finds(s, token, "NPM-Linux-1", NULL, "one");
    finds(s, token, "npm-linux-", NULL, "two"); /* a key is a prefix, too */
    finds(s, token, "npm-linux-9", NULL, "");
    finds(s, token, "npm-linux-9", "\"npm-linux-\"", "two");
    finds(s, token, "npm-linux-9", "\"npm-win-\",\"npm-\"", "three");
    finds(s, token, "npm-linux-9", "\"npm-linux-1\",\"npm-\"", "one");
    talk_close(s);
}

Test(caches, a_version_is_a_world_of_its_own)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);

    save(s, token, "k", "v2", "other paths");
    finds(s, token, "k", NULL, "");
    save(s, token, "k", "v1", "these paths");
    finds(s, token, "k", NULL, "these paths");
    talk_close(s);
}

Test(caches, a_branch_sees_its_own_and_those_of_the_default_branch)
{
    CLEANUP(free_ptr) char *main_job = talk_token("j1", "refs/heads/main");
    CLEANUP(free_ptr) char *topic = talk_token("j2", "refs/heads/topic");
    CLEANUP(free_ptr) char *third = talk_token("j3", "refs/heads/third");
    struct site *s = talk_open(0);

    save_later(s, main_job, "k-main", "of main");
    save_later(s, topic, "k-topic", "of topic");
    finds(s, topic, "k-", NULL, "of topic");
    finds(s, topic, "k-main", NULL, "of main");
    finds(s, main_job, "k-topic", NULL, "");
    finds(s, third, "k-topic", NULL, "");
    finds(s, third, "k-", NULL, "of main");
    /* the whole list in one scope before the next one */
    save_later(s, main_job, "z-exact", "exact, of main");
    save_later(s, topic, "z-else", "prefix, of topic");
    finds(s, topic, "z-exact", "\"z-\"", "prefix, of topic");
    save_later(s, topic, "k-main", "the same key, of topic");
    finds(s, topic, "k-main", NULL, "the same key, of topic");
    finds(s, main_job, "k-main", NULL, "of main");
    talk_close(s);
}

Test(caches, an_entry_never_changes)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);

    save(s, token, "k", "v1", "first");
    struct answer a = call(s, token, "CreateCacheEntry", "k", "v1", "");
    cr_assert_eq(a.status, 409);
    cr_assert_str_eq(answer_text(&a, "code"), "already_exists");
    answer_free(&a);
    finds(s, token, "k", NULL, "first");
    /* asked again after the answer was lost */
    status_is(call(s, token, "FinalizeCacheEntryUpload", "k", "v1", ",\"size_bytes\":\"5\""), 200);
    status_is(call(s, token, "FinalizeCacheEntryUpload", "x", "v1", ",\"size_bytes\":\"5\""), 404);
    talk_close(s);
}

Test(caches, one_job_at_a_time_saves_a_key)
{
    CLEANUP(free_ptr) char *one = talk_token("j1", "refs/heads/main");
    CLEANUP(free_ptr) char *two = talk_token("j2", "refs/heads/main");
    struct site *s = talk_open(0);

    status_is(call(s, one, "CreateCacheEntry", "k", "v1", ""), 200);
    status_is(call(s, two, "CreateCacheEntry", "k", "v1", ""), 409);
    status_is(call(s, two, "FinalizeCacheEntryUpload", "k", "v1", ",\"size_bytes\":\"1\""), 404);
    save(s, one, "k", "v1", "x"); /* its own job may begin anew */
    finds(s, two, "k", NULL, "x");
    talk_close(s);
}

Test(caches, a_job_that_is_over_holds_nobody_up_and_gets_nothing)
{
    CLEANUP(free_ptr) char *one = talk_token("j1", "refs/heads/main");
    CLEANUP(free_ptr) char *two = talk_token("j2", "refs/heads/main");
    struct site *s = talk_open(0);
    struct answer a = call(s, one, "CreateCacheEntry", "k", "v1", "");

    cr_assert_eq(a.status, 200);
    site_end_job(s, "j1");
    status_is(talk(s, NULL, "PUT", answer_text(&a, "signed_upload_url"), NULL, "x"), 404);
    answer_free(&a);
    a = call(s, one, "GetCacheEntryDownloadURL", "k", "v1", "");
    cr_assert_eq(a.status, 401);
    cr_assert_str_eq(answer_text(&a, "msg"), "the job of this token is over");
    answer_free(&a);
    save(s, two, "k", "v1", "x");
    finds(s, two, "k", NULL, "x");
    talk_close(s);
}

Test(caches, what_was_used_last_stays_when_room_is_needed)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(10);

    save_later(s, token, "a", "aaaa");
    save_later(s, token, "b", "bbbb");
    struct timespec tick = {.tv_nsec =
                                12000000}; /* files' times are as coarse as the kernel's clock */
    nanosleep(&tick, NULL);
    finds(s, token, "a", NULL, "aaaa");
    save_later(s, token, "c", "cccc");
    finds(s, token, "b", NULL, "");
    finds(s, token, "a", NULL, "aaaa");
    finds(s, token, "c", NULL, "cccc");
    talk_close(s);
}

Test(caches, the_same_content_is_kept_once)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(10);

    save_later(s, token, "a", "123456");
    save_later(s, token, "b", "123456");
    save_later(s, token, "c", "1234");
    finds(s, token, "a", NULL, "123456");
    finds(s, token, "b", NULL, "123456");
    finds(s, token, "c", NULL, "1234");
    talk_close(s);
}

Test(caches, what_is_larger_than_all_the_room_is_refused)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(10);
    struct answer a;

    save(s, token, "a", "v1", "aaaa");
    a = call(s, token, "CreateCacheEntry", "big", "v1", "");
    status_is(talk(s, NULL, "PUT", answer_text(&a, "signed_upload_url"), NULL, "12345678901"), 201);
    answer_free(&a);
    a = call(s, token, "FinalizeCacheEntryUpload", "big", "v1", ",\"size_bytes\":\"11\"");
    cr_assert_eq(a.status, 413);
    cr_assert(strstr(answer_text(&a, "msg"), "has 11 bytes"), "%s", a.text);
    answer_free(&a);
    finds(s, token, "a", NULL, "aaaa");
    status_is(talk(s, token, "POST", "/_apis/artifactcache/caches", NULL,
                   "{\"key\":\"big\",\"version\":\"v1\",\"cacheSize\":11}"),
              400);
    talk_close(s);
}

Test(caches, two_runs_share_them)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);

    save(s, token, "k", "v1", "of the first run");
    /* an upload of a run that is no more */
    scratch_file("cache/staging/3/1/about.json", "{\"key\": \"x\"}");
    talk_close(s);
    cr_assert_eq(rename("cache/staging/7", "cache/staging/6"), 0);
    s = talk_open(0);
    cr_assert_neq(access("cache/staging/3", F_OK), 0);
    cr_assert_neq(access("cache/staging/6", F_OK), 0);
    finds(s, token, "k", NULL, "of the first run");
    site_free(s, true);
    cr_assert_neq(access("cache/staging/7", F_OK), 0);
}

/* A crash between blob and entry leaves a blob; one that broke, an entry. Neither is ever served. */
Test(caches, halves_are_never_served_and_go_in_time)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    const char *lonely =
        "cache/blobs/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    save(s, token, "a", "v1", "abcd");
    cr_assert_eq(
        truncate("cache/blobs/88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589", 2),
        0);
    finds(s, token, "a", NULL, "");
    scratch_file(lonely, "abc");
    save(s, token, "a", "v1", "anew"); /* it takes the place of the broken one */
    cr_assert_neq(access(lonely, F_OK), 0);
    finds(s, token, "a", NULL, "anew");
    talk_close(s);
}

Test(caches, keys_are_held_against_their_limits)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    char key[CACHE_KEY_MAX + 2];

    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    status_is(call(s, token, "CreateCacheEntry", key, "v1", ""), 400);
    key[CACHE_KEY_MAX] = '\0';
    status_is(call(s, token, "CreateCacheEntry", key, "v1", ""), 200);
    status_is(call(s, token, "CreateCacheEntry", "a,b", "v1", ""), 400);
    status_is(call(s, token, "CreateCacheEntry", "", "v1", ""), 400);
    status_is(call(s, token, "CreateCacheEntry", "k", "", ""), 400);
    status_is(
        call(s, token, "GetCacheEntryDownloadURL", "k", "v1",
             ",\"restore_keys\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\"]"),
        400);
    talk_close(s);
}

Test(caches, a_token_that_may_only_read_is_told_so)
{
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:I}", "run", "r1", "job", "j1", "ac",
                  "[{\"Scope\":\"refs/heads/main\",\"Permission\":1}]", "exp", (json_int_t)1 << 40);
    CLEANUP(free_ptr) char *reader = token_make(&talk_key, claims);
    struct site *s = talk_open(0);
    struct answer a = call(s, reader, "CreateCacheEntry", "k", "v1", "");

    json_decref(claims);
    cr_assert_eq(a.status, 403);
    cr_assert(slice_starts(slice_of(answer_text(&a, "msg")), SLICE("cache write denied: ")));
    answer_free(&a);
    talk_close(s);
}

/* ---- the older service ---- */

static int64_t reserve(struct site *s, const char *token, const char *key)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(1000);

    buf_printf(&json, "{\"key\":\"%s\",\"version\":\"v1\",\"cacheSize\":9}", key);
    struct answer a = talk(s, token, "POST", "/_apis/artifactcache/caches", NULL, json.ptr);
    cr_assert_eq(a.status, 201, "%s", a.text);
    int64_t id = json_integer_value(json_object_get(a.json, "cacheId"));
    answer_free(&a);
    return id;
}

Test(caches, the_older_clients_send_pieces_in_any_order)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    CLEANUP(free_ptr) char *other = talk_token("j2", "refs/heads/main");
    struct site *s = talk_open(0);
    char path[64];

    snprintf(path, sizeof path, "/_apis/artifactcache/caches/%lld",
             (long long)reserve(s, token, "k1"));
    status_is(talk(s, token, "PATCH", path, "Content-Range: bytes 5-8/*", "efgh"), 204);
    status_is(talk(s, token, "POST", path, NULL, "{\"size\":9}"), 400);
    status_is(talk(s, token, "PATCH", path, "Content-Range: bytes 0-4/*", "abc"), 400);
    status_is(talk(s, token, "PATCH", path, NULL, "abcd-"), 400);
    status_is(talk(s, other, "PATCH", path, "Content-Range: bytes 0-4/*", "evil!"), 404);
    status_is(talk(s, token, "PATCH", path, "Content-Range: bytes 0-4/*", "abcd-"), 204);
    status_is(talk(s, token, "POST", path, NULL, "{\"size\":8}"), 400);
    status_is(talk(s, token, "POST", path, NULL, "{\"size\":9}"), 204);
    finds(s, token, "k1", NULL, "abcd-efgh");

    struct answer a =
        talk(s, token, "GET", "/_apis/artifactcache/cache?keys=k9,k&version=v1", NULL, NULL);
    cr_assert_eq(a.status, 200);
    cr_assert_str_eq(answer_text(&a, "cacheKey"), "k1");
    cr_assert_str_eq(answer_text(&a, "scope"), "refs/heads/main");
    struct answer b = talk(s, NULL, "GET", answer_text(&a, "archiveLocation"), NULL, NULL);
    cr_assert_str_eq(b.text, "abcd-efgh");
    answer_free(&a);
    answer_free(&b);
    status_is(talk(s, token, "GET", "/_apis/artifactcache/cache?keys=k&version=v2", NULL, NULL),
              204);
    a = talk(s, token, "GET", "/_apis/artifactcache/caches?key=k", NULL, NULL);
    cr_assert_eq(json_integer_value(json_object_get(a.json, "totalCount")), 1, "%s", a.text);
    answer_free(&a);
    status_is(talk(s, token, "POST", "/_apis/artifactcache/caches", NULL,
                   "{\"key\":\"k1\",\"version\":\"v1\"}"),
              409);
    talk_close(s);
}

Test(caches, a_token_may_stand_in_the_address)
{
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *token = talk_token("job-1", "refs/heads/main");
    char path[4096];

    static const struct {
        const char *token, *rest;
        int status;
    } rows[] = {
        {NULL, "/_apis/artifactcache/cache?keys=k&version=v", 204},
        {"no.such.token", "/_apis/artifactcache/cache?keys=k&version=v", 401},
        {"", "/_apis/artifactcache/cache?keys=k&version=v", 401},
        {NULL, "", 404},
        {NULL, "/nothing/of/that/kind", 404},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(path, sizeof path, "/" SERVICES_TOKEN_PATH "%s%s",
                 rows[i].token ? rows[i].token : token, rows[i].rest);
        status_is(talk(s, "somebody.elses.token", "GET", path, NULL, NULL), rows[i].status);
    }
    talk_close(s);
}
