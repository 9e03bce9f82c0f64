/* path_map - the same folders under other names inside a container (runtime contract 10.4). */
#pragma once

#include "base/arena.h"
#include "base/strmap.h"

enum { PATH_MAP_MAX = 8 };

struct path_map {
    struct {
        const char *outside, *inside; /* absolute and normal; borrowed */
    } pairs[PATH_MAP_MAX];            /* the first that fits counts */
    size_t n;
};

void path_map_add(struct path_map *m, const char *outside, const char *inside);

/* VALUE as it is inside: only a whole value that is a folder of the map, or lies in one, changes. Lists and texts
 * with a path in them stay as they are. In A, or VALUE itself. */
struct slice path_map_in(const struct path_map *m, struct arena *a, struct slice value);

/* The way back, by the same rules. */
struct slice path_map_out(const struct path_map *m, struct arena *a, struct slice value);

/* Changes all values of ENV. */
void path_map_env(const struct path_map *m, struct strmap *env);
