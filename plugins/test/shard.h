/* shard - which part of all units one of several jobs is to run. Pure: the same list and the same times give the
 * same parts in every job, each unit is in exactly one of them. */
#pragma once

#include "times.h"

/* The units of ALL, which may name one twice: sorted, each once. */
struct strings shard_units(struct ost_step *step, const struct strings *all);

/* Those of shard I of N, from 1, out of ALL, made by shard_units(). The longest go first to the
 * shard with the least to do; what no time is known of counts as the average does. PREFIXES: a unit whose name
 * begins with another's goes where that goes, since picking the shorter would run both. */
struct strings shard_pick(struct ost_step *step, const struct strings *all,
                          const struct times *times, unsigned i, unsigned n, bool prefixes);
