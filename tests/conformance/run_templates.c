/* Rows of scalars with ${{ }}: what they compile to, what they evaluate to, conditions. */
#include "values.h"

#include "lang/template.h"

/* ---- interpolation/values.json ---- */

static const struct expr_place step_place = {
    .contexts = (const char *const[]){"github", "inputs", "vars", "needs", "strategy", "matrix",
                                      "secrets", "steps", "job", "runner", "env", NULL},
    .special = EXPR_FN_HASHFILES,
};

/* The contexts that the format of the rows names. */
static json_t *render_contexts(void)
{
    return json_pack("{s:{s:s, s:s, s:s, s:s, s:s}, s:{s:s}, s:{s:s}}", "env", "KEYWITHNOTHING",
                     "valuewithnothing", "KEY-WITH-HYPHENS", "value-with-hyphens",
                     "KEY_WITH_UNDERSCORES", "value_with_underscores", "SOMETHING_TRUE", "true",
                     "SOMETHING_FALSE", "false", "secrets", "CASE_INSENSITIVE_SECRET", "value",
                     "vars", "CASE_INSENSITIVE_VAR", "value");
}

static void render_row(struct file_run *run, const json_t *row, const struct token *tok)
{
    struct arena *a = run_arena(run);
    json_t *contexts = render_contexts();
    struct json_scope source = {contexts};
    struct expr_scope scope = {.context = json_scope_find, .ctx = &source};
    struct template_eval t = {.arena = a, .scope = &scope};
    struct err err = ERR_INIT;
    struct slice got;

    if (template_string(&t, tok, &got, &err) < 0)
        row_fail(run, id_of(row), "%s", err.text);
    else
        row_text(run, id_of(row), text_of(row, "render"), got);
    json_decref(contexts);
}

static void value_row(struct file_run *run, const json_t *row)
{
    const char *id = id_of(row);
    struct slice literal, expr, reason = text_of(row, "error");
    struct expr_error error;

    if (template_compile(run_arena(run), text_of(row, "text"), &step_place, &literal, &expr,
                         &error) < 0) {
        bool same = reason.ptr && slice_starts(error.message, reason);
        row_text(run, id, reason, same ? reason : error.message);
        return;
    }
    struct token tok = {.kind = expr.ptr ? TOKEN_EXPR : TOKEN_STRING,
                        .text = expr.ptr ? expr : literal};
    if (json_object_get(row, "render"))
        render_row(run, row, &tok);
    else if (json_object_get(row, expr.ptr ? "expression" : "literal"))
        row_text(run, id, text_of(row, expr.ptr ? "expression" : "literal"), tok.text);
    else
        row_fail(run, id, "wanted another kind, got %s '%.*s'", expr.ptr ? "expression" : "literal",
                 SLICE_ARG(tok.text));
}

void run_interpolation(struct file_run *run)
{
    run_cases(run, value_row);
}

/* ---- interpolation/if-conditions.json ---- */

static void condition_row(struct file_run *run, const json_t *row)
{
    const struct expr_place job = {
        .contexts = (const char *const[]){"github", "inputs", "vars", "needs", NULL},
        .special = EXPR_FN_JOB_STATUS,
    };
    const struct expr_place step = {
        .contexts = (const char *const[]){"github", "inputs", "vars", "needs", "strategy", "matrix",
                                          "steps", "job", "runner", "env", NULL},
        .special = EXPR_FN_STATUS | EXPR_FN_HASHFILES,
    };
    bool of_job = slice_eq(text_of(row, "level"), SLICE("job"));
    struct slice got, reason = text_of(row, "error");
    struct expr_error error;

    if (template_condition(run_arena(run), text_of(row, "if"), of_job ? &job : &step, &got,
                           &error) < 0) {
        bool same = reason.ptr && slice_starts(error.message, reason);
        row_text(run, id_of(row), reason, same ? reason : error.message);
    } else {
        row_text(run, id_of(row), reason.ptr ? reason : text_of(row, "condition"), got);
    }
}

void run_if_conditions(struct file_run *run)
{
    run_cases(run, condition_row);
}

/* ---- editor-validation/validate.format-string.json ---- */

/* The editor finds at read time what the service finds when it evaluates: a bad format() fails. The
 * file is taken as one long scalar; what stands around the ${{ }} does not matter here. */
static void format_string_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    struct expr_scope scope = {0};
    struct template_eval t = {.arena = a, .scope = &scope};
    struct slice literal, got;
    struct token tok = {.kind = TOKEN_EXPR};
    struct expr_error error;
    struct err err = ERR_INIT;
    bool wanted = false, dynamic = false;
    const json_t *found = json_object_get(row, "diagnostics");

    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *d = json_array_get(found, i);

        wanted |= slice_find(text_of(d, "message"), SLICE("ormat string")) >= 0;
        dynamic |= slice_eq(text_of(d, "severity"), SLICE("warning"));
    }
    if (dynamic) {
        row_skip(run, id_of(row), "the format is not known before the run");
        return;
    }
    if (template_compile(a, text_of(row, "text"), NULL, &literal, &tok.text, &error) < 0 ||
        !tok.text.ptr) {
        row_fail(run, id_of(row), "does not compile");
        return;
    }
    int r = template_string(&t, &tok, &got, &err);
    bool failed = r < 0 && strstr(err.text, "format string");
    row_text(run, id_of(row), wanted ? SLICE("an error") : SLICE("no error"),
             failed   ? SLICE("an error")
             : r == 0 ? SLICE("no error")
                      : slice_of(err.text));
}

