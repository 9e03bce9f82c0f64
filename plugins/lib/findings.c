#include "findings.h"

#include <stdlib.h>
#include <string.h>

void findings_add(struct ost_step *step, struct findings *to, struct finding f)
{
    if (to->n >= FINDINGS_MAX) {
        to->n_dropped++;
        return;
    }
    if (to->n == to->room) {
        size_t room = to->room ? to->room * 2 : 16;
        struct finding *list = step->host->alloc(step, room * sizeof *list);

        if (to->n > 0)
            memcpy(list, to->list, to->n * sizeof *list);
        to->list = list;
        to->room = room;
    }
    f.file = f.file ? f.file : "";
    f.rule = f.rule ? f.rule : "";
    f.message = f.message ? f.message : "";
    f.help = f.help ? f.help : "";
    to->list[to->n++] = f;
}

static int compare_number(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;
    int c = strcmp(a->file, b->file);

    if (!c)
        c = compare_number(a->line, b->line);
    if (!c)
        c = compare_number(a->col, b->col);
    if (!c)
        c = strcmp(a->rule, b->rule);
    return c ? c : strcmp(a->message, b->message);
}

void findings_sort(struct findings *f)
{
    size_t n = 0;

    if (f->n == 0)
        return;
    qsort(f->list, f->n, sizeof *f->list, compare);
    for (size_t i = 0; i < f->n; i++)
        if (n == 0 || compare(&f->list[n - 1], &f->list[i]) != 0)
            f->list[n++] = f->list[i];
    f->n = n;
}

void findings_filter(struct findings *f, bool (*keep)(const void *ctx, const struct finding *f),
                     const void *ctx)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        if (keep(ctx, &f->list[i]))
            f->list[n++] = f->list[i];
    f->n = n;
}

size_t findings_count(const struct findings *f, enum severity severity)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->list[i].severity == severity;
    return n;
}

size_t findings_files(const struct findings *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->list[i].file[0] && (i == 0 || strcmp(f->list[i].file, f->list[i - 1].file) != 0);
    return n;
}
