#include "json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <ostler/test.h>

static const struct ost_plugin plugin; /* the helpers ask the host for memory only */

static struct ost_test *host;
static struct ost_step *step;

static void enter(void)
{
    host = ost_test_new(&plugin);
    step = ost_test_step(host);
}

static void leave(void)
{
    ost_test_free(host);
}

TestSuite(lib, .init = enter, .fini = leave);

Test(lib, cleans_paths)
{
    static const struct {
        const char *path, *clean;
    } rows[] = {
        {".", ""},
        {"", ""},
        {"./a", "a"},
        {"a//b/", "a/b"},
        {"a/../b", "b"},
        {"a/..", ""},
        {"../a", "../a"},
        {"../../a", "../../a"},
        {"a/../../b", "../b"},
        {"/", "/"},
        {"/a/../..", "/"},
        {"/a/./b", "/a/b"},
        {"..a/b", "..a/b"},
        {"/..", "/"},
        {"a/b/../../..", ".."},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(rel_clean(step, rows[i].path), rows[i].clean, "'%s' gave '%s'",
                         rows[i].path, rel_clean(step, rows[i].path));
}

Test(lib, knows_what_lies_below)
{
    cr_expect(rel_below("", "a"));
    cr_expect(rel_below("a", "a"));
    cr_expect(rel_below("a", "a/b"));
    cr_expect(rel_below("/w", "/w/a"));
    cr_expect_not(rel_below("a", "ab"));
    cr_expect_not(rel_below("", "../a"));
    cr_expect_not(rel_below("", ".."));
    cr_expect_not(rel_below("", "/a"));
    cr_expect(rel_below("", "..a"));
    cr_expect_str_eq(rel_from("a", "a/b"), "b");
    cr_expect_str_eq(rel_from("a", "a"), ".");
    cr_expect_str_eq(rel_from("", ""), ".");
    cr_expect_str_eq(rel_from("", "a"), "a");
}

static const struct json *read(const char *text, bool comments, const char **why)
{
    size_t size = strlen(text);
    char *copy = step->host->alloc(step, size + 1);

    memcpy(copy, text, size + 1);
    return json_read(step, copy, size, comments, why);
}

Test(lib, reads_json)
{
    const char *why = NULL;
    const struct json *j =
        read(" {\"a\": [1, -2.5e3, true, null, {}], \"t\": \"\\u00e4\\ud83d\\ude00\\n\\/\", "
             "\"n\": 12, \"big\": 99999999999, \"u\": \"\\u0000\\ud800x\"} ",
             false, &why);

    cr_assert_not_null(j, "%s", why);
    cr_expect_str_eq(json_text(j, "t"), "\xc3\xa4\xf0\x9f\x98\x80\n/");
    cr_expect_str_eq(json_text(j, "u"), "\xef\xbf\xbd\xef\xbf\xbdx");
    cr_expect_eq(json_number(j, "n"), 12);
    cr_expect_eq(json_number(j, "big"), UINT32_MAX);
    cr_expect_eq(json_number(j, "t"), 0);
    cr_expect_eq(json_get(j, "a")->kind, JSON_ARRAY);
    cr_expect_eq(json_get(j, "a")->first->next->next->kind, JSON_TRUE);
    cr_expect_str_eq(json_text(json_get(j, "missing"), "x"), "");
}

Test(lib, reads_json_with_comments_where_they_may_stand)
{
    static const char text[] = "\xef\xbb\xbf// c\n{/* * */ \"a\": \"//\", \"b\": [1, /**/ ], }";
    const char *why = NULL;
    const struct json *j = read(text, true, &why);

    cr_assert_not_null(j, "%s", why);
    cr_expect_str_eq(json_text(j, "a"), "//");
    cr_expect_null(read(text, false, &why));
}

Test(lib, refuses_what_is_no_json)
{
    static const char *const rows[] = {
        "",      "{",    "[",          "]",      "{\"a\"}",   "{\"a\":}", "{a:1}",
        "[1 2]", "[1,]", "\"\\x\"",    "\"a",    "\"\\u12\"", "nul",      "{}{}",
        "[1]x",  "\"\\", "{\"a\":1,}", "<html>", "/",         "{\"a\":1",
    };
    const char *why;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        why = NULL;
        cr_expect_null(read(rows[i], false, &why), "%s was taken", rows[i]);
        cr_expect_not_null(why, "%s", rows[i]);
    }
}

Test(lib, refuses_json_that_is_nested_too_deeply)
{
    char text[1001];
    const char *why = NULL;

    memset(text, '[', 1000);
    text[1000] = '\0';
    cr_expect_null(read(text, false, &why));
    cr_expect_str_eq(why, "it is nested too deeply");
}
