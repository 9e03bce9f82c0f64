#include "cli/start/zones.h"

#include "cli/settings.h"
#include "io/zone.h"

enum { DAY = 86400 };

void zones_deinit(struct zones *z)
{
    vec_deinit(&z->names);
    vec_deinit(&z->clocks);
    arena_deinit(&z->arena);
}

int zones_find(void *ctx, const char *name, const struct cron_zone **ret, struct err *err)
{
    struct zones *z = ctx;
    struct zone_offset *list;
    size_t n;

    for (size_t i = 0; i < z->names.len; i++) {
        if (strcmp(z->names.ptr[i], name) == 0) {
            *ret = z->clocks.ptr[i];
            return ERR_OK;
        }
    }
    int64_t until = z->from + ((int64_t)CRON_HORIZON_DAYS + 2) * DAY;
    int r =
        zone_load(&z->arena, name, z->from - 2 * DAY, until, settings_env("TZ"), &list, &n, err);
    if (r < 0)
        return r;
    struct cron_zone *clock = ARENA_NEW(&z->arena, struct cron_zone);
    struct cron_offset *offsets = arena_array(&z->arena, n, sizeof *offsets);
    for (size_t i = 0; i < n; i++)
        offsets[i] = (struct cron_offset){list[i].from, list[i].east};
    *clock = (struct cron_zone){offsets, n};
    vec_push(&z->names, arena_str(&z->arena, slice_of(name)));
    vec_push(&z->clocks, clock);
    *ret = clock;
    return ERR_OK;
}
