#include "sarif.h"

#include "json_put.h"

#include <stdlib.h>
#include <string.h>

/* PATH as the text of a URI reference. */
static void put_uri(struct sink *k, const char *path)
{
    static const char plain[] = "-._~/!$&'()*+,;=@";

    sink_add(k, path[0] == '/' ? SPAN("\"file://") : SPAN("\""));
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;

        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr(plain, c))
            sink_addf(k, "%c", c);
        else
            sink_addf(k, "%%%02X", c);
    }
    sink_add(k, SPAN("\""));
}

static void put_region(struct sink *k, const struct finding *f)
{
    /* The end of a one-line finding is a column of that line; without a line there is no region. */
    if (!f->line)
        return;
    sink_addf(k, ",\"region\":{\"startLine\":%u", f->line);
    if (f->col)
        sink_addf(k, ",\"startColumn\":%u", f->col);
    if (f->end_line >= f->line)
        sink_addf(k, ",\"endLine\":%u", f->end_line);
    if (f->end_col && f->end_line >= f->line && (f->end_line > f->line || f->end_col >= f->col))
        sink_addf(k, ",\"endColumn\":%u", f->end_col);
    sink_add(k, SPAN("}"));
}

struct rule {
    const char *id, *help;
};

struct rules {
    struct rule *list;
    size_t n;
};

static int compare_rules(const void *a, const void *b)
{
    return strcmp(((const struct rule *)a)->id, ((const struct rule *)b)->id);
}

static void put_result(struct sink *k, const struct finding *f, const struct rules *rules)
{
    static const char *const levels[SEVERITIES] = {"note", "warning", "error"};

    sink_addf(k, "\n        {\"level\":\"%s\"", levels[f->severity]);
    if (*f->rule) {
        struct rule key = {f->rule, NULL};
        const struct rule *found = bsearch(&key, rules->list, rules->n, sizeof key, compare_rules);

        sink_add(k, SPAN(",\"ruleId\":"));
        json_put_text(k, f->rule);
        if (found)
            sink_addf(k, ",\"ruleIndex\":%zu", (size_t)(found - rules->list));
    }
    sink_add(k, SPAN(",\"message\":{\"text\":"));
    json_put_text(k, f->message);
    sink_add(k, SPAN("}"));
    if (*f->file) {
        sink_add(k, SPAN(",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":"));
        put_uri(k, f->file);
        if (f->file[0] != '/')
            sink_add(k, SPAN(",\"uriBaseId\":\"%SRCROOT%\""));
        sink_add(k, SPAN("}"));
        put_region(k, f);
        sink_add(k, SPAN("}}]"));
    }
    sink_add(k, SPAN("}"));
}

/* The rules that the results of RUN name, once each. */
static struct rules rules_of(struct ost_step *step, const struct sarif_run *run)
{
    struct rules rules = {0};
    size_t n = 0, all = 0;

    for (const struct findings *const *f = run->results; *f; f++)
        all += (*f)->n;
    rules.list = step->host->alloc(step, (all + 1) * sizeof *rules.list);
    for (const struct findings *const *f = run->results; *f; f++)
        for (size_t i = 0; i < (*f)->n; i++)
            if (*(*f)->list[i].rule)
                rules.list[n++] = (struct rule){(*f)->list[i].rule, (*f)->list[i].help};
    if (n > 0)
        qsort(rules.list, n, sizeof *rules.list, compare_rules);
    for (size_t i = 0; i < n; i++)
        if (rules.n == 0 || compare_rules(&rules.list[rules.n - 1], &rules.list[i]) != 0)
            rules.list[rules.n++] = rules.list[i];
    return rules;
}

static void put_run(struct sink *k, const struct sarif_run *run)
{
    struct rules rules = rules_of(k->step, run);
    const char *comma = "";

    sink_add(k, SPAN("    {\n      \"tool\":{\"driver\":{\"name\":"));
    json_put_text(k, run->tool);
    sink_add(k, SPAN(",\"informationUri\":"));
    json_put_text(k, run->url);
    sink_add(k, SPAN(",\"rules\":["));
    for (size_t i = 0; i < rules.n; i++) {
        sink_addf(k, "%s\n        {\"id\":", i ? "," : "");
        json_put_text(k, rules.list[i].id);
        if (*rules.list[i].help) {
            sink_add(k, SPAN(",\"helpUri\":"));
            json_put_text(k, rules.list[i].help);
        }
        sink_add(k, SPAN("}"));
    }
    sink_add(k, SPAN("]}},\n      \"columnKind\":\"unicodeCodePoints\",\n      \"results\":["));
    for (const struct findings *const *f = run->results; *f; f++)
        for (size_t i = 0; i < (*f)->n; i++) {
            sink_addf(k, "%s", comma);
            put_result(k, &(*f)->list[i], &rules);
            comma = ",";
        }
    sink_add(k, SPAN("]\n    }"));
}

const char *sarif_format(struct ost_step *step, const struct sarif_run *runs)
{
    struct sink k = {.step = step};

    sink_add(&k, SPAN("{\n  \"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\n"
                      "  \"version\":\"2.1.0\",\n  \"runs\":[\n"));
    for (const struct sarif_run *run = runs; run->tool; run++) {
        sink_addf(&k, "%s", run > runs ? ",\n" : "");
        put_run(&k, run);
    }
    sink_add(&k, SPAN("\n  ]\n}\n"));
    return sink_text(&k);
}
