#include "blobs/artifacts.h"
#include "blobs/fetch.h"
#include "blobs/message.h"
#include "blobs/service.h"

#include <criterion/criterion.h>
#include <string.h>

static json_t *json(const char *text)
{
    json_t *j = json_loads(text, JSON_ALLOW_NUL, NULL);

    cr_assert_not_null(j, "%s", text);
    return j;
}

/* ---- artifacts ---- */

Test(answers, artifacts_come_newest_first_and_only_whole_ones)
{
    json_t *answer = json("{\"artifacts\":["
                          "{\"workflow_run_backend_id\":\"r\",\"workflow_job_run_backend_id\":"
                          "\"j\",\"database_id\":\"3\",\"name\":\"old\",\"size\":\"7\","
                          "\"created_at\":\"2026-01-01T10:00:00Z\",\"digest\":\"sha256:"
                          "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab\"},"
                          "{\"workflowRunBackendId\":\"r\",\"workflowJobRunBackendId\":\"k\","
                          "\"databaseId\":12,\"name\":\"new\",\"size\":1,"
                          "\"created_at\":\"yesterday\",\"digest\":\"md5:00\"},"
                          "{\"workflow_run_backend_id\":\"r\",\"workflow_job_run_backend_id\":"
                          "\"j\",\"database_id\":\"4\"},"
                          "{\"workflow_run_backend_id\":\"r\",\"workflow_job_run_backend_id\":"
                          "\"j\",\"database_id\":\"-4\",\"name\":\"x\"},"
                          "7]}");
    json_t *all = artifacts_parse(answer);
    const json_t *first = json_array_get(all, 0), *second = json_array_get(all, 1);

    cr_assert_eq(json_array_size(all), 2);
    cr_assert_str_eq(json_string_value(json_object_get(first, "name")), "new");
    cr_assert_eq(json_integer_value(json_object_get(first, "id")), 12);
    cr_assert_eq(json_integer_value(json_object_get(first, "created")), 0);
    cr_assert_str_eq(json_string_value(json_object_get(first, "digest")), "");
    cr_assert_str_eq(json_string_value(json_object_get(first, "job")), "k");
    cr_assert_eq(json_integer_value(json_object_get(second, "size")), 7);
    cr_assert_eq(json_integer_value(json_object_get(second, "created")), 1767261600);
    cr_assert_eq(strlen(json_string_value(json_object_get(second, "digest"))), 64);
    json_decref(all);
    json_decref(answer);
}

Test(answers, an_answer_without_artifacts_is_an_empty_list)
{
    static const char *const none[] = {"{}", "{\"artifacts\":{}}", "{\"artifacts\":null}", NULL};

    for (const char *const *text = none; *text; text++) {
        json_t *answer = json(*text), *all = artifacts_parse(answer);

        cr_assert_eq(json_array_size(all), 0);
        json_decref(all);
        json_decref(answer);
    }
}

