#include "queue/loose.h"

#include "base/buf.h"

#include <criterion/criterion.h>

static json_t *parse(const char *text)
{
    struct err err = ERR_INIT;
    json_t *json = NULL;

    cr_assert_eq(loose_parse(slice_of(text), &json, &err), ERR_OK, "%s", err.text);
    return json;
}

Test(loose, passes_over_a_byte_order_mark)
{
    json_t *json = parse("\xEF\xBB\xBF{\"a\": 1}");

    cr_assert_eq(loose_int(json, "a", 0), 1);
    json_decref(json);
    json = parse("\"a text alone\"");
    cr_assert_str_eq(json_string_value(json), "a text alone");
    json_decref(json);
}

Test(loose, tells_the_place_of_an_error_but_nothing_of_the_text)
{
    static const char *const wrong[] = {"", "{", "{\"token\": \"geheim\"", "<html>",
                                        "\xEF\xBB\xBF"};

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct err err = ERR_INIT;
        json_t *json = NULL;

        cr_assert_eq(loose_parse(slice_of(wrong[i]), &json, &err), ERR_INVALID, "%s", wrong[i]);
        cr_assert_null(json);
        cr_assert(strstr(err.text, "line "), "%s", err.text);
        cr_assert_null(strstr(err.text, "geheim"));
    }
}

Test(loose, finds_members_in_any_case_and_prefers_its_own)
{
    json_t *json = parse("{\"AGENTID\": 1, \"agentId\": 2, \"Name\": \"x\", \"none\": null}");

    cr_assert_eq(loose_int(json, "agentId", 0), 2);
    cr_assert_eq(loose_int(json, "AgentId", 0), 1);
    cr_assert_str_eq(loose_text(json, "name"), "x");
    cr_assert_null(loose_find(json, "None"), "null is as good as nothing");
    cr_assert_null(loose_find(NULL, "x"));
    cr_assert_str_eq(loose_text(json, "agentid"), "", "a number is no text");
    json_decref(json);
}

Test(loose, takes_numbers_and_booleans_as_texts_too)
{
    json_t *json = parse("{\"n\": \"683\", \"big\": \"9223372036854775807\", \"no\": \"12x\","
                         " \"t\": \"True\", \"f\": \"FALSE\", \"b\": true, \"odd\": \"yes\","
                         " \"bag\": {\"$type\": \"System.Boolean\", \"$value\": true},"
                         " \"count\": {\"$type\": \"System.Int32\", \"$value\": 7}}");

    cr_assert_eq(loose_int(json, "n", 0), 683);
    cr_assert_eq(loose_int(json, "big", 0), INT64_MAX);
    cr_assert_eq(loose_int(json, "no", -1), -1);
    cr_assert_eq(loose_int(json, "missing", -1), -1);
    cr_assert(loose_bool(json, "t", false));
    cr_assert_not(loose_bool(json, "f", true));
    cr_assert(loose_bool(json, "b", false));
    cr_assert(loose_bool(json, "odd", true));
    cr_assert_not(loose_bool(json, "odd", false));
    cr_assert(loose_bool(json, "bag", false));
    cr_assert_eq(loose_int(json, "count", 0), 7);
    json_decref(json);
}

Test(loose, wipes_every_text_it_lets_go_of)
{
    json_t *json = parse("{\"a\": \"geheim\", \"b\": [{\"c\": \"auch\"}], \"d\": 1}");
    json_t *a = json_incref(json_object_get(json, "a"));
    json_t *c = json_incref(json_object_get(json_array_get(json_object_get(json, "b"), 0), "c"));
    static const char zeroes[6];

    loose_wipe(json);
    loose_wipe(NULL);
    cr_assert_arr_eq(json_string_value(a), zeroes, 6);
    cr_assert_arr_eq(json_string_value(c), zeroes, 4);
    json_decref(a);
    json_decref(c);
}

/* A small text may be a large document: each "[]" of it is ninety bytes and more in memory. */
Test(loose, refuses_a_document_of_too_many_values)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(16 << 20);
    struct err err = ERR_INIT;
    json_t *json = NULL;

    buf_add_char(&text, '[');
    for (int i = 0; i < LOOSE_VALUES_MAX; i++)
        buf_add_str(&text, "[],");
    buf_add_str(&text, "0]");
    cr_assert_eq(loose_parse(buf_slice(&text), &json, &err), ERR_LIMIT, "%s", err.text);
    cr_assert(strstr(err.text, "values"), "%s", err.text);

    buf_clear(&text); /* the same bytes as one text, with its quotes escaped */
    buf_add_str(&text, "{\"a\": \"");
    for (int i = 0; i < LOOSE_VALUES_MAX; i++)
        buf_add_str(&text, "[]\\\",");
    buf_add_str(&text, "\"}");
    cr_assert_eq(loose_parse(buf_slice(&text), &json, &err), ERR_OK, "%s", err.text);
    json_decref(json);
}
