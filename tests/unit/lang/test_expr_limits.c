/* Limits, sizes and identities of expressions: what a table of rows cannot show. */
#include "lang/expr/expr.h"
#include "lang/utf.h"

#include "base/buf.h"
#include "kit/effort.h"

#include <criterion/criterion.h>

struct fixture {
    struct arena arena;
    struct expr_error error;
    const struct expr *expr;
    struct expr_value value;
};

static void fixture_deinit(struct fixture *f)
{
    arena_deinit(&f->arena);
}

static int parse(struct fixture *f, struct slice text)
{
    return expr_parse(&f->arena, text, NULL, &f->expr, &f->error);
}

static int eval(struct fixture *f, struct slice text, const struct expr_scope *scope)
{
    int r = parse(f, text);

    return r < 0 ? r : expr_eval(f->expr, scope, &f->arena, &f->value, &f->error);
}

/* HEAD, then N times PART, then N times BACK. */
static struct slice repeat(struct arena *a, const char *head, const char *part, const char *middle,
                           const char *back, size_t n)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(1 << 24);

    buf_add_str(&b, head);
    for (size_t i = 0; i < n; i++)
        buf_add_str(&b, part);
    buf_add_str(&b, middle);
    for (size_t i = 0; i < n; i++)
        buf_add_str(&b, back);
    return arena_dup(a, buf_slice(&b));
}

static const json_t *only_context(void *ctx, struct slice name)
{
    (void)name;
    return ctx;
}

Test(expr_limits, ten_thousand_parentheses_are_no_depth_at_all)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    struct expr_scope scope = {0};

    cr_assert_eq(eval(&f, repeat(&f.arena, "", "(", "7", ")", 10499), &scope), ERR_OK);
    cr_assert_eq(expr_number(&f.value), 7);
}

Test(expr_limits, open_brackets_by_the_thousand_are_one_clear_error)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};

    cr_assert_eq(parse(&f, repeat(&f.arena, "", "(", "", "", 21000)), ERR_INVALID);
    cr_assert(slice_starts(f.error.message,
                           SLICE("Unexpected end of expression: '('. Located at position 21000")));
    cr_assert_eq(parse(&f, repeat(&f.arena, "", "!", "1", "", 20999)), ERR_INVALID);
    cr_assert(slice_eq(f.error.message, SLICE("Exceeded max expression depth 50")));
    cr_assert_eq(parse(&f, repeat(&f.arena, "a", "[a", "", "]", 6999)), ERR_INVALID);
    cr_assert(slice_eq(f.error.message, SLICE("Exceeded max expression depth 50")));
    cr_assert_eq(parse(&f, repeat(&f.arena, "", "join(", "1", ")", 3499)), ERR_INVALID);
    cr_assert(slice_eq(f.error.message, SLICE("Exceeded max expression depth 50")));
}

Test(expr_limits, fifty_levels_pass_and_one_more_does_not)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};

    cr_assert_eq(parse(&f, repeat(&f.arena, "", "!", "1", "", 49)), ERR_OK);
    cr_assert_eq(parse(&f, repeat(&f.arena, "", "!", "1", "", 50)), ERR_INVALID);
    cr_assert_eq(parse(&f, repeat(&f.arena, "a", ".b", "", "", 49)), ERR_OK);
    cr_assert_eq(parse(&f, repeat(&f.arena, "a", ".b", "", "", 50)), ERR_INVALID);
}

Test(expr_limits, chains_of_one_logical_operator_are_one_level)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    struct expr_scope scope = {0};

    cr_assert_eq(eval(&f, repeat(&f.arena, "1", " && 2", "", "", 3000), &scope), ERR_OK);
    cr_assert_eq(eval(&f, repeat(&f.arena, "1", " && (2", "", ")", 2000), &scope), ERR_OK);
    cr_assert_eq(eval(&f, repeat(&f.arena, "1", " || (0 || 0", "", ")", 1000), &scope), ERR_OK);
    cr_assert_eq(parse(&f, repeat(&f.arena, "1", " || (0 && (1", " ", "))", 50)), ERR_INVALID);
}

Test(expr_limits, length_is_counted_in_utf16_units_before_anything_else)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};

    cr_assert_eq(parse(&f, repeat(&f.arena, "'", "é", "'", "", 20998)), ERR_OK);
    cr_assert_eq(parse(&f, repeat(&f.arena, "'", "é", "'", "", 20999)), ERR_INVALID);
    cr_assert(slice_eq(f.error.message, SLICE("Exceeded max expression length 21000")));
    cr_assert_eq(f.error.position, 0);
    cr_assert_eq(parse(&f, repeat(&f.arena, "'", "😀", "'", "", 10499)), ERR_OK);
    cr_assert_eq(parse(&f, repeat(&f.arena, "'", "😀", "'", "", 10500)), ERR_INVALID);
    cr_assert_eq(parse(&f, repeat(&f.arena, "=", "x", "", "", 100000)), ERR_INVALID);
    cr_assert(slice_eq(f.error.message, SLICE("Exceeded max expression length 21000")));
}

