#include "lang/expr/partial.h"

#include "base/buf.h"
#include "lang/template.h"

#include <criterion/criterion.h>

/* Open: needs.b.outputs.tag, all of matrix, env.LATER, success() and hashFiles(). */
static const char *unknown(void *ctx, const struct slice *path, size_t n)
{
    (void)ctx;
    if (slice_eq(path[0], SLICE("matrix")))
        return "‹matrix›";
    if (slice_eq(path[0], SLICE("success()")))
        return "‹end›";
    if (slice_eq(path[0], SLICE("hashfiles()")))
        return n > 1 && slice_eq(path[1], SLICE("a*")) ? "‹hash a›" : "‹hash›";
    if (slice_eq(path[0], SLICE("env")))
        return n == 1 || slice_eq(path[1], SLICE("LATER")) || slice_eq(path[1], SLICE("*"))
                   ? "‹later›"
                   : NULL;
    if (!slice_eq(path[0], SLICE("needs")))
        return NULL;
    static const char *const open[] = {"needs", "b", "outputs", "tag"};
    for (size_t i = 0; i < n && i < COUNT_OF(open); i++)
        if (!slice_eq_nocase(path[i], slice_of(open[i])) && !slice_eq(path[i], SLICE("*")))
            return NULL;
    return "‹b›";
}

static const json_t *context(void *ctx, struct slice name)
{
    char key[16];

    (void)snprintf(key, sizeof key, "%.*s", SLICE_ARG(name));
    return json_object_get(ctx, key);
}

static json_t *contexts(void)
{
    return json_pack("{s:{s:{s:{s:s}, s:s}, s:{s:s}}, s:{s:s}, s:{s:s, s:[i, i]}}", "needs", "b",
                     "outputs", "size", "7", "result", "success", "c", "result", "success", "env",
                     "NOW", "here", "github", "ref", "main", "list", 1, 2);
}

/* "= VALUE": known. "? TEXT": open, then "+" or "-" where its truth is decided. "! ...": an error. */
static char *outcome(struct arena *a, const char *text, const struct expr_scope *scope)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(2000);
    struct expr_error error = {0};
    struct expr_partial p;
    const struct expr *e;

    if (expr_parse(a, slice_of(text), NULL, &e, &error) < 0 ||
        expr_partial(e, scope, a, &p, &error) < 0) {
        buf_printf(&out, "! %.*s", SLICE_ARG(error.message));
        return arena_str(a, buf_slice(&out));
    }
    buf_add_str(&out, p.known ? "= " : "? ");
    if (p.known && p.value.kind >= EXPR_ARRAY)
        buf_add(&out, expr_json_line(a, &p.value));
    else
        buf_add(&out, expr_string(a, &p.value));
    if (!p.known && p.truth != EXPR_OPEN)
        buf_add_str(&out, p.truth == EXPR_TRUE ? " +" : " -");
    cr_assert_eq(p.known, p.mark == NULL, "%s", text);
    return arena_str(a, buf_slice(&out));
}

static void check_rows(const char *const (*rows)[2], size_t n)
{
    json_t *all = contexts();
    struct expr_scope scope = {.context = context, .unknown = unknown, .ctx = all};

    for (size_t i = 0; i < n; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        const char *got = outcome(&a, rows[i][0], &scope);

        cr_expect_str_eq(got, rows[i][1], "%s\n  is     %s\n  wanted %s", rows[i][0], got,
                         rows[i][1]);
    }
    json_decref(all);
}

Test(expr_partial, what_needs_nothing_open_is_evaluated)
{
    static const char *const rows[][2] = {
        {"github.ref == 'main'", "= true"},
        {"needs.b.outputs.size", "= 7"},
        {"needs.b.result", "= success"},
        {"needs.c", "= {\"result\":\"success\"}"},
        {"env.NOW", "= here"},
        {"github.list.*", "= [1,2]"},
        {"failure()", "= false"},
        {"nobody.knows", "= "},
        {"", "= "},
    };

    check_rows(rows, COUNT_OF(rows));
}

Test(expr_partial, what_a_look_up_can_reach_is_open_with_it)
{
    static const char *const rows[][2] = {
        {"needs.b.outputs.tag", "? ‹b›"},
        {"NEEDS.B.Outputs.TAG", "? ‹b›"},
        {"needs['b']['outputs']['tag']", "? ‹b›"},
        {"needs.b.outputs.tag.deeper", "? ‹b›"},
        {"needs.b.outputs", "? ‹b›"},
        {"needs.*.outputs.tag", "? ‹b›"},
        {"needs.*.result", "= [\"success\",\"success\"]"},
        {"needs", "? ‹b›"},
        {"matrix", "? ‹matrix›"},
        {"matrix.os", "? ‹matrix›"},
        {"github[matrix.os]", "? ‹matrix›"},
        {"github.list[matrix.n]", "? ‹matrix›"},
        {"needs.b.outputs[github.ref]", "? ‹b›"},
        {"fromJSON(needs.b.outputs.tag).x", "? ‹b›"},
        {"env.LATER", "? ‹later›"},
        {"toJSON(env)", "? ‹later›"},
    };

    check_rows(rows, COUNT_OF(rows));
}

