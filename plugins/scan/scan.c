/* scan - ostler/scan@v1: looks for secrets in what a push brings, and has known weaknesses looked for. One scan of a
 * phase, in order: settings, secrets, vulnerabilities, report, verdict. */
#include "scan_report.h"
#include "scan_where.h"

#include "../lib/job.h"

#include <string.h>

static const char *const scopes[] = {"diff", "tree", "history", NULL};
static const char *const fail_on[] = {"error", "warning", "never", NULL};
static const char *const how[] = {"auto", "required", "never", NULL};
static const char *const weights[] = {"unknown", "low", "medium", "high", "critical", NULL};

#define ALLOW_LIST ".ostler-allow"

static const struct ost_input inputs[] = {
    {.name = "scope",
     .type = OST_CHOICE,
     .fallback = "diff",
     .choices = scopes,
     .description = "Where secrets are looked for: what differs from the base, all files, or all "
                    "commits, too"},
    {.name = "base",
     .description =
         "Branch, tag or commit that 'diff' compares with; default: the pull request's target, "
         "what was there before the push, or the default branch"},
    {.name = "paths",
     .type = OST_LIST,
     .fallback = ".",
     .description = "Files and folders to look at, relative to the workspace, one a line"},
    {.name = "allow-list",
     .type = OST_PATH,
     .fallback = ALLOW_LIST,
     .description = "File with what is known and accepted"},
    {.name = "fail-on",
     .type = OST_CHOICE,
     .fallback = "error",
     .choices = fail_on,
     .description = "What fails the step: an error, a warning as well, or never a finding"},
    {.name = "vulnerabilities",
     .type = OST_CHOICE,
     .fallback = "auto",
     .choices = how,
     .description = "Run trivy or grype: if one is there, or fail without, or never"},
    {.name = "target",
     .fallback = ".",
     .description = "What they look at: a folder, image:NAME, or archive:PATH"},
    {.name = "severity",
     .type = OST_CHOICE,
     .fallback = "low",
     .choices = weights,
     .description = "The lightest vulnerability that is told"},
    {.name = "arguments",
     .type = OST_LIST,
     .description = "More words for trivy or grype, one a line"},
    {.name = "sarif",
     .type = OST_PATH,
     .description = "Also write all findings to this file, as SARIF 2.1.0"},
};

static const struct ost_output outputs[] = {
    {"secrets", "How many secrets were found"},
    {"vulnerabilities", "How many vulnerabilities were found; empty when nobody looked"},
    {"errors", "How many of both are errors"},
    {"warnings", "How many are warnings"},
    {"scanner", "What looked for vulnerabilities: trivy or grype; empty: nothing did"},
    {"sarif", "The file with the findings, as given; empty without one"},
};

/* ---- settings ---- */

struct scan {
    struct ost_step *step;
    struct where where;
    struct allow allow;
    struct secrets secrets;
    struct vulns_ask ask;
    struct vulns vulns;
};

static const char *input(const struct scan *s, const char *name)
{
    return s->step->host->input(s->step, name);
}

static ost_status read_paths(struct scan *s)
{
    const char *const *items;
    struct strings paths = {0};
    size_t n = s->step->host->input_list(s->step, "paths", &items);

    for (size_t i = 0; i < n; i++) {
        const char *path = rel_clean(s->step, items[i]);

        if (path[0] == '/' && rel_below(s->where.workspace, path))
            path = rel_clean(s->step, rel_from(s->where.workspace, path));
        if (!rel_below("", path))
            return ost_fail(s->step, OST_E_INVALID, "the path '%s' leads out of the workspace",
                            items[i]);
        strings_add(s->step, &paths, path);
    }
    if (paths.n == 0)
        strings_add(s->step, &paths, "");
    s->where.paths = strings_list(&paths);
    s->where.dir = s->where.paths[0];
    if (!file_is_folder(rel_join(s->step, s->where.workspace, *s->where.dir ? s->where.dir : ".")))
        s->where.dir = rel_parent(s->step, s->where.dir);
    return OST_OK;
}

