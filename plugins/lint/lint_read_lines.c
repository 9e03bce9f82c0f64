#include "lint_read.h"

#include <string.h>

/* What is left to read of stdout (or stderr), without colours. */
static struct span text_of(struct ost_step *step, const struct output *o)
{
    return span_plain(step, (struct span){o->data, o->size});
}

/* FILE of "FILE:12: rest", the first colon that a number and a colon follow: a name may hold colons. */
static bool eat_file(struct span *s, struct span *ret_file)
{
    for (size_t i = 0; i < s->size; i++) {
        struct span number = {s->at + i + 1, s->size - i - 1};
        uint32_t n;

        if (s->at[i] != ':' || i == 0)
            continue;
        if (span_eat_number(&number, &n) && span_eat(&number, ":")) {
            *ret_file = (struct span){s->at, i};
            *s = (struct span){s->at + i + 1, s->size - i - 1};
            return true;
        }
    }
    return false;
}

/* The N numbers of "12:3:..."; each is followed by its colon. Those that are not there stay 0. */
static void eat_numbers(struct span *s, uint32_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct span before = *s;

        if (!span_eat_number(s, &numbers[i]) || !span_eat(s, ":")) {
            numbers[i] = 0;
            *s = before;
            return;
        }
    }
}

/* RULE of a line that ends in "...  [rule]"; OPEN and CLOSE are the brackets. */
static struct span cut_rule(struct span *s, char open, char close)
{
    *s = span_trim(*s);
    if (s->size > 2 && s->at[s->size - 1] == close)
        for (size_t i = s->size - 1; i > 0; i--) {
            struct span rule = {s->at + i, s->size - i - 1};

            if (s->at[i - 1] != open)
                continue;
            if (memchr(rule.at, ' ', rule.size))
                break; /* words in brackets, no rule */
            s->size = i - 1;
            *s = span_trim(*s);
            return rule;
        }
    return SPAN("");
}

/* "src/a.ts(3,7): error TS2322: Type ..." and lines of detail, indented. Without a file when it is the
 * configuration that is wrong: "error TS5083: Cannot read file ..." */
static bool read_tsc_line(struct ost_step *step, const struct check *c, const char *workspace,
                          struct span line, struct finding *ret)
{
    size_t at = span_find(line, ": error TS");
    struct span place = {line.at, at == SIZE_MAX ? 0 : at}, rest, rule;
    struct finding f = {.severity = SEVERITY_ERROR};

    if (at != SIZE_MAX) {
        size_t open;

        if (place.size == 0 || place.at[place.size - 1] != ')')
            return false;
        for (open = place.size; open > 0 && place.at[open - 1] != '('; open--)
            ;
        if (open < 2)
            return false;
        rest = (struct span){place.at + open, place.size - open};
        if (!span_eat_number(&rest, &f.line) || !span_eat(&rest, ",") ||
            !span_eat_number(&rest, &f.col))
            return false;
        f.file = read_path(step, c, workspace, (struct span){place.at, open - 1});
        line = (struct span){line.at + at + 2, line.size - at - 2};
    }
    if (!span_eat(&line, "error ") || !span_starts(line, "TS") ||
        !span_eat_until(&line, ':', &rule))
        return false;
    f.rule = span_dup(step, rule);
    f.message = span_dup(step, span_trim(line));
    *ret = f;
    return true;
}

void read_tsc(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->out), line;

    while (span_line(&rest, &line)) {
        struct findings *all = &c->findings;
        struct finding f;

        if (read_tsc_line(step, c, workspace, line, &f)) {
            findings_add(step, all, f);
        } else if (span_starts(line, " ") && all->n > 0 && !all->n_dropped) {
            struct finding *last = &all->list[all->n - 1];

            last->message = ost_fmt(step, "%s\n%s", last->message, span_dup(step, line));
        }
    }
}

/* "./app.py:6:13: E251 unexpected spaces" */
void read_flake8(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->out), line, file, rule;

    while (span_line(&rest, &line)) {
        uint32_t at[2] = {0};

        if (!eat_file(&line, &file))
            continue;
        eat_numbers(&line, at, 2);
        line = span_trim(line);
        if (!span_eat_until(&line, ' ', &rule))
            continue;
        findings_add(step, &c->findings,
                     (struct finding){
                         .file = read_path(step, c, workspace, file),
                         .line = at[0],
                         .col = at[1],
                         .severity = SEVERITY_ERROR,
                         .rule = span_dup(step, rule),
                         .message = span_dup(step, span_trim(line)),
                     });
    }
}

static bool eat_severity(struct span *s, enum severity *ret)
{
    *s = span_trim(*s);
    if (span_eat(s, "error: ") || span_eat(s, "fatal error: "))
        *ret = SEVERITY_ERROR;
    else if (span_eat(s, "warning: "))
        *ret = SEVERITY_WARNING;
    else if (span_eat(s, "note: "))
        *ret = SEVERITY_NOTICE;
    else
        return false;
    return true;
}

/* "app.py:14:12:14:12: error: Incompatible ...  [return-value]"; the end is its last column. A note on
 * the line of an error belongs to it. Older releases print fewer numbers. */
