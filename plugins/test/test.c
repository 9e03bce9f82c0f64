/* test - ostler/test@v1: finds the runner of a project's tests, runs them, and tells what came of them. One job of a
 * phase, in order: settings, target, shard, run, retries, coverage, report, verdict. */
#include "coverage.h"
#include "project.h"
#include "report.h"
#include "retry.h"
#include "run.h"
#include "settings.h"
#include "shard.h"

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
    {.name = "options", .type = OST_STRING, .description = "More options for the runner"},
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

struct test {
    struct ost_step *step;
    struct settings set;
    struct target target;
    struct selection selection;
    struct commands *commands;
    struct times_query times; /* ID NULL: no shard */
    struct run run;
    struct coverage coverage;
    struct report report;
    const char *report_path;
    bool empty_shard; /* there is nothing for this one */
};

static ost_status begin(struct test *x, struct ost_step *step)
{
    ost_status r;

    *x = (struct test){.step = step, .selection = {.pick = PICK_ALL}};
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

static const char *title_of(const struct test *x)
{
    const char *name = x->target.runner  ? x->target.runner->title
                       : *x->set.command ? "the command"
                                         : "the report";

    return *x->target.root ? ost_fmt(x->step, "%s in %s", name, x->target.root) : name;
}

static const char *shard_of(const struct test *x)
{
    return x->set.n_shards ? ost_fmt(x->step, "shard %u/%u", x->set.shard, x->set.n_shards) : "";
}

/* ---- what to run ---- */

/* Nothing runs where only reports are to be read. */
static bool runs_something(const struct test *x)
{
    return x->target.runner || *x->set.command;
}

static ost_status make_commands(struct test *x)
{
    x->commands->n = 0;
    if (x->target.runner && !x->target.runner->commands(&x->target, &x->selection, x->commands))
        return ost_fail(
            x->step, OST_E_LIMIT,
            "so many tests do not fit one command: split them with 'shard', or choose a "
            "part with 'tests'");
    if (!x->target.runner && *x->set.command) {
        struct strings argv = {0};

        words_add(x->step, &argv, OST_ARGV("sh", "-ec", x->set.command));
        x->commands->list[x->commands->n++] = (struct command){.argv = strings_list(&argv)};
    }
    return OST_OK;
}

/* Reports and agreements lie in a folder of this step's own. */
static ost_status make_folder(struct test *x)
{
    const char *temp = x->step->host->dir(x->step, OST_DIR_TEMP);
    char *folder = (char *)(uintptr_t)ost_fmt(x->step, "%s/ostler-test-XXXXXX", temp ? temp : ".");

    if (!mkdtemp(folder))
        return ost_fail(x->step, OST_E_IO, "cannot make a folder in '%s': %s", temp,
                        strerror(errno));
    x->target.folder = folder;
    return OST_OK;
}

/* ---- shards ---- */

static uint64_t hash_add(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3;
    return (h ^ 1) * 0x100000001b3;
}

/* All shards of one set of tests, in this run and in others, come to the same. */
static const char *id_of(struct test *x)
{
    const char *job = x->step->host->context(x->step, "github.job");
    const char *workflow = x->step->host->context(x->step, "github.workflow");
    uint64_t h = hash_add(0xcbf29ce484222325, x->target.runner->name);

    h = hash_add(hash_add(h, x->target.root), x->set.command);
    h = hash_add(hash_add(h, job ? job : ""), workflow ? workflow : "");
    for (const char *const *word = x->set.tests; *word; word++)
        h = hash_add(h, *word);
    for (const char *const *word = x->set.args; *word; word++)
        h = hash_add(h, *word);
    return ost_fmt(x->step, "%s-%016llx", x->target.runner->name, (unsigned long long)h);
}

static ost_status list_units(struct test *x, struct strings *all)
{
    struct commands *list = x->step->host->alloc(x->step, sizeof *list);
    const char *failed = NULL;
    ost_status r = OST_OK;

    list->n = 0;
    if (!x->target.runner->list(&x->target, list))
        return ost_fail(
            x->step, OST_E_INVALID,
            "'shard' needs to list the tests, and nobody knows how with the command '%s': "
            "leave 'command' away, or end it as the runner's own does",
            *x->set.command ? x->set.command : words_join(x->step, x->target.words));
    for (size_t i = 0; r == OST_OK && i < list->n; i++) {
        struct sink out = {.step = x->step};

        r = run_quietly(&x->target, &list->list[i], "list the tests", &out, &failed);
        if (r == OST_OK)
            x->target.runner->units(&x->target, &list->list[i], sink_span(&out), all);
        if (r == OST_OK && failed && !(x->target.runner->lists_broken && all->n > 0))
            return ost_fail(x->step, OST_E_FAILED, "cannot list the tests: %s", failed);
    }
    return r;
}

static ost_status choose_shard(struct test *x)
{
    struct strings all = {0}, picked;
    struct times times;
    ost_status r = list_units(x, &all);

    if (r < 0)
        return r;
    all = shard_units(x->step, &all);
    x->times = (struct times_query){id_of(x), x->set.shard, x->set.n_shards};
    r = times_agree(x->step, &x->times, &times);
    if (r < 0)
        return r;
    picked = shard_pick(x->step, &all, &times, x->set.shard, x->set.n_shards,
                        x->target.runner->prefixes);
    ost_log(x->step, OST_INFO, "%s: %zu of %zu %s, split by %s", shard_of(x), picked.n, all.n,
            x->target.runner->units_are,
            times.n ? "how long they took before" : "name, since no durations are known yet");
    x->empty_shard = picked.n == 0 && all.n > 0;
    x->selection = (struct selection){.pick = PICK_UNITS, .units = strings_list(&picked)};
    if (all.n == 0)
        x->selection.pick = PICK_ALL; /* the runner says itself why there is nothing */
    return OST_OK;
}

static ost_status keep_times(struct test *x)
{
    struct times times = {.index = {.step = x->step}};

    if (!x->times.id || x->run.status < 0)
        return OST_OK;
    for (size_t i = 0; i < x->run.results.n; i++) {
        const struct result *r = &x->run.results.list[i];
        const char *unit = x->target.runner->unit(&x->target, r);

        if (unit)
            times_add(&times, unit, r->took_ns);
    }
    return times_keep(x->step, &x->times, &times);
}

/* ---- running ---- */

/* Tests that were not picked may be told of as skipped: they are another shard's. */
static void drop_others(struct test *x)
{
    struct results *all = &x->run.results;
    struct index picked = {.step = x->step};
    size_t n = 0;

    if (x->selection.pick != PICK_UNITS)
        return;
    for (const char *const *unit = x->selection.units; *unit; unit++)
        index_set(&picked, *unit, 0);
    for (size_t i = 0; i < all->n; i++) {
        const char *unit = x->target.runner->unit(&x->target, &all->list[i]);

        if (all->list[i].outcome != OUTCOME_SKIPPED || !unit ||
            index_get(&picked, unit) != INDEX_NONE)
            all->list[n++] = all->list[i];
    }
    all->n = n;
}

/* Below 0 only what ends the step at once; how the run went is in it. */
static ost_status run_all(struct test *x)
{
    int64_t start = now_ns();
    struct run_spec spec = {
        .target = &x->target,
        .reports = x->set.report,
        .deadline_ns = x->set.timeout_ms ? start + x->set.timeout_ms * 1000000 : 0,
    };
    ost_status r = OST_OK;

    if (!runs_something(x)) {
        run_read_only(&spec, &x->run);
    } else if (!x->empty_shard) {
        r = make_commands(x);
        if (r < 0)
            return r;
        run_commands(&spec, x->commands, &x->run);
        drop_others(x);
        r = keep_times(x);
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

static ost_status find_coverage(struct test *x, const char *const **ret, size_t *ret_n)
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

static ost_status load_changes(struct test *x, struct changes *ret)
{
    struct changes_ask ask = {.workspace = x->set.workspace,
                              .dir = x->target.root,
                              .base = x->set.base,
                              .needed_by = "'diff-coverage-threshold'"};

    return changes_load(x->step, &ask, ret);
}

static ost_status read_coverage(struct test *x, const struct places *places)
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

static ost_status write_report(struct test *x)
{
    struct span text = report_junit(&x->report);
    const char *path = ost_fmt(x->step, "%s/junit.xml", x->target.folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    ssize_t n = 0;

    while (fd >= 0 && text.size > 0 && ((n = write(fd, text.at, text.size)) > 0 || errno == EINTR))
        if (n > 0)
            text = (struct span){text.at + n, text.size - (size_t)n};
    if (fd < 0 || text.size > 0 || close(fd) < 0)
        return ost_fail(x->step, OST_E_IO, "cannot write '%s': %s", path, strerror(errno));
    x->report_path = path;
    return OST_OK;
}

static ost_status upload(struct test *x)
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

static ost_status set_outputs(struct test *x)
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

static ost_status tell(struct test *x)
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

/* ---- the verdict ---- */

static const char *ended(struct test *x)
{
    if (x->run.signal)
        return ost_fmt(x->step, "was ended by signal %d", (int)x->run.signal);
    return ost_fmt(x->step, "ended with exit code %d", (int)x->run.exit_code);
}

/* What was printed last says more than we can. */
static const char *last_words(struct test *x)
{
    struct span s = span_of(x->run.tail);
    size_t lines = 0, i = s.size;

    while (i > 0 && lines < 15)
        lines += s.at[--i] == '\n';
    i += i < s.size && s.at[i] == '\n';
    return s.size ? ost_fmt(x->step, "; it said last:\n%s", s.at + i) : "";
}

/* The command did not come to its end. */
static ost_status judge_status(struct test *x)
{
    const char *title = title_of(x);

    if (x->run.status == OST_E_CANCELLED)
        return OST_E_CANCELLED;
    if (x->run.status == OST_E_TIMEOUT)
        return ost_fail(x->step, OST_E_TIMEOUT, "%s was still running when its time was over%s%s",
                        title, x->set.timeout_ms ? ", and 'timeout' is " : "",
                        x->set.timeout_ms ? x->step->host->input(x->step, "timeout") : "");
    if (x->run.status == OST_E_NOT_FOUND)
        return ost_fail(x->step, OST_E_NOT_FOUND,
                        "there is no '%s' in this job; in an earlier step: %s", x->run.program,
                        x->target.runner ? x->target.runner->install : "install what has it");
    return ost_fail(x->step, x->run.status, "cannot run %s: %s", title, x->run.error);
}

static ost_status judge_empty(struct test *x)
{
    if (x->run.exit_code || x->run.signal)
        return ost_fail(x->step, OST_E_FAILED, "%s %s before it told of any test%s", title_of(x),
                        ended(x), last_words(x));
    if (!x->set.fail_on_empty || x->empty_shard)
        return OST_OK;
    if (x->run.n_stale)
        return ost_fail(
            x->step, OST_E_NOT_FOUND,
            "all %zu files that match 'report' were there before the tests ran, and were not "
            "written anew",
            x->run.n_stale);
    if (x->run.n_reports == 0)
        return ost_fail(x->step, OST_E_NOT_FOUND,
                        x->set.report[0]
                            ? "no file matches 'report: %s'"
                            : "%s wrote no report: name the files that it writes in 'report'",
                        x->set.report[0] ? x->step->host->input(x->step, "report") : title_of(x));
    return ost_fail(
        x->step, OST_E_NOT_FOUND,
        "%s had no tests at all; if that is as it should be, set 'fail-on-empty: false'",
        title_of(x));
}

static ost_status judge_coverage(struct test *x)
{
    const struct report *r = &x->report;

    if (x->set.min_coverage >= 0 && ratio_hundredths(r->coverage) < x->set.min_coverage)
        return ost_fail(
            x->step, OST_E_FAILED, "%s of the lines are covered, and 'coverage-threshold' is %s",
            ratio_show(x->step, r->coverage), x->step->host->input(x->step, "coverage-threshold"));
    if (x->set.min_diff >= 0 && ratio_hundredths(r->diff) < x->set.min_diff)
        return ost_fail(x->step, OST_E_FAILED,
                        "%s of the changed lines are covered, and 'diff-coverage-threshold' is %s",
                        ratio_show(x->step, r->diff),
                        x->step->host->input(x->step, "diff-coverage-threshold"));
    return OST_OK;
}

static ost_status judge(struct test *x)
{
    struct totals t = results_totals(&x->run.results);

    if (x->run.status < 0)
        return judge_status(x);
    if (t.failed)
        return ost_fail(x->step, OST_E_FAILED, "%zu of %zu tests failed", t.failed, t.all);
    if (x->run.trouble && !(t.all == 0 && x->run.exit_code))
        return ost_fail(x->step, OST_E_FAILED, "%s", x->run.trouble);
    if (t.all == 0)
        return judge_empty(x);
    /* A runner's failed tests are told by its exit code, too; one that were flaky are forgiven. */
    if ((x->run.exit_code || x->run.signal) && !t.flaky)
        return ost_fail(x->step, OST_E_FAILED, "no test failed, and yet %s %s%s", title_of(x),
                        ended(x), last_words(x));
    return judge_coverage(x);
}

/* ---- phases ---- */

static const char *why_cut_short(struct test *x)
{
    if (x->run.status == OST_E_CANCELLED)
        return "the job was cancelled";
    if (x->run.status == OST_E_TIMEOUT)
        return "the time was over";
    return NULL;
}

static ost_status test_main(struct ost_step *step)
{
    struct test x;
    struct places places;
    ost_status r = begin(&x, step);

    if (r == OST_OK)
        r = make_folder(&x);
    if (r == OST_OK && x.target.runner)
        ost_log(step, OST_INFO, "%s: %s", title_of(&x), x.target.why);
    if (r == OST_OK && x.set.n_shards)
        r = choose_shard(&x);
    if (r == OST_OK)
        r = run_all(&x);
    if (r < 0)
        return r;
    places = (struct places){step, x.set.workspace, x.target.root, project_module(&x.target)};
    x.report.step = step;
    x.report.title = title_of(&x);
    x.report.shard = shard_of(&x);
    x.report.results = &x.run.results;
    x.report.slowest = x.set.slowest;
    x.report.annotations = x.set.annotations;
    x.report.cut_short = why_cut_short(&x);
    report_places(&x.report, &places);
    if (x.run.status == OST_OK)
        r = read_coverage(&x, &places);
    if (r == OST_OK || results_totals(x.report.results).failed) {
        ost_status told = tell(&x);

        r = told < 0 && x.run.status == OST_OK ? told : r;
    }
    return r < 0 ? r : judge(&x);
}

static ost_status plan_shard(struct test *x)
{
    struct commands *list = x->step->host->alloc(x->step, sizeof *list);
    const char *how = "";

    list->n = 0;
    if (x->target.runner->list(&x->target, list) && list->n > 0)
        how = ost_fmt(x->step, "by how long each took in earlier runs; listed by %s",
                      words_join(x->step, list->list[0].argv));
    return x->step->host->plan(x->step, "choose", shard_of(x), how);
}

/* Which runner, why, which command, which shard. Nothing is run for it. */
static ost_status test_plan(struct ost_step *step)
{
    struct test x;
    ost_status r = begin(&x, step);

    if (r < 0)
        return r;
    r = step->host->plan(step, "test", title_of(&x), x.target.runner ? x.target.why : "");
    if (r == OST_OK && x.set.n_shards)
        r = plan_shard(&x);
    if (r == OST_OK)
        r = make_commands(&x);
    for (size_t i = 0; r == OST_OK && i < x.commands->n; i++)
        r = step->host->plan(step, "run", words_join(step, x.commands->list[i].argv),
                             *x.target.root ? ost_fmt(step, "in %s", x.target.root) : "");
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
