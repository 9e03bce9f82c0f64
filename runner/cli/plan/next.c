/* When schedules fire next. */
#include "cli/plan/parts.h"
#include "lang/schedule.h"

struct firing {
    int64_t at;
    size_t workflow;
    const struct schedule_entry *entry;
};

static int by_time(const void *a, const void *b)
{
    const struct firing *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->workflow < y->workflow ? -1 : x->workflow > y->workflow;
}

static json_t *firing_json(const struct start *s, struct arena *a, const struct firing *f)
{
    char stamp[CRON_STAMP_SIZE];
    json_t *one;

    cron_stamp_format(f->at, stamp);
    one = json_pack("{s:s, s:s, s:s, s:i}", "at", stamp, "file", s->paths.ptr[f->workflow],
                    "schedule", arena_str(a, token_text(a, f->entry->text)), "line",
                    f->entry->text->line);
    if (f->entry->timezone)
        json_object_set_new(one, "timezone",
                            json_string(arena_str(a, token_text(a, f->entry->timezone))));
    return one;
}

int plan_next(const struct start *s, int64_t after, int count, json_t **ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(zones_deinit) struct zones zones = {.from = after};
    VEC(struct firing) all = {0};
    struct schedule_firing *next = arena_array(&a, (size_t)count, sizeof *next);
    json_t *list = json_array();
    int r = ERR_OK;

    for (size_t i = 0; r == ERR_OK && i < s->workflows.len; i++) {
        const struct token *at = NULL;
        struct schedule schedule;

        r = schedule_read(&a, s->workflows.ptr[i], zones_find, &zones, &schedule, &at, err);
        if (r < 0) {
            (void)err_in(err, "%s:%d:%d", s->paths.ptr[i], at ? at->line : 0, at ? at->col : 0);
            break;
        }
        size_t n = schedule_next(&schedule, after, next, (size_t)count);
        for (size_t k = 0; k < n; k++)
            vec_push(&all, (struct firing){next[k].at, i, next[k].entry});
    }
    if (all.len)
        qsort(all.ptr, all.len, sizeof *all.ptr, by_time);
    for (size_t i = 0; i < all.len && i < (size_t)count; i++)
        json_array_append_new(list, firing_json(s, &a, &all.ptr[i]));
    vec_deinit(&all);
    *ret = json_pack("{s:i, s:o}", "version", 1, "next", list);
    if (r < 0) {
        json_decref(*ret);
        *ret = NULL;
    }
    return r;
}
