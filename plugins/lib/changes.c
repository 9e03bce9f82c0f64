#include "changes.h"

#include "repo.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading a diff ---- */

static struct changed_file *file_add(struct ost_step *step, struct changes *to, const char *path)
{
    if (to->n == to->room) {
        size_t room = to->room ? to->room * 2 : 16;
        struct changed_file *list = step->host->alloc(step, room * sizeof *list);

        if (to->n > 0)
            memcpy(list, to->list, to->n * sizeof *list);
        to->list = list;
        to->room = room;
    }
    to->list[to->n] = (struct changed_file){.path = path};
    return &to->list[to->n++];
}

static void lines_add(struct ost_step *step, struct changed_file *f, uint32_t first, uint32_t count)
{
    if (f->n == f->room) {
        size_t room = f->room ? f->room * 2 : 8;
        struct line_range *lines = step->host->alloc(step, room * sizeof *lines);

        if (f->n > 0)
            memcpy(lines, f->lines, f->n * sizeof *lines);
        f->lines = lines;
        f->room = room;
    }
    f->lines[f->n++] =
        (struct line_range){first, count > UINT32_MAX - first ? UINT32_MAX : first + count - 1};
}

/* A name that git put in quotes: \", \\, \t, \303. */
static struct span unquote(struct ost_step *step, struct span s)
{
    static const char names[] = "abtnvfr\"\\", values[] = "\a\b\t\n\v\f\r\"\\";
    char *text;
    size_t n = 0;

    if (!span_eat(&s, "\""))
        return s;
    if (span_ends(s, "\""))
        s.size--;
    text = step->host->alloc(step, s.size + 1);
    for (size_t i = 0; i < s.size; i++) {
        const char *which;

        if (s.at[i] != '\\' || i + 1 == s.size) {
            text[n++] = s.at[i];
            continue;
        }
        i++;
        which = s.at[i] ? strchr(names, s.at[i]) : NULL;
        if (which) {
            text[n++] = values[which - names];
        } else {
            unsigned byte = 0;

            for (int digits = 0; digits < 3 && i < s.size && s.at[i] >= '0' && s.at[i] <= '7';
                 digits++)
                byte = byte * 8 + (unsigned)(s.at[i++] - '0');
            i--; /* the loop steps over the last digit */
            text[n++] = (char)byte;
        }
    }
    return (struct span){text, n};
}

/* A name with blanks is followed by a tab. */
const char *changes_name(struct ost_step *step, struct span line)
{
    struct span name;

    span_eat(&line, "+++ ");
    if (span_eat_until(&line, '\t', &name))
        line = name;
    line = unquote(step, line);
    if (!span_eat(&line, "b/"))
        return NULL; /* it is gone */
    return rel_clean(step, span_dup(step, line));
}

bool changes_hunk(struct span line, uint32_t *n_old, uint32_t *first, uint32_t *n_new)
{
    uint32_t old;

    *n_old = *n_new = 1;
    if (!span_eat(&line, "@@ -") || !span_eat_number(&line, &old))
        return false;
    if (span_eat(&line, ",") && !span_eat_number(&line, n_old))
        return false;
    if (!span_eat(&line, " +") || !span_eat_number(&line, first))
        return false;
    return !span_eat(&line, ",") || span_eat_number(&line, n_new);
}

void changes_read(struct ost_step *step, struct span diff, const char *prefix, struct changes *to)
{
    struct changed_file *file = NULL;
    uint64_t body = 0; /* lines of the hunk still to come: a line "+++ x" may be one of them */
    struct span line;

    while (span_line(&diff, &line)) {
        uint32_t n_old, first, n_new;

        if (body > 0 && line.size > 0 && (line.at[0] == '-' || line.at[0] == '+')) {
            body--;
        } else if (span_starts(line, "diff --git ")) {
            file = NULL;
        } else if (span_starts(line, "+++ ")) {
            const char *name = changes_name(step, line);

            file = name ? file_add(step, to, rel_clean(step, rel_join(step, prefix, name))) : NULL;
        } else if (changes_hunk(line, &n_old, &first, &n_new)) {
            body = (uint64_t)n_old + n_new;
            if (file && n_new > 0)
                lines_add(step, file, first, n_new);
        }
    }
}

bool changes_touch(const struct changes *c, const struct finding *f)
{
    uint32_t last = f->end_line > f->line ? f->end_line : f->line;

    if (!*f->file)
        return true;
    for (size_t i = 0; i < c->n; i++) {
        const struct changed_file *file = &c->list[i];

        if (strcmp(file->path, f->file) != 0)
            continue;
        if (file->whole || f->line == 0)
            return true;
        for (size_t k = 0; k < file->n; k++)
            if (file->lines[k].first <= last && file->lines[k].last >= f->line)
                return true;
    }
    return false;
}

/* ---- asking git ---- */

/* New files, which no diff shows: names that end with NUL bytes. */
static void add_untracked(struct repo *g, struct changes *to)
{
    struct span rest = {g->out.data, g->out.size}, name;

    while (span_eat_until(&rest, '\0', &name))
        file_add(g->step, to,
                 rel_clean(g->step, rel_join(g->step, g->prefix, span_dup(g->step, name))))
            ->whole = true;
}

ost_status changes_load(struct ost_step *step, const struct changes_ask *ask, struct changes *ret)
{
    struct repo g = {.step = step, .needed_by = ask->needed_by};
    const char *fork = NULL;
    ost_status r = repo_find(&g, ask->workspace, ask->dir);

    if (r == OST_OK)
        r = repo_fork(&g, ask->base, &fork);
    if (r == OST_OK)
        r = repo_git(&g, OST_ARGV("diff", "--no-color", "--no-ext-diff", "--no-textconv",
                                  "--unified=0", "--relative", "--find-renames", "--src-prefix=a/",
                                  "--dst-prefix=b/", fork, "--"));
    if (r == OST_OK && g.code != 0)
        r = ost_fail(step, OST_E_FAILED, "git diff failed: %s", output_text(step, &g.err));
    if (r == OST_OK)
        changes_read(step, (struct span){g.out.data, g.out.size}, g.prefix, ret);
    if (r == OST_OK)
        r = repo_git(&g, OST_ARGV("ls-files", "--others", "--exclude-standard", "-z"));
    if (r == OST_OK && g.code == 0)
        add_untracked(&g, ret);
    return r;
}
