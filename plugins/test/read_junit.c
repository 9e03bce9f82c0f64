/* JUnit XML. There is no standard, only what Ant's task wrote first; what is read here is what pytest, CTest,
 * criterion, Surefire, Gradle, PHPUnit, Mocha, Jest's and Go's reporters agree on:
 *
 *     testsuites > testsuite (in each other, too) > testcase > failure | error | skipped | system-out
 */
#include "read.h"

#include "../lib/xml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SUITES_MAX = 100, /* in each other; XML_DEPTH_MAX ends them before */
    NAME_MAX_SIZE = 4096,
};

struct junit {
    struct reader *r;
    struct xml *xml;
    bool is_report; /* the root element is one of ours */
    const char *suites[SUITES_MAX], *files[SUITES_MAX];
    unsigned n_suites;

    bool in_case;
    bool not_run;       /* CTest's word for what was skipped, and for what could not be started */
    struct result test; /* under way */
    struct clip reason, output; /* of its failure; of its system-out and -err */
    struct clip *text;          /* where text belongs; NULL: nowhere */
};

static const char *keep(struct junit *j, const char *text)
{
    size_t n = strnlen(text, NAME_MAX_SIZE);

    return *text ? span_dup(j->r->step, (struct span){text, n}) : "";
}

static const char *attribute(struct junit *j, const char *const *attributes, const char *name)
{
    return keep(j, xml_get(attributes, name));
}

/* Of the innermost suite that has one. */
static const char *of_suite(const char *const *list, unsigned n)
{
    while (n > 0)
        if (*list[--n])
            return list[n];
    return "";
}

static void open_suite(struct junit *j, const char *const *attributes)
{
    if (j->n_suites == SUITES_MAX)
        return;
    j->suites[j->n_suites] = attribute(j, attributes, "name");
    j->files[j->n_suites++] = attribute(j, attributes, "file");
}

static uint32_t line_of(const char *const *attributes)
{
    struct span s = span_of(xml_get(attributes, "line"));
    uint32_t line;

    return span_eat_number(&s, &line) ? line : 0;
}

static void open_case(struct junit *j, const char *const *attributes)
{
    const char *class = attribute(j, attributes, "classname");
    const char *file = attribute(j, attributes, "file"), *status = xml_get(attributes, "status");

    j->in_case = true;
    j->not_run = strcasecmp(status, "notrun") == 0;
    j->test = (struct result){
        .suite = *class ? class : of_suite(j->suites, j->n_suites),
        .name = attribute(j, attributes, "name"),
        .file = *file ? file : of_suite(j->files, j->n_suites),
        .line = line_of(attributes),
        .took_ns = seconds_parse(span_of(xml_get(attributes, "time"))),
    };
    if (strcmp(j->test.suite, j->test.name) == 0) /* CTest says it twice */
        j->test.suite = "";
    /* CTest and criterion say it here, whatever else there is. */
    if (strcasecmp(status, "skipped") == 0 || strcasecmp(status, "disabled") == 0 ||
        strcasecmp(status, "notrun") == 0)
        j->test.outcome = OUTCOME_SKIPPED;
    else if (strcasecmp(status, "errored") == 0)
        j->test.outcome = OUTCOME_ERROR;
    else if (strcasecmp(status, "failed") == 0 || strcasecmp(status, "fail") == 0)
        j->test.outcome = OUTCOME_FAILED;
    clip_clear(&j->reason);
    clip_clear(&j->output);
}

/* A failure, error or skip. The first message is the one; of several, all the texts are. */
static void open_outcome(struct junit *j, enum outcome outcome, const char *const *attributes)
{
    const char *message = xml_get(attributes, "message"), *type = xml_get(attributes, "type");

    if (!j->in_case) { /* of a suite: nothing of it could be tried */
        j->in_case = true;
        j->test = (struct result){.suite = of_suite(j->suites, j->n_suites),
                                  .name = "(the suite itself)",
                                  .file = of_suite(j->files, j->n_suites),
                                  .took_ns = -1};
        clip_clear(&j->reason);
        clip_clear(&j->output);
    }
    if (outcome == OUTCOME_SKIPPED && j->not_run && strncmp(message, "SKIP_", 5) != 0)
        outcome = OUTCOME_ERROR; /* no executable, a fixture that failed */
    if (!result_is_bad(&j->test))
        j->test.outcome = outcome;
    if (!j->test.message)
        j->test.message = *message ? first_line(j->r->step, span_of(message)) : keep(j, type);
    if (j->reason.size > 0)
        clip_add(&j->reason, SPAN("\n\n"));
    j->text = outcome == OUTCOME_SKIPPED ? NULL : &j->reason;
    if (j->text && strchr(message, '\n')) /* more than fits a line, and not always said again */
        clip_line(&j->reason, span_of(message));
}

