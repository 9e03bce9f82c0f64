/* Runs the tables of expressions, templates and patterns (see tests/data/expressions/README.md). */
#include "lang/glob.h"
#include "lang/pattern.h"
#include "lang/template.h"

#include "base/buf.h"

#include <criterion/criterion.h>
#include <math.h>

#define DATA OSTLER_SOURCE_DIR "/tests/data/"

/* One row on its way: what it wants, and room for what it gets. */
struct row {
    const json_t *json;
    const char *file;
    struct arena arena;
    size_t failed;
};

static void fail_row(struct row *r, struct slice got)
{
    CLEANUP(free_ptr) char *row = json_dumps(r->json, JSON_COMPACT);

    r->failed++;
    cr_log_error("%s: %s\n    got: %.*s", r->file, row, SLICE_ARG(got));
}

static struct slice member(const json_t *row, const char *name)
{
    const json_t *s = json_object_get(row, name);

    return slice_make(json_string_value(s), json_string_length(s));
}

static void each_row(const char *file, void (*fn)(struct row *r))
{
    CLEANUP(free_ptr) char *path = mem_new(sizeof DATA + strlen(file));
    json_error_t error;
    json_t *groups, *rows;
    const char *group;
    size_t n = 0;
    struct row r = {.file = file};

    memcpy(path, DATA, sizeof DATA);
    memcpy(path + sizeof DATA - 1, file, strlen(file) + 1);
    groups = json_load_file(path, JSON_ALLOW_NUL, &error);
    cr_assert(groups, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    json_object_foreach (groups, group, rows) {
        for (size_t i = 0; i < json_array_size(rows); i++, n++) {
            r.json = json_array_get(rows, i);
            fn(&r);
            arena_deinit(&r.arena);
        }
    }
    json_decref(groups);
    cr_assert(n > 0, "%s is empty", file);
    cr_assert_eq(r.failed, 0, "%zu of %zu rows of %s failed", r.failed, n, file);
}

/* ---- expressions ---- */

static const json_t *find_context(void *ctx, struct slice name)
{
    json_t *contexts = ctx, *value;
    const char *key;

    json_object_foreach (contexts, key, value) {
        if (slice_eq_nocase(slice_of(key), name))
            return value;
    }
    return NULL;
}

static int fake_hash(void *ctx, struct arena *a, const struct slice *patterns, size_t n,
                     struct slice *ret, struct err *err)
{
    const char *joined = "";

    (void)ctx;
    if (slice_eq(patterns[0], SLICE("broken")))
        return err_set(err, ERR_NOT_FOUND, "cannot read 'broken'");
    for (size_t i = 0; i < n; i++)
        joined = arena_printf(a, "%s%s%.*s", joined, i ? "+" : "", SLICE_ARG(patterns[i]));
    *ret = slice_of(joined);
    return ERR_OK;
}

static struct expr_scope scope_of(const struct row *r)
{
    return (struct expr_scope){.context = find_context,
                               .hash_files = fake_hash,
                               .ctx = json_object_get(r->json, "contexts")};
}

static struct expr_place place_of(struct row *r)
{
    json_t *contexts = json_object_get(r->json, "contexts"), *value;
    struct slice place = member(r->json, "place");
    const char **names = arena_array(&r->arena, json_object_size(contexts) + 1, sizeof *names),
               *key;
    size_t n = 0;

    json_object_foreach (contexts, key, value) {
        char *name = arena_str(&r->arena, slice_of(key));

        for (char *p = name; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        names[n++] = name;
    }
    if (slice_eq(place, SLICE("any")))
        return (struct expr_place){NULL, EXPR_FN_ANY};
    return (struct expr_place){names, slice_eq(place, SLICE("job")) ? EXPR_FN_JOB_STATUS
                                      : slice_eq(place, SLICE("step"))
                                          ? EXPR_FN_STATUS | EXPR_FN_HASHFILES
                                          : 0};
}

static bool is_wanted(struct row *r, const struct expr_value *v)
{
    const json_t *wanted = json_object_get(r->json, "is");
    struct slice number = member(r->json, "number");
    struct expr_value w = expr_from_json(wanted);

    if (number.ptr) {
        double n = expr_parse_number(number);
        return v->kind == EXPR_NUMBER && (n == v->number || (isnan(n) && isnan(v->number)));
    }
    return wanted && w.kind == v->kind &&
           slice_eq(expr_json_line(&r->arena, &w), expr_json_line(&r->arena, v));
}

static bool is_error(const json_t *wanted, struct slice message)
{
    return wanted && slice_starts(message, slice_of(json_string_value(wanted)));
}

static void expression_row(struct row *r)
{
    struct expr_place place = place_of(r);
    struct expr_scope scope = scope_of(r);
    const struct expr *e;
    struct expr_value v;
    struct expr_error error;

    if (expr_parse(&r->arena, member(r->json, "expr"), &place, &e, &error) < 0 ||
        expr_eval(e, &scope, &r->arena, &v, &error) < 0) {
        if (!is_error(json_object_get(r->json, "error"), error.message))
            fail_row(r, error.message);
    } else if (!is_wanted(r, &v)) {
        fail_row(r, expr_json_line(&r->arena, &v));
    }
}

Test(expr_data, literals_names_and_token_order_are_read_as_the_service_reads_them)
{
    each_row("expressions/syntax.json", expression_row);
}

Test(expr_data, values_convert_as_in_the_service)
{
    each_row("expressions/values.json", expression_row);
}

Test(expr_data, operators_compare_and_choose)
{
    each_row("expressions/operators.json", expression_row);
}

Test(expr_data, access_never_fails_and_filters_spread)
{
    each_row("expressions/access.json", expression_row);
}

Test(expr_data, functions_keep_their_promises)
{
    each_row("expressions/functions.json", expression_row);
}

Test(expr_data, json_is_read_leniently_and_written_exactly)
{
    each_row("expressions/json.json", expression_row);
}

Test(expr_data, hash_files_gets_its_patterns_and_its_option)
{
    each_row("hash-files/arguments.json", expression_row);
}

static void printed_row(struct row *r)
{
    struct expr_scope scope = scope_of(r);
    const struct expr *e;
    struct expr_value v;
    struct expr_trace trace = {0};
    struct expr_error error;

    if (expr_parse(&r->arena, member(r->json, "expr"), NULL, &e, &error) < 0 ||
        expr_eval_traced(e, &scope, &r->arena, &v, &trace, &error) < 0)
        fail_row(r, error.message);
    else if (!slice_eq(trace.expression, member(r->json, "printed")))
        fail_row(r, trace.expression);
    else if (!slice_eq(trace.expanded, member(r->json, "expanded")))
        fail_row(r, trace.expanded);
}

Test(expr_data, a_trace_prints_the_tree_and_fills_in_values)
{
    each_row("traces/printed.json", printed_row);
}

/* ---- templates ---- */

static bool errors_are_wanted(const json_t *wanted, const struct expr_error *error)
{
    if (!json_is_array(wanted))
        return is_error(wanted, error->message) && !error->next;
    for (size_t i = 0; i < json_array_size(wanted); i++, error = error->next)
        if (!error || !is_error(json_array_get(wanted, i), error->message))
            return false;
    return !error;
}

static void template_row(struct row *r)
{
    struct slice literal, expr;
    struct expr_error error;

    if (template_compile(&r->arena, member(r->json, "text"), NULL, &literal, &expr, &error) < 0) {
        if (!errors_are_wanted(json_object_get(r->json, "error"), &error))
            fail_row(r, error.message);
        return;
    }
    struct slice got = expr.ptr ? expr : literal;
    struct slice wanted = member(r->json, expr.ptr ? "expression" : "literal");
    if (!wanted.ptr || !slice_eq(wanted, got))
        fail_row(r, got);
}

Test(expr_data, scalars_become_literals_or_one_expression)
{
    each_row("templates/texts.json", template_row);
}

static void condition_row(struct row *r)
{
    struct expr_place place = {NULL, EXPR_FN_STATUS};
    struct slice got;
    struct expr_error error;

    if (template_condition(&r->arena, member(r->json, "if"), &place, &got, &error) < 0) {
        if (!is_error(json_object_get(r->json, "error"), error.message))
            fail_row(r, error.message);
    } else if (!slice_eq(member(r->json, "condition"), got)) {
        fail_row(r, got);
    }
}

Test(expr_data, conditions_are_completed)
{
    each_row("templates/conditions.json", condition_row);
}

static json_t *string_json(struct slice s)
{
    return s.ptr ? json_stringn(s.ptr, s.len) : json_null();
}

static int map_json(const struct template_eval *t, const struct token *tok, json_t **ret,
                    struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap map = STRMAP_INIT;
    int r = template_map(t, tok, &map, err);

    if (r < 0)
        return r;
    *ret = json_object();
    STRMAP_EACH (i, &map)
        json_object_set_new(*ret, i->name, string_json(strmap_value(i)));
    return ERR_OK;
}

/* The tree as the row wants it, as JSON. */
static int evaluate_tree(struct row *r, const struct template_eval *t, const struct token *tok,
                         json_t **ret, struct err *err)
{
    struct slice as = member(r->json, "as"), s;
    bool b;
    double n;
    int result;

    if (slice_eq(as, SLICE("string"))) {
        result = template_string(t, tok, &s, err);
        *ret = result < 0 ? NULL : string_json(s);
    } else if (slice_eq(as, SLICE("bool"))) {
        result = template_bool(t, tok, true, &b, err);
        *ret = result < 0 ? NULL : json_boolean(b);
    } else if (slice_eq(as, SLICE("number"))) {
        result = template_number(t, tok, 42, &n, err);
        *ret = result < 0 ? NULL : json_real(n);
    } else if (slice_eq(as, SLICE("map"))) {
        result = map_json(t, tok, ret, err);
    } else {
        result = template_json(t, tok, ret, err);
    }
    return result;
}

static void tree_row(struct row *r)
{
    struct expr_scope scope = scope_of(r);
    struct template_eval t = {.arena = &r->arena, .scope = &scope};
    struct token *tok;
    struct err err = ERR_INIT;
    json_t *got = NULL;

    if (token_from_json(&r->arena, json_object_get(r->json, "tree"), &tok, &err) < 0 ||
        evaluate_tree(r, &t, tok, &got, &err) < 0) {
        if (!is_error(json_object_get(r->json, "error"), slice_of(err.text)))
            fail_row(r, slice_of(err.text));
        return;
    }
    struct expr_value v = expr_from_json(got);
    if (!is_wanted(r, &v))
        fail_row(r, expr_json_line(&r->arena, &v));
    json_decref(got);
}

Test(expr_data, trees_are_evaluated_spliced_and_merged)
{
    each_row("templates/trees.json", tree_row);
}

/* ---- globs and filters ---- */

static bool glob_takes(const struct glob *g, const char *name)
{
    struct slice path = slice_of(name);
    bool folder = slice_ends(path, SLICE("/"));

    path.len -= folder;
    return glob_match(g, path) & (folder ? GLOB_FOLDER : GLOB_FILE);
}

/* Every folder above PATH must be one that a walk goes into. */
static bool is_reached(struct arena *a, const struct glob *g, const char *name)
{
    struct slice path = slice_of(name);
    bool searched = false;

    path.len -= slice_ends(path, SLICE("/"));
    VEC_EACH (root, &g->roots) {
        struct slice top = slice_of(*root);

        if (!slice_starts(path, top))
            continue;
        searched = true;
        for (size_t i = top.len; i < path.len; i++) {
            struct slice folder = arena_dup(a, slice_head(path, i));

            if (path.ptr[i] == '/' && !glob_match(g, folder) && !glob_may_hold(g, folder))
                return false;
        }
    }
    return searched;
}

static void glob_row(struct row *r)
{
    CLEANUP(glob_deinit) struct glob g = GLOB_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    const json_t *patterns = json_object_get(r->json, "patterns");
    const json_t *match = json_object_get(r->json, "match");
    const json_t *no_match = json_object_get(r->json, "no_match");
    const json_t *roots = json_object_get(r->json, "roots");
    struct err err = ERR_INIT;

    for (size_t i = 0; i < json_array_size(patterns); i++)
        buf_printf(&text, "%s\n", json_string_value(json_array_get(patterns, i)));
    if (glob_add(&g, buf_slice(&text), "/w", "/home/me", &err) < 0) {
        if (!is_error(json_object_get(r->json, "error"), slice_of(err.text)))
            fail_row(r, slice_of(err.text));
        return;
    }
    for (size_t i = 0; i < json_array_size(match); i++) {
        const char *name = json_string_value(json_array_get(match, i));

        if (!glob_takes(&g, name) || !is_reached(&r->arena, &g, name))
            fail_row(r, slice_of(name));
    }
    for (size_t i = 0; i < json_array_size(no_match); i++)
        if (glob_takes(&g, json_string_value(json_array_get(no_match, i))))
            fail_row(r, slice_of(json_string_value(json_array_get(no_match, i))));
    for (size_t i = 0; i < g.roots.len || i < json_array_size(roots); i++)
        if (i >= g.roots.len || i >= json_array_size(roots) ||
            strcmp(g.roots.ptr[i], json_string_value(json_array_get(roots, i))) != 0)
            fail_row(r, slice_of(i < g.roots.len ? g.roots.ptr[i] : "(one root less)"));
}

Test(expr_data, globs_match_as_the_toolkit_does)
{
    each_row("globs/files.json", glob_row);
}

static void filter_row(struct row *r)
{
    struct slice pattern = member(r->json, "pattern");
    struct err err = ERR_INIT;

    if (pattern_check(pattern, &err) < 0) {
        if (!is_error(json_object_get(r->json, "error"), slice_of(err.text)) ||
            pattern_match(pattern, pattern))
            fail_row(r, slice_of(err.text));
        return;
    }
    for (int wanted = 0; wanted <= 1; wanted++) {
        const json_t *names = json_object_get(r->json, wanted ? "match" : "no_match");

        for (size_t i = 0; i < json_array_size(names); i++) {
            struct slice name = slice_of(json_string_value(json_array_get(names, i)));
            if (pattern_match(pattern, name) != wanted)
                fail_row(r, name);
        }
    }
    if (json_object_get(r->json, "error"))
        fail_row(r, SLICE("no error"));
}

Test(expr_data, filter_patterns_match_whole_names)
{
    each_row("globs/filters.json", filter_row);
}