Test(expr_limits, a_function_takes_255_arguments)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    struct expr_scope scope = {0};

    cr_assert_eq(eval(&f, repeat(&f.arena, "format('{253}'", ", 'x'", ")", "", 254), &scope),
                 ERR_OK);
    cr_assert(slice_eq(f.value.text, SLICE("x")));
    cr_assert_eq(parse(&f, repeat(&f.arena, "format('{253}'", ", 'x'", ")", "", 255)), ERR_INVALID);
    cr_assert(slice_starts(f.error.message, SLICE("Too many parameters supplied: 'format'")));
}

Test(expr_limits, format_join_and_json_blow_ups_stop_at_the_memory_limit)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    static const char *const texts[] = {
        "format('{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}', format('{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}', a))",
        "join(fromJSON(format('[{0},{0},{0},{0},{0},{0},{0},{0},{0},{0}]', toJSON(a))), "
        "format('{0}{0}{0}', a))",
        "toJSON(format('{0}{0}{0}{0}{0}', toJSON(toJSON(a))))",
    };
    CLEANUP(free_ptr) char *big = mem_new(20001);
    json_t *json;

    memset(big, '"', 20000);
    json = json_string(big);
    struct expr_scope scope = {.context = only_context, .ctx = json, .memory_limit = 1 << 20};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        cr_assert_eq(eval(&f, slice_of(texts[i]), &scope), ERR_LIMIT, "%s", texts[i]);
        cr_assert(slice_starts(f.error.message,
                               SLICE("The maximum allowed memory size was exceeded while "
                                     "evaluating the following expression: ")));
    }
    json_decref(json);
}

Test(expr_limits, memory_of_finished_operands_is_given_back)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    struct expr_scope scope = {.memory_limit = 64 * 1024};

    /* Two thousand comparisons of two texts would be over the limit together. */
    cr_assert_eq(
        eval(&f, repeat(&f.arena, "'a' == 'a'", " && 'aaaaaaaaaaaaaaaaaaaa' == 'b'", "", "", 500),
             &scope),
        ERR_OK);
}

Test(expr_limits, json_deeper_than_64_is_refused)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    struct expr_scope scope = {0};

    cr_assert_eq(eval(&f, repeat(&f.arena, "fromJSON('", "[", "", "]", 0), &scope), ERR_INVALID);
    struct slice deep = repeat(&f.arena, "", "[", "", "]", 64);
    struct slice deeper = repeat(&f.arena, "", "[", "", "]", 65);
    cr_assert_eq(
        eval(&f, slice_of(arena_printf(&f.arena, "fromJSON('%.*s')", SLICE_ARG(deep))), &scope),
        ERR_OK);
    cr_assert_eq(
        eval(&f, slice_of(arena_printf(&f.arena, "fromJSON('%.*s')", SLICE_ARG(deeper))), &scope),
        ERR_INVALID);
}

/* ---- time: none of these may be quadratic ---- */

static json_t *big_object(size_t n)
{
    json_t *o = json_object();

    for (size_t i = 0; i < n; i++) {
        char key[32];

        snprintf(key, sizeof key, "Key%zu", i);
        json_object_set_new(o, key, json_integer((json_int_t)i));
    }
    return o;
}

Test(expr_limits, a_thousand_misspelled_keys_of_a_huge_object_are_found_at_once, .timeout = 20)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    json_t *o = big_object(100000);
    struct expr_scope scope = {.context = only_context, .ctx = o};

    buf_add_str(&text, "x.kEY0");
    for (int i = 1; i < 1000; i++)
        buf_printf(&text, "||x.n%d", i);
    buf_add_str(&text, "||x.key99999");
    int64_t start = effort_ms();
    cr_assert_eq(eval(&f, buf_slice(&text), &scope), ERR_OK);
    cr_assert_eq(expr_number(&f.value), 99999);
    /* Each look-up alone would be a walk through all keys, some milliseconds. */
    cr_assert_lt(effort_ms() - start, 2000);
    json_decref(o);
}

