#include "lint_read.h"

#include "lint_tool.h"

#include <string.h>

enum {
    TAIL_LINES = 20, /* of a linter that crashed, shown to the user */
    TAIL_SIZE = 4096,
};

const char *read_path(struct ost_step *step, const struct check *c, const char *workspace,
                      struct span path)
{
    const char *clean = rel_clean(step, rel_join(step, c->root, span_dup(step, path)));

    if (clean[0] == '/' && rel_below(workspace, clean))
        return rel_from(workspace, clean);
    return clean;
}

static struct span output_span(struct ost_step *step, const struct output *o)
{
    return span_trim(span_plain(step, (struct span){o->data, o->size}));
}

/* The last lines of what C printed, its errors if there are any; "" when it said nothing. */
static const char *tail(struct ost_step *step, const struct check *c)
{
    struct span s = output_span(step, &c->err);
    size_t from, lines = 0;

    if (s.size == 0)
        s = output_span(step, &c->out);
    for (from = s.size; from > 0 && s.size - from < TAIL_SIZE; from--)
        if (s.at[from - 1] == '\n' && ++lines == TAIL_LINES)
            break;
    return span_dup(step, (struct span){s.at + from, s.size - from});
}

/* What is wrong with how C ended; NULL: nothing. */
static const char *judge(struct ost_step *step, struct check *c, const char *workspace)
{
    if (c->signal)
        return ost_fmt(step, "was ended by signal %d%s", (int)c->signal,
                       c->signal == 9 ? " (out of memory?)" : "");
    if (c->out.overflow || c->err.overflow)
        return ost_fmt(step, "printed more than %d MiB", OUTPUT_MAX >> 20);
    if (c->status != OST_OK)
        return ost_fmt(step, "could not be run: %s", c->error);
    c->tool->read(step, c, workspace);
    if (c->trouble)
        return ost_fmt(step, "printed what is not its usual output (exit code %d): %s",
                       (int)c->exit_code, c->trouble);
    /* Each of them says with its exit code that something is wrong, and what it is with text that was
     * just read. The one without the other is a crash, whatever the code. */
    if (c->exit_code != 0 && c->findings.n == 0)
        return ost_fmt(step, "failed with exit code %d", (int)c->exit_code);
    return NULL;
}

void read_check(struct ost_step *step, struct check *c, const char *workspace)
{
    const char *why, *said;

    if (c->trouble)
        return;
    why = judge(step, c, workspace);
    findings_sort(&c->findings);
    if (!why)
        return;
    said = c->status == OST_OK ? tail(step, c) : "";
    c->trouble = ost_fmt(step, "%s %s%s%s", check_title(step, c), why, *said ? "\n" : "", said);
}
