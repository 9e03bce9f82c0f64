/* lint - ostler/lint@v1: runs the linters that a project configures, and says what they found where it
 * stands. One job of a phase, in order: settings, checks, runs, findings, report, verdict. */
#include "../lib/changes.h"
#include "../lib/job.h"
#include "lint_project.h"
#include "lint_read.h"
#include "lint_report.h"
#include "lint_run.h"
#include "lint_sarif.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const fail_on[] = {"error", "warning", "never", NULL};

static const struct ost_input inputs[] = {
    {.name = "linters",
     .type = OST_LIST,
     .fallback = "auto",
     .description = "Linters to run, by name; auto: those that the project configures"},
    {.name = "paths",
     .type = OST_LIST,
     .fallback = ".",
     .description = "Files and folders to lint, relative to the workspace, one a line"},
    {.name = "max-warnings",
     .type = OST_INT,
     .fallback = "-1",
     .description = "More warnings than this fail the step; -1: any number is fine"},
    {.name = "changed-only",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Count only findings on lines that differ from the base"},
    {.name = "base",
     .description =
         "Branch, tag or commit to compare with; default: the pull request's target, what "
         "was there before the push, or the default branch"},
    {.name = "fail-on",
     .type = OST_CHOICE,
     .fallback = "error",
     .choices = fail_on,
     .description = "What fails the step: an error, a warning as well, or never a finding"},
    {.name = "sarif",
     .type = OST_PATH,
     .description = "Also write all findings to this file, as SARIF 2.1.0"},
};

static const struct ost_output outputs[] = {
    {"errors", "How many errors were found"},
    {"warnings", "How many warnings were found"},
    {"sarif", "The file with the findings, as given; empty without one"},
};

/* ---- settings ---- */

struct lint {
    struct ost_step *step;
    struct project project;
    struct checks checks;
    struct changes changes;
    bool changed_only;
};

static ost_status add_linter(struct lint *l, struct strings *named, struct span name)
{
    const struct tool *t = tool_find(name);

    if (t)
        strings_add(l->step, named, t->name);
    else if (span_is(name, "auto"))
        l->project.find = true;
    else
        return ost_fail(l->step, OST_E_INVALID, "there is no linter '%s' here; known are auto, %s",
                        span_dup(l->step, name), tool_names(l->step));
    return OST_OK;
}

/* Names stand one a line, or side by side with commas or blanks between them. */
static ost_status read_linters(struct lint *l)
{
    const struct tool **tool;
    const char *const *items;
    struct strings named = {0};
    size_t n = l->step->host->input_list(l->step, "linters", &items);

    for (size_t i = 0; i < n; i++)
        for (const char *at = items[i] + strspn(items[i], ", \t"); *at; at += strspn(at, ", \t")) {
            size_t size = strcspn(at, ", \t");
            ost_status r = add_linter(l, &named, (struct span){at, size});

            if (r < 0)
                return r;
            at += size;
        }
    if (named.n == 0)
        l->project.find = true;
    tool = l->step->host->alloc(l->step, (named.n + 1) * sizeof(struct tool *));
    for (size_t i = 0; i < named.n; i++)
        tool[i] = tool_find(span_of(named.list[i]));
    tool[named.n] = NULL;
    l->project.named = tool;
    return OST_OK;
}

static ost_status read_paths(struct lint *l)
{
    const char *const *items;
    struct strings paths = {0};
    size_t n = l->step->host->input_list(l->step, "paths", &items);

    for (size_t i = 0; i < n; i++) {
        const char *path = rel_clean(l->step, items[i]);

        if (path[0] == '/' && rel_below(l->project.workspace, path))
            path =
                strcmp(path, l->project.workspace) == 0 ? "" : rel_from(l->project.workspace, path);
        if (!rel_below("", path))
            return ost_fail(l->step, OST_E_INVALID, "the path '%s' leads out of the workspace",
                            items[i]);
        if (!file_exists(rel_join(l->step, l->project.workspace, *path ? path : ".")))
            return ost_fail(
                l->step, OST_E_NOT_FOUND,
                "there is no '%s' in the workspace; paths are relative to it, and it is empty "
                "until a step with actions/checkout has run",
                items[i]);
        strings_add(l->step, &paths, path);
    }
    if (paths.n == 0)
        strings_add(l->step, &paths, "");
    l->project.paths = strings_list(&paths);
    return OST_OK;
}

static ost_status lint_begin(struct lint *l, struct ost_step *step)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    ost_status r;

    *l = (struct lint){.step = step, .changed_only = ost_input_bool(step, "changed-only")};
    l->project.step = step;
    l->project.workspace = rel_clean(step, workspace ? workspace : ".");
    r = read_linters(l);
    if (r == OST_OK)
        r = read_paths(l);
    return r == OST_OK ? project_checks(&l->project, &l->checks) : r;
}

/* ---- findings ---- */

static bool is_asked_for(const void *ctx, const struct finding *f)
{
    const struct lint *l = ctx;

    if (!*f->file)
        return true;
    for (const char *const *path = l->project.paths; *path; path++)
        if (rel_below(*path, f->file))
            return true;
    return false;
}

static bool is_new(const void *ctx, const struct finding *f)
{
    const struct lint *l = ctx;

    return changes_touch(&l->changes, f);
}

/* What the linters printed becomes findings, less those nobody asked for: a compiler looks at headers
 * and modules beyond the paths it was given. */
