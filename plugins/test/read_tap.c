/* The Test Anything Protocol, https://testanything.org/tap-version-14-specification.html. A subtest is told before
 * the test point that sums it up, four columns further in; what is known of a point often comes behind it, in a
 * block of YAML or in comments. So a point is kept until the next one. */
#include "read.h"

#include <string.h>

enum { LEVELS_MAX = 32 };

struct level {
    const char *name; /* of the subtest that this level is the inside of; NULL: not said */
    size_t n_points;  /* test points seen on it */
    size_t n_bad;     /* of them and of those below, failed */
    uint32_t n_planned;
    bool planned;
};

struct tap {
    struct reader *r;
    struct level levels[LEVELS_MAX]; /* [0]: the top */
    unsigned depth;                  /* of the latest line */

    bool has_point; /* one is under way */
    struct result point;
    bool is_parent, is_suite; /* of it: it sums up subtests; it is no test by its own word */
    size_t n_bad_below;
    struct clip detail;

    bool in_yaml;
    size_t yaml_indent;
};

static size_t indent_of(struct span s)
{
    size_t n = 0;

    while (n < s.size && s.at[n] == ' ')
        n++;
    return n;
}

static const char *suite_of(struct tap *t, unsigned depth)
{
    struct sink k = {.step = t->r->step};

    for (unsigned i = 1; i <= depth; i++)
        if (t->levels[i].name)
            sink_addf(&k, "%s%s", k.size ? " > " : "", t->levels[i].name);
    return sink_text(&k);
}

/* A point that sums up subtests is counted only when it knows more than they: it failed, and they did not. A
 * suite of Node's that says so is none at all. */
static bool counts(const struct tap *t)
{
    bool bad = result_is_bad(&t->point);

    if (t->is_suite || t->is_parent)
        return bad && t->n_bad_below == 0;
    return true;
}

static void end_point(struct tap *t)
{
    struct result *p = &t->point;

    if (!t->has_point)
        return;
    t->has_point = t->in_yaml = false;
    if (result_is_bad(p)) {
        p->detail = clip_dup(&t->detail);
        if (!p->message)
            p->message = first_line(t->r->step, span_of(p->detail));
    }
    if (counts(t))
        results_add(t->r->step, t->r->to, *p);
}

/* "# SKIP why" or "# TODO why" behind a description. */
static void read_directive(struct tap *t, struct span *description)
{
    struct span s = *description;

    for (size_t i = 0; i + 1 < s.size; i++) {
        struct span word = {s.at + i + 1, s.size - i - 1};

        if (s.at[i] != '#' || (i > 0 && s.at[i - 1] == '\\'))
            continue;
        word = span_trim(word);
        if (word.size >= 4 &&
            (strncasecmp(word.at, "skip", 4) == 0 || strncasecmp(word.at, "todo", 4) == 0)) {
            description->size = i;
            while (word.size > 0 && word.at[0] != ' ')
                word = (struct span){word.at + 1, word.size - 1};
            t->point.message = span_dup(t->r->step, span_trim(word));
            t->point.outcome = OUTCOME_SKIPPED;
        }
        return;
    }
}

/* "ok 3 - description"; true if LINE is a test point. */
static bool read_point(struct tap *t, struct span line, unsigned depth)
{
    bool bad = span_eat(&line, "not ok");
    struct level *level = &t->levels[depth];
    uint32_t number;

    if (!bad && !span_eat(&line, "ok"))
        return false;
    if (line.size > 0 && line.at[0] != ' ')
        return false; /* "okay" */
    end_point(t);
    t->has_point = true;
    t->is_suite = false;
    t->is_parent = depth + 1 < LEVELS_MAX && t->levels[depth + 1].n_points > 0;
    t->n_bad_below = t->is_parent ? t->levels[depth + 1].n_bad : 0;
    clip_clear(&t->detail);
    t->point = (struct result){.suite = suite_of(t, depth), .took_ns = -1};
    t->point.outcome = bad ? OUTCOME_FAILED : OUTCOME_PASSED;
    line = span_trim(line);
    if (!span_eat_number(&line, &number))
        number = (uint32_t)level->n_points + 1;
    line = span_trim(line);
    if (span_eat(&line, "-"))
        line = span_trim(line);
    read_directive(t, &line);
    line = span_trim(line);
    t->point.name = line.size ? first_line(t->r->step, line) : ost_fmt(t->r->step, "%u", number);
    level->n_points++;
    level->n_bad += result_is_bad(&t->point) || t->n_bad_below > 0;
    for (unsigned i = depth + 1; i < LEVELS_MAX; i++)
        t->levels[i] = (struct level){0};
    return true;
}

