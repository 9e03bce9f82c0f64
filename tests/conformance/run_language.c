/* Rows of single rules of the language: scalars, ids, matrices. */
#include "conformance.h"

#include "lang/ids.h"
#include "lang/matrix.h"
#include "lang/yaml.h"

/* ---- language-facts/yaml-scalars.json ---- */

static const char *kind_name(enum token_kind kind)
{
    static const char *const names[TOKEN_KINDS] = {
        [TOKEN_STRING] = "string", [TOKEN_BOOL] = "boolean",      [TOKEN_NUMBER] = "number",
        [TOKEN_NULL] = "null",     [TOKEN_SEQUENCE] = "sequence", [TOKEN_MAPPING] = "mapping",
    };

    return names[kind];
}

static void scalar_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    struct slice text = text_of(row, json_object_get(row, "yaml") ? "yaml" : "scalar");
    struct diags diags = {.arena = a};
    struct token *got = NULL;
    const char *id = id_of(row);

    if (yaml_parse(a, text, NULL, 1, NULL, &got, &diags) < 0)
        row_text(run, id, text_of(row, "error"), diags.list.ptr[0].message);
    else if (!slice_eq(slice_of(kind_name(got->kind)), text_of(row, "type")))
        row_fail(run, id, "is a %s", kind_name(got->kind));
    else
        row_text(run, id, text_of(row, "as_string"), token_text(a, got));
    diags_deinit(&diags);
}

void run_yaml_scalars(struct file_run *run)
{
    run_cases(run, scalar_row);
}

/* ---- language-facts/id-builder.json ---- */

static void id_row(struct file_run *run, const json_t *row)
{
    const json_t *list = json_object_get(row, "segments");
    size_t n = json_array_size(list);
    struct slice *segments = arena_array(run_arena(run), n, sizeof *segments);
    struct ids ids = IDS_INIT;

    for (size_t i = 0; i < n; i++)
        segments[i] = slice_of(json_string_value(json_array_get(list, i)));
    row_text(run, id_of(row), text_of(row, "expect"),
             slice_of(ids_make(&ids, run_arena(run), segments, n, true)));
    ids_deinit(&ids);
}

void run_id_builder(struct file_run *run)
{
    run_cases(run, id_row);
}

/* ---- matrix/expansion.json ---- */

static json_t *config_form(struct arena *a, const char *job, const struct matrix_config *config)
{
    return json_pack("{s:O, s:s, s:s}", "matrix", config->matrix, "name",
                     matrix_job_name(a, NULL, false, job, config), "id", config->id);
}

static json_t *matrix_form(struct arena *a, const char *job, const struct matrix *m)
{
    json_t *configs = json_array();

    for (size_t i = 0; i < m->n_configs; i++)
        json_array_append_new(configs, config_form(a, job, &m->configs[i]));
    return json_pack("{s:o, s:f, s:b, s:f}", "configurations", configs, "job_total",
                     (double)m->n_configs, "fail_fast", m->fail_fast, "max_parallel",
                     (double)m->max_parallel);
}

static char *dump(struct arena *a, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY),
         *copy = arena_str(a, slice_of(text));

    free(text);
    return copy;
}

static void matrix_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    const char *job = json_string_value(json_object_get(row, "job"));
    const json_t *wanted = json_object_get(row, "expect");
    const json_t *errors = json_object_get(wanted, "errors");
    struct matrix m = {.n_configs = 0};
    struct err err = ERR_INIT;

    if (matrix_expand(json_object_get(row, "strategy"), job, &m, &err) < 0) {
        struct slice first = slice_of(json_string_value(json_array_get(errors, 0)));

        row_text(run, id_of(row), first, slice_of(err.text));
        return;
    }
    json_t *got = matrix_form(a, job, &m);
    /* the texts are compared, for the order of keys counts */
    row_text(run, id_of(row), slice_of(dump(a, wanted)), slice_of(dump(a, got)));
    json_decref(got);
    matrix_deinit(&m);
}

void run_matrix(struct file_run *run)
{
    run_cases(run, matrix_row);
}