Test(answers, names_of_artifacts)
{
    static const struct {
        const char *name;
        bool path, good;
    } rows[] = {
        {"plain", false, true}, {"mit Leerzeichen ü", false, true},
        {"", false, false},     {"a/b", false, false},
        {"a/b", true, true},    {"a\\b", false, false},
        {"a:b", true, false},   {"a*", true, false},
        {"a\nb", true, false},  {"a\"b", false, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        int r = artifacts_check_name(rows[i].name, rows[i].path, &err);

        cr_assert_eq(r, rows[i].good ? ERR_OK : ERR_INVALID, "'%s'", rows[i].name);
    }
}

Test(answers, media_types_go_by_the_end_of_the_name)
{
    cr_assert_str_eq(artifacts_type("/x/page.HTML"), "text/html");
    cr_assert_str_eq(artifacts_type("a.tar.gz"), "application/gzip");
    cr_assert_str_eq(artifacts_type("binary"), "application/octet-stream");
    cr_assert_str_eq(artifacts_type("/dir.zip/binary"), "application/octet-stream");
    cr_assert_str_eq(artifacts_type(".zip"), "application/octet-stream");
}

/* ---- names in headers ---- */

Test(answers, names_of_files_in_headers_have_no_folders)
{
    static const struct {
        const char *header, *name;
    } rows[] = {
        {"attachment; filename=\"page.html\"", "page.html"},
        {"attachment; filename=page.html", "page.html"},
        {"attachment; filename=\"plain\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt", "Größe.txt"},
        {"attachment; filename*=utf-8''a%2Fb%2fc; filename=\"plain\"", "c"},
        {"attachment; filename=\"../../etc/passwd\"", "passwd"},
        {"attachment; filename=\"/etc/\"", ""},
        {"attachment; filename=\"..\"", ""},
        {"attachment; filename*=UTF-8''a%00b", ""},
        {"attachment; filename*=UTF-8''%FF", ""},
        {"attachment", ""},
        {"", ""},
        {"filename=\"", "\""},
        {"filename*=UTF-8''100%", "100%"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[256] = "?";

        fetch_file_name(slice_of(rows[i].header), name);
        cr_assert_str_eq(name, rows[i].name, "'%s' gave '%s'", rows[i].header, name);
    }
}

/* ---- members ---- */

Test(answers, members_may_have_either_spelling)
{
    json_t *a = json("{\"signedUploadUrl\":\"u\",\"entry_id\":\"17\",\"size\":5,\"text\":"
                     "\"a\\u0000b\",\"ok\":\"true\","
                     "\"minus\":\"-1\"}");

    cr_assert_str_eq(service_text(a, "signed_upload_url"), "u");
    cr_assert_eq(service_number(a, "entry_id"), 17);
    cr_assert_eq(service_number(a, "size"), 5);
    cr_assert_null(service_text(a, "text"));
    cr_assert_null(service_text(a, "size"));
    cr_assert_eq(service_number(a, "minus"), -1);
    cr_assert_eq(service_number(a, "missing"), -1);
    cr_assert_not(service_is_ok(a));
    json_decref(a);
}

/* ---- messages ---- */

Test(answers, an_end_is_what_it_was_made_of)
{
    struct err err = ERR_INIT, again = ERR_INIT;

    (void)err_set(&err, ERR_DENIED, "no: %s", "because");
    err.sys = 13;
    json_t *end = message_end(err.code, json("{\"key\":\"k\"}"), &err);
    cr_assert_eq(message_error(end, &again), ERR_DENIED);
    cr_assert_str_eq(again.text, "no: because");
    cr_assert_eq(again.sys, 13);
    json_decref(end);
    end = message_end(ERR_OK, json("{\"key\":\"k\"}"), &err);
    cr_assert_eq(message_error(end, &again), ERR_OK);
    cr_assert_str_eq(json_string_value(json_object_get(end, "key")), "k");
    json_decref(end);
}

Test(answers, what_is_no_end_is_an_error)
{
    static const char *const bad[] = {"{}",
                                      "{\"code\":\"0\"}",
                                      "{\"code\":5}",
                                      "{\"code\":-1}",
                                      "{\"code\":-99,\"text\":\"x\"}",
                                      "{\"code\":-3,\"text\":\"\"}",
                                      NULL};

    for (const char *const *text = bad; *text; text++) {
        struct err err = ERR_INIT;
        json_t *end = json(*text);

        cr_assert_eq(message_error(end, &err), ERR_FAILED, "%s", *text);
        json_decref(end);
    }
}

Test(answers, requests_are_looked_at_before_they_are_believed)
{
    json_t *ask = json(
        "{\"a\":[\"x\",\"y\"],\"b\":[\"x\",7],\"c\":[],\"d\":\"t\",\"e\":\"a\\u0000b\",\"n\":5}");
    struct arena arena = ARENA_INIT;
    const char *const *list, *text;
    struct err err = ERR_INIT;
    int64_t number;
    size_t n;

    cr_assert_eq(message_texts(ask, "a", 2, &arena, &list, &n, &err), ERR_OK);
    cr_assert(n == 2 && strcmp(list[1], "y") == 0 && !list[2]);
    cr_assert_eq(message_texts(ask, "a", 1, &arena, &list, &n, &err), ERR_LIMIT);
    cr_assert_eq(message_texts(ask, "b", 9, &arena, &list, &n, &err), ERR_INVALID);
    cr_assert_eq(message_texts(ask, "c", 9, &arena, &list, &n, &err), ERR_INVALID);
    cr_assert_eq(message_texts(ask, "d", 9, &arena, &list, &n, &err), ERR_INVALID);
    cr_assert_eq(message_text(ask, "d", &text, &err), ERR_OK);
    cr_assert_eq(message_text(ask, "e", &text, &err), ERR_INVALID);
    cr_assert_eq(message_text(ask, "missing", &text, &err), ERR_INVALID);
    cr_assert_eq(message_number(ask, "n", 0, 4, 0, &number, &err), ERR_INVALID);
    cr_assert_eq(message_number(ask, "n", 0, 5, 0, &number, &err), ERR_OK);
    cr_assert_eq(message_number(ask, "missing", 0, 5, 3, &number, &err), ERR_OK);
    cr_assert_eq(number, 3);
    cr_assert_eq(message_number(ask, "d", 0, 5, 3, &number, &err), ERR_INVALID);
    arena_deinit(&arena);
    json_decref(ask);
}
