#include "cases.h"

#include "lang/yaml.h"

#include "base/buf.h"
#include "kit/effort.h"

#include <criterion/criterion.h>

/* ---- tables ---- */

static void print(struct arena *a, const struct token *t, struct buf *out)
{
    static const char *const kinds[TOKEN_KINDS] = {
        [TOKEN_STRING] = "",
        [TOKEN_BOOL] = "bool ",
        [TOKEN_NUMBER] = "number ",
        [TOKEN_NULL] = "null",
    };

    if (t->kind == TOKEN_SEQUENCE) {
        buf_printf(out, "@%d:%d [", t->line, t->col);
        for (size_t i = 0; i < t->n_items; i++) {
            buf_add_str(out, i ? ", " : "");
            print(a, t->items[i], out);
        }
        buf_add_char(out, ']');
    } else if (t->kind == TOKEN_MAPPING) {
        buf_printf(out, "@%d:%d {", t->line, t->col);
        for (size_t i = 0; i < t->n_pairs; i++) {
            buf_add_str(out, i ? ", " : "");
            print(a, t->pairs[i].key, out);
            buf_add_str(out, ": ");
            print(a, t->pairs[i].value, out);
        }
        buf_add_char(out, '}');
    } else {
        struct slice text = token_text(a, t);

        buf_printf(out, "%s%s%.*s%s@%d:%d", kinds[t->kind], t->kind == TOKEN_STRING ? "\"" : "",
                   SLICE_ARG(text), t->kind == TOKEN_STRING ? "\"" : "", t->line, t->col);
    }
}

static struct slice read_tree(struct arena *a, struct slice document, struct diags *diags)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    struct token *root;

    if (yaml_parse(a, document, "f.yml", 1, NULL, &root, diags) == ERR_OK)
        print(a, root, &out);
    return arena_dup(a, buf_slice(&out));
}

Test(yaml, reads_trees_with_types_and_places)
{
    each_case("yaml", "trees", read_tree);
}

Test(yaml, types_plain_scalars_as_github_does)
{
    each_case("yaml", "scalars", read_tree);
}

Test(yaml, says_what_is_wrong_where_and_what_to_do)
{
    each_case("yaml", "errors", read_tree);
}

/* ---- limits ---- */

static int parse(struct slice text, const struct yaml_limits *limits, char *ret_message)
{
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};
    struct token *root;
    int result = yaml_parse(&a, text, "f", 1, limits, &root, &diags);

    *ret_message = '\0';
    if (result < 0)
        snprintf(ret_message, 200, "%.*s", SLICE_ARG(diags.list.ptr[0].message));
    cr_assert_lt(a.size, 64u << 20, "%zu bytes were used", a.size);
    diags_deinit(&diags);
    arena_deinit(&a);
    return result;
}

Test(yaml, an_alias_bomb_is_an_error_and_no_memory_problem)
{
    CLEANUP(buf_deinit) struct buf bomb = BUF_INIT(1 << 16);
    char message[200];

    buf_add_str(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_printf(&bomb, "%s*a%d", k ? ", " : "", i - 1);
        buf_add_str(&bomb, "]\n");
    }
    cr_assert_eq(parse(buf_slice(&bomb), NULL, message), ERR_INVALID);
    cr_assert_str_eq(message, "Maximum YAML nodes exceeded");
}

Test(yaml, deep_flow_nesting_costs_no_time)
{
    enum { DEEP = 1000 * 1000 };
    CLEANUP(free_ptr) char *text = mem_new(DEEP);
    int64_t begin = effort_ms();
    char message[200];

    memset(text, '[', DEEP);
    cr_assert_eq(parse(slice_make(text, DEEP), NULL, message), ERR_INVALID);
    cr_assert_str_eq(message, "Maximum object depth exceeded");
    cr_assert_lt(effort_ms() - begin, 2000);
}

Test(yaml, depth_counts_the_collections_around_a_collection)
{
    struct yaml_limits three = {.depth = 3};
    char message[200];

    cr_assert_eq(parse(SLICE("a: {b: {c: d}}"), &three, message), ERR_OK, "%s", message);
    cr_assert_eq(parse(SLICE("a: {b: {c: []}}"), &three, message), ERR_INVALID);
    cr_assert_eq(parse(SLICE("a: &x {b: c}\nd: {e: *x}"), &three, message), ERR_OK, "%s", message);
    cr_assert_eq(parse(SLICE("a: &x {b: c}\nd: {e: {f: *x}}"), &three, message), ERR_INVALID);
}

Test(yaml, size_is_counted_in_characters)
{
    struct yaml_limits five = {.size = 5};
    char message[200];

    cr_assert_eq(parse(SLICE("äöüß!"), &five, message), ERR_OK, "%s", message);
    cr_assert_eq(parse(SLICE("äöüß!!"), &five, message), ERR_INVALID);
    cr_assert_str_eq(message, "The maximum file size of 5 characters has been exceeded");
    cr_assert_eq(parse(SLICE("ab\xF0\x9F\x98\x80!!"), &five, message), ERR_INVALID,
                 "a character outside the basic plane is two");
}

Test(yaml, an_alias_shares_the_tokens_of_its_anchor)
{
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};
    struct token *root;

    cr_assert_eq(yaml_parse(&a, SLICE("a: &x [1]\nb: *x\n"), "f", 1, NULL, &root, &diags), ERR_OK);
    cr_assert_eq(root->pairs[0].value, root->pairs[1].value);
    diags_deinit(&diags);
    arena_deinit(&a);
}

Test(yaml, any_keys_keeps_duplicates_for_the_reader)
{
    struct yaml_limits any = {.any_keys = true};
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};
    struct token *root;

    cr_assert_eq(yaml_parse(&a, SLICE("a: 1\nA: 2\n"), "f", 1, &any, &root, &diags), ERR_OK);
    cr_assert_eq(root->n_pairs, 2u);
    arena_deinit(&a);
}
