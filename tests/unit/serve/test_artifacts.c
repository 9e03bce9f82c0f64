/* Artifacts as version 4 of the client sees them, through the site. */
#include "kit/scratch.h"
#include "talk.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(artifacts, .init = scratch_enter, .fini = scratch_leave);

#define IDS "\"workflow_run_backend_id\":\"r1\",\"workflow_job_run_backend_id\":\"j1\""
#define LIST(...) "<?xml version=\"1.0\"?><BlockList><Latest>" __VA_ARGS__ "</Latest></BlockList>"

static char *token, *other;

static struct site *begin(void)
{
    free(token);
    free(other);
    token = talk_token("j1", "refs/heads/topic");
    other = talk_token("j2", "refs/heads/topic");
    return talk_open(0);
}

static void end(struct site *s)
{
    talk_close(s);
    free(token);
    free(other);
    token = other = NULL;
}

static void status_is(struct answer a, int status)
{
    cr_assert_eq(a.status, status, "%d: %s", a.status, a.text);
    answer_free(&a);
}

/* The address to upload NAME to, with room for more of a query. */
static char *create(struct site *s, const char *name)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(1000);
    struct buf url = BUF_INIT(1000);

    buf_printf(&json, "{" IDS ",\"name\":\"%s\",\"version\":7,\"mime_type\":\"application/zip\"}",
               name);
    struct answer a = twirp(s, token, "ArtifactService/CreateArtifact", json.ptr);
    cr_assert_eq(a.status, 200, "%s", a.text);
    cr_assert(json_is_true(json_object_get(a.json, "ok")));
    buf_add_str(&url, answer_text(&a, "signed_upload_url"));
    answer_free(&a);
    return buf_take(&url);
}

static struct answer put(struct site *s, const char *url, const char *more, const char *body)
{
    CLEANUP(buf_deinit) struct buf target = BUF_INIT(1000);

    buf_printf(&target, "%s%s", url, more);
    return talk(s, NULL, "PUT", target.ptr, "x-ms-version: 2026-02-06", body);
}

static struct answer finalize(struct site *s, const char *name, const char *size)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(1000);

    buf_printf(&json, "{" IDS ",\"name\":\"%s\",\"size\":\"%s\"}", name, size);
    return twirp(s, token, "ArtifactService/FinalizeArtifact", json.ptr);
}

static void upload(struct site *s, const char *name, const char *text)
{
    CLEANUP(free_ptr) char *url = create(s, name);
    char size[32];

    snprintf(size, sizeof size, "%zu", strlen(text));
    status_is(put(s, url, "", text), 201);
    status_is(finalize(s, name, size), 200);
}

static size_t count(struct site *s)
{
    struct answer a = twirp(s, other, "ArtifactService/ListArtifacts", "{" IDS "}");
    size_t n = json_array_size(json_object_get(a.json, "artifacts"));

    cr_assert_eq(a.status, 200, "%s", a.text);
    answer_free(&a);
    return n;
}

Test(artifacts, blocks_in_any_order_become_what_the_list_says)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "bin");

    status_is(put(s, url, "&comp=block&blockid=Mg==", " two"), 201);
    status_is(put(s, url, "&comp=block&blockid=MQ==", "one"), 201);
    cr_assert_eq(count(s), 0, "what is not finished is not seen");
    status_is(put(s, url, "&comp=blocklist", LIST("MQ==</Latest><Latest>Mg==")), 201);
    struct answer a = finalize(s, "bin", "7");
    cr_assert_eq(a.status, 200, "%s", a.text);
    cr_assert_str_eq(answer_text(&a, "artifact_id"), "1");
    answer_free(&a);
    scratch_has("run/artifacts/bin.zip", "one two");
    end(s);
}

