/* test - ostler/test@v1: finds the runner of a project's tests, runs them, and tells what came of them. One job of a
 * phase, in order: settings, target, shard, run, retries, coverage, report, verdict. */
#include "retry.h"
#include "stage.h"

#include "../lib/words.h"

#include <errno.h>
#include <fcntl.h>
#include <ostler/ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const runner_names[] = {
    "auto", "pytest", "django", "unittest", "vitest", "jest",    "mocha",     "node", "npm",
    "go",   "cargo",  "ctest",  "maven",    "gradle", "phpunit", "criterion", NULL};

static const struct ost_input inputs[] = {
    {.name = "runner",
     .type = OST_CHOICE,
     .fallback = "auto",
     .choices = runner_names,
     .description = "The test runner; auto: the one that the project is set up for"},
    {.name = "path",
     .type = OST_STRING,
     .description = "Folder of the project, relative to the workspace"},
    {.name = "working-directory", .type = OST_STRING, .description = "The same as 'path'"},
    {.name = "tests",
     .type = OST_STRING,
     .description = "What to run, as the runner names it: files, labels, packages; default: all"},
    {.name = "arguments", .type = OST_STRING, .description = "More options for the runner"},
    {.name = "command",
     .type = OST_STRING,
     .description = "What starts the runner; without 'runner' a command of any kind, whose "
                    "'report' is read; for criterion its programs, one a line"},
    {.name = "report",
     .type = OST_LIST,
     .description = "Reports to read, JUnit XML or TAP, as patterns relative to 'path'; without "
                    "'command' and 'runner' nothing is run"},
    {.name = "timeout",
     .type = OST_STRING,
     .description = "How long the tests may take, in minutes, or as 90s, 10m, 2h"},
    {.name = "retries",
     .type = OST_INT,
     .fallback = "0",
     .description = "How often failed tests are run again; one that passes then is flaky"},
    {.name = "shard",
     .type = OST_STRING,
     .description = "Run a part only, as 2/5: the parts take about the same time"},
    {.name = "fail-on-empty",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Fail when there was no test"},
    {.name = "slowest",
     .type = OST_INT,
     .fallback = "10",
     .description = "How many of the slowest tests the summary lists"},
    {.name = "annotations",
     .type = OST_INT,
     .fallback = "100",
     .description = "How many failed tests become annotations at most"},
    {.name = "coverage",
     .type = OST_LIST,
     .description = "Coverage reports to read, lcov, Cobertura or Go's profile, as patterns "
                    "relative to 'path'"},
    {.name = "coverage-threshold",
     .type = OST_STRING,
     .description = "Fail when less than this percentage of the lines was run"},
    {.name = "diff-coverage-threshold",
     .type = OST_STRING,
     .description = "The same for the lines that differ from the base"},
    {.name = "base",
     .type = OST_STRING,
     .description =
         "Branch, tag or commit to compare with; default: the pull request's target, what was "
         "there before the push, or the default branch"},
    {.name = "artifact",
     .type = OST_STRING,
     .description = "Upload the results, as JUnit XML, as an artifact of this name"},
};

static const struct ost_output outputs[] = {
    {"total", "How many tests there were"},
    {"passed", "How many of them passed, flaky ones included"},
    {"failed", "How many failed, or were in error"},
    {"skipped", "How many were skipped"},
    {"flaky", "How many failed first and passed when run again"},
    {"coverage", "Percentage of the lines that were run, as 83.33; empty without coverage"},
    {"diff-coverage", "The same of the changed lines; empty where none has code"},
    {"duration", "Seconds that all of it took"},
    {"report", "The file with the results as JUnit XML"},
};

static ost_status begin(struct stage *x, struct ost_step *step)
{
    ost_status r;

    *x = (struct stage){.step = step, .selection = {.pick = PICK_ALL}};
    x->run.tail = "";
    x->commands = step->host->alloc(step, sizeof *x->commands);
    x->commands->n = 0;
    x->coverage.index.step = step;
    r = settings_read(step, &x->set);
    if (r == OST_OK)
        r = project_target(step, &x->set, &x->target);
    if (r == OST_OK && x->set.n_shards && (!x->target.runner || !x->target.runner->list))
        return ost_fail(
            step, OST_E_INVALID,
            "'shard' needs a runner whose tests can be listed, and %s is none: pytest, "
            "django, unittest, vitest, jest, go, cargo, ctest, criterion and phpunit are",
            x->target.runner ? x->target.runner->title : "a command of your own");
    return r;
}

/* ---- what to run ---- */

/* Nothing runs where only reports are to be read. */
static bool runs_something(const struct stage *x)
{
    return x->target.runner || *x->set.command;
}

/* A command of the user's goes into a file: it may hold secrets, and everybody can see arguments. */
static const char *script_path(const struct stage *x)
{
    return ost_fmt(x->step, "%s/command", x->target.folder ? x->target.folder : "<temporary>");
}

static ost_status make_commands(struct stage *x)
{
    x->commands->n = 0;
    if (x->target.runner && !x->target.runner->commands(&x->target, &x->selection, x->commands))
        return ost_fail(
            x->step, OST_E_LIMIT,
            "so many tests do not fit one command: split them with 'shard', or choose a "
            "part with 'tests'");
    if (!x->target.runner && *x->set.command) {
        struct strings argv = {0};

        words_add(x->step, &argv, OST_ARGV("sh", "-e", script_path(x)));
        x->commands->list[x->commands->n++] = (struct command){.argv = strings_list(&argv)};
    }
    return OST_OK;
}

static ost_status write_file(struct ost_step *step, const char *path, struct span text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    ssize_t n = 0;

    while (fd >= 0 && text.size > 0 && ((n = write(fd, text.at, text.size)) > 0 || errno == EINTR))
        if (n > 0)
            text = (struct span){text.at + n, text.size - (size_t)n};
    if (fd < 0 || text.size > 0 || close(fd) < 0) {
        ost_status r = ost_fail(step, OST_E_IO, "cannot write '%s': %s", path, strerror(errno));

        if (fd >= 0 && text.size > 0)
            close(fd);
        return r;
    }
    return OST_OK;
}

/* Reports and agreements lie in a folder of this step's own. */
static ost_status make_folder(struct stage *x)
{
    const char *temp = x->step->host->dir(x->step, OST_DIR_TEMP);
    char *folder = (char *)(uintptr_t)ost_fmt(x->step, "%s/ostler-test-XXXXXX", temp ? temp : ".");

    if (!mkdtemp(folder))
        return ost_fail(x->step, OST_E_IO, "cannot make a folder in '%s': %s", temp,
                        strerror(errno));
    x->target.folder = folder;
    if (x->target.runner || !*x->set.command)
        return OST_OK;
    ost_log(x->step, OST_INFO, "the command: %s", x->set.command);
    return write_file(x->step, script_path(x), span_of(x->set.command));
}

/* ---- running ---- */

/* Below 0 only what ends the step at once; how the run went is in it. */
static ost_status run_all(struct stage *x)
{
    int64_t start = now_ns();
    struct run_spec spec = {
        .target = &x->target,
        .reports = x->set.report,
    };
    ost_status r = OST_OK;

    if (!runs_something(x)) {
        run_read_only(&spec, &x->run);
    } else if (!x->empty_shard) {
        r = make_commands(x);
        if (r < 0)
            return r;
        run_commands(&spec, x->commands, &x->run);
        stage_drop_others(x);
        r = stage_keep_times(x);
        if (r == OST_OK)
            r = retry_failed(&spec, &x->selection, x->set.retries, &x->run);
    }
    x->report.took_ns =
        runs_something(x) ? now_ns() - start : results_totals(&x->run.results).took_ns;
    if (r == OST_E_CANCELLED || x->step->host->cancelled(x->step))
        x->run.status = OST_E_CANCELLED;
    return OST_OK;
}

/* ---- coverage ---- */

static ost_status find_coverage(struct stage *x, const char *const **ret, size_t *ret_n)
{
    const struct ost_files_v1 *files = x->step->host->extension(x->step, OST_EXT_FILES);
    struct strings patterns = {0};
    ost_status r = OST_E_UNSUPPORTED;

    for (const char *const *p = x->set.coverage; *p; p++)
        strings_add(x->step, &patterns, rel_join(x->step, x->target.root, *p));
    if (files)
        r = files->glob(x->step, strings_list(&patterns), 0, ret, ret_n);
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(x->step, r, "the coverage reports cannot be looked for: %s",
                        files ? x->step->host->last_error(x->step)
                              : "this runner has no such service");
    if (r == OST_OK && *ret_n == 0)
        return ost_fail(
            x->step, OST_E_NOT_FOUND,
            "no file matches 'coverage: %s': let the tests write one, as with pytest --cov "
            "--cov-report=xml, vitest --coverage, or go test -coverprofile",
            x->step->host->input(x->step, "coverage"));
    return r;
}

static ost_status load_changes(struct stage *x, struct changes *ret)
{
    struct changes_ask ask = {.workspace = x->set.workspace,
                              .dir = x->target.root,
                              .base = x->set.base,
                              .needed_by = "'diff-coverage-threshold'"};

    return changes_load(x->step, &ask, ret);
}

static ost_status read_coverage(struct stage *x, const struct places *places)
{
    const char *const *paths = NULL;
    struct changes changes = {0};
    size_t n = 0;
    ost_status r;

    if (!x->set.coverage[0])
        return OST_OK;
    r = find_coverage(x, &paths, &n);
    for (size_t i = 0; r == OST_OK && i < n; i++) {
        const char *trouble = coverage_read(x->step, paths[i], &x->coverage);

        if (trouble)
            return ost_fail(x->step, OST_E_INVALID, "the coverage report '%s' cannot be read: %s",
                            paths[i], trouble);
    }
    if (r == OST_OK && x->coverage.overflow)
        ost_log(
            x->step, OST_WARNING,
            "the coverage reports have more files or lines than are kept: the figures leave the "
            "rest out");
    if (r < 0)
        return r;
    coverage_settle(&x->coverage, places);
    x->report.has_coverage = true;
    x->report.coverage = coverage_ratio(&x->coverage);
    if (x->set.min_diff < 0 && !*x->set.base)
        return OST_OK; /* nobody asks for it */
    r = load_changes(x, &changes);
    if (r == OST_OK) {
        x->report.has_diff = true;
        x->report.diff = coverage_of_changes(&x->coverage, &changes);
    }
    return r;
}

/* ---- telling ---- */

static ost_status write_report(struct stage *x)
{
    x->report_path = ost_fmt(x->step, "%s/junit.xml", x->target.folder);
    return write_file(x->step, x->report_path, report_junit(&x->report));
}

static ost_status upload(struct stage *x)
{
    const struct ost_artifacts_v1 *service;
    struct ost_artifact_upload u = {
        .struct_size = sizeof u,
        .name = x->set.artifact,
        .root = x->target.folder,
        .files = OST_ARGV(x->report_path),
        .level = 6,
    };
    struct ost_artifact made = {.struct_size = sizeof made};
    ost_status r;

    if (!*x->set.artifact)
        return OST_OK;
    service = x->step->host->extension(x->step, OST_EXT_ARTIFACTS);
    if (!service)
        return ost_fail(x->step, OST_E_UNSUPPORTED,
                        "'artifact' needs a service for artifacts, and this runner has none");
    r = service->upload(x->step, &u, &made);
    if (r == OST_E_DENIED)
        return ost_fail(
            x->step, r,
            "the run has an artifact '%s' already: give each job its own name, as with the "
            "shard or the matrix in it",
            x->set.artifact);
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(x->step, r, "cannot upload the artifact '%s': %s", x->set.artifact,
                        x->step->host->last_error(x->step));
    return r;
}

static ost_status set_outputs(struct stage *x)
{
    struct totals t = results_totals(&x->run.results);
    struct {
        const char *name, *value;
    } list[] = {
        {"total", ost_fmt(x->step, "%zu", t.all)},
        {"passed", ost_fmt(x->step, "%zu", t.passed)},
        {"failed", ost_fmt(x->step, "%zu", t.failed)},
        {"skipped", ost_fmt(x->step, "%zu", t.skipped)},
        {"flaky", ost_fmt(x->step, "%zu", t.flaky)},
        {"coverage", x->report.has_coverage ? ratio_number(x->step, x->report.coverage) : ""},
        {"diff-coverage", x->report.has_diff ? ratio_number(x->step, x->report.diff) : ""},
        {"duration", ost_fmt(x->step, "%lld.%03lld", (long long)(x->report.took_ns / 1000000000),
                             (long long)(x->report.took_ns % 1000000000 / 1000000))},
        {"report", x->report_path},
    };
    ost_status r = OST_OK;

    for (size_t i = 0; r == OST_OK && i < sizeof list / sizeof list[0]; i++)
        r = x->step->host->output(x->step, list[i].name, list[i].value);
    return r;
}

static ost_status tell(struct stage *x)
{
    ost_status r;

    report_log(&x->report);
    r = report_summary(&x->report);
    if (r == OST_OK)
        r = write_report(x);
    if (r == OST_OK)
        r = set_outputs(x);
    return r == OST_OK ? upload(x) : r;
}

/* ---- phases ---- */

static const char *why_cut_short(struct stage *x)
{
    if (x->run.status == OST_E_CANCELLED)
        return "the job was cancelled";
    if (x->run.status == OST_E_TIMEOUT)
        return "the time was over";
    return NULL;
}

static ost_status test_main(struct ost_step *step)
{
    struct stage x;
    struct places places;
    ost_status covered = OST_OK, r = begin(&x, step);

    if (r == OST_OK && x.set.timeout_ms)
        x.target.deadline_ns = now_ns() + x.set.timeout_ms * 1000000;
    if (r == OST_OK)
        r = make_folder(&x);
    if (r == OST_OK && x.target.runner)
        ost_log(step, OST_INFO, "%s: %s", stage_title(&x), x.target.why);
    if (r == OST_OK && x.set.n_shards)
        r = stage_choose(&x);
    if (r == OST_OK)
        r = run_all(&x);
    if (r < 0)
        return r;
    places = (struct places){step, x.set.workspace, x.target.root, project_module(&x.target)};
    x.report.step = step;
    x.report.title = stage_title(&x);
    x.report.shard = stage_shard(&x);
    x.report.results = &x.run.results;
    x.report.slowest = x.set.slowest;
    x.report.annotations = x.set.annotations;
    x.report.cut_short = why_cut_short(&x);
    report_places(&x.report, &places);
    if (x.run.status == OST_OK)
        covered = read_coverage(&x, &places);
    r = tell(&x);
    if (r < 0 && x.run.status == OST_OK)
        return r;
    return stage_judge(&x, covered);
}

/* Which runner, why, which command, which shard. Nothing is run for it. */
static ost_status test_plan(struct ost_step *step)
{
    struct stage x;
    ost_status r = begin(&x, step);

    if (r < 0)
        return r;
    r = step->host->plan(step, "test", stage_title(&x), x.target.runner ? x.target.why : "");
    if (r == OST_OK && x.set.n_shards)
        r = stage_plan_choice(&x);
    if (r == OST_OK)
        r = make_commands(&x);
    for (size_t i = 0; r == OST_OK && i < x.commands->n; i++)
        r = step->host->plan(step, "run", words_join(step, x.commands->list[i].argv),
                             !x.target.runner ? x.set.command
                             : *x.target.root ? ost_fmt(step, "in %s", x.target.root)
                                              : "");
    if (r == OST_OK && x.set.retries)
        r = step->host->plan(step, "retry", "failed tests",
                             ost_fmt(step, "up to %u times", x.set.retries));
    for (const char *const *p = x.set.report; r == OST_OK && *p; p++)
        r = step->host->plan(step, "read", *p, "the results");
    for (const char *const *p = x.set.coverage; r == OST_OK && *p; p++)
        r = step->host->plan(step, "read", *p, "coverage");
    if (r == OST_OK && *x.set.artifact)
        r = step->host->plan(step, "upload", ost_fmt(step, "the artifact '%s'", x.set.artifact),
                             "the results as JUnit XML");
    return r;
}

OST_PLUGIN(.id = "ostler/test", .version = "1.0.0", .title = "Test",
           .description = "Runs the tests of a project and tells which failed, where and why",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = test_plan,
           .main = test_main);