/* "1..5", "1..0 # SKIP there is no database" */
static bool read_plan(struct tap *t, struct span line, unsigned depth)
{
    uint32_t n;

    if (!span_eat(&line, "1..") || !span_eat_number(&line, &n))
        return false;
    t->levels[depth].planned = true;
    t->levels[depth].n_planned = n;
    return true;
}

static struct span unquote(struct span s)
{
    s = span_trim(s);
    if (s.size >= 2 && (s.at[0] == '\'' || s.at[0] == '"') && s.at[s.size - 1] == s.at[0])
        s = (struct span){s.at + 1, s.size - 2};
    return s;
}

/* "/w/a.test.js:4:1" */
static void read_location(struct tap *t, struct span s)
{
    size_t i = s.size;
    unsigned colons = 0;

    /* The numbers are taken off the end: a path may hold colons, too. */
    while (i > 0 && colons < 2 &&
           (s.at[i - 1] == ':' || (s.at[i - 1] >= '0' && s.at[i - 1] <= '9')))
        colons += s.at[--i] == ':';
    if (colons == 0)
        return;
    t->point.file = span_dup(t->r->step, (struct span){s.at, i});
    s = (struct span){s.at + i + 1, s.size - i - 1};
    span_eat_number(&s, &t->point.line);
}

/* One line of the block behind a point, as Node, tap and others write it. */
static void read_yaml(struct tap *t, struct span line)
{
    struct span s = span_trim(line), key;

    if (!span_eat_until(&s, ':', &key))
        key = (struct span){"", 0};
    s = unquote(s);
    if (span_is(key,
                "duration_ms")) { /* Node's, in whose eyes a test with subtests is one itself */
        t->point.took_ns = millis_parse(s);
        t->is_parent = false;
        return;
    }
    if (span_is(key, "location")) {
        read_location(t, s);
        return; /* it is where the test begins, not where it failed */
    }
    clip_line(&t->detail, line);
    if (span_is(key, "type"))
        t->is_suite = span_is(s, "suite");
    else if (span_is(key, "failureType"))
        t->point.echo = span_is(s, "subtestsFailed");
    else if (span_is(key, "file") && !t->point.file)
        t->point.file = span_dup(t->r->step, s);
    else if (span_is(key, "line") && !t->point.line)
        span_eat_number(&s, &t->point.line);
    else if ((span_is(key, "error") || span_is(key, "message")) && s.size > 2)
        t->point.message = first_line(t->r->step, s);
}

/* True if LINE belongs to a block of YAML. */
static bool take_yaml(struct tap *t, struct span line)
{
    size_t indent = indent_of(line);
    struct span s = span_trim(line);

    if (t->in_yaml) {
        if (indent == t->yaml_indent && span_is(s, "..."))
            t->in_yaml = false;
        else
            read_yaml(t, line);
        return true;
    }
    if (!t->has_point || !span_is(s, "---"))
        return false;
    t->in_yaml = true;
    t->yaml_indent = indent;
    return true;
}

static void read_line(struct reader *r, struct span line)
{
    struct tap *t = r->state;
    unsigned depth = (unsigned)(indent_of(line) / 4);
    struct span s;

    if (take_yaml(t, line))
        return;
    s = span_trim(line);
    depth = depth < LEVELS_MAX ? depth : LEVELS_MAX - 1;
    if (read_point(t, s, depth) || read_plan(t, s, depth))
        return;
    if (span_eat(&s, "Bail out!")) {
        r->trouble = ost_fmt(r->step, "the tests bailed out: %s", first_line(r->step, s));
    } else if (span_eat(&s, "# Subtest: ")) {
        /* Node indents it as the subtest's points' parent is; TAP 14 as the points themselves are allowed to. */
        end_point(t);
        if (depth + 1 < LEVELS_MAX)
            t->levels[depth + 1] = (struct level){.name = first_line(r->step, s)};
    } else if (t->has_point && result_is_bad(&t->point) && s.size > 0) {
        if (span_eat(&s, "#"))
            span_eat(&s, " ");
        clip_line(&t->detail, s);
    }
}

static void begin(struct reader *r)
{
    struct tap *t = r->state;

    t->r = r;
    t->detail.step = r->step;
}

static void end(struct reader *r)
{
    struct tap *t = r->state;
    const struct level *top = &t->levels[0];

    end_point(t);
    if (r->trouble)
        return;
    if (top->planned && top->n_planned != top->n_points)
        r->trouble =
            ost_fmt(r->step, "%u tests were planned, and %zu came", top->n_planned, top->n_points);
    else if (!top->planned && top->n_points > 0)
        r->trouble = "the plan is missing: it ended too early";
}

const struct format format_tap = {
    .name = "TAP",
    .state_size = sizeof(struct tap),
    .begin = begin,
    .line = read_line,
    .end = end,
};
