#include "lint_report.h"

#include "../lib/markdown.h"
#include "lint_tool.h"

#include <string.h>

void report_merge(struct ost_step *step, struct checks *checks)
{
    size_t n = 0;

    for (size_t i = 0; i < checks->n; i++) {
        struct check *c = &checks->list[i], *into = n > 0 ? &checks->list[n - 1] : NULL;

        if (!into || into->tool != c->tool || strcmp(into->root, c->root) != 0) {
            checks->list[n++] = *c;
            continue;
        }
        for (size_t j = 0; j < c->findings.n; j++)
            findings_add(step, &into->findings, c->findings.list[j]);
        into->findings.n_dropped += c->findings.n_dropped;
        findings_sort(&into->findings);
        into->took_ms += c->took_ms; /* what the linter cost, side by side or not */
        if (!into->trouble)
            into->trouble = c->trouble;
    }
    checks->n = n;
}

struct totals report_totals(const struct checks *checks)
{
    struct totals t = {0};

    for (size_t i = 0; i < checks->n; i++) {
        const struct findings *f = &checks->list[i].findings;

        /* What was too much to keep was too much to be looked at, too: it counts as errors. */
        t.errors += findings_count(f, SEVERITY_ERROR) + f->n_dropped;
        t.warnings += findings_count(f, SEVERITY_WARNING);
        t.notices += findings_count(f, SEVERITY_NOTICE);
    }
    return t;
}