Test(expr_partial, operators_decide_what_can_be_decided)
{
    static const char *const rows[][2] = {
        {"matrix.x && false", "? ‹matrix› -"},
        {"false && matrix.x", "= false"},
        {"true && matrix.x", "? ‹matrix›"},
        {"matrix.x && true", "? ‹matrix›"},
        {"matrix.x && true && '' && true", "? ‹matrix› -"},
        {"matrix.x || true", "? ‹matrix› +"},
        {"'yes' || matrix.x", "= yes"},
        {"'' || matrix.x || ''", "? ‹matrix›"},
        {"matrix.x || env.LATER", "? ‹matrix›"},
        {"!matrix.x", "? ‹matrix›"},
        {"!(matrix.x && false)", "= true"},
        {"!(matrix.x || 1)", "= false"},
        {"(matrix.x || 1) && 'a'", "= a"},
        {"(matrix.x && 0) || 'b'", "= b"},
        {"matrix.x == matrix.x", "? ‹matrix›"},
        {"matrix.x != 'a' && github.ref == 'other'", "? ‹matrix› -"},
        {"1 < matrix.x", "? ‹matrix›"},
        {"matrix.x && 'a' || 'b'", "? ‹matrix› +"},
        {"always() && success()", "? ‹end›"},
        {"success() && false", "? ‹end› -"},
        {"success() || always()", "? ‹end› +"},
    };

    check_rows(rows, COUNT_OF(rows));
}

Test(expr_partial, texts_keep_what_is_known)
{
    static const char *const rows[][2] = {
        {"format('{0}:{1}', github.ref, needs.b.outputs.tag)", "? main:‹b›"},
        {"format('{1}{0}{1}', matrix.x, needs.b.outputs.tag)", "? ‹b›‹matrix›‹b›"},
        {"format('{0}', format('<{0}>', matrix.x))", "? <‹matrix›>"},
        {"format(matrix.x, 1)", "? ‹matrix›"},
        {"format('{0} {1}', matrix.x)",
         "! The following format string references more arguments than were supplied: {0} {1}"},
        {"format('k-{0}', hashFiles('a*'))", "? k-‹hash a›"},
        {"hashFiles(github.ref)", "? ‹hash›"},
        {"join(needs.*.outputs.tag, ', ')", "? ‹b›"},
        {"contains(matrix.x, 'a')", "? ‹matrix›"},
        {"case(github.ref == 'main', 'm', matrix.x, 'x', 'z')", "= m"},
        {"case(github.ref == 'x', 'm', true, needs.b.outputs.tag, 'z')", "? ‹b›"},
        {"case(matrix.x, 'm', 'z')", "? ‹matrix›"},
        {"case(false, matrix.x, 'z')", "= z"},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void append(void *ctx, struct slice text, const struct expr_partial *what)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    buf_printf(ctx, "%.*s=%.*s;", SLICE_ARG(text), SLICE_ARG(expr_string(&a, &what->value)));
}

Test(expr_partial, tells_each_look_up_once)
{
    static const char text[] = "always() && github.ref == 'x' || needs.b.outputs.tag && "
                               "contains(github.list, github.ref) || matrix[github.ref]";
    CLEANUP(buf_deinit) struct buf seen = BUF_INIT(2000);
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *all = contexts();
    struct expr_scope scope = {.context = context, .unknown = unknown, .ctx = all};
    struct expr_error error;
    const struct expr *e;

    cr_assert_eq(expr_parse(&a, slice_of(text), NULL, &e, &error), ERR_OK);
    expr_each_seen(e, &scope, &a, append, &seen);
    cr_expect_str_eq(seen.ptr, "always()=true;github.ref=main;needs.b.outputs.tag=‹b›;"
                               "github.list=Array;matrix[github.ref]=‹matrix›;");
    json_decref(all);
}

/* ---- templates with open values ---- */

Test(template_open, a_tree_is_built_around_what_is_open)
{
    static const char tree[] = "{\"type\": 2, \"map\": [{\"Key\": \"a\", \"Value\": {\"type\": 3, "
                               "\"line\": 1, \"col\": 1, \"expr\": "
                               "\"format('x{0}', matrix.v)\"}}, {\"Key\": \"b\", \"Value\": "
                               "{\"type\": 3, \"line\": 2, \"col\": 1, "
                               "\"expr\": \"github.ref\"}}]}";
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *all = contexts(), *json = json_loads(tree, 0, NULL), *got = NULL;
    struct expr_scope scope = {.context = context, .unknown = unknown, .ctx = all};
    struct template_open open = {0};
    struct template_eval t = {.arena = &a, .scope = &scope, .open = &open};
    struct err err = ERR_INIT;
    struct token *tok;
    bool truth = false;
    double number = 0;

    cr_assert_eq(token_from_json(&a, json, &tok, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(template_json(&t, tok, &got, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(json_string_value(json_object_get(got, "a")), "x‹matrix›");
    cr_expect_str_eq(json_string_value(json_object_get(got, "b")), "main");
    cr_expect_str_eq(open.mark, "‹matrix›");
    cr_expect(template_is_open(&open, tok->pairs[0].value));
    cr_expect_not(template_is_open(&open, tok->pairs[1].value));
    cr_expect_eq(template_bool(&t, tok->pairs[0].value, true, &truth, &err), ERR_OK);
    cr_expect(truth, "what cannot be a text counts as not given");
    cr_expect_eq(template_number(&t, tok->pairs[0].value, 5, &number, &err), ERR_OK);
    cr_expect_eq(number, 5);
    template_open_deinit(&open);
    json_decref(got);
    json_decref(json);
    json_decref(all);
}
