#include "lang/step.h"

#include <criterion/criterion.h>

Test(step, a_step_survives_the_way_to_another_process)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct token name = {.kind = TOKEN_EXPR, .line = 3, .col = 9, .text = SLICE_INIT("matrix.x")};
    struct token flag = {.kind = TOKEN_BOOL, .boolean = true};
    struct token text = {.kind = TOKEN_STRING, .text = SLICE_INIT("echo \"hi\"\n")};
    struct token *items[] = {&text, &flag};
    struct token list = {.kind = TOKEN_SEQUENCE, .items = items, .n_items = 2};
    struct token_pair pair = {&text, &list};
    struct token map = {.kind = TOKEN_MAPPING, .pairs = &pair, .n_pairs = 1};
    struct step s = {.id = "__run",
                     .record = "57e90002-0000",
                     .name = &name,
                     .condition = "success() && (true)",
                     .run = &text,
                     .env = &map,
                     .continue_on_error = &flag,
                     .line = 12};
    struct step back;
    json_t *json = step_to_json(&s);

    cr_assert_eq(step_from_json(&a, json, &back, &err), ERR_OK, "%s", err.text);
    json_t *again = step_to_json(&back);
    cr_assert(json_equal(json, again));
    cr_assert_str_eq(back.condition, "success() && (true)");
    cr_assert_eq(back.name->kind, TOKEN_EXPR);
    cr_assert_eq(back.name->line, 3);
    cr_assert(slice_eq(back.name->source, SLICE("${{ matrix.x }}")));
    cr_assert_null(back.uses);
    cr_assert_null(back.with);
    cr_assert_eq(back.line, 12);
    cr_assert_str_eq(back.record, "57e90002-0000");
    json_decref(json);
    json_decref(again);
}

Test(step, what_is_no_step_is_refused_by_name)
{
    static const struct {
        const char *json, *error;
    } rows[] = {
        {"[]", "a step must be a JSON object"},
        {"{}", "a step needs either 'run' or 'uses'"},
        {"{\"run\": \"x\", \"uses\": \"y\"}", "a step needs either 'run' or 'uses'"},
        {"{\"uses\": 5}", "member 'uses' of a step must be a string"},
        {"{\"run\": []}", "member 'run' of a step: a template token cannot be a JSON array"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct err err = ERR_INIT;
        struct step s;
        json_t *json = json_loads(rows[i].json, 0, NULL);

        cr_assert_eq(step_from_json(&a, json, &s, &err), ERR_INVALID);
        cr_assert_str_eq(err.text, rows[i].error);
        json_decref(json);
    }
}

Test(step, tokens_nested_without_end_are_refused)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct token *t;
    json_t *json = json_string("x");

    for (int i = 0; i < 150; i++)
        json = json_pack("{s:i, s:[o]}", "type", TOKEN_SEQUENCE, "seq", json);
    cr_assert_eq(token_from_json(&a, json, &t, &err), ERR_LIMIT);
    cr_assert_str_eq(err.text, "template tokens are nested more than 100 deep");
    json_decref(json);
}

Test(step, is_named_by_the_first_line_that_is_not_blank)
{
    static const char *const rows[][2] = {
        {"make\nmake test\n", "make"},
        {" \r\n\t make all \r\nmake test", "make all "},
        {"one\rtwo", "one"},
        {"\n \n", ""},
        {"", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect(slice_eq(step_first_line(slice_of(rows[i][0])), slice_of(rows[i][1])), "row %zu",
                  i);
}
