#include "lang/cron.h"

#include <criterion/criterion.h>
#include <jansson.h>

static json_t *table;
static size_t n_bad;

static void enter(void)
{
    json_error_t error;

    table = json_load_file(OSTLER_SOURCE_DIR "/tests/data/cron/times.json", JSON_ALLOW_NUL, &error);
    cr_assert(table, "%d: %s", error.line, error.text);
    n_bad = 0;
}

static void leave(void)
{
    json_decref(table);
}

TestSuite(cron, .init = enter, .fini = leave);

static struct slice text_of(const json_t *row, const char *key)
{
    const json_t *value = key ? json_object_get(row, key) : row;

    return slice_make(json_string_value(value), json_string_length(value));
}

static void bad(const json_t *row, const char *wanted, const char *got)
{
    CLEANUP(free_ptr) char *text = json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY);

    cr_log_error("%s\n  wanted %s\n     got %s", text, wanted, got);
    n_bad++;
}

static int64_t stamp(struct slice text)
{
    struct err err = ERR_INIT;
    int64_t at = 0;

    cr_assert_eq(cron_stamp_parse(text, &at, &err), ERR_OK, "%s", err.text);
    return at;
}

static struct cron parse(struct slice text)
{
    struct err err = ERR_INIT;
    struct cron c = {0};

    cr_assert_eq(cron_parse(text, &c, &err), ERR_OK, "%.*s: %s", SLICE_ARG(text), err.text);
    return c;
}

static const struct cron_zone *zone_of(struct arena *a, const json_t *name)
{
    const json_t *list = json_object_get(json_object_get(table, "zones"), json_string_value(name));
    struct cron_zone *zone = ARENA_NEW(a, struct cron_zone);
    size_t n = json_array_size(list);
    struct cron_offset *offsets = arena_array(a, n, sizeof *offsets);

    cr_assert(!name || n, "there is no zone '%s' in the table", json_string_value(name));
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);

        offsets[i].from = stamp(text_of(json_array_get(one, 0), NULL));
        offsets[i].east = (int32_t)json_integer_value(json_array_get(one, 1));
    }
    *zone = (struct cron_zone){offsets, n};
    return name ? zone : NULL;
}

static void fires_row(const json_t *row)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const json_t *wanted = json_object_get(row, "is");
    const struct cron_zone *zone = zone_of(&a, json_object_get(row, "zone"));
    struct cron c = parse(text_of(row, "cron"));
    int64_t at = stamp(text_of(row, "after"));
    size_t n = json_array_size(wanted);

    for (size_t i = 0; i < n; i++) {
        const char *want = json_string_value(json_array_get(wanted, i));
        char got[CRON_STAMP_SIZE] = "never";

        if (cron_next(&c, zone, at, &at))
            cron_stamp_format(at, got);
        if (strcmp(want, got) != 0) {
            bad(row, want, got);
            return;
        }
        if (!cron_fires(&c, zone, at) || !cron_fires(&c, zone, at + 59))
            bad(row, want, "no firing at that minute");
    }
    if (n == 0 && cron_next(&c, zone, at, &at))
        bad(row, "never", "some time");
}

Test(cron, fires_when_its_fields_say)
{
    json_t *row;
    size_t i;

    json_array_foreach (json_object_get(table, "fires"), i, row) {
        fires_row(row);
    }
    cr_assert_eq(n_bad, 0, "%zu rows are wrong", n_bad);
    cr_assert_gt(i, 20);
}

Test(cron, refuses_what_github_does_not_know)
{
    json_t *row;
    size_t i;

    json_array_foreach (json_object_get(table, "refused"), i, row) {
        const char *why = json_string_value(json_object_get(row, "why"));
        struct err err = ERR_INIT;
        struct cron c;

        if (cron_parse(text_of(row, "cron"), &c, &err) != ERR_INVALID || strcmp(err.text, why) != 0)
            bad(row, why, err.text);
    }
    cr_assert_eq(n_bad, 0, "%zu rows are wrong", n_bad);
}

Test(cron, an_expression_has_a_limit)
{
    char text[CRON_SIZE_MAX + 2];
    struct err err = ERR_INIT;
    struct cron c;

    memset(text, '*', sizeof text);
    cr_assert_eq(cron_parse(slice_make(text, sizeof text), &c, &err), ERR_LIMIT);
}

Test(cron, knows_the_shortest_gap)
{
    json_t *row;
    size_t i;

    json_array_foreach (json_object_get(table, "gaps"), i, row) {
        struct cron c = parse(text_of(row, "cron"));

        if (cron_shortest_gap(&c) != json_integer_value(json_object_get(row, "minutes")))
            bad(row, "as the row says", "another gap");
    }
    cr_assert_eq(n_bad, 0, "%zu rows are wrong", n_bad);
}

Test(cron, knows_what_can_never_be)
{
    static const char *const lists[] = {"never", "ever"};

    for (size_t k = 0; k < COUNT_OF(lists); k++) {
        json_t *row;
        size_t i;

        json_array_foreach (json_object_get(table, lists[k]), i, row) {
            struct cron c = parse(text_of(row, NULL));

            if (cron_ever_fires(&c) != (k == 1))
                bad(row, lists[k], lists[!k]);
        }
    }
    cr_assert_eq(n_bad, 0, "%zu rows are wrong", n_bad);
}

Test(cron, reads_and_writes_stamps)
{
    json_t *row;
    size_t i;

    json_array_foreach (json_object_get(table, "stamps"), i, row) {
        const char *wanted = json_string_value(json_object_get(row, "is"));
        char got[CRON_STAMP_SIZE] = "refused";
        struct err err = ERR_INIT;
        int64_t at;

        if (cron_stamp_parse(text_of(row, "text"), &at, &err) == ERR_OK)
            cron_stamp_format(at, got);
        if (strcmp(got, wanted ? wanted : "refused") != 0)
            bad(row, wanted ? wanted : "refused", got);
    }
    cr_assert_eq(n_bad, 0, "%zu rows are wrong", n_bad);
}

Test(cron, days_follow_the_calendar)
{
    /* 400 years of days: each stamp comes back, and the calendar never stands still. */
    char text[CRON_STAMP_SIZE], last[CRON_STAMP_SIZE] = "";

    for (int64_t day = 0; day < 146097; day++) {
        cron_stamp_format(day * 86400, text);
        cr_assert_gt(strcmp(text, last), 0, "%s after %s", text, last);
        cr_assert_eq(stamp(slice_of(text)), day * 86400, "%s", text);
        memcpy(last, text, sizeof last);
    }
    cr_assert_str_eq(last, "2369-12-31T00:00Z");
}

Test(cron, zone_names_are_no_paths)
{
    static const char *const lists[] = {"bad", "good"};

    for (int good = 0; good < 2; good++) {
        const json_t *names = json_object_get(json_object_get(table, "zone_names"), lists[good]);

        for (size_t i = 0; i < json_array_size(names); i++)
            if (cron_zone_name(text_of(json_array_get(names, i), NULL)) != good)
                bad(json_array_get(names, i), lists[good], lists[!good]);
    }
    cr_assert_eq(n_bad, 0, "%zu names are wrong", n_bad);
}