void run_format_strings(struct file_run *run)
{
    run_cases(run, format_string_row);
}

/* ---- editor-validation/validate.expressions.json ---- */

/* Which errors of expressions the editor shows, those of the service: names of functions and symbols.
 * Warnings are its own advice, and which contexts a place has is for the workflow's reader to say. */
static bool is_expression_error(const json_t *diagnostic)
{
    struct slice message = text_of(diagnostic, "message");

    return slice_eq(text_of(diagnostic, "severity"), SLICE("error")) &&
           (slice_starts(message, SLICE("Unrecognized function")) ||
            slice_starts(message, SLICE("Unexpected symbol")) ||
            slice_starts(message, SLICE("Unexpected end of expression")) ||
            slice_starts(message, SLICE("Too ")) || slice_starts(message, SLICE("Exceeded max")));
}

static void editor_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    struct slice literal, expr, wanted = SLICE("no error");
    struct expr_error error = {.message = SLICE_INIT("no error")};
    const json_t *found = json_object_get(row, "diagnostics");

    for (size_t i = json_array_size(found); i-- > 0;)
        if (is_expression_error(json_array_get(found, i)))
            wanted = text_of(json_array_get(found, i), "message");
    bool same = template_compile(a, text_of(row, "text"), NULL, &literal, &expr, &error) < 0
                    ? slice_starts(error.message, wanted)
                    : slice_eq(wanted, SLICE("no error"));
    row_text(run, id_of(row), wanted, same ? wanted : error.message);
}

void run_editor_expressions(struct file_run *run)
{
    run_cases(run, editor_row);
}

/* ---- runner-facts/template-evaluation.json ---- */

/* JSON as written in YAML: texts are compiled, mappings become mappings. */
static struct token *token_of(struct arena *a, const json_t *json)
{
    struct token *t = ARENA_NEW(a, struct token);
    struct expr_value v = expr_from_json(json);
    struct slice literal, expr;
    struct expr_error error;
    const char *key;
    json_t *value;

    if (json_is_object(json)) {
        t->kind = TOKEN_MAPPING;
        t->pairs = arena_array(a, json_object_size(json), sizeof *t->pairs);
        json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
            struct token *name = ARENA_NEW(a, struct token);

            name->text = slice_of(key);
            t->pairs[t->n_pairs++] = (struct token_pair){name, token_of(a, value)};
        }
        return t;
    }
    t->kind = v.kind == EXPR_BOOL     ? TOKEN_BOOL
              : v.kind == EXPR_NUMBER ? TOKEN_NUMBER
              : v.kind == EXPR_STRING ? TOKEN_STRING
                                      : TOKEN_NULL;
    if (t->kind == TOKEN_BOOL)
        t->boolean = v.boolean;
    else if (t->kind == TOKEN_NUMBER)
        t->number = v.number;
    else if (t->kind == TOKEN_STRING &&
             template_compile(a, v.text, NULL, &literal, &expr, &error) == ERR_OK) {
        t->kind = expr.ptr ? TOKEN_EXPR : TOKEN_STRING;
        t->text = expr.ptr ? expr : literal;
    }
    return t;
}

static void parse_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    const json_t *known = json_object_get(row, "known");
    const char **names = arena_array(a, json_array_size(known) + 1, sizeof *names);
    struct expr_place place = {.contexts = names};
    struct slice reason = text_of(row, "expect_error");
    const struct expr *e;
    struct expr_error error = {.message = SLICE_INIT("no error")};

    for (size_t i = 0; i < json_array_size(known); i++)
        names[i] = json_string_value(json_array_get(known, i));
    int r = expr_parse(a, text_of(row, "in"), &place, &e, &error);
    if (r < 0 ? reason.ptr && slice_starts(error.message, reason) : !reason.ptr)
        row_pass(run, id_of(row));
    else
        row_fail(run, id_of(row), "wanted '%.*s', got '%.*s'", SLICE_ARG(reason),
                 SLICE_ARG(error.message));
}

static void evaluation_row(struct file_run *run, const json_t *row)
{
    struct slice kind = text_of(row, "kind");
    struct arena *a = run_arena(run);

    if (slice_eq(kind, SLICE("parse"))) {
        parse_row(run, row);
        return;
    }
    if (!slice_eq(kind, SLICE("continue-on-error")) && !slice_eq(kind, SLICE("environment.url")) &&
        !slice_eq(kind, SLICE("input-default")) && !slice_eq(kind, SLICE("docker-env"))) {
        row_skip(run, id_of(row), "about containers, not about templates");
        return;
    }
    json_t *contexts = json_object(), *got;
    json_object_set(contexts, "inputs", json_object_get(row, "inputs"));
    struct json_scope source = {contexts};
    struct expr_scope scope = {.context = json_scope_find, .ctx = &source};
    struct template_eval t = {.arena = a, .scope = &scope};
    struct err err = ERR_INIT;

    if (template_json(&t, token_of(a, json_object_get(row, "in")), &got, &err) < 0) {
        row_fail(run, id_of(row), "%s", err.text);
    } else {
        struct expr_value x = expr_from_json(json_object_get(row, "expect"));
        struct expr_value y = expr_from_json(got);

        row_text(run, id_of(row), expr_json_line(a, &x), expr_json_line(a, &y));
        json_decref(got);
    }
    json_decref(contexts);
}

void run_template_evaluation(struct file_run *run)
{
    run_cases(run, evaluation_row);
}
