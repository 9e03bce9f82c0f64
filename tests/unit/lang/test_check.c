#include "cases.h"

#include "lang/check/check.h"

#include "base/buf.h"

#include <criterion/criterion.h>

/* The other files of the repository. */
static const struct {
    const char *path, *text;
} files[] = {
    {".github/actions/greet/action.yml", "name: greet\n"
                                         "description: d\n"
                                         "inputs:\n"
                                         "  who: {description: w, required: true}\n"
                                         "  tone: {description: t, default: soft}\n"
                                         "  loud: {description: l, deprecationMessage: use tone}\n"
                                         "outputs:\n"
                                         "  said: {description: s, value: '${{ inputs.who }}'}\n"
                                         "runs:\n"
                                         "  using: composite\n"
                                         "  steps: [{run: echo, shell: bash}]\n"},
    {".github/actions/broken/action.yaml", "name: broken\ndescription: d\nruns: {using: nod20}\n"},
    {".github/workflows/called.yml", "on:\n"
                                     "  workflow_call:\n"
                                     "    inputs:\n"
                                     "      size: {type: number, required: true}\n"
                                     "    secrets:\n"
                                     "      token: {required: true}\n"
                                     "    outputs:\n"
                                     "      url: {value: x}\n"
                                     "jobs:\n"
                                     "  a: {runs-on: x, steps: [{run: echo}]}\n"},
    {".github/workflows/outer.yml", "on: workflow_call\n"
                                    "jobs:\n"
                                    "  in:\n"
                                    "    uses: ./.github/workflows/inner.yml\n"},
    {".github/workflows/inner.yml", "on: workflow_call\n"
                                    "jobs:\n"
                                    "  a: {runs-on: x, permissions: {contents: write}}\n"},
    {".github/workflows/self.yml", "on: workflow_call\n"
                                   "jobs: {again: {uses: ./.github/workflows/self.yml}}\n"},
    {".github/workflows/around.yml", "on: workflow_call\n"
                                     "jobs: {again: {uses: ./.github/workflows/ci.yml}}\n"},
    {".github/workflows/ci.yml", "on: [push, workflow_call]\n"
                                 "jobs: {a: {uses: ./.github/workflows/around.yml}}\n"},
    {".github/workflows/torn.yml", "on: workflow_call\njobs: {a: {runs-onn: x}}\n"},
    {".github/workflows/text.yml",
     "on:\n"
     "  workflow_call:\n"
     "    inputs: {a: &s {type: string}, b: *s, c: *s, d: *s, e: *s}\n"
     "jobs: {a: {runs-on: x}}\n"},
    {".github/actions/odd/action.yml", "name: odd\ndescription: d\n"
                                       "inputs: {a: {requird: true}}\n"
                                       "runs: {using: node20, main: x.js}\n"},
    {".github/actions/old/action.yml", "name: old\ndescription: d\n"
                                       "runs: {using: node16, main: x.js}\n"},
    {".github/actions/docker/Dockerfile", "FROM scratch\n"},
    {".github/workflows/plain.yml", "on: push\njobs: {a: {runs-on: x, steps: [{run: echo}]}}\n"},
};

static bool read_file(void *ctx, const char *path, struct slice *ret)
{
    (void)ctx;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (strcmp(path, files[i].path) == 0) {
            *ret = slice_of(files[i].text);
            return true;
        }
    return false;
}

/* What plugins serve. */
static bool serve(void *ctx, const char *uses, struct slice *ret)
{
    static const char manifest[] =
        "name: lint\ndescription: d\ninputs:\n  paths: {description: p, required: true}\n"
        "  fix: {description: f, default: 'false'}\n  old: {description: o, deprecationMessage: "
        "use fix}\n"
        "outputs:\n  errors: {description: n}\nruns: {using: ostler/1, main: lint.so}\n";

    (void)ctx;
    *ret = slice_of(manifest);
    return strcmp(uses, "ostler/lint@v1") == 0 || strcmp(uses, "actions/setup-node@v4") == 0;
}

/* What the disk has of other repositories. */
static const char *find_stored(void *ctx, const char *uses, struct slice *ret)
{
    (void)ctx;
    *ret = SLICE("name: n\ndescription: d\ninputs: {who: {required: true}}\n"
                 "runs: {using: node16, main: x.js}\n");
    return strcmp(uses, "disk/known@v1") == 0 ? "0123456789012345678901234567890123456789" : NULL;
}

static bool has_zone(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "Europe/Berlin") == 0;
}