Test(expr_limits, duplicate_keys_and_searches_in_long_texts_stay_linear, .timeout = 20)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 22);
    struct expr_scope scope = {.context = only_context};
    int64_t start = effort_ms();

    buf_add_char(&text, '{');
    for (int i = 0; i < 50000; i++)
        buf_printf(&text, "k%d:%d,", i, i);
    buf_add_char(&text, '}');
    scope.ctx = json_stringn(text.ptr, text.len);
    cr_assert_eq(eval(&f, SLICE("fromJSON(x).K49999"), &scope), ERR_OK);
    cr_assert_eq(expr_number(&f.value), 49999);
    json_decref(scope.ctx);

    buf_clear(&text);
    for (int i = 0; i < 400000; i++)
        buf_add_char(&text, 'a');
    scope.ctx = json_stringn(text.ptr, text.len);
    cr_assert_eq(eval(&f, SLICE("contains(x, format('{0}b', x)) || contains(x, x)"), &scope),
                 ERR_OK);
    cr_assert(f.value.boolean);
    json_decref(scope.ctx);
    cr_assert_lt(effort_ms() - start, 5000);
}

/* ---- names, identities, what is borrowed ---- */

struct references {
    struct buf text;
};

static void add_reference(void *ctx, const struct slice *path, size_t n, size_t offset)
{
    struct references *r = ctx;

    for (size_t i = 0; i < n; i++)
        buf_printf(&r->text, "%s%.*s", i ? "." : "", SLICE_ARG(path[i]));
    buf_printf(&r->text, "@%zu ", offset);
}

Test(expr_limits, references_are_told_with_their_constant_paths)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    struct references r = {BUF_INIT(1024)};

    cr_assert_eq(
        parse(&f, SLICE("Needs.build['outputs'].x == format('{0}', matrix[env.K].a) && (a).b.*.c")),
        ERR_OK);
    expr_each_reference(f.expr, add_reference, &r);
    cr_assert_str_eq(r.text.ptr, "needs.build.outputs.x@0 matrix@42 env.K@49 a.b@63 ");
    buf_deinit(&r.text);
}

Test(expr_limits, status_functions_are_found_anywhere_but_in_texts)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};

    cr_assert_eq(parse(&f, SLICE("a[format('{0}', Failure())]")), ERR_OK);
    cr_assert(expr_has_status_call(f.expr));
    cr_assert_eq(parse(&f, SLICE("a.always == 'success()'")), ERR_OK);
    cr_assert(!expr_has_status_call(f.expr));
    cr_assert_eq(parse(&f, SLICE(" ")), ERR_OK);
    cr_assert(expr_is_empty(f.expr));
}

Test(expr_limits, env_compares_keys_with_case_where_asked)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    json_t *o = json_pack("{s:s}", "Path", "x");
    struct expr_scope scope = {.context = only_context, .ctx = o, .env_case = true};

    cr_assert_eq(
        eval(&f, SLICE("env.PATH == null && env.Path == 'x' && github.PATH == 'x'"), &scope),
        ERR_OK);
    cr_assert(f.value.boolean);
    scope.env_case = false;
    cr_assert_eq(eval(&f, SLICE("env.PATH"), &scope), ERR_OK);
    cr_assert(slice_eq(f.value.text, SLICE("x")));
    json_decref(o);
}

Test(expr_limits, collections_of_the_scope_are_shared_and_not_copied)
{
    CLEANUP(fixture_deinit) struct fixture f = {0};
    json_t *o = json_pack("{s:[i]}", "a", 1);
    struct expr_scope scope = {.context = only_context, .ctx = o};

    cr_assert_eq(eval(&f, SLICE("x.a"), &scope), ERR_OK);
    json_t *got = expr_to_json(&f.arena, &f.value);
    cr_assert_eq(got, json_object_get(o, "a"));
    json_decref(got);
    json_decref(o);
}

Test(expr_limits, text_measures_trims_and_folds_like_the_service)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    cr_assert_eq(utf_units(SLICE("aé€😀")), 5);
    cr_assert_eq(utf_units(SLICE("\xff\xc3")), 2);
    cr_assert(slice_eq(utf_trim(SLICE("\xc2\xa0 x \xe3\x80\x80")), SLICE("x")));
    cr_assert_eq(utf_trim(SLICE(" \t")).len, 0);
    cr_assert(slice_eq(utf_fold(&a, SLICE("ǆß\xff")), SLICE("Ǆß\xff")));
    cr_assert(!utf_eq_nocase(SLICE("\xc3"), SLICE("\xe3")));
    cr_assert(!utf_eq_nocase(SLICE("a"), SLICE("ab")));
    cr_assert_lt(utf_cmp_nocase(SLICE("😀"), SLICE("\xef\xbd\x9e")), 0);
}
