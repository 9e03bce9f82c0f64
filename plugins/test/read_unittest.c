/* What Python's unittest prints with -v, and Django's runner, which is made of it:
 *
 *     test_adds (app.tests.Sums.test_adds) ... ok
 *     test_told (app.tests.Sums.test_told)
 *     The first line of its docstring ... FAIL
 *
 * then a block for each failure, and the totals. Before Python 3.11 the name in brackets is that of the class.
 * What tests print may stand anywhere. Times are those between lines. */
#include "read.h"

#include "../lib/index.h"

#include <string.h>

struct unittest {
    const char *suite, *name; /* of the test under way; NAME NULL: none */
    int64_t started_ns;
    struct index index; /* of results, by "name (suite)" */
    bool in_block;
    size_t block;   /* the result that is being told of; INDEX_NONE: none */
    unsigned rules; /* lines of dashes seen in the block */
    struct clip detail;
    bool ran; /* the totals have come */
};

static bool is_rule(struct span s, char c)
{
    if (s.size < 70)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (s.at[i] != c)
            return false;
    return true;
}

/* "test_adds (app.tests.Sums.test_adds)", with more behind it (a subtest's values), to name and suite. */
static bool read_name(struct reader *r, struct span s, const char **ret_name,
                      const char **ret_suite)
{
    struct span name, suite;

    if (!span_eat_until(&s, ' ', &name) || name.size == 0 || !span_eat(&s, "(") ||
        !span_eat_until(&s, ')', &suite) || suite.size == 0 || span_find(suite, " ") != SIZE_MAX ||
        span_find(suite, ".") == SIZE_MAX)
        return false;
    if (suite.size > name.size && span_ends(suite, span_dup(r->step, name)) &&
        suite.at[suite.size - name.size - 1] == '.')
        suite.size -= name.size + 1;
    *ret_name = span_dup(r->step, name);
    *ret_suite = span_dup(r->step, suite);
    return true;
}

static size_t add(struct reader *r, const char *name, const char *suite, enum outcome outcome,
                  const char *message, int64_t took_ns)
{
    struct unittest *u = r->state;
    const char *key = ost_fmt(r->step, "%s (%s)", name, suite);
    size_t at = index_get(&u->index, key);
    struct result t = {
        .suite = suite, .name = name, .message = message, .outcome = outcome, .took_ns = took_ns};

    /* A test with subtests that fail is told of more than once: the worst counts. */
    if (at != INDEX_NONE && at < r->to->n) {
        if (outcome == OUTCOME_FAILED || outcome == OUTCOME_ERROR)
            r->to->list[at].outcome = outcome;
        return at;
    }
    at = r->to->n;
    index_set(&u->index, key, at);
    results_add(r->step, r->to, t);
    return at < r->to->n ? at : INDEX_NONE;
}

/* The verdict at the end of a line, or a line of its own. */
static bool read_verdict(struct span s, enum outcome *ret, struct span *ret_why)
{
    s = span_trim(s);
    *ret_why = (struct span){"", 0};
    if (span_is(s, "ok") || span_starts(s, "expected failure"))
        *ret = OUTCOME_PASSED;
    else if (span_is(s, "FAIL") || span_is(s, "unexpected success"))
        *ret = OUTCOME_FAILED;
    else if (span_is(s, "ERROR"))
        *ret = OUTCOME_ERROR;
    else if (span_eat(&s, "skipped")) {
        *ret = OUTCOME_SKIPPED;
        s = span_trim(s);
        if (s.size >= 2 && (s.at[0] == '\'' || s.at[0] == '"'))
            s = (struct span){s.at + 1, s.size - 2};
        *ret_why = s;
    } else {
        return false;
    }
    return true;
}

static void end_test(struct reader *r, enum outcome outcome, struct span why)
{
    struct unittest *u = r->state;

    add(r, u->name, u->suite, outcome, first_line(r->step, why),
        u->started_ns ? r->now_ns - u->started_ns : -1);
    u->name = NULL;
}