static const char *count(struct ost_step *step, size_t n, const char *what)
{
    return ost_fmt(step, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

const char *report_counts(struct ost_step *step, struct totals t)
{
    if (t.errors && t.warnings)
        return ost_fmt(step, "%s and %s", count(step, t.errors, "error"),
                       count(step, t.warnings, "warning"));
    return t.errors ? count(step, t.errors, "error") : count(step, t.warnings, "warning");
}

static const char *seconds(struct ost_step *step, int64_t ms)
{
    return ost_fmt(step, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

const char *report_left_out(struct ost_step *step, const struct check *c)
{
    if (c->trouble)
        return c->trouble;
    return ost_fmt(step, "%s is not installed in this job; install it in an earlier step: %s",
                   c->tool->name, c->tool->install);
}

/* ---- the log ---- */

static void annotate(struct ost_step *step, const struct check *c, const struct finding *f)
{
    static const int32_t levels[SEVERITIES] = {OST_NOTICE, OST_WARNING, OST_ERROR};
    struct ost_note note = {
        .struct_size = sizeof note,
        .level = levels[f->severity],
        .message = f->message,
        .title = *f->rule ? ost_fmt(step, "%s: %s", c->tool->name, f->rule) : c->tool->name,
        .file = *f->file ? f->file : NULL,
        .line = f->line,
        .end_line = f->end_line,
        .col = f->col,
        /* An annotation ends with its last column, a finding behind it. */
        .end_col = f->end_col > 1 && f->end_col > f->col ? f->end_col - 1 : f->end_col,
    };

    step->host->annotate(step, &note);
}

static void log_check(struct ost_step *step, const struct check *c)
{
    const struct findings *f = &c->findings;

    if (check_is_left_out(c)) {
        /* One that was named fails the step, which says so; any other is missed out loud. */
        if (!c->named)
            ost_log(step, OST_WARNING, "%s: it was left out", report_left_out(step, c));
        return;
    }
    if (c->trouble)
        ost_log(step, OST_ERROR, "%s", c->trouble);
    ost_log(step, OST_INFO, "%s: %s, %s%s in %s (%s)", check_title(step, c),
            count(step, findings_count(f, SEVERITY_ERROR) + f->n_dropped, "error"),
            count(step, findings_count(f, SEVERITY_WARNING), "warning"),
            findings_count(f, SEVERITY_NOTICE)
                ? ost_fmt(step, ", %s", count(step, findings_count(f, SEVERITY_NOTICE), "notice"))
                : "",
            count(step, findings_files(f), "file"), seconds(step, c->took_ms));
}

/* How many findings of each severity may still become annotations: errors go first. */
static void share_notes(const struct totals *t, size_t *ret_left)
{
    size_t room = NOTES_MAX;

    ret_left[SEVERITY_ERROR] = t->errors < room ? t->errors : room;
    room -= ret_left[SEVERITY_ERROR];
    ret_left[SEVERITY_WARNING] = t->warnings < room ? t->warnings : room;
    room -= ret_left[SEVERITY_WARNING];
    ret_left[SEVERITY_NOTICE] = t->notices < room ? t->notices : room;
}

void report_log(struct ost_step *step, const struct checks *checks)
{
    struct totals t = report_totals(checks);
    size_t left[SEVERITIES], all = t.errors + t.warnings + t.notices;

    share_notes(&t, left);
    for (size_t i = 0; i < checks->n; i++) {
        const struct check *c = &checks->list[i];

        log_check(step, c);
        for (size_t j = 0; j < c->findings.n; j++) {
            const struct finding *f = &c->findings.list[j];

            if (left[f->severity] == 0)
                continue;
            left[f->severity]--;
            annotate(step, c, f);
        }
    }
    if (all > NOTES_MAX)
        ost_log(step, OST_INFO, "%zu more are not shown one by one; 'sarif' writes them to a file",
                all - NOTES_MAX);
}

/* ---- the summary ---- */

static void put_row(struct sink *k, const struct check *c)
{
    const struct findings *f = &c->findings;

    sink_addf(k, "| %s", c->tool->name);
    if (*c->root) {
        sink_add(k, SPAN(" in "));
        markdown_code(k, c->root);
    }
    if (check_is_left_out(c))
        sink_add(k, SPAN(" | left out | | | |\n"));
    else if (c->trouble)
        sink_addf(k, " | failed | | | %s |\n", seconds(k->step, c->took_ms));
    else
        sink_addf(k, " | %zu | %zu | %zu | %s |\n", findings_files(f),
                  findings_count(f, SEVERITY_ERROR) + f->n_dropped,
                  findings_count(f, SEVERITY_WARNING), seconds(k->step, c->took_ms));
}

static void put_finding(struct sink *k, const struct finding *f)
{
    static const char *const names[SEVERITIES] = {"notice", "warning", "error"};

    sink_addf(k, "- %s ", names[f->severity]);
    if (*f->file)
        markdown_code(k, f->line ? ost_fmt(k->step, "%s:%u", f->file, f->line) : f->file);
    sink_add(k, SPAN(" "));
    markdown_plain(k, f->message);
    if (*f->rule) {
        sink_add(k, *f->help ? SPAN(" ([") : SPAN(" ("));
        markdown_plain(k, f->rule);
        if (*f->help)
            sink_addf(k, "](%s)", f->help);
        sink_add(k, SPAN(")"));
    }
    sink_add(k, SPAN("\n"));
}

/* The first LISTED_MAX, errors before warnings. */
static void put_findings(struct sink *k, const struct checks *checks)
{
    size_t n = 0;

    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_WARNING; severity--)
        for (size_t i = 0; i < checks->n; i++)
            for (size_t j = 0; j < checks->list[i].findings.n && n < LISTED_MAX; j++) {
                const struct finding *f = &checks->list[i].findings.list[j];

                if ((int)f->severity != severity)
                    continue;
                sink_addf(k, "%s", n++ == 0 ? "\n" : "");
                put_finding(k, f);
            }
}

ost_status report_summary(struct ost_step *step, const struct checks *checks)
{
    struct totals t = report_totals(checks);
    struct sink k = {.step = step};

    sink_add(&k, SPAN("### Lint\n\n| Linter | Files with findings | Errors | Warnings | Time |\n"
                      "|---|--:|--:|--:|--:|\n"));
    for (size_t i = 0; i < checks->n; i++)
        put_row(&k, &checks->list[i]);
    put_findings(&k, checks);
    if (t.errors + t.warnings > LISTED_MAX)
        sink_addf(&k, "\n… and %zu more\n", t.errors + t.warnings - LISTED_MAX);
    return step->host->summary(step, sink_text(&k));
}
