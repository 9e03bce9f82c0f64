#include "lang/schedule.h"

static int read_entry(struct arena *a, struct schedule_entry *e, cron_zone_fn *zone, void *zone_ctx,
                      const struct token **ret_at, struct err *err)
{
    int r = cron_parse(e->text->text, &e->cron, err);

    if (r < 0) {
        *ret_at = e->text;
        return err_in(err, "cron '%.*s'", SLICE_ARG(slice_head(e->text->text, 40)));
    }
    if (!e->timezone)
        return ERR_OK;
    r = cron_zone_name(e->timezone->text)
            ? zone(zone_ctx, arena_str(a, e->timezone->text), &e->zone, err)
            : err_set(err, ERR_NOT_FOUND, "'%.*s' is no name of a time zone",
                      SLICE_ARG(slice_head(e->timezone->text, 40)));
    if (r < 0)
        *ret_at = e->timezone;
    return r;
}

int schedule_read(struct arena *a, const struct workflow *w, cron_zone_fn *zone, void *zone_ctx,
                  struct schedule *ret, const struct token **ret_at, struct err *err)
{
    const struct workflow_event *event = workflow_event_find(w, "schedule");
    const struct token *list = event ? event->config : NULL;
    size_t n = list && list->kind == TOKEN_SEQUENCE ? list->n_items : 0;
    struct schedule s = {.entries = arena_array(a, n + 1, sizeof *s.entries)};

    for (size_t i = 0; i < n; i++) {
        struct schedule_entry e = {.text = token_find(list->items[i], "cron"),
                                   .timezone = token_find(list->items[i], "timezone")};
        int r = e.text ? read_entry(a, &e, zone, zone_ctx, ret_at, err) : ERR_OK;

        if (r < 0)
            return r;
        if (e.text)
            s.entries[s.n++] = e;
    }
    *ret = s;
    return ERR_OK;
}

size_t schedule_next(const struct schedule *s, int64_t after, struct schedule_firing *ret,
                     size_t max)
{
    CLEANUP(free_ptr) int64_t *next = mem_new((s->n + 1) * sizeof *next);
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!cron_next(&s->entries[i].cron, s->entries[i].zone, after, &next[i]))
            next[i] = INT64_MAX;
    while (n < max) {
        size_t first = 0;

        for (size_t i = 1; i < s->n; i++)
            if (next[i] < next[first])
                first = i;
        if (s->n == 0 || next[first] == INT64_MAX)
            break;
        const struct schedule_entry *e = &s->entries[first];
        ret[n++] = (struct schedule_firing){next[first], e};
        if (!cron_next(&e->cron, e->zone, next[first], &next[first]))
            next[first] = INT64_MAX;
    }
    return n;
}
