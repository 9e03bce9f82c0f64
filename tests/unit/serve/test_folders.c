/* Artifacts as version 3 of the client sees them, through the site. */
#include "kit/scratch.h"
#include "talk.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(folders, .init = scratch_enter, .fini = scratch_leave);

#define ALL "/_apis/pipelines/workflows/7/artifacts?api-version=6.0-preview"

static void status_is(struct answer a, int status)
{
    cr_assert_eq(a.status, status, "%d: %s", a.status, a.text);
    answer_free(&a);
}

/* The container's address. */
static char *create(struct site *s, const char *token, const char *name)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(1000);

    buf_printf(&json, "{\"Type\":\"actions_storage\",\"Name\":\"%s\",\"RetentionDays\":5}", name);
    struct answer a = talk(s, token, "POST", ALL, NULL, json.ptr);
    cr_assert_eq(a.status, 201, "%s", a.text);
    const char *url = answer_text(&a, "fileContainerResourceUrl");
    char *copy = mem_dup(url, strlen(url));
    answer_free(&a);
    return copy;
}

static struct answer put(struct site *s, const char *token, const char *url, const char *path,
                         const char *range, const char *body)
{
    CLEANUP(buf_deinit) struct buf target = BUF_INIT(8000);
    CLEANUP(buf_deinit) struct buf header = BUF_INIT(200);

    buf_printf(&target, "%s?itemPath=%s", url, path);
    buf_printf(&header, "Content-Range: bytes %s", range);
    return talk(s, token, "PUT", target.ptr, header.ptr, body);
}

static void close_folder(struct site *s, const char *token, const char *name)
{
    CLEANUP(buf_deinit) struct buf target = BUF_INIT(1000);

    buf_printf(&target, ALL "&artifactName=%s", name);
    status_is(talk(s, token, "PATCH", target.ptr, NULL, "{\"Size\":4}"), 200);
}

static size_t count(struct site *s, const char *token)
{
    struct answer a = talk(s, token, "GET", ALL, NULL, NULL);
    size_t n = json_array_size(json_object_get(a.json, "value"));

    cr_assert_eq(a.status, 200, "%s", a.text);
    cr_assert_eq(json_integer_value(json_object_get(a.json, "count")), (json_int_t)n);
    answer_free(&a);
    return n;
}

Test(folders, files_arrive_one_by_one_and_are_seen_when_all_are_there)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *url = create(s, token, "a3");

    status_is(put(s, token, url, "a3/d/a.txt", "0-1/2", "hi"), 200);
    status_is(put(s, token, url, "a3\\b", "0-2/6", "abc"), 200);
    cr_assert_neq(access("run/artifacts/a3/b", F_OK), 0, "half of it is there");
    status_is(put(s, token, url, "a3/b", "3-5/6", "def"), 200);
    status_is(put(s, token, url, "a3/empty", "0--1/0", NULL), 200);
    cr_assert_eq(count(s, token), 0);
    close_folder(s, token, "a3");
    cr_assert_eq(count(s, token), 1);
    scratch_has("run/artifacts/a3/d/a.txt", "hi");
    scratch_has("run/artifacts/a3/b", "abcdef");
    scratch_has("run/artifacts/a3/empty", "");
    talk_close(s);
}

Test(folders, files_are_listed_with_where_they_are)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *url = create(s, token, "a3");
    CLEANUP(buf_deinit) struct buf target = BUF_INIT(1000);

    status_is(put(s, token, url, "a3/d/a.txt", "0-1/2", "hi"), 200);
    buf_printf(&target, "%s?itemPath=a3", url);
    struct answer a = talk(s, token, "GET", target.ptr, NULL, NULL);
    json_t *one = json_array_get(json_object_get(a.json, "value"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(one, "path")), "a3/d/a.txt");
    cr_assert_str_eq(json_string_value(json_object_get(one, "itemType")), "file");
    cr_assert_eq(json_integer_value(json_object_get(one, "fileLength")), 2);
    cr_assert_str_eq(json_string_value(json_object_get(one, "contentLocation")),
                     "http://127.0.0.1:1/_apis/resources/Files/1?itemPath=d%2Fa.txt");
    answer_free(&a);
    a = talk(s, token, "GET", "/_apis/resources/Files/1?itemPath=d/a.txt", NULL, NULL);
    cr_assert_eq(a.status, 200);
    cr_assert_str_eq(a.text, "hi");
    answer_free(&a);
    status_is(talk(s, NULL, "GET", "/_apis/resources/Files/1?itemPath=d/a.txt", NULL, NULL), 401);
    status_is(talk(s, token, "GET", "/_apis/resources/Files/1?itemPath=d", NULL, NULL), 404);
    talk_close(s);
}

