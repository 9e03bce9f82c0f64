#include "lang/matrix.h"

#include "base/buf.h"
#include "kit/effort.h"

#include <criterion/criterion.h>

/* ---- the table ---- */

/* "ID (SUFFIX): MATRIX" */
static char *config_text(const struct matrix_config *config)
{
    CLEANUP(free_ptr) char *matrix = json_dumps(config->matrix, JSON_COMPACT | JSON_ENCODE_ANY);
    struct buf out = BUF_INIT(1 << 16);

    buf_add_str(&out, config->id);
    if (*config->suffix)
        buf_printf(&out, " (%s)", config->suffix);
    buf_printf(&out, ": %s", matrix);
    return buf_take(&out);
}

static bool config_is(const struct matrix_config *config, const char *wanted)
{
    CLEANUP(free_ptr) char *got = config_text(config);

    if (wanted && strcmp(got, wanted) == 0)
        return true;
    cr_log_error("wanted %s\n   got %s", wanted ? wanted : "no more", got);
    return false;
}

static bool matrix_is(const struct matrix *m, const json_t *row)
{
    const json_t *list = json_object_get(row, "is"), *fast = json_object_get(row, "fail_fast");
    const json_t *parallel = json_object_get(row, "max_parallel");
    bool good = !list || json_array_size(list) == m->n_configs;

    for (size_t i = 0; list && i < m->n_configs; i++)
        good &= config_is(&m->configs[i], json_string_value(json_array_get(list, i)));
    good &= m->fail_fast == (!fast || json_is_true(fast));
    good &= m->max_parallel == (parallel ? (int)json_integer_value(parallel) : (int)m->n_configs);
    return good;
}

static bool row_is_good(const json_t *row)
{
    const char *error = json_string_value(json_object_get(row, "error"));
    struct err err = ERR_INIT;
    struct matrix m;

    if (matrix_expand(json_object_get(row, "strategy"), "build", &m, &err) < 0)
        return error && strcmp(error, err.text) == 0;
    bool good = !error && matrix_is(&m, row);
    matrix_deinit(&m);
    return good;
}

Test(matrix, expands_as_github_does)
{
    json_error_t error;
    json_t *file = json_load_file(OSTLER_SOURCE_DIR "/tests/data/matrix/expansion.json", 0, &error);
    const json_t *rows = json_object_get(file, "cases");
    size_t n_failed = 0;

    cr_assert(file, "%d: %s", error.line, error.text);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (row_is_good(row))
            continue;
        cr_log_error("row '%s'", json_string_value(json_object_get(row, "id")));
        n_failed++;
    }
    cr_assert(json_array_size(rows) > 0);
    json_decref(file);
    cr_assert_eq(n_failed, 0);
}

/* ---- limits ---- */

/* {"matrix": {"a": [0..n), "b": [0..n) ...}} */
static json_t *square(size_t n_vectors, size_t n)
{
    json_t *matrix = json_object();

    for (size_t i = 0; i < n_vectors; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        json_t *vector = json_array();

        for (size_t k = 0; k < n; k++)
            json_array_append_new(vector, json_integer((json_int_t)k));
        json_object_set_new(matrix, name, vector);
    }
    return json_pack("{s:o}", "matrix", matrix);
}

static void refuses(json_t *strategy, const char *wanted)
{
    struct err err = ERR_INIT;
    struct matrix m;

    cr_assert_eq(matrix_expand(strategy, "build", &m, &err), ERR_LIMIT);
    cr_assert_str_eq(err.text, wanted);
    json_decref(strategy);
}

Test(matrix, makes_256_configurations_and_not_one_more)
{
    json_t *full = square(2, 16);
    struct err err = ERR_INIT;
    struct matrix m;

    cr_assert_eq(matrix_expand(full, "build", &m, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(m.n_configs, 256u);
    matrix_deinit(&m);
    json_decref(full);
    refuses(square(1, 257), "Strategy for job 'build' produced 257 configurations which exceeds "
                            "the maximum of 256 configurations");
}

Test(matrix, a_huge_product_is_refused_before_it_is_made)
{
    int64_t begin = effort_ms();

    refuses(square(5, 100), "Strategy for job 'build' produced 10000000000 configurations which "
                            "exceeds the maximum of 256 configurations");
    cr_assert_lt(effort_ms() - begin, 1000);
}

/* ---- names ---- */

Test(matrix, names_show_the_values_unless_an_expression_made_them)
{
    struct arena a = ARENA_INIT;
    struct matrix_config plain = {.suffix = "", .id = "job"},
                         config = {.suffix = "1, x", .id = "_1_x"};

    cr_assert_str_eq(matrix_job_name(&a, NULL, false, "build", &plain), "build");
    cr_assert_str_eq(matrix_job_name(&a, NULL, false, "build", &config), "build (1, x)");
    cr_assert_str_eq(matrix_job_name(&a, "Name", false, "build", &config), "Name (1, x)");
    cr_assert_str_eq(matrix_job_name(&a, "Name 1", true, "build", &config), "Name 1");
    cr_assert_str_eq(matrix_job_name(&a, "", true, "build", &config), "build (1, x)");
    arena_deinit(&a);
}

Test(matrix, long_names_are_cut_to_a_hundred_characters)
{
    struct arena a = ARENA_INIT;
    char name[200];
    struct matrix_config plain = {.suffix = "", .id = "job"};

    memset(name, 'x', sizeof name);
    name[100] = '\0';
    cr_assert_str_eq(matrix_job_name(&a, name, false, "build", &plain), name);
    name[100] = 'x';
    name[101] = '\0';
    cr_assert_eq(strlen(matrix_job_name(&a, name, false, "build", &plain)), 100u);
    cr_assert_str_eq(matrix_job_name(&a, name, false, "build", &plain) + 96, "x...");
    arena_deinit(&a);
}
