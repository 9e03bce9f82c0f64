#include "lint_sarif.h"

#include "../lib/sarif.h"
#include "lint_tool.h"

/* What T found, folder by folder; NULL: it ran nowhere. */
static const struct findings *const *results_of(struct ost_step *step, const struct checks *checks,
                                                const struct tool *t)
{
    const struct findings **list = step->host->alloc(step, (checks->n + 1) * sizeof *list);
    size_t n = 0;

    for (size_t i = 0; i < checks->n; i++)
        if (checks->list[i].tool == t && !check_is_left_out(&checks->list[i]))
            list[n++] = &checks->list[i].findings;
    list[n] = NULL;
    return n > 0 ? list : NULL;
}

const char *lint_sarif(struct ost_step *step, const struct checks *checks)
{
    struct sarif_run *runs;
    size_t n = 0;

    while (tools[n].name)
        n++;
    runs = step->host->alloc(step, (n + 1) * sizeof *runs);
    n = 0;
    for (const struct tool *t = tools; t->name; t++) {
        const struct findings *const *results = results_of(step, checks, t);

        if (results)
            runs[n++] = (struct sarif_run){t->name, t->url, results};
    }
    runs[n] = (struct sarif_run){0};
    return sarif_format(step, runs);
}