Test(artifacts, are_listed_with_what_clients_compare)
{
    struct site *s = begin();

    upload(s, "a", "abc");
    upload(s, "b", "xyz!");
    struct answer a =
        twirp(s, other, "ArtifactService/ListArtifacts", "{" IDS ",\"name_filter\":\"a\"}");
    json_t *one = json_array_get(json_object_get(a.json, "artifacts"), 0);
    cr_assert_eq(json_array_size(json_object_get(a.json, "artifacts")), 1);
    cr_assert_str_eq(json_string_value(json_object_get(one, "workflow_job_run_backend_id")), "j1");
    cr_assert_str_eq(json_string_value(json_object_get(one, "size")), "3");
    cr_assert_str_eq(json_string_value(json_object_get(one, "digest")),
                     "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    answer_free(&a);
    a = twirp(s, other, "ArtifactService/ListArtifacts", "{" IDS ",\"idFilter\":\"2\"}");
    one = json_array_get(json_object_get(a.json, "artifacts"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(one, "name")), "b");
    answer_free(&a);
    end(s);
}

/* Row 13 of the runtime contract's section 16: a zip's type, and three parts of a path. */
Test(artifacts, are_downloaded_by_an_address_that_azures_library_can_read)
{
    struct site *s = begin();

    upload(s, "a b", "abc");
    struct answer a =
        twirp(s, other, "ArtifactService/GetSignedArtifactURL", "{" IDS ",\"name\":\"a b\"}");
    CLEANUP(free_ptr)
    char *url = mem_dup(answer_text(&a, "signed_url"), strlen(answer_text(&a, "signed_url")));
    answer_free(&a);
    cr_assert(slice_starts(slice_of(url), SLICE("http://127.0.0.1:1/ostler/artifacts/1?")), "%s",
              url);
    a = talk(s, NULL, "GET", url, NULL, NULL);
    cr_assert_eq(a.status, 200);
    cr_assert_str_eq(a.text, "abc");
    cr_assert_str_eq(a.type, "application/zip");
    cr_assert_str_eq(strmap_get(&a.headers, "Content-Disposition"),
                     "attachment; filename*=UTF-8''a%20b.zip");
    answer_free(&a);
    a = talk(s, NULL, "GET", url, "Range: bytes=1-", NULL);
    cr_assert_eq(a.status, 206);
    cr_assert_str_eq(a.text, "bc");
    cr_assert_str_eq(strmap_get(&a.headers, "Content-Range"), "bytes 1-2/3");
    answer_free(&a);
    status_is(talk(s, NULL, "GET", url, "Range: bytes=3-", NULL), 416);
    status_is(talk(s, NULL, "PUT", url, NULL, "overwritten"), 403);
    end(s);
}

Test(artifacts, a_name_is_given_once_in_a_run)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *late = create(s, "a");

    upload(s, "a", "first");
    struct answer a =
        twirp(s, other, "ArtifactService/CreateArtifact", "{" IDS ",\"name\":\"a\",\"version\":4}");
    cr_assert_eq(a.status, 409);
    cr_assert_str_eq(answer_text(&a, "code"), "already_exists");
    cr_assert(strstr(answer_text(&a, "msg"), "artifact with this name already exists"));
    answer_free(&a);
    status_is(put(s, late, "", "second"), 201);
    status_is(finalize(s, "a", "6"), 409);
    scratch_has("run/artifacts/a.zip", "first");
    end(s);
}

Test(artifacts, deleted_ones_make_room_for_others_of_their_name)
{
    struct site *s = begin();

    upload(s, "a", "first");
    status_is(twirp(s, other, "ArtifactService/DeleteArtifact", "{" IDS ",\"name\":\"a\"}"), 200);
    cr_assert_eq(count(s), 0);
    cr_assert_neq(access("run/artifacts/a.zip", F_OK), 0);
    status_is(twirp(s, other, "ArtifactService/DeleteArtifact", "{" IDS ",\"name\":\"a\"}"), 404);
    upload(s, "a", "second");
    scratch_has("run/artifacts/a.zip", "second");
    end(s);
}

Test(artifacts, an_answer_that_was_lost_is_given_again)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "a");

    status_is(put(s, url, "&comp=block&blockid=MQ==", "x"), 201);
    status_is(put(s, url, "&comp=blocklist", LIST("MQ==")), 201);
    status_is(put(s, url, "&comp=blocklist", LIST("MQ==")), 201);
    status_is(finalize(s, "a", "1"), 200);
    status_is(finalize(s, "a", "1"), 200);
    cr_assert_eq(count(s), 1);
    end(s);
}

Test(artifacts, what_changed_on_its_way_is_not_kept)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "a");

    status_is(finalize(s, "a", "3"), 400);
    status_is(put(s, url, "", "abc"), 201);
    status_is(finalize(s, "a", "4"), 400);
    status_is(twirp(s, token, "ArtifactService/FinalizeArtifact",
                    "{" IDS ",\"name\":\"a\",\"size\":\"3\",\"hash\":\"sha256:00\"}"),
              400);
    cr_assert_eq(count(s), 0);
    status_is(finalize(s, "b", "3"), 404);
    end(s);
}

Test(artifacts, what_a_job_has_not_finished_goes_with_it)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "half");

    upload(s, "whole", "abc");
    status_is(put(s, url, "&comp=block&blockid=MQ==", "x"), 201);
    site_end_job(s, "j1");
    status_is(put(s, url, "&comp=block&blockid=Mg==", "y"), 404);
    cr_assert_neq(access("run/artifacts/.staging/1", F_OK), 0);
    cr_assert_eq(count(s), 1, "other jobs still see what it has finished");
    end(s);
}

