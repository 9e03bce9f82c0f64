#include "shard.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t took_ns; /* of it and of those that go with it */
    size_t leader;   /* the unit it goes with; its own number: it leads */
    unsigned shard;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct strings shard_units(struct ost_step *step, const struct strings *all)
{
    struct strings units = {0}, sorted = {0};

    for (size_t i = 0; i < all->n; i++)
        strings_add(step, &sorted, all->list[i]);
    if (sorted.n > 1)
        qsort(sorted.list, sorted.n, sizeof *sorted.list, compare_names);
    for (size_t i = 0; i < sorted.n; i++)
        if (i == 0 || strcmp(sorted.list[i - 1], sorted.list[i]) != 0)
            strings_add(step, &units, sorted.list[i]);
    return units;
}

/* The longest first; the same in every job, so names decide where times do not. */
static int compare_times(const void *a, const void *b)
{
    const struct unit *const *left = a, *const *right = b;

    if ((*left)->took_ns != (*right)->took_ns)
        return (*left)->took_ns > (*right)->took_ns ? -1 : 1;
    return strcmp((*left)->name, (*right)->name);
}

/* Each with its time. */
static void make_units(const struct strings *all, const struct times *times, struct unit *units)
{
    int64_t known = 0, sum = 0;

    for (size_t i = 0; i < all->n; i++) {
        units[i] = (struct unit){.name = all->list[i], .took_ns = times_get(times, all->list[i])};
        known += units[i].took_ns >= 0;
        sum += units[i].took_ns >= 0 ? units[i].took_ns : 0;
    }
    for (size_t i = 0; i < all->n; i++)
        if (units[i].took_ns < 0)
            units[i].took_ns = known ? sum / known : 1;
}

/* Sorted, those that begin with another's name stand right behind it. */
static void join_prefixes(struct unit *units, size_t n, bool prefixes)
{
    size_t leader = 0;

    for (size_t i = 0; i < n; i++) {
        if (!prefixes ||
            strncmp(units[leader].name, units[i].name, strlen(units[leader].name)) != 0)
            leader = i;
        units[i].leader = leader;
        if (leader != i)
            units[leader].took_ns += units[i].took_ns;
    }
}

static void assign(struct unit **leaders, size_t n_leaders, int64_t *load, unsigned n)
{
    for (size_t i = 0; i < n_leaders; i++) {
        unsigned least = 0;

        for (unsigned s = 1; s < n; s++)
            if (load[s] < load[least])
                least = s;
        leaders[i]->shard = least;
        load[least] += leaders[i]->took_ns;
    }
}

struct strings shard_pick(struct ost_step *step, const struct strings *all,
                          const struct times *times, unsigned i, unsigned n, bool prefixes)
{
    struct unit *units = step->host->alloc(step, (all->n + 1) * sizeof *units);
    struct unit **leaders = step->host->alloc(step, (all->n + 1) * sizeof *leaders);
    int64_t *load = step->host->alloc(step, n * sizeof *load);
    size_t n_units = all->n, n_leaders = 0;
    struct strings picked = {0};

    make_units(all, times, units);
    memset(load, 0, n * sizeof *load);
    join_prefixes(units, n_units, prefixes);
    for (size_t u = 0; u < n_units; u++)
        if (units[u].leader == u)
            leaders[n_leaders++] = &units[u];
    if (n_leaders > 1)
        qsort(leaders, n_leaders, sizeof(struct unit *), compare_times);
    assign(leaders, n_leaders, load, n);
    for (size_t u = 0; u < n_units; u++)
        if (units[units[u].leader].shard == i - 1)
            strings_add(step, &picked, units[u].name);
    return picked;
}
