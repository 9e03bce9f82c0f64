/* go test -json: one object a line, https://pkg.go.dev/cmd/test2json. Tests of several packages, and parallel ones
 * of one, come mixed. Lines are many and flat, so they are not made trees of, but looked through. */
#include "read.h"

#include "../lib/index.h"

#include <string.h>

enum { KEY_MAX = 8192 }; /* bytes of a package and a test together; what is longer is one */

struct event {
    const char *action, *package, *test, *output; /* "": none */
    size_t output_size;
    int64_t elapsed_ns; /* -1: none */
    char *room;         /* where the texts are unescaped */
    size_t used;
};

struct open_test { /* one that runs; or, with TEST "", a package */
    const char *package, *test;
    struct clip output;
    bool open, bad; /* BAD: a test of the package, or a subtest of the test, failed */
};

struct go {
    struct index index; /* of OPEN, by "package test" */
    struct open_test *open;
    size_t n, room;
    char *line_room, *key_room; /* for one event's texts */
};

/* ---- one line ---- */

/* At the opening quote: unescapes into E's room, behind what is there. Escapes beyond one byte become '?' but for
 * the ones Go writes itself, <, > and &. */
static bool take_text(struct span *s, struct event *e, const char **ret, size_t *ret_size)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    size_t start = e->used, i = 1;

    for (; i < s->size && s->at[i] != '"'; i++) {
        const char *which;
        unsigned code = 0;

        if (s->at[i] != '\\') {
            e->room[e->used++] = s->at[i];
            continue;
        }
        if (++i == s->size)
            return false;
        which = s->at[i] ? strchr(names, s->at[i]) : NULL;
        if (which) {
            e->room[e->used++] = values[which - names];
            continue;
        }
        for (unsigned k = 0; s->at[i] == 'u' && k < 4 && i + 1 < s->size; k++) {
            char c = s->at[++i];

            code = code * 16 + (unsigned)(c <= '9' ? c - '0' : ((c | 32) - 'a' + 10) & 15);
        }
        e->room[e->used++] = code >= 0x1b && code < 0x7f ? (char)code : '?';
    }
    if (i >= s->size)
        return false;
    *ret = e->room + start;
    *ret_size = e->used - start;
    e->room[e->used++] = '\0';
    *s = (struct span){s->at + i + 1, s->size - i - 1};
    return true;
}

static void skip(struct span *s, const char *what)
{
    while (s->size > 0 && strchr(what, s->at[0]) && s->at[0])
        *s = (struct span){s->at + 1, s->size - 1};
}

/* A number, word or nested value: up to the comma or bracket that ends it. */
static struct span take_other(struct span *s)
{
    struct span value = {s->at, 0};

    while (s->size > 0 && s->at[0] != ',' && s->at[0] != '}')
        *s = (struct span){s->at + 1, s->size - 1};
    value.size = (size_t)(s->at - value.at);
    return value;
}

static bool read_event(struct span s, struct event *e)
{
    const char *key, *text;
    size_t key_size, size;

    s = span_trim(s);
    if (!span_eat(&s, "{"))
        return false;
    for (;;) {
        skip(&s, " ,");
        if (s.size == 0 || s.at[0] != '"' || !take_text(&s, e, &key, &key_size))
            return *e->action != '\0';
        skip(&s, " :");
        if (s.size == 0 || s.at[0] != '"') {
            struct span value = take_other(&s);

            if (strcmp(key, "Elapsed") == 0)
                e->elapsed_ns = seconds_parse(value);
            continue;
        }
        if (!take_text(&s, e, &text, &size))
            return *e->action != '\0';
        if (strcmp(key, "Action") == 0)
            e->action = text;
        else if (strcmp(key, "Package") == 0 || (strcmp(key, "ImportPath") == 0 && !*e->package))
            e->package = text;
        else if (strcmp(key, "Test") == 0)
            e->test = text;
        else if (strcmp(key, "Output") == 0) {
            e->output = text;
            e->output_size = size;
        }
    }
}

/* ---- what it means ---- */

static struct open_test *find_open(struct reader *r, const struct event *e, const char *test)
{
    struct go *g = r->state;
    size_t at;

    snprintf(g->key_room, KEY_MAX, "%s %s", e->package, test);
    at = index_get(&g->index, g->key_room);

    if (at != INDEX_NONE)
        return &g->open[at];
    if (g->n == g->room) {
        size_t room = g->room ? g->room * 2 : 64;
        struct open_test *open = r->step->host->alloc(r->step, room * sizeof *open);

        if (g->n > 0)
            memcpy(open, g->open, g->n * sizeof *open);
        g->open = open;
        g->room = room;
    }
    g->open[g->n] = (struct open_test){.package = span_dup(r->step, span_of(e->package)),
                                       .test = span_dup(r->step, span_of(test)),
                                       .output = {.step = r->step}};
    index_set(&g->index, span_dup(r->step, span_of(g->key_room)), g->n);
    return &g->open[g->n++];
}

static void say(struct reader *r, struct span text)
{
    text = span_trim(text);
    if (r->say && text.size > 0)
        r->say(r->say_ctx, text);
}

