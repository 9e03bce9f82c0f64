#include "scan_report.h"

#include "../lib/markdown.h"
#include "../lib/sarif.h"

#include <string.h>

#define HOME "urn:ostler:scan"

size_t report_count(const struct report *r, enum severity severity)
{
    size_t beyond = r->secrets->n_more + r->vulns->findings.n_dropped;

    return findings_count(&r->secrets->findings, severity) +
           findings_count(&r->vulns->findings, severity) +
           (severity == SEVERITY_ERROR ? beyond : 0);
}

static const char *count(struct ost_step *step, size_t n, const char *one, const char *many)
{
    return ost_fmt(step, "%zu %s", n, n == 1 ? one : many);
}

static size_t n_secrets(const struct report *r)
{
    return r->secrets->findings.n + r->secrets->n_more;
}

static size_t n_vulns(const struct report *r)
{
    return r->vulns->findings.n + r->vulns->findings.n_dropped;
}

const char *report_found(const struct report *r)
{
    const char *secrets = count(r->step, n_secrets(r), "secret", "secrets");
    const char *vulns = count(r->step, n_vulns(r), "vulnerability", "vulnerabilities");

    if (n_secrets(r) && n_vulns(r))
        return ost_fmt(r->step, "%s and %s", secrets, vulns);
    return n_secrets(r) ? secrets : n_vulns(r) ? vulns : NULL;
}

/* ---- the log ---- */

static void annotate(const struct report *r, const struct finding *f, const char *tool)
{
    static const int32_t levels[SEVERITIES] = {OST_NOTICE, OST_WARNING, OST_ERROR};
    struct ost_note note = {
        .struct_size = sizeof note,
        .level = levels[f->severity],
        .message = f->message,
        .title = ost_fmt(r->step, "%s: %s", tool, f->rule),
        .file = *f->file ? f->file : NULL,
        .line = f->line,
        .end_line = f->end_line,
        .col = f->col,
        /* An annotation ends with its last column, a finding behind it. */
        .end_col = f->end_col > f->col ? f->end_col - 1 : f->end_col,
    };

    r->step->host->annotate(r->step, &note);
}

static void annotate_all(const struct report *r, const struct findings *list, const char *tool,
                         enum severity severity, size_t *left)
{
    for (size_t i = 0; i<list->n && * left> 0; i++)
        if (list->list[i].severity == severity) {
            annotate(r, &list->list[i], tool);
            --*left;
        }
}

void report_log(const struct report *r)
{
    size_t left = NOTES_MAX, all = n_secrets(r) + n_vulns(r);

    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_NOTICE; severity--) {
        annotate_all(r, &r->secrets->findings, "scan", (enum severity)severity, &left);
        if (r->vulns->scanner)
            annotate_all(r, &r->vulns->findings, r->vulns->scanner, (enum severity)severity, &left);
    }
    if (all > NOTES_MAX)
        ost_log(r->step, OST_INFO,
                "%zu more are not shown one by one; 'sarif' writes them to a file",
                all - NOTES_MAX);
    ost_log(r->step, OST_INFO, "secrets: %s in %zu lines%s",
            count(r->step, n_secrets(r), "secret", "secrets"), r->secrets->n_lines,
            r->secrets->n_allowed ? ost_fmt(r->step, ", %zu allowed", r->secrets->n_allowed) : "");
    if (r->vulns->scanner)
        ost_log(r->step, OST_INFO, "%s: %s%s", r->vulns->scanner,
                count(r->step, n_vulns(r), "vulnerability", "vulnerabilities"),
                r->vulns->n_light
                    ? ost_fmt(r->step, ", %zu below 'severity' left out", r->vulns->n_light)
                    : "");
}

/* ---- the summary ---- */

static void put_list(struct sink *k, const struct findings *list, enum severity severity, size_t *n)
{
    static const char *const names[SEVERITIES] = {"notice", "warning", "error"};

    for (size_t i = 0; i < list->n && *n < LISTED_MAX; i++) {
        const struct finding *f = &list->list[i];

        if (f->severity != severity)
            continue;
        ++*n;
        sink_addf(k, "- %s ", names[f->severity]);
        if (*f->file)
            markdown_code(k, f->line ? ost_fmt(k->step, "%s:%u", f->file, f->line) : f->file);
        sink_add(k, SPAN(" "));
        markdown_plain(k, f->message);
        sink_add(k, SPAN("\n"));
    }
}

ost_status report_summary(const struct report *r)
{
    struct sink k = {.step = r->step};
    size_t n = 0, all = n_secrets(r) + n_vulns(r);

    sink_addf(&k, "### Scan\n\n| | Errors | Warnings | Notices |\n|---|--:|--:|--:|\n");
    sink_addf(&k, "| secrets | %zu | %zu | %zu |\n",
              findings_count(&r->secrets->findings, SEVERITY_ERROR) + r->secrets->n_more,
              findings_count(&r->secrets->findings, SEVERITY_WARNING),
              findings_count(&r->secrets->findings, SEVERITY_NOTICE));
    if (r->vulns->scanner)
        sink_addf(&k, "| %s | %zu | %zu | %zu |\n", r->vulns->scanner,
                  findings_count(&r->vulns->findings, SEVERITY_ERROR) +
                      r->vulns->findings.n_dropped,
                  findings_count(&r->vulns->findings, SEVERITY_WARNING),
                  findings_count(&r->vulns->findings, SEVERITY_NOTICE));
    if (all > 0)
        sink_add(&k, SPAN("\n"));
    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_NOTICE; severity--) {
        put_list(&k, &r->secrets->findings, (enum severity)severity, &n);
        put_list(&k, &r->vulns->findings, (enum severity)severity, &n);
    }
    if (all > n)
        sink_addf(&k, "\n… and %zu more\n", all - n);
    return r->step->host->summary(r->step, sink_text(&k));
}

const char *report_sarif(const struct report *r)
{
    const struct findings *const secrets[] = {&r->secrets->findings, NULL};
    const struct findings *const vulns[] = {&r->vulns->findings, NULL};
    const struct sarif_run runs[] = {{"ostler-scan", HOME, secrets},
                                     {r->vulns->scanner, r->vulns->url, vulns},
                                     {NULL, NULL, NULL}};

    return sarif_format(r->step, runs);
}
