#include "conformance.h"

#include "base/path.h"
#include "base/vec.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>

enum { FILE_SIZE_MAX = 64 * 1024 * 1024 };

/* Which files go to which runner; the first line that fits. "*" stops at a "/". */
static const struct {
    const char *files;
    runner_fn *run;
} runners[] = {
    {"expressions/*.json", run_expressions},
    {"interpolation/values.json", run_interpolation},
    {"interpolation/if-conditions.json", run_if_conditions},
    {"act-facts/expressions.json", run_act_expressions},
    {"act-facts/hash-files.json", run_hash_files},
    {"action-manifests/EXPECTED.json", run_manifests},
    {"actionlint/ok/*.yaml", run_lint},
    {"actionlint/err/*.yaml", run_lint},
    {"actionlint/examples/*.yaml", run_lint},
    {"actionlint/projects/*.out", run_lint_project},
    {"actionlint-facts/expression-syntax.json", run_expression_syntax},
    {"actionlint-facts/format-placeholders.json", run_format_placeholders},
    {"actionlint-facts/if-conditions.json", run_lint_conditions},
    {"editor-validation/validate.expressions.json", run_editor_expressions},
    {"editor-validation/validate.format-string.json", run_format_strings},
    {"editor-validation/validate*.json", run_editor},
    {"actionlint/github-editor-verdict.json", run_editor_verdict},
    {"language-facts/cron.json", run_cron},
    {"language-facts/id-builder.json", run_id_builder},
    {"language-facts/yaml-scalars.json", run_yaml_scalars},
    {"matrix/*.json", run_matrix},
    {"parser-cases/action-parser.json", run_action_cases},
    {"parser-cases/convert.json", run_parser_cases},
    {"parser-cases/expressions.json", run_parser_cases},
    {"parser-cases/index.json", run_parser_cases},
    {"parser-cases/workflow-parser.json", run_parser_cases},
    {"patterns/glob-matching.json", run_glob_matching},
    {"patterns/act-filters.json", run_act_filters},
    {"patterns/triggers.json", run_triggers},
    {"runner-facts/annotation-lines.json", run_annotation_lines},
    {"runner-facts/command-manager.json", run_command_manager},
    {"runner-facts/command-parse.json", run_command_parse},
    {"runner-facts/composite-markers.json", run_composite_markers},
    {"runner-facts/execution-context.json", run_execution_context},
    {"runner-facts/file-command-*.json", run_file_commands},
    {"runner-facts/output-processing.json", run_output_processing},
    {"runner-facts/problem-matchers.json", run_problem_matchers},
    {"runner-facts/result-merge.json", run_result_merge},
    {"runner-facts/secret-masking.json", run_masking},
    {"runner-facts/status-functions.json", run_status_functions},
    {"runner-facts/step-summary.json", run_step_summary},
    {"runner-facts/template-evaluation.json", run_template_evaluation},
    {"workflow-reader/*.yml", run_workflow_reader},
};

struct totals {
    size_t passed, failed, different, skipped;
};

struct file_run {
    const char *folder, *name; /* NAME below FOLDER */
    char *path;
    struct arena arena;
    json_t *json;
    struct buf text;
    struct totals totals;
};

/* ---- what runners use ---- */

const char *run_path(const struct file_run *run)
{
    return run->path;
}

const char *run_folder(const struct file_run *run)
{
    return run->folder;
}

struct arena *run_arena(struct file_run *run)
{
    return &run->arena;
}

const json_t *run_json(struct file_run *run)
{
    json_error_t error;

    if (run->json)
        return run->json;
    run->json = json_load_file(run->path,
                               JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (!run->json)
        row_fail(run, "(file)", "line %d, column %d: %s", error.line, error.column, error.text);
    return run->json;
}

bool run_text(struct file_run *run, struct slice *ret)
{
    struct err err = ERR_INIT;

    if (path_read(AT_FDCWD, run->path, &run->text, &err) < 0) {
        row_fail(run, "(file)", "%s", err.text);
        return false;
    }
    *ret = buf_slice(&run->text);
    return true;
}

void run_cases(struct file_run *run, void (*fn)(struct file_run *run, const json_t *row))
{
    const json_t *list = json_object_get(run_json(run), "cases");

    for (size_t i = 0; i < json_array_size(list); i++)
        fn(run, json_array_get(list, i));
}

void row_pass(struct file_run *run, const char *id)
{
    (void)id;
    run->totals.passed++;
}

void row_fail(struct file_run *run, const char *id, const char *fmt, ...)
{
    va_list ap;

    run->totals.failed++;
    printf("FAIL %s: %s: ", run->name, id);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void row_differs(struct file_run *run, const char *id, const char *reason)
{
    run->totals.different++;
    printf("differs %s: %s: %s\n", run->name, id, reason);
}

void row_skip(struct file_run *run, const char *id, const char *why)
{
    (void)id;
    (void)why;
    run->totals.skipped++;
}

void row_text(struct file_run *run, const char *id, struct slice wanted, struct slice got)
{
    if (slice_eq(wanted, got))
        row_pass(run, id);
    else
        row_fail(run, id, "wanted '%.*s', got '%.*s'", SLICE_ARG(wanted), SLICE_ARG(got));
}

struct slice text_of(const json_t *object, const char *name)
{
    const json_t *s = json_object_get(object, name);

    return slice_make(json_string_value(s), json_string_length(s));
}

const char *id_of(const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "id"));

    return id ? id : "(no id)";
}