/* Severity and rule of each finding. */
static struct slice rules_text(struct arena *a, const struct diags *diags)
{
    static const char *const levels[] = {"error", "warning", "info"};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);

    VEC_EACH (d, &diags->list)
        buf_printf(&out, "%s%s %s", out.len ? "\n" : "", levels[d->level],
                   d->rule ? d->rule : "language");
    return arena_dup(a, buf_slice(&out));
}

static struct slice look(struct arena *a, struct slice document, struct diags *diags)
{
    struct check_options options = {
        .read = read_file, .zone = has_zone, .served = serve, .stored = find_stored};

    check_workflow(document, "ci.yml", &options, diags);
    return rules_text(a, diags);
}

static struct slice look_at_manifest(struct arena *a, struct slice document, struct diags *diags)
{
    struct check_options options = {.read = read_file};

    check_manifest(document, "action.yml", &options, diags);
    return rules_text(a, diags);
}

Test(check, names_that_are_never_there)
{
    each_case("check", "names", look);
}

Test(check, types_and_conditions_that_can_not_be_meant)
{
    each_case("check", "types", look);
}

Test(check, scripts_that_strangers_write_to)
{
    each_case("check", "injection", look);
}

Test(check, actions_and_called_workflows)
{
    each_case("check", "uses", look);
}

Test(check, values_that_start_nothing)
{
    each_case("check", "values", look);
}

Test(check, everything_at_once_and_in_order)
{
    each_case("check", "all", look);
}

Test(check, manifests)
{
    each_case("check", "manifests", look_at_manifest);
}

/* ---- what is called ---- */

static void take_call(void *ctx, const char *path, int line, int col)
{
    buf_printf(ctx, "call %d:%d %s\n", line, col, path);
}

static void take_elsewhere(void *ctx, const struct diag *d)
{
    buf_printf(ctx, "%s:%d:%d: %.*s\n", d->file, d->line, d->col, SLICE_ARG(d->message));
}

static struct slice tree(struct arena *a, struct slice document, struct diags *diags)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct check_options options = {
        .read = read_file, .called = take_call, .elsewhere = take_elsewhere, .ctx = &out};

    check_workflow(document, ".github/workflows/ci.yml", &options, diags);
    return slice_trim(arena_dup(a, buf_slice(&out)));
}

Test(check, the_whole_tree_of_calls)
{
    each_case("check", "tree", tree);
}

/* ---- scripts ---- */

static void take_script(void *ctx, const struct check_script *script)
{
    struct buf *out = ctx;
    struct slice rest = script->text, line;

    buf_printf(out, "%s%s", out->len ? "\n" : "", *script->shell ? script->shell : "unknown");
    for (size_t i = 0; slice_line(&rest, &line); i++) {
        cr_assert_lt(i, script->n_lines);
        buf_printf(out, "\n%d:%d%s%.*s", script->lines[i].line, script->lines[i].col,
                   line.len ? " " : "", SLICE_ARG(line));
    }
}

static struct slice scripts(struct arena *a, struct slice document, struct diags *diags)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct check_options options = {.script = take_script, .ctx = &out};

    check_workflow(document, "ci.yml", &options, diags);
    return arena_dup(a, buf_slice(&out));
}

Test(check, scripts_know_the_places_of_their_lines)
{
    each_case("check", "scripts", scripts);
}

/* ---- rules ---- */

Test(check, a_rule_can_be_left_out_but_not_the_language)
{
    static const char text[] = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    if: true\n"
                               "    steps: [{uses: x/y@v1}]\n";
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};
    struct check_options options = {.ignore = 1u << CHECK_CONDITION};

    cr_assert_eq(check_rule_find(SLICE("constant-if")), CHECK_CONDITION);
    cr_assert_eq(check_rule_find(SLICE("language")), CHECK_RULES);
    cr_assert_eq(check_rule_find(SLICE("nothing")), CHECK_RULES);
    check_workflow(slice_of(text), "ci.yml", &options, &diags);
    cr_assert_eq(diags.list.len, 1, "%zu findings", diags.list.len);
    cr_assert_str_eq(diags.list.ptr[0].rule, "unpinned-action");
    diags_deinit(&diags);
    arena_deinit(&a);
}

Test(check, a_misspelt_key_knows_its_cure)
{
    static const char text[] = "on: push\njobs:\n  a:\n    runs-onn: x\n    steps: []\n";
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};

    check_workflow(slice_of(text), "ci.yml", NULL, &diags);
    cr_assert_gt(diags.list.len, 0);
    const struct diag *d = NULL;
    VEC_EACH (one, &diags.list)
        if (one->fix.len)
            d = one;
    cr_assert_not_null(d);
    cr_assert(slice_eq(d->misspelt, SLICE("runs-onn")) && slice_eq(d->fix, SLICE("runs-on")));
    diags_deinit(&diags);
    arena_deinit(&a);
}
