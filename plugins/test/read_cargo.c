/* What cargo test prints: Rust's stable test programs have no other report. Cargo names each of them on stderr,
 * which therefore has to come in the same stream. Times of single tests are those between lines. */
#include "read.h"

#include "../lib/index.h"

#include <string.h>

struct cargo {
    const char *program; /* "src/lib.rs", "tests/it.rs", "doc calc"; the suite */
    uint32_t n_wanted;   /* tests announced by the program */
    size_t n_seen;
    size_t first; /* result of it */
    int64_t started_ns;
    const char *pending; /* a test whose verdict has not come yet */
    struct index index;  /* failed tests of the program, by name */
    bool in_failures;
    struct result *block; /* the one whose output is being told */
    struct clip detail;
};

static void add(struct reader *r, const char *name, enum outcome outcome, const char *message)
{
    struct cargo *c = r->state;
    struct result t = {.suite = c->program,
                       .name = name,
                       .message = message,
                       .outcome = outcome,
                       .took_ns = c->started_ns ? r->now_ns - c->started_ns : -1};

    c->started_ns = r->now_ns;
    c->n_seen++;
    if (outcome == OUTCOME_FAILED)
        index_set(&c->index, name, r->to->n);
    results_add(r->step, r->to, t);
}

/* "ok", "FAILED", "ignored, it is slow", "bench: 12 ns/iter (+/- 1)", "ok <0.01s>"; true if S is a verdict. */
static bool read_verdict(struct reader *r, const char *name, struct span s)
{
    s = span_trim(s);
    if (span_starts(s, "ok") || span_starts(s, "bench:"))
        add(r, name, OUTCOME_PASSED, "");
    else if (span_starts(s, "FAILED"))
        add(r, name, OUTCOME_FAILED, "");
    else if (span_eat(&s, "ignored"))
        add(r, name, OUTCOME_SKIPPED, span_eat(&s, ", ") ? first_line(r->step, s) : "");
    else
        return false;
    return true;
}

static void end_block(struct cargo *c)
{
    struct span s, line;

    if (!c->block)
        return;
    c->block->detail = clip_dup(&c->detail);
    c->block->message = "";
    s = span_of(c->block->detail);
    while (span_line(&s, &line)) {
        size_t at = span_find(line, "panicked at ");

        if (at == SIZE_MAX)
            continue;
        /* Since Rust 1.73 the message is on the next line; before it is in quotes on this one. */
        line = (struct span){line.at + at + 12, line.size - at - 12};
        if (!span_eat(&line, "'") || !span_eat_until(&line, '\'', &line))
            (void)span_line(&s, &line);
        c->block->message = first_line(c->detail.step, line);
        break;
    }
    if (!*c->block->message)
        c->block->message = first_line(c->detail.step, span_of(c->block->detail));
    c->block = NULL;
}

/* The program has ended; one that broke down has not told of all its tests. */
static void end_program(struct reader *r)
{
    struct cargo *c = r->state;

    end_block(c);
    if (c->program && c->n_seen < c->n_wanted) {
        struct result t = {.suite = c->program,
                           .name = c->pending ? c->pending : "(the program itself)",
                           .outcome = OUTCOME_ERROR,
                           .took_ns = -1};

        t.message = ost_fmt(r->step, "it ended after %zu of %u tests", c->n_seen, c->n_wanted);
        results_add(r->step, r->to, t);
    }
    *c = (struct cargo){.index = {.step = r->step}, .detail = {.step = r->step}};
}

static void begin_program(struct reader *r, const char *name)
{
    struct cargo *c = r->state;

    end_program(r);
    c->program = name;
    c->first = r->to->n;
}

/* "Running unittests src/lib.rs (target/debug/deps/calc-1)", "Running tests/it.rs (...)", "Doc-tests calc" */
static bool read_program(struct reader *r, struct span s)
{
    size_t end;

    s = span_trim(s);
    if (span_eat(&s, "Doc-tests ")) {
        begin_program(r, ost_fmt(r->step, "doc %s", first_line(r->step, s)));
        return true;
    }
    if (!span_eat(&s, "Running ") || (end = span_find(s, " (")) == SIZE_MAX)
        return false;
    s.size = end;
    span_eat(&s, "unittests ");
    begin_program(r, first_line(r->step, s));
    return true;
}

/* "test tests::adds ... ok", or the beginning of that: what the test prints may come between. */
static bool read_test(struct reader *r, struct span s)
{
    struct cargo *c = r->state;
    struct span name = s;
    size_t at;

    if (!span_eat(&name, "test ") || (at = span_find(name, " ... ")) == SIZE_MAX)
        return false;
    s = (struct span){name.at + at + 5, name.size - at - 5};
    name.size = at;
    if (span_ends(name, " - should panic"))
        name.size -= sizeof " - should panic" - 1;
    c->pending = first_line(r->step, name);
    if (read_verdict(r, c->pending, s))
        c->pending = NULL;
    return true;
}

/* "---- tests::adds stdout ----" */
static bool begin_block(struct reader *r, struct span s)
{
    struct cargo *c = r->state;
    size_t at;

    if (!span_eat(&s, "---- ") || !span_ends(s, " ----"))
        return false;
    s.size -= 5;
    if (span_ends(s, " stdout"))
        s.size -= 7;
    end_block(c);
    clip_clear(&c->detail);
    at = index_get(&c->index, first_line(r->step, s));
    if (at < r->to->n)
        c->block = &r->to->list[at];
    return true;
}

static void read_line(struct reader *r, struct span line)
{
    struct cargo *c = r->state;
    struct span s = span_plain(r->step, line);

    if (c->pending && read_verdict(r, c->pending, s)) {
        c->pending = NULL;
    } else if (begin_block(r, s)) {
        c->in_failures = true;
    } else if (c->in_failures && (span_is(s, "failures:") || span_starts(s, "test result: "))) {
        end_block(c);
        c->in_failures = false;
    } else if (c->block) {
        clip_line(&c->detail, s);
    } else if (!c->in_failures && !read_program(r, s) && !read_test(r, s) &&
               span_eat(&s, "running ") && span_eat_number(&s, &c->n_wanted) &&
               span_starts(s, " test")) {
        c->started_ns = r->now_ns;
        c->program = c->program ? c->program : "";
    }
}

static void begin(struct reader *r)
{
    struct cargo *c = r->state;

    c->detail.step = c->index.step = r->step;
}

const struct format format_cargo = {
    .name = "the output of cargo test",
    .state_size = sizeof(struct cargo),
    .begin = begin,
    .line = read_line,
    .end = end_program,
};