Test(artifacts, an_incomplete_list_leaves_nothing_behind_that_is_served)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "a");

    status_is(put(s, url, "&comp=block&blockid=MQ==", "x"), 201);
    struct answer a = put(s, url, "&comp=blocklist", LIST("MQ==</Latest><Latest>Mg=="));
    cr_assert_eq(a.status, 404);
    cr_assert_str_eq(a.type, "application/xml");
    answer_free(&a);
    status_is(put(s, url, "&comp=blocklist", "<BlockList>"), 400);
    status_is(put(s, url, "&comp=lease", ""), 400);
    status_is(finalize(s, "a", "1"), 400);
    end(s);
}

Test(artifacts, names_that_would_hurt_are_refused)
{
    static const char *const rows[] = {"",      "a/b", "a\\\\b", "a:b",
                                       "a\\nb", "a*",  "..\\/x", "a\\u0000b"};
    struct site *s = begin();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf json = BUF_INIT(1000);

        buf_printf(&json, "{" IDS ",\"name\":\"%s\"}", rows[i]);
        status_is(twirp(s, token, "ArtifactService/CreateArtifact", json.ptr), 400);
    }
    cr_assert_neq(access("run/artifacts", F_OK), 0, "no folder for what is refused");
    end(s);
}

Test(artifacts, names_that_begin_with_a_dot_do_not_hide_nor_clash)
{
    struct site *s = begin();

    upload(s, "..", "up");
    upload(s, ".index", "x");
    scratch_has("run/artifacts/_...zip", "up");
    scratch_has("run/artifacts/_.index.zip", "x");
    cr_assert_eq(count(s), 2);
    end(s);
}

Test(artifacts, single_files_keep_their_names)
{
    struct site *s = begin();
    struct answer a = twirp(s, token, "ArtifactService/CreateArtifact",
                            "{" IDS ",\"name\":\"report.html\",\"mime_type\":\"text/html\"}");

    status_is(put(s, answer_text(&a, "signed_upload_url"), "", "<p>"), 201);
    status_is(finalize(s, "report.html", "3"), 200);
    scratch_has("run/artifacts/report.html", "<p>");
    answer_free(&a);
    end(s);
}

Test(artifacts, nobody_without_a_token_of_this_run_gets_in)
{
    static const struct token_key foreign = {"another run's"};
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "a");
    json_t *claims =
        json_pack("{s:s, s:s, s:I}", "run", "r1", "job", "j1", "exp", (json_int_t)99999999999);
    CLEANUP(free_ptr) char *stolen = token_make(&foreign, claims);
    json_decref(claims);

    status_is(twirp(s, NULL, "ArtifactService/ListArtifacts", "{" IDS "}"), 401);
    status_is(twirp(s, stolen, "ArtifactService/ListArtifacts", "{" IDS "}"), 401);
    status_is(
        twirp(s, token, "ArtifactService/ListArtifacts", "{\"workflow_run_backend_id\":\"r2\"}"),
        403);
    status_is(talk(s, token, "PUT", "/ostler/artifacts/1", NULL, "x"), 403);
    *strstr(url, "sig=") = 'S';
    status_is(put(s, url, "", "x"), 403);
    end(s);
}

Test(artifacts, another_server_of_the_run_knows_them_all)
{
    struct site *s = begin();
    CLEANUP(free_ptr) char *url = create(s, "b");

    upload(s, "a", "abc");
    status_is(put(s, url, "&comp=block&blockid=MQ==", "x"), 201);
    talk_close(s);
    unlink("run/artifacts/.index/9.json");
    scratch_file("run/artifacts/.index/9.json", "{\"id\": 9, \"name\": \"gone\"}");

    s = begin();
    cr_assert_eq(count(s), 1);
    status_is(put(s, url, "&comp=blocklist", LIST("MQ==")), 201);
    status_is(finalize(s, "b", "1"), 200);
    cr_assert_eq(count(s), 2);
    site_free(s, true);
    cr_assert_neq(access("run/artifacts/.staging", F_OK), 0, "the run is over");
    scratch_has("run/artifacts/b.zip", "x");
}

/* A file that is not as long as its entry says was lost with the power. */
Test(artifacts, a_file_that_was_cut_off_is_none)
{
    struct site *s = begin();

    upload(s, "a", "abc");
    talk_close(s);
    cr_assert_eq(truncate("run/artifacts/a.zip", 2), 0);
    s = begin();
    cr_assert_eq(count(s), 0);
    end(s);
}

Test(artifacts, what_is_no_request_is_told_so)
{
    struct site *s = begin();

    status_is(talk(s, token, "GET", "/", NULL, NULL), 404);
    status_is(talk(s, token, "GET",
                   "/twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts", NULL,
                   NULL),
              405);
    status_is(twirp(s, token, "ArtifactService/ListArtifacts", "[1]"), 400);
    status_is(twirp(s, token, "ArtifactService/ListArtifacts", "{"), 400);
    status_is(twirp(s, token, "ArtifactService/ListArtifacts", NULL), 400);
    status_is(twirp(s, token, "ArtifactService/CreateArtifact", "{" IDS ",\"name\":5}"), 400);
    end(s);
}
