/* What a run's workflows hold as written, and which of it was chosen. */
#include "queue/local/plan.h"

#include <strings.h>

struct outline *outline_new(struct arena *a, const struct workflow *w)
{
    struct outline *o = ARENA_NEW(a, struct outline);

    o->workflow = w;
    o->jobs = arena_array(a, w->n_jobs, sizeof *o->jobs);
    for (size_t i = 0; i < w->n_jobs; i++) {
        o->jobs[i].def = &w->jobs[i];
        if (w->jobs[i].called) /* no deeper than CALLS_DEPTH_MAX */
            o->jobs[i].inner = outline_new(a, w->jobs[i].called);
    }
    return o;
}

/* ---- choosing ---- */

static struct outline_job *find(struct outline *o, struct slice id)
{
    for (size_t i = 0; i < o->workflow->n_jobs; i++)
        if (slice_eq_nocase(slice_of(o->jobs[i].def->id), id))
            return &o->jobs[i];
    return NULL;
}

static void choose_needs(struct outline *o, const struct outline_job *j);

static void choose_whole(struct outline *o, struct outline_job *j)
{
    if (j->whole)
        return; /* what many jobs need is walked through once */
    j->chosen = j->whole = true;
    if (j->inner)
        outline_choose_all(j->inner);
    choose_needs(o, j);
}

static void choose_needs(struct outline *o, const struct outline_job *j)
{
    for (size_t i = 0; i < j->def->n_needs; i++) {
        struct outline_job *need = find(o, slice_of(j->def->needs[i]));

        if (!need)
            BUG("job '%s' needs '%s', which the workflow's reader let pass", j->def->id,
                j->def->needs[i]);
        choose_whole(o, need); /* ends: the reader refuses cycles */
    }
}

void outline_choose_all(struct outline *o)
{
    for (size_t i = 0; i < o->workflow->n_jobs; i++) {
        o->jobs[i].chosen = o->jobs[i].whole = true;
        if (o->jobs[i].inner)
            outline_choose_all(o->jobs[i].inner);
    }
}

bool outline_choose(struct outline *o, struct slice words)
{
    struct slice rest = words, id;
    bool deeper = slice_find_char(words, '/') >= 0;

    (void)slice_split(&rest, '/', &id);
    struct outline_job *j = find(o, slice_trim(id));
    if (!j || (deeper && !j->inner))
        return false;
    if (!deeper) {
        choose_whole(o, j);
        return true;
    }
    if (!outline_choose(j->inner, rest))
        return false;
    j->chosen = true;
    choose_needs(o, j);
    return true;
}

static void add_names(const struct outline *o, const char *before, struct buf *to)
{
    for (size_t i = 0; i < o->workflow->n_jobs; i++) {
        const struct outline_job *j = &o->jobs[i];
        CLEANUP(buf_deinit) struct buf path = BUF_INIT(1024);

        buf_printf(&path, "%s%s", before, j->def->id);
        buf_printf(to, "%s%s", to->len ? ", " : "", path.ptr);
        buf_add_str(&path, " / ");
        if (j->inner && !to->overflow)
            add_names(j->inner, path.ptr, to);
    }
}

void outline_names(const struct outline *o, struct buf *to)
{
    add_names(o, "", to);
}

size_t outline_count(const struct outline *o)
{
    size_t n = 0;

    for (size_t i = 0; i < o->workflow->n_jobs; i++)
        if (o->jobs[i].chosen)
            n += o->jobs[i].inner ? outline_count(o->jobs[i].inner) : 1;
    return n;
}