/* ---- files ---- */

static void file_run_deinit(struct file_run *run)
{
    free(run->path);
    json_decref(run->json);
    arena_deinit(&run->arena);
    buf_deinit(&run->text);
}

static runner_fn *find_runner(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(runners); i++)
        if (fnmatch(runners[i].files, name, FNM_PATHNAME) == 0)
            return runners[i].run;
    return NULL;
}

static void add_totals(struct totals *to, const struct totals *t)
{
    to->passed += t->passed;
    to->failed += t->failed;
    to->different += t->different;
    to->skipped += t->skipped;
}

static void print_totals(const char *name, const struct totals *t)
{
    printf("%-52s %5zu passed", name, t->passed);
    if (t->failed)
        printf(", %zu failed", t->failed);
    if (t->different)
        printf(", %zu known different", t->different);
    if (t->skipped)
        printf(", %zu not for us", t->skipped);
    putchar('\n');
}

static void run_file(const char *folder, const char *name, struct totals *totals)
{
    runner_fn *fn = find_runner(name);

    if (!fn)
        return;
    CLEANUP(file_run_deinit)
    struct file_run run = {.folder = folder,
                           .name = name,
                           .path = path_join(folder, name),
                           .text = BUF_INIT(FILE_SIZE_MAX)};
    fn(&run);
    print_totals(name, &run.totals);
    add_totals(totals, &run.totals);
}

struct names {
    VEC(char *) list;
};

static void names_deinit(struct names *n)
{
    VEC_EACH (name, &n->list)
        free(*name);
    vec_deinit(&n->list);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What came of each folder, for the table at the end. */
static struct folder {
    char name[40];
    struct totals totals;
} folders[32];
static size_t n_folders;

static void count_folder(const char *name, const struct totals *before, const struct totals *after)
{
    struct folder *f = &folders[n_folders];

    if (n_folders == COUNT_OF(folders))
        return;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->totals = (struct totals){
        after->passed - before->passed,
        after->failed - before->failed,
        after->different - before->different,
        after->skipped - before->skipped,
    };
    n_folders += f->totals.passed + f->totals.failed + f->totals.different > 0;
}

static void print_folders(void)
{
    printf("\n%-24s %8s %8s %16s %12s\n", "folder", "passed", "failed", "known different",
           "not for us");
    for (size_t i = 0; i < n_folders; i++) {
        const struct totals *t = &folders[i].totals;

        printf("%-24s %8zu %8zu %16zu %12zu\n", folders[i].name, t->passed, t->failed, t->different,
               t->skipped);
    }
    putchar('\n');
}

/* Every file below FOLDER/BELOW, in order. */
static void walk(const char *folder, const char *below, struct totals *totals)
{
    CLEANUP(free_ptr) char *path = path_join(folder, below);
    CLEANUP(names_deinit) struct names names = {0};
    DIR *dir = opendir(path);

    if (!dir) {
        run_file(folder, below, totals);
        return;
    }
    for (struct dirent *d; (d = readdir(dir));)
        if (d->d_name[0] != '.')
            vec_push(&names.list,
                     *below ? path_join(below, d->d_name) : mem_dup(d->d_name, strlen(d->d_name)));
    closedir(dir);
    if (names.list.len)
        qsort(names.list.ptr, names.list.len, sizeof *names.list.ptr, by_name);
    VEC_EACH (name, &names.list) {
        struct totals before = *totals;

        walk(folder, *name, totals);
        if (!*below)
            count_folder(*name, &before, totals);
    }
}

int main(int argc, char **argv)
{
    struct totals totals = {0};
    const char *folder = argc == 2 ? argv[1] : NULL, *below = "";
    DIR *dir = folder ? opendir(folder) : NULL;

    if (!folder) {
        fprintf(stderr, "usage: conformance DIR (a folder of conformance data)\n");
        return 2;
    }
    if (!dir) {
        /* The other tables there have forms of their own, for the unit tests. */
        folder = OSTLER_SOURCE_DIR "/tests/data";
        below = "expressions";
        printf("there is no folder '%s': running the project's own tables\n", argv[1]);
    } else {
        closedir(dir);
    }
    walk(folder, below, &totals);
    print_folders();
    print_totals("all", &totals);
    printf("%zu passed, %zu failed\n", totals.passed, totals.failed);
    return totals.failed || totals.passed == 0 ? 1 : 0;
}