/* criterion's "2 assertion(s) failed.", with those below it. */
static bool is_count(const char *message)
{
    return span_ends(span_of(message), " assertion(s) failed.");
}

static void close_case(struct junit *j)
{
    const char *reason = clip_dup(&j->reason);

    if (result_is_bad(&j->test)) {
        j->test.detail = *reason ? reason : clip_dup(&j->output);
        if (j->test.message && strcmp(j->test.message, "collection failure") == 0)
            j->test.message = last_line(j->r->step, span_of(j->test.detail)); /* pytest's */
        if (!j->test.message || !*j->test.message || is_count(j->test.message))
            j->test.message = first_line(j->r->step, span_of(j->test.detail));
    }
    results_add(j->r->step, j->r->to, j->test);
    j->in_case = false;
    j->text = NULL;
}

static void on_open(void *ctx, const char *name, const char *const *attributes)
{
    struct junit *j = ctx;

    if (j->r->trouble)
        return;
    if (!j->is_report && strcmp(name, "testsuites") != 0 && strcmp(name, "testsuite") != 0) {
        j->r->trouble =
            ost_fmt(j->r->step, "its root element is <%s>, not <testsuites>", keep(j, name));
        return;
    }
    j->is_report = true;
    if (strcmp(name, "testsuite") == 0)
        open_suite(j, attributes);
    else if (strcmp(name, "testcase") == 0)
        open_case(j, attributes);
    else if (strcmp(name, "failure") == 0)
        open_outcome(j, OUTCOME_FAILED, attributes);
    else if (strcmp(name, "error") == 0)
        open_outcome(j, OUTCOME_ERROR, attributes);
    else if (strcmp(name, "skipped") == 0)
        open_outcome(j, OUTCOME_SKIPPED, attributes);
    else if (strncmp(name, "flaky", 5) == 0) /* Surefire's own reruns: it passed in the end */
        j->test.flaky = true;
    else if (strcmp(name, "system-out") == 0 || strcmp(name, "system-err") == 0)
        j->text = j->in_case ? &j->output : NULL;
}

static void on_close(void *ctx, const char *name)
{
    struct junit *j = ctx;

    if (strcmp(name, "testsuite") == 0 && j->n_suites > 0)
        j->n_suites--;
    else if (strcmp(name, "testcase") == 0 && j->in_case)
        close_case(j);
    else if (strcmp(name, "failure") == 0 || strcmp(name, "error") == 0)
        j->text = NULL;
    else if (strncmp(name, "system-", 7) == 0)
        j->text = NULL;
    if (j->in_case && strcmp(j->test.name, "(the suite itself)") == 0 && !j->text)
        close_case(j);
}

static void on_text(void *ctx, struct span text)
{
    struct junit *j = ctx;

    if (j->text)
        clip_add(j->text, text);
}

static void begin(struct reader *r)
{
    static const struct xml_events events = {on_open, on_close, on_text};
    struct junit *j = r->state;

    j->r = r;
    j->reason.step = j->output.step = r->step;
    j->xml = xml_new(r->step, &events, j);
}

static void bytes(struct reader *r, struct span s)
{
    struct junit *j = r->state;

    if (!r->trouble && !xml_feed(j->xml, s, false) && !r->trouble)
        r->trouble = xml_wrong(j->xml);
}

static void end(struct reader *r)
{
    struct junit *j = r->state;

    if (!r->trouble && !xml_feed(j->xml, (struct span){"", 0}, true) && !r->trouble)
        r->trouble = xml_wrong(j->xml);
    j->xml = xml_free(j->xml);
}

const struct format format_junit = {
    .name = "JUnit XML",
    .state_size = sizeof(struct junit),
    .begin = begin,
    .bytes = bytes,
    .end = end,
};