static void read_findings(struct lint *l)
{
    for (size_t i = 0; i < l->checks.n; i++) {
        struct check *c = &l->checks.list[i];

        if (check_is_left_out(c))
            continue;
        read_check(l->step, c, l->project.workspace);
        findings_filter(&c->findings, is_asked_for, l);
        if (l->changed_only)
            findings_filter(&c->findings, is_new, l);
        for (size_t j = 0; c->tool->help && j < c->findings.n; j++)
            if (!*c->findings.list[j].help)
                c->findings.list[j].help = c->tool->help(l->step, c->findings.list[j].rule);
    }
    report_merge(l->step, &l->checks);
}

/* ---- verdict ---- */

/* Whatever else is fine: of a linter that did not do its work, nobody knows what it would have found. One
 * that was not asked for by name may be left out, as long as another ran. */
static ost_status blame_checks(struct lint *l)
{
    const struct check *left_out = NULL;
    size_t ran = 0;

    for (size_t i = 0; i < l->checks.n; i++) {
        const struct check *c = &l->checks.list[i];

        if (!check_is_left_out(c) && c->trouble)
            return ost_fail(l->step, OST_E_FAILED, "%s could not do its work",
                            check_title(l->step, c));
        if (!check_is_left_out(c))
            ran++;
        else if (!left_out || (c->named && !left_out->named))
            left_out = c;
    }
    if (left_out && (left_out->named || ran == 0))
        return ost_fail(l->step, OST_E_NOT_FOUND, "%s", report_left_out(l->step, left_out));
    return OST_OK;
}

/* The host has checked that it is a number. */
static int64_t max_warnings(struct ost_step *step)
{
    return strtoll(step->host->input(step, "max-warnings"), NULL, 10);
}

static ost_status judge(struct lint *l, struct totals t)
{
    const char *limit = l->step->host->input(l->step, "fail-on");
    int64_t max = max_warnings(l->step);
    ost_status r = blame_checks(l);

    if (r < 0 || strcmp(limit, "never") == 0)
        return r;
    if (t.errors > 0 || (t.warnings > 0 && strcmp(limit, "warning") == 0))
        return ost_fail(l->step, OST_E_FAILED, "%s found", report_counts(l->step, t));
    if (max >= 0 && t.warnings > (uint64_t)max)
        return ost_fail(l->step, OST_E_FAILED, "%zu warnings found, and 'max-warnings' allows %lld",
                        t.warnings, (long long)max);
    return OST_OK;
}

static ost_status conclude(struct lint *l)
{
    const struct ost_host *host = l->step->host;
    const char *sarif = host->input(l->step, "sarif");
    struct totals t = report_totals(&l->checks);
    ost_status r;

    report_log(l->step, &l->checks);
    r = report_summary(l->step, &l->checks);
    if (r == OST_OK)
        r = host->output(l->step, "errors", ost_fmt(l->step, "%zu", t.errors));
    if (r == OST_OK)
        r = host->output(l->step, "warnings", ost_fmt(l->step, "%zu", t.warnings));
    if (r == OST_OK && *sarif)
        r = job_replace_file(l->step, l->project.workspace, sarif, lint_sarif(l->step, &l->checks));
    if (r == OST_OK)
        r = host->output(l->step, "sarif", sarif);
    return r == OST_OK ? judge(l, t) : r;
}

/* ---- phases ---- */

static ost_status load_changes(struct lint *l)
{
    const char *first = l->project.paths[0];
    bool folder = file_is_folder(rel_join(l->step, l->project.workspace, first));
    const struct changes_ask ask = {
        .workspace = l->project.workspace,
        .dir = folder ? first : rel_parent(l->step, first),
        .base = l->step->host->input(l->step, "base"),
        .needed_by = "'changed-only'",
    };

    return changes_load(l->step, &ask, &l->changes);
}

static ost_status lint_main(struct ost_step *step)
{
    struct lint l;
    ost_status r = lint_begin(&l, step);

    if (r == OST_OK && l.checks.n == 0)
        ost_log(
            step, OST_WARNING,
            "nothing to lint: no linter is configured in '%s'; name some in 'linters' to run them "
            "with their own defaults",
            *l.project.paths[0] ? l.project.paths[0] : ".");
    if (r == OST_OK && l.changed_only)
        r = load_changes(&l);
    if (r == OST_OK && l.changed_only && l.changes.n == 0) {
        ost_log(step, OST_INFO, "nothing has changed, so there is nothing to lint");
        l.checks.n = 0;
    }
    if (r == OST_OK)
        r = run_checks(step, &l.checks, l.project.workspace);
    if (r < 0)
        return r;
    read_findings(&l);
    return conclude(&l);
}

/* What would run, and where. What git says of changes is not asked: a plan runs nothing. */
static ost_status lint_plan(struct ost_step *step)
{
    const char *sarif = step->host->input(step, "sarif");
    struct lint l;
    ost_status r = lint_begin(&l, step);

    for (size_t i = 0; i < l.checks.n && r == OST_OK; i++) {
        const struct check *c = &l.checks.list[i];
        struct sink k = {.step = step};

        for (size_t j = 0; c->argv && c->argv[j]; j++)
            sink_addf(&k, "%s%s", j ? " " : "", c->argv[j]);
        r = step->host->plan(step, "lint", check_title(step, c),
                             c->trouble ? c->trouble : sink_text(&k));
    }
    if (r == OST_OK && l.checks.n == 0)
        r = step->host->plan(step, "lint", "nothing", "no linter is configured");
    if (r == OST_OK && *sarif)
        r = step->host->plan(step, "write", sarif, "findings as SARIF 2.1.0");
    return r;
}

OST_PLUGIN(.id = "ostler/lint", .version = "1.0.0", .title = "Lint",
           .description = "Runs the linters of a project and annotates what they find",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = lint_plan,
           .main = lint_main);
