#include "report.h"

#include "../lib/markdown.h"

#include <stdlib.h>
#include <string.h>

enum { NOTE_MAX = 4 << 10 }; /* bytes of a trace in an annotation */

const char *report_seconds(struct ost_step *step, int64_t ns)
{
    int64_t ms = (ns + 500000) / 1000000;

    if (ms < 0)
        return "";
    if (ms >= 60000)
        return ost_fmt(step, "%lld min %lld s", (long long)(ms / 60000),
                       (long long)(ms / 1000 % 60));
    if (ms >= 10000)
        return ost_fmt(step, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
    return ost_fmt(step, "%lld.%02lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 10));
}

const char *report_counts(struct ost_step *step, const struct totals *t)
{
    struct sink k = {.step = step};

    if (t->all == 0)
        return "no tests";
    sink_addf(&k, "%zu test%s: %zu passed", t->all, t->all == 1 ? "" : "s", t->passed);
    if (t->failed)
        sink_addf(&k, ", %zu failed", t->failed);
    if (t->errors)
        sink_addf(&k, " (%zu of them in error)", t->errors);
    if (t->skipped)
        sink_addf(&k, ", %zu skipped", t->skipped);
    if (t->flaky)
        sink_addf(&k, ", %zu flaky", t->flaky);
    return sink_text(&k);
}

static bool is_told(const struct result *r)
{
    return (result_is_bad(r) || r->flaky) && !r->echo;
}

static size_t count_told(const struct results *r, bool flaky)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += is_told(&r->list[i]) && r->list[i].flaky == flaky;
    return n;
}

void report_places(const struct report *r, const struct places *places)
{
    size_t n = 0;

    for (size_t i = 0; i < r->results->n && n < PLACED_MAX; i++)
        if (is_told(&r->results->list[i])) {
            place_find(places, &r->results->list[i]);
            n++;
        }
}

/* ---- the log ---- */

static const char *note_text(struct ost_step *step, const struct result *t)
{
    struct span detail = span_of(t->detail);
    size_t cut = 0;

    if (detail.size >
        NOTE_MAX) { /* its end has the reason as often as its beginning: the message has it */
        cut = detail.size - NOTE_MAX;
        while (cut < detail.size && ((unsigned char)detail.at[cut] & 0xc0) == 0x80)
            cut++;
    }
    if (!*t->detail || strcmp(t->message, t->detail) == 0)
        return *t->message ? t->message : "it failed";
    return ost_fmt(step, "%s\n\n%s%s", t->message, cut ? "[...]\n" : "", t->detail + cut);
}

static void annotate(const struct report *r, const struct result *t)
{
    struct ost_note note = {
        .struct_size = sizeof note,
        .level = t->flaky ? OST_WARNING : OST_ERROR,
        .title = ost_fmt(r->step, t->flaky ? "flaky: %s" : "%s", result_title(r->step, t)),
        .file = *t->file ? t->file : NULL,
        .line = t->line,
    };

    note.message = note_text(r->step, t);
    if (t->flaky)
        note.message =
            ost_fmt(r->step, "passed in attempt %u; before: %s", t->attempts, note.message);
    r->step->host->annotate(r->step, &note);
}

static void log_coverage(const struct report *r)
{
    if (r->has_coverage)
        ost_log(r->step, OST_INFO, "coverage: %s (%llu of %llu lines)",
                ratio_show(r->step, r->coverage), (unsigned long long)r->coverage.covered,
                (unsigned long long)r->coverage.all);
    if (r->has_diff && r->diff.all)
        ost_log(r->step, OST_INFO, "coverage of changed lines: %s (%llu of %llu lines)",
                ratio_show(r->step, r->diff), (unsigned long long)r->diff.covered,
                (unsigned long long)r->diff.all);
    else if (r->has_diff)
        ost_log(r->step, OST_INFO, "coverage of changed lines: no line with code has changed");
}

void report_log(const struct report *r)
{
    struct totals t = results_totals(r->results);
    size_t told = count_told(r->results, false) + count_told(r->results, true);
    unsigned left = r->annotations;

    for (int flaky = 0; flaky <= 1; flaky++) /* what fails the step goes first */
        for (size_t i = 0; i < r->results->n && left > 0; i++) {
            const struct result *x = &r->results->list[i];

            if (is_told(x) && x->flaky == (flaky == 1)) {
                annotate(r, x);
                left--;
            }
        }
    if (told > r->annotations)
        ost_log(r->step, OST_INFO, "%zu more have no annotation; 'annotations' allows %u",
                told - r->annotations, r->annotations);
    if (r->cut_short)
        ost_log(r->step, OST_WARNING, "%s: what follows is what was told until then", r->cut_short);
    ost_log(r->step, OST_INFO, "%s%s%s: %s, in %s", r->title, *r->shard ? ", " : "", r->shard,
            report_counts(r->step, &t), report_seconds(r->step, r->took_ns));
    log_coverage(r);
}

/* ---- the summary ---- */

static void put_place(struct sink *k, const struct result *t)
{
    if (!*t->file)
        return;
    sink_add(k, SPAN(" "));
    markdown_code(k, t->line ? ost_fmt(k->step, "%s:%u", t->file, t->line) : t->file);
}

/* Failed ones, or flaky ones. */
static void put_list(struct sink *k, const struct report *r, const char *head, bool flaky)
{
    size_t n = count_told(r->results, flaky), listed = 0;

    if (n == 0)
        return;
    sink_addf(k, "\n#### %s\n\n", head);
    for (size_t i = 0; i < r->results->n && listed < LISTED_MAX; i++) {
        const struct result *t = &r->results->list[i];

        if (!is_told(t) || t->flaky != flaky)
            continue;
        listed++;
        sink_add(k, SPAN("- "));
        markdown_plain(k, result_title(r->step, t));
        put_place(k, t);
        if (flaky)
            sink_addf(k, " passed in attempt %u;", t->attempts);
        if (*t->message) {
            sink_add(k, SPAN(" "));
            markdown_plain(k, t->message);
        }
        sink_add(k, SPAN("\n"));
    }
    if (n > listed)
        sink_addf(k, "\n… and %zu more\n", n - listed);
}

static int compare_slow(const void *a, const void *b)
{
    const struct result *const *left = a, *const *right = b;

    if ((*left)->took_ns != (*right)->took_ns)
        return (*left)->took_ns > (*right)->took_ns ? -1 : 1;
    return *left < *right ? -1 : 1;
}

static void put_slowest(struct sink *k, const struct report *r)
{
    const struct result **list =
        r->step->host->alloc(r->step, (r->results->n + 1) * sizeof(struct result *));
    size_t n = 0;

    for (size_t i = 0; i < r->results->n; i++)
        if (r->results->list[i].took_ns > 0)
            list[n++] = &r->results->list[i];
    if (n == 0 || r->slowest == 0)
        return;
    qsort(list, n, sizeof(struct result *), compare_slow);
    sink_add(k,
             SPAN("\n<details><summary>Slowest tests</summary>\n\n| Test | Time |\n|---|--:|\n"));
    for (size_t i = 0; i < n && i < r->slowest; i++) {
        sink_add(k, SPAN("| "));
        markdown_plain(k, result_title(r->step, list[i]));
        sink_addf(k, " | %s |\n", report_seconds(r->step, list[i]->took_ns));
    }
    sink_add(k, SPAN("\n</details>\n"));
}

ost_status report_summary(const struct report *r)
{
    struct totals t = results_totals(r->results);
    struct sink k = {.step = r->step};

    sink_add(&k,
             SPAN("### Tests\n\n| Tests of | Total | Passed | Failed | Skipped | Flaky | Time |"));
    sink_addf(&k, "%s%s\n|---|--:|--:|--:|--:|--:|--:|%s%s\n| ",
              r->has_coverage ? " Coverage |" : "", r->has_diff ? " Of changes |" : "",
              r->has_coverage ? "--:|" : "", r->has_diff ? "--:|" : "");
    markdown_plain(&k, r->title);
    sink_addf(&k, "%s%s | %zu | %zu | %zu | %zu | %zu | %s |", *r->shard ? ", " : "", r->shard,
              t.all, t.passed, t.failed, t.skipped, t.flaky, report_seconds(r->step, r->took_ns));
    if (r->has_coverage)
        sink_addf(&k, " %s |", ratio_show(r->step, r->coverage));
    if (r->has_diff)
        sink_addf(&k, " %s |", ratio_show(r->step, r->diff));
    sink_add(&k, SPAN("\n"));
    if (r->cut_short) {
        sink_add(&k, SPAN("\n"));
        markdown_plain(&k, r->cut_short);
        sink_add(&k, SPAN(": these are the tests that were told of until then.\n"));
    }
    put_list(&k, r, "Failed", false);
    put_list(&k, r, "Flaky", true);
    put_slowest(&k, r);
    return r->step->host->summary(r->step, sink_text(&k));
}

/* ---- JUnit XML ---- */

static const char *escape_of(char c)
{
    return c == '&'    ? "&amp;"
           : c == '<'  ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '"'  ? "&quot;"
           : c == '\n' ? "&#10;"
           : c == '\t' ? "&#9;"
                       : "?";
}

static void put_xml(struct sink *k, const char *text)
{
    while (*text) {
        size_t n = 0;

        while (text[n] && !strchr("&<>\"", text[n]) && (unsigned char)text[n] >= 0x20)
            n++;
        sink_add(k, (struct span){text, n});
        text += n;
        if (*text)
            sink_add(k, span_of(escape_of(*text++)));
    }
}

static void put_attribute(struct sink *k, const char *name, const char *value)
{
    sink_addf(k, " %s=\"", name);
    put_xml(k, value);
    sink_add(k, SPAN("\""));
}

/* The elements in it are Surefire's, which everybody knows: flakyFailure for what passed in the end. */
static void put_test(struct sink *k, const struct result *t)
{
    const char *element = t->flaky                        ? "flakyFailure"
                          : t->outcome == OUTCOME_FAILED  ? "failure"
                          : t->outcome == OUTCOME_ERROR   ? "error"
                          : t->outcome == OUTCOME_SKIPPED ? "skipped"
                                                          : NULL;

    sink_add(k, SPAN("    <testcase"));
    put_attribute(k, "classname", t->suite);
    put_attribute(k, "name", t->name);
    if (*t->file)
        put_attribute(k, "file", t->file);
    if (t->line)
        sink_addf(k, " line=\"%u\"", t->line);
    if (t->took_ns >= 0)
        sink_addf(k, " time=\"%lld.%06lld\"", (long long)(t->took_ns / 1000000000),
                  (long long)(t->took_ns % 1000000000 / 1000));
    if (!element) {
        sink_add(k, SPAN("/>\n"));
        return;
    }
    sink_addf(k, "><%s", element);
    put_attribute(k, "message", t->message);
    sink_add(k, SPAN(">"));
    put_xml(k, t->outcome == OUTCOME_SKIPPED ? "" : t->detail);
    sink_addf(k, "</%s></testcase>\n", element);
}

struct span report_junit(const struct report *r)
{
    struct totals t = results_totals(r->results);
    struct sink k = {.step = r->step};

    sink_addf(
        &k,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\" "
        "errors=\"%zu\" skipped=\"%zu\">\n  <testsuite",
        t.all, t.failed - t.errors, t.errors, t.skipped);
    put_attribute(&k, "name", r->title);
    sink_addf(
        &k,
        " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%lld.%03lld\">\n",
        t.all, t.failed - t.errors, t.errors, t.skipped, (long long)(r->took_ns / 1000000000),
        (long long)(r->took_ns % 1000000000 / 1000000));
    for (size_t i = 0; i < r->results->n; i++)
        put_test(&k, &r->results->list[i]);
    sink_add(&k, SPAN("  </testsuite>\n</testsuites>\n"));
    return sink_span(&k);
}
