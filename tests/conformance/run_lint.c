/* Rows of another linter, actionlint: whole files, and where it finds something. Files it finds nothing in
 * must be free of errors here; each place of its findings must have one of ours in the same line. */
#include "conformance.h"

#include "base/path.h"
#include "io/zone.h"
#include "lang/check/check.h"

#include <fcntl.h>

/* Where we say nothing in that line on purpose: the file (the end of its path), a part of the other's row,
 * and why. */
#define ELSEWHERE "the same is found, at the place where GitHub reports it: "
#define MARKET                                                                                     \
    "the manifest's own check says it (`ostler check action.yml`): it is no reason not to run it"
#define REMOTE "the manifests of actions elsewhere are not looked up: that takes the network"
#define ABSENT "what the workflow names is not part of the data"
#define UNUSED "an anchor that nobody uses does no harm, and GitHub takes it"
static const struct {
    const char *file, *text, *reason;
} known[] = {
    {"", "pyflakes reported", "Python scripts are not looked at: that takes a program of its own"},
    {"", "is defined but not used", UNUSED},
    {"/case_sensitive_keys.yaml", "unexpected key \"SHELL\"",
     ELSEWHERE "the key around it is refused, and all that is in it"},
    {"/deprecated_action_inputs.yaml", "", REMOTE},
    {"/docker_specific_inputs_with_normal_action.yaml", "", REMOTE},
    {"/outputs_of_action_skipping_inputs_check.yaml", "", REMOTE},
    {"/deprecated_inputs.yaml", "", REMOTE},
    {"/popular_action_inputs.yaml", "", REMOTE},
    {"/popular_action_outputs.yaml", "", REMOTE},
    {"/main.yaml", "\"node_version\"", REMOTE},
    {"/action_metadata_syntax_validation.yaml", "", ABSENT},
    {"/local_action_outputs.yaml", "", ABSENT},
    {"/github_script_untrusted_input.yaml", "",
     ELSEWHERE "at the expression itself, further down in the script"},
    {"/invalid_image_version_event.yaml", "must be sequence node",
     "a filter may be one text: workflow-language.md 6.1"},
    {"/invalid_json_in_fromjson.yaml", "of type null",
     ELSEWHERE "the key `null`, which is an empty one"},
    {"/invalid_snapshot.yaml", "must have \"image-name\"",
     ELSEWHERE "the first key of the mapping"},
    {"/missing_required_keys.yaml", "\"runs-on\" section is missing",
     ELSEWHERE "the first key of the job"},
    {"/invalid_steps.yaml", "unexpected key \"run\"", ELSEWHERE "the later of the two keys"},
    {"/invalid_steps.yaml", "\"steps\" section is missing",
     ELSEWHERE "the empty value; a job without `steps` does nothing and is allowed"},
    {"/merge_key_unsupported.yaml", "\"<<\"",
     ELSEWHERE "what stands behind the alias is reported at its anchor"},
    {"/recursive_anchors.yaml", "", "what is no YAML is reported up to its first fault"},
    {"/yaml_anchor_usage.yaml", "", "what is no YAML is reported up to its first fault"},
    {"/reusable_workflow_empty_secrets.yaml", "",
     "a caller that says `secrets: inherit` also passes secrets that are not declared"},
    {"/workflow_call_secrets.yaml", "",
     "a caller that says `secrets: inherit` also passes secrets that are not declared"},
    {"/workflow_inputs_secrets_types.yaml", "\"credentials\"",
     "a caller that says `secrets: inherit` also passes secrets that are not declared"},
    {"/schedule_invalid_timezone.yaml", "\"UTC\"", "UTC is a name of the time zone data"},
    {"/workflow_call_event.yaml", "\"type\" is missing", ELSEWHERE "the first key of the input"},
    {"/workflow_call_input_type_check.out", "\"type\" is missing",
     ELSEWHERE "the first key of the input"},
    {"/workflow_call_input_type_check.out", "typed as string",
     "every scalar can be a text: null is the empty one"},
    {"/example_inputs_secrets_in_workflow_call.out", "typed as string",
     "every scalar can be a text: null is the empty one"},
    {"/workflow_dispatch_input_types.yaml", "", ELSEWHERE "the first key of the input"},
    {"/workflow_dispatch_more_than_25_inputs.yaml", "", ELSEWHERE "the first of the inputs"},
    {"/invalid_ids_in_needs.yaml", "job \"bar\" needs", ELSEWHERE "the need itself"},
    {"/nested_workflow_call.yaml", "must be rooted in '.github/workflows'",
     "GitHub finds called workflows nowhere else: workflow-language.md 12"},
    {"/workflow_call_job.yaml", "must be rooted in '.github/workflows'",
     "GitHub finds called workflows nowhere else: workflow-language.md 12"},
    {"/config_variables.out", "", "a list of the variables that are set is the other's own file"},
    {"/deprecated_inputs.out", "input6", MARKET},
    {"/local_action_invalid.out", "", MARKET},
    {"/local_action_invalid_runners.out", "node16", "GitHub runs such actions, on node20"},
    {"/local_action_invalid_runners.out", "node12", "GitHub runs such actions, on node20"},
};

