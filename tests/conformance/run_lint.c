/* Rows of another linter, actionlint: whole files, and where it finds something. Files it finds nothing in
 * must be read here, and be free of errors; each place of its findings must have one of ours in the same
 * line. */
#include "conformance.h"

#include "base/path.h"
#include "io/zone.h"
#include "lang/check/check.h"
#include "lang/workflow/workflow.h"

#include <fcntl.h>

/* Where GitHub, and we, report the same elsewhere: a part of the other's row, a part of our finding, and how
 * many lines away from the row it may stand at most. It has to be there. */
static const struct {
    const char *theirs, *ours, *where;
    int above, below;
} moved[] = {
    {"section is missing in job", "Required property is missing", "at the job's first key", 0, 3},
    {"section is missing in job", "Unexpected value ''", "at the empty value", 0, 3},
    {"section must have \"", "Required property is missing", "at the mapping's first key", 0, 3},
    {"\"type\" is missing at", "Required property is missing", "at the input's first key", 0, 3},
    {"\"options\" is not set", "Missing 'options'", "at the input's first key", 0, 3},
    {"\"options\" section should not be empty", "Missing 'options'", "at the input's first key", 3,
     0},
    {"\"options\" can not be set", "'options' is defined", "at the input's first key", 0, 3},
    {"maximum number of inputs", "you may only define up to", "at the first of the inputs", 0, 5},
    {"unexpected key \"", "Unexpected value '", "at the key around it, or the later of two keys", 3,
     3},
    {"null values should not be evaluated", "Unexpected value ''",
     "at the key `null`, an empty one", 20, 0},
    {"which does not exist in this workflow", "depends on unknown job", "at the need itself", 0, 9},
    {"which does not exist in this workflow", "there is no job '", "at the need itself", 0, 9},
    {"is potentially untrusted", "anybody can write", "at the expression itself, further down", 0,
     9},
    {"YAML merge key \"<<\"", "Unexpected value", "at the anchor of what stands behind it", 30, 30},
    {"null values should not be evaluated", "An expression was expected", "at the empty value", 0,
     2},
    {"null values should not be evaluated", "Unexpected value", "at the empty key or value", 9, 9},
};

/* Where we say nothing on purpose: the file (the end of its path; "": any), a part of the other's row, and
 * why. */
#define REMOTE "the manifests of actions elsewhere are not looked up: that takes the network"
#define ABSENT "what the workflow names is not part of the data"
#define FAULT "what is no YAML is reported up to its first fault"
#define PLACE "GitHub finds called workflows nowhere else: workflow-language.md 12"
static const struct {
    const char *file, *text, *reason;
} known[] = {
    {"", "pyflakes reported", "Python scripts are not looked at: that takes a program of its own"},
    {"", "shellcheck reported",
     "what shellcheck says `ostler check` gets from that program: tests/e2e asks for it"},
    {"", "undefined configuration variable",
     "a list of the variables that are set is the other's own file"},
    {"", "invalid timezone \"UTC\"", "UTC is a name of the time zone data"},
    {"", "must be rooted in '.github/workflows'", PLACE},
    {"", "\"deprecationMessage\" is empty",
     "the manifest's own check says it (`ostler check action.yml`)"},
    {"", "\"names\" section must be sequence node",
     "a filter may be one text: workflow-language.md 6.1"},
    {"", "(\\\\\\\\|/)my-invalid-action", ABSENT},
    {"/action_metadata_syntax_validation.yaml", "", ABSENT},
    {"/local_action_outputs.yaml", "some-value", ABSENT},
    {"/outputs_of_action_skipping_inputs_check.yaml", "this_output_does_not_exist", REMOTE},
    {"/popular_action_outputs.yaml", "cache_hit", REMOTE},
    {"/deprecated_inputs.out", "deprecated input \"input6\"",
     "its message is empty, and GitHub says nothing then"},
    {"/recursive_anchors.yaml", "", FAULT},
    {"/yaml_anchor_usage.yaml", "", FAULT},
    {"/reusable_workflow_empty_secrets.yaml", "calling_workflow_secret",
     "the empty `secrets` is refused, so nothing is known of what a caller gives"},
    {"/workflow_call_input_type_check.out", "typed as string",
     "the call is refused for its path, so its values are not looked at"},
};

/* An action of another repository: 'in action "owner/name@ref"', 'by action "owner/name@ref"'. */
static bool is_remote(struct slice row)
{
    ssize_t at = slice_find(row, SLICE("action \""));
    struct slice name = slice_from(row, at < 0 ? row.len : (size_t)at + strlen("action \""));
    ssize_t end = slice_find_char(name, '"');

    name = slice_head(name, end < 0 ? 0 : (size_t)end);
    return slice_find_char(name, '/') > 0 && slice_find_char(name, '@') > 0;
}

static const char *known_reason(struct slice file, struct slice line)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_ends(file, slice_of(known[i].file)) &&
            slice_find(line, slice_of(known[i].text)) >= 0)
            return known[i].reason;
    return is_remote(line) ? REMOTE : NULL;
}

static const char *moved_reason(struct arena *a, struct slice row, int line,
                                const struct diags *diags)
{
    for (size_t i = 0; i < COUNT_OF(moved); i++) {
        if (slice_find(row, slice_of(moved[i].theirs)) < 0)
            continue;
        VEC_EACH (d, &diags->list)
            if (d->line >= line - moved[i].above && d->line <= line + moved[i].below &&
                slice_find(d->message, slice_of(moved[i].ours)) >= 0)
                return arena_printf(a, "the same is found where GitHub reports it, %s",
                                    moved[i].where);
    }
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

/* What GitHub's own parser asks. */
static void expect_reading(struct file_run *run, struct slice text)
{
    const struct workflow_options reading = {.reader_only = true};
    CLEANUP(diags_deinit) struct diags diags = {.arena = run_arena(run)};
    CLEANUP(workflow_deinit) struct workflow w;

    workflow_init(&w);
    if (workflow_parse_as(&w, text, "test.yaml", &reading, &diags) == ERR_OK)
        row_pass(run, "read");
    else
        row_fail(run, "read", "refused: %s", diag_text(run_arena(run), &diags.list.ptr[0]));
}

static void expect_nothing(struct file_run *run, const struct diags *diags)
{
    VEC_EACH (d, &diags->list) {
        const char *reason = known_reason(slice_of(run_path(run)), d->message);

        if (d->level != DIAG_ERROR)
            continue;
        if (reason)
            row_differs(run, "checked", reason);
        else
            row_fail(run, "checked", "%d:%d: %.*s", d->line, d->col, SLICE_ARG(d->message));
        return;
    }
    row_pass(run, "checked");
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
    const char *reason = moved_reason(run_arena(run), row, line, diags);

    if (!reason)
        reason = known_reason(file, row);
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
    if (slice_find(path, SLICE("/ok/")) >= 0) {
        expect_reading(run, text);
        expect_nothing(run, &diags);
    } else {
        expect_rows(run, path, buf_slice(&rows), &diags);
    }
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
