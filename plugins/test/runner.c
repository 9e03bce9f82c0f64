#include "runner.h"

#include <string.h>

enum { SIGN_SIZE_MAX = 4 << 20 }; /* bytes of a pyproject.toml or package.json */

static const struct runner *const tables[] = {runners_python, runners_node, runners_native};

const struct runner *runner_at(size_t i)
{
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct runner *r = tables[t]; r->name; r++)
            if (i-- == 0)
                return r;
    return NULL;
}

const struct runner *runner_find(const char *name)
{
    const struct runner *r;

    for (size_t i = 0; (r = runner_at(i)); i++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

/* ---- for the rows ---- */

bool dir_has(struct ost_step *step, const char *dir, const char *name, const char *text)
{
    const char *path = rel_join(step, dir, name);
    size_t size = 0;
    char *data;

    if (!text)
        return file_exists(path);
    data = file_read(step, path, SIGN_SIZE_MAX, &size);
    return data && span_find((struct span){data, size}, text) != SIZE_MAX;
}

const char *target_report(struct target *t, const char *suffix)
{
    return ost_fmt(t->step, "%s/report-%u%s", t->folder ? t->folder : "<temporary>", ++t->n_reports,
                   suffix);
}

const char *target_cwd(const struct target *t)
{
    return rel_clean(t->step, rel_join(t->step, t->workspace, *t->root ? t->root : "."));
}

void words_add(struct ost_step *step, struct strings *to, const char *const *words)
{
    for (; words && *words; words++)
        strings_add(step, to, *words);
}

struct strings command_begin(struct target *t, const char *const *more)
{
    struct strings argv = {0};

    words_add(t->step, &argv, t->words);
    words_add(t->step, &argv, more);
    return argv;
}

void command_add(struct commands *to, struct target *t, const struct strings *argv,
                 const char *report)
{
    if (to->n < PROGRAMS_MAX)
        to->list[to->n++] =
            (struct command){.argv = strings_list(argv), .programs = t->programs, .report = report};
}

const char *regex_quote(struct ost_step *step, const char *text)
{
    char *quoted = step->host->alloc(step, 2 * strlen(text) + 1);
    size_t n = 0;

    for (; *text; text++) {
        if (strchr("\\^$.|?*+()[]{}/", *text))
            quoted[n++] = '\\';
        quoted[n++] = *text;
    }
    quoted[n] = '\0';
    return quoted;
}

void strings_add_once(struct ost_step *step, struct strings *to, const char *name)
{
    for (size_t i = to->n; i > 0; i--)
        if (strcmp(to->list[i - 1], name) == 0)
            return;
    strings_add(step, to, name);
}