static const char *known_reason(struct slice file, struct slice line)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_ends(file, slice_of(known[i].file)) &&
            slice_find(line, slice_of(known[i].text)) >= 0)
            return known[i].reason;
    return NULL;
}

/* ---- one file, checked ---- */

/* The repository that a file is checked in. */
struct repository {
    struct arena *arena;
    const char *root;
};

static bool read_file(void *ctx, const char *path, struct slice *ret)
{
    const struct repository *r = ctx;
    CLEANUP(free_ptr) char *full = path_join(r->root, path);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 22);
    struct err err = ERR_INIT;

    if (path_read(AT_FDCWD, full, &text, &err) < 0)
        return false;
    *ret = arena_dup(r->arena, buf_slice(&text));
    return true;
}

static bool has_zone(void *ctx, const char *name)
{
    struct repository *r = ctx;
    struct zone_offset *offsets;
    struct err err = ERR_INIT;
    size_t n;

    return zone_load(r->arena, name, 0, 1, NULL, &offsets, &n, &err) == ERR_OK;
}

static void check_file(struct repository *r, const char *name, struct slice text,
                       struct diags *diags)
{
    struct check_options options = {.read = read_file, .zone = has_zone, .ctx = r};

    diags->arena = r->arena;
    check_workflow(text, name, &options, diags);
}

static bool has_finding(const struct diags *diags, int line)
{
    VEC_EACH (d, &diags->list)
        if (d->line == line)
            return true;
    return false;
}

/* ---- files without findings ---- */

static void expect_nothing(struct file_run *run, const struct diags *diags)
{
    VEC_EACH (d, &diags->list) {
        const char *reason = known_reason(slice_of(run_path(run)), d->message);

        if (d->level != DIAG_ERROR)
            continue;
        if (reason)
            row_differs(run, "refused", reason);
        else
            row_fail(run, "refused", "%d:%d: %.*s", d->line, d->col, SLICE_ARG(d->message));
        return;
    }
    row_pass(run, "accepted");
}

/* ---- files with findings ---- */

/* A number and the ':' behind it, taken off the front of *REST; -1: there is none. */
static int take_number(struct slice *rest)
{
    int n = 0;
    size_t i = 0;

    while (i < rest->len && i < 6 && rest->ptr[i] >= '0' && rest->ptr[i] <= '9')
        n = n * 10 + (rest->ptr[i++] - '0');
    if (i == 0 || i >= rest->len || rest->ptr[i] != ':')
        return -1;
    *rest = slice_from(*rest, i + 1);
    return n;
}

/* "FILE:LINE:COL: text [rule]", or the same as a pattern between slashes. False: it names no place. */
static bool split_row(struct arena *a, struct slice row, struct slice *ret_file, int *ret_line,
                      struct slice *ret_text)
{
    ssize_t end = slice_find(row, SLICE("ml:"));
    struct slice path = slice_head(row, end < 0 ? 0 : (size_t)end + 2);
    char *plain = arena_alloc(a, path.len + 1);
    size_t n = 0;