Test(folders, several_uploads_fill_one_and_the_last_file_wins)
{
    CLEANUP(free_ptr) char *one = talk_token("j1", "refs/heads/main");
    CLEANUP(free_ptr) char *two = talk_token("j2", "refs/heads/main");
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *first = create(s, one, "a3");
    CLEANUP(free_ptr) char *second = create(s, two, "a3");

    cr_assert_str_eq(first, second);
    status_is(put(s, one, first, "a3/x", "0-2/3", "old"), 200);
    close_folder(s, one, "a3");
    status_is(put(s, two, second, "a3/y", "0-0/1", "y"), 200);
    status_is(put(s, two, second, "a3/x", "0-3/4", "newer"), 400);
    status_is(put(s, two, second, "a3/x", "0-4/5", "newer"), 200);
    close_folder(s, two, "a3");
    scratch_has("run/artifacts/a3/x", "newer");
    scratch_has("run/artifacts/a3/y", "y");
    talk_close(s);
}

Test(folders, no_path_leads_out)
{
    static const char *const rows[] = {"a3/../x", "../x",      "a3/d/../../../x", "/x",
                                       "a3//x",   "a3\\..\\x", "a3/./x",          "a3",
                                       "",        "a3/x/"};
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *url = create(s, token, "a3");

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct answer a = put(s, token, url, rows[i], "0-0/1", "x");

        cr_assert_eq(a.status, 400, "'%s': %d %s", rows[i], a.status, a.text);
        answer_free(&a);
    }
    talk_close(s);
}

Test(folders, another_server_of_the_run_knows_their_files)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *url = create(s, token, "a3");

    status_is(put(s, token, url, "a3/x", "0-2/3", "one"), 200);
    status_is(put(s, token, url, "a3/y", "0-2/6", "two"), 200);
    talk_close(s);
    /* killed while it wrote down a file */
    FILE *list = fopen("run/artifacts/.index/1.files", "a");
    cr_assert_not_null(list);
    fputs("{\"path\": \"z\", \"si", list);
    fclose(list);

    s = talk_open(0);
    status_is(put(s, token, url, "a3/y", "3-5/6", " + 3"), 400);
    status_is(put(s, token, url, "a3/y", "3-5/6", "+ 3"), 200);
    close_folder(s, token, "a3");
    scratch_has("run/artifacts/a3/y", "two+ 3");
    status_is(talk(s, token, "GET", "/_apis/resources/Files/1?itemPath=x", NULL, NULL), 200);
    status_is(talk(s, token, "GET", "/_apis/resources/Files/1?itemPath=z", NULL, NULL), 404);
    talk_close(s);
}

Test(folders, both_versions_share_the_names_of_a_run)
{
    CLEANUP(free_ptr) char *token = talk_token("j1", "refs/heads/main");
    struct site *s = talk_open(0);
    CLEANUP(free_ptr) char *url = create(s, token, "a3");
    static const char ids[] = "{\"workflow_run_backend_id\":\"r1\",\"name\":\"a3\"}";

    status_is(put(s, token, url, "a3/x", "0-2/3", "one"), 200);
    close_folder(s, token, "a3");
    status_is(twirp(s, token, "ArtifactService/CreateArtifact", ids), 409);
    struct answer a = twirp(s, token, "ArtifactService/ListArtifacts", ids);
    cr_assert_eq(json_array_size(json_object_get(a.json, "artifacts")), 0);
    answer_free(&a);
    status_is(twirp(s, token, "ArtifactService/GetSignedArtifactURL", ids), 404);
    talk_close(s);
}