void read_mypy(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->out), line, file, rule;

    while (span_line(&rest, &line)) {
        struct findings *all = &c->findings;
        struct finding *last = all->n > 0 ? &all->list[all->n - 1] : NULL;
        struct finding f = {0};
        uint32_t at[4] = {0};

        if (!eat_file(&line, &file))
            continue;
        eat_numbers(&line, at, 4);
        if (!eat_severity(&line, &f.severity))
            continue;
        rule = cut_rule(&line, '[', ']');
        f.file = read_path(step, c, workspace, file);
        f.line = at[0];
        f.col = at[1];
        f.end_line = at[2];
        f.end_col = at[3] ? at[3] + 1 : 0;
        f.rule = span_dup(step, rule);
        f.message = span_dup(step, line);
        if (f.severity == SEVERITY_NOTICE && last && last->severity == SEVERITY_ERROR &&
            last->line == f.line && strcmp(last->file, f.file) == 0)
            last->message = ost_fmt(step, "%s\n%s", last->message, f.message);
        else
            findings_add(step, all, f);
    }
    /* A folder without Python in it is no failure of the linter. */
    if (span_find(text_of(step, &c->err), "There are no .py[i] files") != SIZE_MAX)
        c->exit_code = 0;
}

/* "config.yml:2:5: [error] too many spaces after colon (colons)" */
void read_yamllint(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->out), line, file, rule;

    while (span_line(&rest, &line)) {
        struct finding f = {.severity = SEVERITY_ERROR};
        uint32_t at[2] = {0};

        if (!eat_file(&line, &file))
            continue;
        eat_numbers(&line, at, 2);
        line = span_trim(line);
        if (span_eat(&line, "[warning]"))
            f.severity = SEVERITY_WARNING;
        else if (!span_eat(&line, "[error]"))
            continue;
        rule = cut_rule(&line, '(', ')');
        f.file = read_path(step, c, workspace, file);
        f.line = at[0];
        f.col = at[1];
        f.rule = span_dup(step, rule);
        f.message = span_dup(step, line);
        findings_add(step, &c->findings, f);
    }
}

/* "/w/main.c:8:11: warning: using the result ... [clang-diagnostic-parentheses]", the code beneath it
 * and notes on other places, which are left out: the first line tells enough. */
void read_clang_tidy(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->out), line, file, rule;

    while (span_line(&rest, &line)) {
        struct finding f = {0};
        uint32_t at[2] = {0};

        if (!eat_file(&line, &file))
            continue;
        eat_numbers(&line, at, 2);
        if (!eat_severity(&line, &f.severity) || f.severity == SEVERITY_NOTICE)
            continue;
        rule = cut_rule(&line, '[', ']');
        if (rule.size == 0)
            continue; /* a line of code that happens to look like one */
        f.file = read_path(step, c, workspace, file);
        f.line = at[0];
        f.col = at[1];
        f.rule = span_dup(step, rule);
        f.message = span_dup(step, line);
        findings_add(step, &c->findings, f);
    }
}

static enum severity cppcheck_severity(struct span s)
{
    if (span_is(s, "error"))
        return SEVERITY_ERROR;
    if (span_is(s, "warning") || span_is(s, "performance") || span_is(s, "portability"))
        return SEVERITY_WARNING;
    return SEVERITY_NOTICE; /* style, information */
}

/* CPPCHECK_TEMPLATE, on stderr. */
void read_cppcheck(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->err), line, file, level, rule;

    while (span_line(&rest, &line)) {
        struct finding f = {0};

        if (!span_eat_until(&line, '\t', &file) || !span_eat_number(&line, &f.line) ||
            !span_eat(&line, "\t") || !span_eat_number(&line, &f.col) || !span_eat(&line, "\t") ||
            !span_eat_until(&line, '\t', &level) || !span_eat_until(&line, '\t', &rule))
            continue;
        if (file.size > 0 && !span_is(file, "nofile"))
            f.file = read_path(step, c, workspace, file);
        f.severity = cppcheck_severity(level);
        f.rule = span_dup(step, rule);
        f.message = span_dup(step, line);
        findings_add(step, &c->findings, f);
    }
}

/* "src/broken.ts: SyntaxError: '}' expected. (2:1)", behind "[error] "; the code it quotes on further
 * such lines begins with a blank or a '>'. */
static bool read_prettier_error(struct ost_step *step, const struct check *c, const char *workspace,
                                struct span line, struct finding *ret)
{
    size_t at = span_find(line, ": ");
    struct span where;
    struct finding f = {.severity = SEVERITY_ERROR, .rule = "syntax"};

    if (line.size == 0 || line.at[0] == ' ' || line.at[0] == '>')
        return false;
    if (at != SIZE_MAX && span_find(line, "SyntaxError: ") == at + 2) {
        f.file = read_path(step, c, workspace, (struct span){line.at, at});
        line = (struct span){line.at + at + 2, line.size - at - 2};
        where = cut_rule(&line, '(', ')');
        if (span_eat_number(&where, &f.line) && span_eat(&where, ":"))
            span_eat_number(&where, &f.col);
    } else {
        f.rule = "";
    }
    f.message = span_dup(step, line);
    *ret = f;
    return true;
}

/* The names of files that are not formatted, on stdout; what it cannot read, on stderr. */
void read_prettier(struct ost_step *step, struct check *c, const char *workspace)
{
    struct span rest = text_of(step, &c->out), line;
    struct finding f;

    while (span_line(&rest, &line))
        if (line.size > 0)
            findings_add(step, &c->findings,
                         (struct finding){
                             .file = read_path(step, c, workspace, line),
                             .severity = SEVERITY_ERROR,
                             .rule = "format",
                             .message = "not formatted: run 'prettier --write' on it",
                         });
    for (rest = text_of(step, &c->err); span_line(&rest, &line);)
        if (span_eat(&line, "[error] ") && read_prettier_error(step, c, workspace, line, &f))
            findings_add(step, &c->findings, f);
}