    if (end < 0)
        return false;
    for (size_t i = path.ptr[0] == '/'; i < path.len; i++)
        if (path.ptr[i] != '\\')
            plain[n++] = path.ptr[i];
    *ret_file = slice_make(plain, n);
    struct slice rest = slice_from(row, (size_t)end + 3);
    *ret_line = take_number(&rest);
    *ret_text = rest;
    return *ret_line >= 0 && take_number(ret_text) >= 0;
}

static void one_row(struct file_run *run, struct slice file, struct slice row, int line,
                    const struct diags *diags)
{
    struct slice shown = slice_head(row, 120);
    char *id = arena_printf(run_arena(run), "%.*s", SLICE_ARG(shown));
    const char *reason = known_reason(file, row);

    if (has_finding(diags, line ? line : 1) || (line == 0 && diags->n_errors))
        row_pass(run, id);
    else if (reason)
        row_differs(run, id, reason);
    else
        row_fail(run, id, "nothing is found in line %d", line);
}

static void expect_rows(struct file_run *run, struct slice file, struct slice rows,
                        const struct diags *diags)
{
    struct slice row, ignored, text;
    int line;

    while (slice_line(&rows, &row)) {
        if (split_row(run_arena(run), row, &ignored, &line, &text))
            one_row(run, file, row, line, diags);
        else if (row.len)
            row_skip(run, "prose", "the row names no place");
    }
}

/* ---- actionlint/{ok,err,examples}/NAME.yaml ---- */

static char *sibling(struct file_run *run, const char *suffix)
{
    struct slice path = slice_of(run_path(run));

    return arena_printf(run_arena(run), "%.*s%s", (int)(path.len - strlen(".yaml")), path.ptr,
                        suffix);
}

void run_lint(struct file_run *run)
{
    CLEANUP(diags_deinit) struct diags diags = {0};
    CLEANUP(buf_deinit) struct buf rows = BUF_INIT(1 << 20);
    struct repository r = {run_arena(run), "/nowhere"};
    struct err err = ERR_INIT;
    struct slice text, path = slice_of(run_path(run));

    if (!run_text(run, &text))
        return;
    if (path_read(AT_FDCWD, sibling(run, ".out"), &rows, &err) < 0)
        buf_clear(&rows);
    check_file(&r, "test.yaml", text, &diags);
    if (slice_find(path, SLICE("/ok/")) >= 0)
        expect_nothing(run, &diags);
    else
        expect_rows(run, path, buf_slice(&rows), &diags);
}

/* ---- actionlint/projects/NAME.out, with NAME/workflows/... beside it ---- */

/* The rows of FILE among all of them. */
static void project_file(struct file_run *run, struct repository *r, struct slice file,
                         struct slice rows)
{
    CLEANUP(diags_deinit) struct diags diags = {0};
    char *name = arena_str(r->arena, file);
    struct slice text, row, of, ignored;
    int line;

    if (!read_file(r, name, &text)) {
        row_fail(run, name, "there is no such file");
        return;
    }
    check_file(r, name, text, &diags);
    while (slice_line(&rows, &row))
        if (split_row(run_arena(run), row, &of, &line, &ignored) && slice_eq(of, file))
            one_row(run, slice_of(run_path(run)), row, line, &diags);
}

void run_lint_project(struct file_run *run)
{
    struct slice path = slice_of(run_path(run)), all, rows, row, file, seen = SLICE(""), ignored;
    struct repository r = {run_arena(run),
                           arena_printf(run_arena(run), "%.*s", (int)(path.len - 4), path.ptr)};
    int line;

    if (!run_text(run, &all))
        return;
    for (rows = all; slice_line(&rows, &row);) {
        if (!split_row(run_arena(run), row, &file, &line, &ignored) || slice_eq(file, seen))
            continue;
        seen = file; /* they are sorted by file */
        project_file(run, &r, file, all);
    }
}
