#include "lint_read.h"

#include <string.h>

/* One hunk of a diff, as the old file sees it. */
struct hunk {
    bool open;           /* a line of it differs */
    uint32_t next;       /* the old line that comes next */
    uint32_t first, end; /* the old lines that go; FIRST == END: lines are added before FIRST */
};

struct diff { /* a formatter and what it says of a hunk */
    const char *rule, *message;
};

/* "@@ -12,3 +12,4 @@" */
static bool hunk_begin(struct span line, struct hunk *h)
{
    uint32_t start, count = 1;

    if (!span_eat(&line, "@@ -") || !span_eat_number(&line, &start))
        return false;
    if (span_eat(&line, ","))
        (void)span_eat_number(&line, &count); /* malformed: one line, as if it were not there */
    /* With no old line at all, START is the line before. */
    *h = (struct hunk){.next = count ? start : start + 1};
    return true;
}

static void hunk_end(struct ost_step *step, struct check *c, const char *file,
                     const struct diff *diff, struct hunk *h)
{
    if (h->open)
        findings_add(step, &c->findings,
                     (struct finding){
                         .file = file,
                         .line = h->first ? h->first : 1,
                         .end_line = h->end > h->first ? h->end - 1 : h->first,
                         .severity = SEVERITY_ERROR,
                         .rule = diff->rule,
                         .message = diff->message,
                     });
    h->open = false;
}

/* One line of a hunk. Lines that differ side by side are one finding. */
static void hunk_line(struct ost_step *step, struct check *c, const char *file,
                      const struct diff *diff, struct hunk *h, char kind)
{
    if (kind == '-' || kind == '+') {
        if (!h->open)
            h->first = h->end = h->next;
        h->open = true;
        if (kind == '-')
            h->end = ++h->next;
    } else if (kind == ' ') {
        hunk_end(step, c, file, diff, h);
        h->next++;
    }
}

/* The name of "--- /w/app.py\t2024-05-01 ..." or "--- /w/app.py:before\t2024-05-01 ..." */
static const char *diff_file(struct ost_step *step, const struct check *c, const char *workspace,
                             struct span line)
{
    struct span name;

    if (!span_eat_until(&line, '\t', &name))
        name = span_trim(line);
    if (span_ends(name, ":before"))
        name.size -= sizeof ":before" - 1;
    return read_path(step, c, workspace, name);
}

static void read_diff(struct ost_step *step, struct check *c, const char *workspace,
                      const struct diff *diff)
{
    struct span rest = span_plain(step, (struct span){c->out.data, c->out.size}), line;
    const char *file = NULL;
    struct hunk h = {0};
    bool head = true; /* before the first hunk of a file: "---" is no deleted line there */

    while (span_line(&rest, &line)) {
        /* A file's head comes as a pair of lines, which no hunk of a formatter looks like. */
        if (span_starts(line, "--- ") && span_starts(rest, "+++ ")) {
            hunk_end(step, c, file, diff, &h);
            file = diff_file(step, c, workspace, (struct span){line.at + 4, line.size - 4});
            head = true;
            continue;
        }
        if (!file)
            continue;
        if (span_starts(line, "@@ -")) {
            hunk_end(step, c, file, diff, &h);
            head = !hunk_begin(line, &h);
        } else if (!head) {
            hunk_line(step, c, file, diff, &h, line.size ? line.at[0] : ' ');
        }
    }
    if (file)
        hunk_end(step, c, file, diff, &h);
}

/* "cannot format app.py: Cannot parse: 1:11: def broken(:" or, of late, "cannot parse: app.py:1:11" */
static bool read_black_error(struct ost_step *step, const struct check *c, const char *workspace,
                             struct span line, struct finding *ret)
{
    struct finding f = {.severity = SEVERITY_ERROR, .rule = "syntax"};
    struct span file, place;

    f.message = "black cannot parse this";
    if (span_eat(&line, "cannot format ")) {
        size_t at = span_find(line, ": ");

        if (at == SIZE_MAX)
            return false;
        file = (struct span){line.at, at};
        f.message = span_dup(step, (struct span){line.at + at + 2, line.size - at - 2});
        at = span_find(line, ": Cannot parse");
        if (at != SIZE_MAX) { /* ... for target version Python 3.13: 1:11: */
            place = (struct span){line.at + at + 2, line.size - at - 2};
            at = span_find(place, ": ");
            place =
                at == SIZE_MAX ? SPAN("") : (struct span){place.at + at + 2, place.size - at - 2};
            if (span_eat_number(&place, &f.line) && span_eat(&place, ":"))
                span_eat_number(&place, &f.col);
        }
    } else if (span_eat(&line, "cannot parse: ")) {
        size_t colons = 0, i = line.size;

        while (i > 0 && colons < 2)
            colons += line.at[--i] == ':';
        if (colons < 2)
            return false;
        file = (struct span){line.at, i};
        place = (struct span){line.at + i + 1, line.size - i - 1};
        if (span_eat_number(&place, &f.line) && span_eat(&place, ":"))
            span_eat_number(&place, &f.col);
    } else {
        return false;
    }
    f.file = read_path(step, c, workspace, file);
    *ret = f;
    return true;
}

void read_black(struct ost_step *step, struct check *c, const char *workspace)
{
    static const struct diff diff = {"format", "black would format this differently"};
    struct span rest = span_plain(step, (struct span){c->err.data, c->err.size}), line;
    struct finding f;

    read_diff(step, c, workspace, &diff);
    while (span_line(&rest, &line))
        if (span_eat(&line, "error: ") && read_black_error(step, c, workspace, line, &f))
            findings_add(step, &c->findings, f);
}

void read_isort(struct ost_step *step, struct check *c, const char *workspace)
{
    static const struct diff diff = {"imports",
                                     "imports are not sorted or not formatted: run 'isort'"};

    read_diff(step, c, workspace, &diff);
}
