#include "lint_sarif.h"

#include "lint_tool.h"

#include <stdlib.h>
#include <string.h>

/* How many bytes at S are one well-formed UTF-8 character; 0: none. */
static size_t utf8_size(const char *s)
{
    unsigned char lead = (unsigned char)s[0];
    size_t n = lead < 0x80   ? 1
               : lead < 0xc2 ? 0
               : lead < 0xe0 ? 2
               : lead < 0xf0 ? 3
               : lead < 0xf5 ? 4
                             : 0;

    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
    if (n == 3 && ((lead == 0xe0 && (unsigned char)s[1] < 0xa0) ||
                   (lead == 0xed && (unsigned char)s[1] > 0x9f)))
        return 0; /* overlong, or half a surrogate pair */
    if (n == 4 && ((lead == 0xf0 && (unsigned char)s[1] < 0x90) ||
                   (lead == 0xf4 && (unsigned char)s[1] > 0x8f)))
        return 0;
    return n;
}

/* TEXT in quotes. What is no UTF-8 becomes U+FFFD. */
static void put_text(struct sink *k, const char *text)
{
    sink_add(k, SPAN("\""));
    while (*text) {
        size_t plain = 0, n;

        while ((n = utf8_size(text + plain)) > 0 && (unsigned char)text[plain] >= 0x20 &&
               text[plain] != '"' && text[plain] != '\\')
            plain += n;
        sink_add(k, (struct span){text, plain});
        text += plain;
        if (!*text)
            break;
        if (*text == '"' || *text == '\\')
            sink_addf(k, "\\%c", *text);
        else if (*text == '\n')
            sink_add(k, SPAN("\\n"));
        else if ((unsigned char)*text < 0x20)
            sink_addf(k, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            sink_add(k, SPAN("\\ufffd"));
        text++;
    }
    sink_add(k, SPAN("\""));
}

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
        put_text(k, f->rule);
        if (found)
            sink_addf(k, ",\"ruleIndex\":%zu", (size_t)(found - rules->list));
    }
    sink_add(k, SPAN(",\"message\":{\"text\":"));
    put_text(k, f->message);
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

/* The rules that the findings of T name, once each. */
static struct rules rules_of(struct ost_step *step, const struct checks *checks,
                             const struct tool *t)
{
    struct rules rules = {0};
    size_t n = 0, all = 0;

    for (size_t i = 0; i < checks->n; i++)
        all += checks->list[i].tool == t ? checks->list[i].findings.n : 0;
    rules.list = step->host->alloc(step, (all + 1) * sizeof *rules.list);
    for (size_t i = 0; i < checks->n; i++) {
        const struct findings *f = &checks->list[i].findings;

        for (size_t j = 0; checks->list[i].tool == t && j < f->n; j++)
            if (*f->list[j].rule)
                rules.list[n++] = (struct rule){f->list[j].rule, f->list[j].help};
    }
    if (n > 0)
        qsort(rules.list, n, sizeof *rules.list, compare_rules);
    for (size_t i = 0; i < n; i++)
        if (rules.n == 0 || compare_rules(&rules.list[rules.n - 1], &rules.list[i]) != 0)
            rules.list[rules.n++] = rules.list[i];
    return rules;
}

static void put_run(struct sink *k, const struct checks *checks, const struct tool *t)
{
    struct rules rules = rules_of(k->step, checks, t);
    const char *comma = "";

    sink_add(k, SPAN("    {\n      \"tool\":{\"driver\":{\"name\":"));
    put_text(k, t->name);
    sink_add(k, SPAN(",\"informationUri\":"));
    put_text(k, t->url);
    sink_add(k, SPAN(",\"rules\":["));
    for (size_t i = 0; i < rules.n; i++) {
        sink_addf(k, "%s\n        {\"id\":", i ? "," : "");
        put_text(k, rules.list[i].id);
        if (*rules.list[i].help) {
            sink_add(k, SPAN(",\"helpUri\":"));
            put_text(k, rules.list[i].help);
        }
        sink_add(k, SPAN("}"));
    }
    sink_add(k, SPAN("]}},\n      \"columnKind\":\"unicodeCodePoints\",\n      \"results\":["));
    for (size_t i = 0; i < checks->n; i++) {
        const struct findings *f = &checks->list[i].findings;

        for (size_t j = 0; checks->list[i].tool == t && j < f->n; j++) {
            sink_addf(k, "%s", comma);
            put_result(k, &f->list[j], &rules);
            comma = ",";
        }
    }
    sink_add(k, SPAN("]\n    }"));
}

static bool has_run(const struct checks *checks, const struct tool *t)
{
    for (size_t i = 0; i < checks->n; i++)
        if (checks->list[i].tool == t && !check_is_left_out(&checks->list[i]))
            return true;
    return false;
}

const char *sarif_format(struct ost_step *step, const struct checks *checks)
{
    struct sink k = {.step = step};
    const char *comma = "";

    sink_add(&k, SPAN("{\n  \"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\n"
                      "  \"version\":\"2.1.0\",\n  \"runs\":[\n"));
    for (const struct tool *t = tools; t->name; t++) {
        if (!has_run(checks, t))
            continue;
        sink_addf(&k, "%s", comma);
        put_run(&k, checks, t);
        comma = ",\n";
    }
    sink_add(&k, SPAN("\n  ]\n}\n"));
    return sink_text(&k);
}
