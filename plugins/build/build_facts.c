#include "build_facts.h"

#include "../lib/sha256.h"

#include <stdlib.h>
#include <string.h>

static void append(struct ost_step *step, struct facts *to, struct fact f)
{
    if (to->n == to->room) {
        size_t room = to->room ? to->room * 2 : 64;
        struct fact *list = step->host->alloc(step, room * sizeof *list);

        if (to->n > 0)
            memcpy(list, to->list, to->n * sizeof *list);
        to->list = list;
        to->room = room;
    }
    to->list[to->n++] = f;
}

void facts_doubt(struct facts *f, const char *why)
{
    if (!f->unknown)
        f->unknown = why;
}

void facts_add(struct ost_step *step, struct facts *to, const char *kind, const char *name,
               const char *value)
{
    if (strpbrk(name, "\t\r\n") || strpbrk(value, "\t\r\n"))
        facts_doubt(to, ost_fmt(step, "the %s '%.*s...' has a tab or a newline in it", kind,
                                (int)strcspn(name, "\t\r\n"), name));
    else if (to->n == FACTS_MAX)
        facts_doubt(to, ost_fmt(step, "there are more than %d inputs", FACTS_MAX));
    else
        append(step, to, (struct fact){kind, name, value});
}

static int compare(const void *left, const void *right)
{
    const struct fact *a = left, *b = right;
    int c = strcmp(a->kind, b->kind);

    return c ? c : strcmp(a->name, b->name);
}

static int by_all(const void *left, const void *right)
{
    const struct fact *a = left, *b = right;
    int c = compare(a, b);

    return c ? c : strcmp(a->value, b->value);
}

void facts_sort(struct facts *f)
{
    if (f->n > 0)
        qsort(f->list, f->n, sizeof *f->list, by_all);
}

static bool is_result(const struct fact *f)
{
    return strcmp(f->kind, "result") == 0;
}

static const char *format(struct ost_step *step, const struct facts *f, bool results)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < f->n; i++)
        if (results || !is_result(&f->list[i]))
            sink_addf(&k, "%s\t%s\t%s\n", f->list[i].kind, f->list[i].name, f->list[i].value);
    return sink_text(&k);
}

const char *facts_format(struct ost_step *step, const struct facts *f)
{
    return format(step, f, true);
}

const char *facts_digest(struct ost_step *step, const struct facts *f)
{
    return sha256_text(step, span_of(format(step, f, false)));
}

void facts_parse(struct ost_step *step, struct span text, struct facts *to)
{
    struct span line, kind, name;

    while (to->n < FACTS_MAX && span_line(&text, &line))
        if (span_eat_until(&line, '\t', &kind) && span_eat_until(&line, '\t', &name))
            append(step, to,
                   (struct fact){span_dup(step, kind), span_dup(step, name),
                                 span_dup(step, span_trim(line))});
    facts_sort(to);
}

/* ---- what changed ---- */

/* The next fact of F from *AT on that is no result; NULL at the end. */
static const struct fact *next(const struct facts *f, size_t *at)
{
    while (*at < f->n && is_result(&f->list[*at]))
        ++*at;
    return *at < f->n ? &f->list[*at] : NULL;
}

static const char *describe(struct ost_step *step, const struct fact *old, const struct fact *now)
{
    const struct fact *any = now ? now : old;
    const char *what = strcmp(any->kind, "file") == 0 ? "" : ost_fmt(step, "the %s ", any->kind);

    if (!old)
        return ost_fmt(step, "%s'%s' is new", what, any->name);
    if (!now)
        return ost_fmt(step, "%s'%s' is gone", what, any->name);
    if (strcmp(any->kind, "tool") == 0)
        return ost_fmt(step, "the tool '%s' is now %s, and was %s", any->name, now->value,
                       old->value);
    return ost_fmt(step, "%s'%s' changed", what, any->name);
}

const char *facts_difference(struct ost_step *step, const struct facts *old,
                             const struct facts *now)
{
    const char *first = NULL;
    size_t i = 0, j = 0, n = 0;

    for (;;) {
        const struct fact *a = next(old, &i), *b = next(now, &j);
        int c;

        if (!a && !b)
            break;
        c = !a ? 1 : !b ? -1 : compare(a, b);
        i += c <= 0;
        j += c >= 0;
        if (c == 0 && strcmp(a->value, b->value) == 0)
            continue;
        if (n++ == 0)
            first = describe(step, c <= 0 ? a : NULL, c >= 0 ? b : NULL);
    }
    return n > 1 ? ost_fmt(step, "%s, and %zu more", first, n - 1) : first;
}