static ost_status read_allow(struct scan *s)
{
    const char *name = input(s, "allow-list");
    size_t size;
    char *text =
        file_read(s->step, rel_join(s->step, s->where.workspace, name), ALLOW_SIZE_MAX, &size);

    if (text)
        return allow_read(s->step, name, (struct span){text, size}, &s->allow);
    if (strcmp(name, ALLOW_LIST) == 0)
        return OST_OK;
    return ost_fail(s->step, OST_E_NOT_FOUND, "'allow-list: %s' is no file that can be read", name);
}

static ost_status read_ask(struct scan *s)
{
    const char *const *items;
    struct strings args = {0};
    size_t n = s->step->host->input_list(s->step, "arguments", &items);

    for (size_t i = 0; i < n; i++)
        strings_add(s->step, &args, items[i]);
    s->ask = (struct vulns_ask){
        .workspace = s->where.workspace,
        .target = input(s, "target"),
        .args = strings_list(&args),
        .from = vulns_weight(span_of(input(s, "severity"))),
    };
    if (s->ask.target[0] == '-')
        return ost_fail(s->step, OST_E_INVALID, "'target: %s' is neither a folder nor an image",
                        s->ask.target);
    return OST_OK;
}

static ost_status begin(struct ost_step *step, struct scan *s)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    ost_status r;

    *s = (struct scan){.step = step};
    s->where = (struct where){
        .step = step,
        .workspace = rel_clean(step, workspace ? workspace : "."),
        .base = input(s, "base"),
    };
    s->secrets = (struct secrets){.step = step, .allow = &s->allow, .prefix = ""};
    r = read_paths(s);
    if (r == OST_OK)
        r = read_allow(s);
    return r == OST_OK ? read_ask(s) : r;
}

/* ---- the work ---- */

static const char *context(const struct scan *s, const char *name)
{
    const char *value = s->step->host->context(s->step, name);

    return value ? value : "";
}

/* The first push of a default branch: it differs from nothing that was there, so all of it is new. */
static bool is_first_push(const struct scan *s)
{
    const char *before = context(s, "github.event.before");
    const char *branch = context(s, "github.event.repository.default_branch");

    return !*s->where.base && *before && strspn(before, "0") == strlen(before) && *branch &&
           strcmp(context(s, "github.ref"), ost_fmt(s->step, "refs/heads/%s", branch)) == 0;
}

static ost_status look_for_secrets(struct scan *s)
{
    const char *scope = input(s, "scope");
    bool all = *scope == 'h' || (*scope == 'd' && is_first_push(s));
    ost_status r = all             ? where_history(&s->where, &s->secrets)
                   : *scope == 'd' ? where_diff(&s->where, &s->secrets)
                                   : where_tree(&s->where, &s->secrets);

    if (r == OST_OK)
        r = s->secrets.status;
    if (r == OST_OK && s->where.n_large > 0)
        ost_log(s->step, OST_WARNING, "%zu files are larger than %d MiB and were not looked at",
                s->where.n_large, FILE_SIZE_MAX >> 20);
    findings_sort(&s->secrets.findings);
    return r;
}

static ost_status look_for_vulnerabilities(struct scan *s)
{
    const char *wanted = input(s, "vulnerabilities");
    ost_status r;

    if (*wanted == 'n')
        return OST_OK;
    r = vulns_scan(s->step, &s->ask, &s->vulns);
    if (r < 0 || s->vulns.scanner)
        return r;
    if (*wanted == 'r')
        return ost_fail(s->step, OST_E_NOT_FOUND,
                        "'vulnerabilities: required' needs trivy or grype, and neither is in this "
                        "job: install one in an earlier step");
    ost_log(s->step, OST_INFO,
            "neither trivy nor grype is in this job: nobody looked for known vulnerabilities");
    return OST_OK;
}