/* "    a_test.go:7: 1 is not 2", or of a panic its first line. */
static const char *message_of(struct ost_step *step, const char *detail)
{
    struct span s = span_of(detail), line;

    while (span_line(&s, &line)) {
        line = span_trim(line);
        if (line.size > 0 && !span_starts(line, "=== ") && !span_starts(line, "--- "))
            return first_line(step, line);
    }
    return "";
}

static void end_test(struct reader *r, struct open_test *t, enum outcome outcome, int64_t took_ns,
                     const char *message)
{
    struct result x = {.suite = t->package,
                       .name = *t->test ? t->test : "(the package itself)",
                       .outcome = outcome,
                       .took_ns = took_ns};

    t->open = false;
    if (outcome != OUTCOME_PASSED) {
        x.detail = clip_dup(&t->output);
        x.message = message ? message : message_of(r->step, x.detail);
        x.echo = t->bad && *t->test && !*x.message;
        x.message = x.echo ? "a subtest failed" : x.message;
    }
    if (outcome == OUTCOME_FAILED || outcome == OUTCOME_ERROR)
        say(r, *t->test ? span_of(x.detail) : SPAN(""));
    clip_clear(&t->output);
    results_add(r->step, r->to, x);
}

/* A package has failed: so have the tests of it that never ended. Where none has failed at all, it is the package
 * that did: it was not built, or something outside of its tests broke down. */
static void end_package(struct reader *r, struct open_test *p)
{
    struct go *g = r->state;
    size_t package = (size_t)(p - g->open);

    for (size_t i = 0; i < g->n; i++) {
        struct open_test *t = &g->open[i];

        if (!t->open || !*t->test || strcmp(t->package, g->open[package].package) != 0)
            continue;
        end_test(r, t, OUTCOME_FAILED, -1, "it did not end");
        g->open[package].bad = true;
    }
    if (!g->open[package].bad)
        end_test(r, &g->open[package], OUTCOME_ERROR, -1, NULL);
}

/* The test that a failed subtest is of, and the package. */
static void blame_above(struct reader *r, const struct event *e)
{
    const char *slash = strrchr(e->test, '/');

    if (slash)
        find_open(r, e, span_dup(r->step, (struct span){e->test, (size_t)(slash - e->test)}))->bad =
            true;
    find_open(r, e, "")->bad = true;
}

static void on_event(struct reader *r, const struct event *e)
{
    struct open_test *t = find_open(r, e, e->test);

    if (strcmp(e->action, "run") == 0) {
        t->open = true;
    } else if (strcmp(e->action, "output") == 0 || strcmp(e->action, "build-output") == 0) {
        clip_add(&t->output, (struct span){e->output, e->output_size});
        if (!*e->test)
            say(r, (struct span){e->output, e->output_size});
    } else if (strcmp(e->action, "pass") == 0 && *e->test) {
        end_test(r, t, OUTCOME_PASSED, e->elapsed_ns, NULL);
    } else if (strcmp(e->action, "skip") == 0 && *e->test) {
        end_test(r, t, OUTCOME_SKIPPED, e->elapsed_ns, NULL);
    } else if (strcmp(e->action, "fail") == 0 && *e->test) {
        end_test(r, t, OUTCOME_FAILED, e->elapsed_ns, NULL);
        blame_above(r, e);
    } else if (strcmp(e->action, "fail") == 0) {
        end_package(r, t);
    }
}

/* "FAIL\texample.com/calc [build failed]": until version 1.20 that is all that is said of a package that could not be
 * built, and outside of the JSON. */
static void read_plain(struct reader *r, struct span line)
{
    struct event e = {.package = "", .test = ""};
    struct span name, rest = line;
    struct open_test *p;

    say(r, line);
    if (!span_eat(&rest, "FAIL\t") || !span_eat_until(&rest, ' ', &name) ||
        !span_ends(rest, " failed]"))
        return;
    e.package = span_dup(r->step, name);
    p = find_open(r, &e, "");
    clip_line(&p->output, line);
    end_test(r, p, OUTCOME_ERROR, -1, NULL);
}

static void read_line(struct reader *r, struct span line)
{
    struct go *g = r->state;
    struct event e = {.action = "", .package = "", .test = "", .output = "", .elapsed_ns = -1};

    e.room = g->line_room;
    if (read_event(line, &e))
        on_event(r, &e);
    else
        read_plain(r, line);
}

static void begin(struct reader *r)
{
    struct go *g = r->state;

    g->index.step = r->step;
    g->line_room = r->step->host->alloc(r->step, 2 * READ_LINE_MAX);
    g->key_room = r->step->host->alloc(r->step, KEY_MAX);
}

static void end(struct reader *r)
{
    struct go *g = r->state;

    /* Stopped in the middle: what ran then did not end. */
    for (size_t i = 0; i < g->n; i++)
        if (g->open[i].open && *g->open[i].test)
            end_test(r, &g->open[i], OUTCOME_FAILED, -1, "it did not end");
}

const struct format format_go = {
    .name = "the output of go test -json",
    .state_size = sizeof(struct go),
    .begin = begin,
    .line = read_line,
    .end = end,
};
