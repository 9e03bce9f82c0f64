/* Rows of expressions: whole evaluations, syntax verdicts, format strings, status functions. */
#include "values.h"

#include "lang/template.h"

/* A file of groups, each a list of rows. */
void run_expressions(struct file_run *run)
{
    const char *group;
    json_t *rows;

    json_object_foreach ((json_t *)(uintptr_t)run_json(run), group, rows) {
        for (size_t i = 0; i < json_array_size(rows); i++)
            row_expression(run, json_array_get(rows, i));
    }
}

void run_act_expressions(struct file_run *run)
{
    run_cases(run, row_expression);
}

/* ---- actionlint-facts/expression-syntax.json ---- */

static void syntax_row(struct file_run *run, const json_t *row)
{
    static const struct expr_place anything = {.special = EXPR_FN_ANY};
    struct slice verdict = text_of(row, "github_syntax"), reason = text_of(row, "github_error");
    double position = json_number_value(json_object_get(row, "position"));
    const struct expr *e = NULL;
    struct expr_error error = {.message = SLICE_INIT("")};
    const char *id = id_of(row);
    int r = expr_parse(run_arena(run), text_of(row, "expr"), &anything, &e, &error);

    struct slice got = r < 0              ? SLICE("reject")
                       : expr_is_empty(e) ? SLICE("accept-empty")
                                          : SLICE("accept");
    if (!slice_eq(verdict, got))
        row_fail(run, id, "wanted %.*s, got %.*s %.*s", SLICE_ARG(verdict), SLICE_ARG(got),
                 SLICE_ARG(error.message));
    else if (r < 0 && (!slice_starts(error.message, reason) ||
                       (position > 0 && error.position != (int)position)))
        row_fail(run, id, "wanted '%.*s' at %g, got '%.*s' at %d", SLICE_ARG(reason), position,
                 SLICE_ARG(error.message), error.position);
    else
        row_pass(run, id);
}

void run_expression_syntax(struct file_run *run)
{
    run_cases(run, syntax_row);
}

/* ---- actionlint-facts/format-placeholders.json ---- */

static void placeholder_row(struct file_run *run, const json_t *row)
{
    enum { ARGUMENTS = 60 };
    struct arena *a = run_arena(run);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    const json_t *github = json_object_get(row, "github");
    json_t *contexts = json_pack("{s:{s:O}}", "row", "format", json_object_get(row, "format"));
    struct slice wanted = text_of(github, "ok"), reason = text_of(github, "error");
    struct expr_value got;
    struct expr_error error;

    buf_add_str(&text, "format(row.format");
    for (int i = 0; i < ARGUMENTS; i++)
        buf_printf(&text, ", '<%d>'", i);
    buf_add_char(&text, ')');
    if (row_evaluate(a, buf_slice(&text), contexts, 0, &got, &error) == ERR_OK) {
        row_text(run, id_of(row), reason.ptr ? reason : wanted, expr_string(a, &got));
    } else {
        bool same = reason.ptr && slice_starts(error.message, reason);
        row_text(run, id_of(row), reason.ptr ? reason : wanted, same ? reason : error.message);
    }
    json_decref(contexts);
}

void run_format_placeholders(struct file_run *run)
{
    run_cases(run, placeholder_row);
}

/* ---- actionlint-facts/if-conditions.json ---- */

static void count_reference(void *ctx, const struct slice *path, size_t n_path, size_t offset)
{
    (void)path;
    (void)n_path;
    (void)offset;
    ++*(int *)ctx;
}

/* Suspicious: GitHub takes it, but it cannot be false, or never looks at anything. */
static void lint_condition_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    struct slice text = text_of(row, "if"), literal, compiled, condition;
    bool wanted = json_is_true(json_object_get(row, "suspicious"));
    const struct expr *e;
    struct expr_error error;
    int references = 0;

    if (template_condition(a, text, NULL, &condition, &error) < 0 ||
        template_compile(a, text, NULL, &literal, &compiled, &error) < 0 ||
        expr_parse(a, compiled.ptr ? compiled : text, NULL, &e, &error) < 0) {
        row_fail(run, id_of(row), "%.*s", SLICE_ARG(error.message));
        return;
    }
    expr_each_reference(e, count_reference, &references);
    bool mixed = compiled.ptr && slice_starts(compiled, SLICE("format('")) &&
                 slice_find(text, SLICE("format(")) < 0;
    bool suspicious = mixed || (references == 0 && !expr_has_status_call(e));
    row_text(run, id_of(row), wanted ? SLICE("suspicious") : SLICE("fine"),
             suspicious ? SLICE("suspicious") : SLICE("fine"));
}

void run_lint_conditions(struct file_run *run)
{
    run_cases(run, lint_condition_row);
}

/* ---- runner-facts/status-functions.json ---- */

struct status_case {
    struct slice job, action; /* ptr NULL: no result yet */
    bool composite;
};

/* runtime.md 3.3. */
static bool status_of(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    const struct status_case *c = ctx;
    struct slice status = c->composite ? c->action : c->job;

    (void)args;
    (void)n_args;
    if (slice_eq(name, SLICE("always")))
        return true;
    if (slice_eq(name, SLICE("cancelled")))
        return slice_eq(c->job, SLICE("cancelled"));
    if (slice_eq(name, SLICE("failure")))
        return slice_eq(status, SLICE("failure"));
    return !status.ptr || slice_eq(status, SLICE("success"));
}

static void status_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    struct status_case c = {
        .job = text_of(row, "job_status"),
        .action = text_of(row, "composite_main_action_status"),
        .composite = json_object_get(row, "composite_main_action_status") != NULL,
    };
    struct expr_scope scope = {.status = status_of, .ctx = &c};
    struct template_eval t = {.arena = a, .scope = &scope};
    struct err err = ERR_INIT;
    bool got, wanted = json_is_true(json_object_get(row, "expect"));

    if (template_test(&t, text_of(row, "expr"), &got, &err) < 0)
        row_fail(run, id_of(row), "%s", err.text);
    else
        row_text(run, id_of(row), wanted ? SLICE("true") : SLICE("false"),
                 got ? SLICE("true") : SLICE("false"));
}

void run_status_functions(struct file_run *run)
{
    run_cases(run, status_row);
}
