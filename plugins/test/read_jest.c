/* The JSON of Jest's --json, which Vitest writes, too. */
#include "read.h"

#include "../lib/json.h"

#include <string.h>

struct jest {
    struct reader *r;
    struct sink text;
    bool overflow;
};

static void bytes(struct reader *r, struct span s)
{
    struct jest *j = r->state;

    j->text.step = r->step;
    if (j->text.size + s.size > READ_WHOLE_MAX)
        j->overflow = true;
    else
        sink_add(&j->text, s);
}

static enum outcome outcome_of(const char *status)
{
    if (strcmp(status, "passed") == 0)
        return OUTCOME_PASSED;
    return strcmp(status, "failed") == 0 ? OUTCOME_FAILED : OUTCOME_SKIPPED;
}

static const char *titles(struct ost_step *step, const struct json *list)
{
    struct sink k = {.step = step};

    for (const struct json *j = list ? list->first : NULL; j; j = j->next)
        if (j->kind == JSON_TEXT && *j->text)
            sink_addf(&k, "%s%s", k.size ? " > " : "", j->text);
    return sink_text(&k);
}

static const char *messages(struct ost_step *step, const struct json *list)
{
    struct clip c = {.step = step};

    for (const struct json *j = list ? list->first : NULL; j; j = j->next)
        if (j->kind == JSON_TEXT)
            clip_line(&c, span_of(j->text));
    return clip_dup(&c);
}

static void read_test(struct reader *r, const struct json *test, const char *file)
{
    const struct json *duration = json_get(test, "duration");
    struct result t = {
        .name = json_text(test, "title"),
        .suite = titles(r->step, json_get(test, "ancestorTitles")),
        .file = file,
        .line = json_number(json_get(test, "location"), "line"),
        .outcome = outcome_of(json_text(test, "status")),
        .took_ns =
            duration && duration->kind == JSON_NUMBER ? millis_parse(span_of(duration->text)) : -1,
    };

    t.detail = messages(r->step, json_get(test, "failureMessages"));
    t.message = first_line(r->step, span_of(t.detail));
    results_add(r->step, r->to, t);
}

/* A file; one that could not even be loaded has no tests, and a message. */
static void read_file_of(struct reader *r, const struct json *file)
{
    const char *name = json_text(file, "name");
    const struct json *tests = json_get(file, "assertionResults");
    struct clip c = {.step = r->step};
    struct result broken = {.outcome = OUTCOME_ERROR, .took_ns = -1};

    name = *name ? name : json_text(file, "testFilePath");
    for (const struct json *t = tests ? tests->first : NULL; t; t = t->next)
        read_test(r, t, name);
    if ((tests && tests->first) || strcmp(json_text(file, "status"), "failed") != 0)
        return;
    clip_add(&c, span_of(json_text(file, "message")));
    broken.name = broken.file = name;
    broken.detail = clip_dup(&c);
    broken.message = first_line(r->step, span_of(broken.detail));
    results_add(r->step, r->to, broken);
}

static void end(struct reader *r)
{
    struct jest *j = r->state;
    const struct json *report = NULL, *files;
    const char *why = "it is empty";

    if (j->overflow)
        why = ost_fmt(r->step, "it is larger than %d MiB", READ_WHOLE_MAX >> 20);
    else if (j->text.data)
        report = json_read(r->step, j->text.data, j->text.size, false, &why);
    files = json_get(report, "testResults");
    if (!report)
        r->trouble = why;
    else if (!files || files->kind != JSON_ARRAY)
        r->trouble = "it has no 'testResults'";
    for (const struct json *f = files ? files->first : NULL; f; f = f->next)
        read_file_of(r, f);
}

const struct format format_jest = {
    .name = "the JSON of Jest and Vitest",
    .state_size = sizeof(struct jest),
    .bytes = bytes,
    .end = end,
};