/* "test_x (a.T.test_x) ... ok"; "test_x (a.T.test_x)"; "Docstring ... ok"; "ok" */
static void read_test_line(struct reader *r, struct span s)
{
    struct unittest *u = r->state;
    size_t dots = span_find(s, " ... "), more;
    struct span head = s, tail = {"", 0}, why;
    enum outcome outcome;

    if (span_ends(s, " ...")) /* the verdict is on a line of its own */
        head.size -= 4;
    if (dots != SIZE_MAX) {
        tail = (struct span){s.at + dots + 5, s.size - dots - 5};
        head.size = dots;
        while ((more = span_find(tail, " ... ")) != SIZE_MAX) /* a docstring may have some, too */
            tail = (struct span){tail.at + more + 5, tail.size - more - 5};
    }
    /* A name with nothing behind it may have its docstring on the next line. */
    if (read_name(r, span_trim(head), &u->name, &u->suite) && !u->started_ns)
        u->started_ns = r->now_ns;
    if (!u->name)
        return;
    if (read_verdict(dots != SIZE_MAX ? tail : s, &outcome, &why)) {
        end_test(r, outcome, why);
        u->started_ns = r->now_ns;
    }
}

/* ---- the failures behind the tests ---- */

static void end_block(struct reader *r)
{
    struct unittest *u = r->state;
    struct result *t;

    u->in_block = false;
    if (u->block == INDEX_NONE || u->block >= r->to->n)
        return;
    t = &r->to->list[u->block];
    u->block = INDEX_NONE;
    if (*t->detail)
        return; /* of several subtests the first is shown */
    t->detail = clip_dup(&u->detail);
    t->message = last_line(r->step, span_of(t->detail));
}

/* "FAIL: test_adds (app.tests.Sums.test_adds)", "ERROR: setUpClass (app.tests.Sums)" */
static bool begin_block(struct reader *r, struct span s)
{
    struct unittest *u = r->state;
    enum outcome outcome = span_starts(s, "ERROR: ") ? OUTCOME_ERROR : OUTCOME_FAILED;
    const char *name, *suite;

    if (!span_eat(&s, "ERROR: ") && !span_eat(&s, "FAIL: ") &&
        !span_eat(&s, "UNEXPECTED SUCCESS: "))
        return false;
    if (!read_name(r, span_trim(s), &name, &suite)) {
        name = first_line(r->step, s);
        suite = "";
    }
    u->block = add(r, name, suite, outcome, "", -1);
    u->rules = 0;
    clip_clear(&u->detail);
    return true;
}

static void read_block_line(struct reader *r, struct span s)
{
    struct unittest *u = r->state;

    if (is_rule(s, '=')) { /* the next one */
        end_block(r);
        u->in_block = true;
    } else if (is_rule(s, '-') && u->block != INDEX_NONE && u->rules++ > 0) {
        end_block(r); /* the totals follow */
    } else if (u->block == INDEX_NONE) {
        u->in_block = begin_block(r, s);
    } else if (u->rules > 0 && !is_rule(s, '-')) {
        clip_line(&u->detail, s);
    }
}

static void read_line(struct reader *r, struct span line)
{
    struct unittest *u = r->state;
    struct span s = span_plain(r->step, line);

    if (u->in_block)
        read_block_line(r, s);
    else if (is_rule(s, '='))
        u->in_block = true;
    else if (span_starts(s, "Ran ") && span_find(s, " test") != SIZE_MAX)
        u->ran = true;
    else
        read_test_line(r, s);
}

static void begin(struct reader *r)
{
    struct unittest *u = r->state;

    u->detail.step = u->index.step = r->step;
    u->block = INDEX_NONE;
}

static void end(struct reader *r)
{
    struct unittest *u = r->state;

    if (u->in_block)
        end_block(r);
    if (!u->ran && u->index.n > 0)
        r->trouble = "it ended before all tests had run";
}

const struct format format_unittest = {
    .name = "the output of Python's unittest",
    .state_size = sizeof(struct unittest),
    .begin = begin,
    .line = read_line,
    .end = end,
};
