#include "stage.h"

#include "shard.h"

#include "../lib/words.h"

#include <string.h>

/* ---- names ---- */

const char *stage_title(const struct stage *x)
{
    const char *name = x->target.runner  ? x->target.runner->title
                       : *x->set.command ? "the command"
                                         : "the report";

    return *x->target.root ? ost_fmt(x->step, "%s in %s", name, x->target.root) : name;
}

const char *stage_shard(const struct stage *x)
{
    return x->set.n_shards ? ost_fmt(x->step, "shard %u/%u", x->set.shard, x->set.n_shards) : "";
}

/* ---- choosing ---- */

static uint64_t hash_add(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3;
    return (h ^ 1) * 0x100000001b3;
}

/* All shards of one set of tests, in this run and in others, come to the same. */
static const char *id_of(struct stage *x)
{
    const char *job = x->step->host->context(x->step, "github.job");
    const char *workflow = x->step->host->context(x->step, "github.workflow");
    uint64_t h = hash_add(0xcbf29ce484222325, x->target.runner->name);

    h = hash_add(hash_add(h, x->target.root), x->set.command);
    h = hash_add(hash_add(h, job ? job : ""), workflow ? workflow : "");
    for (const char *const *word = x->set.tests; *word; word++)
        h = hash_add(h, *word);
    for (const char *const *word = x->set.args; *word; word++)
        h = hash_add(h, *word);
    return ost_fmt(x->step, "%s-%016llx", x->target.runner->name, (unsigned long long)h);
}

static ost_status list_units(struct stage *x, struct strings *all)
{
    struct commands *list = x->step->host->alloc(x->step, sizeof *list);
    const char *failed = NULL;
    ost_status r = OST_OK;

    list->n = 0;
    if (!x->target.runner->list(&x->target, list))
        return ost_fail(
            x->step, OST_E_INVALID,
            "'shard' needs to list the tests, and nobody knows how with the command '%s': "
            "leave 'command' away, or end it as the runner's own does",
            *x->set.command ? x->set.command : words_join(x->step, x->target.words));
    for (size_t i = 0; r == OST_OK && i < list->n; i++) {
        struct sink out = {.step = x->step};

        r = run_quietly(&x->target, &list->list[i], "list the tests", &out, &failed);
        if (r == OST_OK)
            x->target.runner->units(&x->target, &list->list[i], sink_span(&out), all);
        if (r == OST_OK && failed && !(x->target.runner->lists_broken && all->n > 0))
            return ost_fail(x->step, OST_E_FAILED, "cannot list the tests: %s", failed);
    }
    return r;
}

ost_status stage_choose(struct stage *x)
{
    struct strings all = {0}, picked;
    struct times times;
    ost_status r = list_units(x, &all);

    if (r < 0)
        return r;
    all = shard_units(x->step, &all);
    x->times = (struct times_query){id_of(x), x->set.shard, x->set.n_shards};
    r = times_agree(x->step, &x->times, &times);
    if (r < 0)
        return r;
    picked = shard_pick(x->step, &all, &times, x->set.shard, x->set.n_shards,
                        x->target.runner->prefixes);
    ost_log(x->step, OST_INFO, "%s: %zu of %zu %s, split by %s", stage_shard(x), picked.n, all.n,
            x->target.runner->units_are,
            times.n ? "how long they took before" : "name, since no durations are known yet");
    x->empty_shard = picked.n == 0 && all.n > 0;
    x->selection = (struct selection){.pick = PICK_UNITS, .units = strings_list(&picked)};
    if (all.n == 0)
        x->selection.pick = PICK_ALL; /* the runner says itself why there is nothing */
    return OST_OK;
}

ost_status stage_keep_times(struct stage *x)
{
    struct times times = {.index = {.step = x->step}};

    if (!x->times.id || x->run.status < 0)
        return OST_OK;
    for (size_t i = 0; i < x->run.results.n; i++) {
        const struct result *r = &x->run.results.list[i];
        const char *unit = x->target.runner->unit(&x->target, r);

        if (unit)
            times_add(&times, unit, r->took_ns);
    }
    return times_keep(x->step, &x->times, &times);
}

ost_status stage_plan_choice(struct stage *x)
{
    struct commands *list = x->step->host->alloc(x->step, sizeof *list);
    const char *how = "";

    list->n = 0;
    if (x->target.runner->list(&x->target, list) && list->n > 0)
        how = ost_fmt(x->step, "by how long each took in earlier runs; listed by %s",
                      words_join(x->step, list->list[0].argv));
    return x->step->host->plan(x->step, "choose", stage_shard(x), how);
}

/* ---- afterwards ---- */

/* Tests that were not picked may be told of as skipped: they are another shard's. */
void stage_drop_others(struct stage *x)
{
    struct results *all = &x->run.results;
    struct index picked = {.step = x->step};
    size_t n = 0;

    if (x->selection.pick != PICK_UNITS)
        return;
    for (const char *const *unit = x->selection.units; *unit; unit++)
        index_set(&picked, *unit, 0);
    for (size_t i = 0; i < all->n; i++) {
        const char *unit = x->target.runner->unit(&x->target, &all->list[i]);

        if (all->list[i].outcome != OUTCOME_SKIPPED || !unit ||
            index_get(&picked, unit) != INDEX_NONE)
            all->list[n++] = all->list[i];
    }
    all->n = n;
}