static ost_status judge(const struct scan *s, const struct report *r)
{
    const char *limit = input(s, "fail-on");
    size_t errors = report_count(r, SEVERITY_ERROR), warnings = report_count(r, SEVERITY_WARNING);

    if (*limit == 'n' || (errors == 0 && (*limit == 'e' || warnings == 0)))
        return OST_OK;
    if (s->secrets.findings.n == 0)
        return ost_fail(s->step, OST_E_FAILED, "%s found", report_found(r));
    return ost_fail(s->step, OST_E_FAILED,
                    "%s found: whoever can read the repository has them, so have what they open "
                    "changed first; then remove them, or allow what is none in '%s'",
                    report_found(r), input(s, "allow-list"));
}

static ost_status give(const struct scan *s, const struct report *report)
{
    const struct {
        const char *name, *value;
    } values[] = {
        {"secrets", ost_fmt(s->step, "%zu", s->secrets.findings.n + s->secrets.n_more)},
        {"vulnerabilities",
         s->vulns.scanner
             ? ost_fmt(s->step, "%zu", s->vulns.findings.n + s->vulns.findings.n_dropped)
             : ""},
        {"errors", ost_fmt(s->step, "%zu", report_count(report, SEVERITY_ERROR))},
        {"warnings", ost_fmt(s->step, "%zu", report_count(report, SEVERITY_WARNING))},
        {"scanner", s->vulns.scanner ? s->vulns.scanner : ""},
        {"sarif", input(s, "sarif")},
    };
    ost_status r = OST_OK;

    for (size_t i = 0; r == OST_OK && i < OST_COUNT(values); i++)
        r = s->step->host->output(s->step, values[i].name, values[i].value);
    return r;
}

static ost_status conclude(const struct scan *s)
{
    const struct report report = {s->step, &s->secrets, &s->vulns};
    ost_status r;

    report_log(&report);
    r = report_summary(&report);
    if (r == OST_OK && *input(s, "sarif"))
        r = job_replace_file(s->step, s->where.workspace, input(s, "sarif"), report_sarif(&report));
    if (r == OST_OK)
        r = give(s, &report);
    return r == OST_OK ? judge(s, &report) : r;
}

static ost_status scan_main(struct ost_step *step)
{
    struct scan s;
    ost_status r = begin(step, &s);

    if (r == OST_OK)
        r = look_for_secrets(&s);
    if (r == OST_OK)
        r = look_for_vulnerabilities(&s);
    return r == OST_OK ? conclude(&s) : r;
}

/* ---- plan ---- */

static const char *where_text(const struct scan *s)
{
    const char *scope = input(s, "scope");

    if (*scope == 't')
        return "in all files of the repository";
    if (*scope == 'h')
        return "in all files, and in every commit of this clone";
    return *s->where.base ? ost_fmt(s->step, "in what differs from '%s'", s->where.base)
                          : "in what the push or the pull request brings";
}

static ost_status scan_plan(struct ost_step *step)
{
    const char *wanted = step->host->input(step, "vulnerabilities");
    const char *sarif = step->host->input(step, "sarif");
    struct scan s;
    ost_status r = begin(step, &s);

    if (r == OST_OK)
        r = step->host->plan(step, "scan", "secrets", where_text(&s));
    for (size_t i = 0; r == OST_OK && *wanted != 'n' && i < SCANNERS; i++) {
        struct sink k = {.step = step};
        const char *const *argv = vulns_command(step, &s.ask, i);

        for (size_t j = 0; argv[j]; j++)
            sink_addf(&k, "%s%s", j ? " " : "", argv[j]);
        r = step->host->plan(step, "scan", i ? "vulnerabilities otherwise" : "vulnerabilities",
                             ost_fmt(step, "%s, if it is there", sink_text(&k)));
    }
    if (r == OST_OK && *sarif)
        r = step->host->plan(step, "write", sarif, "findings as SARIF 2.1.0");
    return r;
}

OST_PLUGIN(.id = "ostler/scan", .version = "1.0.0", .title = "Scan",
           .description = "Finds secrets in what was changed, and known vulnerabilities",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = scan_plan,
           .main = scan_main);
